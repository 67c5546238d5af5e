package quality

import (
	"math"
	"strings"
	"time"
)

// Path is what is known of the way from one far end to the listener.
type Path struct {
	// Codec is its name in SDP; empty: G.711.
	Codec string
	// Loss is the share of frames that were not heard as they were said, 0…1: lost,
	// late or thrown away.
	Loss float64
	// Delay is the time from mouth to ear.
	Delay time.Duration
}

// The E-model with the default values of G.107 table 2 gives 93.2 before what
// follows is taken off.
const (
	defaultRating = 93.2
	// plcRobustness is Bpl of G.711 with the concealment of its appendix I under
	// random loss (G.113 appendix I).
	plcRobustness = 25.1
)

// impairments are Ie and Bpl of codecs (G.113 appendix I).
var impairments = map[string][2]float64{"G729": {11, 19}}

// Rate gives the rating factor R, 0…93.2.
func (p Path) Rate() float64 {
	ie, bpl := 0.0, plcRobustness
	if x, ok := impairments[strings.ToUpper(p.Codec)]; ok {
		ie, bpl = x[0], x[1]
	}
	percent := 100 * min(max(p.Loss, 0), 1)
	effective := ie + (95-ie)*percent/(percent+bpl) // G.107 (7-29), loss in no bursts
	return min(max(defaultRating-p.delay()-effective, 0), defaultRating)
}

// delay is Idd, what delay takes off by itself (G.107 (7-27), (7-28)).
func (p Path) delay() float64 {
	ta := p.Delay.Seconds() * 1000
	if ta <= 100 {
		return 0
	}
	x := math.Log2(ta / 100)
	return 25 * (math.Pow(1+math.Pow(x, 6), 1.0/6) - 3*math.Pow(1+math.Pow(x/3, 6), 1.0/6) + 2)
}

// MOS is the mean opinion score of a rating (G.107 annex B), 1 to 4.5.
func MOS(r float64) float64 {
	switch {
	case r <= 0:
		return 1
	case r >= 100:
		return 4.5
	}
	return max(1+0.035*r+r*(r-60)*(100-r)*7e-6, 1)
}
