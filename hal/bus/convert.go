package bus

import (
	"errors"
	"fmt"
	"syscall"

	"callbox/hal"
	"callbox/media"
)

// converted makes a stream of 8,000 Hz, with as many channels as are asked for, of
// one that its card makes at another rate or with other channels: a USB adapter of
// 48,000 Hz whose microphone is mono and whose earpiece is stereo. Frames that are
// said to be read or written are those of 8,000 Hz. It belongs to the goroutine of
// its direction.
type converted struct {
	stream
	rate, own int // the card's rate in Hz, and channels
	channels  int // that are asked for, at most own
	capture   bool
	change    []*media.Resampler
	raw       []int16   // frames of the card
	one, part []int16   // of one channel, before and after
	ready     [][]int16 // captured, of each channel
	rest      []int16   // of raw, not yet played
	in, out   int64     // frames that came and went, each at its own rate
}

var (
	_ stream  = (*converted)(nil)
	_ delayer = (*converted)(nil)
)

// convert wraps s; capture says which direction it is. Where nothing differs it is s
// itself.
func convert(s stream, rate, own, channels int, capture bool) (stream, error) {
	if rate == hal.SampleRate && own == channels {
		return s, nil
	}
	c := &converted{stream: s, rate: rate, own: own, channels: channels, capture: capture, ready: make([][]int16, channels)}
	from, to := rate, hal.SampleRate
	if !capture {
		from, to = to, from
	}
	for range channels {
		r, err := media.NewResampler(from, to)
		if err != nil {
			return nil, fmt.Errorf("a sound card of %d Hz: %w", rate, err)
		}
		c.change = append(c.change, r)
	}
	return c, nil
}

// blockOf is the card's period at a rate: 20 ms.
func blockOf(rate int) int { return period * rate / hal.SampleRate }

// Read takes what the card has, and gives whole frames of 8,000 Hz.
func (c *converted) Read(data any) (int, error) {
	to := data.([]int16)
	if c.raw == nil {
		c.raw = make([]int16, blockOf(c.rate)*c.own)
	}
	n, err := c.stream.Read(c.raw)
	c.in += int64(n)
	for ch := range c.channels {
		c.one = c.one[:0]
		for i := range n {
			c.one = append(c.one, c.raw[i*c.own+ch])
		}
		c.ready[ch] = c.change[ch].Write(c.ready[ch], c.one)
	}
	frames := min(len(c.ready[0]), len(to)/c.channels)
	for ch := range c.channels {
		for i := range frames {
			to[i*c.channels+ch] = c.ready[ch][i]
		}
		c.ready[ch] = c.ready[ch][:copy(c.ready[ch], c.ready[ch][frames:])]
	}
	c.out += int64(frames)
	return frames, err
}

// Write plays frames of 8,000 Hz. It takes all of them, or none while the card has
// no room for what it was given before.
func (c *converted) Write(data any) (int, error) {
	if err := c.push(); err != nil {
		return 0, err
	}
	from := data.([]int16)
	frames := len(from) / c.channels
	c.raw = c.raw[:0]
	for ch := range c.channels {
		c.one = c.one[:0]
		for i := range frames {
			c.one = append(c.one, from[i*c.channels+ch])
		}
		c.part = c.change[ch].Write(c.part[:0], c.one)
		if ch == 0 {
			for range len(c.part) * c.own {
				c.raw = append(c.raw, 0)
			}
		}
		for i, v := range c.part {
			c.raw[i*c.own+ch] = v
			for more := c.channels; ch == c.channels-1 && more < c.own; more++ { // mono in all ears
				c.raw[i*c.own+more] = v
			}
		}
	}
	c.in += int64(frames)
	c.rest = c.raw
	if err := c.push(); err != nil && !errors.Is(err, syscall.EAGAIN) {
		return frames, err
	}
	return frames, nil
}

// push plays what is left; EAGAIN when the card has no room for it.
func (c *converted) push() error {
	for len(c.rest) > 0 {
		n, err := c.stream.Write(c.rest)
		c.rest = c.rest[n*c.own:]
		c.out += int64(n)
		if err != nil {
			return err
		}
		if n == 0 {
			return syscall.EAGAIN
		}
	}
	return nil
}

// Prepare repairs the stream; what was under way is lost.
func (c *converted) Prepare() error {
	c.rest = c.rest[:0]
	for ch := range c.channels {
		c.ready[ch] = c.change[ch].Flush(c.ready[ch])[:0]
	}
	c.in, c.out = 0, 0
	return c.stream.Prepare()
}

// Delay is the card's and the converter's, in samples of 8,000 Hz.
func (c *converted) Delay() (int, error) {
	d, ok := c.stream.(delayer)
	if !ok {
		return 0, errors.New("the card does not tell its delay")
	}
	n, err := d.Delay()
	if err != nil {
		return 0, err
	}
	inside := c.in - c.out*hal.SampleRate/int64(c.rate)
	if c.capture {
		inside = c.in*hal.SampleRate/int64(c.rate) - c.out
	}
	return n*hal.SampleRate/c.rate + int(inside), nil
}
