package mailbox

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"callbox/api"
	"callbox/call"
)

// boxes holds the messages of bob, of account AC1.
type boxes struct {
	n   api.Waiting
	err error
}

func (b *boxes) Waiting(account, user string) (api.Waiting, error) {
	if account != "AC1" || user != "bob" {
		return api.Waiting{}, call.ErrNotFound
	}
	return b.n, b.err
}

func (b *boxes) SetWaiting(_ context.Context, account, user string, w api.Waiting) error {
	if _, err := b.Waiting(account, user); err != nil {
		return err
	}
	if err := w.Validate(); err != nil {
		return err
	}
	b.n = w
	return nil
}

// accounts are two.
type accounts struct{}

func (accounts) Account(id string) (api.Account, bool) {
	acc := api.Account{ID: id, Token: "token of " + id}
	return acc, id == "AC1" || id == "AC2"
}
func (accounts) Accounts() []api.Account { return nil }
func (accounts) Application(string, string) (api.Application, bool) {
	return api.Application{}, false
}

func TestMessages(t *testing.T) {
	t.Parallel()
	b := &boxes{}
	s, err := api.NewServer(api.Config{Mounts: []api.Mount{Mount(api.NewAuth(accounts{}), b, slog.New(slog.DiscardHandler))}})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name, method, path, account, body string
		status                            int
		want                              string
	}{
		{"none yet", "GET", "/api/users/bob/messages", "AC1", "", 200, `{"new":0,"old":0,"urgent_new":0,"urgent_old":0}`},
		{"set", "PUT", "/api/users/bob/messages", "AC1", `{"new":2,"old":8,"urgent_old":2}`, 200, `{"new":2,"old":8,"urgent_new":0,"urgent_old":2}`},
		{"as it was set", "GET", "/api/users/bob/messages", "AC1", "", 200, `{"new":2,"old":8,"urgent_new":0,"urgent_old":2}`},
		{"nobody", "GET", "/api/users/bob/messages", "", "", 401, "wrong or missing"},
		{"another account", "GET", "/api/users/bob/messages", "AC2", "", 404, "no such user"},
		{"no such user", "PUT", "/api/users/carol/messages", "AC1", `{"new":1}`, 404, "no such user"},
		{"negative", "PUT", "/api/users/bob/messages", "AC1", `{"new":-1}`, 400, "new is -1, it must be 0 to 9999"},
		{"more urgent than there are", "PUT", "/api/users/bob/messages", "AC1", `{"new":1,"urgent_new":2}`, 400, "urgent_new is 2, it must be 0 to 1"},
		{"another key", "PUT", "/api/users/bob/messages", "AC1", `{"news":1}`, 400, "unknown field"},
		{"no JSON", "PUT", "/api/users/bob/messages", "AC1", `new=1`, 400, "not a count of messages in JSON"},
		{"another method", "DELETE", "/api/users/bob/messages", "AC1", "", 405, "does not take this HTTP method"},
		{"another address", "GET", "/api/users/bob/letters", "AC1", "", 404, "nothing at this address"},
		{"unchanged by all that", "GET", "/api/users/bob/messages", "AC1", "", 200, `"new":2`},
	} {
		r := httptest.NewRequest(step.method, step.path, strings.NewReader(step.body))
		if step.account != "" {
			r.SetBasicAuth(step.account, "token of "+step.account)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != step.status || !strings.Contains(w.Body.String(), step.want) {
			t.Errorf("%s: %d %s, want %d %s", step.name, w.Code, w.Body, step.status, step.want)
		}
		if w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: %s", step.name, w.Header().Get("Content-Type"))
		}
	}
	b.err = errors.New("the disk is on fire, token 12345")
	r := httptest.NewRequest(http.MethodGet, "/api/users/bob/messages", nil)
	r.SetBasicAuth("AC1", "token of AC1")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Code != 500 || strings.Contains(w.Body.String(), "12345") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
