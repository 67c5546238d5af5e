package tone

import (
	"time"

	"callbox/media"
)

const (
	callingHz = 1100.0 // CNG: 1,100 Hz ±38, 500 ms ±15 % on, 3 s ±15 % off (ITU-T T.30 §4.2)
	answerHz  = 2100.0 // CED: 2,100 Hz ±15, 2.6 to 4 s (T.30 §4.3, V.25); it may reverse its phase
	faxFloor  = 1.9e4  // mean square of −43 dBm0, as T.30 has the weakest
	faxShare  = 0.9
	// answerFrames is how long an answer tone must last: 500 ms, longer than a whistle
	// in speech and shorter than what a phase reversal leaves.
	answerFrames = 25
	// A calling tone is heard for 19 to 31 frames, its edges being anywhere within
	// them, and again after 2.4 to 3.6 s.
	callingMin, callingMax           = 19, 31
	callingPauseMin, callingPauseMax = 120, 180
	dropFrames                       = 2 // that belong to a tone: a phase reversal spoils one
)

// FaxDetector hears the tones by which fax machines and modems tell that they are
// there. It belongs to one goroutine; WriteFrame does not allocate.
type FaxDetector struct {
	cng, ced faxRun
	pause    int // frames since the last calling tone; 0: there was none
}

// The spectra of both tones, with their tolerances: tables.
var (
	callingTone = newSpectrum([]float64{callingHz}, 0, true)
	answerTone  = newSpectrum([]float64{answerHz - 10, answerHz + 10}, 0, false)
)

// faxRun is a tone that is being heard.
type faxRun struct{ on, off int }

// NewFaxDetector makes a detector.
func NewFaxDetector() *FaxDetector {
	return &FaxDetector{}
}

// hear enters a frame and gives the length of the tone that has just ended, or 0.
func (r *faxRun) hear(there bool) (ended int) {
	if there {
		r.on += 1 + r.off
		r.off = 0
		return 0
	}
	if r.on == 0 {
		return 0
	}
	if r.off++; r.off > dropFrames {
		ended, *r = r.on, faxRun{}
	}
	return ended
}

// WriteFrame listens to 20 ms and reports whether it is sure since this frame that
// the other end is a fax machine or a modem: half a second after an answer tone has
// begun, or at the second calling tone.
func (d *FaxDetector) WriteFrame(f *media.Frame) bool {
	var energy float32
	for _, v := range f {
		energy += float32(v) * float32(v)
	}
	loud := energy >= faxFloor*media.FrameSamples
	answer := loud && answerTone.power(f) >= faxShare*energy
	calling := loud && !answer && callingTone.power(f) >= faxShare*energy
	d.ced.hear(answer)
	if d.pause > 0 {
		d.pause++
	}
	if n := d.cng.hear(calling); n > 0 {
		again := d.pause - n - dropFrames - 1
		d.pause = 0
		if n >= callingMin && n <= callingMax {
			if again >= callingPauseMin && again <= callingPauseMax {
				return true
			}
			d.pause = 1 + dropFrames
		}
	}
	return d.ced.on == answerFrames
}

// CallingTone and AnswerTone are the tones of a fax machine that calls, and of one
// that answers.
var (
	CallingTone = Tone{Steps: []Step{{Hz: []float64{callingHz}, Duration: 500 * time.Millisecond}, {Duration: 3 * time.Second}}}
	AnswerTone  = Tone{Steps: []Step{{Hz: []float64{answerHz}, Duration: 3 * time.Second}, {}}}
)
