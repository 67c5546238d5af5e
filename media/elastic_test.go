package media

import (
	"math"
	"testing"
)

// TestElastic runs a device whose clock is wrong against a ring for ten minutes in
// either direction: nothing is lost, nothing is missing, the delay does not grow,
// and a tone stays a tone.
func TestElastic(t *testing.T) {
	const prefill = 2
	for _, ppm := range []float64{-200, -50, 0, 50, 200} {
		for _, dir := range []string{"push", "pull"} {
			r := NewRing(RingConfig{Frames: 6, Prefill: prefill})
			e := NewElastic(r, prefill)
			osc := NewOscillator(1000, 8000)
			var heard []int16
			var f Frame
			device, clock := 0.0, 0.5 // when each moves next, in frames
			most, least, short := 0, math.MaxInt, 0
			for clock < 10*60*50 {
				if device <= clock {
					device += 1 / (1 + ppm/1e6)
					if dir == "push" {
						tone(&osc, &f)
						e.Push(&f)
					} else if n := e.Pull(&f); n < len(f) {
						short++
					} else {
						heard = append(heard, f[:]...)
					}
					continue
				}
				clock++
				if dir == "pull" {
					tone(&osc, &f)
					r.Push(f[:])
				} else if !r.ReadFrame(&f) {
					short++
				} else {
					heard = append(heard, f[:]...)
				}
				if clock > 500 {
					most, least = max(most, r.Len()), min(least, r.Len())
				}
			}
			if s := r.Stats(); s.Dropped != 0 || s.Underruns > 0 || short > prefill+1 {
				t.Errorf("%s at %g ppm: %d samples dropped, dry %d times, %d frames short", dir, ppm, s.Dropped, s.Underruns, short)
			}
			if most > 4*FrameSamples || least < FrameSamples/8 {
				t.Errorf("%s at %g ppm: the ring holds %d to %d samples", dir, ppm, least, most)
			}
			if want := math.Abs(ppm) / 1e6 * 10 * 60 * SampleRate; float64(e.Bent()) > want+FrameSamples*2 {
				t.Errorf("%s at %g ppm: %d frames were bent, want about %.0f", dir, ppm, e.Bent(), want)
			}
			end := heard[len(heard)-SampleRate:]
			if lost := DBm0(end) - ToneLevel(end, 1000); lost > 0.5 {
				t.Errorf("%s at %g ppm: the tone lost %.1f dB", dir, ppm, lost)
			}
		}
	}
}

func tone(o *Oscillator, f *Frame) {
	for i := range f {
		f[i] = int16(o.Next())
	}
}

func TestElasticMakesNoGarbage(t *testing.T) {
	r := NewRing(RingConfig{})
	e := NewElastic(r, 2)
	var f Frame
	if n := testing.AllocsPerRun(100, func() { e.Push(&f); e.Pull(&f) }); n != 0 {
		t.Errorf("%v allocations per frame", n)
	}
}
