//go:build e2e

package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestTrustedTrunks: a trunk over TLS whose certificate comes of a CA that the
// configuration trusts is called, and one whose own certificate is pinned, whoever
// signed it; a stranger's certificate, and a good one where another is pinned, are
// refused, and the record says which certificate it was.
func TestTrustedTrunks(t *testing.T) {
	t.Parallel()
	lent := httptest.NewTLSServer(nil) // it lends its certificate, which is good for 127.0.0.1
	defer lent.Close()
	signed := lent.TLS.Certificates[0]
	own, err := ownCertificate()
	if err != nil {
		t.Fatal(err)
	}
	sum := func(c tls.Certificate) string { return fmt.Sprintf("%x", sha256.Sum256(c.Certificate[0])) }
	ca := strings.ReplaceAll(strings.TrimSpace(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed.Certificate[0]}))), "\n", "\n      ")
	cases := []struct {
		name string
		cert tls.Certificate
		pin  string
		says string // empty: the call gets through
	}{
		{"of a trusted CA", signed, "", ""},
		{"pinned", own, sum(own), ""},
		{"of nobody", own, "", "is not trusted"},
		{"another is pinned", signed, sum(own), "is not the pinned one; pin its SHA-256 if it is right: " + sum(signed)},
	}
	trunks, routes, pins := "trunks:\n", "routes:\n", "  pins:\n"
	for i, tc := range cases {
		far, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{tc.cert}})
		if err != nil {
			t.Fatal(err)
		}
		defer far.Close()
		go func() {
			for {
				c, err := far.Accept()
				if err != nil {
					return
				}
				go answerTeams(c, make(chan string, 10))
			}
		}()
		port := far.Addr().(*net.TCPAddr).Port
		trunks += fmt.Sprintf("- {name: far%d, host: 127.0.0.1, transport: tls, port: %d}\n", i, port)
		routes += fmt.Sprintf("- {name: far%d, prefix: \"+1415555010%d\", lines: [far%d]}\n", i, i, i)
		if tc.pin != "" {
			pins += fmt.Sprintf("  - {host: \"127.0.0.1:%d\", sha256: %s}\n", port, tc.pin)
		}
	}
	g := startGateway(t, "")
	g.configure(trunks + routes + "sip_tls:\n  trust:\n  - name: provider\n    certificate: |\n      " + ca + "\n" + pins)
	for i, tc := range cases {
		sid := g.create(url.Values{"To": {fmt.Sprintf("+1415555010%d", i)}, "From": {"+14155550100"}, "Twiml": {"<Response/>"}})
		status := "busy"
		if tc.says != "" {
			status = "failed"
		}
		g.until(sid, status)
		if out := g.run("trace", sid); !strings.Contains(out, tc.says) {
			t.Errorf("%s: the trace does not say %q:\n%s", tc.name, tc.says, out)
		}
	}
}

// ownCertificate makes a certificate that nobody but itself signed.
func ownCertificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
