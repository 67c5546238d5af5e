package call

import (
	"context"
	"time"
)

// The optional abilities of lines and legs, found by type assertion. This is
// the only file that declares them.

// DigitSender is a leg that can send digits outside the sound (RFC 4733, a
// modem's AT+VTS). Where a leg lacks it, digits are played as tones.
type DigitSender interface {
	// SendDigit sends one of 0-9 * # A-D for d (40 ms to 8 s) and returns when it
	// was sent or ctx ended.
	SendDigit(ctx context.Context, digit byte, d time.Duration) error
}

// Overhearer is a leg whose answer may be known by the far end's voice alone: its first
// words are over by then.
type Overhearer interface {
	// Overheard is what the far end said up to the answer, from its first word on, at
	// 8 kHz and at most 2 s; empty where nobody spoke before. It may be called once the
	// leg is answered, from any goroutine.
	Overheard() []int16
}

// Teller is an answered leg that can send the far end a request within the call.
type Teller interface {
	// Tell sends m and waits for the answer, whatever it is. The error wraps
	// ErrLegEnded or ErrWrongState, is that of ctx, or says why m cannot be sent.
	Tell(ctx context.Context, m SIPMessage) (SIPResponse, error)
}

// Adorner is a leg whose own messages to the far end can carry further headers.
type Adorner interface {
	// RingWith puts headers into what the far end of an arriving leg is told before
	// the answer. ErrLegEnded, or why a header cannot be sent.
	RingWith(h []Header) error
	// EndWith puts headers into the message that ends the leg. The errors are the same.
	EndWith(h []Header) error
}

// Releaser is an answered leg whose sound can go past the box.
type Releaser interface {
	// Release has the far ends of the leg and of peer exchange their sound without
	// the box, which keeps the signalling, and returns when both have agreed. over is
	// closed when one of the far ends has turned to the box again by itself, or has
	// ended: what is left must be reclaimed, as after an error, which says why the two
	// do not agree. ctx is not heeded while an answer is due: the leg's end ends that.
	Release(ctx context.Context, peer Leg) (over <-chan struct{}, err error)
	// Reclaim brings the sound back into the box, in a codec that the box decodes.
	// Where it is so already it does nothing.
	Reclaim(ctx context.Context) error
}

// FaxPasser is a leg whose far end may go on with a fax as data (ITU-T T.38) in place
// of sound.
type FaxPasser interface {
	// PassFax has faxes of the far ends of the leg and of peer passed on from one to the
	// other, unread, from when one of them asks for that and the other one agrees: else it
	// is refused, and the sound stays. part ends that; far ends that are at a fax are
	// brought back to sound. ok is false where peer is of another kind.
	PassFax(peer Leg) (part func(), ok bool)
}

// CodecChooser is a leg that lets another one have a say in its codec.
type CodecChooser interface {
	// Offered are the codecs that the leg could use, best first, as Dial.Codecs: of an
	// arriving leg that is not answered those of its far end that its line allows, else
	// the one in use.
	Offered() []string
	// Prefer has an arriving leg answered in the first of these codecs that both sides
	// have, be it one that the box does not decode. Once it has answered, or told of
	// early sound, it does nothing.
	Prefer(codecs []string)
}

// Identifier is an answered leg whose far end can be told that it speaks to somebody
// else now.
type Identifier interface {
	// Identify shows p on the far end's display, where the line may, and waits until
	// that is done. The error is ErrLegEnded, that of ctx, or says why not.
	Identify(ctx context.Context, p Party) error
}

// Reporter is a line that can say how it is.
type Reporter interface {
	// Status is the line's present condition in one sentence.
	Status() LineStatus
}

// Flasher is a line that can press the hook shortly, as on a telephone, to ask the
// exchange at its other end for something in a call.
type Flasher interface {
	// Flash asks for it. The error is a Cause, or ErrWrongState without a call.
	Flash(ctx context.Context) error
}

// Texter is a line that sends text messages and talks to its network by USSD.
type Texter interface {
	// SendText sends body to a number, in as many messages of the network as it takes,
	// and returns when the network has them. The error is a *TextError.
	SendText(ctx context.Context, to, body string) (TextSent, error)
	// USSD sends a code ("*100#"), or an answer to a network that waits for one, and
	// gives what the network says to it. The error is one sentence for people.
	USSD(ctx context.Context, code string) (USSDAnswer, error)
	// CancelUSSD ends a session in which the network waits for an answer.
	CancelUSSD(ctx context.Context) error
	// Number is the line's own number, empty when it does not know it.
	Number() string
}

// LineStatus is a line's condition for people and programs.
type LineStatus struct {
	Ready bool      // a call can be placed now
	Since time.Time // when Ready last changed
	Text  string    // "registered as 201 from 192.0.2.7:5060", "SIM missing"
	Busy  int       // channels in use
	Max   int       // channels, 0 when unlimited
}

// CodecTeller is a leg that knows its negotiated codec after media started.
type CodecTeller interface {
	Codec() string
}

// MediaReporter is a leg that counts its media.
type MediaReporter interface {
	MediaStats() MediaStats
}

// MediaStats are a leg's media counters since it started.
type MediaStats struct {
	PacketsIn, PacketsOut   uint64
	Lost, Late, Duplicates  uint64        // packets
	Concealed               uint64        // frames made up by loss concealment
	Dropped                 uint64        // frames thrown away because a queue was full
	Jitter, MaxBufferLength time.Duration // RFC 3550 inter-arrival jitter; longest jitter buffer
	// What the far end's reports say (RFC 3550 §6.4): the last round trip, what it
	// has lost of what was sent, and its jitter; 0 when it has sent none.
	RTT          time.Duration
	RemoteLost   uint64
	RemoteJitter time.Duration
	Refused      uint64 // packets that could not be opened: other keys, in the clear, repeated
}

// EchoReporter is a leg on a line that sends back what it is told.
type EchoReporter interface {
	// Echo tells how much weaker, in dB, the line's echo is than what it was told
	// (returnLoss), and how much the box takes off that (enhancement). ok is false
	// while neither is known.
	Echo() (returnLoss, enhancement float64, ok bool)
}
