package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"callbox/storage"
	"callbox/storage/config"
)

// Names of what the store keeps for the device's identity.
const (
	caBlob = "device-ca" // certificate and key, PEM
	caFile = "ca.pem"    // the certificate alone, for people to copy
)

// hexID is prefix and n random bytes in hex.
func hexID(prefix string, n int) string {
	b := make([]byte, n)
	rand.Read(b) // crypto/rand never fails, it ends the process instead
	return prefix + hex.EncodeToString(b)
}

// firstAccount makes the account of a new box. The token is plain hex, because
// twilio-go refuses credentials with any other character.
func firstAccount() config.Account {
	return config.Account{ID: hexID("AC", 16), Name: "box", Token: config.Secret(hexID("", 16))}
}

// deviceCA gives the box's own certificate authority, made at the first boot,
// and leaves its certificate as a file in the data folder.
func deviceCA(ctx context.Context, s *storage.Store, dir string, now time.Time) (*tls.Certificate, error) {
	blob, err := s.Blob(caBlob)
	if err != nil && !errors.Is(err, storage.ErrNoBlob) {
		return nil, fmt.Errorf("read the device CA: %w", err)
	}
	if err != nil {
		if blob, err = newCA(now); err != nil {
			return nil, fmt.Errorf("make the device CA: %w", err)
		}
		if err := s.PutBlob(ctx, caBlob, blob); err != nil {
			return nil, fmt.Errorf("keep the device CA: %w", err)
		}
	}
	ca, err := tls.X509KeyPair(blob, blob)
	if err != nil {
		return nil, fmt.Errorf("read the device CA: %w", err)
	}
	path := filepath.Join(dir, caFile)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Certificate[0]})
		if err := os.WriteFile(path, cert, 0o644); err != nil {
			return nil, fmt.Errorf("write the device CA: %w", err)
		}
	}
	return &ca, nil
}

// newCA makes a certificate authority: certificate and key in PEM. It is valid
// for 20 years from a day before now, because a box without a clock battery may
// wake up in the past.
func newCA(now time.Time) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	t := template(now)
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
		NotBefore: now.Add(-24 * time.Hour), NotAfter: now.AddDate(20, 0, 0)}
}

// serverCertificate makes the certificate of the TLS listeners, signed by the
// device CA, for the host's name and all its present addresses. It is made anew
// at every start, so that it follows the addresses.
func serverCertificate(ca *tls.Certificate, now time.Time) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	parent, err := x509.ParseCertificate(ca.Certificate[0])
	if err != nil {
		return tls.Certificate{}, err
	}
	t := template(now)
	t.NotAfter = now.AddDate(1, 0, 0)
	t.KeyUsage = x509.KeyUsageDigitalSignature
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	t.DNSNames = []string{"localhost", "callbox", "callbox.local"}
	if h, err := os.Hostname(); err == nil {
		t.DNSNames = append(t.DNSNames, h)
		t.Subject.CommonName = h
	}
	t.IPAddresses = append(t.IPAddresses, ownAddresses()...)
	der, err := x509.CreateCertificate(rand.Reader, t, parent, &key.PublicKey, ca.PrivateKey)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der, ca.Certificate[0]}, PrivateKey: key}, nil
}

// ownAddresses lists the machine's addresses; loopback when they cannot be had.
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
