package fsk

import (
	"math"

	"callbox/media"
)

// Standard is a pair of frequencies.
type Standard struct{ Mark, Space float64 } // Hz, of 1 and 0

// The two standards.
var (
	Bell202 = Standard{1200, 2200}
	V23     = Standard{1300, 2100} // ITU-T V.23, mode 2
)

// Lengths of what surrounds the bytes, in bits.
const (
	Seizure   = 300 // before what is sent to a phone that is on-hook
	Mark      = 180
	ShortMark = 80 // after an alert tone
	tail      = 60 // 50 ms
)

// Baud is the speed in bit/s.
const Baud = 1200

// Level is the usual level in dBm0 (GR-30-CORE: −13.5 dBm).
const Level = -13.5

// part is what a Sender is sending.
type part int

const (
	seizing part = iota
	marking
	sending
	ending
	over
)

// Sender is the sound of a message. It belongs to one goroutine.
type Sender struct {
	std     Standard
	peak    float64
	bytes   []byte
	seizure int
	mark    int

	part  part
	n     int     // bits of the part, or of the byte, that are out
	at    int     // index in bytes
	bit   bool    // that is being sent
	left  float64 // of the bit, in samples
	phase float64
}

var _ media.Clip = (*Sender)(nil)

// NewSender makes the sound of bytes, which nobody may change from then on:
// seizure and mark bits, the bytes, and 50 ms of mark. level is in dBm0.
func NewSender(s Standard, seizure, mark int, bytes []byte, level float64) *Sender {
	c := &Sender{std: s, peak: media.Amplitude(level), bytes: bytes, seizure: seizure, mark: mark}
	c.next()
	return c
}

// ReadFrame fills f with the next 20 ms; the last frame is filled up with silence,
// then it reports false.
func (c *Sender) ReadFrame(f *media.Frame) bool {
	if c.part == over {
		return false
	}
	for i := range f {
		if c.part == over {
			clear(f[i:])
			break
		}
		hz := c.std.Space
		if c.bit {
			hz = c.std.Mark
		}
		f[i] = int16(math.Round(c.peak * math.Sin(c.phase)))
		if c.phase += 2 * math.Pi * hz / media.SampleRate; c.phase > math.Pi {
			c.phase -= 2 * math.Pi
		}
		if c.left--; c.left <= 0 {
			c.next()
		}
	}
	return true
}

// Close does nothing.
func (c *Sender) Close() error { return nil }

// next goes on to the next bit.
func (c *Sender) next() {
	c.left += float64(media.SampleRate) / Baud
	for {
		switch c.part {
		case seizing:
			if c.n < c.seizure {
				c.bit = c.n%2 == 1
				c.n++
				return
			}
		case marking:
			if c.n < c.mark {
				c.bit = true
				c.n++
				return
			}
		case sending:
			if c.at < len(c.bytes) {
				c.framed()
				return
			}
		case ending:
			if c.n < tail {
				c.bit = true
				c.n++
				return
			}
		case over:
			return
		}
		c.part++
		c.n = 0
	}
}

// framed is the next bit of the present byte: start, eight bits, stop.
func (c *Sender) framed() {
	switch n := c.n; {
	case n == 0:
		c.bit = false
	case n <= 8:
		c.bit = c.bytes[c.at]>>(n-1)&1 == 1
	default:
		c.bit = true
		c.at++
		c.n = -1
	}
	c.n++
}
