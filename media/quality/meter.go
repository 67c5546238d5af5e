package quality

import (
	"math"

	"callbox/media"
)

const (
	windowFrames = 50    // of Level.Now: 1 s
	speechFloor  = 1e4   // mean square of a frame that counts as speech: −50 dBov
	clipValue    = 32124 // the largest value of µ-law; of A-law it is 32,256
	clipRun      = 2     // samples in a row: one alone may be a peak
)

// Level is what is known of the loudness of one direction.
type Level struct {
	Known   bool    // any frame was seen
	Now     float64 // of the last second or so, dBov
	Speech  float64 // of all frames in which somebody spoke, dBov; media.SilenceLevel: none
	Clipped uint64  // samples cut off at full scale
}

// Meter measures one direction. Its owner sees to it that one goroutine at a
// time uses it. The zero Meter is ready.
type Meter struct {
	frames  uint64
	recent  float64 // mean square, smoothed
	speech  float64 // sum of the mean squares of frames with speech
	spoken  uint64  // their number
	clipped uint64
	run     int // clipped samples in a row at the end of the last frame
}

// WriteFrame looks at a frame.
func (m *Meter) WriteFrame(f *media.Frame) {
	var sum int64
	run := m.run
	for _, v := range f {
		sum += int64(v) * int64(v)
		if v >= clipValue || v <= -clipValue {
			if run++; run == clipRun {
				m.clipped += clipRun
			} else if run > clipRun {
				m.clipped++
			}
		} else {
			run = 0
		}
	}
	m.run = run
	p := float64(sum) / media.FrameSamples
	if m.frames++; m.frames == 1 {
		m.recent = p
	}
	m.recent += (p - m.recent) / windowFrames
	if p > speechFloor {
		m.speech += p
		m.spoken++
	}
}

// Level gives what was measured so far.
func (m *Meter) Level() Level {
	l := Level{Known: m.frames > 0, Now: dBov(m.recent), Speech: media.SilenceLevel, Clipped: m.clipped}
	if m.spoken > 0 {
		l.Speech = dBov(m.speech / float64(m.spoken))
	}
	return l
}

func dBov(meanSquare float64) float64 {
	if meanSquare < 1e-3 {
		return media.SilenceLevel
	}
	return max(10*math.Log10(meanSquare/(32767*32767)), media.SilenceLevel)
}
