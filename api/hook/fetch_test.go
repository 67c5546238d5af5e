package hook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"callbox/api"
	"callbox/call"
	"callbox/call/script"
)

// server serves f and gives its URL.
func server(t *testing.T, f http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm() // a server notices that the client has gone only after the body
		f(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// plain answers with a document.
func plain(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/plain")
	_, _ = io.WriteString(w, text)
}

// wantCode checks the number of an error, and that it names no secrets.
func wantCode(t *testing.T, err error, code int) {
	t.Helper()
	var fe *script.FetchError
	if !errors.As(err, &fe) || fe.Code != code {
		t.Errorf("error %v, wanted code %d", err, code)
		return
	}
	for _, s := range []string{fe.Error(), fe.URL} {
		if strings.Contains(s, "alice") || strings.Contains(s, "sesame") || strings.Contains(s, "#") {
			t.Errorf("a secret in %q", s)
		}
	}
}

func TestFetchPost(t *testing.T) {
	base := server(t, func(w http.ResponseWriter, r *http.Request) {
		user, pass, _ := r.BasicAuth()
		if r.Method != "POST" || r.URL.RequestURI() != "/voice?tenant=7" || user != "alice" || pass != "sesame" ||
			r.Header.Get("Content-Type") != "application/x-www-form-urlencoded; charset=UTF-8" ||
			r.Header.Get("User-Agent") != "callbox-test" || len(r.Header.Get("I-Twilio-Idempotency-Token")) != 36 ||
			r.Header.Get("X-Toy-Signature") != "POST http://"+r.Host+"/voice?tenant=7 secret" || r.Header.Get("Idempotency-Key") != "" {
			t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
		}
		if err := r.ParseForm(); err != nil || r.PostForm.Encode() != "Call=CA1&To=%2B15550100&Verb=gather" {
			t.Errorf("form %v, %v", r.PostForm, err)
		}
		plain(w, "say hello\n")
	})
	c := client(t, func(c *Config) { c.UserAgent = "callbox-test" })
	h := call.Hook{URL: base + "/voice?tenant=7#rc=1", Username: "alice", Password: "sesame"}
	doc, err := c.Fetch(t.Context(), h, record(), &script.Result{Verb: "gather"})
	if err != nil || len(doc.Verbs) != 1 || doc.URL != base+"/voice?tenant=7" {
		t.Errorf("%+v, %v", doc, err)
	}
}

func TestFetchGet(t *testing.T) {
	base := server(t, func(w http.ResponseWriter, r *http.Request) {
		const uri = "/voice?tenant=7&Call=CA1&To=%2B15550100"
		user, pass, _ := r.BasicAuth()
		if r.Method != "GET" || r.URL.RequestURI() != uri || r.Header.Get("Content-Type") != "" || user != "alice" || pass != "sesame" ||
			!strings.HasSuffix(r.Header.Get("X-Toy-Signature"), uri+" secret") {
			t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
		}
		plain(w, "say hello\n")
	})
	u := strings.Replace(base, "://", "://alice:sesame@", 1) + "/voice?tenant=7"
	doc, err := client(t, nil).Fetch(t.Context(), call.Hook{URL: u, Method: "GET"}, record(), nil)
	if err != nil || doc.URL != u { // relative addresses keep query and credentials, but not our parameters
		t.Errorf("%q, %v", doc.URL, err)
	}
}

func TestFetchErrors(t *testing.T) {
	base := server(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/500":
			w.WriteHeader(500)
		case "/304":
			w.WriteHeader(304)
		case "/empty":
		case "/html":
			w.Header().Set("Content-Type", "application/pdf")
			_, _ = io.WriteString(w, "say x")
		case "/bad":
			plain(w, "sing x")
		case "/full":
			plain(w, "say "+strings.Repeat("x", MaxBody-4))
		case "/big":
			plain(w, "say "+strings.Repeat("x", MaxBody-3))
		case "/bomb": // announces little and never ends
			w.Header().Set("Content-Type", "text/plain")
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 4096)); err != nil {
					return
				}
			}
		case "/slow":
			<-r.Context().Done()
		case "/stall":
			w.Header().Set("Content-Type", "text/plain")
			_, _ = io.WriteString(w, "say ")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		case "/nowhere":
			w.WriteHeader(302)
		case "/metadata":
			http.Redirect(w, r, "http://169.254.169.254/latest/meta-data", 302)
		case "/ftp":
			http.Redirect(w, r, "ftp://biloxi.example/x", 302)
		case "/unreadable":
			w.Header().Set("Location", "http://[")
			w.WriteHeader(302)
		}
	})
	closed := closedPort(t)
	garbage := raw(t, "SMTP ready\r\n")
	with := strings.Replace(base, "://", "://alice:sesame@", 1)
	c := client(t, nil)
	for _, tc := range []struct {
		url  string
		code int // 0: no error
	}{
		{with + "/500", codeStatus}, {with + "/304", codeStatus}, {with + "/404", codeEmpty}, {with + "/empty", codeEmpty},
		{with + "/html", 12300}, {with + "/bad", codeXML}, {with + "/full", 0}, {with + "/big", codeTooBig}, {with + "/bomb", codeTooBig},
		{with + "/slow#rt=100", codeConnect}, {with + "/slow#tt=100", codeConnect}, {with + "/stall#rt=100", codeConnect},
		{with + "/nowhere", codeStatus}, {with + "/metadata", codeBadURL}, {with + "/ftp", codeBadURL}, {with + "/unreadable", codeBadURL},
		{"http://alice:sesame@" + closed + "/#rc=0", codeConnect}, {"http://alice:sesame@" + garbage, codeProtocol},
		{"ftp://alice:sesame@biloxi.example/", codeBadURL}, {"/voice", codeBadURL}, {"", codeBadURL}, {"http://alice:sesame@[", codeBadURL},
		{"http://alice:sesame@biloxi.example:port/", codeBadURL}, {"http://169.254.169.254/", codeBadURL}, {"http://[fe80::1%25lo]/", codeBadURL},
	} {
		began := time.Now()
		_, err := c.Fetch(t.Context(), call.Hook{URL: tc.url}, record(), nil)
		if tc.code == 0 {
			if err != nil {
				t.Errorf("%s: %v", tc.url, err)
			}
			continue
		}
		wantCode(t, err, tc.code)
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%s took %s", tc.url, took)
		}
	}
	rec := record()
	rec.API = "other"
	_, err := c.Fetch(t.Context(), call.Hook{URL: base}, rec, nil)
	wantCode(t, err, codeInternal)
}

