package dtmf

import (
	"math"

	"callbox/media"
)

// The detector looks at the sound every 5 ms through a window of 15 ms:
//
//	samples  |  40  |  40  |  40  |  40  |        one frame has 4 slices
//	windows  |<------ 15 ms ----->|
//	                |<------ 15 ms ----->|
//
// Per slice it correlates with the eight frequencies; a window is the sum of
// three slices, each turned by the phase that its frequency gains in a slice. A
// window of 120 samples has its nulls 67 Hz apart, close to the distance of the
// rows. The turn of the phase from one window to the next measures the
// frequency itself, far finer than the window resolves.
const (
	slice  = 40
	slices = 3 // per window
	window = slices * slice
)

// Limits of ITU-T Q.24 (annex A lists those of several networks), and where we
// stand within them.
const (
	// Accepted from −25 dBm0 per tone, refused below −29 (NTT).
	minToneDBm0 = -28.0
	// Accepted from 4 dB more to 8 dB less in the high group (AT&T).
	maxHighOverLow = 6.0 // dB
	maxLowOverHigh = 10.0
	// Accepted within 1.5 % + 2 Hz, refused beyond 3.5 %.
	maxDetune = 0.025
	// The two tones hold this share of the window's power: speech has more beside.
	minShare = 0.80
	// Each tone stands out of its own group by this much.
	minOverOthers = 8.0 // dB
	// A tone is steady; speech is not. Range of a tone's level within one press.
	maxLevelRange = 6.0 // dB
	// Presses of 40 ms give at least 5 windows whatever their alignment, those of
	// 25 ms at most 4.
	minHits = 5
	// Windows in between that may fail before a press is believed.
	maxGap = 1
	// Windows that must fail before the key counts as released: interruptions up
	// to 15 ms belong to one press, pauses from 30 ms on separate two.
	releaseMisses = 6
)

// Detector finds key presses in one direction of one call. The zero value is
// not ready; use NewDetector. It belongs to one goroutine.
type Detector struct {
	ring  [slices][8]complex128 // correlations of the last slices
	power [slices]float64       // sum of squares of the last slices
	at    int                   // slice to be overwritten next
	seen  int                   // slices seen, up to slices
	last  [8]complex128         // the window before

	cand  candidate
	down  byte // key that is down, 0 when none
	quiet int  // windows since it was last heard
}

// candidate is a press that is not believed yet.
type candidate struct {
	digit        byte
	hits, misses int
	turnRow      complex128 // sum of the phase turns of the row's tone
	turnColumn   complex128
	min, max     [2]float64 // levels seen, row and column, dBm0
}

// reading is what one window holds.
type reading struct {
	digit       byte
	row, column int // index into frequencies
	level       [2]float64
}

// frequencies are rows then columns.
var frequencies = [8]float64{low[0], low[1], low[2], low[3], high[0], high[1], high[2], high[3]}

// phasors[k][n] is e^(−iωn) of frequency k; turns[k] is what one slice turns it.
var phasors, turns = makePhasors()

func makePhasors() (p [8][slice]complex128, t [8]complex128) {
	for k, hz := range frequencies {
		w := 2 * math.Pi * hz / media.SampleRate
		for n := range slice {
			p[k][n] = complex(math.Cos(w*float64(n)), -math.Sin(w*float64(n)))
		}
		t[k] = complex(math.Cos(w*slice), -math.Sin(w*slice))
	}
	return p, t
}

// NewDetector makes a detector.
func NewDetector() *Detector { return &Detector{} }

// Reset forgets everything heard, for the start of another call.
func (d *Detector) Reset() { *d = Detector{} }

// Down is the key that is being pressed, 0 when none is.
func (d *Detector) Down() byte { return d.down }

