package fxs_test

import (
	"strings"
	"testing"
	"time"

	"callbox/call"
	"callbox/call/line/fxs"
	"callbox/call/line/linetest"
	"callbox/hal/sim"
	"callbox/media"
)

const flash = 300 * time.Millisecond

// hums writes a tone into a leg for d, and gives how loud three tones are in what
// the leg hears meanwhile.
func hums(r *rig, l call.Leg, hz float64, d time.Duration) (heard []int16) {
	said := linetest.Tone(hz, 0.1, int(d*media.SampleRate/time.Second))
	var f media.Frame
	for i := 0; i+len(f) <= len(said); i += len(f) {
		copy(f[:], said[i:])
		l.Audio().WriteFrame(&f)
		if l.Audio().ReadFrame(&f) {
			heard = append(heard, f[:]...)
		}
		r.pass(media.FrameDuration)
	}
	return heard
}

// second has the phone, which is in a call, flash and dial another one, which is
// answered.
func (r *rig) second() call.Leg {
	r.Helper()
	r.ok(r.phone.Flash(r.ctx, flash))
	r.pass(300 * time.Millisecond)
	if !r.hears(500*time.Millisecond, us(r).Dial) {
		r.Fatal("no dial tone after the flash")
	}
	r.ok(r.phone.Press(r.ctx, "77#"))
	l := r.arrived(time.Second)
	r.ok(l.Answer(r.ctx))
	r.event(l, call.LegAnswered)
	return l
}

// TestConference: a flash holds a call, the next one makes a conference of three in
// which everybody hears the two others, and the third takes the last one out.
func TestConference(t *testing.T) {
	bubble(t, fxs.Config{}, func(r *rig) {
		a := r.talk()
		b := r.second()
		r.event(a, call.LegHeld)
		r.pass(500 * time.Millisecond)
		r.ok(r.phone.Flash(r.ctx, flash))
		r.pass(200 * time.Millisecond)
		r.event(a, call.LegResumed)

		done := make(chan []int16, 2)
		// Nobody has read the legs' sound so far: the delay that it has gathered goes within
		// the minute, during which tones are a little higher.
		go func() { done <- hums(r, a, 500, time.Minute) }()
		hums(r, b, 900, time.Minute)
		<-done
		r.phone.Forget()
		go func() { done <- hums(r, a, 500, 2*time.Second) }()
		go func() { done <- append([]int16{1}, hums(r, b, 900, 2*time.Second)...) }()
		r.ok(r.phone.Say(r.ctx, linetest.Tone(1500, 0.1, 16000)))
		x, y := <-done, <-done
		if len(x) > 0 && x[0] == 1 && len(x)%2 == 1 {
			x, y = y, x
		}
		loud := func(what string, s []int16, hz float64, want bool) {
			t.Helper()
			if got := media.ToneLevel(s[len(s)/2:], hz) > -35; got != want {
				t.Errorf("%s hears %g Hz: %v, at %.0f dBm0", what, hz, got, media.ToneLevel(s[len(s)/2:], hz))
			}
		}
		heard := r.phone.Heard()
		loud("the phone", heard[:16000], 500, true)
		loud("the phone", heard[:16000], 900, true)
		loud("the first", x, 900, true)
		loud("the first", x, 1500, true)
		loud("the first", x, 500, false)
		loud("the second", y, 500, true)
		loud("the second", y, 1500, true)
		loud("the second", y, 900, false)

		r.ok(r.phone.Flash(r.ctx, flash))
		r.pass(200 * time.Millisecond)
		if e := r.event(b, call.LegEnded); e.Cause.Who != call.Remote {
			t.Errorf("the second leaves: %+v", e.Cause)
		}
		r.pass(time.Second)
		r.phone.Forget()
		hums(r, a, 500, time.Second)
		loud("the phone, alone with the first", r.phone.Heard(), 500, true)
		r.phone.OnHook()
		r.event(a, call.LegEnded)
	})
}

