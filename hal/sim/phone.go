package sim

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"callbox/hal"
)

// Errors of a script's actions.
var (
	ErrOnHook = errors.New("the phone is on-hook")
	ErrFull   = errors.New("the phone has too much to say")
)

// Limits of what a phone remembers.
const (
	maxHeard = 5 * 60 * hal.SampleRate // samples; the oldest go first
	maxSay   = 5 * 60 * hal.SampleRate // samples waiting to be said
	maxGap   = hal.SampleRate          // silence noted for a pause of the box, in samples
)

// Faults are what can be wrong with a phone and its line. The zero value is a
// good line.
type Faults struct {
	Bounce       time.Duration // the hook switch bounces for so long at each move
	Dead         bool          // the wire is cut: no current, no ring, no sound
	StuckOffHook bool          // SHK always shows off-hook
	StuckOnHook  bool          // SHK always shows on-hook
	RingSpikes   bool          // the ringer draws short current spikes while it rings
	LoseEdges    bool          // level changes of SHK are not delivered
	RatePPM      float64       // error of the codec's clock, parts per million
	EchoLoss     float64       // dB from what the phone is told to what the line sends back of it; 0: no echo
	PinError     error         // every pin operation fails with it
	PCMError     error         // every sound operation fails with it
}

// Phone is an analogue phone on a line chip. Methods may be called from any
// goroutine; those that move the hook or speak are for one script at a time.
type Phone struct {
	chip  *chip
	codec *codec
	done  chan struct{}
	once  sync.Once

	mu     sync.Mutex
	off    bool
	faults Faults
	bell   bell
	say    []int16
	said   int64         // samples of say that have gone, ever
	hungUp int           // times hung up, ever
	drain  chan struct{} // closed and replaced when said or off changes
	heard  []int16
	hybrid hybrid
	screen *display
}

// NewPhone makes a phone, on-hook, on a line chip that sleeps. Close ends what
// waits for it.
func NewPhone(name string) *Phone {
	p := &Phone{chip: newChip(name), done: make(chan struct{}), drain: make(chan struct{}), screen: newDisplay()}
	p.bell.wake = make(chan struct{})
	p.chip.ear = p.ringVoltage
	p.codec = &codec{mic: p.speak, ear: p.listen, err: p.pcmError, ppm: p.ppm, end: make(chan struct{})}
	return p
}

// SHK is the switch hook line of the chip, for the driver.
func (p *Phone) SHK() hal.Input { return shkPin{p.chip} }

// RM is the ring mode line.
func (p *Phone) RM() hal.Output { return rmPin{p.chip} }

// FR is the forward/reverse line.
func (p *Phone) FR() hal.Output { return frPin{p.chip} }

// PD is the power down line.
func (p *Phone) PD() hal.Drain { return pdPin{p.chip} }

// PCM is the port's sound.
func (p *Phone) PCM() hal.PCM { return p.codec }

// Close ends all waiting and makes the pins and the sound fail with
// hal.ErrClosed.
func (p *Phone) Close() error {
	p.once.Do(func() {
		close(p.done)
		p.chip.close()
	})
	return p.codec.Close()
}

// SetFaults replaces the faults.
func (p *Phone) SetFaults(f Faults) {
	p.mu.Lock()
	p.faults = f
	p.mu.Unlock()
	p.chip.mu.Lock()
	p.chip.faults = f
	p.chip.update()
	p.chip.mu.Unlock()
}

// OffHook picks the phone up. It returns when the switch has come to rest.
func (p *Phone) OffHook() { p.hook(true) }

// OnHook hangs the phone up. What waits to be said is dropped.
func (p *Phone) OnHook() { p.hook(false) }

// IsOffHook reports where the handset is.
func (p *Phone) IsOffHook() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.off
}

