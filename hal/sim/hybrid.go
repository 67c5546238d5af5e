package sim

import (
	"math"

	"callbox/hal"
)

const (
	hybridTaps  = 56   // 7 ms
	hybridDelay = 5    // samples before the line answers
	hybridRoom  = 2048 // samples of what the line was told that are remembered
)

// hybrid is the two-wire end of a line: a share of what it is told comes back,
// shaped by the difference between the line and what the chip takes it for.
type hybrid struct {
	told [hybridRoom]int16
	at   [hybridRoom]int64 // the number of each sample plus one; 0: none
}

// hear remembers samples from number at on.
func (h *hybrid) hear(b []int16, at int64) {
	for i, v := range b {
		k := (at + int64(i)) & (hybridRoom - 1)
		h.told[k], h.at[k] = v, at+int64(i)+1
	}
}

// answer adds what comes back during b, loss dB weaker for a flat sound.
func (h *hybrid) answer(b []int16, at int64, loss float64) {
	taps := response(loss)
	for i := range b {
		var v float64
		for k, c := range taps {
			n := at + int64(i-k)
			if j := n & (hybridRoom - 1); h.at[j] == n+1 {
				v += c * float64(h.told[j])
			}
		}
		v += float64(b[i])
		b[i] = int16(min(max(math.Round(v), math.MinInt16), math.MaxInt16))
	}
}

// response is what comes back of one pulse: more of the low and of the high
// frequencies than of those between, as the data sheet of the chip has it.
func response(loss float64) [hybridTaps]float64 {
	var h [hybridTaps]float64
	var sum float64
	for i := hybridDelay; i < hybridTaps; i++ {
		t := float64(i - hybridDelay)
		h[i] = math.Exp(-t/9)*math.Cos(2*math.Pi*350/hal.SampleRate*t) - 0.7*math.Exp(-t/4)*math.Cos(2*math.Pi*2900/hal.SampleRate*t+1)
		sum += h[i] * h[i]
	}
	k := math.Pow(10, -loss/20) / math.Sqrt(sum)
	for i := range h {
		h[i] *= k
	}
	return h
}
