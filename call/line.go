package call

import (
	"context"
	"time"

	"callbox/media"
)

// Kind is the technology of a line.
type Kind string

// The kinds of line. Fxo and Gsm have their drivers in hal.
const (
	Trunk Kind = "trunk" // a SIP provider or telephone system
	User  Kind = "user"  // a SIP phone that registers with the box
	FXS   Kind = "fxs"   // an analogue phone on a port of the box
	FXO   Kind = "fxo"   // an analogue exchange line
	GSM   Kind = "gsm"   // a SIM in a modem
)

// Line is something that calls can be placed on or arrive from. Every
// implementation passes the suite in call/line/linetest. All methods may be
// called concurrently.
type Line interface {
	// ID is the line's stable name, unique on the box: "provider", "201", "fxs1".
	ID() string
	Kind() Kind
	// Serve runs the line until ctx ends: it registers, watches hooks, answers
	// the bus, and offers arriving legs to in. It returns nil when ctx ended and
	// an error only when the line can never work (a wrong configuration); lost
	// networks and devices are its own to retry. When it returns, all its
	// goroutines have ended and its legs have been told to end.
	Serve(ctx context.Context, in Receiver) error
	// Dial starts an outgoing leg and returns as soon as the attempt is under
	// way; what follows arrives on Leg.Events. ctx bounds only the start. The
	// error is or wraps a [Cause] ("all channels of trunk provider are in use").
	Dial(ctx context.Context, d Dial) (Leg, error)
}

// Receiver takes legs that arrive on a line.
type Receiver interface {
	// Incoming hands over a leg that rings at the box. It does not block. The
	// receiver owns the leg from here on and ends it with Hangup.
	Incoming(leg Leg)
}

// Dial says what an outgoing leg needs. Zero values mean "nothing special".
type Dial struct {
	// To is what to call, as the line understands it: the digits for trunk, fxo,
	// gsm (after the route's strip and add); a full "sip:" URI for a trunk that
	// dials bare URIs; ignored where the line is itself the destination (user, fxs).
	To string
	// From is the caller's number or user name, FromName the display name;
	// "anonymous" is a caller who does not want to be known.
	From, FromName string
	// Auth answers a 401/407 when the line has no credentials of its own.
	Auth *Credentials
	SIP
	// Forwarded is the number that sent the call on to To, empty when none did.
	Forwarded string
	// Asserted is the number that a network vouches for as that of the caller whose
	// call is passed on, for networks that are trusted with it; empty: none is. Private
	// says that nobody else may learn it.
	Asserted string
	Private  bool
	// Headers are added to the INVITE of SIP legs, in order.
	Headers []Header
	// Codecs is the caller's preference, best first ("PCMU", "PCMA"); empty: the
	// line's own order. It lets a bridge share a codec and relay undecoded. Behind a
	// space a codec may have the parameters of SDP's a=fmtp.
	Codecs []string
	// Pass says that those among Codecs that the box cannot decode are welcome too:
	// nobody but the two parties needs the sound.
	Pass bool
	// Reason is a short text for the callee's display (Call-Info, Subject).
	Reason string
}

// SIP is what SIP legs are told besides; other technologies do not heed it.
type SIP struct {
	// Proxy is an outbound proxy for this leg only ("sip:host:port;transport=tcp").
	Proxy string `json:"proxy,omitempty"`
	// FromHost is the host part of From; empty: the line's own.
	FromHost string `json:"from_host,omitempty"`
	// ToURI is the URI in To, where it differs from the one that is called.
	ToURI string `json:"to_uri,omitempty"`
	// URIParams are added to the request URI ("opaque=app:voicemail").
	URIParams string `json:"uri_params,omitempty"`
}

// TeamsLine and the name of a tenant stand for the trunk to Microsoft Teams of that
// tenant, where a line is asked for; without a name it is that of any.
const TeamsLine = "teams/"

// SIPMessage is a request within a SIP call: INFO, MESSAGE, NOTIFY and the like.
type SIPMessage struct {
	Method      string   `json:"method"`
	Headers     []Header `json:"headers,omitempty"`
	ContentType string   `json:"content_type,omitempty"` // empty without a Body
	Body        string   `json:"body,omitempty"`
}

// SIPResponse is what the far end answered to one.
type SIPResponse struct {
	Status int    // 200…699
	Reason string // its phrase, "OK"
}

// Credentials are a user name and a password for SIP digest.
type Credentials struct{ Username, Password string }

