package fxo_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"callbox/call"
	"callbox/call/line/fxo"
	"callbox/hal"
)

// stuck is the port of a driver that reacts later than anybody waits for.
type stuck struct {
	events chan hal.ExchangeEvent
	seized int
}

func (s *stuck) Events() <-chan hal.ExchangeEvent { return s.events }
func (s *stuck) Seize(hal.Seizure) error          { s.seized++; return nil }
func (s *stuck) Release()                         {}
func (s *stuck) Flash() error                     { return nil }
func (s *stuck) Health() hal.Health               { return hal.Health{OK: true} }

// TestReleasedLate has the end of a call that the line no longer waited for when it was
// stopped come when the next call rings: that call rings on.
func TestReleasedLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		port := &stuck{events: make(chan hal.ExchangeEvent, 8)}
		line, err := fxo.New(fxo.Config{ID: "fxo1", EchoTail: -1, CallerWait: -1}, port, nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		in, done := make(receiver, 1), make(chan error, 1)
		go func() { done <- line.Serve(ctx, in) }()
		port.events <- hal.ExchangeEvent{Type: hal.Ring, At: time.Now()}
		l := <-in
		port.events <- hal.ExchangeEvent{Type: hal.Released, At: time.Now()}
		<-time.After(3 * time.Second)
		if port.seized > 0 || len(l.Events()) > 0 {
			t.Errorf("the line was seized %d times, the leg has %d events", port.seized, len(l.Events()))
		}
		for e := range l.Events() { // nobody rings any more
			if e.Type != call.LegEnded || e.Cause.Who != call.Remote {
				t.Errorf("the call ended with %+v", e)
			}
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
