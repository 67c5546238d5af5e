package echo

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"callbox/media"
	"callbox/media/speech"
)

// hybrid is a made-up two-wire end: what it answers to one pulse.
type hybrid struct {
	name string
	h    []float64
}

// hybrids are of the kinds that G.168 annex D describes: a short and a long
// dispersion, a flat delay before it, two reflections. They are made from
// damped oscillations and noise, not taken from its tables.
func hybrids() []hybrid {
	return []hybrid{
		{"short", ring(24, 1, damp{0, 0.35, 0.9, 0.55})},
		{"dispersed", ring(96, 2, damp{0, 0.12, 1, 0.2}, damp{3, 0.2, -0.6, 0.9})},
		{"delayed", ring(60, 3, damp{30, 0.25, 1, 0.7}, damp{34, 0.1, 0.4, 1.6})},
		{"two reflections", ring(120, 4, damp{2, 0.4, 1, 0.4}, damp{90, 0.3, 0.5, 0.8})},
	}
}

// damp is an oscillation that dies away: from when, how fast, how strong, how high.
type damp struct {
	at               int
	decay, amp, turn float64
}

func ring(n int, seed uint64, parts ...damp) []float64 {
	r := rand.New(rand.NewPCG(seed, 7))
	last := parts[len(parts)-1].at
	h := make([]float64, n+last)
	for _, p := range parts {
		for i := p.at; i < len(h); i++ {
			t := float64(i - p.at)
			h[i] += p.amp * math.Exp(-p.decay*t) * (math.Cos(p.turn*t) + 0.2*r.NormFloat64())
		}
	}
	return h
}

// loss gives h the echo return loss dB for a flat sound.
func (h hybrid) loss(dB float64) hybrid {
	var sum float64
	for _, v := range h.h {
		sum += v * v
	}
	k := math.Pow(10, -dB/20) / math.Sqrt(sum)
	out := make([]float64, len(h.h))
	for i, v := range h.h {
		out[i] = k * v
	}
	return hybrid{fmt.Sprintf("%s, %v dB", h.name, dB), out}
}

// echo is what comes back of far.
func (h hybrid) echo(far []float64) []float64 {
	out := make([]float64, len(far))
	for i := range far {
		var v float64
		for k := 0; k < len(h.h) && k <= i; k++ {
			v += h.h[k] * far[i-k]
		}
		out[i] = v
	}
	return out
}

// noise is white, at dBm0.
func noise(seed uint64, d time.Duration, dBm0 float64) []float64 {
	r := rand.New(rand.NewPCG(seed, 99))
	k := media.Amplitude(dBm0) / math.Sqrt2
	out := make([]float64, media.SamplesIn(d))
	for i := range out {
		out[i] = k * r.NormFloat64()
	}
	return out
}

// composite is after the idea of the signal of G.168 annex C: 50 ms of a voiced
// sound, 200 ms of noise, 100 ms of silence.
func composite(seed uint64, d time.Duration, dBm0 float64) []float64 {
	out := noise(seed, d, dBm0)
	k := media.Amplitude(dBm0)
	for i := range out {
		switch at := i % 2800; {
		case at < 400:
			out[i] = 0
			for n := 1; n < 14; n++ {
				out[i] += 0.6 * k / float64(n) * math.Cos(2*math.Pi*125*float64(n*at)/8000+float64(n*n))
			}
		case at >= 2000:
			out[i] = 0
		}
	}
	return out
}

// The texts are read once for all tests.
var spoken struct {
	sync.Mutex
	voices map[string][]float64
}

const (
	farText  = "The far party speaks first. She reads from a long list of names, streets and numbers, quickly and without a pause, because there is a lot of it. Sixteen, seventeen, eighteen. After that she asks a question and waits for an answer."
	nearText = "Well, the near party would like to say something too, and does not wait for the end of the sentence. It is a bad habit, but people do it all day long."
)

// speak is a spoken text at a mean level of dBm0 while it lasts, repeated to d.
func speak(t testing.TB, voice, text string, d time.Duration, dBm0 float64) []float64 {
	t.Helper()
	spoken.Lock()
	defer spoken.Unlock()
	s, ok := spoken.voices[voice+text]
	if !ok {
		clip, err := speech.New(speech.Config{}).Speak(t.Context(), text, voice, "")
		if err != nil {
			t.Fatalf("this test needs espeak-ng (apt-get install espeak-ng): %v", err)
		}
		defer clip.Close() //nolint:errcheck // a clip in memory
		for f := (media.Frame{}); clip.ReadFrame(&f); {
			for _, v := range f {
				s = append(s, float64(v))
			}
		}
		if spoken.voices == nil {
			spoken.voices = map[string][]float64{}
		}
		spoken.voices[voice+text] = s
	}
	k := math.Pow(10, (dBm0-level(s))/20)
	out := make([]float64, media.SamplesIn(d))
	for i := range out {
		out[i] = k * s[i%len(s)]
	}
	return out
}

// level is that of samples in dBm0.
func level(s []float64) float64 {
	var sum float64
	for _, v := range s {
		sum += v * v
	}
	if sum == 0 {
		return media.SilenceLevel
	}
	return 10*math.Log10(sum/float64(len(s))/(32767*32767/2)) + media.FullScaleDBm0
}

func add(a, b []float64) []float64 {
	out := append([]float64(nil), a...)
	for i := range min(len(a), len(b)) {
		out[i] += b[i]
	}
	return out
}

func sub(a, b []float64) []float64 {
	out := append([]float64(nil), a...)
	for i := range out {
		out[i] -= b[i]
	}
	return out
}

// run sends far and near through c and gives what is heard.
func run(c *Canceller, far, near []float64) []float64 {
	out := make([]float64, 0, len(near))
	var f, n media.Frame
	for at := 0; at+len(f) <= len(near); at += len(f) {
		for i := range f {
			f[i] = media.Clamp(int32(math.Round(far[at+i])))
			n[i] = media.Clamp(int32(math.Round(near[at+i])))
		}
		c.Process(&f, &n)
		for _, v := range n {
			out = append(out, float64(v))
		}
	}
	return out
}

func must(t testing.TB, c Config) *Canceller {
	t.Helper()
	e, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// part is s from from to to.
func part(s []float64, from, to time.Duration) []float64 {
	return s[media.SamplesIn(from):min(media.SamplesIn(to), len(s))]
}

// alone is what c makes of near when the far party says nothing.
func alone(t testing.TB, near []float64) []float64 {
	t.Helper()
	return run(must(t, Config{Linear: true}), make([]float64, len(near)), near)
}