// Write takes the next 20 ms. It reports ok, and the digit (one of 0-9 * # A-D),
// in the frame in which a press is certain, 30 to 50 ms after its start, and
// once per press however long that is. Missing frames are written as silence.
func (d *Detector) Write(f *media.Frame) (digit byte, ok bool) {
	for i := 0; i < len(f); i += slice {
		d.correlate(f[i : i+slice])
		if d.seen < slices {
			continue
		}
		if g := d.step(); g != 0 {
			digit, ok = g, true
		}
	}
	return digit, ok
}

// correlate adds a slice to the ring.
func (d *Detector) correlate(in []int16) {
	var power float64
	var re, im [8]float64
	for n, s := range in {
		v := float64(s)
		power += v * v
		for k := range re {
			p := phasors[k][n]
			re[k] += v * real(p)
			im[k] += v * imag(p)
		}
	}
	for k := range re {
		d.ring[d.at][k] = complex(re[k], im[k])
	}
	d.power[d.at] = power
	d.at = (d.at + 1) % slices
	d.seen = min(d.seen+1, slices)
}

// step looks at the window that ends with the newest slice, and gives the digit
// of a press that has just become certain.
func (d *Detector) step() byte {
	var w [8]complex128
	var power float64
	for j := range slices { // newest last: Horner's rule from the newest slice back
		i := (d.at + slices - 1 - j) % slices
		power += d.power[i]
		for k := range w {
			w[k] = w[k]*turns[k] + d.ring[i][k]
		}
	}
	r, hit := read(&w, &d.last, power)
	var found byte
	if hit {
		found = d.hit(&r, &w)
	} else {
		d.miss()
	}
	d.last = w
	return found
}

// hit notes a window that holds a digit.
func (d *Detector) hit(r *reading, w *[8]complex128) byte {
	if r.digit == d.down {
		d.quiet = 0
		d.cand = candidate{}
		return 0
	}
	d.age()
	c := &d.cand
	if c.digit != r.digit {
		*c = candidate{digit: r.digit, min: r.level, max: r.level}
	} else {
		c.turnRow += turn(d.last[r.row], w[r.row])
		c.turnColumn += turn(d.last[r.column], w[r.column])
	}
	c.hits++
	c.misses = 0
	for i, l := range r.level {
		c.min[i] = min(c.min[i], l)
		c.max[i] = max(c.max[i], l)
	}
	if c.hits < minHits {
		return 0
	}
	sure := c.max[0]-c.min[0] <= maxLevelRange && c.max[1]-c.min[1] <= maxLevelRange &&
		inTune(c.turnRow, r.row) && inTune(c.turnColumn, r.column)
	if !sure { // begin anew: a press may follow a noise without a gap
		*c = candidate{digit: r.digit, hits: 1, min: r.level, max: r.level}
		return 0
	}
	d.down, d.quiet = c.digit, 0
	d.cand = candidate{}
	return d.down
}

// miss notes a window without a digit.
func (d *Detector) miss() {
	d.age()
	if d.cand.misses++; d.cand.misses > maxGap {
		d.cand = candidate{}
	}
}

// age counts a window in which the key that is down was not heard.
func (d *Detector) age() {
	if d.down == 0 {
		return
	}
	if d.quiet++; d.quiet >= releaseMisses {
		d.down = 0
	}
}

// turn is the phase that a tone gained between two windows, one slice apart.
func turn(before, after complex128) complex128 {
	return after * complex(real(before), -imag(before))
}

// detune is how many Hz a tone is away from frequency k when it makes this
// turn, unique within ±100 Hz. A sum of turns weighs each by its power.
func detune(turned complex128, k int) float64 {
	off := turned * turns[k] // a tone in tune gains the conjugate of turns[k]
	return math.Atan2(imag(off), real(off)) / (2 * math.Pi) * media.SampleRate / slice
}

// inTune reports whether the turns are those of frequency k within maxDetune.
func inTune(turned complex128, k int) bool {
	return math.Abs(detune(turned, k)) <= maxDetune*frequencies[k]
}
