package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"callbox/storage"
)

func TestDeviceCA(t *testing.T) {
	dir := t.TempDir()
	s, err := storage.Open(storage.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	ca, err := deviceCA(context.Background(), s, dir, now)
	if err != nil {
		t.Fatal(err)
	}
	again, err := deviceCA(context.Background(), s, dir, now.Add(time.Hour))
	if err != nil || string(again.Certificate[0]) != string(ca.Certificate[0]) {
		t.Errorf("the CA changed at the second start: %v", err)
	}
	text, err := os.ReadFile(filepath.Join(dir, caFile))
	if err != nil || strings.Contains(string(text), "PRIVATE") {
		t.Fatalf("%s: %v", caFile, err)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(text) {
		t.Fatal("the CA file is not PEM")
	}
	if _, err := tls.X509KeyPair(text, text); err == nil {
		t.Error("the CA file holds the key")
	}
}

func TestFirstAccount(t *testing.T) {
	a, b := firstAccount(), firstAccount()
	if a.ID == b.ID || a.Token == b.Token || len(a.ID) != 34 || !strings.HasPrefix(a.ID, "AC") {
		t.Errorf("%s %s", a.ID, b.ID)
	}
	if tok := a.Token.Reveal(); len(tok) != 32 || strings.Trim(tok, "0123456789abcdef") != "" {
		t.Error("the token is not 32 hex digits")
	}
}

func TestNextPort(t *testing.T) {
	for in, want := range map[string]string{"0.0.0.0:5060": "0.0.0.0:5061", "[::1]:0": "[::1]:0", ":5060": ":5061"} {
		if got, err := nextPort(in); err != nil || got != want {
			t.Errorf("%s: %s, %v", in, got, err)
		}
	}
	for _, in := range []string{"5060", "host:x", "host:65535", "host:-1"} {
		if got, err := nextPort(in); err == nil {
			t.Errorf("%s gave %s", in, got)
		}
	}
}
