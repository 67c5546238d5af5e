package sip

import (
	"context"
	"net/netip"
	"time"
)

// Stack is the SIP endpoint of the box: its sockets, peers, registrar and
// dialogs. All methods may be called concurrently.
type Stack struct{}

// New opens the sockets of cfg. Call Serve to start reading; it also closes them.
func New(cfg Config) (*Stack, error) { return nil, cfg.Validate() }

// Serve runs the stack until ctx ends, then ends what is left of the dialogs
// (for at most 2 s), closes the sockets and waits for every goroutine.
func (s *Stack) Serve(ctx context.Context) error { return ErrClosed }

// Addr is the address of the first listener of network "udp", "tcp" or "tls";
// the zero value when there is none.
func (s *Stack) Addr(network string) netip.AddrPort { return netip.AddrPort{} }

// LocalFor is the address of this machine that the kernel uses towards host (an
// address or a name, with or without port): the one for SDP. When no route is
// known it is the zero value.
func (s *Stack) LocalFor(host string) netip.Addr { return netip.Addr{} }

// Resolve gives the addresses that requests to uri go to, best first (a
// "sip:" URI, "host" or "host:port"): SRV records of its transport when it has no port, else A and
// AAAA (RFC 3263 §4, without NAPTR). The transport comes from the URI.
func (s *Stack) Resolve(ctx context.Context, uri string) (transport string, addrs []netip.AddrPort, err error) {
	return "", nil, ErrClosed
}

// AddPeer makes a peer known. remove forgets it, with its bindings; its dialogs
// go on. The error says which name, user or address is taken already.
func (s *Stack) AddPeer(p Peer) (remove func(), err error) { return nil, ErrClosed }

// Bindings lists the live registrations of a user, the newest first.
func (s *Stack) Bindings(user string) []Binding { return nil }

// Invite describes an outgoing call.
type Invite struct {
	// Target is the request URI, "sip:+15550100@biloxi.example;transport=tcp".
	Target string
	// Route is the next hop as "sip:host:port;transport=x", "host:port" or "host";
	// empty: Target itself. It gets no Route header unless the URI has ";lr".
	Route string
	// Binding sends the INVITE to a registered phone: its contact is the request
	// URI when Target is empty, its source address and transport are the next hop.
	Binding *Binding
	// From is the user part of the From URI, FromName the display name, FromHost
	// the host part (empty: the local address).
	From, FromName, FromHost string
	// To is the To URI; empty: Target.
	To string
	// Auth answers 401 and 407; nil: those end the dialog.
	Auth *Credentials
	// Headers are added in order; those that the package itself writes are refused.
	Headers []Header
	// ContactUser is the user part of our Contact; empty: From.
	ContactUser string
	// SDP is the offer; nil asks the far end for one.
	SDP []byte
	// Transport is "udp", "tcp" or "tls"; empty: from Route, Target or Binding, else
	// UDP, with TCP for messages above 1,300 bytes when the peer takes it.
	Transport string
}

// Invite starts an outgoing dialog. It returns when the INVITE is on its way;
// what follows arrives on Events. ctx bounds name look-ups only. A wrong URI or
// header, a name without address and ErrLimit are errors.
func (s *Stack) Invite(ctx context.Context, inv Invite) (*Dialog, error) { return nil, ErrClosed }

// RegState is how an outgoing registration stands.
type RegState struct {
	Registered bool
	Since      time.Time // when Registered last changed
	Expires    time.Time // end of the granted time, when Registered
	Retry      time.Time // next attempt, when not Registered
	Status     int       // last final response, 0 when none came
	Text       string    // one sentence: "registered at 192.0.2.1:5060 for 300 s", "refused with 403 Forbidden"
	Remote     netip.AddrPort
}

// RegistrationConfig describes an outgoing registration (RFC 3261 §10.2).
type RegistrationConfig struct {
	AOR       string // "sip:alice@atlanta.example"
	Registrar string // request URI; empty: "sip:" and the host of AOR
	Proxy     string // next hop as in Invite.Route; empty: Registrar
	Auth      Credentials
	Expires   time.Duration // wish; 0: 5 min
	// ContactUser is the user part of the contact; empty: that of AOR.
	ContactUser string
	Transport   string // as in Invite
	// OnState is told every change, in order, on the goroutine of Register.
	OnState func(RegState)
}

// Register keeps a registration alive until ctx ends, then removes it (for at
// most 2 s) and returns nil. It refreshes at 80 % of the granted time and after
// a failure tries again with a pause that doubles from 2 s to 5 min, with
// jitter. Only a wrong configuration returns an error.
func (s *Stack) Register(ctx context.Context, cfg RegistrationConfig) error { return ErrClosed }

// Dialog is one INVITE dialog, arriving or outgoing. All methods may be called
// from any goroutine.
type Dialog struct{}

// Info is what was known at the start.
func (d *Dialog) Info() DialogInfo { return DialogInfo{} }

// Events delivers the dialog's life in order and is closed after Ended. It
// holds 64; when nobody drains it Info and repeated Ringing events are dropped
// and counted, never state changes.
func (d *Dialog) Events() <-chan DialogEvent { return nil }

// Ring sends a provisional response 180…183 to an arriving INVITE, with sdp for
// early media or nil. It repeats the last one each minute, as RFC 3261
// §13.3.1.1 wants.
func (d *Dialog) Ring(status int, sdp []byte) error { return ErrState }

// Answer sends the 200 with sdp to an arriving INVITE and repeats it until the
// ACK, which is the Confirmed event. Without an ACK in 64 T1 the dialog ends
// with a BYE, By network.
func (d *Dialog) Answer(sdp []byte) error { return ErrState }

// Reject refuses an arriving INVITE with a status 300…699; r becomes Reason
// headers. Ended follows at once. In any other state it is Hangup.
func (d *Dialog) Reject(status int, r Reason) {}

// Reinvite offers a changed session in an answered dialog and gives the answer.
// A refusal is a *StatusError and leaves the session as it was; 491 is ErrGlare;
// 408 and 481 end the dialog.
func (d *Dialog) Reinvite(ctx context.Context, sdp []byte) (answer []byte, err error) {
	return nil, ErrState
}

// AcceptOffer answers the outstanding Offer event, or the offer in Answered when
// the INVITE had no SDP.
func (d *Dialog) AcceptOffer(sdp []byte) error { return ErrState }

// RefuseOffer refuses the outstanding Offer event with status 400…699 (488: not
// acceptable here). The session stays as it was.
func (d *Dialog) RefuseOffer(status int) error { return ErrState }

// Hangup ends the dialog in whatever state it is: CANCEL, BYE or a final
// response with r. It does not block. Ended follows within 4 s even if the far
// end is dead; repeated calls do nothing. A 200 that crosses the CANCEL is
// acknowledged and ended with BYE by the dialog itself.
func (d *Dialog) Hangup(r Reason) {}

// SendInfo sends an INFO request (RFC 6086) in an answered dialog and waits for
// its final response; a refusal is a *StatusError.
func (d *Dialog) SendInfo(ctx context.Context, contentType string, body []byte) error {
	return ErrState
}
