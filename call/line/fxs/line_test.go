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
	"callbox/call/line/linetest"
	"callbox/hal/sim"
	"callbox/media"
	"callbox/media/tone"
)

// receiver keeps the legs that arrive.
type receiver chan call.Leg

func (r receiver) Incoming(l call.Leg) { r <- l }

// rig is a served port.
type rig struct {
	*testing.T
	port
	in  receiver
	ctx context.Context
}

// bubble runs f with a served port in a synctest bubble.
func bubble(t *testing.T, c fxs.Config, f func(r *rig)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{T: t, port: newPort(t, c, sim.Faults{}), in: make(receiver, 4), ctx: t.Context()}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- r.line.Serve(ctx, r.in) }()
		t.Cleanup(func() {
			stop()
			if err := <-done; err != nil {
				t.Errorf("Serve: %v", err)
			}
		})
		synctest.Wait()
		f(r)
	})
}

func (r *rig) ok(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func (r *rig) pass(d time.Duration) { <-time.After(d) }

// event takes the next event of a leg, which must be of type typ.
func (r *rig) event(l call.Leg, typ call.LegEventType) call.LegEvent {
	r.Helper()
	select {
	case e, ok := <-l.Events():
		if !ok || e.Type != typ {
			r.Fatalf("event %+v (open %v), want %v", e, ok, typ)
		}
		return *e
	case <-time.After(30 * time.Second):
		r.Fatalf("no event %v", typ)
	}
	return call.LegEvent{}
}

// arrived takes the leg that the phone has dialled.
func (r *rig) arrived(d time.Duration) call.Leg {
	r.Helper()
	select {
	case l := <-r.in:
		return l
	case <-time.After(d):
		r.Fatalf("no call within %v", d)
		return nil
	}
}

// hears tells what the last second of d sounded like: the tones of t, or not.
func (r *rig) hears(d time.Duration, t tone.Tone) bool {
	r.Helper()
	r.phone.Forget()
	r.pass(d)
	heard := r.phone.Heard()
	for _, hz := range t.Steps[0].Hz {
		if media.ToneLevel(heard, hz) < -30 {
			return false
		}
	}
	return true
}

// silent reports whether the phone hears nothing for d, after what is buffered.
func (r *rig) silent(d time.Duration) bool {
	r.pass(200 * time.Millisecond)
	r.phone.Forget()
	r.pass(d)
	return media.DBm0(r.phone.Heard()) < -60
}

// pickUp takes the phone off the hook and waits for the dial tone.
func (r *rig) pickUp() {
	r.Helper()
	r.phone.OffHook()
	r.pass(200 * time.Millisecond)
	if !r.hears(500*time.Millisecond, us(r).Dial) {
		r.Fatal("no dial tone")
	}
}

func us(r *rig) tone.Country {
	r.Helper()
	c, ok := tone.ByCountry("US")
	if !ok {
		r.Fatal("no US")
	}
	return c
}

func TestDialledWithKeys(t *testing.T) {
	bubble(t, fxs.Config{Number: "5550100", Name: "alice"}, func(r *rig) {
		r.pickUp()
		r.ok(r.phone.Press(r.ctx, "5"))
		if !r.silent(time.Second) {
			r.Error("the dial tone goes on after a digit")
		}
		r.ok(r.phone.Press(r.ctx, "55*A0199"))
		start := time.Now()
		l := r.arrived(10 * time.Second)
		if d := time.Since(start); d < 3500*time.Millisecond || d > 4500*time.Millisecond {
			r.Errorf("placed %v after the last digit, want 4 s", d)
		}
		info := l.Info()
		if info.To != "555*0199" || info.From != "5550100" || info.FromName != "alice" || !info.Inbound || info.Remote != "fxs1" {
			r.Errorf("info %+v", info)
		}
		if s := r.line.Status(); s.Busy != 1 || s.Text != "calling" {
			r.Errorf("status %+v", s)
		}
		r.ok(l.Progress(r.ctx, call.ProgressRinging))
		r.pass(200 * time.Millisecond)
		if !r.hears(time.Second, us(r).Ringback) {
			r.Error("no ringback tone")
		}
		r.ok(l.Answer(r.ctx))
		r.event(l, call.LegAnswered)
		if !r.silent(3 * time.Second) {
			r.Error("a tone in the call")
		}
	})
}

func TestDialledWithPulses(t *testing.T) {
	bubble(t, fxs.Config{}, func(r *rig) {
		r.pickUp()
		r.ok(r.phone.DialPulses(r.ctx, "5550", 10))
		if l := r.arrived(10 * time.Second); l.Info().To != "5550" || l.Info().From != "fxs1" {
			r.Errorf("info %+v", l.Info())
		}
	})
}

func TestDialPlan(t *testing.T) {
	plan := func(d string) (complete, possible bool) {
		return d == "112" || len(d) == 4, !strings.HasPrefix(d, "9")
	}
	t.Run("complete at once", func(t *testing.T) {
		bubble(t, fxs.Config{Plan: plan}, func(r *rig) {
			r.pickUp()
			r.ok(r.phone.Press(r.ctx, "112"))
			if l := r.arrived(100 * time.Millisecond); l.Info().To != "112" {
				r.Errorf("info %+v", l.Info())
			}
		})
	})
	t.Run("impossible", func(t *testing.T) {
		bubble(t, fxs.Config{Plan: plan}, func(r *rig) {
			r.pickUp()
			r.ok(r.phone.Press(r.ctx, "9"))
			r.pass(200 * time.Millisecond)
			if !r.hears(2*time.Second, us(r).Congestion) {
				r.Error("no congestion tone")
			}
			r.ok(r.phone.Press(r.ctx, "112"))
			select {
			case l := <-r.in:
				r.Errorf("a call to %s after the congestion tone", l.Info().To)
			case <-time.After(10 * time.Second):
			}
		})
	})
	t.Run("too long", func(t *testing.T) {
		bubble(t, fxs.Config{}, func(r *rig) {
			r.pickUp()
			r.ok(r.phone.Press(r.ctx, strings.Repeat("5", 32)))
			if l := r.arrived(100 * time.Millisecond); len(l.Info().To) != 32 {
				r.Errorf("info %+v", l.Info())
			}
		})
	})
}

func TestReceiverLeftOffTheHook(t *testing.T) {
	bubble(t, fxs.Config{}, func(r *rig) {
		r.pickUp()
		r.pass(15 * time.Second)
		if !r.hears(2*time.Second, us(r).Congestion) {
			r.Error("no congestion tone when nothing is dialled")
		}
		r.pass(time.Minute)
		if !r.hears(time.Second, us(r).Howler) {
			r.Error("no howler after a minute")
		}
		if s := r.line.Status(); s.Text != "the receiver is off the hook" || s.Busy != 1 {
			r.Errorf("status %+v", s)
		}
		r.pass(time.Minute)
		if !r.silent(time.Minute) {
			r.Error("not parked after the howler")
		}
		var c call.Cause
		if _, err := r.line.Dial(r.ctx, call.Dial{}); !errors.As(err, &c) || c.Outcome() != call.Busy {
			r.Errorf("Dial to a parked phone: %v", err)
		}
		r.phone.OnHook()
		r.pass(time.Second)
		if s := r.line.Status(); s.Text != "on-hook" || s.Busy != 0 {
			r.Errorf("status %+v", s)
		}
		r.pickUp()
	})
}

func TestRefusedCallTones(t *testing.T) {
	tests := []struct {
		name  string
		cause call.Cause
		want  func(tone.Country) tone.Tone
	}{
		{"busy", call.Cause{Q850: call.Q850Busy, Who: call.Script}, func(c tone.Country) tone.Tone { return c.Busy }},
		{"no answer", call.Cause{Q850: call.Q850NoAnswer, Who: call.Box}, func(c tone.Country) tone.Tone { return c.Busy }},
		{"no route", call.Cause{Q850: call.Q850NoRoute, Who: call.Box}, func(c tone.Country) tone.Tone { return c.Congestion }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, fxs.Config{Country: "DE"}, func(r *rig) {
				r.phone.OffHook()
				r.pass(300 * time.Millisecond)
				r.ok(r.phone.Press(r.ctx, "1#"))
				l := r.arrived(time.Second)
				l.Hangup(tt.cause)
				if e := r.event(l, call.LegEnded); e.Cause != tt.cause {
					r.Errorf("cause %+v", e.Cause)
				}
				r.pass(200 * time.Millisecond)
				r.phone.Forget()
				r.pass(10 * time.Second)
				de, _ := tone.ByCountry("DE")
				if got, want := onShare(r.phone.Heard()), tt.want(de).Steps[0].Duration; !near(got, want) {
					r.Errorf("the tone's bursts last %v, want %v", got, want)
				}
			})
		})
	}
}

