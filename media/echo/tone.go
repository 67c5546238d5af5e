package echo

import (
	"math"

	"callbox/media"
)

// The tone that switches echo cancellers off (ITU-T G.164 §5.4, G.165 §4.2,
// G.168 §7): 2,100 Hz ±21 Hz at −31 to 0 dBm0; with phase reversals of 180° ±25°
// each 450 ms ±25 ms it concerns the whole canceller. It lasts until the line is
// quiet, below −36 dBm0, for 250 ms ±150 ms.
const (
	answerHz     = 2100.0
	toneBlock    = 80    // 10 ms
	tonePower    = 1.9e5 // mean square of −31 dBm0, with some room
	quietPower   = 6.5e4 // −36 dBm0
	toneShare    = 0.8   // of all power
	toneBlocks   = 30    // 300 ms of tone before it is believed
	quietBlocks  = 25    // 250 ms
	reversals    = 2
	reversalMin  = 40 // blocks between reversals: 400 ms
	reversalMax  = 52
	reversalTurn = 2.5 // radians of jump: 180° less 37°
)

// disabler listens to both directions for the tone.
type disabler struct {
	ears  [2]toneEar
	state toneState
	quiet int // blocks in which neither direction had any sound
}

type toneState int

const (
	toneNone   toneState = iota
	tonePlain            // no suppressor
	toneFlips            // no canceller
	halfBlocks = media.FrameSamples / toneBlock
)

func (d *disabler) reset() { *d = disabler{} }

// off reports whether the whole canceller is to stand aside.
func (d *disabler) off() bool { return d.state == toneFlips }

// linear reports whether only the filter may work.
func (d *disabler) linear() bool { return d.state != toneNone }

// hear takes a frame of both directions.
func (d *disabler) hear(far, near *media.Frame) {
	for b := range halfBlocks {
		loud := false
		for i, f := range [...]*media.Frame{far, near} {
			e := &d.ears[i]
			if e.hear(f[b*toneBlock : (b+1)*toneBlock]) {
				loud = true
			}
			if e.run >= toneBlocks {
				d.state = max(d.state, tonePlain)
			}
			if e.flips >= reversals {
				d.state = toneFlips
			}
		}
		if loud {
			d.quiet = 0
		} else if d.quiet++; d.quiet >= quietBlocks {
			d.state = toneNone
		}
	}
}

// toneEar listens to one direction.
type toneEar struct {
	angle  float64 // phase of the reference at the block's start
	last   float64 // phase of the tone in the block before, against the reference
	slope  float64 // how it moves per block: the tone is not exactly 2,100 Hz
	run    int     // blocks of tone; a reversal may spoil one
	missed int
	since  int // blocks since the last reversal
	flips  int
}

// hear takes 10 ms and reports whether there is any sound.
func (e *toneEar) hear(s []int16) bool {
	const w = 2 * math.Pi * answerHz / media.SampleRate
	var re, im, sum float64
	sin, cos := math.Sincos(e.angle)
	ds, dc := math.Sincos(w)
	for _, v := range s {
		x := float64(v)
		re += x * cos
		im -= x * sin
		sum += x * x
		cos, sin = cos*dc-sin*ds, sin*dc+cos*ds
	}
	e.angle = math.Mod(e.angle+w*toneBlock, 2*math.Pi)
	mean := sum / toneBlock
	tone := 2 * (re*re + im*im) / (toneBlock * toneBlock)
	if mean < tonePower || tone < toneShare*mean {
		e.miss()
		return mean > quietPower
	}
	e.missed = 0
	e.turn(math.Atan2(im, re))
	return true
}

// miss: a block without the tone. One or two belong to a reversal.
func (e *toneEar) miss() {
	e.since++
	if e.missed++; e.missed > 2 {
		e.run, e.flips = 0, 0
	}
}

// turn follows the tone's phase from block to block.
func (e *toneEar) turn(phase float64) {
	e.run++
	e.since++
	move := wrap(phase - e.last)
	e.last = phase
	if e.run == 1 {
		e.slope, e.since = 0, 0
		return
	}
	if jump := wrap(move - e.slope); math.Abs(jump) > reversalTurn {
		if e.flips > 0 && (e.since < reversalMin || e.since > reversalMax) {
			e.flips = 0
		}
		e.flips++
		e.since = 0
		return
	}
	e.slope += (wrap(move) - e.slope) / 4
}

func wrap(a float64) float64 { return math.Remainder(a, 2*math.Pi) }
