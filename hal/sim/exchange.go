package sim

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"callbox/hal"
)

// Errors of an exchange's scripts.
var (
	ErrNoCall = errors.New("there is no call on the line")
	ErrInUse  = errors.New("the line is in use")
)

// HangUpKind is how the box's end of a line learns that the far end has hung up.
type HangUpKind string

// How exchanges tell it; they differ by country and by age.
const (
	HangUpBusy       HangUpKind = "busy"       // busy tone
	HangUpCongestion HangUpKind = "congestion" // congestion tone
	HangUpDialTone   HangUpKind = "dial-tone"  // after a moment there is dial tone again
	HangUpSilence    HangUpKind = "silence"    // nothing more is heard
	HangUpLoopBreak  HangUpKind = "loop-break" // the loop current breaks for half a second, then busy tone
	HangUpPolarity   HangUpKind = "polarity"   // the battery turns back, then nothing is heard
)

// HangUpKinds are all of them.
func HangUpKinds() []HangUpKind {
	return []HangUpKind{HangUpBusy, HangUpCongestion, HangUpDialTone, HangUpSilence, HangUpLoopBreak, HangUpPolarity}
}

// ExchangeConfig is how an exchange treats a line.
type ExchangeConfig struct {
	Country string // ISO code, see [Countries]; empty: US
	Number  string // the line's own number
	// HangUp is how the box learns that the far end has hung up; empty: busy.
	HangUp HangUpKind
	// Reversal turns the battery when the far end answers.
	Reversal bool
	// EchoLoss is how much weaker, in dB, the line sends back what it is told; 0: none.
	EchoLoss float64
	// Numbers says what becomes of a dialled number; nil: [TestNumbers]. A number that
	// may go on gives Incomplete.
	Numbers func(digits string) Fate
	// Host has somebody at the far end who needs no test's hands: answers after two
	// rings, greets, and says what was heard again, until the box hangs up.
	Host bool
}

// Fate is what becomes of a dialled number.
type Fate int

// The fates.
const (
	Incomplete Fate = iota // wait for more digits
	Rings                  // the far phone rings
	IsBusy                 // busy tone
	Congested              // congestion tone
	Barred                 // the special information tone, then silence
	DeadAir                // nothing is heard
)

// TestNumbers decides by the end of a number of at least three digits: …86 is busy,
// …34 congested, …04 not in use, …08 stays silent; everything else rings.
func TestNumbers(digits string) Fate {
	if len(digits) < 3 {
		return Incomplete
	}
	for end, fate := range map[string]Fate{"86": IsBusy, "34": Congested, "04": Barred, "08": DeadAir} {
		if strings.HasSuffix(digits, end) {
			return fate
		}
	}
	return Rings
}

// Times of an exchange.
const (
	stepTime     = 20 * time.Millisecond
	stepSamples  = int(stepTime * hal.SampleRate / time.Second)
	digitTime    = 1500 * time.Millisecond // after the last digit the number is taken
	switchTime   = 400 * time.Millisecond  // from the number to the ringback
	breakTime    = 500 * time.Millisecond  // of a loop break
	redialTime   = time.Second             // from a far end's hang-up to dial tone
	dialWait     = 20 * time.Second        // dial tone without a digit
	idTime       = 900 * time.Millisecond  // what telling the caller takes
	greetingTone = 523.25                  // Hz, of the host
)

// lineState is what an exchange does with a line.
type lineState string

const (
	lineIdle     lineState = "idle"
	lineRinging  lineState = "ringing the box"
	lineDialTone lineState = "dial tone"
	lineDigits   lineState = "collecting digits"
	lineSwitch   lineState = "connecting"
	lineFarRings lineState = "the far phone rings"
	lineTalking  lineState = "talking"
	lineBusy     lineState = "busy tone"
	lineCongest  lineState = "congestion tone"
	lineInform   lineState = "information tone"
	lineSilent   lineState = "silence"
)

// Exchange is an exchange line with somebody at its other end. What moves the hook
// and the sound at the box's end is a simulated modem. Methods may be called from
// any goroutine; those that speak are for one script at a time.
type Exchange struct {
	done chan struct{}
	once sync.Once
	kick chan struct{} // something happened while the line was idle

	mu      sync.Mutex // guards what follows
	cfg     ExchangeConfig
	net     Network
	state   lineState
	since   int64         // the sample at which state began
	now     int64         // samples since the line was made, while it is in use
	off     bool          // the box's end is off-hook
	digits  string        // dialled by the box
	dialled string        // the number of the present or last call of the box
	caller  caller        // who calls the box
	rings   int           // rings of the present call so far
	events  []lineEvent   // for the modem
	changed chan struct{} // closed and replaced at each change
	say     []int16
	said    int64
	calls   int // calls ever, so that a script notices that its call is over
	heard   []int16
	hybrid  hybrid
	peer    *Exchange
	peerNo  string // its number
	faults  LineFaults
	host    host
	deaf    int64 // until this sample the box's end hears nothing (a break)
}

