package gsm

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"callbox/hal"
	"callbox/hal/at"
	"callbox/hal/sim/cell"
)

// dumb is a modem's line on which nothing comes.
func dumb() io.ReadWriteCloser { return &spoken{strings.NewReader(""), make(chan struct{})} }

// owned runs f as the goroutine of a port that has a modem which says nothing.
func owned(t *testing.T, f func(t *testing.T, h *Hub, p *Port)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		hub := NewHub(cell.NewRack(), nil)
		defer hub.Close()
		p := hub.Port(Config{Name: "gsm1"})
		p.stop()
		<-p.done
		p.done, p.ctx, p.stop = make(chan struct{}), hub.ctx, hub.stop
		p.events = make(chan hal.ModemEvent, cap(p.events))
		p.take(&found{row: *named(t, "Quectel"), place: "1-1", engine: at.New(dumb(), at.Config{}), trace: new(relay)})
		defer close(p.done)
		defer func() { p.end() }()
		f(t, hub, p)
	})
}

// TestHangupOfEarlierCall: a hang-up that comes as a call ends by itself does not end
// the next one.
func TestHangupOfEarlierCall(t *testing.T) {
	owned(t, func(t *testing.T, _ *Hub, p *Port) {
		p.condition(true, "registered")
		p.Hangup()
		p.dial("5550123", false, func(err error) {
			if err != nil {
				t.Error(err)
			}
		})
		if p.v.phase != asking || len(p.hang) > 0 {
			t.Errorf("dialled: phase %d, %d hang-ups wait", p.v.phase, len(p.hang))
		}
		p.v = voice{}
		p.turn(arriving)
		p.Hangup()
		p.announce()
		if p.v.phase != offered || len(p.hang) > 0 {
			t.Errorf("told of a call that arrives: phase %d, %d hang-ups wait", p.v.phase, len(p.hang))
		}
	})
}

// TestResultUnderWay: a job does not wait for what it has had the port do when the
// session ends, and knows that.
func TestResultUnderWay(t *testing.T) {
	owned(t, func(t *testing.T, _ *Hub, p *Port) {
		s := &session{results: make(chan func())}
		s.ctx, s.stop = context.WithCancel(t.Context())
		done := make(chan bool)
		later := func() { done <- s.later(func() {}) }
		go later()
		(<-s.results)()
		if !<-done {
			t.Error("a result that was taken counts as one that was not")
		}
		go later()
		f := <-s.results
		s.stop()
		if <-done {
			t.Error("the result is under way, and counts as taken")
		}
		f()
	})
}

// TestSecondModem gives a port another modem while it has one: that of before is free.
func TestSecondModem(t *testing.T) {
	owned(t, func(t *testing.T, h *Hub, p *Port) {
		if !h.claim("1-1") || !h.claim("1-2") {
			t.Fatal("the places are not free")
		}
		p.v = voice{phase: talking, out: true, answered: true}
		p.take(&found{row: *named(t, "Quectel"), place: "1-2", engine: at.New(dumb(), at.Config{}), trace: new(relay)})
		if p.s.place != "1-2" || p.v.phase != idle {
			t.Errorf("the port has the modem at %s, its call is in phase %d", p.s.place, p.v.phase)
		}
		if !h.claim("1-1") || h.claim("1-2") {
			t.Error("the place of the modem before is not free, or that of the present one is")
		}
	})
}

// TestShortReads: any number of samples can be read.
func TestShortReads(t *testing.T) {
	for n := range 4 {
		s := newSound()
		s.attach(&stream{in: wave(400, 0, 3000)})
		s.begin()
		for range 3 {
			if k, err := s.Read(make([]int16, n)); k != n || err != nil {
				t.Errorf("%d samples: %d, %v", n, k, err)
			}
		}
	}
}
