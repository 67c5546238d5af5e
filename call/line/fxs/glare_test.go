package fxs_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"callbox/call"
	"callbox/call/line/fxs"
	"callbox/hal"
	"callbox/hal/sim"
)

// fakePhone is a port whose driver the test plays, for orders of events that
// the real one gives once in a million.
type fakePhone struct {
	events chan hal.PhoneEvent
	ring   error
	stops  atomic.Int32
}

func (p *fakePhone) Events() <-chan hal.PhoneEvent { return p.events }
func (p *fakePhone) Ring(hal.Cadence) error        { return p.ring }
func (p *fakePhone) StopRing() error               { p.stops.Add(1); return nil }
func (p *fakePhone) SetPolarity(bool) error        { return nil }
func (p *fakePhone) Dialling(bool) error           { return nil }
func (p *fakePhone) Health() hal.Health            { return hal.Health{OK: true, Text: "on-hook"} }

// fake runs f with a served line on a fakePhone.
func fake(t *testing.T, f func(t *testing.T, l *fxs.Line, p *fakePhone, served <-chan error)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := &fakePhone{events: make(chan hal.PhoneEvent)}
		far := sim.NewPhone("p")
		defer far.Close()
		l, err := fxs.New(fxs.Config{ID: "fxs1"}, p, far.PCM())
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		served := make(chan error, 1)
		done := make(chan struct{})
		go func() { served <- l.Serve(ctx, make(receiver, 1)); close(done) }()
		synctest.Wait()
		f(t, l, p, served)
		stop()
		<-done
	})
}

// The phone was picked up to answer, but the leg has just been cancelled: it
// hears the busy tone, and no leg arrives.
func TestAnswerCrossesCancel(t *testing.T) {
	fake(t, func(t *testing.T, l *fxs.Line, p *fakePhone, _ <-chan error) {
		g, err := l.Dial(t.Context(), call.Dial{})
		if err != nil {
			t.Fatal(err)
		}
		g.Hangup(call.NormalClearing(call.API))
		synctest.Wait()
		if p.stops.Load() != 1 {
			t.Error("still rings")
		}
		p.events <- hal.PhoneEvent{Type: hal.OffHook, At: time.Now(), Answer: true}
		synctest.Wait()
		if s := l.Status(); s.Text != "off-hook after the call" {
			t.Errorf("status %+v", s)
		}
		p.events <- hal.PhoneEvent{Type: hal.OnHook, At: time.Now()}
		synctest.Wait()
		if s := l.Status(); s.Busy != 0 {
			t.Errorf("status %+v", s)
		}
	})
}

func TestRingMeetsPickUp(t *testing.T) {
	fake(t, func(t *testing.T, l *fxs.Line, p *fakePhone, _ <-chan error) {
		p.ring = hal.ErrOffHook
		var c call.Cause
		if _, err := l.Dial(t.Context(), call.Dial{}); !errors.As(err, &c) || c.Outcome() != call.Busy || c.Text == "" {
			t.Errorf("Dial = %v", err)
		}
	})
}

func TestDriverClosed(t *testing.T) {
	fake(t, func(t *testing.T, l *fxs.Line, p *fakePhone, served <-chan error) {
		g, err := l.Dial(t.Context(), call.Dial{})
		if err != nil {
			t.Fatal(err)
		}
		close(p.events)
		if err := <-served; !errors.Is(err, hal.ErrClosed) {
			t.Errorf("Serve = %v", err)
		}
		var last *call.LegEvent
		for last = range g.Events() {
		}
		if last.Type != call.LegEnded || last.Cause.Who != call.Box {
			t.Errorf("last event %+v", last)
		}
		if err := g.Answer(t.Context()); !errors.Is(err, call.ErrLegEnded) {
			t.Errorf("Answer = %v", err)
		}
	})
}
