package jambonz_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"callbox/api/apitest"
	"callbox/call"
)

// TestCreateGolden: a request, and the status, warnings, answer and model that
// it becomes: testdata/create/NAME.json → NAME.txt.
func TestCreateGolden(t *testing.T) {
	for _, name := range files(t, "create", ".json") {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t)
			if strings.HasPrefix(name, "teams-") { // the box has a trunk to the tenant
				if resp, body := g.do(t, "POST", "/v1/MicrosoftTeamsTenants", `{"tenant_fqdn":"contoso.example"}`); resp.StatusCode != http.StatusCreated {
					t.Fatalf("tenant: %s %s", resp.Status, body)
				}
			}
			resp, body := g.do(t, "POST", calls, read(t, "create", name+".json"))
			var out strings.Builder
			fmt.Fprintf(&out, "%d %s\n%s\n", resp.StatusCode, resp.Header.Get("Content-Type"), hide(body))
			for _, w := range resp.Header.Values("Callbox-Warning") {
				fmt.Fprintln(&out, "warning: "+w)
			}
			for _, r := range g.Box.Requests() {
				out.WriteString(hide(apitest.Fields(t, r)))
			}
			if (resp.StatusCode == http.StatusCreated) != (len(g.Box.Requests()) == 1) {
				t.Errorf("%d and %d calls", resp.StatusCode, len(g.Box.Requests()))
			}
			apitest.Golden(t, "create/"+name+".txt", out.String())
		})
	}
}

// refusals are bodies of Create Call and what is said of them, one line each.
func TestCreateRefused(t *testing.T) {
	g := newGateway(t)
	var out strings.Builder
	for line := range strings.Lines(read(t, "refused.txt")) {
		body, ok := strings.CutPrefix(line, "< ")
		if !ok {
			continue
		}
		resp, answer := g.do(t, "POST", calls, strings.TrimSuffix(body, "\n"))
		fmt.Fprintf(&out, "< %s%d %s\n", body, resp.StatusCode, answer)
	}
	apitest.Golden(t, "refused.txt", out.String())
	if n := len(g.Box.Requests()); n != 0 {
		t.Errorf("%d calls were created", n)
	}
}

// TestCreateErrors: what goes wrong beside the body.
func TestCreateErrors(t *testing.T) {
	g := newGateway(t)
	const good = `{"from":"16175551212","to":{"type":"phone","number":"+16172375080"},"call_hook":"http://app.lan/hook"}`
	for _, tc := range []struct {
		name   string
		fail   error
		body   string
		header []string
		status int
		want   string
	}{
		{"all lines busy", fmt.Errorf("%w: 64 of 64", call.ErrLimit), good, nil, 480, `{"msg":"too many calls at once: 64 of 64"}`},
		{"stopping", call.ErrStopping, good, nil, 480, `{"msg":"the gateway is shutting down"}`},
		{"no way", call.Cause{Q850: call.Q850NoRoute, Text: "no route leads there"}, good, nil, 400, `{"msg":"no route leads there"}`},
		{"no line", call.Cause{Q850: call.Q850NoCircuit, Text: "the trunk is down"}, good, nil, 480, `{"msg":"the trunk is down"}`},
		{"broken", fmt.Errorf("the disk is gone"), good, nil, 500, `{"msg":"the disk is gone"}`},
		{"a form", nil, "from=1", []string{"Content-Type", "application/x-www-form-urlencoded"}, 415,
			`{"msg":"the body is not of a type that this address takes: send application/json, not \"application/x-www-form-urlencoded\""}`},
		{"no type", nil, "from=1", []string{"Content-Type", ""}, 400, `{"msg":"the body is not JSON: invalid character 'r' in literal false (expecting 'a')"}`},
		{"too long", nil, `"` + strings.Repeat("x", 70000) + `"`, nil, 413, `{"msg":"http: request body too large"}`},
		{"another site", nil, good, []string{"Origin", "http://evil.example", "Sec-Fetch-Site", "cross-site"}, 403,
			`{"msg":"a browser sent this from a page of another site"}`},
		{"bad idempotency key", nil, good, []string{"Idempotency-Key", "a b"}, 400, `{"msg":"an idempotency key is 1 to 255 visible ASCII characters"}`},
	} {
		if tc.fail != nil {
			g.Box.FailNext(tc.fail)
		}
		resp, body := g.do(t, "POST", calls, tc.body, tc.header...)
		if resp.StatusCode != tc.status || body != tc.want || resp.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %s", tc.name, resp.StatusCode, body)
		}
	}
	if n := len(g.Box.Requests()); n != 0 {
		t.Errorf("%d calls were created", n)
	}
}

