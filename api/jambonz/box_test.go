package jambonz_test

import (
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"callbox/api"
	"callbox/api/apitest"
	"callbox/api/jambonz"
	"callbox/call"
)

const (
	account = "AC0123456789abcdef0123456789abcdef"
	project = "9d26a637-1679-471f-8da8-7150266e1254"
	token   = "0123456789abcdef0123456789abcdef"
	key     = "38700987-c7a4-4685-a5bb-af378f9734de"
	appID   = "0e0681b0-d49f-4fb8-b973-b5a3c6758de1"
	calls   = "/v1/Accounts/" + project + "/Calls"
)

// noon is when the boxes of these tests start.
var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// gateway is an HTTP server with the dialect before an in-memory box.
type gateway struct{ *apitest.Server }

func newGateway(t testing.TB, prepare ...func(*apitest.Box)) gateway {
	t.Helper()
	box := apitest.New(noon,
		api.Account{ID: account, Project: project, Name: "branch", Token: token, Keys: map[string][32]byte{"SK1": sha256.Sum256([]byte(key))}},
		api.Account{ID: "ACffffffffffffffffffffffffffffffff", Project: "00000000-0000-4000-8000-000000000000", Token: "00000000000000000000000000000000"},
	)
	box.AddApplication(account, api.Application{
		ID: appID, Name: "reception",
		Script: call.ScriptSource{Main: call.Hook{URL: "http://app.lan/reception", Method: "GET"}},
		Status: call.StatusHook{Hook: call.Hook{URL: "http://app.lan/status"}},
		Speech: call.Speech{Voice: "Alice"},
	})
	box.AddLine("provider", "provider")
	for _, p := range prepare {
		p(box)
	}
	return gateway{apitest.Serve(t, box, func(h *api.Handlers) []api.Mount { return []api.Mount{dialect(box).Mount(h)} })}
}

// dialect is the dialect of a box whose accounts are known to it.
func dialect(box *apitest.Box) *jambonz.Dialect {
	return jambonz.New(jambonz.Config{Accounts: box, Now: func() time.Time { return noon.Add(time.Hour) },
		BaseURL: func() string { return "http://box.lan:8080" }})
}

// do sends a request with the account's key. A body is JSON; header is pairs of
// name and value.
func (g gateway) do(t testing.TB, method, path, body string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, g.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return g.Send(t, req)
}

// create makes a call and gives its sid.
func (g gateway) create(t testing.TB) string {
	t.Helper()
	resp, body := g.do(t, "POST", calls, `{"from":"16175551212","to":{"type":"phone","number":"+16172375080"},"call_hook":"http://app.lan/hook","tag":{"order":17}}`)
	var c struct{ Sid string }
	if err := json.Unmarshal([]byte(body), &c); err != nil || resp.StatusCode != http.StatusCreated {
		t.Fatalf("create: %s %s %v", resp.Status, body, err)
	}
	return c.Sid
}

var randomID = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`)

// hide replaces random ids, but not those of the account and its application.
func hide(s string) string {
	return randomID.ReplaceAllStringFunc(s, func(id string) string {
		if id == appID || id == project {
			return id
		}
		return "11111111-2222-4333-8444-555555555555"
	})
}

// files lists the files of a folder of testdata with this ending, without it.
func files(t *testing.T, folder, ending string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", folder, "*"+ending))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no files in %s: %v", folder, err)
	}
	for i, p := range paths {
		paths[i] = strings.TrimSuffix(filepath.Base(p), ending)
	}
	return paths
}

func read(t *testing.T, parts ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(append([]string{"testdata"}, parts...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
