package sipleg_test

import (
	"testing"

	"callbox/call"
	"callbox/call/line/sipleg"
	"callbox/call/line/sipleg/siptest"
	"callbox/sip"
)

// TestReliableEarlySound: with acknowledged provisional responses (RFC 3262) there
// is early sound and an answered call in both directions, and also when the box
// has to offer before it answers.
func TestReliableEarlySound(t *testing.T) {
	t.Parallel()
	reliable := sip.Terms{Reliable: sip.Always}
	b := newBox(t, siptest.Config{Terms: reliable}, func(c *sipleg.Config) { c.Terms = reliable })

	out := b.dial()
	b.must(b.far.WaitRing(b.ctx()))
	out.until(call.LegRinging)
	b.must(b.far.Early())
	out.until(call.LegEarly)
	says(t, b.far, out, 0)
	b.must(b.far.Answer(b.ctx()))
	out.until(call.LegAnswered)
	says(t, out, b.far, 1)
	out.Hangup(call.NormalClearing(call.Box))
	out.until(call.LegEnded)
	if _, err := b.far.WaitEnd(b.ctx()); err != nil {
		t.Fatal(err)
	}

	for _, late := range []bool{false, true} {
		if late {
			b.must(b.far.CallWithoutOffer(b.ctx(), "100"))
		} else {
			b.must(b.far.Call(b.ctx(), "100"))
		}
		in := b.arrived()
		b.must(in.Progress(b.ctx(), call.ProgressRinging))
		b.must(in.Progress(b.ctx(), call.ProgressEarly))
		says(t, in, b.far, 2)
		b.must(in.Answer(b.ctx()))
		in.until(call.LegAnswered)
		b.must(b.far.WaitUp(b.ctx()))
		says(t, b.far, in, 3)
		in.Hangup(call.NormalClearing(call.Box))
		in.until(call.LegEnded)
		if _, err := b.far.WaitEnd(b.ctx()); err != nil {
			t.Fatal(err)
		}
	}
}