// TestIdempotency: a repeated request dials once.
func TestIdempotency(t *testing.T) {
	g := newGateway(t)
	const good = `{"from":"16175551212","to":{"type":"user","name":"bob"},"call_hook":"http://app.lan/hook"}`
	_, first := g.do(t, "POST", calls, good, "Idempotency-Key", "k1")
	resp, again := g.do(t, "POST", calls+"/", good, "Idempotency-Key", "k1")
	if first != again || resp.StatusCode != 201 || resp.Header.Get("Idempotent-Replayed") != "true" || len(g.Box.Requests()) != 1 {
		t.Errorf("%s, then %d %s", first, resp.StatusCode, again)
	}
}

// TestAccess: keys, accounts, paths and methods.
func TestAccess(t *testing.T) {
	g := newGateway(t)
	bearer := func(secret string) []string { return []string{"Authorization", "Bearer " + secret} }
	for _, tc := range []struct {
		method, path string
		header       []string
		status       int
		body         string
	}{
		{"GET", calls, bearer(key), 200, "[]"},
		{"GET", calls + "/", bearer(token), 200, "[]"},
		{"GET", "/v1/Accounts/" + account + "/Calls", bearer(key), 200, "[]"},
		{"GET", calls, bearer("guess"), 401, "Unauthorized\n"},
		{"GET", calls, bearer("00000000000000000000000000000000"), 401, "Unauthorized\n"},
		{"GET", calls, []string{"Authorization", ""}, 401, "Unauthorized\n"},
		{"GET", "/v1/Accounts/00000000-0000-4000-8000-000000000000/Calls", bearer(key), 401, "Unauthorized\n"},
		{"GET", "/v1/Accounts/unknown/Calls", bearer(key), 401, "Unauthorized\n"},
		{"GET", "/v1/Clients/", bearer(key), 200, "[]"},
		{"GET", "/v1/Clients", bearer(token), 200, "[]"},
		{"GET", "/v1/Clients", bearer("guess"), 401, "Unauthorized\n"},
		{"GET", "/v1/", bearer("guess"), 401, "Unauthorized\n"},
		{"GET", "/v1/", bearer(key), 404, "Not Found\n"},
		{"GET", "/v1/Accounts/" + project + "/Nothing", bearer(key), 404, "Not Found\n"},
		{"GET", calls + "/" + strings.Repeat("x", 65), bearer(key), 404, "Not Found\n"},
		{"GET", calls + "/unknown", bearer(key), 404, "Not Found\n"},
		{"PATCH", calls, bearer(key), 405, `{"msg":"this address does not take this HTTP method"}`},
	} {
		resp, body := g.do(t, tc.method, tc.path, "", tc.header...)
		if resp.StatusCode != tc.status || body != tc.body {
			t.Errorf("%s %s %v: %d %q", tc.method, tc.path, tc.header, resp.StatusCode, body)
		}
		if tc.status == 401 && resp.Header.Get("WWW-Authenticate") == "" || tc.status == 405 && resp.Header.Get("Allow") != "GET, POST" {
			t.Errorf("%s %s: %v", tc.method, tc.path, resp.Header)
		}
	}
	for range 12 {
		g.do(t, "GET", calls, "", bearer("guess")...)
	}
	resp, body := g.do(t, "GET", calls, "", bearer(key)...)
	if resp.StatusCode != 429 || resp.Header.Get("Retry-After") == "" || !strings.HasPrefix(body, `{"msg":"too many failed logins`) {
		t.Errorf("after many guesses: %d %s", resp.StatusCode, body)
	}
}
