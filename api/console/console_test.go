package console_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"callbox/api"
	"callbox/api/console"
	"callbox/call"
)

// accounts are two; each one's token is its id turned round.
type accounts struct{}

func (accounts) Account(id string) (api.Account, bool) {
	switch id {
	case "AC1", "AC2":
		return api.Account{ID: id, Token: "secret-of-" + id}, true
	case "AC3":
		return api.Account{ID: id, Token: "secret-of-" + id, Suspended: true}, true
	}
	return api.Account{}, false
}

func (accounts) Accounts() []api.Account { return nil }

func (accounts) Application(string, string) (api.Application, bool) { return api.Application{}, false }

// records are the calls of the first account.
type records struct{}

func (records) Calls(_ context.Context, f call.Filter) (call.Page, error) {
	if f.Account != "AC1" {
		return call.Page{}, nil
	}
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	end := at.Add(8 * time.Second)
	return call.Page{Records: []call.Record{{
		ID: "CA1", Account: "AC1", Direction: call.Inbound, From: `<img src=x onerror=alert(1)>`, To: "+14155550100", Line: "fxo1", State: call.Completed,
		Created: at, Answered: &at, Ended: &end, Cause: &call.Cause{Q850: 16, Text: "the caller hung up"},
		Quality: &call.Quality{MOS: 4.2}, Warnings: []string{"the verb <Fly> is not known"}, Recordings: []string{"RE1"},
	}}}, nil
}

func newPage(t *testing.T) http.Handler {
	t.Helper()
	s, err := api.NewServer(api.Config{Mounts: []api.Mount{console.Mount(console.Config{Auth: api.NewAuth(accounts{}), Calls: records{}, Version: "v1",
		Lines: func() []console.Line {
			return []console.Line{{ID: "fxo1", Kind: call.FXO, Ready: true, Text: "on-hook"}}
		}})}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func ask(h http.Handler, method, path, user, password string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	if user != "" {
		r.SetBasicAuth(user, password)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// TestStrangers: nothing of the page is for those without a token, not even that there
// is one.
func TestStrangers(t *testing.T) {
	for _, path := range []string{"", "console.js", "console.css", "state.json", "nothing.html"} {
		h := newPage(t)
		for _, who := range []struct {
			user, password string
			status         int
		}{{"", "", 401}, {"AC1", "secret-of-AC2", 401}, {"AC9", "secret-of-AC9", 401}, {"AC3", "secret-of-AC3", 403}} {
			w := ask(h, "GET", console.Prefix+path, who.user, who.password)
			if w.Code != who.status || strings.Contains(w.Body.String(), "fxo1") || w.Code == 401 && w.Header().Get("WWW-Authenticate") == "" {
				t.Errorf("%q as %q: %d %q", path, who.user, w.Code, w.Body)
			}
		}
	}
}

func TestPage(t *testing.T) {
	h := newPage(t)
	for path, kind := range map[string]string{"": "text/html; charset=utf-8", "console.js": "text/javascript; charset=utf-8", "console.css": "text/css; charset=utf-8"} {
		w := ask(h, "GET", console.Prefix+path, "AC1", "secret-of-AC1")
		if w.Code != 200 || w.Header().Get("Content-Type") != kind || w.Body.Len() < 500 {
			t.Errorf("%q: %d, %s, %d bytes", path, w.Code, w.Header().Get("Content-Type"), w.Body.Len())
		}
		if p := w.Header().Get("Content-Security-Policy"); !strings.Contains(p, "default-src 'none'") || !strings.Contains(p, "frame-ancestors 'none'") {
			t.Errorf("%q: its policy is %q", path, p)
		}
	}
	if w := ask(h, "GET", console.Prefix+"nothing.html", "AC1", "secret-of-AC1"); w.Code != 404 {
		t.Errorf("a page that there is not: %d", w.Code)
	}
	if w := ask(h, "POST", console.Prefix+"state.json", "AC1", "secret-of-AC1"); w.Code != 405 {
		t.Errorf("a POST: %d", w.Code)
	}
}

// TestState: an account sees its own calls, and the lines.
func TestState(t *testing.T) {
	h := newPage(t)
	for account, calls := range map[string]int{"AC1": 1, "AC2": 0} {
		w := ask(h, "GET", console.Prefix+"state.json", account, "secret-of-"+account)
		var s console.State
		if err := json.Unmarshal(w.Body.Bytes(), &s); err != nil || w.Code != 200 {
			t.Fatalf("%d %v: %s", w.Code, err, w.Body)
		}
		if s.Account != account || s.Version != "v1" || len(s.Lines) != 1 || s.Lines[0].Text != "on-hook" || len(s.Calls) != calls {
			t.Errorf("%+v", s)
		}
		if calls == 0 {
			continue
		}
		c := s.Calls[0]
		if c.State != "completed" || c.Seconds != 8 || c.MOS != 4.2 || !strings.Contains(c.Cause, "the caller hung up") || c.Recordings != 1 || len(c.Warnings) != 1 {
			t.Errorf("the call is %+v", c)
		}
		if strings.Contains(w.Body.String(), "<img") {
			t.Errorf("the caller's name is HTML: %s", w.Body)
		}
	}
}
