package slic

import (
	"errors"
	"testing"
	"time"

	"callbox/hal"
)

// trace is a pin that remembers what it was set to.
type trace struct {
	now   *time.Time
	level hal.Level
	sets  []hal.Edge
	err   error
}

func (p *trace) Name() string { return "pin" }

func (p *trace) Set(l hal.Level) error {
	if p.err != nil {
		return p.err
	}
	if l != p.level {
		p.level = l
		p.sets = append(p.sets, hal.Edge{Level: l, At: *p.now})
	}
	return nil
}

// high is the time for which the pin was high until now.
func (p *trace) high() time.Duration {
	var sum time.Duration
	for i, e := range p.sets {
		if e.Level == hal.Low {
			continue
		}
		end := *p.now
		if i+1 < len(p.sets) {
			end = p.sets[i+1].At
		}
		sum += end.Sub(e.At)
	}
	return sum
}

// bench is a ringer with its pins and its time.
type bench struct {
	*testing.T
	now    time.Time
	rm, fr *trace
	r      *ringer
}

func newBench(t *testing.T) *bench {
	b := &bench{T: t, now: t0}
	b.rm = &trace{now: &b.now}
	b.fr = &trace{now: &b.now, level: hal.High}
	b.r = &ringer{rm: b.rm, fr: b.fr, hz: 25, level: hal.High}
	return b
}

func (b *bench) ok(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// run lets d pass; each call of advance comes late by lag.
func (b *bench) run(d, lag time.Duration) {
	b.Helper()
	end := b.now.Add(d)
	for {
		at := b.r.next(b.now)
		if at.IsZero() || at.After(end) {
			b.now = end
			return
		}
		if at = at.Add(lag); at.Before(b.now) {
			b.Fatalf("next is in the past by %v", b.now.Sub(at))
		}
		b.now = at
		b.ok(b.r.advance(b.now))
	}
}

func cad(hz int, ms ...int) hal.Cadence {
	c := hal.Cadence{Hz: hz}
	for _, n := range ms {
		c.Steps = append(c.Steps, time.Duration(n)*time.Millisecond)
	}
	return c
}

func TestRingCadences(t *testing.T) {
	tests := []struct {
		name string
		c    hal.Cadence
		half time.Duration // expected time between F/R edges
	}{
		{"US", cad(20, 2000, 4000), 25 * time.Millisecond},
		{"UK", cad(25, 400, 200, 400, 2000), 20 * time.Millisecond},
		{"DE", cad(25, 1000, 4000), 20 * time.Millisecond},
		{"FR", cad(50, 1500, 3500), 20 * time.Millisecond}, // the chip cannot do 50 Hz
		{"JP", cad(16, 1000, 2000), 25 * time.Millisecond},
		{"own frequency", cad(0, 1000, 4000), 20 * time.Millisecond},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			b.ok(b.r.check(tt.c))
			b.ok(b.r.ring(b.now, tt.c))
			_, total := tt.c.On()
			b.run(10*total-time.Millisecond, 0)
			on, _ := tt.c.On()
			if got := b.rm.high(); got != 10*on {
				t.Errorf("RM was high for %v of 10 rounds, want %v", got, 10*on)
			}
			at := t0
			for i, s := range tt.c.Steps {
				if got := b.rm.sets[i]; got.Level != hal.Level(i%2 == 0) || !got.At.Equal(at) {
					t.Errorf("RM edge %d: %v at %v, want at %v", i, got.Level, got.At.Sub(t0), at.Sub(t0))
				}
				at = at.Add(s)
			}
			if d := b.fr.sets[1].At.Sub(b.fr.sets[0].At); d != tt.half {
				t.Errorf("F/R turns every %v, want %v", d, tt.half)
			}
			b.checkOrder()
		})
	}
}

