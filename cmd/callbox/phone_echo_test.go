package main

import (
	"math/rand/v2"
	"testing"

	"callbox/call"
	"callbox/media"
)

// TestNobodyHearsThemselves: a simulated phone sends back what it hears, as every
// analogue phone does. The user at the other end does not hear it, and the record
// says how strong it was; where the configuration leaves it in, it is heard.
func TestNobodyHearsThemselves(t *testing.T) {
	t.Parallel()
	b := startBox(t)
	b.configure("phones:\n- {port: fxs2, echo_tail_ms: -1}\n")
	noise := make([]int16, media.SampleRate)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = int16(2000 * r.NormFloat64())
	}
	// hears is the level of what alice gets back in the second half of a while.
	hears := func(port string, enough func() bool) float64 {
		p := b.phone(port)
		b.must(b.alice.Call(b.ctx, port))
		b.must(p.WaitRing(b.ctx, 1))
		p.OffHook()
		b.must(b.alice.WaitUp(b.ctx))
		for !enough() {
			b.alice.Say(noise)
			at := len(b.alice.Heard()) + len(noise)
			b.poll("a second of sound", func() bool { return len(b.alice.Heard()) >= at })
		}
		heard := b.alice.Heard()
		level := media.DBm0(heard[len(heard)-media.SampleRate:])
		b.must(b.alice.Hangup(b.ctx))
		b.idle()
		p.OnHook()
		return level
	}
	said := media.DBm0(noise)
	seconds := 0
	with := hears("fxs2", func() bool { seconds++; return seconds > 4 })
	var q *call.Quality
	without := hears("fxs1", func() bool {
		page, err := b.app.engine.Calls(b.ctx, call.Filter{Account: b.app.config().Accounts[0].ID})
		b.must(err)
		for _, rec := range page.Records {
			if rec.Line == "fxs1" && rec.Quality != nil && rec.Quality.ReturnLoss != nil {
				q = rec.Quality
			}
		}
		return q != nil && *q.Enhancement > 15
	})
	t.Logf("alice says %.1f dBm0 and hears %.1f with the echo left in, %.1f without; return loss %.1f dB, enhancement %.1f dB", said, with, without, *q.ReturnLoss, *q.Enhancement)
	if with < said-24 {
		t.Errorf("the echo that is left in is heard at %.1f dBm0 of %.1f", with, said)
	}
	if without > with-15 {
		t.Errorf("with the echo cancelled alice hears %.1f dBm0, without that %.1f", without, with)
	}
	if *q.ReturnLoss < 12 || *q.ReturnLoss > 21 {
		t.Errorf("a return loss of %.1f dB was measured, the phone has 16", *q.ReturnLoss)
	}
}
