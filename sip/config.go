package sip

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"callbox/sip/locate"
	"callbox/sip/wire"
)

// Config is what a [Stack] needs to know when it starts. The zero value opens
// no socket and is refused.
type Config struct {
	// UDP, TCP and TLS list the addresses to listen on as "host:port". Port 0
	// takes a free one, an empty host means every address of the machine.
	UDP, TCP, TLS []string
	// Sockets are further UDP sockets, open already. The stack closes them.
	Sockets []wire.PacketConn
	// TLSConfig holds the certificate of the TLS listeners and, as RootCAs, what
	// outgoing connections trust. It is required when TLS is not empty.
	TLSConfig *tls.Config
	// UserAgent goes into the User-Agent and Server headers; empty: "callbox".
	UserAgent string
	// Realm is that of digest challenges; empty: "callbox".
	Realm string
	// External is the host that Via and Contact show to peers with public
	// addresses, for a box behind a NAT with a fixed public address. Empty, and for
	// peers on private networks: our address towards the peer.
	External string
	// Logger takes one line for each refused message kind, lost connection and
	// recovered panic; nil discards. Credentials are never logged.
	Logger *slog.Logger
	// T1 is the round-trip estimate of RFC 3261 §17.1.1.1 from which all other
	// timers follow (T2 = 8 T1, T4 = 10 T1, timeouts = 64 T1). 0: 500 ms. Tests
	// shorten it.
	T1 time.Duration
	// MinExpires and MaxExpires bound what the registrar grants; a shorter wish is
	// answered 423, a longer one is cut. 0: 60 s and 1 h.
	MinExpires, MaxExpires time.Duration
	// NonceLife is how long a digest nonce is good; 0: 5 min.
	NonceLife time.Duration
	// MaxDialogs bounds the dialogs at one time; further INVITEs get 503. 0: 512.
	MaxDialogs int
	// Watch is shown the messages of calls, see [wire.Config]; nil: nobody watches.
	Watch func(wire.Message)
	// Elsewhere finds what rings elsewhere than on SIP by the Call-ID that a document of
	// an event package gives it, so that a Replaces header can name it: what Bind would
	// have left, nil when there is none. nil: nothing does.
	Elsewhere func(callID string) any
	// Events are the event packages that phones may subscribe to.
	Events []EventPackage
	// Resolver looks names up; nil: one that does it the system's way.
	Resolver *locate.Resolver
}

// Validate reports the first thing wrong with the configuration.
func (c Config) Validate() error {
	if len(c.UDP)+len(c.TCP)+len(c.TLS)+len(c.Sockets) == 0 {
		return errors.New("sip: no address to listen on")
	}
	if len(c.TLS) > 0 && c.TLSConfig == nil {
		return errors.New("sip: TLS listeners need a certificate")
	}
	for _, list := range [][]string{c.UDP, c.TCP, c.TLS} {
		for _, a := range list {
			if _, _, err := net.SplitHostPort(a); err != nil {
				return fmt.Errorf("sip: listen address %q: %w", a, err)
			}
		}
	}
	if c.MinExpires > 0 && c.MaxExpires > 0 && c.MinExpires > c.MaxExpires {
		return errors.New("sip: the shortest registration is longer than the longest")
	}
	return nil
}

// Credentials are a user name and a password for digest authentication.
type Credentials struct{ Username, Password string }

// Header is one header of a message, for those that this package does not
// interpret (X- headers, Diversion, P-Asserted-Identity …).
type Header struct{ Name, Value string }

// Reason says why a dialog ends or an INVITE is refused. Each non-zero value
// becomes a Reason header (RFC 3326), and such headers of the far end are read.
type Reason struct {
	Q850 int    // ITU-T Q.850 cause 1…127, 0 when unknown
	SIP  int    // SIP status 300…699, 0 when unknown
	Text string // short text, may be empty
}

// Sentinels that callers branch on.
var (
	// ErrClosed is returned after the stack has stopped.
	ErrClosed = errors.New("sip: the stack is closed")
	// ErrEnded is returned by methods of a dialog that has ended.
	ErrEnded = errors.New("sip: the dialog has ended")
	// ErrState is returned when a dialog is not in a state that allows the method:
	// answering twice, answering an outgoing dialog, a re-INVITE before the answer.
	ErrState = errors.New("sip: not possible in this state of the dialog")
	// ErrGlare is returned by Reinvite when the far end asks at the same moment
	// (491); try again after a moment (RFC 3261 §14.1).
	ErrGlare = errors.New("sip: both sides changed the session at once")
	// ErrTimeout is returned when the far end did not answer a request in time.
	ErrTimeout = errors.New("sip: no response")
	// ErrTransport is returned when a message could not be sent or its connection was lost.
	ErrTransport = errors.New("sip: transport failed")
	// ErrLimit is returned when MaxDialogs are in use.
	ErrLimit = errors.New("sip: too many dialogs")
)

// StatusError is a final response that refused a request.
type StatusError struct {
	Status int    // 300…699
	Text   string // reason phrase
	Reason Reason // from the Reason header, zero when there was none
	// RetryAfter is how long the sender asks to wait, 0 when it does not say.
	RetryAfter time.Duration
}

// Error gives the status and its phrase.
func (e *StatusError) Error() string { return fmt.Sprintf("sip: refused with %d %s", e.Status, e.Text) }

// Binding is one contact of a registered user.
type Binding struct {
	User      string         // the peer's Username
	Contact   string         // the contact URI as registered
	Source    netip.AddrPort // where the registration came from: the way back through a NAT
	Local     netip.Addr     // our address that the phone registered at
	Transport string         // "udp", "tcp", "tls", or a browser's "ws" or "wss"
	Expires   time.Time
	UserAgent string

	flow wire.Flow // the path itself
}
