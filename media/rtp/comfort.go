package rtp

import (
	"math"

	"callbox/media"
)

const (
	// comfortNoise is the payload type of RFC 3389: the far end is silent, and says
	// what its silence sounds like.
	comfortNoise = 13
	// comfortOrder is the most reflection coefficients that are heeded.
	comfortOrder = 12
	fullPower    = 32767.0 * 32767.0 // mean square at 0 dBov (RFC 3389 §3)
)

// comfort makes the noise of a far end that is silent (RFC 3389): noise through a
// filter with the reflection coefficients that it has sent.
type comfort struct {
	on   bool
	from int64 // on the time line: where the silence begins

	k          [comfortOrder]float32
	past       [comfortOrder + 1]float32
	gain, want float32 // of the filter's input; gain follows want within a frame
	seed       uint32
}

// set takes a payload: the level in −dBov, and any number of coefficients. It
// reports whether it is one.
func (c *comfort) set(payload []byte, from int64) bool {
	if len(payload) == 0 || payload[0] > 127 {
		return false
	}
	c.k = [comfortOrder]float32{}
	kept := 1.0
	for i, b := range payload[1:min(len(payload), comfortOrder+1)] {
		k := max(min(258*(float64(b)-127)/32768, 0.99), -0.99) // RFC 3389 §3.1, kept stable
		c.k[i] = float32(k)
		kept *= 1 - k*k
	}
	power := fullPower * math.Pow(10, -float64(payload[0])/10)
	c.want = float32(math.Sqrt(power * kept))
	if !c.on {
		c.on, c.from, c.gain = true, from, c.want
	}
	return true
}

// over ends the noise.
func (c *comfort) over() { c.on = false }

// covers reports whether there is noise, not loss, at a place on the time line.
func (c *comfort) covers(at int64) bool { return c.on && at >= c.from }

// fill makes the noise.
func (c *comfort) fill(s []int16) {
	step := (c.want - c.gain) / float32(len(s))
	for i := range s {
		c.gain += step
		var u int32
		for range 3 { // a sum of uniform numbers is near enough to a normal one
			c.seed = c.seed*1664525 + 1013904223
			u += int32(c.seed) >> 16
		}
		// The root of the mean square of u is 32,768.
		f := c.gain * float32(u) / 32768
		for k := comfortOrder - 1; k >= 0; k-- {
			f -= c.k[k] * c.past[k]
			c.past[k+1] = c.past[k] + c.k[k]*f
		}
		c.past[0] = f
		s[i] = media.Clamp(int32(f))
	}
	c.gain = c.want
}
