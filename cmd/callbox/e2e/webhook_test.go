//go:build e2e

package e2e

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	twilioclient "github.com/twilio/twilio-go/client"
)

// secureApp is app over TLS, with the certificate that httptest has for
// 127.0.0.1 and example.com, which nobody trusts by itself.
func secureApp(t *testing.T, a *app) *httptest.Server {
	s := httptest.NewUnstartedServer(a)
	s.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // refusals are part of the tests
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// TestWebhooksOverTLS: an application's certificate that nobody knows is
// refused, with the vendor's number and what to do; it counts once its CA is
// trusted or it is pinned, for the document and a sound in it, and not any more when
// another one is.
func TestWebhooksOverTLS(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	s := secureApp(t, a)
	g, port := trunked(t, a, "")
	a.doc("/voice", `<Response><Play>short.wav</Play><Hangup/></Response>`)
	a.wav("/short.wav", make([]int16, rate/10))
	a.doc("/fallback", `<Response><Hangup/></Response>`)
	der := s.Certificate().Raw
	sum := sha256.Sum256(der)
	text := strings.TrimSpace(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	trust := "  trust:\n  - name: the shop's CA\n    certificate: |\n      " + strings.ReplaceAll(text, "\n", "\n      ") + "\n"
	pin := func(host string, sum []byte) string {
		return fmt.Sprintf("  pins:\n  - {host: %q, sha256: %q}\n", host, fmt.Sprintf("%X", sum))
	}
	byName := strings.Replace(s.URL, "127.0.0.1", "localhost", 1)
	cases := []struct {
		name, webhooks, base, code string
	}{
		{"nobody knows it", "", s.URL, "11237"},
		{"its CA is trusted", trust, s.URL, ""},
		{"another name", trust, byName, "11235"},
		{"pinned, under another name", pin("localhost", sum[:]), byName, ""},
		{"another is pinned", trust + pin(strings.TrimPrefix(s.URL, "https://"), make([]byte, 32)), s.URL, "11237"},
		{"forgotten", "", s.URL, "11237"},
	}
	startSIPp(t, port, len(cases), recv("INVITE")+established+hungUp)
	played := 0
	for _, tc := range cases {
		if tc.code == "" {
			played++
		}
		g.webhooks(tc.webhooks)
		if code := g.errorCode(a, tc.base+"/voice"); code != tc.code {
			t.Errorf("%s: the fallback was told %q, want %q", tc.name, code, tc.code)
		}
		if n := len(a.requests("/short.wav")); n != played {
			t.Errorf("%s: the sound was fetched %d times so far, want %d", tc.name, n, played)
		}
	}
	if out := g.run("calls", "-o", "json"); !strings.Contains(out, fmt.Sprintf("%x", sum)) {
		t.Errorf("no record tells the sum that could be pinned:\n%s", out)
	}
}

// webhooks replaces that part of the configuration.
func (g *gateway) webhooks(yaml string) {
	g.t.Helper()
	export, _, _ := strings.Cut(g.run("config", "export", "--secrets"), "\nwebhooks:")
	if yaml == "" {
		yaml = "  {}\n"
	}
	file := filepath.Join(g.t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, []byte(export+"\nwebhooks:\n"+yaml), 0o600); err != nil {
		g.t.Fatal(err)
	}
	g.run("config", "import", file)
}

// errorCode makes a call whose document is at script, and gives the ErrorCode
// with which the fallback was asked; empty: it was not.
func (g *gateway) errorCode(a *app, script string) string {
	g.t.Helper()
	sid := g.create(url.Values{"To": {"+14155550123"}, "From": {"+14155550100"}, "Url": {script}, "FallbackUrl": {a.URL + "/fallback"}})
	g.until(sid, "completed")
	for _, r := range a.requests("/fallback") {
		if r.form.Get("CallSid") == sid {
			return r.form.Get("ErrorCode")
		}
	}
	return ""
}

// TestWebhookAddresses: addresses of the LAN and of the machine itself are asked,
// link-local ones are not, whether they are named or redirected to; and what an
// application does about the box's time and patience has the vendor's numbers.
func TestWebhookAddresses(t *testing.T) {
	a := newApp(t)
	g, port := trunked(t, a, "")
	a.doc("/voice", `<Response><Hangup/></Response>`)
	a.doc("/fallback", `<Response><Hangup/></Response>`)
	redirect := func(path, to string) string {
		return a.handle(path, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) })
	}
	late := func(path string, wait time.Duration) string {
		return a.handle(path, func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(wait):
			case <-r.Context().Done():
			}
			w.Header().Set("Content-Type", "text/xml")
			fmt.Fprint(w, "<Response/>")
		})
	}
	var failures atomic.Int32
	cases := map[string][2]string{ // the document's URL, and the code
		"loopback":              {a.URL + "/voice", ""},
		"by name":               {strings.Replace(a.URL, "127.0.0.1", "localhost", 1) + "/voice", ""},
		"metadata":              {"http://169.254.169.254/latest/meta-data/", "11100"},
		"metadata as IPv6":      {"http://[::ffff:169.254.169.254]/latest/", "11100"},
		"link-local IPv6":       {"http://[fe80::1%25lo]/", "11100"},
		"redirect":              {redirect("/here", "/voice"), ""},
		"redirect to metadata":  {redirect("/there", "http://169.254.169.254/latest/"), "11100"},
		"redirect to a file":    {redirect("/file", "file:///etc/passwd"), "11100"},
		"redirects without end": {redirect("/round", "/round"), "11215"},
		"slow, but in time":     {late("/slow", time.Second), ""},
		"too slow for itself":   {late("/slower", 5*time.Second) + "#rt=500&rc=0", "11205"},
		"fails once, repeat asked": {a.handle("/shaky", func(w http.ResponseWriter, _ *http.Request) {
			if failures.Add(1) == 1 {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			w.Header().Set("Content-Type", "text/xml")
			fmt.Fprint(w, "<Response/>")
		}) + "#rc=2&rp=5xx", ""},
	}
	startSIPp(t, port, len(cases), recv("INVITE")+established+hungUp)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if code := g.errorCode(a, tc[0]); code != tc[1] {
				t.Errorf("the fallback was told %q, want %q", code, tc[1])
			}
		})
	}
}

