package fxo_test

import (
	"testing"
	"testing/synctest"
	"time"

	"callbox/call"
	"callbox/call/line/fxo"
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

// What the box says comes back from the line's hybrid 60 ms and more later, which the
// driver cannot know; it is found out, and taken away, in later calls from the start.
func TestEchoOfTheLineIsCancelled(t *testing.T) {
	said := spoken(t, "en", "The number of the office is five five five, one two three four. It is open from nine to five on every day of the week but Sunday, and closed on holidays.")
	levels := map[bool]float64{}
	for _, on := range []bool{false, true} {
		c := fxo.Config{EchoTail: -1}
		if on {
			c = fxo.Config{}
		}
		t.Run(map[bool]string{false: "left in", true: "cancelled"}[on], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &rig{T: t, in: make(receiver, 4), ctx: t.Context()}
				r.port = newPort(t, c, sim.ExchangeConfig{Reversal: true, EchoLoss: 14})
				done := make(chan error, 1)
				go func() { done <- r.line.Serve(r.ctx, r.in) }()
				t.Cleanup(func() { <-done })
				synctest.Wait()
				talk := func(learn time.Duration) float64 {
					l, err := r.line.Dial(r.ctx, call.Dial{To: "5550123"})
					r.ok(err)
					_, err = r.far.WaitCall(r.ctx)
					r.ok(err)
					r.ok(r.far.Answer())
					r.event(l, call.LegAnswered, 5*time.Second)
					r.converse(l, said, learn)
					level := media.DBm0(r.converse(l, said, 4*time.Second)[media.SampleRate/4:])
					l.Hangup(call.NormalClearing(call.API))
					r.event(l, call.LegEnded, time.Second)
					r.pass(3 * time.Second)
					return level
				}
				levels[on] = talk(4 * time.Second)
				again := talk(time.Second)
				if t.Logf("echo at %.1f dBm0, in the next call %.1f", levels[on], again); on && again > levels[on]+12 {
					t.Error("the delay is forgotten")
				}
			})
		})
	}
	t.Logf("what comes back is at %.1f dBm0 with the echo left in, %.1f with it cancelled", levels[false], levels[true])
	if levels[false] < -40 || levels[false]-levels[true] < 25 {
		t.Errorf("the echo is at %.1f dBm0 and at %.1f when cancelled, want 25 dB less", levels[false], levels[true])
	}
}
