package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"callbox/api/hook"
	"callbox/storage/config"
)

// Lifetimes. A box without a clock battery may wake up in the past, so nothing
// is valid from now on only, and a CA made in 1970 lives on today.
const (
	caYears = 20
	// leafDays is what the strictest clients take (CA/Browser Forum BR §6.3.2).
	leafDays  = 397
	renewDays = 30               // before the end
	lookAgain = 10 * time.Second // at the addresses, at most
)

// madeAfter is a moment before every start of this program.
var madeAfter = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// newCA makes a certificate authority: certificate and key in PEM.
func newCA(now time.Time) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	t := template(now)
	if now.Before(madeAfter) {
		now = madeAfter
	}
	t.NotAfter = now.AddDate(caYears, 0, 0)
	t.Subject.CommonName = "Callbox device CA " + hexID("", 4)
	t.IsCA, t.BasicConstraintsValid, t.MaxPathLenZero = true, true, true
	t.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	k, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: k})...), nil
}

func template(now time.Time) *x509.Certificate {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		serial = big.NewInt(now.UnixNano())
	}
	return &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{Organization: []string{"Callbox"}},
		NotBefore: now.Add(-24 * time.Hour)}
}

// certificates gives the TLS listeners of HTTPS and SIP their certificate,
// signed by the device CA. It is made anew when the names or addresses of the
// box have changed, before it ends, and when the clock has been set. Its methods
// may be called concurrently.
type certificates struct {
	ca    *tls.Certificate
	names func() []string // names and addresses of the box, now
	now   func() time.Time
	log   *slog.Logger

	mu      sync.Mutex // guards all below
	cert    *tls.Certificate
	leaf    *x509.Certificate
	madeFor []string // what cert was made for
	looked  time.Time
}

// config is the TLS of a listener.
func (c *certificates) config() *tls.Config {
	return &tls.Config{
		MinVersion:           tls.VersionTLS12,
		GetCertificate:       func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.get() },
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return c.get() },
	}
}

// get gives the certificate that is good now.
func (c *certificates) get() (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	good := c.cert != nil && now.After(c.leaf.NotBefore) && now.Before(c.leaf.NotAfter.AddDate(0, 0, -renewDays))
	if since := now.Sub(c.looked); good && since >= 0 && since < lookAgain {
		return c.cert, nil
	}
	names := c.names()
	c.looked = now
	if good && slices.Equal(names, c.madeFor) {
		return c.cert, nil
	}
	cert, leaf, err := serverCertificate(c.ca, names, now)
	if err != nil {
		if c.cert == nil {
			return nil, err
		}
		c.log.Error("the TLS certificate cannot be renewed; the old one is used on", "err", err)
		return c.cert, nil
	}
	if c.cert != nil {
		c.log.Info("a new TLS certificate was made", "until", leaf.NotAfter)
	}
	c.cert, c.leaf, c.madeFor = cert, leaf, names
	return cert, nil
}

// serverCertificate makes a certificate for names, which may be addresses.
func serverCertificate(ca *tls.Certificate, names []string, now time.Time) (*tls.Certificate, *x509.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	parent, err := x509.ParseCertificate(ca.Certificate[0])
	if err != nil {
		return nil, nil, err
	}
	t := template(now)
	t.NotAfter = t.NotBefore.AddDate(0, 0, leafDays)
	t.Subject.CommonName = "Callbox"
	t.KeyUsage = x509.KeyUsageDigitalSignature
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, n)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, parent, &key.PublicKey, ca.PrivateKey)
	if err != nil {
		return nil, nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der, ca.Certificate[0]}, PrivateKey: key, Leaf: leaf}, leaf, nil
}

// trust is whose certificates are believed on connections that the box opens: the
// system's CAs, the box's own, and those of the configuration.
func (a *app) trust(w config.Believed) hook.Trust {
	roots, err := x509.SystemCertPool()
	if err != nil {
		a.log.Warn("the system's CAs cannot be read; only the box's own and the configured ones count", "err", err)
		roots = x509.NewCertPool()
	}
	roots.AppendCertsFromPEM(caText(a.certs.ca))
	for _, authority := range w.Trust {
		list, err := config.ReadCertificates(authority.Certificate)
		if err != nil { // an import refuses it
			a.log.Warn("a CA cannot be read; correct it", "name", authority.Name, "err", err)
		}
		for _, c := range list {
			roots.AddCert(c)
		}
	}
	t := hook.Trust{Roots: roots, Pins: map[string][sha256.Size]byte{}}
	for _, p := range w.Pins {
		if sum, ok := p.Sum(); ok {
			t.Pins[strings.ToLower(p.Host)] = sum
		}
	}
	return t
}

// boxNames lists the names and addresses by which the box is reached: its own,
// and those that the configuration gives it.
func boxNames(s config.Snapshot) []string {
	list := []string{"localhost", "callbox", "callbox.local"}
	if h, err := os.Hostname(); err == nil {
		short, _, _ := strings.Cut(h, ".")
		list = append(list, h, short+".local")
	}
	list = append(list, s.Domains...)
	list = append(list, s.Media.External)
	for _, ip := range ownAddresses() {
		list = append(list, ip.String())
	}
	var out []string
	for _, n := range list {
		n = strings.ToLower(strings.TrimSuffix(n, "."))
		if n != "" && !slices.Contains(out, n) && (net.ParseIP(n) != nil || isHostName(n)) {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out
}

// isHostName reports whether a certificate can hold the name (RFC 1123 §2.1).
func isHostName(n string) bool {
	return len(n) <= 253 && strings.Trim(n, "abcdefghijklmnopqrstuvwxyz0123456789-._") == ""
}

// ownAddresses lists the machine's addresses, loopback first; only those when
// the others cannot be had.
func ownAddresses() []net.IP {
	out := []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return out
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() && len(out) < 64 {
			out = append(out, n.IP)
		}
	}
	return out
}