// Header is one header of a SIP message.
type Header struct{ Name, Value string }

// LegInfo is what is known of a leg when it starts. It never changes.
type LegInfo struct {
	Line      string    // Line.ID
	Kind      Kind      // Line.Kind
	Inbound   bool      // it arrived at the box
	From      string    // caller's number or user
	FromName  string    // caller's display name, may be empty
	Private   bool      // the caller does not want to be known to the called
	Asserted  string    // number that the network vouches for, also of a caller who is Private; empty: none
	To        string    // dialled number, user or URI
	Forwarded string    // number that forwarded the call here (Diversion), may be empty
	CallID    string    // SIP Call-ID, empty on other technologies
	Remote    string    // far address ("192.0.2.7:5060"), port or slot name
	Headers   []Header  // SIP X- headers of an arriving INVITE
	Codec     string    // name of the audio codec if known at the start
	Started   time.Time // when the attempt started or arrived
	Replaces  Leg       // whose place an arriving leg is to take (RFC 3891), nil: nobody's
}

// Leg is one party on one line. Methods may be called from any goroutine. A leg
// starts in the trying state, may ring or give early media, is answered at most
// once, and ends exactly once: the last event is LegEnded, after which Events
// is closed.
type Leg interface {
	Info() LegInfo
	// Events delivers the leg's life in order, closed after LegEnded. The owner
	// must drain it; the channel holds at least 64 events, digits beyond that
	// are dropped and counted, never state changes. It holds pointers because
	// every call pays for its room. An event is the receiver's.
	Events() <-chan *LegEvent
	// Audio is the leg's sound, the same value for the leg's whole life.
	Audio() media.Port
	// Progress tells an arriving leg's far end how far the call has got. On an
	// outgoing or answered leg it does nothing and returns nil.
	Progress(ctx context.Context, p Progress) error
	// Answer takes an arriving leg off-hook; the LegAnswered event follows. On an
	// answered leg it returns nil; on an ended one ErrLegEnded.
	Answer(ctx context.Context) error
	// Hangup ends the leg in whatever state it is: it cancels, rejects or hangs
	// up with the cause's Q.850 and SIP values. It does not block; LegEnded
	// follows within a bounded time (≤5 s) even if the far end is dead. Repeated
	// calls do nothing. An answer that crosses a cancel is ended by the leg itself.
	Hangup(c Cause)
}

// Progress is how far an arriving call has got.
type Progress int

const (
	// ProgressRinging tells the far end that the phone rings (180).
	ProgressRinging Progress = iota
	// ProgressEarly opens the sound towards the far end before the answer (183
	// with SDP); what is written to Audio is heard.
	ProgressEarly
)

// LegEventType is the kind of a LegEvent.
type LegEventType int

const (
	LegRinging  LegEventType = iota // the far phone rings
	LegEarly                        // the far end sends sound before the answer
	LegAnswered                     // the far end answered, or Answer was accepted
	LegDigit                        // the far end pressed LegEvent.Digit
	LegHeld                         // the far end put us on hold
	LegResumed                      // the far end took us back
	LegMessage                      // the far end sent LegEvent.Message, which is no key
	LegTransfer                     // the far end wants LegEvent.Transfer
	LegParty                        // the far end is LegEvent.Party now
	LegEnded                        // final; LegEvent.Cause says why
)

// String gives the event's name for logs.
func (t LegEventType) String() string {
	names := [...]string{"ringing", "early", "answered", "digit", "held", "resumed", "message", "transfer", "party", "ended"}
	if t < 0 || int(t) >= len(names) {
		return "unknown"
	}
	return names[t]
}

// Party is whom a far end speaks to.
type Party struct {
	Number string // or a user's name; "anonymous" is somebody who does not want to be known
	Name   string // may be empty
}

// LegEvent is something that happened to a leg.
type LegEvent struct {
	Type  LegEventType
	At    time.Time
	Digit byte  // LegDigit: one of 0-9 * # A-D, reported once per key press
	Apart bool  // LegDigit: it came outside the sound's own stream (SIP INFO), which does not carry it on
	Cause Cause // LegEnded
	// Onward are the parties that the far end sends the call to instead, best first:
	// of LegEnded before the answer.
	Onward []string
	// Message of LegMessage.
	Message *SIPMessage
	// Transfer of LegTransfer.
	Transfer *Transfer
	// Party of LegParty.
	Party *Party
}
