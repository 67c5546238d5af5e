package sip

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"strings"

	"callbox/sip/wire"
)

// trouble says in a sentence for people why nothing could be sent to remote, or
// why the connection to it was lost.
func trouble(err error, remote string) string {
	var name x509.HostnameError
	var cert *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var op *net.OpError
	var pin *wire.PinError
	switch {
	case errors.As(err, &pin):
		return pin.Error()
	case errors.As(err, &name):
		return "the certificate of " + remote + " is not for " + name.Host
	case errors.As(err, &cert):
		return "the certificate of " + remote + " is not trusted: " + strings.TrimPrefix(cert.Err.Error(), "x509: ")
	case errors.As(err, &record):
		return remote + " does not speak TLS"
	case errors.As(err, &alert):
		return remote + " refused TLS: " + strings.TrimPrefix(alert.Error(), "tls: ")
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return remote + " takes no connection in time"
	case errors.Is(err, io.EOF):
		return remote + " closed the connection"
	case errors.As(err, &op):
		if sys, ok := errors.AsType[*os.SyscallError](op.Err); ok {
			return remote + ": " + sys.Err.Error()
		}
		return remote + ": " + op.Err.Error()
	case errors.Is(err, wire.ErrTransport):
		text := err.Error()
		return strings.TrimPrefix(text[strings.LastIndex(text, wire.ErrTransport.Error())+len(wire.ErrTransport.Error()):], ": ")
	}
	return strings.TrimPrefix(err.Error(), "sip: ")
}
