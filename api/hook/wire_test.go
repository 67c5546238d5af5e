package hook

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"callbox/api"
	"callbox/api/apitest"
	"callbox/call"
	"callbox/call/script"
)

// keyed is a dialect that sends JSON and signs with a key of its own.
type keyed struct{ toy }

func (keyed) SigningKey(a api.Account) string { return "key of " + a.ID }

func (keyed) DocumentRequest(h call.Hook, _ call.Record, _ *script.Result) api.Outgoing {
	return api.Outgoing{URL: h.URL, Method: h.Method, JSON: []byte(`{"a":"<b>"}`), Username: h.Username, Password: h.Password, Trace: "80f1-e457-1"}
}

// Sign signs the whole body.
func (keyed) Sign(secret string, o api.Outgoing) (string, string) {
	return "X-Keyed-Signature", secret + " " + o.Method + " " + string(o.JSON)
}

// TestJSON sends a JSON body, signed by the dialect's own key.
func TestJSON(t *testing.T) {
	got := make(chan *http.Request, 1)
	base := server(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Header.Set("Body", string(body))
		got <- r
		plain(w, "say x")
	})
	c := client(t, func(c *Config) { c.Dialects = []api.Dialect{keyed{}} })
	if _, err := c.Fetch(t.Context(), call.Hook{URL: base + "/hook", Username: "u", Password: "p"}, record(), nil); err != nil {
		t.Fatal(err)
	}
	r := <-got
	if user, pass, _ := r.BasicAuth(); r.Method != "POST" || r.Header.Get("Body") != `{"a":"<b>"}` || r.Header.Get("Content-Type") != "application/json" ||
		r.Header.Get("X-Keyed-Signature") != `key of AC1 POST {"a":"<b>"}` || user != "u" || pass != "p" || r.Header.Get("b3") != "80f1-e457-1" {
		t.Errorf("%s %v", r.Method, r.Header)
	}
}

// certificate makes a self-signed certificate for 127.0.0.1, valid until end.
func certificate(t *testing.T, end time.Time) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: end.Add(-48 * time.Hour), NotAfter: end, IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

func TestTLS(t *testing.T) {
	good, goodRoot := certificate(t, time.Now().Add(24*time.Hour))
	expired, expiredRoot := certificate(t, time.Now().Add(-time.Hour))
	for _, tc := range []struct {
		name string
		cert tls.Certificate
		root *x509.CertPool
		host string
		code int
	}{
		{"trusted", good, goodRoot, "127.0.0.1", 0},
		{"untrusted", good, expiredRoot, "127.0.0.1", codeCertPath},
		{"other name", good, goodRoot, "localhost", codeCertName},
		{"expired", expired, expiredRoot, "127.0.0.1", codeCertExpired},
	} {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { plain(w, "say x") }))
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.TLS = &tls.Config{Certificates: []tls.Certificate{tc.cert}}
		s.StartTLS()
		c := client(t, func(c *Config) { c.Trust.Roots = tc.root })
		u := strings.Replace(s.URL, "127.0.0.1", tc.host, 1) + "/#rc=0"
		if _, err := c.Fetch(t.Context(), call.Hook{URL: u}, record(), nil); tc.code == 0 && err != nil {
			t.Errorf("%s: %v", tc.name, err)
		} else if tc.code != 0 {
			wantCode(t, err, tc.code)
		}
		c.Close()
		s.Close()
	}
	base := server(t, func(http.ResponseWriter, *http.Request) {})
	_, err := client(t, nil).Fetch(t.Context(), call.Hook{URL: strings.Replace(base, "http:", "https:", 1)}, record(), nil)
	wantCode(t, err, codeTLS)
}

// TestPins: a pinned certificate counts whoever made it and whatever its names
// are; another one does not, even of a CA that is trusted. Changes count from the
// next connection on.
func TestPins(t *testing.T) {
	cert, root := certificate(t, time.Now().Add(-time.Hour)) // it has expired, too
	good, goodRoot := certificate(t, time.Now().Add(time.Hour))
	serve := func(cert tls.Certificate) (url, host string) {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { plain(w, "say x") }))
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
		s.StartTLS()
		t.Cleanup(s.Close)
		return strings.Replace(s.URL, "127.0.0.1", "localhost", 1) + "/#rc=0", strings.Replace(s.Listener.Addr().String(), "127.0.0.1", "localhost", 1)
	}
	u, host := serve(cert)
	other, otherHost := serve(good)
	c := client(t, func(c *Config) { c.Trust.Roots = root })
	ask := func(url string) error {
		_, err := c.Fetch(t.Context(), call.Hook{URL: url}, record(), nil)
		return err
	}
	sum := sha256.Sum256(cert.Certificate[0])
	err := ask(u)
	wantCode(t, err, codeCertExpired)
	if !strings.Contains(err.Error(), fmt.Sprintf("%x", sum)) {
		t.Errorf("the refusal does not tell the sum to pin: %v", err)
	}
	for _, name := range []string{host, "localhost"} {
		c.SetTrust(Trust{Pins: map[string][32]byte{name: sum}})
		if err := ask(u); err != nil {
			t.Errorf("pinned by %s: %v", name, err)
		}
	}
	c.SetTrust(Trust{Roots: goodRoot, Pins: map[string][32]byte{otherHost: sum}})
	wantCode(t, ask(other), codeCertPath)
	if err := ask(strings.Replace(other, "localhost", "127.0.0.1", 1)); err != nil {
		t.Errorf("a host that is not pinned: %v", err)
	}
	c.SetTrust(Trust{Roots: goodRoot})
	wantCode(t, ask(u), codeCertExpired)
	wantCode(t, ask(other), codeCertName)
}

