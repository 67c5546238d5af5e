package twilio_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"callbox/api"
	"callbox/api/apitest"
	"callbox/api/laml"
	"callbox/api/twilio"
	"callbox/call"
)

const (
	account = "AC0123456789abcdef0123456789abcdef"
	token   = "0123456789abcdef0123456789abcdef"
	keyID   = "SK0123456789abcdef0123456789abcdef"
	secret  = "fedcba9876543210fedcba9876543210"
	other   = "ACffffffffffffffffffffffffffffffff"
	appID   = "AP0123456789abcdef0123456789abcdef"
	trunkID = "BY0123456789abcdef0123456789abcdef"
	calls   = "/2010-04-01/Accounts/" + account + "/Calls"
)

// noon is when the boxes of these tests start.
var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// gateway is an HTTP server with the dialect before an in-memory box.
type gateway struct {
	*httptest.Server
	box *apitest.Box
}

func newGateway(t *testing.T) gateway {
	t.Helper()
	box := apitest.New(noon,
		api.Account{ID: account, Name: "branch", Token: token, Keys: map[string]string{keyID: secret}},
		api.Account{ID: other, Name: "other", Token: "00000000000000000000000000000000"},
	)
	box.AddApplication(account, api.Application{
		ID: appID, Name: "reception",
		Script: call.ScriptSource{Main: call.Hook{URL: "http://pbx.lan/reception", Method: "GET"}},
		Status: call.StatusHook{Hook: call.Hook{URL: "http://pbx.lan/status"}, Events: []call.EventType{call.EventRinging}},
	})
	box.AddLine(trunkID, "provider")
	h := &api.Handlers{
		Calls: box, Recordings: box, Accounts: box, Lines: box,
		Auth: api.NewAuth(box), Log: slog.New(slog.DiscardHandler),
	}
	srv, err := api.NewServer(api.Config{Mounts: twilio.New(laml.Config{}).Mounts(h)})
	if err != nil {
		t.Fatal(err)
	}
	g := gateway{httptest.NewServer(srv), box}
	t.Cleanup(g.Close)
	return g
}

// do sends a request with the account's credentials. A body is a form.
func (g gateway) do(t *testing.T, method, path, body string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, g.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(account, token)
	if body != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return g.send(t, req)
}

func (g gateway) send(t *testing.T, req *http.Request) (*http.Response, string) {
	t.Helper()
	resp, err := g.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// form encodes pairs of name and value.
func form(pairs ...string) string {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return v.Encode()
}