// closedPort gives an address where nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// raw answers every connection with text and closes it.
func raw(t *testing.T, text string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, text)
			_ = c.(*net.TCPConn).CloseWrite()
			_, _ = io.Copy(io.Discard, c)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return l.Addr().String()
}

func TestFetchEnds(t *testing.T) {
	began := make(chan struct{})
	base := server(t, func(_ http.ResponseWriter, r *http.Request) { close(began); <-r.Context().Done() })
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-began; cancel() }()
	_, err := client(t, nil).Fetch(ctx, call.Hook{URL: base}, record(), nil)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestFetchForEndedCall(t *testing.T) {
	base := server(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(204) })
	rec := record()
	rec.State = call.Completed
	doc, err := client(t, nil).Fetch(t.Context(), call.Hook{URL: base}, rec, &script.Result{Verb: "record"})
	if err != nil || len(doc.Verbs) != 0 {
		t.Errorf("%+v, %v", doc, err)
	}
}

func TestDecode(t *testing.T) {
	c := client(t, nil)
	if doc, err := c.Decode(t.Context(), record(), call.ScriptSource{Inline: "say x"}); err != nil || len(doc.Verbs) != 1 || doc.URL != "" {
		t.Errorf("%+v, %v", doc, err)
	}
	_, err := c.Decode(t.Context(), record(), call.ScriptSource{Inline: "sing x"})
	wantCode(t, err, codeXML)
	_, err = c.Decode(t.Context(), call.Record{API: "other"}, call.ScriptSource{Inline: "say x"})
	wantCode(t, err, codeInternal)
}

