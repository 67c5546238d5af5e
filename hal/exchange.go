package hal

import (
	"errors"
	"time"
)

// Exchange is a port for an exchange line (FXO): the box is the phone on it.
// Methods may be called from any goroutine and do not block; what follows from
// them is told by events.
type Exchange interface {
	// Events delivers what happens on the line, in order. It is closed when the driver
	// was closed. Beyond 64 unread events the driver drops what is neither Connected
	// nor Released, and counts it.
	Events() <-chan ExchangeEvent
	// Seize takes the line off-hook, to answer it or to dial on it. Connected follows
	// when sound flows both ways, or Released when that failed. ErrBusyLine while the
	// line is seized or being released; ErrFailed when the port does not work.
	Seize(o Seizure) error
	// Release puts the line on-hook, whatever it was doing; Released follows. On a line
	// that is on-hook it does nothing.
	Release()
	// Flash breaks the loop of a seized line for about half a second, to ask the
	// exchange for something. ErrBusyLine when it is not seized and connected.
	Flash() error
	// Health is the port's present condition.
	Health() Health
}

// ErrBusyLine is the error of an exchange line that is in another state than asked for.
var ErrBusyLine = errors.New("the exchange line is in use")

// Errors of a seizure that failed, in the Err of its Released event.
var (
	// ErrNoDialTone: the exchange did not say that it takes digits.
	ErrNoDialTone = errors.New("the line has no dial tone")
	// ErrReleased: Release was called first.
	ErrReleased = errors.New("the line was released")
)

// Seizure is what a line is taken off-hook for.
type Seizure struct {
	// Digits is what to dial: 0-9 * # A-D, and a comma for a pause of two seconds;
	// empty: nothing, the line is answered.
	Digits string
	// Pulse dials with breaks of the loop instead of keys.
	Pulse bool
	// Blind dials without waiting for dial tone.
	Blind bool
}

// ExchangeEventType is what happened on an exchange line.
type ExchangeEventType int

const (
	// Ring: the line rang once more (a burst, or a pair of bursts).
	Ring ExchangeEventType = iota
	// Caller: the exchange told who calls; it comes before or after the first Ring.
	Caller
	// Connected: the line is off-hook, what was asked for is dialled, sound flows.
	Connected
	// Released: the line is on-hook again. Err says why, when nobody asked for it.
	Released
	// LoopBreak: the loop current broke or its direction turned.
	LoopBreak
	// HeardBusy, HeardDial, HeardSilence: what the port believes to hear. It may be
	// wrong.
	HeardBusy
	HeardDial
	HeardSilence
	// HeardFax: a fax machine or modem calls or answers.
	HeardFax
	// HeardDigit: the far end pressed ExchangeEvent.Digit, as the port believes.
	HeardDigit
	// Underrun and Overrun: the port had nothing to play, or could not hand over what
	// it heard.
	Underrun
	Overrun
)

// String gives the event's name for logs.
func (t ExchangeEventType) String() string {
	names := [...]string{"ring", "caller", "connected", "released", "loop-break", "busy-tone", "dial-tone", "silence",
		"fax-tone", "digit", "underrun", "overrun"}
	if t < 0 || int(t) >= len(names) {
		return "unknown"
	}
	return names[t]
}

// ExchangeEvent is something that happened on the line.
type ExchangeEvent struct {
	Type  ExchangeEventType
	At    time.Time
	Digit byte // HeardDigit: one of 0-9 * # A-D
	// Number and Name are of Caller. Private is a caller who does not want to be known;
	// without a number the exchange did not know it.
	Number, Name string
	Private      bool
	Err          error // Released
}
