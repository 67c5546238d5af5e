package api_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"callbox/api"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// text answers with s.
func text(s string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, s) })
}

func newServer(t *testing.T, c api.Config) *api.Server {
	t.Helper()
	s, err := api.NewServer(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// get gives the answer of s.
func get(s http.Handler, method, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w
}

func TestMounts(t *testing.T) {
	prefix := func(p string) func(*http.Request) bool {
		return func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, p) }
	}
	s := newServer(t, api.Config{Mounts: []api.Mount{
		{Name: "one", Prefix: "/a/", Claims: prefix("/a/1"), Handler: text("one")},
		{Name: "two", Prefix: "/a/", Claims: prefix("/a/2"), Handler: text("two")},
		{Name: "rest", Prefix: "/", Handler: text("rest")},
	}})
	for path, want := range map[string]string{"/a/1": "one", "/a/2x": "two", "/a/3": "one", "/b": "rest", "/": "rest", "/healthz": "ok\n"} {
		if got := get(s, "GET", path); got.Body.String() != want || got.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %q", path, got.Body)
		}
	}
	for name, mounts := range map[string][]api.Mount{
		"no slash":   {{Prefix: "/a", Handler: text("")}},
		"no handler": {{Prefix: "/a/"}},
		"hidden":     {{Prefix: "/a/", Handler: text("")}, {Prefix: "/a/", Handler: text("")}},
	} {
		if _, err := api.NewServer(api.Config{Mounts: mounts}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestHealth(t *testing.T) {
	ready := false
	s := newServer(t, api.Config{Ready: func() bool { return ready }})
	if got := get(s, "GET", "/healthz"); got.Code != 503 {
		t.Errorf("not ready: %d", got.Code)
	}
	ready = true
	if got := get(s, "GET", "/healthz"); got.Code != 200 {
		t.Errorf("ready: %d", got.Code)
	}
	if got := get(s, "POST", "/healthz"); got.Code != 405 {
		t.Errorf("POST: %d", got.Code)
	}
}

// buffer is a log that may be written concurrently.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func TestPanics(t *testing.T) {
	var log buffer
	var failed error
	s := newServer(t, api.Config{
		Log: slog.New(slog.NewTextHandler(&log, nil)),
		Mounts: []api.Mount{
			{Name: "plain", Prefix: "/plain/", Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("oops") })},
			{
				Name: "own", Prefix: "/own/", Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("oops") }),
				Fail: func(w http.ResponseWriter, _ *http.Request, err error) { failed = err; w.WriteHeader(500) },
			},
			{Name: "late", Prefix: "/late/", Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(200)
				panic("oops")
			})},
		},
	})
	if got := get(s, "GET", "/plain/"); got.Code != 500 || strings.Contains(got.Body.String(), "oops") || len(got.Body.String()) < 20 {
		t.Errorf("plain: %d %s", got.Code, got.Body)
	}
	if got := get(s, "GET", "/own/"); got.Code != 500 || !errors.Is(failed, api.ErrInternal) {
		t.Errorf("own: %d %v", got.Code, failed)
	}
	func() {
		defer func() {
			if p := recover(); p != http.ErrAbortHandler { //nolint:errorlint // the value itself is the convention
				t.Errorf("late: panicked with %v", p)
			}
		}()
		get(s, "GET", "/late/")
	}()
	if got := log.String(); strings.Count(got, "panicked") != 3 || !strings.Contains(got, "server_test.go") {
		t.Errorf("log: %s", got)
	}
}

func TestLogHasNoSecrets(t *testing.T) {
	var log buffer
	s := newServer(t, api.Config{
		Log:    slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Mounts: []api.Mount{{Name: "x", Prefix: "/x/", Handler: text("answer")}},
	})
	r := httptest.NewRequest("POST", "/x/path?To=%2B15550100199&token=hush", strings.NewReader("Password=hush"))
	r.SetBasicAuth("user", "hush")
	s.ServeHTTP(httptest.NewRecorder(), r)
	got := log.String()
	for _, bad := range []string{"hush", "15550100199", "Basic", "user"} {
		if strings.Contains(got, bad) {
			t.Errorf("the log has %q: %s", bad, got)
		}
	}
	for _, want := range []string{`"path":"/x/path"`, `"status":200`, `"bytes":6`, `"dialect":"x"`} {
		if !strings.Contains(got, want) {
			t.Errorf("the log has no %s: %s", want, got)
		}
	}
}