func TestRedirects(t *testing.T) {
	var other string
	show := func(w http.ResponseWriter, r *http.Request) {
		user, _, _ := r.BasicAuth()
		_ = r.ParseForm()
		plain(w, fmt.Sprintf("say %s %s user=%s params=%d signed=%t", r.Method, r.URL.Path, user, len(r.Form),
			r.Header.Get("X-Toy-Signature") == r.Method+" http://"+signedHost(r)+" secret"))
	}
	other = server(t, show)
	base := server(t, func(w http.ResponseWriter, r *http.Request) {
		var code, n int
		switch _, err := fmt.Sscanf(r.URL.Path, "/hops/%d", &n); {
		case err == nil && n > 0:
			http.Redirect(w, r, fmt.Sprintf("/hops/%d", n-1), 307)
			return
		case strings.HasPrefix(r.URL.Path, "/to/"):
			_, _ = fmt.Sscanf(r.URL.Path, "/to/%d", &code)
			http.Redirect(w, r, "/end#fragment", code)
			return
		case r.URL.Path == "/away":
			http.Redirect(w, r, other+"/end", 307)
			return
		}
		show(w, r)
	})
	c := client(t, nil)
	for _, tc := range []struct{ method, path, want string }{
		{"POST", "/to/301", "GET /end user=alice params=0 signed=true"},
		{"POST", "/to/302", "GET /end user=alice params=0 signed=true"},
		{"POST", "/to/303", "GET /end user=alice params=0 signed=true"},
		{"POST", "/to/307", "POST /end user=alice params=2 signed=true"},
		{"POST", "/to/308", "POST /end user=alice params=2 signed=true"},
		{"GET", "/to/307", "GET /end user=alice params=0 signed=true"},
		{"POST", "/away", "POST /end user= params=2 signed=true"},
		{"POST", "/hops/10", "POST /hops/0 user=alice params=2 signed=true"},
	} {
		for _, inURL := range []bool{false, true} {
			h := call.Hook{URL: base + tc.path, Method: tc.method, Username: "alice", Password: "sesame"}
			if inURL {
				h.Username, h.Password = "", ""
				h.URL = strings.Replace(h.URL, "://", "://alice:sesame@", 1)
			}
			want := tc.want
			doc, err := c.Fetch(t.Context(), h, record(), nil)
			if err != nil {
				t.Errorf("%s %s: %v", tc.method, tc.path, err)
				continue
			}
			got := doc.Verbs[0].(script.Say).Speech.Text
			if inURL { // signed with the credentials that the URL has
				want = strings.TrimSuffix(want, " signed=true")
				got = got[:strings.LastIndex(got, " ")]
			}
			if got != want {
				t.Errorf("%s %s: %q, wanted %q", tc.method, tc.path, got, want)
			}
		}
	}
	_, err := c.Fetch(t.Context(), call.Hook{URL: base + "/hops/11"}, record(), nil)
	wantCode(t, err, codeRedirects)
	doc, err := c.Fetch(t.Context(), call.Hook{URL: base + "/away"}, record(), nil)
	if err != nil || doc.URL != other+"/end" {
		t.Errorf("%q, %v", doc.URL, err)
	}
}

// signedHost is host and path of a request as the toy dialect signs them.
func signedHost(r *http.Request) string { return r.Host + r.URL.RequestURI() }

func TestRetries(t *testing.T) {
	for _, tc := range []struct {
		fragment string
		fails    int // this many requests
		with     int // with this status; 0: no answer
		ok       bool
		asked    int32
	}{
		{"", 1, 500, false, 1}, {"#rp=5xx", 1, 500, true, 2}, {"#rp=5xx", 2, 500, false, 2}, {"#rp=5xx&rc=3", 3, 503, true, 4},
		{"#rp=5xx", 1, 404, false, 1}, {"#rp=4xx", 1, 404, true, 2}, {"#rp=all&rc=0", 1, 404, false, 1},
		{"#rp=rt&rt=500", 1, 0, true, 2}, {"#rt=100", 1, 0, false, 1}, {"#rp=ct,5xx", 1, 500, true, 2},
		{"#top", 1, 500, false, 1}, {"#rc=x&rp=;", 1, 500, false, 1},
	} {
		var asked atomic.Int32
		var token atomic.Value
		base := server(t, func(w http.ResponseWriter, r *http.Request) {
			if old := token.Swap(r.Header.Get("I-Twilio-Idempotency-Token")); old != nil && old != token.Load() {
				t.Error("the token changed")
			}
			if int(asked.Add(1)) <= tc.fails {
				if tc.with == 0 {
					_ = r.ParseForm()
					<-r.Context().Done()
					return
				}
				w.WriteHeader(tc.with)
				return
			}
			plain(w, "say x")
		})
		_, err := client(t, nil).Fetch(t.Context(), call.Hook{URL: base + tc.fragment}, record(), nil)
		if (err == nil) != tc.ok || asked.Load() != tc.asked {
			t.Errorf("%+v: asked %d times, %v", tc, asked.Load(), err)
		}
	}
}