// onShare is the median length of the bursts of sound in s.
func onShare(s []int16) time.Duration {
	var runs []int
	n := 0
	for i := 0; i+80 <= len(s); i += 80 { // 10 ms
		if media.DBm0(s[i:i+80]) > -30 {
			n++
		} else if n > 0 {
			runs, n = append(runs, n), 0
		}
	}
	if len(runs) < 3 {
		return 0
	}
	return time.Duration(runs[len(runs)/2]) * 10 * time.Millisecond
}

func near(a, b time.Duration) bool { return (a - b).Abs() <= 20*time.Millisecond }

func TestPickedUpTooLate(t *testing.T) {
	bubble(t, fxs.Config{}, func(r *rig) {
		l, err := r.line.Dial(r.ctx, call.Dial{From: "5550100"})
		r.ok(err)
		if i := l.Info(); i.From != "5550100" || i.To != "fxs1" || i.Inbound {
			r.Errorf("info %+v", i)
		}
		r.event(l, call.LegRinging)
		r.ok(r.phone.WaitRing(r.ctx, 1))
		r.phone.OffHook()
		l.Hangup(call.NormalClearing(call.API)) // before the driver is sure of the hook
		if e := r.event(l, call.LegEnded); e.Cause.Who != call.API {
			r.Errorf("cause %+v", e.Cause)
		}
		r.pass(200 * time.Millisecond)
		if s := r.line.Status(); s.Busy != 1 {
			r.Errorf("status %+v", s)
		}
		r.phone.OnHook()
		r.pass(time.Second)
		if s := r.line.Status(); s.Busy != 0 {
			r.Errorf("status %+v", s)
		}
	})
}