// TestConnectIsRetried breaks the first TLS handshake off.
func TestConnectIsRetried(t *testing.T) {
	cert, root := certificate(t, time.Now().Add(24*time.Hour))
	for _, tc := range []struct {
		fragment string
		ok       bool
	}{{"", true}, {"#rc=0", false}, {"#rp=5xx", false}} {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { plain(w, "say x") }))
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.Listener = &breaking{Listener: s.Listener}
		s.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
		s.StartTLS()
		c := client(t, func(c *Config) { c.Trust.Roots = root })
		if _, err := c.Fetch(t.Context(), call.Hook{URL: s.URL + tc.fragment}, record(), nil); (err == nil) != tc.ok {
			t.Errorf("%q: %v", tc.fragment, err)
		}
		c.Close()
		s.Close()
	}
}

// breaking closes the first connection.
type breaking struct {
	net.Listener
	n atomic.Int32
}

func (b *breaking) Accept() (net.Conn, error) {
	c, err := b.Listener.Accept()
	if err == nil && b.n.Add(1) == 1 {
		_ = c.Close()
	}
	return c, err
}

// TestCodes: each way in which a request fails has a code, and a sentence.
func TestCodes(t *testing.T) {
	var out strings.Builder
	dns := &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "nosuch.example"}}
	for _, tc := range []struct {
		err  error
		code int
	}{
		{&wireError{false, dns}, codeDNS}, {&wireError{false, errConnectTime}, codeConnect}, {&wireError{true, errTotalTime}, codeConnect},
		{&wireError{true, io.ErrUnexpectedEOF}, codeProtocol}, {&wireError{false, tls.AlertError(40)}, codeTLS},
		{&wireError{true, context.DeadlineExceeded}, codeConnect}, {errors.New("x"), codeConnect},
		{&CertificateError{Err: errors.New("x")}, codeCertPath},
		{&CertificateError{Pin: true}, codeCertPath},
		{&wireError{false, x509.HostnameError{Certificate: &x509.Certificate{DNSNames: []string{"biloxi.example"}}, Host: "app.lan"}}, codeCertName},
		{&wireError{false, x509.CertificateInvalidError{Reason: x509.Expired, Detail: "it was valid to the end of last year"}}, codeCertExpired},
		{errRedirects, codeRedirects}, {errTooBig, codeTooBig}, {errURL, codeBadURL}, {&statusError{500}, codeStatus},
		{soundTypeError("text/html"), codeSoundType},
	} {
		if got := code(tc.err); got != tc.code {
			t.Errorf("%v: %d, wanted %d", tc.err, got, tc.code)
		}
		e := fetchError("asking", "http://alice:sesame@app.lan/voice#rc=1", tc.err)
		fmt.Fprintf(&out, "%d %s\n", e.Code, e)
	}
	apitest.Golden(t, "codes.txt", out.String())
}