// checkOrder checks that F/R was high for 10…500 ms whenever RM went low, and
// never toggled without RM.
func (b *bench) checkOrder() {
	b.Helper()
	k := 0
	for i := 0; i+1 < len(b.rm.sets); i += 2 {
		on, off := b.rm.sets[i].At, b.rm.sets[i+1].At
		var last hal.Edge
		for ; k < len(b.fr.sets) && !b.fr.sets[k].At.After(off); k++ {
			last = b.fr.sets[k]
			if last.At.Before(on) {
				b.Errorf("F/R turns %v before RM", on.Sub(last.At))
			}
		}
		if d := off.Sub(last.At); last.Level != hal.High || d < 10*time.Millisecond || d > 500*time.Millisecond {
			b.Errorf("RM low %v after F/R went %v", d, last.Level)
		}
	}
}

func TestRingLateTimers(t *testing.T) {
	b := newBench(t)
	b.ok(b.r.ring(b.now, cad(25, 1000, 4000)))
	b.run(time.Minute, 3*time.Millisecond)
	b.checkOrder()
	if b.r.late == 0 {
		t.Error("late edges were not counted")
	}
	// Edges keep their absolute places: 3 ms late each, never adding up.
	for _, e := range b.fr.sets[:20] {
		if d := e.At.Sub(t0) - 3*time.Millisecond; d%(20*time.Millisecond) > 3*time.Millisecond {
			t.Fatalf("F/R edge at %v", e.At.Sub(t0))
		}
	}
}

func TestRingDuty(t *testing.T) {
	b := newBench(t)
	// Rung and stopped again and again: as greedy as a caller can be.
	for range 200 {
		b.ok(b.r.ring(b.now, cad(25, 2000, 4000)))
		b.run(1700*time.Millisecond, 0)
		b.ok(b.r.end(b.now))
		b.run(50*time.Millisecond, 0)
	}
	share := b.rm.high().Seconds() / b.now.Sub(t0).Seconds()
	if share > 0.3334+4.0/3/b.now.Sub(t0).Seconds() {
		t.Errorf("RM was high for %.1f %% of the time", 100*share)
	}
	if share < 0.2 {
		t.Errorf("RM was high for only %.1f %% of the time", 100*share)
	}
	b.checkOrder()
}

func TestRingRefusedCadences(t *testing.T) {
	b := newBench(t)
	for _, c := range []hal.Cadence{cad(25, 1000, 1990), cad(25, 3000, 9000), cad(25), cad(25, 400, 200, 400, 900)} {
		if err := b.r.check(c); !errors.Is(err, hal.ErrCadence) {
			t.Errorf("check(%v) = %v", c, err)
		}
	}
}

func TestRingEnd(t *testing.T) {
	for _, after := range []time.Duration{0, time.Millisecond, 500 * time.Millisecond, 990 * time.Millisecond, 2 * time.Second} {
		b := newBench(t)
		b.ok(b.r.ring(b.now, cad(25, 1000, 4000)))
		b.run(after, 0)
		b.ok(b.r.end(b.now))
		if b.r.ringing() {
			t.Errorf("after %v: still ringing", after)
		}
		if b.fr.level != hal.High {
			t.Errorf("after %v: F/R is low", after)
		}
		b.run(tailTime, 0)
		if b.rm.level != hal.Low {
			t.Errorf("after %v: RM is high 20 ms after the end", after)
		}
		b.run(10*time.Second, 0)
		if b.rm.level != hal.Low || !b.r.next(b.now).IsZero() {
			t.Errorf("after %v: rings on", after)
		}
	}
}

func TestRingRestartInBurst(t *testing.T) {
	b := newBench(t)
	b.ok(b.r.ring(b.now, cad(25, 1000, 4000)))
	b.run(300*time.Millisecond, 0)
	b.ok(b.r.ring(b.now, cad(25, 400, 200, 400, 2000)))
	b.run(10*time.Second, 0)
	b.checkOrder()
	if b.r.bursts < 6 {
		t.Errorf("only %d bursts after the restart", b.r.bursts)
	}
}