// caller is who calls the box.
type caller struct {
	number, name string
	told         bool
}

// LineFaults are what can be wrong with an exchange line. The zero value is a good
// line.
type LineFaults struct {
	Dead       bool `json:"dead,omitempty"`         // the wire is cut
	NoDialTone bool `json:"no_dial_tone,omitempty"` // it stays silent when it is seized
	NoCallerID bool `json:"no_caller_id,omitempty"` // callers are not told
	PulseOnly  bool `json:"pulse_only,omitempty"`   // keys are not understood
	DeafModem  bool `json:"deaf_modem,omitempty"`   // the modem reports neither tones nor the loop
}

// lineEvent is something that a modem can notice on its line.
type lineEvent int

const (
	evRing     lineEvent = iota // a burst of ringing
	evCallerID                  // who calls was told
	evLoop                      // the loop broke, or its battery turned
)

// NewExchange makes a line that is idle. Close ends what waits for it.
func NewExchange(c ExchangeConfig) *Exchange {
	if c.Numbers == nil {
		c.Numbers = TestNumbers
	}
	if c.HangUp == "" {
		c.HangUp = HangUpBusy
	}
	return &Exchange{cfg: c, net: NetworkOf(c.Country), state: lineIdle, done: make(chan struct{}),
		kick: make(chan struct{}, 1), changed: make(chan struct{})}
}

// Close ends all waiting.
func (x *Exchange) Close() error {
	x.once.Do(func() { close(x.done) })
	return nil
}

// Connect lets two exchanges call each other by their numbers.
func Connect(a, b *Exchange) {
	numberA, numberB := a.number(), b.number()
	a.mu.Lock()
	a.peer, a.peerNo = b, numberB
	a.mu.Unlock()
	b.mu.Lock()
	b.peer, b.peerNo = a, numberA
	b.mu.Unlock()
}

// rename tells the other exchange of another number.
func (x *Exchange) rename() {
	x.mu.Lock()
	peer, number := x.peer, x.cfg.Number
	x.mu.Unlock()
	if peer != nil {
		peer.mu.Lock()
		peer.peerNo = number
		peer.mu.Unlock()
	}
}

// Configure changes how the line is treated, from the next call on.
func (x *Exchange) Configure(edit func(*ExchangeConfig)) {
	x.mu.Lock()
	defer x.mu.Unlock()
	edit(&x.cfg)
	if x.cfg.Numbers == nil {
		x.cfg.Numbers = TestNumbers
	}
	x.net = NetworkOf(x.cfg.Country)
}

// SetFaults replaces the faults.
func (x *Exchange) SetFaults(f LineFaults) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.faults = f
}

// Faults are the present ones.
func (x *Exchange) Faults() LineFaults {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.faults
}

// State is what the exchange does with the line, in a few words.
func (x *Exchange) State() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return string(x.state)
}

// OffHook reports whether the box has seized the line.
func (x *Exchange) OffHook() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.off
}

// Dialled is the number of the box's present or last call.
func (x *Exchange) Dialled() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.dialled
}

// enter changes the state; x.mu is held.
func (x *Exchange) enter(s lineState) {
	x.state, x.since = s, x.now
	x.signal()
}

// signal wakes the waiters; x.mu is held.
func (x *Exchange) signal() {
	close(x.changed)
	x.changed = make(chan struct{})
}

// wait waits until ok holds, which is called with x.mu held.
func (x *Exchange) wait(ctx context.Context, what string, ok func() bool) error {
	for {
		x.mu.Lock()
		done, changed := ok(), x.changed
		x.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-changed:
		case <-x.done:
			return hal.ErrClosed
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, ctx.Err())
		}
	}
}

// WaitCall waits until a call of the box rings at the far end and gives the number.
func (x *Exchange) WaitCall(ctx context.Context) (number string, err error) {
	err = x.wait(ctx, "wait for a call", func() bool { number = x.dialled; return x.state == lineFarRings })
	return number, err
}

// WaitIdle waits until the box has hung up and nothing rings.
func (x *Exchange) WaitIdle(ctx context.Context) error {
	return x.wait(ctx, "wait for the end", func() bool { return x.state == lineIdle && !x.off })
}

// WaitTalking waits until the box and the far end are connected.
func (x *Exchange) WaitTalking(ctx context.Context) error {
	return x.wait(ctx, "wait for the answer", func() bool { return x.state == lineTalking })
}

