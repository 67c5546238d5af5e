package hal

import (
	"context"
	"errors"
	"time"
)

// Modem is a mobile telephone: a modem with a SIM that makes one voice call at a
// time. Methods may be called from any goroutine. The modem may be unplugged and
// come back by other names; the Modem stays the same.
type Modem interface {
	// Events delivers what happens to calls, in order. It is closed when the driver
	// was closed. When the reader falls more than 64 events behind, digits are
	// dropped; changes of a call's state are not.
	Events() <-chan ModemEvent
	// Dial calls a number and returns when that is under way; what follows, also that
	// the modem refuses it, is told by events. The error is or wraps ErrNotReady or
	// ErrInCall, or says what is wrong with the number. hide asks the network not to
	// show the SIM's number.
	Dial(ctx context.Context, number string, hide bool) error
	// Answer answers the call that arrives. ErrNoCall when there is none.
	Answer(ctx context.Context) error
	// Hangup ends the call there is, or refuses the one that arrives, as busy. It
	// returns at once; ModemReleased follows, within 4 s even when the modem is dead.
	Hangup()
	// SendDigit sends a key (0-9 * # A-D) to the far end of an answered call and
	// returns when the modem has done it.
	SendDigit(ctx context.Context, digit byte) error
	// State is the modem's present condition.
	State() ModemState
}

// Errors that callers of [Modem] branch on.
var (
	ErrNotReady = errors.New("the modem cannot make calls now")
	ErrInCall   = errors.New("the modem is in a call")
	ErrNoCall   = errors.New("the modem has no such call")
)

// ModemEventType is what happened to a call.
type ModemEventType int

const (
	// ModemIncoming: a call arrives from ModemEvent.Number.
	ModemIncoming ModemEventType = iota
	// ModemAlerting: the far telephone rings.
	ModemAlerting
	// ModemEarly: the network sends sound before the answer.
	ModemEarly
	// ModemAnswered: the call is answered, by the far end or by Answer.
	ModemAnswered
	// ModemDigit: the far end pressed ModemEvent.Digit.
	ModemDigit
	// ModemReleased: the call has ended, for ModemEvent.Release. Exactly one follows
	// every ModemIncoming and every Dial without an error.
	ModemReleased
)

// String gives the event's name for logs.
func (t ModemEventType) String() string {
	names := [...]string{"incoming", "alerting", "early", "answered", "digit", "released"}
	if t < 0 || int(t) >= len(names) {
		return "unknown"
	}
	return names[t]
}

// ModemEvent is something that happened to a call.
type ModemEvent struct {
	Type    ModemEventType
	At      time.Time
	Number  string // ModemIncoming: who calls; empty when the caller hides it
	Digit   byte   // ModemDigit
	Release Release
}

// Release says why a call ended.
type Release struct {
	Q850 int    // ITU-T Q.850 cause, 1…127
	By   Side   // who ended it
	Text string // one sentence; may be empty for a plain hang-up
}

// Side is who ended a call.
type Side int

// The sides.
const (
	ByFarEnd  Side = iota // the far end
	ByNetwork             // the network, or its absence
	ByBox                 // Hangup, or a modem that was lost
)

// ModemState is what is known of a modem, for people and programs. What is not
// known is empty.
type ModemState struct {
	Health
	Busy         bool // in a call
	Place        string
	Maker, Model string
	Firmware     string
	IMEI         string
	ICCID        string // of the SIM
	Number       string // of the SIM, where it knows it
	SIM          string // "ready", "waits for its PIN", …
	Network      string // "registered", "searching", …
	Operator     string
	Roaming      bool
	Signal       int    // dBm; 0: not known
	Voice        string // how calls are carried: "VoLTE", "2G/3G (CSFB)"
	VoLTE        string // what is to be said of calls over LTE: a sentence
	// NetworkTime is the time that the network told, at NetworkTimeAt by the box's clock,
	// to within a second or two; zero: it did not.
	NetworkTime, NetworkTimeAt time.Time
	// Warnings are sentences about firmware and settings that are known for trouble.
	Warnings []string
	// HearsDigits says that the modem tells of keys itself; else they are tones in
	// its sound.
	HearsDigits bool
	// Sound is what is known of the sound of the present or the last call.
	Sound    ModemSound
	Counters ModemCounters
	// History is what happened lately, oldest first, at most the last 50.
	History []ModemNote
}

// ModemSound answers the question why there is no sound.
type ModemSound struct {
	Path    string        // of the modem's line for it; empty: there is none
	Live    bool          // a call has it now
	Lasted  time.Duration // of the call, since sound was expected
	In, Out int           // bytes per second from and to the modem; 16,000 when all is well
	// PeakIn and PeakOut are the loudest samples, 0…32,768.
	PeakIn, PeakOut int
	Report          []string // sentences: what that means
}

// ModemCounters count since the driver was opened.
type ModemCounters struct {
	Calls, Plugged, Lost             uint64 // calls made and taken; times found on the bus and lost
	Reopened, RadioResets, Restarts  uint64 // steps of recovery
	PowerKeys, PortCycles            uint64 // the last ones: its power key pressed, the power of its USB port switched
	Timeouts, SavedByPoll, NoSound   uint64 // unanswered commands, calls whose end only polling told, calls without any sound
	BytesIn, BytesOut, Misaligned    uint64 // of sound; times that half a sample was dropped
	Silence, Dropped, PausesForModem uint64 // frames made up; frames that the modem did not take; flow control
}

// ModemNote is something that happened to a modem.
type ModemNote struct {
	At   time.Time
	Text string
}