func TestPolicy(t *testing.T) {
	ap := netip.MustParseAddrPort
	mine := netip.MustParseAddr("192.0.2.10")
	local := func() ([]netip.Addr, error) { return []netip.Addr{mine, netip.MustParseAddr("2001:db8::10")}, nil }
	unknown := func() ([]netip.Addr, error) { return nil, errors.New("no interfaces") }
	every := policy{own: []netip.AddrPort{ap("[::]:8443")}, local: local}
	one := policy{own: []netip.AddrPort{ap("192.0.2.10:8443")}, local: local}
	for _, tc := range []struct {
		name string
		p    policy
		addr string
		ok   bool
	}{
		{"private", every, "10.1.2.3:80", true}, {"private 6", every, "[fd00::1]:80", true}, {"loopback", every, "127.0.0.1:80", true},
		{"public", every, "203.0.113.9:443", true}, {"metadata", every, "169.254.169.254:80", false}, {"mapped", every, "[::ffff:169.254.1.2]:80", false},
		{"translated", every, "[64:ff9b::a9fe:a9fe]:80", false}, {"translated public", every, "[64:ff9b::cb00:7109]:80", true},
		{"link local", every, "[fe80::1]:80", false}, {"with zone", every, "[fe80::1%eth0]:80", false}, {"metadata 6", every, "[fd00:ec2::254]:80", false},
		{"next to metadata 6", every, "[fd00:ec2::253]:80", true},
		{"own port, loopback", every, "127.0.0.1:8443", false}, {"own port, loopback 6", every, "[::1]:8443", false},
		{"own port, unspecified", every, "0.0.0.0:8443", false}, {"own port, interface", every, "192.0.2.10:8443", false},
		{"own port, interface 6", every, "[2001:db8::10]:8443", false}, {"same port elsewhere", every, "192.0.2.11:8443", true},
		{"own address, other port", every, "192.0.2.10:8444", true},
		{"one address", one, "192.0.2.10:8443", false}, {"one address mapped", one, "[::ffff:192.0.2.10]:8443", false},
		{"one address, loopback is another", one, "127.0.0.1:8443", true}, {"one address, unspecified", one, "[::]:8443", false},
		{"interfaces unknown", policy{own: every.own, local: unknown}, "192.0.2.11:8443", false},
	} {
		err := tc.p.check(ap(tc.addr))
		if (err == nil) != tc.ok {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	if list, err := localAddrs(); err != nil || len(list) == 0 {
		t.Errorf("own addresses %v, %v", list, err)
	}
}

func TestTuning(t *testing.T) {
	std := tuned("")
	for _, tc := range []struct {
		fragment string
		want     func(*tuning)
	}{
		{"", func(*tuning) {}}, {"top", func(*tuning) {}}, {"ct=-1&rt=x&tt=&rc=-1", func(*tuning) {}}, {"%zz", func(*tuning) {}},
		{"ct=2000", func(t *tuning) { t.connect = 2 * time.Second }}, {"ct=1", func(t *tuning) { t.connect = 100 * time.Millisecond }},
		{"ct=99999", func(t *tuning) { t.connect = 10 * time.Second }}, {"rt=99999&tt=99999", func(*tuning) {}},
		{"rt=300&tt=400&rc=9", func(t *tuning) { t.read, t.total, t.retries = 300*time.Millisecond, 400*time.Millisecond, 5 }},
	} {
		want := std
		tc.want(&want)
		got := tuned(tc.fragment)
		if got.connect != want.connect || got.read != want.read || got.total != want.total || got.retries != want.retries {
			t.Errorf("%q: %+v", tc.fragment, got)
		}
	}
	if tn := tuned("rp=4xx,rt"); !tn.retry("4xx") || !tn.retry("rt") || tn.retry("5xx") || tn.retry("ct") || tn.retry("") {
		t.Errorf("%+v", tn)
	}
	if tn := tuned("rp=all"); !tn.retry("5xx") || tn.retry("") {
		t.Errorf("%+v", tn)
	}
}

func FuzzTuning(f *testing.F) {
	f.Add("ct=2000&rt=1&tt=99999999999&rc=5&rp=4xx,5xx,ct,rt,all")
	f.Add("%zz;=&")
	f.Fuzz(func(t *testing.T, s string) {
		tn := tuned(s)
		for _, d := range []time.Duration{tn.connect, tn.read, tn.total} {
			if d < 100*time.Millisecond || d > 15*time.Second {
				t.Errorf("%q: %+v", s, tn)
			}
		}
		if tn.retries < 0 || tn.retries > 5 {
			t.Errorf("%q: %+v", s, tn)
		}
	})
}

func TestOpen(t *testing.T) {
	base := server(t, func(w http.ResponseWriter, r *http.Request) {
		kind := "audio/x-wav"
		switch r.URL.Path {
		case "/page":
			kind = "text/html; charset=utf-8"
		case "/none":
			w.Header()["Content-Type"] = nil
			_, _ = io.WriteString(w, "RIFF")
			return
		case "/odd":
			kind = "/;"
		case "/404":
			w.WriteHeader(404)
			return
		case "/long":
			w.Header().Set("Content-Length", "33554433")
		case "/moved":
			http.Redirect(w, r, "/a.wav", 302)
			return
		}
		w.Header().Set("Content-Type", kind)
		_, _ = io.WriteString(w, "RIFF")
		switch r.URL.Path {
		case "/endless":
			for r.Context().Err() == nil {
				_, _ = w.Write(make([]byte, 1<<20))
			}
		case "/stall":
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}
	})
	c := client(t, nil)
	for _, path := range []string{"/a.wav", "/moved", "/none"} {
		s, kind, err := c.Open(t.Context(), base+path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		b, err := io.ReadAll(s)
		if err != nil || string(b) != "RIFF" || s.Close() != nil || path == "/a.wav" && kind != "audio/x-wav" {
			t.Errorf("%s: %q %q, %v", path, kind, b, err)
		}
	}
	for path, code := range map[string]int{"/page": codeSoundType, "/odd": codeSoundType, "/404": codeStatus, "/long": codeTooBig} {
		_, _, err := c.Open(t.Context(), base+path)
		wantCode(t, err, code)
	}
	_, _, err := c.Open(t.Context(), "http://alice:sesame@"+closedPort(t)+"/a.wav")
	wantCode(t, err, codeConnect)
	for path, code := range map[string]int{"/endless": codeTooBig, "/stall#rt=100": codeConnect} {
		s, _, err := c.Open(t.Context(), base+path)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, s)
		wantCode(t, err, code)
		if n > MaxSound {
			t.Errorf("%s gave %d bytes", path, n)
		}
		_ = s.Close()
	}
	ctx, cancel := context.WithCancel(t.Context())
	s, _, err := c.Open(ctx, base+"/stall")
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := io.ReadAll(s); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	_ = s.Close()
}

// TestDeliverOverHTTP sends through real connections: a receiver that fails at
// first, one that redirects, and one that refuses.
func TestDeliverOverHTTP(t *testing.T) {
	var mu sync.Mutex
	var log []string
	all := make(chan struct{})
	base := server(t, func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		mu.Lock()
		defer mu.Unlock()
		log = append(log, r.URL.Path+" "+r.PostForm.Get("Event"))
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/status", 307)
			return
		case "/refused":
			w.WriteHeader(403)
			return
		}
		if len(log) == 1 {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(503)
			return
		}
		if r.PostForm.Get("Event") == "completed" {
			close(all)
		}
	})
	box := &outbox{}
	d := NewDeliverer(client(t, nil), box, nil)
	d.jitter = func(time.Duration) time.Duration { return 10 * time.Millisecond }
	rec := record()
	for _, e := range []struct {
		path string
		typ  call.EventType
	}{{"/status", call.EventInitiated}, {"/moved", call.EventRinging}, {"/refused", call.EventAnswered}, {"/status", call.EventEnded}} {
		rec.Status = call.StatusHook{Hook: call.Hook{URL: base + e.path}, Events: []call.EventType{e.typ}}
		d.Offer(box.add(d.Render(call.Event{Type: e.typ, At: time.Now(), Record: &rec})...))
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); d.Run(ctx) }()
	<-all
	cancel()
	<-done
	mu.Lock()
	defer mu.Unlock()
	want := "/status initiated|/status initiated|/moved ringing|/status ringing|/refused answered|/status completed"
	if got := strings.Join(log, "|"); got != want {
		t.Errorf("got %s", got)
	}
	if s := d.Stats(); s.Repeated != 1 || s.Refused != 1 || s.Delivered < 2 {
		t.Errorf("%+v", s)
	}
}

