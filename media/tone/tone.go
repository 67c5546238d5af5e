package tone

import (
	"math"
	"time"

	"callbox/media"
)

// DefaultLevel is the level of a tone in dBm0 (hardware sheet §4.1).
const DefaultLevel = -13.0

// modulationDepth is that of amplitude-modulated tones ("400*25"): open tone
// tables use 0.9.
const modulationDepth = 0.9

// Step is one part of a tone. The slices in it are read-only.
type Step struct {
	// Hz are the frequencies sounded together, each with the same share of the
	// level; none is a pause. At most 4.
	Hz []float64
	// AM is the frequency in Hz that modulates the amplitude; 0: none.
	AM float64
	// Gain is added to the level of the tone, in dB.
	Gain float64
	// Duration is the length, in whole milliseconds; 0 is without end.
	Duration time.Duration
}

// Tone is steps in a loop.
type Tone struct {
	Steps []Step
	// From is the step that follows the last one. It is greater than 0 where a
	// tone begins in another way than it goes on (stutter dial tone).
	From int
}

// IsZero reports whether there is no tone: it would be silent.
func (t Tone) IsZero() bool { return len(t.Steps) == 0 }

// Period is the length of one loop, 0 when a step is without end or there is none.
func (t Tone) Period() time.Duration {
	var sum time.Duration
	for _, s := range t.Steps[min(t.From, len(t.Steps)):] {
		if s.Duration <= 0 {
			return 0
		}
		sum += s.Duration
	}
	return sum
}

// Cadence is how a phone rings.
type Cadence struct {
	// Hz is the frequency of the ringing voltage.
	Hz float64
	// OnOff are the lengths of ring, pause, ring, pause …, in a loop. Their
	// number is even.
	OnOff []time.Duration
}

// Generator plays a [Tone] without end. It belongs to one goroutine.
type Generator struct {
	tone  Tone
	level float64

	step    int
	left    int  // samples left of the step
	endless bool // the step has no end
	osc     [maxTones]media.Oscillator
	n       int // oscillators in use
	am      media.Oscillator
}

const maxTones = 4

var _ media.Source = (*Generator)(nil)

// New makes a generator of t. level is that of the whole tone in dBm0, two
// frequencies together; a modulated tone has it on average.
func New(t Tone, level float64) *Generator {
	g := &Generator{tone: t, level: level}
	g.Rewind()
	return g
}

// Rewind starts the tone again from its beginning.
func (g *Generator) Rewind() { g.enter(0) }

// ReadFrame fills f with the next 20 ms. It reports false only when the tone
// has no steps.
func (g *Generator) ReadFrame(f *media.Frame) bool {
	if g.tone.IsZero() {
		return false
	}
	for done := 0; done < len(f); {
		if g.left == 0 && !g.endless {
			g.enter(g.next())
		}
		part := f[done:]
		if !g.endless && len(part) > g.left {
			part = part[:g.left]
		}
		g.sound(part)
		done += len(part)
		g.left -= len(part)
	}
	return true
}

// next is the step after the current one.
func (g *Generator) next() int {
	if i := g.step + 1; i < len(g.tone.Steps) {
		return i
	}
	return min(max(g.tone.From, 0), len(g.tone.Steps)-1)
}

// enter starts step i. A step shorter than a sample lasts one sample, so that
// no data can make a loop that never ends.
func (g *Generator) enter(i int) {
	if g.tone.IsZero() {
		return
	}
	s := &g.tone.Steps[i]
	g.step = i
	g.endless = s.Duration <= 0
	g.left = 0
	if !g.endless {
		g.left = max(media.SamplesIn(s.Duration), 1)
	}
	g.n = min(len(s.Hz), maxTones)
	if g.n == 0 {
		return
	}
	power := float64(g.n)
	if s.AM > 0 {
		power *= 1 + modulationDepth*modulationDepth/2
	}
	peak := media.Amplitude(g.level+s.Gain) / math.Sqrt(power)
	for k := range g.n {
		g.osc[k] = media.NewOscillator(s.Hz[k], peak)
	}
	g.am = media.NewOscillator(s.AM, modulationDepth)
}

// sound writes samples of the current step.
func (g *Generator) sound(out []int16) {
	if g.n == 0 {
		clear(out)
		return
	}
	for i := range out {
		var v float64
		for k := range g.n {
			v += g.osc[k].Next()
		}
		v *= 1 + g.am.Next()
		out[i] = media.Clamp(int32(math.Round(v)))
	}
}

// Clip is the first d of t at a level in dBm0, rounded up to whole frames.
func Clip(t Tone, level float64, d time.Duration) media.Clip {
	return media.Limit(New(t, level), d)
}

// beepHz is the frequency that national rules commonly give to the recording tone.
const beepHz = 1400

// Beep is the sound that asks the caller to speak: 1,400 Hz for 400 ms.
func Beep() media.Clip {
	return Clip(Tone{Steps: []Step{{Hz: []float64{beepHz}}}}, DefaultLevel, 400*time.Millisecond)
}
