package linetest

import (
	"context"

	"callbox/call"
)

// FarEnd is the party at the other end of the line under test: a SIP phone or
// provider, an analogue phone on simulated wires. It has one call at a time.
// Every method returns ctx's error when ctx ends first.
type FarEnd interface {
	// WaitRing waits until a call from the box rings at the far end.
	WaitRing(ctx context.Context) error
	// Answer picks up the call that rings. It returns when the far end has done
	// its part, not when the box knows. It is an error when nothing rings.
	Answer(ctx context.Context) error
	// Hangup puts down whatever call there is, answered or not; a ringing call is
	// declined where the technology has that, and left alone where not. Without
	// a call it does nothing.
	Hangup(ctx context.Context) error
	// Busy makes the far end busy for calls from the box, until Hangup: a phone
	// that is off its hook, a SIP phone that answers 486.
	Busy(ctx context.Context) error
	// Call places a call to the box by dialling number and returns when that is
	// under way.
	Call(ctx context.Context, number string) error
	// WaitEnd waits until the far end has no call left and tells what it learned
	// of the reason; the zero Cause where it cannot know. A far end that is never
	// told (an analogue phone hears a tone) puts its receiver down itself.
	WaitEnd(ctx context.Context) (call.Cause, error)
}

// Voice is the far end's mouth, ears and keys. Samples are 8,000 Hz, linear.
type Voice interface {
	// Say queues samples to be said from now on, once; then it is silent.
	Say(samples []int16)
	// Heard is everything heard in the present call so far, silence included.
	Heard() []int16
	// Press presses a key (0-9 * # A-D) of the present call for about 100 ms and
	// returns when it was released.
	Press(ctx context.Context, digit byte) error
	// Digits is every digit that the box has sent in the present call, as a signal
	// (RFC 4733) or as tones where the far end understands those.
	Digits() string
}

// Fixture is a line with its far end, fresh and not yet served.
type Fixture struct {
	Line call.Line
	// Dial reaches the far end.
	Dial  call.Dial
	Far   FarEnd
	Voice Voice
	// Number is what the far end dials to call in, and then the leg's Info().To.
	// Empty: the far end cannot call in, and those cases only say so in the log.
	Number string
	// From is the leg's Info().From of such a call; empty: not looked at.
	From string
	// RejectTones are the frequencies, in Hz, that a caller hears whose call was
	// refused as busy, where refusing is a sound. Empty: the far end's cause is
	// looked at instead.
	RejectTones []float64
	// Served brings the far end to the line once it is served (it registers); nil:
	// nothing to do.
	Served func()
	// Leave takes the far end away in good order (it unregisters) before the line
	// stops; nil: nothing to do.
	Leave func()
	// Leak reports what the line still holds (RTP ports, channels) after its legs
	// have ended; nil: nothing to look at.
	Leak func() error
}
