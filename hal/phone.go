package hal

import (
	"errors"
	"fmt"
	"time"
)

// Phone is a port for one analogue phone (FXS). Methods may be called from any
// goroutine.
type Phone interface {
	// Events delivers what the phone does, in order. It is closed when the driver
	// was closed. When the reader falls more than 64 events behind, they are
	// replaced by one event with the present hook state.
	//
	// A phone that is off-hook when the driver starts gives an OffHook event.
	Events() <-chan PhoneEvent
	// Ring rings the phone with c until it is picked up, StopRing is called or the
	// port fails. It returns as soon as ringing was started. ErrOffHook when the
	// phone is in use; ErrCadence (wrapped) when the port cannot make c.
	Ring(c Cadence) error
	// StopRing ends the ringing. On a phone that does not ring it does nothing.
	StopRing() error
	// SetPolarity reverses the battery or puts it back to normal. A reversed
	// battery tells some phones and meters that the far end answered.
	SetPolarity(reversed bool) error
	// Dialling says whether short breaks of the loop are dial pulses (true) or
	// noise (false). A phone that is picked up by itself starts with true, one that
	// answers a ring with false.
	Dialling(on bool) error
	// Health is the port's present condition.
	Health() Health
}

// Errors that callers of [Phone] branch on.
var (
	ErrOffHook = errors.New("the phone is off-hook")
	ErrCadence = errors.New("ring cadence not possible")
	ErrFailed  = errors.New("the port has failed")
)

// PhoneEventType is what a phone did.
type PhoneEventType int

const (
	// OffHook: picked up, either by itself or to answer a ring.
	OffHook PhoneEventType = iota
	// OnHook: hung up.
	OnHook
	// Flash: the hook was pressed shortly, to ask for something during a call.
	Flash
	// PulseDigit: PhoneEvent.Digit was dialled with a rotary dial.
	PulseDigit
	// RingOn and RingOff: the port began and ended one ring of a cadence. In the
	// pause after it the phone can be told who calls.
	RingOn
	RingOff
)

// String gives the event's name for logs.
func (t PhoneEventType) String() string {
	names := [...]string{"off-hook", "on-hook", "flash", "pulse-digit", "ring-on", "ring-off"}
	if t < 0 || int(t) >= len(names) {
		return "unknown"
	}
	return names[t]
}

// PhoneEvent is something that the phone did.
type PhoneEvent struct {
	Type PhoneEventType
	// At is when the hook moved. The event itself comes later, when it is sure:
	// 50 ms for OffHook (10 ms when it answers a ring), 600 ms for OnHook.
	At     time.Time
	Digit  byte // PulseDigit: '0' to '9'
	Answer bool // OffHook: the phone was ringing
}

// Cadence is a ringing rhythm.
type Cadence struct {
	// Steps are the lengths of ring, pause, ring, pause …, repeated for ever. An
	// even number from 2 to 8, each 100 ms to 10 s.
	Steps []time.Duration
	// Hz is the ringing frequency, 16…60; 0 is the port's own. A port takes the
	// nearest that it can make.
	Hz int
}

// Limits of a [Cadence].
const (
	maxSteps = 8
	minStep  = 100 * time.Millisecond
	maxStep  = 10 * time.Second
)

// Validate reports why c is not a cadence; the error wraps ErrCadence.
func (c Cadence) Validate() error {
	if n := len(c.Steps); n < 2 || n > maxSteps || n%2 != 0 {
		return fmt.Errorf("%w: %d steps, want 2, 4, 6 or 8", ErrCadence, len(c.Steps))
	}
	for _, s := range c.Steps {
		if s < minStep || s > maxStep {
			return fmt.Errorf("%w: step of %v, want 100 ms to 10 s", ErrCadence, s)
		}
	}
	if c.Hz != 0 && (c.Hz < 16 || c.Hz > 60) {
		return fmt.Errorf("%w: %d Hz, want 16 to 60", ErrCadence, c.Hz)
	}
	return nil
}

// On gives the ringing time of one round of c and the length of the round.
func (c Cadence) On() (on, total time.Duration) {
	for i, s := range c.Steps {
		if i%2 == 0 {
			on += s
		}
		total += s
	}
	return on, total
}

// Health is the condition of a device for people and programs.
type Health struct {
	OK    bool      // it works
	Since time.Time // when OK last changed
	Text  string    // one sentence: "on-hook", "GPIO16 is used by another program"
}