// Answer lifts the far phone, which rings.
func (x *Exchange) Answer() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.state != lineFarRings {
		return fmt.Errorf("answer: %w: %s", ErrNoCall, x.state)
	}
	x.answered()
	return nil
}

// answered connects; x.mu is held.
func (x *Exchange) answered() {
	x.enter(lineTalking)
	if x.cfg.Reversal {
		x.tell(evLoop)
	}
}

// HangUp puts the far phone down, or gives up a call to the box that is not
// answered. Without a call it does nothing.
func (x *Exchange) HangUp() { x.hangUp(true) }

func (x *Exchange) hangUp(tellPeer bool) {
	x.mu.Lock()
	peer := x.peer
	switch x.state {
	case lineRinging:
		x.over()
	case lineTalking:
		x.gone()
	case lineFarRings, lineSwitch:
		x.enter(lineBusy)
	default:
		peer = nil
	}
	x.mu.Unlock()
	if tellPeer && peer != nil {
		peer.farHungUp(x.number())
	}
}

func (x *Exchange) number() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.cfg.Number
}

// farHungUp ends a call with the line of that number.
func (x *Exchange) farHungUp(number string) {
	x.mu.Lock()
	with := x.caller.number == number || x.dialled == number
	x.mu.Unlock()
	if with {
		x.hangUp(false)
	}
}

// gone lets the box learn that the far end has hung up; x.mu is held.
func (x *Exchange) gone() {
	x.say = nil
	x.calls++
	switch x.cfg.HangUp {
	case HangUpCongestion:
		x.enter(lineCongest)
	case HangUpSilence:
		x.enter(lineSilent)
	case HangUpDialTone:
		x.enter(lineSilent)
	case HangUpLoopBreak:
		x.tell(evLoop)
		x.deaf = x.now + int64(samples(breakTime))
		x.enter(lineBusy)
	case HangUpPolarity:
		x.tell(evLoop)
		x.enter(lineSilent)
	default:
		x.enter(lineBusy)
	}
}

// over is the end of a call and of all that belongs to it; x.mu is held.
func (x *Exchange) over() {
	x.calls++
	x.say, x.digits, x.events, x.caller, x.rings = nil, "", nil, caller{}, 0
	x.hybrid, x.host = hybrid{}, host{}
	x.enter(lineIdle)
}

// tell gives the modem an event; x.mu is held.
func (x *Exchange) tell(e lineEvent) {
	if len(x.events) < 16 {
		x.events = append(x.events, e)
	}
}

// Call has somebody call the box: number "P" is a caller who does not want to be
// known, "O" one whose number is not available.
func (x *Exchange) Call(number, name string) error {
	x.mu.Lock()
	if x.off || x.state != lineIdle || x.faults.Dead {
		x.mu.Unlock()
		return ErrInUse
	}
	x.caller = caller{number: number, name: name}
	x.heard = nil
	x.enter(lineRinging)
	x.mu.Unlock()
	x.wake()
	return nil
}

// wake starts the modem's clock.
func (x *Exchange) wake() {
	select {
	case x.kick <- struct{}{}:
	default:
	}
}

// active reports whether the line needs a clock.
func (x *Exchange) active() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.off || x.state != lineIdle
}

// Say speaks at the far end and returns when the line has taken it.
func (x *Exchange) Say(ctx context.Context, samples []int16) error {
	x.mu.Lock()
	if x.state != lineTalking {
		defer x.mu.Unlock()
		return fmt.Errorf("say: %w: %s", ErrNoCall, x.state)
	}
	if len(x.say)+len(samples) > maxSay {
		defer x.mu.Unlock()
		return ErrFull
	}
	x.say = append(x.say, samples...)
	until, call := x.said+int64(len(x.say)), x.calls
	x.mu.Unlock()
	over := false
	err := x.wait(ctx, "say", func() bool { over = x.calls != call; return over || x.said >= until })
	if over {
		return ErrNoCall
	}
	return err
}

// Press presses keys at the far end: 100 ms each, 100 ms apart.
func (x *Exchange) Press(ctx context.Context, digits string) error {
	s, err := Keys(digits, 100*time.Millisecond, 100*time.Millisecond)
	if err != nil {
		return err
	}
	return x.Say(ctx, s)
}

// Heard is what the far end has heard in the present or last call, at most the last
// five minutes.
func (x *Exchange) Heard() []int16 {
	x.mu.Lock()
	defer x.mu.Unlock()
	return append([]int16(nil), x.heard...)
}

// Forget drops what was heard.
func (x *Exchange) Forget() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.heard = nil
}