// TestAnswerTakesOverTheCall has a receiver answer with a document, with one
// that cannot be read, and with nothing.
func TestAnswerTakesOverTheCall(t *testing.T) {
	base := server(t, func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		switch r.URL.Path {
		case "/document":
			plain(w, "say x")
		case "/broken":
			plain(w, "sing x")
		}
	})
	type change struct {
		account, id string
		script      *call.ScriptSource
	}
	var got []change
	d := NewDeliverer(client(t, nil), &outbox{}, func(_ context.Context, account, id string, ch call.Change) (call.Record, error) {
		got = append(got, change{account, id, ch.Script})
		return call.Record{}, call.ErrEnded
	})
	for _, path := range []string{"/document", "/broken", "/empty"} {
		for _, id := range []string{"CA1", ""} {
			o := fill(api.Outgoing{URL: base + path, Call: id}, record().Account, record().API)
			if err := d.send(t.Context(), o); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
	}
	want := call.ScriptSource{Inline: "say x", Base: base + "/document"}
	if len(got) != 1 || got[0].account != record().Account || got[0].id != "CA1" || *got[0].script != want {
		t.Errorf("%+v", got)
	}
}

func TestRetryAfterHeader(t *testing.T) {
	for in, want := range map[string]time.Duration{"": 0, "x": 0, "-3": 0, "7": 7 * time.Second, "Wed, 21 Oct 2026 07:28:00 GMT": 0, "99999999999": 0} {
		if got := retryAfter(http.Header{"Retry-After": {in}}); got != want {
			t.Errorf("%q: %s", in, got)
		}
	}
}