func TestPolarityWaitsForTheRing(t *testing.T) {
	b := newBench(t)
	b.ok(b.r.ring(b.now, cad(25, 1000, 4000)))
	b.ok(b.r.polarity(true))
	b.run(2*time.Second, 0)
	if b.fr.level != hal.High {
		t.Error("reversed while ringing")
	}
	b.ok(b.r.end(b.now))
	if b.fr.level != hal.Low {
		t.Error("not reversed after the ring")
	}
	b.ok(b.r.ring(b.now, cad(25, 1000, 4000)))
	b.run(2*time.Second, 0)
	b.ok(b.r.safe(b.now))
	if b.fr.level != hal.High || b.rm.level != hal.Low {
		t.Error("not safe")
	}
}

func TestSupplyStaggersBursts(t *testing.T) {
	a, b := newBench(t), newBench(t)
	s := &Supply{}
	a.r.supply, b.r.supply = s, s
	a.ok(a.r.ring(a.now, cad(25, 1000, 4000)))
	b.ok(b.r.ring(b.now, cad(25, 1000, 4000)))
	for range 2990 { // in step, just under 30 s
		a.run(10*time.Millisecond, 0)
		b.run(10*time.Millisecond, 0)
		if a.rm.level == hal.High && b.rm.level == hal.High && a.now.Sub(a.r.start) > 0 && b.now.Sub(b.r.start) > 0 {
			t.Fatalf("both ring at %v", a.now.Sub(t0))
		}
	}
	if a.r.bursts != 6 || b.r.bursts != 6 {
		t.Errorf("%d and %d bursts in 30 s, want 6 each", a.r.bursts, b.r.bursts)
	}
	// An early end gives the supply back.
	a.ok(a.r.end(a.now))
	b.ok(b.r.end(b.now))
	a.run(10*time.Second, 0)
	b.run(10*time.Second, 0)
	a.ok(a.r.ring(a.now, cad(25, 2000, 4000)))
	a.run(500*time.Millisecond, 0)
	a.ok(a.r.end(a.now))
	a.run(20*time.Millisecond, 0)
	if ok, _ := s.reserve(a.now, time.Second); !ok {
		t.Error("the supply is still taken")
	}
}

func TestSafeTriesBothPins(t *testing.T) {
	b := newBench(t)
	b.ok(b.r.ring(b.now, cad(25, 1000, 4000)))
	b.run(100*time.Millisecond, 0)
	broken := errors.New("broken")
	b.fr.err = broken
	if err := b.r.safe(b.now); !errors.Is(err, broken) {
		t.Errorf("safe = %v", err)
	}
	if b.rm.level != hal.Low {
		t.Error("RM stays high when F/R fails")
	}
}

func TestConfigValidate(t *testing.T) {
	good := []Config{{}, {Hz: 20}, {FlashMin: 100 * time.Millisecond, FlashMax: time.Second}}
	for _, c := range good {
		if err := c.Validate(); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
	bad := []Config{{Hz: 16}, {Hz: 50}, {FlashMin: 50 * time.Millisecond}, {FlashMin: 300 * time.Millisecond, FlashMax: 250 * time.Millisecond}, {FlashMax: 2 * time.Second}}
	for _, c := range bad {
		if err := c.Validate(); err == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
}

func TestRingStall(t *testing.T) {
	for _, stall := range []time.Duration{15 * time.Millisecond, 100 * time.Millisecond, 3 * time.Second} {
		b := newBench(t)
		b.ok(b.r.ring(b.now, cad(25, 1000, 4000)))
		b.run(970*time.Millisecond, 0)
		b.now = b.now.Add(stall) // nothing was called in time
		b.ok(b.r.advance(b.now))
		b.run(20*time.Second, 0)
		if stall < 500*time.Millisecond {
			b.checkOrder()
		}
		if share := b.rm.high().Seconds() / b.now.Sub(t0).Seconds(); share > 0.3334+4.0/3/b.now.Sub(t0).Seconds() {
			t.Errorf("after a stall of %v RM was high for %.1f %% of the time", stall, 100*share)
		}
	}
}