func TestBodyLimit(t *testing.T) {
	var readErr error
	s := newServer(t, api.Config{Mounts: []api.Mount{{Prefix: "/", Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, readErr = io.ReadAll(r.Body)
	})}}})
	s.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/", strings.NewReader(strings.Repeat("x", api.MaxBody+1))))
	var tooLarge *http.MaxBytesError
	if !errors.As(readErr, &tooLarge) || tooLarge.Limit != api.MaxBody {
		t.Errorf("oversize: %v", readErr)
	}
	s.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/", strings.NewReader(strings.Repeat("x", api.MaxBody))))
	if readErr != nil {
		t.Errorf("at the limit: %v", readErr)
	}
}

func TestOverload(t *testing.T) {
	release, entered := make(chan struct{}), make(chan struct{}, api.MaxInFlight)
	s := newServer(t, api.Config{Mounts: []api.Mount{{Prefix: "/", Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		entered <- struct{}{}
		<-release
	})}}})
	var wg sync.WaitGroup
	for range api.MaxInFlight {
		wg.Go(func() { get(s, "GET", "/") })
	}
	for range api.MaxInFlight {
		<-entered
	}
	if got := get(s, "GET", "/"); got.Code != 503 || got.Header().Get("Retry-After") == "" || s.Refused() != 1 {
		t.Errorf("one too many: %d, refused %d", got.Code, s.Refused())
	}
	close(release)
	wg.Wait()
	if got := get(s, "GET", "/"); got.Code != 200 {
		t.Errorf("afterwards: %d", got.Code)
	}
}

func TestCrossOrigin(t *testing.T) {
	s := newServer(t, api.Config{Mounts: []api.Mount{{Prefix: "/", Handler: text("")}}})
	r := httptest.NewRequest("POST", "/", nil)
	r.Header.Set("Origin", "http://evil.example")
	w := httptest.NewRecorder()
	if s.ServeHTTP(w, r); w.Code != 403 {
		t.Errorf("%d", w.Code)
	}
}

func TestServe(t *testing.T) {
	release := make(chan struct{})
	entered := make(chan struct{})
	s := newServer(t, api.Config{Mounts: []api.Mount{
		{Prefix: "/slow/", Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			close(entered)
			<-release
			_, _ = io.WriteString(w, "done")
		})},
	}})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, ln) }()
	client := &http.Client{Transport: &http.Transport{}, Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	answer := make(chan string, 1)
	go func() {
		resp, err := client.Get("http://" + ln.Addr().String() + "/slow/")
		if err != nil {
			answer <- err.Error()
			return
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		answer <- string(b)
	}()
	<-entered
	cancel() // the request under way may finish
	close(release)
	if got := <-answer; got != "done" {
		t.Errorf("the request under way got %q", got)
	}
	if err := <-served; err != nil {
		t.Errorf("serve: %v", err)
	}
	if _, err := net.Dial("tcp", ln.Addr().String()); err == nil {
		t.Error("still listening")
	}
	if err := s.Serve(t.Context(), ln); err == nil {
		t.Error("a closed listener served")
	}
}

func TestConnectionLimit(t *testing.T) {
	s := newServer(t, api.Config{})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, ln) }()
	var conns []net.Conn
	for range api.MaxConns {
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	extra, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := extra.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if n, err := extra.Read(make([]byte, 1)); n != 0 || errors.Is(err, context.DeadlineExceeded) || s.Refused() != 1 {
		t.Errorf("one too many: %d, %v, refused %d", n, err, s.Refused())
	}
	extra.Close()
	for _, c := range conns {
		c.Close()
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// TestServeTLS: both listeners share handlers and limits; handlers know which of
// them a request came by, and only HTTP/1.1 is offered.
func TestServeTLS(t *testing.T) {
	s := newServer(t, api.Config{
		Mounts: []api.Mount{{Name: "x", Prefix: "/x/", Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, fmt.Sprint(r.TLS != nil, " ", r.Proto))
		})}},
		Documents: []api.Document{{Path: "/ca.pem", Type: "application/x-x509-ca-cert", Body: func() []byte { return []byte("the CA") }}},
	})
	signed := httptest.NewTLSServer(nil) // lends its certificate
	defer signed.Close()
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 2)
	listen := func() net.Listener {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return ln
	}
	plain, secure := listen(), listen()
	go func() { served <- s.Serve(ctx, plain) }()
	go func() { served <- s.ServeTLS(ctx, secure, &tls.Config{Certificates: signed.TLS.Certificates}) }()
	client := signed.Client()
	client.Transport.(*http.Transport).ForceAttemptHTTP2 = true
	for url, want := range map[string]string{
		"http://" + plain.Addr().String() + "/x/": "false HTTP/1.1", "https://" + secure.Addr().String() + "/x/": "true HTTP/1.1",
		"http://" + plain.Addr().String() + "/ca.pem": "the CA", "https://" + secure.Addr().String() + "/ca.pem": "the CA",
	} {
		resp, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if string(b) != want {
			t.Errorf("%s: %q, want %q", url, b, want)
		}
	}
	if got := get(s, "POST", "/ca.pem"); got.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST to a public document: %d", got.Code)
	}
	client.CloseIdleConnections()
	cancel()
	for range 2 {
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	}
}

