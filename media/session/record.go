package session

import (
	"errors"
	"fmt"
	"time"
)

// Writer takes a recording's samples (media/wav has one). It is called on the
// recorder's own goroutine, never on the clock's.
type Writer interface {
	// WriteSamples writes samples; with two channels they alternate, in first.
	// The slice is reused after the call.
	WriteSamples(samples []int16) error
	// Close finishes the file. It is called once, also after an error.
	Close() error
}

// Track says what is recorded.
type Track uint8

const (
	Both     Track = iota // both directions
	Inbound               // what the far end says
	Outbound              // what the far end is told
)

// RecorderConfig says how to record. Zero values mean no limit.
type RecorderConfig struct {
	Track Track
	// Channels is 1, everything mixed, or 2, in on the first and out on the
	// second channel; a direction that is not recorded is silent. 0 is 1.
	Channels int
	// MaxLength ends the recording to the sample; what a pause leaves out is not
	// counted.
	MaxLength time.Duration
	// MaxSilence ends the recording after so long without sound. With both
	// tracks it is the far end that must be silent.
	MaxSilence time.Duration
	// SilenceLevel is the level in dBov, −96…0, below which a frame is silent; 0
	// is −42. The line's own noise is learned, and what is less than 6 dB above
	// it is silent too, up to −30 dBov.
	SilenceLevel float64
	// Buffer bounds the sound that waits for the disk, 0.2…60 s; 0 is 3 s. What
	// does not fit is lost, counted, and replaced by silence.
	Buffer time.Duration
}

// Validate reports what is wrong with c.
func (c RecorderConfig) Validate() error {
	switch {
	case c.Track > Outbound:
		return fmt.Errorf("unknown track %d", c.Track)
	case c.Channels < 0 || c.Channels > 2:
		return fmt.Errorf("a recording has 1 or 2 channels, not %d", c.Channels)
	case c.MaxLength < 0 || c.MaxSilence < 0:
		return errors.New("a recording's limits must not be negative")
	case c.SilenceLevel > 0 || c.SilenceLevel < -96:
		return fmt.Errorf("a silence level of %v dBov is not between -96 and 0", c.SilenceLevel)
	case c.Buffer != 0 && (c.Buffer < minBuffer || c.Buffer > maxBuffer):
		return fmt.Errorf("a recording buffer of %v is not between %v and %v", c.Buffer, minBuffer, maxBuffer)
	}
	return nil
}

const (
	defaultSilence = -42.0
	loudestNoise   = -30.0
	defaultBuffer  = 3 * time.Second
	minBuffer      = 200 * time.Millisecond
	maxBuffer      = time.Minute
)

// EndReason is why a recording ended.
type EndReason uint8

const (
	Running    EndReason = iota // it has not
	Stopped                     // by Stop
	CallEnded                   // the session was closed
	LengthEnd                   // MaxLength
	SilenceEnd                  // MaxSilence
	WriteError                  // the Writer failed
)

var reasonNames = [...]string{"running", "stopped", "call ended", "length", "silence", "write error"}

// String gives the reason for logs.
func (r EndReason) String() string {
	if int(r) >= len(reasonNames) {
		return "unknown"
	}
	return reasonNames[r]
}

// RecorderStats tell how a recording goes or went.
type RecorderStats struct {
	Duration time.Duration // recorded; what a pause left out is not counted
	Dropped  uint64        // frames lost because the disk was too slow
	Reason   EndReason
}
