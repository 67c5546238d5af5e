package webrtc

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"
	"time"
)

// Identity is a certificate by which far ends know the box. Nobody signs it: its
// fingerprint travels in the session description (RFC 5763 §5).
type Identity struct {
	cert tls.Certificate
	text string
}

// NewIdentity makes one.
func NewIdentity() (*Identity, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the certificate for browsers: %w", err)
	}
	t := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "callbox"},
		// Of no consequence, save to who looks: the box may not know the time.
		NotBefore: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("make the certificate for browsers: %w", err)
	}
	return &Identity{cert: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, text: "sha-256 " + digest("sha-256", der)}, nil
}

// Fingerprint is the value of a=fingerprint (RFC 8122 §5): "sha-256 1F:…".
func (i *Identity) Fingerprint() string { return i.text }

// digest is a certificate's in the form of a fingerprint; empty for an algorithm
// that is not taken (SHA-1 and older ones can be forged).
func digest(algorithm string, der []byte) string {
	var sum []byte
	switch strings.ToLower(algorithm) {
	case "sha-256":
		s := sha256.Sum256(der)
		sum = s[:]
	case "sha-384":
		s := sha512.Sum384(der)
		sum = s[:]
	case "sha-512":
		s := sha512.Sum512(der)
		sum = s[:]
	}
	parts := make([]string, len(sum))
	for i, b := range sum {
		parts[i] = strings.ToUpper(hex.EncodeToString([]byte{b}))
	}
	return strings.Join(parts, ":")
}

// matches reports whether a certificate has a fingerprint.
func matches(fingerprint string, der []byte) bool {
	algorithm, want, _ := strings.Cut(fingerprint, " ")
	got := digest(algorithm, der)
	return got != "" && subtle.ConstantTimeCompare([]byte(got), []byte(strings.ToUpper(strings.TrimSpace(want)))) == 1
}
