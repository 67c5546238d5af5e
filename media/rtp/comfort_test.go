package rtp

import (
	"math"
	"slices"
	"testing"

	"callbox/media"
	"callbox/media/codec"
)

// The noise is as loud as was said, within a decibel, and has the colour that was
// said: RFC 3389 §3.
func TestComfortNoise(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		payload []byte
		dBov    float64
		dark    bool // low frequencies prevail
		bright  bool
	}{
		{[]byte{40}, -40, false, false},
		{[]byte{60}, -60, false, false},
		{[]byte{50, 127, 127}, -50, false, false},
		{[]byte{40, 20}, -40, true, false},  // k1 = -0.84
		{[]byte{40, 234}, -40, false, true}, // k1 = +0.84
		{[]byte{45, 30, 150, 120, 127, 140}, -45, true, false},
		{[]byte{127}, -100, false, false},
		{append([]byte{40, 20}, slices.Repeat([]byte{127}, 30)...), -40, true, false}, // more than are heeded
	} {
		var c comfort
		if !c.set(tt.payload, 0) {
			t.Fatalf("% x was refused", tt.payload)
		}
		s := make([]int16, 4*8000)
		for at := 0; at < len(s); at += 160 {
			c.fill(s[at : at+160])
		}
		s = s[800:]
		if l := media.DBov(s); math.Abs(l-tt.dBov) > 1.2 && tt.dBov > -70 || tt.dBov < -70 && l > -80 {
			t.Errorf("% x: %.1f dBov, want %.1f", tt.payload, l, tt.dBov)
		}
		low, high := band(s, 100, 1000), band(s, 3000, 3900)
		if d := low - high; tt.dark && d < 10 || tt.bright && d > -10 || !tt.dark && !tt.bright && tt.dBov > -70 && math.Abs(d) > 2 {
			t.Errorf("% x: low frequencies are %.1f dB above the high ones", tt.payload, d)
		}
	}
	var c comfort
	if c.set(nil, 0) || c.set([]byte{200}, 0) || c.on {
		t.Error("nonsense was taken for noise")
	}
}

// band is the power density of s between two frequencies in dB.
func band(s []int16, from, to float64) float64 {
	const n = 512
	re, im := make([]float64, n), make([]float64, n)
	var sum, bins float64
	for at := 0; at+n <= len(s); at += n {
		for i := range n {
			re[i], im[i] = float64(s[at+i]), 0
		}
		fft(re, im)
		for k := int(from * n / 8000); k < int(to*n/8000); k++ {
			sum += re[k]*re[k] + im[k]*im[k]
			bins++
		}
	}
	return 10 * math.Log10(sum/bins)
}

// A far end that sends noise in place of silence is heard without a gap: what it
// says, then its noise, then again what it says, and nothing counts as lost.
func TestSilenceSuppression(t *testing.T) {
	t.Parallel()
	sound := noise(8*8000, 11)
	j := newJitterBuffer(codec.PCMU, new(lender[pcm]))
	payload := make([]byte, 160)
	var heard []int16
	for i := range 350 {
		now := int64(i) * 160
		ts := uint32(i * 160)
		talks := i < 100 || i >= 250
		switch {
		case talks:
			codec.PCMU.Encode(payload, sound[i*160:(i+1)*160])
			j.put(ts, codec.PCMU, payload, now, false, i == 250)
		case i == 100, i == 180:
			j.silence(ts, []byte{45, 100}, false)
		}
		var f media.Frame
		if !j.read(&f) && i > 3 {
			t.Fatalf("frame %d: nothing is heard", i)
		}
		heard = append(heard, f[:]...)
	}
	if j.concealed > 0 || j.dropped > 0 || j.late > 0 {
		t.Errorf("concealed %d, dropped %d, late %d", j.concealed, j.dropped, j.late)
	}
	if l := media.DBov(heard[110*160 : 245*160]); math.Abs(l+45) > 1.2 {
		t.Errorf("the noise is at %.1f dBov, want -45", l)
	}
	for _, place := range []int{8000, 290 * 160} {
		if lag, score := delayOf(sound, heard, place); score < 0.99 || lag > 480 {
			t.Errorf("at %d: likeness %.3f, %d samples behind", place, score, lag)
		}
	}
}

// Noise before the first word, and noise that a later word has overtaken.
func TestSilenceAtOddTimes(t *testing.T) {
	t.Parallel()
	j := newJitterBuffer(codec.PCMU, new(lender[pcm]))
	j.silence(1000, []byte{50}, true)
	var f media.Frame
	for range 20 {
		if !j.read(&f) {
			t.Fatal("nothing is heard before the first word")
		}
	}
	payload := make([]byte, 160)
	codec.PCMU.Encode(payload, vowel(0, 160, 120))
	for i := range 20 {
		j.put(uint32(5000+i*160), codec.PCMU, payload, int64(5000+i*160), i == 0, i == 0)
		j.read(&f)
	}
	j.silence(5000+5*160, []byte{30}, false) // long past
	if j.noise.on {
		t.Error("noise that a word has overtaken was taken")
	}
	j.silence(0, []byte{255}, false)
	if j.noise.on {
		t.Error("nonsense was taken for noise")
	}
}

func TestSilenceNoAllocations(t *testing.T) {
	j := newJitterBuffer(codec.PCMU, new(lender[pcm]))
	var f media.Frame
	if n := testing.AllocsPerRun(100, func() {
		j.silence(9000, []byte{30, 100, 140}, false)
		j.read(&f)
	}); n != 0 {
		t.Errorf("%v allocations per frame", n)
	}
}

// The stream takes payload type 13 although nobody negotiated it.
func TestStreamComfortNoise(t *testing.T) {
	t.Parallel()
	s, _ := bare(t, alice, pcmu(), nil)
	var f media.Frame
	s.read(&f, at(0))
	k := talker{ssrc: 5, c: codec.PCMU}
	raw := k.packet(make([]int16, 160), false)
	raw = append(raw[:12], 40)
	raw[1] = comfortNoise
	s.handle(raw, alice, at(0))
	var sum float64
	for range 50 {
		if !s.read(&f, at(0)) {
			t.Fatal("nothing is heard")
		}
		sum += media.DBov(f[:])
	}
	if mean := sum / 50; math.Abs(mean+40) > 1.5 {
		t.Errorf("noise at %.1f dBov, want -40", mean)
	}
	if q := s.Quality(); q.Unknown != 0 {
		t.Errorf("%d unknown packets", q.Unknown)
	}
}

func FuzzComfortNoise(f *testing.F) {
	f.Add([]byte{40, 20, 200})
	f.Add([]byte{0, 255, 255, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		var c comfort
		if !c.set(b, 0) {
			return
		}
		s := make([]int16, 1600)
		c.fill(s)
		for _, v := range c.past {
			if v != v || v > 1e9 || v < -1e9 {
				t.Fatalf("the filter runs away: %v", c.past)
			}
		}
	})
}