func TestCookiesPerCall(t *testing.T) {
	base := server(t, func(w http.ResponseWriter, r *http.Request) {
		n := 0
		if k, err := r.Cookie("step"); err == nil {
			_, _ = fmt.Sscan(k.Value, &n)
		}
		http.SetCookie(w, &http.Cookie{Name: "step", Value: fmt.Sprint(n + 1), Path: "/"})
		plain(w, fmt.Sprintf("say %d", n))
	})
	c := client(t, nil)
	for _, tc := range []struct {
		id, want string
		state    call.State
	}{{"CA1", "0", call.InProgress}, {"CA1", "1", call.InProgress}, {"CA2", "0", call.InProgress}, {"CA1", "2", call.InProgress},
		{"CA1", "", call.Completed}, {"CA1", "0", call.InProgress}} {
		rec := record()
		rec.ID, rec.State = tc.id, tc.state
		doc, err := c.Fetch(t.Context(), call.Hook{URL: base}, rec, nil)
		if err != nil {
			t.Fatal(err)
		}
		if tc.want != "" && doc.Verbs[0].(script.Say).Speech.Text != tc.want {
			t.Errorf("%s: %v, wanted %s", tc.id, doc.Verbs[0], tc.want)
		}
	}
}

func TestJarsAreBounded(t *testing.T) {
	j := newJars()
	first := j.get("0")
	for i := range 2 * maxJars {
		j.get(fmt.Sprint(i))
	}
	if len(j.of) != maxJars || j.order.Len() != maxJars || j.get("0") == first {
		t.Errorf("%d jars", len(j.of))
	}
	req := httptest.NewRequest("GET", "http://biloxi.example/", nil)
	one := j.get("x")
	for i := range 2 * maxCookies {
		one.SetCookies(req.URL, []*http.Cookie{{Name: fmt.Sprint("n", i), Value: "v"}, {Name: "long", Value: strings.Repeat("x", maxCookie)}})
	}
	one.SetCookies(req.URL, []*http.Cookie{{Name: "n0", Value: "new"}})
	got := one.Cookies(req.URL)
	if len(got) != maxCookies {
		t.Errorf("%d cookies", len(got))
	}
	for _, k := range got {
		if k.Name == "long" || k.Name == "n0" && k.Value != "new" {
			t.Errorf("cookie %v", k)
		}
	}
	j.drop("x")
	j.drop("x")
	if j.get("x") == one {
		t.Error("not dropped")
	}
}

func TestOwnAddress(t *testing.T) {
	base := server(t, func(w http.ResponseWriter, _ *http.Request) { plain(w, "say x") })
	addr := netip.MustParseAddrPort(strings.TrimPrefix(base, "http://"))
	c := client(t, func(c *Config) { c.Own = []netip.AddrPort{netip.AddrPortFrom(netip.IPv4Unspecified(), addr.Port())} })
	for _, host := range []string{"127.0.0.1", "localhost", "0.0.0.0"} {
		_, err := c.Fetch(t.Context(), call.Hook{URL: fmt.Sprintf("http://%s:%d/", host, addr.Port())}, record(), nil)
		wantCode(t, err, codeBadURL)
		var refused *RefusedError
		if !errors.As(err, &refused) {
			t.Errorf("%s: %v", host, err)
		}
	}
	other := server(t, func(w http.ResponseWriter, _ *http.Request) { plain(w, "say x") })
	if _, err := c.Fetch(t.Context(), call.Hook{URL: other}, record(), nil); err != nil {
		t.Error(err)
	}
}

func TestNew(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Error("an empty configuration is accepted")
	}
	if _, err := New(Config{Dialects: []api.Dialect{toy{}}}); err == nil {
		t.Error("a configuration without accounts is accepted")
	}
}
