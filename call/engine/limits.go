package engine

import (
	"time"

	"callbox/call"
)

// Limits bound what calls may take. A zero value means the stated default.
type Limits struct {
	Calls     int           // live legs; 200
	Ring      time.Duration // longest ringing that a request or a document gets; 10 min
	Answered  time.Duration // longest answered call, and the limit of one that asks for none; 4 h
	Recording time.Duration // longest recording; 4 h
}

func (l Limits) withDefaults() Limits {
	if l.Calls <= 0 {
		l.Calls = 200
	}
	l.Ring = orDefault(l.Ring, 10*time.Minute)
	l.Answered = orDefault(l.Answered, 4*time.Hour)
	l.Recording = orDefault(l.Recording, 4*time.Hour)
	return l
}

// SetLimits replaces the limits. Calls that are up keep what they were given.
func (e *Engine) SetLimits(l Limits) {
	l = l.withDefaults()
	e.limits.Store(&l)
}

// ring is how long a call may ring that asked for d; 0 asks for def.
func (l *Limits) ring(d, def time.Duration) time.Duration {
	return min(orDefault(d, def), l.Ring)
}

// answered is how long a call may be answered that asked for d; 0: as long as
// possible.
func (l *Limits) answered(d time.Duration) time.Duration {
	return min(orDefault(d, l.Answered), l.Answered)
}

// recording is o with a length that is allowed.
func (l *Limits) recording(o call.RecordOptions) call.RecordOptions {
	o.MaxLength = min(orDefault(o.MaxLength, l.Recording), l.Recording)
	return o
}
