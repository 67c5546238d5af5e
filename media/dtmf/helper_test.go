package dtmf

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"callbox/media"
)

// sound is a signal under construction.
type sound struct{ x []float64 }

// pause appends silence.
func (s *sound) pause(d time.Duration) *sound {
	s.x = append(s.x, make([]float64, media.SamplesIn(d))...)
	return s
}

// dual appends a dual tone of two frequencies at two levels in dBm0.
func (s *sound) dual(row, column, lo, hi float64, d time.Duration) *sound {
	a, b := media.Amplitude(lo), media.Amplitude(hi)
	for i := range media.SamplesIn(d) {
		t := 2 * math.Pi * float64(i) / media.SampleRate
		s.x = append(s.x, a*math.Sin(row*t)+b*math.Sin(column*t+1))
	}
	return s
}

// key appends a key press at −10 dBm0 per tone.
func (s *sound) key(k byte, d time.Duration) *sound {
	row, column, ok := Frequencies(k)
	if !ok {
		panic("no such key")
	}
	return s.dual(row, column, -10, -10, d)
}

// noise adds white noise of a level in dBm0 to all of it.
func (s *sound) noise(level float64, seed uint64) *sound {
	rnd := rand.New(rand.NewPCG(seed, 1))
	rms := media.Amplitude(level) / math.Sqrt2
	for i := range s.x {
		s.x[i] += rms * rnd.NormFloat64()
	}
	return s
}

// samples gives the signal, clipped at full scale.
func (s *sound) samples() []int16 {
	out := make([]int16, len(s.x))
	for i, v := range s.x {
		out[i] = media.Clamp(int32(math.Round(v)))
	}
	return out
}

// detect gives all the presses in samples, followed by 60 ms of silence.
func detect(samples []int16) string {
	d := NewDetector()
	clip := media.Concat(media.ClipOf(samples), media.Pause(60*time.Millisecond))
	var f media.Frame
	var got []byte
	for clip.ReadFrame(&f) {
		if digit, ok := d.Write(&f); ok {
			got = append(got, digit)
		}
	}
	return string(got)
}

// read all of a clip.
func readAll(t *testing.T, c media.Clip) []int16 {
	t.Helper()
	out, err := media.ReadAll(c, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
