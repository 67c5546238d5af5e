package sim

import (
	"fmt"
	"math"
	"time"

	"callbox/hal"
)

// The keypad's own tone generator, written apart from the box's, so that one can
// check the other (ITU-T Q.23).
var (
	keys    = [4]string{"123A", "456B", "789C", "*0#D"}
	rowHz   = [4]float64{697, 770, 852, 941}
	colHz   = [4]float64{1209, 1336, 1477, 1633}
	rowPeak = 6000.0 // about −11.6 dBm0
	colPeak = 7200.0 // the high tones are 1.6 dB louder, as phones make them
)

// Keys gives the sound of pressing digits (0-9 * # A-D): each key on and then
// off for the given times.
func Keys(digits string, on, off time.Duration) ([]int16, error) {
	nOn, nOff := samples(on), samples(off)
	out := make([]int16, 0, len(digits)*(nOn+nOff))
	for i := range len(digits) {
		row, col, err := key(digits[i])
		if err != nil {
			return nil, err
		}
		for n := range nOn {
			t := float64(n) / hal.SampleRate
			v := rowPeak*math.Sin(2*math.Pi*rowHz[row]*t) + colPeak*math.Sin(2*math.Pi*colHz[col]*t)
			out = append(out, int16(v))
		}
		out = append(out, make([]int16, nOff)...)
	}
	return out, nil
}

// key finds a key on the pad.
func key(d byte) (row, col int, err error) {
	for r := range keys {
		for c := range len(keys[r]) {
			if keys[r][c] == d {
				return r, c, nil
			}
		}
	}
	return 0, 0, fmt.Errorf("no key %q on the phone", d)
}

// samples is d at the sample rate.
func samples(d time.Duration) int {
	return int(d * hal.SampleRate / time.Second)
}
