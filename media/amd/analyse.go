package amd

import (
	"math"

	"callbox/media"
)

// Sizes of the analysis. A frame is 160 samples; the spectrum is taken of the
// last 256 under a Hann window, so that a tone's energy lies within two bins of
// its frequency.
const (
	points   = 256
	bins     = points / 2
	binWidth = float64(media.SampleRate) / points // 31.25 Hz
	lowBin   = 6                                  // 188 Hz
	highBin  = 122                                // 3,812 Hz

	pitchSamples = 160 // at 4 kHz: 40 ms
	minLag       = 10  // 400 Hz
	maxLag       = 66  // 61 Hz
)

// Limits of the analysis.
const (
	silence     = -96.0 // dBov of a frame of zeros
	leastLevel  = -60.0 // dBov: below this nothing is heard, whatever the floor
	aboveFloor  = 8.0   // dB by which a sound stands out of the noise
	firstFloor  = -62.0 // dBov, until the noise has been heard
	floorBlocks = 8     // the floor is the least level of this many blocks …
	floorBlock  = 10    // … of this many frames: 1.6 s
	pitchShare  = 0.55  // autocorrelation at the pitch, of the energy
	toneShare   = 0.85  // of the energy between 190 and 3,800 Hz in one or two lines
	dualRatio   = 0.06  // the weaker line's part of the stronger
	glideMost   = 0.008 // of a line's frequency between two frames
	glideLeast  = 5.0   // Hz, what noise may do to a line
)

// sound is what one frame of 20 ms holds.
type sound struct {
	level  float64    // dBov
	floor  float64    // dBov of the noise
	active bool       // it stands out of the noise
	voiced bool       // it has a pitch
	tone   bool       // it is one or two pure tones
	pure   float64    // share of the energy that is in those
	hz     [2]float64 // of the tones, the lower first; 0 when there is one
}

// whistles reports whether the frame is one pure line that is higher than a voice's pitch:
// the beginning of a tone, before it is known to be steady.
func (s *sound) whistles() bool { return s.pure >= 0.95 && s.hz[1] == 0 && s.hz[0] > 420 }

// analyser measures frames. It belongs to one goroutine and does not allocate.
type analyser struct {
	recent [points]float64 // the last samples, oldest first
	window *[points]float64
	turn   *[points / 2]complex128
	work   [points]complex128
	power  [bins]float64

	slow [pitchSamples]float64 // the last 40 ms at 4 kHz

	floor    float64
	heard    bool // the floor has been measured
	blocks   [floorBlocks]float64
	at       int // block being filled
	inBlock  int
	smoothed float64
	steady   int        // frames in a row whose level hardly changes
	lined    bool       // the last frame was one or two lines …
	hz       [2]float64 // … of these frequencies
}

func newAnalyser() *analyser {
	a := &analyser{floor: firstFloor, window: &hann, turn: &turns, smoothed: silence}
	for i := range a.blocks {
		a.blocks[i] = math.Inf(1)
	}
	return a
}

// hann and turns are tables; nothing writes to them after they were made.
var hann, turns = tables()

func tables() (w [points]float64, t [points / 2]complex128) {
	for i := range w {
		w[i] = 0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/points)
	}
	for i := range t {
		s, c := math.Sincos(-2 * math.Pi * float64(i) / points)
		t[i] = complex(c, s)
	}
	return w, t
}

// frame measures f.
func (a *analyser) frame(f *media.Frame) sound {
	copy(a.recent[:], a.recent[media.FrameSamples:])
	copy(a.slow[:], a.slow[media.FrameSamples/2:])
	var sum float64
	tail := a.recent[points-media.FrameSamples:]
	for i, v := range f {
		x := float64(v)
		tail[i] = x
		sum += x * x
	}
	half := a.slow[pitchSamples-media.FrameSamples/2:]
	for i := range half {
		half[i] = (float64(f[2*i]) + float64(f[2*i+1])) / 2
	}
	s := sound{level: silence, floor: a.floor}
	if sum > 0 {
		s.level = max(silence, 10*math.Log10(sum/media.FrameSamples)-20*math.Log10(32767))
	}
	if s.active = s.level > max(a.floor+aboveFloor, leastLevel); s.active {
		s.voiced = a.pitch() >= pitchShare
		a.spectrum()
		var lines bool
		var hz [2]float64
		s.pure, hz = a.lines()
		lines = s.pure >= toneShare
		s.tone = lines && a.lined && steady(hz, a.hz)
		s.hz, a.hz, a.lined = hz, hz, lines
	} else {
		a.lined = false
	}
	a.listen(s)
	s.floor = a.floor
	return s
}

// steady reports whether the lines of two frames are the same: those of a voice
// glide, those of a machine do not.
func steady(a, b [2]float64) bool {
	for i := range a {
		if math.Abs(a[i]-b[i]) > max(glideLeast, glideMost*a[i]) {
			return false
		}
	}
	return true
}

