package hook

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"

	"callbox/call/script"
)

// Codes of call-api.md §1.5.
const (
	codeBadURL      = 11100
	codeStatus      = 11200
	codeConnect     = 11205
	codeProtocol    = 11206
	codeDNS         = 11210
	codeRedirects   = 11215
	codeTLS         = 11220
	codeCertName    = 11235
	codeCertExpired = 11236
	codeCertPath    = 11237
	codeTooBig      = 11750
	codeXML         = 12100
	codeInternal    = 12400
	codeSoundType   = 13420
)

// Why a request failed.
var (
	errConnectTime   = errors.New("no connection in time")
	errReadTime      = errors.New("no complete answer in time")
	errTotalTime     = errors.New("redirects and retries took too long")
	errRedirects     = fmt.Errorf("more than %d redirects", MaxRedirects)
	errTooBig        = errors.New("the answer is too large")
	errNoCertificate = errors.New("the receiver showed no certificate")
	errGivenUp       = errors.New("the message was given up: its receiver has not taken it for too long")
	errURL           = errors.New("not an absolute http or https URL")
)

// statusError is an answer that is no success.
type statusError struct{ status int }

func (e *statusError) Error() string { return fmt.Sprintf("the answer is HTTP status %d", e.status) }

// soundTypeError is an answer that is no sound; it is its content type.
type soundTypeError string

func (e soundTypeError) Error() string { return fmt.Sprintf("content type %q is no sound", string(e)) }

// wireError is a failure below HTTP; connected says whether it came after a
// connection had been made.
type wireError struct {
	connected bool
	err       error
}

func (e *wireError) Error() string { return e.err.Error() }
func (e *wireError) Unwrap() error { return e.err }

// code gives the number of a failed request.
func code(err error) int {
	var (
		status  *statusError
		refused *RefusedError
		dns     *net.DNSError
		wire    *wireError
		sound   soundTypeError
	)
	switch {
	case errors.As(err, &status):
		return codeStatus
	case errors.As(err, &sound):
		return codeSoundType
	case errors.Is(err, errRedirects):
		return codeRedirects
	case errors.Is(err, errTooBig):
		return codeTooBig
	case errors.Is(err, errURL), errors.As(err, &refused):
		return codeBadURL
	case errors.Is(err, errConnectTime), errors.Is(err, errReadTime), errors.Is(err, errTotalTime):
		return codeConnect
	case errors.As(err, &dns):
		return codeDNS
	}
	if c := tlsCode(err); c != 0 {
		return c
	}
	var timeout net.Error
	if errors.As(err, &wire) && wire.connected && !(errors.As(err, &timeout) && timeout.Timeout()) {
		return codeProtocol
	}
	return codeConnect
}

// tlsCode gives the number of a failed TLS handshake, 0 for other failures.
func tlsCode(err error) int {
	var (
		host    x509.HostnameError
		invalid x509.CertificateInvalidError
		unknown x509.UnknownAuthorityError
		cert    *CertificateError
		record  tls.RecordHeaderError
		alert   tls.AlertError
	)
	switch {
	case errors.As(err, &host):
		return codeCertName
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return codeCertExpired
	case errors.As(err, &unknown), errors.As(err, &invalid), errors.As(err, &cert):
		return codeCertPath
	case errors.As(err, &record), errors.As(err, &alert):
		return codeTLS
	}
	return 0
}

// unreachable reports whether err says nothing about the request, only that the
// receiver could not be asked, or did not answer, now.
func unreachable(err error) bool {
	var refused *RefusedError
	var wire *wireError
	return errors.As(err, &wire) && !errors.As(err, &refused)
}

// retryClass names err as a retry policy does: "ct", "rt", "4xx", "5xx" or "".
func retryClass(err error) string {
	var status *statusError
	if errors.As(err, &status) {
		switch status.status / 100 {
		case 4:
			return "4xx"
		case 5:
			return "5xx"
		}
		return ""
	}
	var wire *wireError
	if !unreachable(err) || !errors.As(err, &wire) {
		return ""
	}
	if wire.connected {
		return "rt"
	}
	return "ct"
}

// fetchError dresses err for the verbs and for people.
func fetchError(doing, rawURL string, err error) *script.FetchError {
	bare := publicURL(rawURL)
	e := &script.FetchError{Code: code(err), URL: bare, Err: fmt.Errorf("%s %s: %w", doing, bare, err)}
	var status *statusError
	if errors.As(err, &status) {
		e.Status = status.status
	}
	return e
}
