package echo

import (
	"math"

	"callbox/media"
)

const (
	floorFrames = 75 // frames of one search for the noise floor: 1.5 s
	floorBias   = 1.4
	firstNoise  = 300      // mean square, about −59 dBm0: before anything is known
	openStep    = 1.0 / 16 // of the gain per sample: 2 ms
	shutStep    = 1.0 / 48 // 6 ms
)

// suppressor silences what the filter leaves and puts noise like the line's own
// in its place (G.168 §3.2.7 and annex B.3, the non-linear processor).
type suppressor struct {
	gain  float32
	noise float32 // mean square of the line when nobody speaks
	// The noise floor is the quietest frame of the present and the last search.
	low, last float32
	frames    int

	voice predictor         // colour of the noise
	past  [lpcOrder]float32 // of the noise made, newest first
	seed  uint32
}

func (s *suppressor) reset() {
	*s = suppressor{gain: 1, noise: firstNoise, low: math.MaxFloat32, last: math.MaxFloat32, seed: 1}
	s.voice.a[0], s.voice.residual = 1, 1
}

// floor is the line's noise, at least what is called silence.
func (s *suppressor) floor() float32 { return max(s.noise, minNoise) }

// open lets everything through at once.
func (s *suppressor) open() { s.gain = 1 }

// learn takes a frame of what the filter left, after lpcOrder older samples. What
// is quietest is the line's noise, whoever speaks; its colour is learned when the
// far party does not.
func (s *suppressor) learn(left []float32, active bool) {
	var sum float32
	for _, v := range left[lpcOrder:] {
		sum += v * v
	}
	p := sum / media.FrameSamples
	s.low = min(s.low, p)
	if s.frames++; s.frames >= floorFrames {
		s.last, s.low, s.frames = s.low, math.MaxFloat32, 0
	}
	s.noise = floorBias * min(s.low, s.last, firstNoise)
	if s.last < math.MaxFloat32 || !active {
		s.noise = floorBias * min(s.low, s.last)
	}
	if !active && p > 1 && p < 2*s.noise {
		s.colour(left)
	}
}

// colour learns what the noise sounds like from a quiet frame.
func (s *suppressor) colour(left []float32) {
	var r [lpcOrder + 1]float64
	for k := range r {
		var sum float32
		for i := lpcOrder; i < len(left); i++ {
			sum += left[i] * left[i-k]
		}
		r[k] = float64(sum)
	}
	r[0] *= 1.01
	s.voice.solve(r)
}

// apply works on a block: quiet says that nobody but the far party speaks.
func (s *suppressor) apply(out []float32, quiet bool) {
	if !quiet && s.gain >= 1 {
		return
	}
	for i, v := range out {
		if quiet {
			s.gain = max(s.gain-shutStep, 0)
		} else {
			s.gain = min(s.gain+openStep, 1)
		}
		out[i] = s.gain*v + (1-s.gain)*s.next()
	}
}

// next is a sample of comfort noise. A sum of uniform numbers is near enough to
// the line's own.
func (s *suppressor) next() float32 {
	if s.noise < 1 {
		return 0
	}
	var u int32
	for range 3 {
		s.seed = s.seed*1664525 + 1013904223
		u += int32(s.seed) >> 16
	}
	const spread = 32768.0 // root mean square of the sum of three: 32768·√(3/3)
	v := float32(u) / spread * float32(math.Sqrt(float64(s.noise*s.voice.residual/floorBias*1.2)))
	for k, a := range s.voice.a[1:] {
		v -= a * s.past[k]
	}
	lim := 8 * float32(math.Sqrt(float64(s.noise)))
	v = min(max(v, -lim), lim)
	copy(s.past[1:], s.past[:lpcOrder-1])
	s.past[0] = v
	return v
}
