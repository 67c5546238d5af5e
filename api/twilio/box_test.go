package twilio_test

import (
	"crypto/sha256"
	"net/http"
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
	*apitest.Server
	box *apitest.Box
}

func newGateway(t *testing.T) gateway {
	t.Helper()
	return serveBox(t, newBox())
}

// newBox has two accounts, an application and a trunk.
func newBox() *apitest.Box {
	box := apitest.New(noon,
		api.Account{ID: account, Name: "branch", Token: token, Keys: map[string][32]byte{keyID: sha256.Sum256([]byte(secret))}},
		api.Account{ID: other, Name: "other", Token: "00000000000000000000000000000000"},
	)
	box.AddApplication(account, api.Application{
		ID: appID, Name: "reception",
		Script: call.ScriptSource{Main: call.Hook{URL: "http://pbx.lan/reception", Method: "GET"}},
		Status: call.StatusHook{Hook: call.Hook{URL: "http://pbx.lan/status"}, Events: []call.EventType{call.EventRinging}},
	})
	box.AddLine(trunkID, "provider")
	box.AddLine("TK"+trunkID[2:], "provider")
	return box
}

func serveBox(t *testing.T, box *apitest.Box) gateway {
	t.Helper()
	s := apitest.Serve(t, box, twilio.New(laml.Config{}).Mounts)
	s.User, s.Password = account, token
	return gateway{s, box}
}

// do sends a request with the account's credentials. A body is a form.
func (g gateway) do(t *testing.T, method, path, body string, header ...string) (*http.Response, string) {
	t.Helper()
	return g.Do(t, method, path, body, header...)
}

func (g gateway) send(t *testing.T, req *http.Request) (*http.Response, string) {
	t.Helper()
	return g.Send(t, req)
}

// form encodes pairs of name and value.
func form(pairs ...string) string { return apitest.Form(pairs...) }