// TestWebhookPassword: the password in a URL arrives as basic authentication, the
// vendor's validator accepts the signature of that URL, and neither log nor record
// shows it. One connection serves many requests.
func TestWebhookPassword(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	var opened atomic.Int32
	s := httptest.NewUnstartedServer(a)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	g, port := trunked(t, a, "")
	for i := range 9 {
		a.doc(fmt.Sprintf("/step%d", i), fmt.Sprintf(`<Response><Redirect>/step%d</Redirect></Response>`, i+1))
	}
	a.doc("/step9", `<Response><Hangup/></Response>`)
	startSIPp(t, port, 1, recv("INVITE")+established+hungUp)
	base := strings.Replace(s.URL, "http://", "http://shop:s3same%21@", 1)
	sid := g.create(url.Values{"To": {"+14155550123"}, "From": {"+14155550100"}, "Url": {base + "/step0?a=1"},
		"StatusCallback": {base + "/status"}, "StatusCallbackEvent": {"initiated", "ringing", "answered", "completed"}})
	g.until(sid, "completed")
	a.until("/status", 4)
	v := twilioclient.NewRequestValidator(g.token)
	a.mu.Lock()
	heard := slices.Clone(a.heard)
	a.mu.Unlock()
	for _, r := range heard {
		req := http.Request{Header: r.header}
		if user, password, ok := req.BasicAuth(); !ok || user != "shop" || password != "s3same!" {
			t.Errorf("%s came with %q %q", r.uri, user, password)
		}
		if !v.Validate(base+r.uri, flat(r.post), r.header.Get("X-Twilio-Signature")) {
			t.Errorf("%s: the vendor's validator refuses the signature", r.uri)
		}
	}
	if len(heard) < 14 || opened.Load() > 4 {
		t.Errorf("%d requests on %d connections", len(heard), opened.Load())
	}
	if strings.Contains(g.log.String(), "s3same") {
		t.Error("the log shows the password")
	}
}
