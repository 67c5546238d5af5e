package media

// Elastic moves frames between a device and a [Ring] whose other end runs by
// another clock. Clocks differ by up to a few hundred millionths, so that without
// care a ring runs full or dry every minute or so, and a frame is lost or missing.
// An Elastic watches the least that the ring holds and, when that leaves the
// middle, plays single frames a sample longer or shorter, which nobody hears: the
// delay stays as it was.
//
// The least, and not the average: what a device finds in the ring changes by a whole
// frame when the two clocks pass each other, and to and fro while they meet, though
// the sound has not become more or less. The least of a second is one of the two, and
// between the levels at which bending begins there is room for both. Nor does it heed a
// device that is late now and then and makes up for it at once.
//
// It belongs to the device's goroutine of one direction. Make it with NewElastic.
type Elastic struct {
	ring   *Ring
	base   int // samples; what is added to the levels below
	least  int // of this second
	frames int // of this second
	turns  int // -1, 0, 1: by how many samples frames that are bent empty the ring
	every  int // frames of which one is bent

	straight int  // frames since the last that was bent
	pulls    bool // it is for Pull
	pulled   uint64
	unread   int // frames pushed since somebody read
	buf      [FrameSamples + 1]int16
	bent     uint64
}

const (
	// elasticWindow is over how many frames the least is looked for: 1 s.
	elasticWindow = 50
	// When the least is outside of low and high frames are bent, until it is inside of
	// calmLow and calmHigh; far, and they are bent faster. Samples. A whole frame must be
	// there when the clocks pass each other, which takes one away; and from inside a frame
	// more or less leads nowhere outside.
	elasticLow, elasticCalmLow   = FrameSamples, FrameSamples + 20
	elasticCalmHigh, elasticHigh = elasticLow + FrameSamples, elasticCalmLow + FrameSamples
	elasticFar                   = elasticHigh + FrameSamples
	// elasticGently is one bent frame of so many: 260 millionths, more than clocks
	// differ. elasticFast, 1,600, is for what was late and has gathered.
	elasticGently, elasticFast = 24, 4
	elasticPatience            = 5 // frames
)

// NewElastic makes an Elastic of a ring that holds prefill frames when reading
// begins, see [RingConfig].
func NewElastic(r *Ring, prefill int) *Elastic {
	e := &Elastic{ring: r, base: (prefill - 2) * FrameSamples}
	e.watch()
	return e
}

// watch begins a second.
func (e *Elastic) watch() { e.least, e.frames = 1<<30, 0 }

// Bent counts frames that were played longer or shorter.
func (e *Elastic) Bent() uint64 { return e.bent }

// Push gives the ring a frame of the device.
func (e *Elastic) Push(f *Frame) {
	if pulled := e.ring.Stats().Pulled; pulled != e.pulled {
		e.pulled, e.unread = pulled, 0
	} else if e.unread++; e.unread > elasticPatience {
		// Nobody reads yet: who begins shall not hear what is old.
		e.turns = 0
		e.watch()
		e.ring.keep(e.base + 2*FrameSamples - FrameSamples/4)
	}
	n := FrameSamples - e.turn()
	if n == FrameSamples {
		e.ring.Push(f[:])
		return
	}
	e.bend(e.buf[:n], f[:])
	e.ring.Push(e.buf[:n])
}

// Pull takes a frame for the device; it gives how many of its samples are sound, as
// [Ring.Pull].
func (e *Elastic) Pull(f *Frame) int {
	if !e.pulls { // before a frame is taken more is there than before one is given
		e.pulls = true
		e.base += FrameSamples
	}
	n := FrameSamples + e.turn()
	if n == FrameSamples || e.ring.Len() < n {
		return e.ring.Pull(f[:])
	}
	if k := e.ring.Pull(e.buf[:n]); k < n { // it is filling up
		return copy(f[:], e.buf[:k])
	}
	e.bend(f[:], e.buf[:n])
	return FrameSamples
}

// turn is by how many samples this frame is to empty the ring.
func (e *Elastic) turn() int {
	n := e.ring.Len()
	if n == 0 && e.pulls { // at rest, or run dry: it says nothing about the clocks
		e.turns = 0
		e.watch()
		return 0
	}
	e.least = min(e.least, n)
	if e.frames++; e.frames == elasticWindow {
		e.decide(e.least - e.base)
		e.watch()
	}
	if e.straight++; e.turns == 0 || e.straight < e.every {
		return 0
	}
	return e.turns
}

// decide looks at the least that was there in a second.
func (e *Elastic) decide(least int) {
	switch {
	case least < elasticLow:
		e.turns = -1
	case least > elasticHigh:
		e.turns = 1
	case e.turns < 0 && least >= elasticCalmLow, e.turns > 0 && least <= elasticCalmHigh:
		e.turns = 0
	}
	e.every = elasticGently
	if least > elasticFar {
		e.every = elasticFast
	}
}

// bend fills dst with src, a little faster or slower.
func (e *Elastic) bend(dst, src []int16) {
	e.bent++
	e.straight = 0
	step := float64(len(src)-1) / float64(len(dst)-1)
	for i := range dst {
		x := float64(i) * step
		k := min(int(x), len(src)-2)
		frac := x - float64(k)
		dst[i] = int16(float64(src[k])*(1-frac) + float64(src[k+1])*frac)
	}
}
