//go:build e2e

package e2e

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestBaresipOverTLS registers a phone over TLS that was given the CA of the
// first boot (sip_cafile), and lets it place and receive a call. baresip 1.0.0
// loads that file but goes on with a certificate that does not fit it, so the
// certificate itself is judged by TestCertificate.
func TestBaresipOverTLS(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	fromAlice := speak(t, "This is Alice, and nobody on the way can read whom I call.")
	fromBob := speak(t, "Bob speaking. The certificate of the box was made at its first start.", "-v", "en-us")
	alice := startBaresip(t, phone{name: "alice", password: "a1l2i3c4e5", registrar: g.tls, transport: "tls",
		ca: filepath.Join(g.dir, "ca.pem"), answer: "auto", says: fromAlice})
	bob := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto", says: fromBob})
	if ready, text := g.status("alice"); !ready || !strings.Contains(text, "over tls") {
		t.Errorf("alice: %v %s", ready, text)
	}
	talk := func(caller, callee *baresip, to string) {
		t.Helper()
		caller.do("dial", to)
		caller.wait("CALL_ESTABLISHED", 10*time.Second)
		callee.wait("CALL_ESTABLISHED", 10*time.Second)
		pauseFor(time.Duration(max(len(fromAlice), len(fromBob)))*time.Second/rate + time.Second)
		caller.do("hangup", "")
		callee.wait("CALL_CLOSED", 10*time.Second)
		hears(t, "bob", bob.heard(), fromAlice)
		hears(t, "alice", alice.heard(), fromBob)
	}
	talk(alice, bob, "sip:bob@"+g.tls+";transport=tls")
	talk(bob, alice, "sip:alice@"+g.sip)
}

// TestCertificate checks the box's certificate as a careful phone does: it is
// right for the address, by the box's own CA and by no other, and it stays the
// same CA after a restart.
func TestCertificate(t *testing.T) {
	t.Parallel()
	g, other := startGateway(t, ""), startGateway(t, "")
	handshake := func(to, by *gateway, name string) error {
		pem, err := os.ReadFile(filepath.Join(by.dir, "ca.pem"))
		if err != nil {
			t.Fatal(err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			t.Fatal("ca.pem holds no certificate")
		}
		c, err := tls.Dial("tcp", to.tls, &tls.Config{RootCAs: pool, ServerName: name})
		if err == nil {
			c.Close()
		}
		return err
	}
	check := func() {
		t.Helper()
		if err := handshake(g, g, "127.0.0.1"); err != nil {
			t.Errorf("by its own CA: %v", err)
		}
		if err := handshake(g, other, "127.0.0.1"); err == nil {
			t.Error("the CA of another box is as good")
		}
		if err := handshake(g, g, "biloxi.example"); err == nil {
			t.Error("the certificate is good for any name")
		}
		if _, err := tls.Dial("tcp", g.tls, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}); err == nil {
			t.Error("TLS 1.1 is accepted")
		}
	}
	check()
	if err := g.stop(syscall.SIGTERM, 20*time.Second); err != nil {
		t.Errorf("exit: %v", err)
	}
	before, err := os.ReadFile(filepath.Join(g.dir, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	g.start()
	check()
	if after, err := os.ReadFile(filepath.Join(g.dir, "ca.pem")); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the CA has changed with the restart: %v", err)
	}
}
