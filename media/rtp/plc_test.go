package rtp

import (
	"math"
	"math/rand/v2"
	"testing"

	"callbox/media"
)

// vowel is n samples of a voice-like sound of hz with harmonics, from sample
// number from on.
func vowel(from, n int, hz float64) []int16 {
	s := make([]int16, n)
	for i := range s {
		x := 2 * math.Pi * hz * float64(from+i) / media.SampleRate
		s[i] = int16(5000*math.Sin(x) + 3000*math.Sin(2*x+1) + 1500*math.Sin(3*x+2))
	}
	return s
}

// snr is the ratio of want to the error of got, in dB.
func snr(want, got []int16) float64 {
	var sig, noise float64
	for i := range want {
		sig += float64(want[i]) * float64(want[i])
		d := float64(want[i]) - float64(got[i])
		noise += d * d
	}
	return 10 * math.Log10(sig/(noise+1))
}

// steepest is the largest step between neighbours.
func steepest(s []int16) int {
	m := 0
	for i := 1; i < len(s); i++ {
		m = max(m, int(math.Abs(float64(s[i])-float64(s[i-1]))))
	}
	return m
}

func TestConcealmentOfVoice(t *testing.T) {
	t.Parallel()
	for _, hz := range []float64{75, 100, 117, 143, 190} {
		var p plc
		p.reset()
		all := vowel(0, 1600, hz)
		for i := 0; i < 800; i += 160 {
			p.good(append([]int16(nil), all[i:i+160]...))
		}
		var out [160]int16
		if !p.conceal(out[:]) {
			t.Fatalf("%v Hz: nothing to hear", hz)
		}
		if r := snr(all[800:960], out[:]); r < 6 {
			t.Errorf("%v Hz: the concealed frame has %.1f dB, zero-fill has 0", hz, r)
		}
		joined := append(append([]int16(nil), all[790:800]...), out[:]...)
		after := append([]int16(nil), all[960:1120]...)
		p.good(after)
		joined = append(joined, after...)
		if s, limit := steepest(joined), steepest(all)*2; s > limit {
			t.Errorf("%v Hz: a click of %d, the voice's steepest is %d", hz, s, limit/2)
		}
		if r := snr(all[1040:1120], after[80:]); r < 40 {
			t.Errorf("%v Hz: 10 ms after the loss the sound is still changed (%.1f dB)", hz, r)
		}
	}
}

func TestConcealmentFades(t *testing.T) {
	t.Parallel()
	var p plc
	p.reset()
	p.good(vowel(0, 800, 120))
	var f media.Frame
	levels := []int{}
	for i := range 6 {
		audible := p.conceal(f[:])
		if want := i < 3; audible != want {
			t.Errorf("frame %d: audible %v", i, audible)
		}
		levels = append(levels, peak(&f))
	}
	if levels[0] < 6000 || levels[1] >= levels[0] || levels[2] >= levels[1] || levels[3] != 0 || levels[5] != 0 {
		t.Errorf("peaks of the concealed frames: %v", levels)
	}
	// Sound after silence fades in.
	s := vowel(0, 160, 120)
	for i := range s {
		s[i] = 10000
	}
	p.good(s)
	if s[0] > 1000 || s[100] != 10000 {
		t.Errorf("after silence the sound starts with %d", s[0])
	}
}

func TestConcealmentStartsSilent(t *testing.T) {
	t.Parallel()
	var p plc
	p.reset()
	var f media.Frame
	f[0] = 5
	if p.conceal(f[:]) || peak(&f) != 0 {
		t.Error("something was heard before the first sound")
	}
}

// TestConcealmentOfAnything runs through random sounds and losses of random
// lengths: it must not panic and not get louder than what it heard.
func TestConcealmentOfAnything(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	var p plc
	p.reset()
	loudest := 0
	for range 5000 {
		s := make([]int16, 1+r.IntN(600))
		if r.IntN(3) > 0 {
			amp := r.IntN(30000) + 1
			for i := range s {
				s[i] = int16(r.IntN(2*amp) - amp)
				loudest = max(loudest, int(s[i]), -int(s[i]))
			}
			p.good(s)
			continue
		}
		p.conceal(s)
		for _, v := range s {
			if int(v) > 3*loudest || int(v) < -3*loudest {
				t.Fatalf("sample %d from sounds of at most %d", v, loudest)
			}
		}
	}
}

func TestPitch(t *testing.T) {
	t.Parallel()
	for _, hz := range []float64{70, 90, 125, 160, 195} {
		s := vowel(0, plcHistory, hz)
		// Twice the period is as good for repeating.
		got, period := float64(pitch(s, plcMinPitch, plcMaxPitch)), media.SampleRate/hz
		if n := math.Round(got / period); n < 1 || math.Abs(got-n*period) > 1.5 {
			t.Errorf("%v Hz: period %v, want a multiple of %.1f", hz, got, period)
		}
	}
	if got := pitch(make([]int16, plcHistory), plcMinPitch, plcMaxPitch); got < plcMinPitch || got > plcMaxPitch {
		t.Errorf("silence has a period of %d", got)
	}
}