func TestKeysAreSilencedTowardsTheBridge(t *testing.T) {
	bubble(t, fxs.Config{}, func(r *rig) {
		l := r.talk()
		press := make(chan error, 1)
		s, err := sim.Keys("5", time.Second, 100*time.Millisecond)
		r.ok(err)
		go func() { press <- r.phone.Say(r.ctx, s) }()
		var heard []int16
		var f media.Frame
		for range 60 {
			r.pass(media.FrameDuration)
			if l.Audio().ReadFrame(&f) {
				heard = append(heard, f[:]...)
			}
		}
		r.ok(<-press)
		loud := 0
		for i := 0; i+80 <= len(heard); i += 80 {
			if media.DBm0(heard[i:i+80]) > -40 {
				loud++
			}
		}
		if loud > 8 {
			r.Errorf("%d ms of a key of 1 s reach the bridge", loud*10)
		}
		if e := r.event(l, call.LegDigit); e.Digit != '5' {
			r.Errorf("digit %q", e.Digit)
		}
		select {
		case e := <-l.Events():
			r.Errorf("a long key gives another event: %+v", e)
		case <-time.After(time.Second):
		}
	})
}

// talk has the phone rung and picked up.
func (r *rig) talk() call.Leg {
	r.Helper()
	l, err := r.line.Dial(r.ctx, call.Dial{})
	r.ok(err)
	r.event(l, call.LegRinging)
	r.ok(r.phone.WaitRing(r.ctx, 1))
	r.phone.OffHook()
	r.event(l, call.LegAnswered)
	return l
}

