package board

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"

	"callbox/hal"
)

// Signal is what a light says.
type Signal int

const (
	// Dark: nothing happens, or the port works and is not in use.
	Dark Signal = iota
	// Lit: the box is ready; the port is in a call.
	Lit
	// Starting: the box is not ready yet (100 ms lit, 100 ms dark).
	Starting
	// Ringing: the port rings, or is being called (250/250 ms).
	Ringing
	// Attention: something of the box, or the port, does not work (1/1 s).
	Attention
	// Reset: the button has been held long enough, let it go (50/50 ms).
	Reset
	// ResetAll: held longer, for recordings and call records too (lit, with a short
	// gap each second).
	ResetAll
)

// rhythm gives how long the light is lit and dark in turns; none for a steady one.
func (s Signal) rhythm() (lit, dark time.Duration) {
	const ms = time.Millisecond
	switch s {
	case Starting:
		return 100 * ms, 100 * ms
	case Ringing:
		return 250 * ms, 250 * ms
	case Attention:
		return time.Second, time.Second
	case Reset:
		return 50 * ms, 50 * ms
	case ResetAll:
		return 950 * ms, 50 * ms
	}
	return 0, 0
}

// String gives the signal's name.
func (s Signal) String() string {
	names := [...]string{"dark", "lit", "starting", "ringing", "attention", "reset", "reset-all"}
	if s < 0 || int(s) >= len(names) {
		return "unknown"
	}
	return names[s]
}

// SystemLight is the name of the box's own light; the others have their ports'.
const SystemLight = "system"

// Lights are the lights of a board. Show may be called from any goroutine; a name
// without a light is ignored, because boards may have none.
type Lights struct {
	log  *slog.Logger
	wake chan struct{}

	mu  sync.Mutex // guards the lights' signals
	all []*light
}

type light struct {
	name   string
	out    hal.Output
	closer io.Closer

	signal Signal
	fresh  bool      // signal is to be shown from its beginning
	lit    bool      // now
	next   time.Time // when it changes by itself; zero: never
	broken bool      // it cannot be set, which was logged
}

func newLights(log *slog.Logger) *Lights { return &Lights{log: log, wake: make(chan struct{}, 1)} }

// add takes a light over.
func (l *Lights) add(name string, out output) {
	l.all = append(l.all, &light{name: name, out: out, closer: out})
}

// Has reports whether there is a light of a name.
func (l *Lights) Has(name string) bool {
	for _, x := range l.all {
		if x.name == name {
			return true
		}
	}
	return false
}

// Show has a light say s from now on. Saying the same again changes nothing.
func (l *Lights) Show(name string, s Signal) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, x := range l.all {
		if x.name == name && x.signal != s {
			x.signal, x.fresh = s, true
			select {
			case l.wake <- struct{}{}:
			default:
			}
		}
	}
}

// Run moves the lights until ctx ends and leaves them dark. While all are steady it
// does nothing at all.
func (l *Lights) Run(ctx context.Context) error {
	t := time.NewTimer(0)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			for _, x := range l.all {
				l.set(x, false)
			}
			return nil
		case <-l.wake:
		case <-t.C:
		}
		if next := l.step(time.Now()); !next.IsZero() {
			t.Reset(time.Until(next))
		}
	}
}

// step brings every light to where it is to be now, and gives when the next changes.
func (l *Lights) step(now time.Time) (next time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, x := range l.all {
		lit, dark := x.signal.rhythm()
		switch {
		case lit == 0:
			if x.fresh {
				l.set(x, x.signal == Lit)
			}
			x.next = time.Time{}
		case x.fresh:
			l.set(x, true)
			x.next = now.Add(lit)
		case !x.next.After(now):
			l.set(x, !x.lit)
			if x.next = now.Add(dark); x.lit {
				x.next = now.Add(lit)
			}
		}
		x.fresh = false
		if !x.next.IsZero() && (next.IsZero() || x.next.Before(next)) {
			next = x.next
		}
	}
	return next
}

// set lights a light or puts it out.
func (l *Lights) set(x *light, on bool) {
	x.lit = on
	if err := x.out.Set(hal.Level(on)); err != nil && !x.broken {
		x.broken = true
		l.log.Warn("a light does not work", "light", x.name, "err", err)
	}
}

// close gives the lights back.
func (l *Lights) close() (errs []error) {
	for _, x := range l.all {
		errs = append(errs, x.closer.Close())
	}
	return errs
}
