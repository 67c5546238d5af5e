package board

import (
	"context"
	"time"

	"callbox/hal"
)

const (
	// ResetHold is how long the button is held to set the configuration back.
	ResetHold = 5 * time.Second
	// ResetAllHold is how long for recordings and call records too.
	ResetAllHold = 10 * time.Second
	// bounce is how long the line must be still to be believed.
	bounce = 20 * time.Millisecond
)

// Press is what a finger does to the button.
type Press struct {
	Held     time.Duration // 0 at once, then when ResetHold and ResetAllHold have passed
	Released bool          // it was let go after Held
}

// watchButton tells of a button on in, which is low while it is pressed, until ctx
// ends. One that is pressed at the start means nothing until it was let go: it may be
// a short circuit, or a line that another board uses.
func watchButton(ctx context.Context, in hal.Input, tell func(Press)) {
	w := buttonWatch{in: in, tell: tell}
	w.down, w.ignore = w.pressed(), true
	w.ignore = w.down
	still := time.NewTimer(time.Hour)
	still.Stop()
	hold := time.NewTimer(time.Hour)
	hold.Stop()
	defer still.Stop()
	defer hold.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case _, ok := <-in.Edges():
			if !ok {
				return
			}
			still.Reset(bounce)
		case <-still.C:
			if w.settle(time.Now()); w.down && !w.ignore {
				hold.Reset(time.Until(w.since.Add(ResetHold)))
			} else {
				hold.Stop()
			}
		case <-hold.C:
			if !w.pressed() { // its edge was lost
				still.Reset(bounce)
				continue
			}
			if w.stage == 0 {
				hold.Reset(time.Until(w.since.Add(ResetAllHold)))
			}
			w.stage = max(w.stage+1, 1)
			tell(Press{Held: time.Duration(w.stage) * ResetHold})
		}
	}
}

// buttonWatch is the state of watchButton.
type buttonWatch struct {
	in     hal.Input
	tell   func(Press)
	down   bool
	ignore bool // pressed since before the start
	since  time.Time
	stage  int // how many of the two times have passed
}

// pressed reads the line; one that cannot be read is not pressed.
func (w *buttonWatch) pressed() bool {
	l, err := w.in.Read()
	return err == nil && l == hal.Low
}

// settle takes the line's level after it was still.
func (w *buttonWatch) settle(now time.Time) {
	down := w.pressed()
	if down == w.down {
		return
	}
	w.down = down
	switch {
	case down:
		w.since, w.stage = now.Add(-bounce), 0
		w.tell(Press{})
	case w.ignore:
		w.ignore = false
	default:
		w.tell(Press{Held: now.Add(-bounce).Sub(w.since), Released: true})
	}
}