func (p *Phone) hook(off bool) {
	p.mu.Lock()
	p.off = off
	bounce := p.faults.Bounce
	if !off {
		p.say, p.hybrid = nil, hybrid{}
		p.hungUp++
	}
	p.changed()
	p.mu.Unlock()
	p.bounce(time.Now(), off, bounce)
}

// bounce moves the contact at a time; it chatters every 0.7 ms for d.
func (p *Phone) bounce(at time.Time, closed bool, d time.Duration) {
	const chatter = 700 * time.Microsecond
	for n := range int(d / chatter) {
		p.chip.setContact(closed == (n%2 == 0), at)
		at = at.Add(chatter)
		if !p.until(context.Background(), at) {
			return
		}
	}
	p.chip.setContact(closed, at)
}

// until waits for a time; false when the phone was closed or ctx ended.
func (p *Phone) until(ctx context.Context, at time.Time) bool {
	t := time.NewTimer(time.Until(at))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-p.done:
		return false
	case <-ctx.Done():
		return false
	}
}

// Flash presses the hook for d, usually 300 ms.
func (p *Phone) Flash(ctx context.Context, d time.Duration) error {
	return p.open(ctx, time.Now(), d)
}

// open breaks the loop from a time on for d.
func (p *Phone) open(ctx context.Context, at time.Time, d time.Duration) error {
	p.mu.Lock()
	off, bounce := p.off, p.faults.Bounce
	p.mu.Unlock()
	if !off {
		return ErrOnHook
	}
	bounce = min(bounce, d/2)
	p.bounce(at, false, bounce)
	ok := p.until(ctx, at.Add(d))
	p.bounce(at.Add(d), true, bounce)
	return p.why(ctx, ok)
}

// DialPulses dials with a rotary dial at pps pulses per second (8…12), 60 % of
// each broken, with 800 ms between digits.
func (p *Phone) DialPulses(ctx context.Context, digits string, pps int) error {
	if pps < 1 {
		return fmt.Errorf("%d pulses per second", pps)
	}
	period, at := time.Second/time.Duration(pps), time.Now()
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return fmt.Errorf("no %q on a rotary dial", digits[i])
		}
		n := int(digits[i] - '0')
		if n == 0 {
			n = 10
		}
		for range n {
			if err := p.open(ctx, at, period*60/100); err != nil {
				return err
			}
			at = at.Add(period)
			if !p.until(ctx, at) {
				return p.why(ctx, false)
			}
		}
		at = at.Add(800 * time.Millisecond)
		if !p.until(ctx, at) {
			return p.why(ctx, false)
		}
	}
	return nil
}

// Press presses keys: 100 ms each, 100 ms apart. It returns when the last one
// was let go.
func (p *Phone) Press(ctx context.Context, digits string) error {
	s, err := Keys(digits, 100*time.Millisecond, 100*time.Millisecond)
	if err != nil {
		return err
	}
	return p.Say(ctx, s)
}

// Say speaks samples into the phone and returns when the line has taken them.
// It fails with ErrOnHook when the phone is or gets hung up.
func (p *Phone) Say(ctx context.Context, samples []int16) error {
	p.mu.Lock()
	if !p.off {
		p.mu.Unlock()
		return ErrOnHook
	}
	if len(p.say)+len(samples) > maxSay {
		p.mu.Unlock()
		return ErrFull
	}
	p.say = append(p.say, samples...)
	until, hungUp := p.said+int64(len(p.say)), p.hungUp
	for {
		off, said, drain := p.hungUp == hungUp, p.said, p.drain
		p.mu.Unlock()
		switch {
		case said >= until:
			return nil
		case !off:
			return ErrOnHook
		}
		select {
		case <-drain:
		case <-ctx.Done():
			return ctx.Err()
		case <-p.done:
			return hal.ErrClosed
		}
		p.mu.Lock()
	}
}

// Heard gives what the earpiece played since the phone was made or Forget was
// called, while it was off-hook: the last five minutes at most.
func (p *Phone) Heard() []int16 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]int16(nil), p.heard...)
}

