package hook

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"strings"
	"time"
)

// Trust says whose certificates are believed. It is not changed once it is used.
type Trust struct {
	Roots *x509.CertPool // CAs; nil: the system's
	// Pins are SHA-256 sums of the certificates that receivers must show, by their
	// host, or host and port ("app.lan:8443"). Such a certificate counts whoever
	// signed it, whatever names it has, until it is replaced; and no other does.
	Pins map[string][sha256.Size]byte
}

// SetTrust replaces whose certificates are believed, from the next connection on.
// Idle connections are dropped.
func (c *Client) SetTrust(t Trust) {
	c.trust.Store(&t)
	c.transport.CloseIdleConnections()
}

// CertificateError says that a receiver's certificate is not believed.
type CertificateError struct {
	Host string // and port
	Sum  string // SHA-256 of the certificate, in hex
	Pin  bool   // another one is pinned
	Err  error  // what is wrong with it when none is pinned
}

func (e *CertificateError) Error() string {
	if e.Pin {
		return fmt.Sprintf("the certificate of %s is not the pinned one; pin its SHA-256 if it is right: %s", e.Host, e.Sum)
	}
	return fmt.Sprintf("%s; trust the CA of %s, or pin its certificate's SHA-256: %s", e.Err, e.Host, e.Sum)
}

func (e *CertificateError) Unwrap() error { return e.Err }

// check judges the certificates that the receiver at address showed.
func (t *Trust) check(address, host string, shown []*x509.Certificate) error {
	if len(shown) == 0 {
		return &CertificateError{Host: address, Err: errNoCertificate}
	}
	sum := sha256.Sum256(shown[0].Raw)
	fail := &CertificateError{Host: address, Sum: fmt.Sprintf("%x", sum)}
	pin, pinned := t.Pins[strings.ToLower(address)]
	if !pinned {
		pin, pinned = t.Pins[strings.ToLower(host)]
	}
	if pinned {
		if subtle.ConstantTimeCompare(pin[:], sum[:]) == 1 {
			return nil
		}
		fail.Pin = true
		return fail
	}
	between := x509.NewCertPool()
	for _, c := range shown[1:] {
		between.AddCert(c)
	}
	_, err := shown[0].Verify(x509.VerifyOptions{Roots: t.Roots, Intermediates: between, DNSName: host, CurrentTime: time.Now()})
	if err != nil {
		fail.Err = err
		return fail
	}
	return nil
}

// dialTLS connects under the policy and the trust.
func (c *Client) dialTLS(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	nc, err := c.policy.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	trust := c.trust.Load()
	tc := tls.Client(nc, &tls.Config{
		ServerName: host, MinVersion: tls.VersionTLS12,
		InsecureSkipVerify: true, //nolint:gosec // it is verified below, which knows of pins
		VerifyConnection:   func(s tls.ConnectionState) error { return trust.check(address, host, s.PeerCertificates) },
	})
	bounded, cancel := context.WithTimeout(ctx, ConnectTimeout)
	defer cancel()
	if err := tc.HandshakeContext(bounded); err != nil {
		_ = nc.Close() // the handshake's failure counts
		return nil, err
	}
	return tc, nil
}