// TestConferenceEnds: when one of two leaves, the phone goes on with the other;
// when the phone leaves, both end.
func TestConferenceEnds(t *testing.T) {
	for _, who := range []string{"first", "second", "phone"} {
		t.Run(who, func(t *testing.T) {
			bubble(t, fxs.Config{}, func(r *rig) {
				a := r.talk()
				b := r.second()
				r.event(a, call.LegHeld)
				r.pass(500 * time.Millisecond)
				r.ok(r.phone.Flash(r.ctx, flash))
				r.pass(200 * time.Millisecond)
				r.event(a, call.LegResumed)
				left := []call.Leg{a, b}
				switch who {
				case "first":
					a.Hangup(call.NormalClearing(call.Peer))
					r.event(a, call.LegEnded)
					left = left[1:]
				case "second":
					b.Hangup(call.NormalClearing(call.Peer))
					r.event(b, call.LegEnded)
					left = left[:1]
				}
				r.pass(time.Second)
				if who != "phone" && r.line.Status().Text != "in a call" {
					t.Errorf("the phone is %s", r.line.Status().Text)
				}
				r.phone.OnHook()
				for _, l := range left {
					r.event(l, call.LegEnded)
				}
				r.pass(time.Second)
				if s := r.line.Status(); s.Text != "on-hook" || s.Busy != 0 {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}

// TestHoldAndBack: a flash during the dial tone, during ringing and after the second
// call has ended returns to the first.
func TestHoldAndBack(t *testing.T) {
	for _, when := range []string{"dial tone", "ringing", "ended"} {
		t.Run(when, func(t *testing.T) {
			bubble(t, fxs.Config{}, func(r *rig) {
				a := r.talk()
				switch when {
				case "dial tone":
					r.ok(r.phone.Flash(r.ctx, flash))
					r.pass(500 * time.Millisecond)
				case "ringing":
					r.ok(r.phone.Flash(r.ctx, flash))
					r.pass(500 * time.Millisecond)
					r.ok(r.phone.Press(r.ctx, "77#"))
					b := r.arrived(time.Second)
					r.ok(r.phone.Flash(r.ctx, flash))
					r.event(b, call.LegEnded)
				case "ended":
					b := r.second()
					r.pass(500 * time.Millisecond)
					b.Hangup(call.NormalClearing(call.Peer))
					r.event(b, call.LegEnded)
				}
				if when != "ringing" {
					r.pass(500 * time.Millisecond)
					r.ok(r.phone.Flash(r.ctx, flash))
				}
				r.event(a, call.LegHeld)
				r.event(a, call.LegResumed)
				r.pass(500 * time.Millisecond)
				if s := r.line.Status(); s.Text != "in a call" {
					t.Errorf("%+v", s)
				}
				r.phone.OnHook()
				r.event(a, call.LegEnded)
			})
		})
	}
}

// TestTransferByHangUp: a phone that hangs up between two calls wants them
// connected with each other; nobody is found, so both end.
func TestTransferByHangUp(t *testing.T) {
	bubble(t, fxs.Config{}, func(r *rig) {
		a := r.talk()
		b := r.second()
		r.event(a, call.LegHeld)
		r.phone.OnHook()
		e := r.event(a, call.LegTransfer)
		if w := e.Transfer; !w.Attended || w.Replaces != b || !w.Trusted {
			t.Fatalf("transfer %+v", w)
		}
		r.ok(e.Transfer.Reply.Accept())
		r.pass(time.Second)
		if s := r.line.Status(); s.Text != "on-hook" {
			t.Errorf("%+v", s)
		}
		// The phone is free meanwhile.
		c := r.talk()
		r.phone.OnHook()
		r.event(c, call.LegEnded)
		e.Transfer.Reply.Progress(603, "")
		for _, l := range []call.Leg{a, b} {
			if e := r.event(l, call.LegEnded); e.Cause.Text == "" {
				t.Errorf("%+v", e.Cause)
			}
		}
	})
}

// TestRecall: a phone that is put down with a call on hold rings, and has it again;
// when nobody picks up the call ends.
func TestRecall(t *testing.T) {
	for _, answers := range []bool{true, false} {
		bubbleIn(t, fxs.Config{}, func(r *rig) {
			a := r.talk()
			r.ok(r.phone.Flash(r.ctx, flash))
			r.pass(500 * time.Millisecond)
			r.event(a, call.LegHeld)
			r.phone.OnHook()
			r.ok(r.phone.WaitRing(r.ctx, 1))
			if !answers {
				r.pass(70 * time.Second)
				if e := r.event(a, call.LegEnded); e.Cause.Q850 != call.Q850NoAnswer {
					t.Errorf("%+v", e.Cause)
				}
				return
			}
			r.phone.OffHook()
			r.event(a, call.LegResumed)
			r.phone.Forget()
			hums(r, a, 500, time.Second)
			if media.ToneLevel(r.phone.Heard(), 500) < -35 {
				t.Error("the phone does not hear its call")
			}
			r.phone.OnHook()
			r.event(a, call.LegEnded)
		})
	}
}

// bubbleIn runs f in a bubble of a subtest.
func bubbleIn(t *testing.T, c fxs.Config, f func(r *rig)) {
	t.Run("", func(t *testing.T) { bubble(t, c, f) })
}

// TestCallWaiting: a second call is heard as a tone and shown on the display; a
// flash takes it, and further ones go back and forth. Without the service the
// second caller finds the phone busy.
func TestCallWaiting(t *testing.T) {
	for _, country := range []string{"US", "DE", "IN"} {
		bubbleIn(t, fxs.Config{Country: country, Waiting: true}, func(r *rig) {
			a := r.talk()
			r.pass(time.Second)
			r.phone.Forget()
			b := r.ring(call.Dial{From: "5550123", FromName: "Bob"})
			r.pass(3 * time.Second)
			if lev := media.ToneLevel(r.phone.Heard()[800:3200], us(r).CallWaiting.Steps[0].Hz[0]); country == "US" && lev < -30 {
				t.Errorf("%s: the tone is heard at %.0f dBm0", country, lev)
			}
			want := "5550123 Bob"
			if country == "IN" { // there is no way to show it
				want = ""
			}
			if got := strings.Join(r.phone.Display(), ";"); !strings.HasPrefix(got, want) || (got == "") != (want == "") {
				t.Errorf("%s: shows %q, want %q", country, got, want)
			}
			if s := r.line.Status(); s.Max != 2 || s.Busy != 2 {
				t.Errorf("%s: %+v", country, s)
			}
			if _, err := r.line.Dial(r.ctx, call.Dial{}); err == nil {
				t.Error("a third call waits")
			}
			r.ok(r.phone.Flash(r.ctx, flash))
			r.event(a, call.LegHeld)
			r.event(b, call.LegAnswered)
			r.pass(500 * time.Millisecond)
			r.ok(r.phone.Flash(r.ctx, flash))
			r.event(b, call.LegHeld)
			r.event(a, call.LegResumed)
			r.pass(500 * time.Millisecond)
			a.Hangup(call.NormalClearing(call.Peer))
			r.event(a, call.LegEnded)
			r.phone.OnHook() // the other one is still there
			r.ok(r.phone.WaitRing(r.ctx, 1))
			r.phone.OffHook()
			r.event(b, call.LegResumed)
			r.phone.OnHook()
			r.event(b, call.LegEnded)
		})
	}
	bubbleIn(t, fxs.Config{}, func(r *rig) {
		a := r.talk()
		if _, err := r.line.Dial(r.ctx, call.Dial{}); err == nil || call.CauseOf(err).Q850 != call.Q850Busy {
			t.Errorf("a second call: %v", err)
		}
		r.phone.OnHook()
		r.event(a, call.LegEnded)
	})
}

// TestWaitingRings: when the phone is put down while a call waits, it rings; when the
// caller gives up, the tone ends.
func TestWaitingRings(t *testing.T) {
	bubble(t, fxs.Config{Waiting: true, CallerID: "none"}, func(r *rig) {
		a := r.talk()
		b := r.ring(call.Dial{})
		r.pass(time.Second)
		r.phone.OnHook()
		r.event(a, call.LegEnded)
		r.ok(r.phone.WaitRing(r.ctx, 1))
		r.phone.OffHook()
		r.event(b, call.LegAnswered)
		c := r.ring(call.Dial{})
		r.pass(time.Second)
		c.Hangup(call.NormalClearing(call.API))
		r.event(c, call.LegEnded)
		if !r.silent(12 * time.Second) {
			t.Error("the tone goes on after the caller gave up")
		}
		r.phone.OnHook()
		r.event(b, call.LegEnded)
	})
}

// TestPortFailsWithTwo: a port that fails ends both calls of its phone.
func TestPortFailsWithTwo(t *testing.T) {
	bubble(t, fxs.Config{}, func(r *rig) {
		a := r.talk()
		b := r.second()
		r.event(a, call.LegHeld)
		r.ok(r.phone.SetFault("broken-pins", "on"))
		for _, l := range []call.Leg{a, b} {
			if e := r.event(l, call.LegEnded); e.Cause.Q850 != call.Q850OutOfOrder {
				t.Errorf("%+v", e.Cause)
			}
		}
		r.phone.SetFaults(sim.Faults{})
	})
}
