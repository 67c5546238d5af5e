package gsm

import "callbox/media"

// Levels of the rings between the modem's clock and the media clock, in samples:
// what lies there at the least while both work. Modems send in bursts of up to 100
// ms; what goes to them is paced.
const (
	inLevel  = 2 * media.FrameSamples
	outLevel = 2 * media.FrameSamples
	// fitFrames is over how many frames the least level is looked for: 1 s.
	fitFrames = 50
	// fitEvery is in which frames a sample is put in or out: 260 ppm, more than clocks
	// differ and less than anybody hears.
	fitEvery = 24
	// fitSlack is by how much it may differ, in samples: a frame.
	fitSlack = media.FrameSamples
)

// fitter keeps the sound between two clocks from gathering, or running out: when
// the least that lies in a ring over a second is too much, a sample of every 24th
// frame is squeezed out, when it is too little one is put in. A listener does not hear it,
// other than a frame that is dropped or missing. It belongs to one goroutine.
type fitter struct {
	level int
	least int // of this second
	n     int // frames of this second
	step  int // samples to add to each frame: -1, 0, 1
	buf   [media.FrameSamples + 1]int16
}

func newFitter(level int) *fitter { return &fitter{level: level, least: 1 << 30} }

// saw takes the level at a frame.
func (f *fitter) saw(level int) {
	f.least = min(f.least, level)
	if f.n++; f.n < fitFrames {
		return
	}
	switch {
	case f.least > f.level+fitSlack:
		f.step = -1
	case f.least < f.level-fitSlack:
		f.step = 1
	default:
		f.step = 0
	}
	f.n, f.least = 0, 1<<30
}

// fit gives samples with one more or less, as the ring into which they go needs;
// level is what lies in it before. The result is the fitter's.
func (f *fitter) fit(samples []int16, level int) []int16 {
	f.saw(level)
	if f.step == 0 || f.n%fitEvery != 0 {
		return samples
	}
	return f.stretch(samples, len(samples)+f.step)
}

// want is how many samples to take out of a ring for a frame; level is what lies in
// it before.
func (f *fitter) want(level int) int {
	f.saw(level)
	if f.n%fitEvery != 0 {
		return media.FrameSamples
	}
	return media.FrameSamples - f.step
}

// stretch makes n samples, at most one more than a frame, of those given, by
// straight lines between them. The result is the fitter's.
func (f *fitter) stretch(samples []int16, n int) []int16 {
	if len(samples) == n {
		return samples
	}
	out := f.buf[:n]
	for i := range out {
		at := float64(i) * float64(len(samples)-1) / float64(n-1)
		k := int(at)
		part := at - float64(k)
		a, b := float64(samples[k]), float64(samples[min(k+1, len(samples)-1)])
		out[i] = int16(a + part*(b-a))
	}
	return out
}