// TestDocuments: one with Auth is for accounts only, and guessing is slowed down
// as everywhere.
func TestDocuments(t *testing.T) {
	auth := api.NewAuth(oneAccount{})
	s := newServer(t, api.Config{Documents: []api.Document{{Path: "/d", Type: "text/x", Body: func() []byte { return []byte("d") }, Auth: auth}}})
	ask := func(user, password string) *httptest.ResponseRecorder {
		w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/d", nil)
		if user != "" {
			r.SetBasicAuth(user, password)
		}
		s.ServeHTTP(w, r)
		return w
	}
	if w := ask("AC1", "token"); w.Code != 200 || w.Body.String() != "d" || w.Header().Get("Content-Type") != "text/x" {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	if w := ask("", ""); w.Code != 401 || w.Header().Get("WWW-Authenticate") == "" || strings.Contains(w.Body.String(), "d\n\n") {
		t.Errorf("nobody: %d %q", w.Code, w.Body)
	}
	for range 1000 {
		if w := ask("AC1", "guess"); w.Code == http.StatusTooManyRequests {
			if w.Header().Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
			return
		}
	}
	t.Error("guessing goes on for ever")
}

// oneAccount knows AC1.
type oneAccount struct{}

func (oneAccount) Account(id string) (api.Account, bool) {
	return api.Account{ID: "AC1", Token: "token"}, id == "AC1"
}

func (oneAccount) Accounts() []api.Account { return nil }

func (oneAccount) Application(_, _ string) (api.Application, bool) { return api.Application{}, false }

// TestUpgrades: an address of another protocol is taken by GET alone, from pages
// of every origin, with the connection within reach.
func TestUpgrades(t *testing.T) {
	s := newServer(t, api.Config{Upgrades: []api.Upgrade{{Path: "/sip", Handler: func(w http.ResponseWriter, _ *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")
		_ = c.Close()
	}}}})
	srv := httptest.NewServer(s)
	defer srv.Close()
	for _, tc := range []struct {
		method, path string
		want         int
	}{{"GET", "/sip", 101}, {"POST", "/sip", 405}, {"GET", "/sip/", 404}, {"GET", "/sip/x", 404}} {
		req, err := http.NewRequestWithContext(t.Context(), tc.method, srv.URL+tc.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Origin", "https://phones.atlanta.example")
		req.Header.Set("Sec-Fetch-Site", "cross-site")
		req.Header.Set("Connection", "Upgrade")
		req.Header.Set("Upgrade", "x")
		res, err := srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != tc.want {
			t.Errorf("%s %s: %d, want %d", tc.method, tc.path, res.StatusCode, tc.want)
		}
	}
}
