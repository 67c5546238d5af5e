//go:build e2e

package e2e

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
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
		caller.wait("CALL_ESTABLISHED")
		callee.wait("CALL_ESTABLISHED")
		pauseFor(time.Duration(max(len(fromAlice), len(fromBob)))*time.Second/rate + time.Second)
		caller.do("hangup", "")
		callee.wait("CALL_CLOSED")
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
		for _, addr := range []string{to.tls, strings.TrimPrefix(to.https, "https://")} {
			c, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: pool, ServerName: name})
			if err != nil {
				return err
			}
			c.Close()
		}
		return nil
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
		for _, addr := range []string{g.tls, strings.TrimPrefix(g.https, "https://")} {
			if _, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}); err == nil {
				t.Errorf("%s accepts TLS 1.1", addr)
			}
		}
	}
	check()
	if err := g.stop(syscall.SIGTERM); err != nil {
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

// TestHTTPS uses the API over TLS as a careful program does: with the CA that
// the box gives out, and by a name that the configuration gave the box. What is
// served besides the call APIs is there.
func TestHTTPS(t *testing.T) {
	t.Parallel()
	g := startGateway(t, "")
	_, kind, ca := g.download("/ca.pem", false)
	if kind != "application/x-x509-ca-cert" || string(ca) != g.run("ca") {
		t.Errorf("/ca.pem is %s, %q; callbox ca prints %q", kind, ca, g.run("ca"))
	}
	block, rest := pem.Decode(ca)
	if block == nil || len(bytes.TrimSpace(rest)) != 0 {
		t.Fatalf("/ca.pem holds not one certificate: %s", ca)
	}
	if want := strings.ReplaceAll(strings.TrimSpace(g.run("ca", "--fingerprint")), ":", ""); !strings.EqualFold(want, fmt.Sprintf("%x", sha256.Sum256(block.Bytes))) {
		t.Errorf("fingerprint %s", want)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	client := func(name string) *http.Client {
		return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: name}}}
	}
	list := func(c *http.Client) (map[string]any, error) {
		req, err := http.NewRequest(http.MethodGet, g.https+"/2010-04-01/Accounts/"+g.account+"/Calls.json", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth(g.account, g.token)
		res, err := c.Do(req)
		if err != nil {
			return nil, err
		}
		defer res.Body.Close()
		var body map[string]any
		return body, json.NewDecoder(res.Body).Decode(&body)
	}
	if body, err := list(client("")); err != nil || body["calls"] == nil {
		t.Errorf("calls: %v, %v", body, err)
	}
	if _, err := list(client("gate.biloxi.example")); err == nil {
		t.Error("the certificate is good for a name that the box does not have")
	}
	g.configure("domains: [gate.biloxi.example]")
	poll(t, "the certificate has the new name", func() bool {
		body, err := list(client("gate.biloxi.example"))
		return err == nil && body["calls"] != nil
	})
	if status, _, _ := g.download("/api/openapi.json", false); status != http.StatusUnauthorized {
		t.Errorf("the description of the API for strangers: %d", status)
	}
	var doc struct{ Paths map[string]any }
	if status, _, b := g.download("/api/openapi.json", true); json.Unmarshal(b, &doc) != nil || len(doc.Paths) < 30 || status != 200 {
		t.Errorf("the description of the API: %d, %d paths", status, len(doc.Paths))
	}
	res, err := http.Get(strings.Replace(g.https, "https", "http", 1) + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if b, _ := io.ReadAll(res.Body); res.StatusCode != 400 || !strings.Contains(string(b), "HTTPS") {
		t.Errorf("HTTP at the port of HTTPS: %d %s", res.StatusCode, b)
	}
}