// Forget drops what was heard.
func (p *Phone) Forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard = nil
	p.screen.shown = nil
}

// Display is what the phone's display has shown since Forget, oldest first, at
// most the last 100.
func (p *Phone) Display() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.screen.shown...)
}

// Lamp reports whether the lamp of waiting messages is lit.
func (p *Phone) Lamp() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.screen.lamp
}

// WaitRing returns when n rings have been heard since the call; one that sounds
// now counts.
func (p *Phone) WaitRing(ctx context.Context, n int) error {
	p.mu.Lock()
	until := p.bell.heard + n
	if p.bell.ringing(time.Now()) {
		until--
	}
	for p.bell.heard < until {
		wake := p.bell.wake
		p.mu.Unlock()
		select {
		case <-wake:
		case <-ctx.Done():
			return fmt.Errorf("wait for %d rings: %w", n, ctx.Err())
		case <-p.done:
			return hal.ErrClosed
		}
		p.mu.Lock()
	}
	p.mu.Unlock()
	return nil
}

// Ringing reports whether the phone rings at this moment.
func (p *Phone) Ringing() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bell.ringing(time.Now())
}

// Bursts gives the rings that were heard, oldest first, at most the last 1,000.
func (p *Phone) Bursts() []Burst {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Burst(nil), p.bell.bursts...)
}

// Reversed reports whether the battery is reversed.
func (p *Phone) Reversed() bool {
	p.chip.mu.Lock()
	defer p.chip.mu.Unlock()
	return p.chip.reversed
}

// Violations are the things that a real line chip would not have liked, as
// sentences, at most 100.
func (p *Phone) Violations() []string {
	p.chip.mu.Lock()
	defer p.chip.mu.Unlock()
	return append([]string(nil), p.chip.remarks...)
}

// Rest reports whether the chip is safe: RM low, F/R high; and whether it sleeps.
func (p *Phone) Rest() (safe, asleep bool) {
	p.chip.mu.Lock()
	defer p.chip.mu.Unlock()
	return p.chip.rm == hal.Low && p.chip.fr == hal.High, !p.chip.awake
}

// ringVoltage is called by the chip, with its lock held.
func (p *Phone) ringVoltage(now time.Time, on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bell.turn(now, on)
}

// speak fills b with what the phone says.
func (p *Phone) speak(b []int16, at int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(b)
	if !p.off || p.faults.Dead {
		return
	}
	if n := copy(b, p.say); n > 0 {
		p.say = p.say[n:]
		p.said += int64(n)
		p.changed()
	}
	if p.faults.EchoLoss > 0 {
		p.hybrid.answer(b, at, p.faults.EchoLoss)
	}
}

// listen takes what the phone hears.
func (p *Phone) listen(b []int16, gap int, at int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.faults.Dead {
		return
	}
	if !p.off {
		if !p.bell.ringing(time.Now()) { // the ringing voltage drowns everything
			p.screen.listen(b)
		}
		return
	}
	if p.screen.attend(b) {
		if key, err := Keys("D", ackTime, 0); err == nil {
			p.say = append(key, p.say...)
			p.said -= int64(len(key)) // nobody waits for these
		}
	}
	p.heard = append(p.heard, make([]int16, min(gap, maxGap))...)
	p.heard = append(p.heard, b...)
	if n := len(p.heard) - maxHeard; n > maxGap { // not at each frame: it moves all of it
		p.heard = p.heard[:copy(p.heard, p.heard[n:])]
	}
	p.hybrid.hear(b, at)
}

// changed wakes whoever waits in Say; p.mu is held.
func (p *Phone) changed() {
	close(p.drain)
	p.drain = make(chan struct{})
}

func (p *Phone) pcmError() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.faults.PCMError
}

func (p *Phone) ppm() float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.faults.RatePPM
}

// why is the error of a pause that did not last.
func (p *Phone) why(ctx context.Context, ok bool) error {
	switch {
	case ok:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return hal.ErrClosed
}
