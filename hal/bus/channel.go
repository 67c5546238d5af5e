package bus

import (
	"math"
	"sync"
	"time"

	"callbox/hal"
)

const (
	period     = 160                    // frames: 20 ms
	periods    = 4                      // of the card's own buffer
	maxCapture = 8 * period             // samples waiting for a reader: 160 ms
	maxPlay    = 3 * period             // samples waiting for the card: 60 ms
	restTime   = 250 * time.Millisecond // a direction unused for so long is at rest
)

// Channel is one mono channel of a [Card]. It implements [hal.PCM].
type Channel struct {
	mu      sync.Mutex // guards all below
	change  *sync.Cond // on mu
	in, out []int16    // bounded by maxCapture and maxPlay
	read    time.Time
	wrote   time.Time
	reading bool // a reader waits
	down    error
	closed  bool
	stats   hal.PCMStats
	// Where the next sample of each direction is, in samples from the wire.
	inMark, outMark mark
}

// mark says that sample number n passes the wire away samples after at; away is
// negative when it has passed.
type mark struct {
	n, away int64
	at      time.Time
}

var (
	_ hal.PCM     = (*Channel)(nil)
	_ hal.Aligned = (*Channel)(nil)
)

func newChannel() *Channel {
	c := &Channel{in: make([]int16, 0, maxCapture), out: make([]int16, 0, maxPlay)}
	c.change = sync.NewCond(&c.mu)
	return c
}

func (c *Channel) err() error {
	if c.closed {
		return hal.ErrClosed
	}
	return c.down
}

// Read implements [hal.PCM]. After a rest it starts with fresh sound.
func (c *Channel) Read(p []int16) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.read) > restTime {
		c.in = c.in[:0]
	}
	c.reading = true
	defer func() { c.reading, c.read = false, time.Now() }()
	for n := 0; ; {
		if err := c.err(); err != nil {
			return n, err
		}
		k := copy(p[n:], c.in)
		c.in = c.in[:copy(c.in, c.in[k:])]
		n += k
		c.stats.Read += uint64(k)
		if n == len(p) {
			return n, nil
		}
		c.change.Wait()
	}
}

// Write implements [hal.PCM].
func (c *Channel) Write(p []int16) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer func() { c.wrote = time.Now() }()
	for n := 0; ; {
		if err := c.err(); err != nil {
			return n, err
		}
		k := min(len(p)-n, maxPlay-len(c.out))
		c.out = append(c.out, p[n:n+k]...)
		n += k
		c.stats.Written += uint64(k)
		c.wrote = time.Now()
		if n == len(p) {
			return n, nil
		}
		c.change.Wait()
	}
}

// Stats implements [hal.PCM].
func (c *Channel) Stats() hal.PCMStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats
}

// Close implements [hal.PCM]. The card stays open for its other channels.
func (c *Channel) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.closed = true
		c.change.Broadcast()
	}
	return nil
}

// captured takes channel ch of n interleaved samples from the card.
func (c *Channel) captured(block []int16, ch, channels int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(block) / channels
	if over := len(c.in) + n - maxCapture; over > 0 {
		c.in = c.in[:copy(c.in, c.in[over:])]
		if c.reading || time.Since(c.read) <= restTime {
			c.stats.Overruns++
			c.stats.Lost += uint64(over)
		}
	}
	for i := ch; i < len(block); i += channels {
		c.in = append(c.in, block[i])
	}
	c.change.Broadcast()
}

// play fills channel ch of the interleaved block for the card.
func (c *Channel) play(block []int16, ch, channels int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(block) / channels
	k := min(n, len(c.out))
	for i := range k {
		block[i*channels+ch] = c.out[i]
	}
	for i := k; i < n; i++ {
		block[i*channels+ch] = 0
	}
	c.out = c.out[:copy(c.out, c.out[k:])]
	if k < n && time.Since(c.wrote) <= restTime {
		c.stats.Underruns++
	}
	c.change.Broadcast()
}

// inAt says that the card holds n samples that it has heard at now and not yet
// given to captured.
func (c *Channel) inAt(n int, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inMark = mark{int64(c.stats.Read) + int64(len(c.in)), -int64(n), now}
}

// outAt says that the card holds n samples that it has not yet played at now.
func (c *Channel) outAt(n int, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.outMark = mark{int64(c.stats.Written) - int64(len(c.out)), int64(n), now}
}

// Offset implements [hal.Aligned].
func (c *Channel) Offset() (int64, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if c.err() != nil || now.Sub(c.inMark.at) > restTime || now.Sub(c.outMark.at) > restTime {
		return 0, false
	}
	between := c.outMark.at.Sub(c.inMark.at).Seconds() * hal.SampleRate
	return c.inMark.n - c.inMark.away - c.outMark.n + c.outMark.away + int64(math.Round(between)), true
}

// setDown says that the card does not work, or with nil that it does again.
func (c *Channel) setDown(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = err
	c.in, c.out = c.in[:0], c.out[:0]
	c.change.Broadcast()
}

// recovered counts a repair.
func (c *Channel) recovered() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.Recovered++
}
