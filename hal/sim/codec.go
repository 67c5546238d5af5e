package sim

import (
	"math"
	"sync"
	"time"

	"callbox/hal"
)

const (
	codecBuffer = 640 // samples that each direction of the codec can hold: 80 ms
	restartGap  = 250 * time.Millisecond
)

var (
	_ hal.PCM     = (*codec)(nil)
	_ hal.Aligned = (*codec)(nil)
)

// codec is the sound card of one port: two streams paced by a clock of its own.
//
// A stream that was not touched for restartGap starts anew: what happened in
// between is neither lost nor counted.
type codec struct {
	// mic fills p with what the phone says, not more than codecBuffer; ear takes
	// what the phone hears, after gap samples of silence. at is the number of p's
	// first sample on the codec's clock, the same for both.
	mic func(p []int16, at int64)
	ear func(p []int16, gap int, at int64)
	err func() error       // fault injection
	ppm func() float64     // clock error
	end chan struct{}      // closed by Close
	one sync.Once          // for end
	rd  stream             // owned by the reader
	wr  stream             // owned by the writer
	bin [codecBuffer]int16 // sound that an overrun loses; owned by the reader

	mu     sync.Mutex // guards what follows
	st     hal.PCMStats
	epoch  time.Time // of the codec's clock: when it was first used
	rdLead lead
	wrLead lead
}

// lead says where the samples that were counted are on the codec's clock.
type lead struct {
	at   int64 // clock number of the first one, if none had been lost
	last time.Time
}

// stream is one direction: pos samples have passed since start.
type stream struct {
	start time.Time
	last  time.Time
	pos   int64
	rate  float64
	base  int64 // number of the first sample on the codec's clock
}

// at is the time at which sample n passes the codec.
func (s *stream) at(n int64) time.Time {
	return s.start.Add(time.Duration(float64(n) / s.rate * float64(time.Second)))
}

// now is the number of the sample that passes the codec now.
func (s *stream) now(t time.Time) int64 {
	return int64(t.Sub(s.start).Seconds()*s.rate + 1e-6)
}

// touch starts the stream when it is new or has rested.
func (s *stream) touch(t time.Time, ppm float64) (fresh bool) {
	fresh = s.start.IsZero() || t.Sub(s.last) > restartGap
	if rate := hal.SampleRate * (1 + ppm/1e6); fresh || rate != s.rate {
		s.start, s.pos, s.rate = t, 0, rate
	}
	s.last = t
	return fresh
}

// begin puts a stream that starts now on the codec's clock.
func (c *codec) begin(s *stream, fresh bool) {
	if !fresh && s.pos > 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.epoch.IsZero() {
		c.epoch = s.start
	}
	s.base = int64(math.Round(s.start.Sub(c.epoch).Seconds() * s.rate))
}

// Offset implements [hal.Aligned].
func (c *codec) Offset() (int64, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if now.Sub(c.rdLead.last) > restartGap || now.Sub(c.wrLead.last) > restartGap {
		return 0, false
	}
	return c.wrLead.at - c.rdLead.at, true
}

// wait returns at t, or with false when the codec was closed.
func (c *codec) wait(t time.Time) bool {
	d := time.Until(t)
	if d <= 0 {
		select {
		case <-c.end:
			return false
		default:
			return true
		}
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.end:
		return false
	}
}

// Read implements [hal.PCM].
func (c *codec) Read(p []int16) (int, error) {
	if err := c.err(); err != nil {
		return 0, err
	}
	t := time.Now()
	s := &c.rd
	c.begin(s, s.touch(t, c.ppm()))
	if behind := s.now(t) - s.pos; behind > codecBuffer {
		lost := behind - int64(len(p))
		for left := lost; left > 0; left -= codecBuffer {
			c.mic(c.bin[:min(left, codecBuffer)], s.base+s.pos+lost-left)
		}
		s.pos += lost
		c.mu.Lock()
		c.st.Overruns++
		c.st.Lost += uint64(lost)
		c.mu.Unlock()
	}
	s.pos += int64(len(p))
	if !c.wait(s.at(s.pos)) {
		return 0, hal.ErrClosed
	}
	s.last = time.Now()
	c.mic(p, s.base+s.pos-int64(len(p)))
	c.mu.Lock()
	c.st.Read += uint64(len(p))
	c.rdLead = lead{s.base + s.pos - int64(c.st.Read), s.last}
	c.mu.Unlock()
	return len(p), nil
}

// Write implements [hal.PCM].
func (c *codec) Write(p []int16) (int, error) {
	if err := c.err(); err != nil {
		return 0, err
	}
	t := time.Now()
	s := &c.wr
	fresh := s.touch(t, c.ppm())
	c.begin(s, fresh)
	gap := 0
	if late := s.now(t) - s.pos; late > 0 && !fresh {
		gap = int(late)
		s.pos += late
		c.mu.Lock()
		c.st.Underruns++
		c.mu.Unlock()
	}
	s.pos += int64(len(p))
	if !c.wait(s.at(s.pos - codecBuffer)) {
		return 0, hal.ErrClosed
	}
	s.last = time.Now()
	c.ear(p, gap, s.base+s.pos-int64(len(p)))
	c.mu.Lock()
	c.st.Written += uint64(len(p))
	c.wrLead = lead{s.base + s.pos - int64(c.st.Written), s.last}
	c.mu.Unlock()
	return len(p), nil
}

// Stats implements [hal.PCM].
func (c *codec) Stats() hal.PCMStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.st
}

// Close implements [hal.PCM].
func (c *codec) Close() error {
	c.one.Do(func() { close(c.end) })
	return nil
}