func TestUnreadDigitsAreDroppedNotTheEnd(t *testing.T) {
	bubble(t, fxs.Config{}, func(r *rig) {
		l := r.talk()
		r.ok(r.phone.Press(r.ctx, strings.Repeat("1", 80)))
		r.phone.OnHook()
		r.pass(time.Second)
		n, ended := 0, false
		for e := range l.Events() {
			switch e.Type {
			case call.LegDigit:
				n++
			case call.LegEnded:
				ended = true
			}
		}
		if n != 64 || !ended {
			r.Errorf("%d digits, ended %v; want 64 and the end", n, ended)
		}
	})
}

func TestFlashIsNoHangUp(t *testing.T) {
	bubble(t, fxs.Config{}, func(r *rig) {
		l := r.talk()
		r.ok(r.phone.Flash(r.ctx, 300*time.Millisecond))
		r.pass(2 * time.Second)
		r.event(l, call.LegHeld)
		if s := r.line.Status(); s.Text != "picked up, dialling" {
			r.Errorf("status %+v", s)
		}
		r.ok(r.phone.Flash(r.ctx, 300*time.Millisecond))
		r.pass(2 * time.Second)
		r.event(l, call.LegResumed)
		if s := r.line.Status(); s.Text != "in a call" {
			r.Errorf("status %+v", s)
		}
		r.phone.OnHook()
		r.event(l, call.LegEnded)
	})
}

func TestEarlySoundIsHeardByTheCaller(t *testing.T) {
	bubble(t, fxs.Config{}, func(r *rig) {
		r.pickUp()
		r.ok(r.phone.Press(r.ctx, "1#"))
		l := r.arrived(time.Second)
		var f media.Frame
		if l.Audio().ReadFrame(&f) {
			r.Error("sound before there is any")
		}
		r.ok(l.Progress(r.ctx, call.ProgressRinging))
		r.ok(l.Progress(r.ctx, call.ProgressEarly))
		said := linetest.Tone(1000, 0.25, 8000)
		r.pass(200 * time.Millisecond)
		r.phone.Forget()
		for i := 0; i < len(said); i += media.FrameSamples {
			copy(f[:], said[i:])
			l.Audio().WriteFrame(&f)
			r.pass(media.FrameDuration)
		}
		if lev := media.ToneLevel(r.phone.Heard(), 1000); lev < -20 {
			r.Errorf("the tone is heard at %.0f dBm0", lev)
		}
		l.Hangup(call.NormalClearing(call.Script))
		r.event(l, call.LegEnded)
		if l.Audio().ReadFrame(&f) {
			r.Error("sound after the end")
		}
	})
}

func TestAllCountriesRing(t *testing.T) {
	for _, code := range tone.Codes() {
		t.Run(code, func(t *testing.T) {
			bubble(t, fxs.Config{Country: code}, func(r *rig) {
				l, err := r.line.Dial(r.ctx, call.Dial{})
				r.ok(err)
				r.ok(r.phone.WaitRing(r.ctx, 3))
				l.Hangup(call.NormalClearing(call.API))
				r.pass(time.Second)
				if r.phone.Ringing() {
					r.Error("still rings")
				}
			})
		})
	}
}

func TestConfig(t *testing.T) {
	good := []fxs.Config{{ID: "fxs1"}, {ID: "a", Country: "gb", FirstDigit: time.Minute, InterDigit: time.Second}}
	for _, c := range good {
		if err := c.Validate(); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
	bad := []fxs.Config{{}, {ID: "a", Country: "XX"}, {ID: "a", FirstDigit: time.Millisecond}, {ID: "a", InterDigit: time.Hour}}
	for _, c := range bad {
		if _, err := fxs.New(c, nil, nil); err == nil || c.Validate() == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
}
