package hal

import "time"

// Level is the level of a digital line.
type Level bool

// The two levels.
const (
	Low  Level = false
	High Level = true
)

// String gives "low" or "high".
func (l Level) String() string {
	if l {
		return "high"
	}
	return "low"
}

// Pin is what all digital lines have in common.
type Pin interface {
	// Name is the line's name for logs: "GPIO16".
	Name() string
}

// Input is a line that the box listens to.
type Input interface {
	Pin
	// Read gives the level now.
	Read() (Level, error)
	// Edges delivers level changes with the time at which they happened, in
	// order. The channel is bounded: edges beyond it are dropped, so that a reader
	// asks Read now and then. It is closed when the line is closed.
	Edges() <-chan Edge
}

// Edge is a change of level.
type Edge struct {
	Level Level     // the level after the change
	At    time.Time // when it happened
}

// Output is a line that the box drives high or low (push-pull).
type Output interface {
	Pin
	// Set drives the line. It does not block.
	Set(l Level) error
}

// Drain is a line that the box may only pull low or let go. Nothing in this
// interface can drive it high, because chips with such a line break when that
// happens (Ag1171 data sheet, pin PD).
type Drain interface {
	Pin
	// Pull drives the line low.
	Pull() error
	// Release makes the line an input without any pull resistor (high impedance).
	Release() error
}
