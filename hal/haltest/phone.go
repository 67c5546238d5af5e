package haltest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"callbox/hal"
)

// FarEnd is the phone on the port's wire. [callbox/hal/sim.Phone] is one.
type FarEnd interface {
	OffHook()
	OnHook()
	// Flash breaks the loop for d.
	Flash(ctx context.Context, d time.Duration) error
	// DialPulses dials with a rotary dial at pps pulses per second.
	DialPulses(ctx context.Context, digits string, pps int) error
	// WaitRing returns when n rings were heard from now on.
	WaitRing(ctx context.Context, n int) error
	Ringing() bool
}

// Run runs a test; synctest.Test where the far end is simulated, or simply
// f(t) with real hardware.
type Run func(t *testing.T, f func(t *testing.T))

// Open opens a port whose phone is on-hook, ready for use, and closes it in a
// cleanup of t.
type Open func(t *testing.T) (hal.Phone, FarEnd)

// deadline is longer than anything here takes.
const deadline = 30 * time.Second

// cadence is one that every port can make.
var cadence = hal.Cadence{Steps: []time.Duration{time.Second, 4 * time.Second}}

// TestPhone runs the suite.
func TestPhone(t *testing.T, run Run, open Open) {
	for _, tt := range []struct {
		name string
		f    func(s *state)
	}{
		{"pick up and hang up", pickUp},
		{"ring until stopped", ringStop},
		{"tell of each ring", rings},
		{"answer in a burst", answerBurst},
		{"answer in a pause", answerPause},
		{"ring again after a call", ringAgain},
		{"no ring into a phone in use", ringBusy},
		{"cadences that cannot be", badCadence},
		{"flash", flash},
		{"pulse dialling", pulses},
		{"no pulses while talking", noPulses},
		{"polarity", polarity},
		{"health", health},
		{"concurrent use", concurrent},
	} {
		t.Run(tt.name, func(t *testing.T) {
			run(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), deadline)
				defer cancel()
				p, far := open(t)
				tt.f(&state{T: t, ctx: ctx, p: p, far: far})
			})
		})
	}
}

// state is one test.
type state struct {
	*testing.T
	ctx context.Context
	p   hal.Phone
	far FarEnd
}

// want takes the next event, which must be of type typ.
func (s *state) want(typ hal.PhoneEventType) hal.PhoneEvent {
	s.Helper()
	for {
		select {
		case e, ok := <-s.p.Events():
			if bell(e) && !bell(hal.PhoneEvent{Type: typ}) {
				continue
			}
			if !ok || e.Type != typ {
				s.Fatalf("event %v (open %v), want %v", e, ok, typ)
			}
			return e
		case <-s.ctx.Done():
			s.Fatalf("no event, want %v", typ)
		}
	}
}

// bell reports whether e tells of the port's own ringing, not of the phone.
func bell(e hal.PhoneEvent) bool { return e.Type == hal.RingOn || e.Type == hal.RingOff }

// wantNone wants no event for d.
func (s *state) wantNone(d time.Duration) {
	s.Helper()
	over := time.After(d)
	for {
		select {
		case e := <-s.p.Events():
			if !bell(e) {
				s.Fatalf("unexpected event %+v", e)
			}
		case <-over:
			return
		}
	}
}

func (s *state) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func pickUp(s *state) {
	start := time.Now()
	s.far.OffHook()
	if e := s.want(hal.OffHook); e.Answer || e.At.Before(start) || e.At.After(time.Now()) {
		s.Errorf("event %+v", e)
	}
	s.wantNone(time.Second)
	start = time.Now()
	s.far.OnHook()
	if e := s.want(hal.OnHook); e.At.Before(start) || time.Since(e.At) < 200*time.Millisecond {
		s.Errorf("event %+v after %v", e, time.Since(start))
	}
	s.wantNone(time.Second)
}

func ringStop(s *state) {
	s.ok(s.p.Ring(cadence))
	s.ok(s.far.WaitRing(s.ctx, 1))
	s.ok(s.far.WaitRing(s.ctx, 1)) // the one that sounds now
	s.wantNone(1500 * time.Millisecond)
	if s.far.Ringing() {
		s.Error("rings in the pause")
	}
	s.ok(s.far.WaitRing(s.ctx, 1))
	s.ok(s.p.StopRing())
	s.wantNone(200 * time.Millisecond)
	if s.far.Ringing() {
		s.Error("still rings after StopRing")
	}
	s.ok(s.p.StopRing())
	s.wantNone(6 * time.Second)
	if s.far.Ringing() {
		s.Error("rings again after StopRing")
	}
}

func rings(s *state) {
	s.ok(s.p.Ring(cadence))
	for range 2 {
		on := s.want(hal.RingOn)
		off := s.want(hal.RingOff)
		if d := off.At.Sub(on.At); d < 900*time.Millisecond || d > 1100*time.Millisecond {
			s.Errorf("a ring of 1 s lasts %v", d)
		}
	}
	s.ok(s.p.StopRing())
	s.wantNone(6 * time.Second)
}