// listen follows the noise floor: the least smoothed level of the last 1.6 s in
// which nobody spoke. A voice that sets in at once does not become the floor,
// since it has a pitch; a steady sound without one does after a second.
func (a *analyser) listen(s sound) {
	before := a.smoothed
	a.smoothed += 0.3 * (s.level - a.smoothed)
	if math.Abs(s.level-before) < 3 {
		a.steady++
	} else {
		a.steady = 0
	}
	if s.voiced || s.tone {
		a.steady = 0
	}
	quiet := a.smoothed < a.floor+aboveFloor
	if !quiet && a.steady < 25 {
		return // it may be speech
	}
	a.blocks[a.at] = min(a.blocks[a.at], a.smoothed)
	if a.inBlock++; a.inBlock < floorBlock && a.heard {
		return
	}
	least := math.Inf(1)
	for _, v := range a.blocks {
		least = min(least, v)
	}
	if a.inBlock >= floorBlock {
		a.heard = true
		a.inBlock, a.at = 0, (a.at+1)%floorBlocks
		a.blocks[a.at] = math.Inf(1)
	}
	if !math.IsInf(least, 1) {
		a.floor = max(least, -75)
	}
}

// pitch is the largest share of the energy of the last 40 ms that repeats after
// one period of a voice, 61 to 400 Hz.
func (a *analyser) pitch() float64 {
	var best float64
	x := &a.slow
	var mean float64
	for _, v := range x {
		mean += v
	}
	mean /= pitchSamples
	var y, sum [pitchSamples + 1]float64 // sum of the squares before a sample
	for i, v := range x {
		y[i] = v - mean
		sum[i+1] = sum[i] + y[i]*y[i]
	}
	for lag := minLag; lag <= maxLag; lag++ {
		var cross float64
		late := y[lag:pitchSamples]
		early := y[:len(late)]
		for i, v := range late {
			cross += v * early[i]
		}
		if cross > 0 {
			of := (sum[pitchSamples] - sum[lag]) * sum[pitchSamples-lag]
			if of > 0 {
				best = max(best, cross*cross/of)
			}
		}
	}
	return math.Sqrt(best)
}

// spectrum makes a.power of the last 256 samples.
func (a *analyser) spectrum() {
	w := &a.work
	for i, v := range a.recent {
		w[reverse(i)] = complex(v*a.window[i], 0)
	}
	for size := 2; size <= points; size *= 2 {
		step := points / size
		for from := 0; from < points; from += size {
			for k := range size / 2 {
				lo, hi := from+k, from+k+size/2
				t := w[hi] * a.turn[k*step]
				w[lo], w[hi] = w[lo]+t, w[lo]-t
			}
		}
	}
	for i := range a.power {
		re, im := real(w[i]), imag(w[i])
		a.power[i] = re*re + im*im
	}
}

// reverse turns the eight bits of i around.
func reverse(i int) int {
	i = i>>4 | i&15<<4
	i = i&0xCC>>2 | i&0x33<<2
	return i&0xAA>>1 | i&0x55<<1
}

// lines is the share of the energy that is in one or two pure tones, and which;
// a second one is only told of where one alone is not enough.
func (a *analyser) lines() (share float64, hz [2]float64) {
	const from, to = lowBin, highBin
	var total float64
	first := from
	for i := from; i < to; i++ {
		total += a.power[i]
		if a.power[i] > a.power[first] {
			first = i
		}
	}
	if total <= 0 {
		return 0, hz
	}
	one := a.around(first, from, to)
	f1 := a.exact(first)
	if one >= toneShare*total {
		return one / total, [2]float64{f1, 0}
	}
	second := -1
	for i := from; i < to; i++ {
		if (i < first-3 || i > first+3) && (second < 0 || a.power[i] > a.power[second]) {
			second = i
		}
	}
	if second < 0 || a.power[second] < dualRatio*a.power[first] {
		return one / total, hz
	}
	f2 := a.exact(second)
	return (one + a.around(second, from, to)) / total, [2]float64{min(f1, f2), max(f1, f2)}
}

// around is the energy within two bins of bin i.
func (a *analyser) around(i, from, to int) float64 {
	var sum float64
	for j := max(from, i-2); j <= min(to-1, i+2); j++ {
		sum += a.power[j]
	}
	return sum
}

// held is the share of the last frame's energy that is within two bins of a tone's
// frequencies, whatever its loudest lines are: of a frame that a packet spoiled some is
// left there. It is for a frame that is active.
func (a *analyser) held(hz [2]float64) float64 {
	var total, held float64
	for _, p := range a.power[lowBin:highBin] {
		total += p
	}
	for _, f := range hz {
		if f > 0 {
			held += a.around(int(math.Round(f/binWidth)), lowBin, highBin)
		}
	}
	if total <= 0 {
		return 0
	}
	return held / total
}

// exact is the frequency of the line at bin i in Hz, from the ratio of its
// neighbours under a Hann window.
func (a *analyser) exact(i int) float64 {
	if i <= 0 || i >= bins-1 {
		return float64(i) * binWidth
	}
	left, mid, right := math.Sqrt(a.power[i-1]), math.Sqrt(a.power[i]), math.Sqrt(a.power[i+1])
	side, sign := right, 1.0
	if left > right {
		side, sign = left, -1
	}
	ratio := side / mid
	return (float64(i) + sign*(2*ratio-1)/(1+ratio)) * binWidth
}
