package config

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"strings"
)

// ReadCertificates reads certificates in PEM, one or more. What stands around
// them is skipped, as in the files that programs write; a private key is refused.
func ReadCertificates(text string) ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if strings.Contains(block.Type, "PRIVATE KEY") {
			return nil, errors.New("holds a private key, which must not be here; give the certificate alone")
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("holds a certificate that cannot be read: %w", err)
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, errors.New("holds no certificate in PEM (-----BEGIN CERTIFICATE-----)")
	}
	return out, nil
}

// believed checks whose certificates count, in the field at.
func (v *validator) believed(at string, w Believed) {
	names, hosts := map[string]bool{}, map[string]bool{}
	for i, a := range w.Trust {
		f := fmt.Sprintf("%s.trust[%d]", at, i)
		v.oneLine(f+".name", a.Name)
		if a.Name == "" || names[a.Name] {
			v.bad(f+".name", "%q is empty or used twice", a.Name)
		}
		names[a.Name] = true
		if _, err := ReadCertificates(a.Certificate); err != nil {
			v.bad(f+".certificate", "%s", err)
		}
	}
	for i, p := range w.Pins {
		f := fmt.Sprintf("%s.pins[%d]", at, i)
		host := p.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		v.host(f+".host", host)
		if key := strings.ToLower(p.Host); hosts[key] {
			v.bad(f+".host", "%q is used twice", p.Host)
		} else {
			hosts[key] = true
		}
		if _, ok := p.Sum(); !ok {
			v.bad(f+".sha256", "is not a SHA-256 of 64 hex digits; openssl x509 -noout -fingerprint -sha256 prints one")
		}
	}
}
