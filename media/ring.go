package media

import "sync"

// FullPolicy says what a [Ring] does when it is full.
type FullPolicy int

const (
	// DropOldest throws away the oldest whole frame, so that delay stays bounded:
	// right for live sound.
	DropOldest FullPolicy = iota
	// Refuse throws away what does not fit of the new sound: right for a writer
	// that looks at the result of Push and comes back later.
	Refuse
)

// RingConfig says how a [Ring] behaves. The zero value is a live ring of 10
// frames (200 ms) that is read as soon as it holds one frame.
type RingConfig struct {
	// Frames is the capacity, 1…3,000 frames (20 ms … 60 s); 0 is 10. Values
	// outside are brought to the nearest limit.
	Frames int
	// Prefill is how many frames must be there before reading starts, and before
	// it starts again after it ran dry: it absorbs the bursts of a device. 0 is
	// 1; more than Frames is Frames.
	Prefill int
	// Full says what happens when the ring is full.
	Full FullPolicy
}

// RingStats are the counters of a [Ring] since it was made.
type RingStats struct {
	Pushed    uint64 // samples taken in
	Pulled    uint64 // samples given out
	Dropped   uint64 // samples lost because the ring was full
	Underruns uint64 // times that the reader ran dry after sound had flowed
}

// Ring carries sound between a device goroutine, which pushes and pulls in the
// device's own block size, and the media clock, which works in frames. One
// goroutine writes and one reads, each for a whole ring's life; Stats, Len and
// Reset may be called from anywhere. No method allocates; the lock is held
// only while at most one block is copied.
type Ring struct {
	prefill int // samples
	full    FullPolicy

	mu      sync.Mutex
	buf     []int16   // mu; its length is the capacity
	head    int       // mu; index of the oldest sample
	n       int       // mu; samples held
	flowing bool      // mu; prefill was reached and the reader has not run dry since
	stats   RingStats // mu
}

var (
	_ Source = (*Ring)(nil)
	_ Sink   = (*Ring)(nil)
)

const (
	defaultRingFrames = 10
	maxRingFrames     = 3000
)

// NewRing makes an empty ring.
func NewRing(c RingConfig) *Ring {
	frames := c.Frames
	if frames == 0 {
		frames = defaultRingFrames
	}
	frames = min(max(frames, 1), maxRingFrames)
	prefill := min(max(c.Prefill, 1), frames)
	return &Ring{
		prefill: prefill * FrameSamples,
		full:    c.Full,
		buf:     make([]int16, frames*FrameSamples),
	}
}

// Push appends samples, any number of them, and gives how many are kept. When
// the ring is full the policy decides: with [Refuse] the rest of samples is
// dropped and the result is smaller; with [DropOldest] all are taken (of more
// than the ring holds, the last ones), and older frames go. Both are counted.
func (r *Ring) Push(samples []int16) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if room := len(r.buf) - r.n; len(samples) > room {
		if r.full == Refuse {
			r.stats.Dropped += uint64(len(samples) - room)
			samples = samples[:room]
		} else {
			samples = r.makeRoom(samples)
		}
	}
	tail := r.head + r.n
	if tail >= len(r.buf) {
		tail -= len(r.buf)
	}
	k := copy(r.buf[tail:], samples)
	copy(r.buf, samples[k:])
	r.n += len(samples)
	r.stats.Pushed += uint64(len(samples))
	return len(samples)
}

// makeRoom drops whole frames from the front until samples fit, and gives the
// part of samples that can fit at all. r.mu is held.
func (r *Ring) makeRoom(samples []int16) []int16 {
	if over := len(samples) - len(r.buf); over > 0 {
		r.stats.Dropped += uint64(over)
		samples = samples[over:]
	}
	need := r.n + len(samples) - len(r.buf)
	if need <= 0 {
		return samples
	}
	drop := min((need+FrameSamples-1)/FrameSamples*FrameSamples, r.n)
	r.skip(drop)
	r.stats.Dropped += uint64(drop)
	return samples
}

// skip removes k samples from the front. r.mu is held.
func (r *Ring) skip(k int) {
	r.head += k
	if r.head >= len(r.buf) {
		r.head -= len(r.buf)
	}
	r.n -= k
}

// keep drops the oldest sound so that at most n samples stay.
func (r *Ring) keep(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if over := r.n - n; over > 0 {
		r.skip(over)
		r.stats.Dropped += uint64(over)
	}
}

// Pull takes up to len(dst) samples, whatever is there, and gives their number.
// Fewer than asked for, also 0, means that the ring ran dry or is prefilling;
// the caller plays silence for the rest.
func (r *Ring) Pull(dst []int16) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.ready() || len(dst) == 0 {
		return 0
	}
	k := min(len(dst), r.n)
	r.take(dst[:k])
	if k < len(dst) {
		r.dry()
	}
	return k
}

// WriteFrame pushes one frame.
func (r *Ring) WriteFrame(f *Frame) { r.Push(f[:]) }

// ReadFrame takes one whole frame, or reports false and leaves what is there
// when there is less, or when the ring is prefilling.
func (r *Ring) ReadFrame(f *Frame) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.ready() {
		return false
	}
	if r.n < FrameSamples {
		r.dry()
		return false
	}
	r.take(f[:])
	return true
}

// ready reports whether reading may go on, starting it when the prefill is
// reached. r.mu is held.
func (r *Ring) ready() bool {
	if !r.flowing && r.n >= r.prefill {
		r.flowing = true
	}
	return r.flowing
}

// dry notes that the reader found too little. r.mu is held.
func (r *Ring) dry() {
	r.flowing = false
	r.stats.Underruns++
}

// take copies len(dst) ≤ r.n samples out. r.mu is held.
func (r *Ring) take(dst []int16) {
	k := copy(dst, r.buf[r.head:])
	copy(dst[k:], r.buf)
	r.skip(len(dst))
	r.stats.Pulled += uint64(len(dst))
}

// Len is the number of samples held.
func (r *Ring) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.n
}

// Cap is the number of samples that the ring can hold.
func (r *Ring) Cap() int { return len(r.buf) }

// Reset forgets the sound held, without counting it as dropped, and starts
// prefilling again. Devices call it at the start of a call so that nothing stale
// is heard.
func (r *Ring) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.head, r.n, r.flowing = 0, 0, false
}

// Stats gives the counters.
func (r *Ring) Stats() RingStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stats
}
