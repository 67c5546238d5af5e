//go:build e2e

package e2e

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestLargeInvite lets the trunk call with an INVITE that is larger than a
// datagram on most networks, over both transports.
func TestLargeInvite(t *testing.T) {
	t.Parallel()
	prompt := speak(t, "One piece.")
	padding := strings.Repeat("0123456789abcdef", 160)
	large := strings.Replace(invite, "X-Ticket: 4711", "X-Ticket: 4711\nX-Padding: "+padding, 1)
	scenario := large + optional(100) + optional(180) + optional(183) + expect(200) + callerRequest("ACK", 1, "[branch]") +
		pause(time.Duration(len(prompt))*time.Second/rate+time.Second) + callerRequest("BYE", 2, "[branch]") + expect(200)
	for name, args := range map[string][]string{"udp": {"-t", "u1"}, "tcp": {"-t", "t1"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t)
			g, port := trunked(t, a, "")
			a.wav("/prompt.wav", prompt)
			a.doc("/in", `<Response><Play>/prompt.wav</Play><Pause length="20"/></Response>`)
			s := startSIPp(t, port, 1, scenario, append(args, g.sip, "-rtp_echo")...)
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			s.succeeds(ctx)
			in := a.until("/in", 1)
			if got := in.form.Get("SipHeader_X-Padding"); got != padding {
				t.Errorf("%d bytes of the header have arrived, want %d", len(got), len(padding))
			}
			a.until("/prompt.wav", 1)
			if got := a.until("/in-status", 1).form.Get("CallStatus"); got != "completed" {
				t.Errorf("final status %q", got)
			}
		})
	}
}

// TestSIPpOverTLS: the trunk calls the box and is called over TLS. Debian builds SIPp
// without TLS, so it speaks TCP to a tunnel beside it, which does what TLS asks for:
// one checks the box's certificate, the other shows one that the box has pinned.
func TestSIPpOverTLS(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.doc("/in", `<Response><Play>/nothing.wav</Play><Pause length="60"/></Response>`)
	own := must(ownCertificate())
	port := freePorts(t, 1)
	far := must(tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{own}}))
	tunnel(t, far, func() (net.Conn, error) { return net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)) })
	_, farPort, _ := net.SplitHostPort(far.Addr().String())
	g := startGateway(t, "")
	app := "AP" + strings.Repeat("0", 31) + "1"
	g.configure(fmt.Sprintf(`
trunks:
- {name: provider, host: 127.0.0.1, port: %[1]s, transport: tls}
routes:
- {name: all, prefix: "+1", lines: [provider]}
applications:
- {id: %[2]s, account: %[3]s, name: in, script: {main: {url: %[4]s/in}, fallback: {}}}
numbers:
- {number: "*", line: provider, application: %[2]s}
sip_tls:
  pins:
  - {host: "127.0.0.1:%[1]s", sha256: %[5]x}
`, farPort, app, g.account, a.URL, sha256.Sum256(own.Certificate[0])))
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(must(os.ReadFile(filepath.Join(g.dir, "ca.pem"))))
	near := must(net.Listen("tcp", "127.0.0.1:0"))
	tunnel(t, near, func() (net.Conn, error) { return tls.Dial("tcp", g.tls, &tls.Config{RootCAs: pool}) })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	secret := func(sid string) {
		t.Helper()
		var entries []struct{ Transport, Text string }
		if err := json.Unmarshal([]byte(g.run("trace", "-o", "json", sid)), &entries); err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, e := range entries {
			if e.Transport == "" {
				continue // an event
			}
			n++
			if !strings.EqualFold(e.Transport, "tls") {
				t.Errorf("over %s: %s", e.Transport, e.Text)
			}
		}
		if n < 5 {
			t.Errorf("%d messages are in the trace", n)
		}
	}

	arrives := strings.ReplaceAll(calls(offers("AUDIO\n")), "[transport]", "TLS")
	startSIPp(t, freePorts(t, 1), 1, arrives, "-t", "t1", near.Addr().String()).succeeds(ctx)
	sid := a.until("/in", 1).form.Get("CallSid")
	g.until(sid, "completed")
	secret(sid)

	takes := strings.NewReplacer("[transport]", "TLS", "[local_port]", farPort).Replace(recv("INVITE") + established + hungUp)
	s := startSIPp(t, port, 1, takes, "-t", "t1")
	poll(t, "SIPp listens", func() bool { return listens(t, port) })
	sid = g.create(url.Values{"To": {"+14155550123"}, "From": {"+14155550100"}, "Twiml": {`<Response><Pause length="1"/></Response>`}})
	g.until(sid, "completed")
	s.succeeds(ctx)
	secret(sid)
}

// tunnel carries each connection that comes to ln on, as bytes, until the test ends.
func tunnel(t *testing.T, ln net.Listener, dial func() (net.Conn, error)) {
	var running sync.WaitGroup
	var mu sync.Mutex // guards open
	var open []net.Conn
	join := func(c net.Conn) {
		defer c.Close()
		d, err := dial()
		if err != nil {
			t.Logf("tunnel: %v", err)
			return
		}
		defer d.Close()
		mu.Lock()
		open = append(open, c, d)
		mu.Unlock()
		running.Go(func() { _, _ = io.Copy(d, c); d.Close(); c.Close() })
		_, _ = io.Copy(c, d)
	}
	running.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			running.Go(func() { join(c) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		mu.Lock()
		for _, c := range open {
			c.Close()
		}
		mu.Unlock()
		running.Wait()
	})
}
