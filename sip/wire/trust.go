package wire

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// Trust says whose certificates are believed on connections that we open. It is not
// changed once it is used.
type Trust struct {
	Roots *x509.CertPool // CAs; nil: the system's
	// Pins are SHA-256 sums of the certificates that far ends must show, by their
	// host, or host and port ("sip.biloxi.example:5061"), in lower case. Such a
	// certificate counts whoever signed it, whatever names it has, until it is
	// replaced; and no other does.
	Pins map[string][sha256.Size]byte
}

// PinError says that a far end showed another certificate than the pinned one.
type PinError struct {
	Host string
	Sum  string // SHA-256 of what it showed, in hex
}

func (e *PinError) Error() string {
	return fmt.Sprintf("the certificate of %s is not the pinned one; pin its SHA-256 if it is right: %s", e.Host, e.Sum)
}

// SetTrust replaces whose certificates are believed, from the next connection on.
func (l *Layer) SetTrust(t Trust) { l.trust.Store(&t) }

// apply puts the trust into what a connection to cfg.ServerName and port begins with.
func (t *Trust) apply(cfg *tls.Config, port uint16) {
	if t.Roots != nil {
		cfg.RootCAs = t.Roots
	}
	host := cfg.ServerName
	pin, pinned := t.Pins[strings.ToLower(net.JoinHostPort(host, strconv.Itoa(int(port))))]
	if !pinned {
		pin, pinned = t.Pins[strings.ToLower(host)]
	}
	if !pinned {
		return
	}
	cfg.InsecureSkipVerify = true //nolint:gosec // the certificate itself is known
	cfg.VerifyConnection = func(s tls.ConnectionState) error {
		if len(s.PeerCertificates) == 0 {
			return &PinError{Host: host}
		}
		sum := sha256.Sum256(s.PeerCertificates[0].Raw)
		if subtle.ConstantTimeCompare(pin[:], sum[:]) != 1 {
			return &PinError{Host: host, Sum: fmt.Sprintf("%x", sum)}
		}
		return nil
	}
}
