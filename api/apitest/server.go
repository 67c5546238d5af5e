package apitest

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"callbox/api"
)

// Server is an HTTP server with call APIs before a [Box].
type Server struct {
	*httptest.Server
	Box *Box
	// User and Password are the credentials of Do.
	User, Password string
}

// Serve starts a server with the mounts that mount makes; it ends with the test.
func Serve(t testing.TB, box *Box, mount func(*api.Handlers) []api.Mount) *Server {
	t.Helper()
	h := &api.Handlers{
		Calls: box, Recordings: box, Live: box, Accounts: box, Lines: box, Prices: box, Budgets: box, Callers: box,
		Conferences: box.Meetings, Participants: box.Meetings, Queues: box.Meetings.Queues(), QueueMembers: box.Meetings,
		Applications: box.Applications(), Numbers: box.Numbers(), Keys: box.Keys(),
		Users: box.Users(), Setups: box.Setups(), Carriers: box.Carriers(), LineStates: box, CallerIDs: box.CallerIDs(), Lists: box.Lists(), Domains: box.Domains(),
		Auth: api.NewAuth(box), Teller: box, Alerts: box, Log: slog.New(slog.DiscardHandler),
	}
	if box.messaging {
		h.Messages = messages{box}
	}
	srv, err := api.NewServer(api.Config{Mounts: mount(h)})
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Server: httptest.NewServer(srv), Box: box}
	t.Cleanup(s.Close)
	return s
}

// Do sends a request with the server's credentials, and gives the answer and
// its body. A body is a form; header is pairs of name and value.
func (s *Server) Do(t testing.TB, method, path, body string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if s.User != "" {
		req.SetBasicAuth(s.User, s.Password)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return s.Send(t, req)
}

// Send sends a request, and gives the answer and its body.
func (s *Server) Send(t testing.TB, req *http.Request) (*http.Response, string) {
	t.Helper()
	resp, err := s.Client().Do(req)
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

// FormWith encodes the pairs of base, with those of more in the place of or behind them.
func FormWith(base []string, more ...string) string {
	list := slices.Clone(base)
	for i := 0; i+1 < len(more); i += 2 {
		replaced := false
		for j := 0; j+1 < len(list); j += 2 {
			if list[j] == more[i] {
				list[j+1], replaced = more[i+1], true
			}
		}
		if !replaced {
			list = append(list, more[i], more[i+1])
		}
	}
	return Form(list...)
}

// Form encodes pairs of name and value.
func Form(pairs ...string) string {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return v.Encode()
}
