package fxs_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"callbox/call"
	"callbox/call/line/fxs"
	"callbox/hal/sim"
	"callbox/media"
	"callbox/media/speech"
)

// spoken is a text as samples. It is made outside bubbles: it runs a program.
func spoken(t *testing.T, voice, text string) []int16 {
	t.Helper()
	clip, err := speech.New(speech.Config{Timeout: 5 * time.Minute}).Speak(t.Context(), text, voice, "")
	if err != nil {
		t.Fatalf("this test needs espeak-ng (apt-get install espeak-ng): %v", err)
	}
	defer clip.Close() //nolint:errcheck // a clip in memory
	s, err := media.ReadAll(clip, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// converse lets the box tell l what is in said while it listens for d.
func (r *rig) converse(l call.Leg, said []int16, d time.Duration) (heard []int16) {
	tick := time.NewTicker(media.FrameDuration)
	defer tick.Stop()
	var f media.Frame
	for at := 0; at < media.SamplesIn(d); at += len(f) {
		<-tick.C
		f.Clear()
		if at < len(said) {
			copy(f[:], said[at:])
		}
		l.Audio().WriteFrame(&f)
		if !l.Audio().ReadFrame(&f) {
			f.Clear()
		}
		heard = append(heard, f[:]...)
	}
	return heard
}

// The far party's voice comes back from the phone's hybrid, and not to the far
// party; what the phone says does, also while both speak.
func TestEchoOfTheHybridIsCancelled(t *testing.T) {
	far := spoken(t, "en", "The number of the office is five five five, one two three four. It is open from nine to five on every day of the week but Sunday, and closed on holidays.")
	near := spoken(t, "de", "Guten Tag, hier spricht das Telefon am anderen Ende der Leitung. Bitte warten Sie einen Augenblick, ich hole etwas zu schreiben.")
	levels := map[bool]float64{}
	for _, on := range []bool{false, true} {
		c := fxs.Config{EchoTail: -1}
		if on {
			c = fxs.Config{EchoTail: 16 * time.Millisecond}
		}
		t.Run(map[bool]string{false: "left in", true: "cancelled"}[on], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := serveEcho(t, c)
				l := r.talk()
				r.converse(l, far, time.Second) // time to learn
				heard := r.converse(l, far[media.SampleRate:], 4*time.Second)
				levels[on] = media.DBm0(heard[media.SampleRate/4:])
				said := make(chan error, 1)
				go func() { said <- r.phone.Say(r.ctx, near) }()
				heard = r.converse(l, far, 4*time.Second)
				share := alike(heard, near[:3*media.SampleRate])
				t.Logf("while both speak %.0f %% of what the phone says is heard clearly", 100*share)
				if on != (share > 0.66) {
					t.Error("want more than 66 % without the echo, and less with it, or this proves nothing")
				}
				l.Hangup(call.NormalClearing(call.API))
				r.phone.OnHook()
				r.pass(time.Second)
				<-said
			})
		})
	}
	t.Logf("what comes back is at %.1f dBm0 with the echo left in, %.1f with it cancelled", levels[false], levels[true])
	if levels[false] < -40 || levels[false]-levels[true] < 30 {
		t.Errorf("the echo is %.1f dBm0 and %.1f dBm0 when cancelled, want 30 dB less", levels[false], levels[true])
	}
}

// A fax machine needs its line as it is: once one was heard, nothing is cancelled.
func TestEchoStaysInForFaxMachines(t *testing.T) {
	far := spoken(t, "en", "This stands for a fax machine, whose sound nobody may touch.")
	synctest.Test(t, func(t *testing.T) {
		r := serveEcho(t, fxs.Config{})
		l := r.talk()
		with := media.DBm0(r.converse(l, far, 2*time.Second)[media.SampleRate/2:])
		l.Audio().(media.Transparent).SetTransparent()
		without := media.DBm0(r.converse(l, far, 2*time.Second)[media.SampleRate/2:])
		l.Hangup(call.NormalClearing(call.API))
		r.phone.OnHook()
		r.pass(time.Second)
		next := r.talk()
		again := media.DBm0(r.converse(next, far, 2*time.Second)[media.SampleRate/2:])
		t.Logf("echo at %.1f dBm0, for a fax machine %.1f, in the next call %.1f", with, without, again)
		if without < -35 || with > -60 || again > -60 {
			t.Errorf("echo at %.1f dBm0, for a fax machine %.1f, in the next call %.1f", with, without, again)
		}
		next.Hangup(call.NormalClearing(call.API))
		r.phone.OnHook()
		r.pass(time.Second)
	})
}

// alike is the share of the 50 ms pieces of said that come in heard with a correlation
// of at least 0.95, at a delay that moves by a sample per 25 ms at most: the line makes
// up for the clocks and for where they met when the call began.
func alike(heard, said []int16) float64 {
	const piece, delays = 400, 4 * media.FrameSamples
	corr := func(a, b []int16) float64 {
		var ab, aa, bb float64
		for i := range a {
			x, y := float64(a[i]), float64(b[i])
			ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
		}
		return ab / math.Sqrt(aa*bb+1)
	}
	best, at := 0.0, 0
	for d := range delays { // of the beginning
		if c := corr(heard[d:][:media.SampleRate/2], said[:media.SampleRate/2]); c > best {
			best, at = c, d
		}
	}
	n, pieces := 0, 0
	for i := 0; i+piece <= len(said); i += piece {
		if media.DBm0(said[i:i+piece]) < -35 {
			continue // between the words
		}
		pieces++
		here, moved := 0.0, 0
		for by := max(-2, -at); by <= 2; by++ {
			if c := corr(heard[at+by+i:][:piece], said[i:i+piece]); c > here {
				here, moved = c, by
			}
		}
		if at += moved; here >= 0.95 {
			n++
		}
	}
	return float64(n) / float64(pieces)
}

// serveEcho is a served port with a hybrid and some noise of its own.
func serveEcho(t *testing.T, c fxs.Config) *rig {
	r := &rig{T: t, port: newPort(t, c, sim.Faults{EchoLoss: 12}), in: make(receiver, 4), ctx: t.Context()}
	done := make(chan error, 1)
	go func() { done <- r.line.Serve(r.ctx, r.in) }()
	t.Cleanup(func() {
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	synctest.Wait()
	return r
}

// A device that loses sound changes where the echo is; it is found again.
func TestEchoAfterAnUnderrun(t *testing.T) {
	noise := make([]int16, 20*media.SampleRate)
	rnd := rand.New(rand.NewPCG(3, 4))
	for i := range noise {
		noise[i] = int16(rnd.NormFloat64() * 2000)
	}
	synctest.Test(t, func(t *testing.T) {
		r := serveEcho(t, fxs.Config{})
		l := r.talk()
		before := media.DBm0(r.converse(l, noise, 3*time.Second)[media.SampleRate:])
		r.phone.SetFaults(sim.Faults{EchoLoss: 12, RatePPM: 50000}) // the clock jumps
		r.converse(l, noise, time.Second)
		r.phone.SetFaults(sim.Faults{EchoLoss: 12})
		r.converse(l, noise, 2*time.Second)
		after := media.DBm0(r.converse(l, noise, 3*time.Second))
		t.Logf("echo %.1f dBm0 before, %.1f after", before, after)
		if before > -45 || after > -45 {
			t.Errorf("the echo is at %.1f dBm0 before and %.1f after", before, after)
		}
		l.Hangup(call.NormalClearing(call.API))
		r.phone.OnHook()
		r.pass(time.Second)
	})
}
