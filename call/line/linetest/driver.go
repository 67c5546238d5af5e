package linetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"callbox/call"
	"callbox/media"
	"callbox/media/clock"
)

// patience is how long anything may take on a busy machine. It is longer than
// the 5 s within which a leg must end.
const patience = time.Minute

// endBound is the longest time from Hangup to LegEnded (call.Leg).
const endBound = 5 * time.Second

// legDriver owns a leg as a call's owner does: it drains the events, and it
// reads and writes the sound every 20 ms.
type legDriver struct {
	t    *testing.T
	leg  call.Leg
	stop context.CancelFunc // of the media clock
	wg   sync.WaitGroup
	in   media.Frame // the clock's

	mu     sync.Mutex // guards the rest
	events []call.LegEvent
	closed bool
	change chan struct{} // closed and replaced whenever events or closed change
	say    []int16
	heard  []int16
}

func drive(t *testing.T, leg call.Leg) *legDriver {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	d := &legDriver{t: t, leg: leg, stop: stop, change: make(chan struct{})}
	c := clock.New(nil)
	c.Add(d)
	d.wg.Add(2)
	go d.drain()
	go func() {
		defer d.wg.Done()
		_ = c.Run(ctx) // ends with ctx
	}()
	t.Cleanup(func() {
		leg.Hangup(call.NormalClearing(call.Box))
		d.waitClosed()
		stop()
		d.wg.Wait()
		d.checkEvents()
	})
	return d
}

func (d *legDriver) drain() {
	defer d.wg.Done()
	for e := range d.leg.Events() {
		d.mu.Lock()
		d.events = append(d.events, *e)
		d.signal()
		d.mu.Unlock()
	}
	d.mu.Lock()
	d.closed = true
	d.signal()
	d.mu.Unlock()
}

// signal wakes the waiters; d.mu is held.
func (d *legDriver) signal() {
	close(d.change)
	d.change = make(chan struct{})
}

// Collect implements media.Ticker: it listens.
func (d *legDriver) Collect() {
	if !d.leg.Audio().ReadFrame(&d.in) {
		clear(d.in[:])
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.heard = append(d.heard, d.in[:]...)
}

// Deliver implements media.Ticker: it speaks.
func (d *legDriver) Deliver() {
	var out media.Frame
	d.mu.Lock()
	d.say = d.say[copy(out[:], d.say):]
	d.mu.Unlock()
	d.leg.Audio().WriteFrame(&out)
}

// Say queues samples towards the far end.
func (d *legDriver) Say(samples []int16) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.say = append(d.say, samples...)
}

// Heard is what the far end was heard to say.
func (d *legDriver) Heard() []int16 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]int16(nil), d.heard...)
}

// await waits until ok holds for the events so far.
func (d *legDriver) await(what string, ok func(events []call.LegEvent, closed bool) bool) {
	d.t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		d.mu.Lock()
		done, change, seen := ok(d.events, d.closed), d.change, describe(d.events)
		d.mu.Unlock()
		if done {
			return
		}
		select {
		case <-change:
		case <-timeout.C:
			d.t.Fatalf("no %s within %v; events: %s", what, patience, seen)
		}
	}
}

// waitFor waits for an event of type typ and gives the first one.
func (d *legDriver) waitFor(typ call.LegEventType) (e call.LegEvent) {
	d.t.Helper()
	d.await(typ.String()+" event", func(events []call.LegEvent, closed bool) bool {
		for _, e = range events {
			if e.Type == typ {
				return true
			}
		}
		if closed {
			d.t.Errorf("the leg ended without a %v event: %s", typ, describe(events))
			return true
		}
		return false
	})
	return e
}

// waitClosed waits for the end of the events; it is used in cleanups, where
// Fatal would skip the rest.
func (d *legDriver) waitClosed() {
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		d.mu.Lock()
		closed, change := d.closed, d.change
		d.mu.Unlock()
		if closed {
			return
		}
		select {
		case <-change:
		case <-timeout.C:
			d.t.Errorf("the leg's events were not closed within %v of Hangup", patience)
			return
		}
	}
}

// ended waits for the end and gives its cause.
func (d *legDriver) ended() call.Cause {
	d.t.Helper()
	e := d.waitFor(call.LegEnded)
	d.await("close of the events", func(_ []call.LegEvent, closed bool) bool { return closed })
	return e.Cause
}

// hangup ends the leg and checks that this does not block and is done in time.
func (d *legDriver) hangup(c call.Cause) call.Cause {
	d.t.Helper()
	start := time.Now()
	d.leg.Hangup(c)
	if took := time.Since(start); took > time.Second {
		d.t.Errorf("Hangup blocked for %v", took)
	}
	got := d.ended()
	if took := time.Since(start); took > endBound {
		d.t.Errorf("the leg ended %v after Hangup, the limit is %v", took, endBound)
	}
	return got
}

// digits are the digits reported so far.
func (d *legDriver) digits() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var b []byte
	for _, e := range d.events {
		if e.Type == call.LegDigit {
			b = append(b, e.Digit)
		}
	}
	return string(b)
}

// checkEvents holds the rules of call.Leg for the whole life of the leg.
func (d *legDriver) checkEvents() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := orderly(d.events, d.closed); err != nil {
		d.t.Errorf("%v: %s", err, describe(d.events))
	}
}

// orderly checks a finished leg's events.
func orderly(events []call.LegEvent, closed bool) error {
	answered, ended := 0, 0
	for i, e := range events {
		switch e.Type {
		case call.LegAnswered:
			answered++
		case call.LegEnded:
			ended++
			if i != len(events)-1 {
				return fmt.Errorf("an event after the end")
			}
			if e.Cause.Q850 == 0 || e.Cause.Who == call.Nobody {
				return fmt.Errorf("the cause %+v does not say why and who", e.Cause)
			}
		case call.LegRinging, call.LegEarly:
			if answered > 0 {
				return fmt.Errorf("%v after the answer", e.Type)
			}
		}
		if e.At.IsZero() {
			return fmt.Errorf("the event %v has no time", e.Type)
		}
		if i > 0 && e.At.Before(events[i-1].At) {
			return fmt.Errorf("the event %v is earlier than the one before", e.Type)
		}
	}
	if answered > 1 || ended != 1 || !closed {
		return fmt.Errorf("answered %d times, ended %d times, closed %v", answered, ended, closed)
	}
	return nil
}

func describe(events []call.LegEvent) string {
	if len(events) == 0 {
		return "none"
	}
	s := ""
	for _, e := range events {
		s += e.Type.String()
		if e.Type == call.LegDigit {
			s += " " + string(e.Digit)
		}
		if e.Type == call.LegEnded {
			s += fmt.Sprintf(" %+v", e.Cause)
		}
		s += "; "
	}
	return s
}

// receiver takes the legs that arrive.
type receiver chan call.Leg

// Incoming implements call.Receiver.
func (r receiver) Incoming(leg call.Leg) {
	select {
	case r <- leg:
	default: // more legs than any case asks for
		leg.Hangup(call.Cause{Q850: call.Q850Congestion, Who: call.Box, Text: "too many test legs"})
		go func() { //nolint:gocritic // ends with the leg
			for range leg.Events() {
			}
		}()
	}
}

// poll waits until ok, looking every 5 ms.
func poll(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}
