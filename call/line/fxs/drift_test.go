package fxs_test

import (
	"testing"
	"time"

	"callbox/call"
	"callbox/call/line/fxs"
	"callbox/hal/sim"
	"callbox/media"
)

// TestDrift: with a sound card whose clock is 200 millionths fast or slow, nothing
// of a call of ten minutes is dropped, and the delay does not grow.
func TestDrift(t *testing.T) {
	for _, ppm := range []float64{200, -200} {
		bubbleIn(t, fxs.Config{EchoTail: -1}, func(r *rig) {
			r.phone.SetFaults(sim.Faults{RatePPM: ppm})
			l := r.talk()
			var f media.Frame
			said, heard := media.NewOscillator(700, 4000), 0
			r.phone.Forget()
			for tick := range 10 * 60 * 50 {
				for i := range f {
					f[i] = int16(said.Next())
				}
				l.Audio().WriteFrame(&f)
				if l.Audio().ReadFrame(&f) {
					heard++
				}
				r.pass(media.FrameDuration)
				if tick%5000 == 4999 { // the last second, each 100 s
					s := r.phone.Heard()
					s = s[len(s)-media.SampleRate:]
					if media.DBm0(s)-media.ToneLevel(s, 700) > 0.5 {
						t.Errorf("%g ppm: the tone is broken after %d s", ppm, tick/50)
					}
				}
			}
			if heard < 10*60*50-10 {
				t.Errorf("%g ppm: %d frames were heard of the phone", ppm, heard)
			}
			if n := l.(call.MediaReporter).MediaStats().Dropped; n > 0 {
				t.Errorf("%g ppm: %d frames were dropped", ppm, n)
			}
			r.phone.OnHook()
			r.pass(time.Second)
		})
	}
}
