package fxo_test

import (
	"testing"
	"time"

	"callbox/call"
	"callbox/call/line/fxo"
	"callbox/hal/sim"
	"callbox/media"
)

// TestDrift: with a modem whose clock is 200 millionths fast or slow, nothing of a call
// of ten minutes is dropped, and the delay does not grow.
func TestDrift(t *testing.T) {
	for name, ppm := range map[string]float64{"fast": 200, "slow": -200} {
		t.Run(name, func(t *testing.T) {
			bubble(t, fxo.Config{EchoTail: -1}, sim.ExchangeConfig{Reversal: true}, func(r *rig) {
				r.modem.SetFaults(sim.VoiceModemFaults{RatePPM: ppm})
				l, err := r.line.Dial(r.ctx, call.Dial{To: "5550123"})
				r.ok(err)
				_, err = r.far.WaitCall(r.ctx)
				r.ok(err)
				r.ok(r.far.Answer())
				r.event(l, call.LegAnswered, 5*time.Second)
				var f media.Frame
				said, heard := media.NewOscillator(700, 4000), 0
				dropped := func() uint64 { return l.(call.MediaReporter).MediaStats().Dropped }
				before := dropped() // nobody has listened to the ringing
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
						s := r.far.Heard()
						s = s[len(s)-media.SampleRate:]
						if media.DBm0(s)-media.ToneLevel(s, 700) > 0.5 {
							t.Errorf("%g ppm: the tone is broken after %d s", ppm, tick/50)
						}
						r.far.Forget()
					}
				}
				if heard < 10*60*50-10 {
					t.Errorf("%g ppm: %d frames were heard of the far end", ppm, heard)
				}
				if n := dropped() - before; n > 0 {
					t.Errorf("%g ppm: %d frames were dropped", ppm, n)
				}
				l.Hangup(call.NormalClearing(call.API))
				r.event(l, call.LegEnded, time.Second)
				r.pass(3 * time.Second)
			})
		})
	}
}
