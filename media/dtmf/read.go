package dtmf

import (
	"math"

	"callbox/media"
)

// ratio turns dB into a ratio of powers.
func ratio(dB float64) float64 { return math.Pow(10, dB/10) }

var (
	overOthers  = ratio(minOverOthers)
	highOverLow = ratio(maxHighOverLow)
	lowOverHigh = ratio(maxLowOverHigh)
	// minPower is the squared peak of the weakest tone.
	minPower = media.Amplitude(minToneDBm0) * media.Amplitude(minToneDBm0)
)

// read judges one window: its correlations with the eight frequencies, those of
// the window before, and the sum of its squares.
func read(w, before *[8]complex128, power float64) (reading, bool) {
	var p [8]float64 // squared peak of the sine at each frequency
	for k, c := range w {
		p[k] = (real(c)*real(c) + imag(c)*imag(c)) * (2.0 / window) * (2.0 / window)
	}
	row, ok := strongest(p[:4])
	if !ok {
		return reading{}, false
	}
	column, ok := strongest(p[4:])
	if !ok {
		return reading{}, false
	}
	lo, hi := p[row], p[4+column]
	if lo < minPower || hi < minPower || hi > lo*highOverLow || lo > hi*lowOverHigh {
		return reading{}, false
	}
	// A sine of peak a has the mean square a²/2. A detuned one shows less than
	// its power, at the limits of Q.24 as little as 0.58 of it.
	need := 2 * minShare * power / window
	if lo+hi < need {
		lo *= widthGain(turn(before[row], w[row]), row)
		hi *= widthGain(turn(before[4+column], w[4+column]), 4+column)
		if lo+hi < need {
			return reading{}, false
		}
	}
	return reading{
		digit:  keys[row*4+column],
		row:    row,
		column: 4 + column,
		level:  [2]float64{10 * math.Log10(lo), 10 * math.Log10(hi)},
	}, true
}

// strongest gives the strongest of four, if it stands out of the other three.
func strongest(p []float64) (int, bool) {
	best := 0
	for k := range p {
		if p[k] > p[best] {
			best = k
		}
	}
	for k := range p {
		if k != best && p[k]*overOthers > p[best] {
			return 0, false
		}
	}
	return best, true
}

// widthGain is by how much the window underrates the power of a tone that makes
// this turn, because it is detuned: 1 in tune, up to 1.73 at the limit.
func widthGain(turned complex128, k int) float64 {
	limit := maxDetune * frequencies[k]
	x := math.Pi * min(math.Abs(detune(turned, k)), limit) * window / media.SampleRate
	if x < 1e-3 {
		return 1
	}
	sinc := math.Sin(x) / x
	return 1 / (sinc * sinc)
}
