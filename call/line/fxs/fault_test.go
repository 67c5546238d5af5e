package fxs_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callbox/call"
	"callbox/call/line/fxs"
	"callbox/hal/sim"
	"callbox/media"
)

func TestPortFails(t *testing.T) {
	broken := errors.New("GPIO16 has gone")
	t.Run("ringing", func(t *testing.T) {
		bubble(t, fxs.Config{}, func(r *rig) {
			l, err := r.line.Dial(r.ctx, call.Dial{})
			r.ok(err)
			r.event(l, call.LegRinging)
			r.phone.SetFaults(sim.Faults{PinError: broken})
			if e := r.event(l, call.LegEnded); e.Cause.Q850 != call.Q850OutOfOrder || !strings.Contains(e.Cause.Text, "GPIO16") {
				r.Errorf("cause %+v", e.Cause)
			}
			if s := r.line.Status(); s.Ready || !strings.Contains(s.Text, "GPIO16") {
				r.Errorf("status %+v", s)
			}
			var c call.Cause
			if _, err := r.line.Dial(r.ctx, call.Dial{}); !errors.As(err, &c) || c.Q850 != call.Q850OutOfOrder {
				r.Errorf("Dial = %v", err)
			}
			r.phone.SetFaults(sim.Faults{})
			r.pass(10 * time.Second)
			if s := r.line.Status(); !s.Ready {
				r.Errorf("status after the repair: %+v", s)
			}
			r.talk()
		})
	})
	t.Run("talking", func(t *testing.T) {
		bubble(t, fxs.Config{}, func(r *rig) {
			l := r.talk()
			r.phone.SetFaults(sim.Faults{PinError: broken})
			if e := r.event(l, call.LegEnded); e.Cause.Q850 != call.Q850OutOfOrder {
				r.Errorf("cause %+v", e.Cause)
			}
			r.phone.SetFaults(sim.Faults{})
		})
	})
}

func TestSoundFailsAndComesBack(t *testing.T) {
	bubble(t, fxs.Config{}, func(r *rig) {
		l := r.talk()
		r.phone.SetFaults(sim.Faults{PCMError: errors.New("card unplugged")})
		r.pass(time.Second)
		if s := r.line.Status(); !strings.Contains(s.Text, "in a call; its sound has failed: card unplugged") {
			r.Errorf("status %+v", s)
		}
		r.phone.SetFaults(sim.Faults{})
		r.pass(2 * time.Second)
		if s := r.line.Status(); s.Text != "in a call" {
			r.Errorf("status %+v", s)
		}
		r.ok(r.phone.Press(r.ctx, "8"))
		if e := r.event(l, call.LegDigit); e.Digit != '8' {
			r.Errorf("digit %q", e.Digit)
		}
	})
}

func TestNotServing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPort(t, fxs.Config{}, sim.Faults{})
		var c call.Cause
		if _, err := p.line.Dial(t.Context(), call.Dial{}); !errors.As(err, &c) || c.Text != "line fxs1 is not running" {
			t.Errorf("Dial = %v", err)
		}
		if s := p.line.Status(); s.Ready || s.Max != 1 {
			t.Errorf("status %+v", s)
		}
		// Twice served, the phone being picked up in between.
		for range 2 {
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- p.line.Serve(ctx, make(receiver, 1)) }()
			<-time.After(time.Second)
			if s := p.line.Status(); !s.Ready {
				t.Errorf("status %+v", s)
			}
			p.phone.OffHook()
			<-time.After(time.Second)
			stop()
			if err := <-done; err != nil {
				t.Error(err)
			}
			if s := p.line.Status(); s.Busy != 1 {
				t.Errorf("status %+v: the receiver still lies beside", s)
			}
			p.phone.OnHook()
			<-time.After(time.Second)
		}
	})
}

func TestAudioDoesNotAllocate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPort(t, fxs.Config{}, sim.Faults{})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- p.line.Serve(ctx, make(receiver, 1)) }()
		synctest.Wait()
		l, err := p.line.Dial(ctx, call.Dial{})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.phone.WaitRing(ctx, 1); err != nil {
			t.Fatal(err)
		}
		p.phone.OffHook()
		<-time.After(time.Second)
		var f media.Frame
		audio := l.Audio()
		if n := testing.AllocsPerRun(100, func() { audio.WriteFrame(&f); audio.ReadFrame(&f) }); n != 0 {
			t.Errorf("%v allocations per frame", n)
		}
		if s := l.(call.MediaReporter).MediaStats(); s.Dropped == 0 {
			t.Errorf("stats %+v: 100 frames at once fit nowhere", s)
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// A codec whose clock is off by 500 ppm gains or loses 30 ms in a minute: a few
// frames are dropped or missing, no more, and nothing piles up.
func TestCodecClockDrift(t *testing.T) {
	for name, ppm := range map[string]float64{"fast": 500, "slow": -500} {
		t.Run(name, func(t *testing.T) {
			bubble(t, fxs.Config{}, func(r *rig) {
				r.phone.SetFaults(sim.Faults{RatePPM: ppm})
				l := r.talk()
				var f media.Frame
				missing := 0
				tick := time.NewTicker(media.FrameDuration)
				defer tick.Stop()
				for range 3000 {
					<-tick.C
					if !l.Audio().ReadFrame(&f) {
						missing++
					}
					l.Audio().WriteFrame(&f)
				}
				if missing > 12 {
					r.Errorf("%d of 3,000 frames are missing", missing)
				}
				if s := l.(call.MediaReporter).MediaStats(); s.Dropped > 12 {
					r.Errorf("%d frames were dropped", s.Dropped)
				}
			})
		})
	}
}