func answerBurst(s *state) {
	s.ok(s.p.Ring(cadence))
	s.ok(s.far.WaitRing(s.ctx, 1))
	s.far.OffHook()
	start := time.Now()
	if e := s.want(hal.OffHook); !e.Answer {
		s.Errorf("event %+v is not an answer", e)
	}
	if d := time.Since(start); d > 300*time.Millisecond {
		s.Errorf("ring trip took %v", d)
	}
	s.wantNone(6 * time.Second)
	s.far.OnHook()
	s.want(hal.OnHook)
}

func answerPause(s *state) {
	s.ok(s.p.Ring(cadence))
	s.ok(s.far.WaitRing(s.ctx, 1))
	s.wantNone(2 * time.Second)
	s.far.OffHook()
	if e := s.want(hal.OffHook); !e.Answer {
		s.Errorf("event %+v is not an answer", e)
	}
	s.wantNone(6 * time.Second)
	s.far.OnHook()
	s.want(hal.OnHook)
}

func ringAgain(s *state) {
	for range 3 {
		s.ok(s.p.Ring(cadence))
		s.ok(s.far.WaitRing(s.ctx, 1))
		s.far.OffHook()
		s.want(hal.OffHook)
		s.far.OnHook()
		s.want(hal.OnHook)
	}
}

func ringBusy(s *state) {
	s.far.OffHook()
	s.want(hal.OffHook)
	if err := s.p.Ring(cadence); !errors.Is(err, hal.ErrOffHook) {
		s.Errorf("Ring = %v, want ErrOffHook", err)
	}
	s.ok(s.p.StopRing())
	s.far.OnHook()
	s.want(hal.OnHook)
	s.ok(s.p.Ring(cadence))
	s.ok(s.p.StopRing())
}

func badCadence(s *state) {
	for _, c := range []hal.Cadence{
		{},
		{Steps: []time.Duration{time.Second}},
		{Steps: []time.Duration{time.Second, time.Millisecond}},
		{Steps: []time.Duration{time.Second, 4 * time.Second}, Hz: 400},
	} {
		if err := s.p.Ring(c); !errors.Is(err, hal.ErrCadence) {
			s.Errorf("Ring(%v) = %v, want ErrCadence", c, err)
		}
	}
	s.wantNone(time.Second)
	if s.far.Ringing() {
		s.Error("rings with a bad cadence")
	}
}

func flash(s *state) {
	s.far.OffHook()
	s.want(hal.OffHook)
	s.ok(s.p.Dialling(false))
	s.wantNone(500 * time.Millisecond)
	for _, d := range []time.Duration{250, 400, 500} {
		s.ok(s.far.Flash(s.ctx, d*time.Millisecond))
		s.want(hal.Flash)
	}
	s.wantNone(time.Second)
	s.far.OnHook()
	s.want(hal.OnHook)
}

func pulses(s *state) {
	s.far.OffHook()
	s.want(hal.OffHook)
	for _, pps := range []int{8, 10, 12} {
		s.wantNone(500 * time.Millisecond)
		const digits = "1507"
		done := make(chan error, 1)
		go func() { done <- s.far.DialPulses(s.ctx, digits, pps) }()
		for i := range len(digits) {
			if e := s.want(hal.PulseDigit); e.Digit != digits[i] {
				s.Errorf("at %d pulses per second: digit %q, want %q", pps, e.Digit, digits[i])
			}
		}
		s.ok(<-done)
	}
	s.far.OnHook()
	s.want(hal.OnHook)
}

func noPulses(s *state) {
	s.far.OffHook()
	s.want(hal.OffHook)
	s.ok(s.p.Dialling(false))
	s.ok(s.far.DialPulses(s.ctx, "3", 10))
	s.wantNone(time.Second)
	s.ok(s.p.Dialling(true))
	s.ok(s.far.DialPulses(s.ctx, "3", 10))
	s.want(hal.PulseDigit)
	s.far.OnHook()
	s.want(hal.OnHook)
}

func polarity(s *state) {
	s.far.OffHook()
	s.want(hal.OffHook)
	s.ok(s.p.SetPolarity(true))
	s.wantNone(time.Second)
	s.ok(s.p.SetPolarity(true))
	s.ok(s.p.SetPolarity(false))
	s.wantNone(time.Second)
	s.far.OnHook()
	s.want(hal.OnHook)
}

func health(s *state) {
	h := s.p.Health()
	if !h.OK || h.Text == "" || h.Since.IsZero() {
		s.Errorf("health on-hook: %+v", h)
	}
	s.far.OffHook()
	s.want(hal.OffHook)
	if g := s.p.Health(); !g.OK || g.Text == h.Text || !g.Since.Equal(h.Since) {
		s.Errorf("health off-hook: %+v, was %+v", g, h)
	}
}

func concurrent(s *state) {
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 25 {
				s.ok(s.p.Ring(cadence))
				_ = s.p.Health()
				s.ok(s.p.StopRing())
			}
		})
	}
	wg.Wait()
	s.wantNone(time.Second)
	if s.far.Ringing() {
		s.Error("still rings")
	}
}
