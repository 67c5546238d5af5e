package media

// Elastic moves frames between a device and a [Ring] whose other end runs by
// another clock. Clocks differ by up to a few hundred millionths, so that without
// care a ring runs full or dry every minute or so, and a frame is lost or missing.
// An Elastic watches how much the ring holds on average and, when that leaves the
// middle, plays single frames a sample longer or shorter, which nobody hears: the
// delay stays as it was.
//
// It belongs to the device's goroutine of one direction. Make it with NewElastic.
type Elastic struct {
	ring      *Ring
	low, high float64 // samples; what the ring may hold on average
	mean      float64
	straight  int  // frames since the last that was bent
	pulls     bool // it is for Pull
	pulled    uint64
	unread    int // frames pushed since somebody read
	buf       [FrameSamples + 1]int16
	bent      uint64
}

const (
	elasticMemory   = 64.0 // frames over which the average is taken: 1.3 s
	elasticRoom     = 80   // samples around the middle in which nothing is done
	elasticPatience = 5    // frames
	elasticEvery    = 4    // frames of which one at most is bent: 1,600 millionths
)

// NewElastic makes an Elastic of a ring that holds prefill frames when reading
// begins, see [RingConfig].
func NewElastic(r *Ring, prefill int) *Elastic {
	middle := float64(prefill*FrameSamples - FrameSamples/4) // near what it is when reading has begun
	return &Elastic{ring: r, low: middle - elasticRoom, high: middle + elasticRoom, mean: middle}
}

// Bent counts frames that were played longer or shorter.
func (e *Elastic) Bent() uint64 { return e.bent }

// Push gives the ring a frame of the device.
func (e *Elastic) Push(f *Frame) {
	if pulled := e.ring.Stats().Pulled; pulled != e.pulled {
		e.pulled, e.unread = pulled, 0
	} else if e.unread++; e.unread > elasticPatience {
		// Nobody reads yet: who begins shall not hear what is old.
		e.mean = (e.low + e.high) / 2
		e.ring.keep(int(e.mean))
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
		e.low, e.high, e.mean = e.low+FrameSamples*3/4, e.high+FrameSamples*3/4, e.mean+FrameSamples*3/4
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
	held := e.held()
	if e.straight++; e.straight < elasticEvery {
		return 0
	}
	switch {
	case held > e.high:
		return 1
	case held < e.low:
		return -1
	}
	return 0
}

// held takes what the ring holds now into the average.
func (e *Elastic) held() float64 {
	n := e.ring.Len()
	if n == 0 { // at rest, or run dry: it says nothing about the clocks
		e.mean = (e.low + e.high) / 2
		return e.mean
	}
	e.mean += (float64(n) - e.mean) / elasticMemory
	return e.mean
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
