package linetest

import (
	"math"
	"time"

	"callbox/media/ears"
)

const (
	boxTone  = 700.0  // what the box says, Hz
	farTone  = 1100.0 // what the far end says
	window   = 1600   // 200 ms: what one look at a spectrum takes
	sayTone  = rate   // 1 s
	saySweep = rate
)

// checkAudio has both sides say a tone and then a sweep, and listens on both.
func (r *rig) checkAudio(d *legDriver) {
	r.t.Helper()
	r.checkSilence(d)
	boxSweep, farSweep := Sweep(400, 1800, saySweep), Sweep(3000, 1600, saySweep)
	boxFrom, farFrom := len(d.Heard()), len(r.Voice.Heard())
	box := func() []int16 { return d.Heard()[boxFrom:] }
	far := func() []int16 { return r.Voice.Heard()[farFrom:] }
	d.Say(Tone(boxTone, 0.25, sayTone))
	r.Voice.Say(Tone(farTone, 0.25, sayTone))
	d.Say(boxSweep)
	r.Voice.Say(farSweep)

	poll(r.t, "the far end hears the box's tone", func() bool { return hearsTone(far(), boxTone) })
	poll(r.t, "the box hears the far end's tone", func() bool { return hearsTone(box(), farTone) })
	if hearsTone(far(), farTone) {
		r.t.Error("the far end hears itself")
	}
	if hearsTone(box(), boxTone) {
		r.t.Error("the box hears itself")
	}
	r.listen("far end", far, boxSweep)
	r.listen("box", box, farSweep)
}

// listen waits until 80 % of said was heard. A piece may be lost to a stalled
// machine, not more.
func (r *rig) listen(who string, heard func() []int16, said []int16) {
	r.t.Helper()
	poll(r.t, "the "+who+" hears to the end", func() bool { return len(heard()) >= sayTone+len(said) })
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		share := ears.Match(heard(), said)
		if share >= 0.8 {
			return
		}
		if time.Now().After(deadline) {
			r.t.Errorf("the %s heard %.0f %% of what was said, want 80 %%", who, 100*share)
			return
		}
		<-tick.C
	}
}

// checkSilence listens for 300 ms while nobody says anything.
func (r *rig) checkSilence(d *legDriver) {
	r.t.Helper()
	box, far := len(d.Heard()), len(r.Voice.Heard())
	poll(r.t, "300 ms of sound", func() bool { return len(d.Heard()) >= box+2400 })
	// -40 dBov: far above line noise, far below speech. What was dialled or heard
	// before the answer is not looked at.
	const limit = 328
	if level := RMS(d.Heard()[box:]); level > limit {
		r.t.Errorf("the box hears a level of %.0f while nobody speaks", level)
	}
	if heard := r.Voice.Heard(); len(heard) > far {
		if level := RMS(heard[far:]); level > limit {
			r.t.Errorf("the far end hears a level of %.0f while nobody speaks", level)
		}
	}
}

// hearsTone reports whether 200 ms somewhere in heard are mostly a tone of
// freq Hz, well above silence.
func hearsTone(heard []int16, freq float64) bool {
	for at := 0; at+window <= len(heard); at += window / 4 {
		w := heard[at : at+window]
		if RMS(w) > 500 && ToneLevel(w, freq) > 0.4 {
			return true
		}
	}
	return false
}

// digit5 is the tone pair of digit 5 (770 and 1,336 Hz, ITU-T Q.23) for 400 ms.
func digit5() []int16 {
	a, b := Tone(770, 0.2, 3200), Tone(1336, 0.2, 3200)
	for i := range a {
		a[i] += b[i]
	}
	return a
}

// heardDigit5 reports whether both tones of digit 5 sound together.
func heardDigit5(heard []int16) bool {
	for at := 0; at+window <= len(heard); at += window / 4 {
		w := heard[at : at+window]
		lo, hi := ToneLevel(w, 770), ToneLevel(w, 1336)
		if RMS(w) > 500 && math.Min(lo, hi) > 0.25 {
			return true
		}
	}
	return false
}
