package main

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"callbox/storage/config"
)

// issuer gives certificates by a new CA, whose names can be changed.
func issuer(t *testing.T, now func() time.Time, names *[]string) (*certificates, *x509.CertPool) {
	t.Helper()
	blob, err := newCA(now())
	if err != nil {
		t.Fatal(err)
	}
	ca, err := tls.X509KeyPair(blob, blob)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(caText(&ca)) {
		t.Fatal("the CA is not PEM")
	}
	return &certificates{ca: &ca, names: func() []string { return slices.Clone(*names) }, now: now, log: slog.New(slog.DiscardHandler)}, pool
}

func TestServerCertificate(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	names := boxNames(config.Snapshot{Domains: []string{"Gate.Biloxi.Example.", "192.0.2.9", "no name"}, Media: config.Media{External: "203.0.113.4"}})
	c, pool := issuer(t, func() time.Time { return now }, &names)
	cert, err := c.get()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"localhost", "callbox.local", "127.0.0.1", "::1", "gate.biloxi.example", "192.0.2.9", "203.0.113.4"} {
		if _, err := cert.Leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: name, CurrentTime: now}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := cert.Leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: "biloxi.example", CurrentTime: now}); err == nil {
		t.Error("the certificate is good for any name")
	}
	if life := cert.Leaf.NotAfter.Sub(cert.Leaf.NotBefore); life > 398*24*time.Hour {
		t.Errorf("it is valid for %s, longer than strict clients take", life)
	}
}

// TestRenewal: the certificate follows the box's addresses and the clock, and is
// not made anew without a reason.
func TestRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		<-time.After(1000 * 24 * time.Hour)
		names, skew := []string{"192.0.2.1"}, time.Duration(0)
		now := func() time.Time { return time.Now().Add(skew) }
		c, pool := issuer(t, now, &names)
		get := func() *x509.Certificate {
			t.Helper()
			cert, err := c.get()
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range names {
				if _, err := cert.Leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: n, CurrentTime: now()}); err != nil {
					t.Errorf("%s: %v", n, err)
				}
			}
			return cert.Leaf
		}
		same := func(a, b *x509.Certificate) bool { return a.SerialNumber.Cmp(b.SerialNumber) == 0 }
		first := get()
		<-time.After(300 * 24 * time.Hour)
		if !same(first, get()) {
			t.Error("it was made anew for nothing")
		}
		names = []string{"192.0.2.1", "192.0.2.2"}
		<-time.After(lookAgain)
		second := get()
		if same(first, second) {
			t.Error("the new address is missing")
		}
		<-time.After((leafDays - renewDays) * 24 * time.Hour)
		third := get()
		if same(second, third) {
			t.Error("it was not renewed before its end")
		}
		skew = -600 * 24 * time.Hour // the box wakes up in the past
		fourth := get()
		if same(third, fourth) {
			t.Error("it begins in the future")
		}
		skew = 0
		if same(fourth, get()) {
			t.Error("it is that of the past after the clock was set")
		}
	})
}

// TestCAWithoutClock: a CA made in 1970 is still good when the clock is right.
func TestCAWithoutClock(t *testing.T) {
	now, names := time.Unix(60, 0), []string{"localhost"}
	c, pool := issuer(t, func() time.Time { return now }, &names)
	for _, now = range []time.Time{now, time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC)} {
		cert, err := c.get()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := cert.Leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: "localhost", CurrentTime: now}); err != nil {
			t.Errorf("%s: %v", now, err)
		}
	}
	names = []string{"bücher.example"}
	now = now.Add(time.Hour)
	if cert, err := c.get(); err != nil || cert == nil {
		t.Errorf("a name that fits no certificate leaves the box without one: %v", err)
	}
	c.cert = nil
	if _, err := c.get(); err == nil {
		t.Errorf("the first certificate for a bad name: %v", err)
	}
}
