package echo

import (
	"fmt"
	"math"
	"time"

	"callbox/media"
)

// DelayFinder measures the bulk delay of a line: how long after the line was told
// something its echo comes back, where the device does not say it. It compares what
// was told with what comes back, at a quarter of the sample rate, at all delays up to
// its limit. One goroutine calls Process; it does not allocate.
type DelayFinder struct {
	lags   int
	far    []float32 // of the last lags and one frame, the oldest first
	corr   []float32
	energy float32 // of far under one frame, decayed as corr is
	near   float32
	active int // frames with a far party that speaks, since the last Reset
	last   [2]float32
	found  int // the last verdict, in samples; −1: none
	agreed int // verdicts in a row that say the same
}

const (
	decimate  = 4
	decFrame  = media.FrameSamples / decimate
	delayKeep = 0.996            // per frame: five seconds
	delayWait = 50               // frames of far sound before the first verdict
	delayLook = 5                // frames between two verdicts
	delayPeak = 4.0              // how much higher than the rest, on the average, the best delay must be
	delayNear = 12               // in decimated samples: what belongs to one echo
	delayTrue = 0.15             // least likeness of an echo and what it is of
	minVoice  = 2.6e4 * decFrame // far energy of a frame that counts: about −40 dBm0
)

// MaxDelay is the longest delay that a finder looks for.
const MaxDelay = 400 * time.Millisecond

// NewDelayFinder makes a finder for delays up to limit.
func NewDelayFinder(limit time.Duration) (*DelayFinder, error) {
	if limit < 20*time.Millisecond || limit > MaxDelay {
		return nil, fmt.Errorf("echo delay up to %v: want 20 ms to %v", limit, MaxDelay)
	}
	n := media.SamplesIn(limit) / decimate
	d := &DelayFinder{lags: n, far: make([]float32, n+decFrame), corr: make([]float32, n)}
	d.Reset()
	return d, nil
}

// Reset forgets the line.
func (d *DelayFinder) Reset() {
	clear(d.far)
	clear(d.corr)
	d.energy, d.near, d.active, d.last, d.found, d.agreed = 0, 0, 0, [2]float32{}, -1, 0
}

// Process takes 20 ms of what the line was told and of what came back at the same
// time. ok says that delay, in samples, is sure enough to be used.
func (d *DelayFinder) Process(far, near *media.Frame) (delay int, ok bool) {
	copy(d.far, d.far[decFrame:])
	fresh := d.far[d.lags:]
	var back [decFrame]float32
	thin(fresh, far, &d.last[0])
	thin(back[:], near, &d.last[1])
	var power, echo float32
	for i := range back {
		power += fresh[i] * fresh[i]
		echo += back[i] * back[i]
	}
	if d.energy = d.energy*delayKeep + power; d.energy < minVoice {
		return 0, false // nothing was told that could come back
	}
	for l := range d.corr {
		d.corr[l] = d.corr[l]*delayKeep + dotAny(back[:], d.far[d.lags-l:])
	}
	d.near = d.near*delayKeep + echo
	if power < minVoice/4 {
		return 0, false
	}
	if d.active++; d.active < delayWait || d.active%delayLook != 0 {
		return 0, false
	}
	return d.verdict()
}

// verdict looks for the one delay that stands out.
func (d *DelayFinder) verdict() (int, bool) {
	best := 0
	for l, c := range d.corr {
		if abs32(c) > abs32(d.corr[best]) {
			best = l
		}
	}
	var rest float64
	n := 0
	for l, c := range d.corr {
		if l < best-delayNear || l > best+delayNear {
			rest += float64(c) * float64(c)
			n++
		}
	}
	peak := float64(abs32(d.corr[best]))
	like := peak / math.Sqrt(float64(d.energy)*float64(d.near)+1)
	if n == 0 || peak < delayPeak*math.Sqrt(rest/float64(n)) || like < delayTrue {
		d.found, d.agreed = -1, 0
		return 0, false
	}
	at := best * decimate
	if diff := at - d.found; d.found >= 0 && diff <= decimate && diff >= -decimate {
		d.agreed++
	} else {
		d.agreed = 0
	}
	d.found = at
	return at, d.agreed >= 3
}

// thin gives a quarter of the samples, without what is slow: speech has most of its
// power where it says least about time.
func thin(out []float32, in *media.Frame, last *float32) {
	for i := range out {
		v := float32(in[4*i]) + float32(in[4*i+1]) + float32(in[4*i+2]) + float32(in[4*i+3])
		v /= decimate
		out[i], *last = v-*last, v
	}
}

func dotAny(a, b []float32) (s float32) {
	b = b[:len(a)]
	for i, v := range a {
		s += v * b[i]
	}
	return s
}

func abs32(x float32) float32 { return max(x, -x) }
