package portleg

import (
	"sync/atomic"
	"time"

	"callbox/hal"
	"callbox/media"
	"callbox/media/echo"
)

const (
	offsetSlack  = 12 // samples by which the device's offset may waver
	offsetFrames = 5  // frames after which another offset is believed
	delaySlack   = 32 // samples by which a measured delay may differ from the one in use
	statsEvery   = 50 // frames between two looks at the measured losses
)

// Hybrid takes the echo of what an analogue port is told out of what it says. It works
// where the device knows how its directions lie to each other, else it does nothing.
// The goroutine that feeds the device calls Told, the one that reads it Clean; Begin is
// for when neither runs, Loss for everybody.
type Hybrid struct {
	pcm     hal.PCM
	aligned hal.Aligned // nil: no cancelling
	ahead   int64
	ref     echo.Reference
	last    atomic.Pointer[echo.Stats]

	// Owned by the reader.
	cancel *echo.Canceller
	finder *echo.DelayFinder // nil: the device's offset is all of the delay
	delay  int64             // beyond the device's, in samples; kept from call to call
	offset int64
	known  bool
	odd    int // frames in a row with another offset
	far    media.Frame
	look   media.Frame
	ticks  int
}

// HybridConfig says what a port's echo is like.
type HybridConfig struct {
	Tail  time.Duration // how long it may last, see [echo.Config]; negative: it is left in
	Ahead int           // samples by which the reference comes early, for the error of the delay
	// Search is the longest delay behind the device that is looked for in the echo
	// itself, 20 ms to [echo.MaxDelay], as it is when the port's sound goes through a
	// modem; 0: the device knows all of the delay.
	Search time.Duration
}

// NewHybrid makes it. The error is that of a value out of range.
func NewHybrid(pcm hal.PCM, c HybridConfig) (*Hybrid, error) {
	h := &Hybrid{pcm: pcm, ahead: int64(c.Ahead)}
	a, ok := pcm.(hal.Aligned)
	if !ok || c.Tail < 0 {
		return h, nil
	}
	var err error
	if h.cancel, err = echo.New(echo.Config{Tail: c.Tail}); err != nil {
		return nil, err
	}
	if c.Search > 0 {
		if h.finder, err = echo.NewDelayFinder(c.Search); err != nil {
			return nil, err
		}
		h.delay = h.ahead // until it is known
	}
	h.aligned = a
	return h, nil
}

// Begin is called before each call.
func (h *Hybrid) Begin() {
	if h.aligned == nil {
		return
	}
	h.cancel.Reset()
	if h.finder != nil {
		h.finder.Reset()
	}
	h.known, h.odd = false, 0
	h.ref.Begin(int64(h.pcm.Stats().Written))
}

// Told takes what is given to the device next.
func (h *Hybrid) Told(f *media.Frame) {
	if h.aligned != nil {
		h.ref.Push(f[:])
	}
}

// Clean works on the frame that was read last.
func (h *Hybrid) Clean(f *media.Frame) {
	if h.aligned == nil {
		return
	}
	o, ok := h.aligned.Offset()
	if !ok {
		return
	}
	switch off := o - h.offset; {
	case !h.known:
		h.offset, h.known = o, true
	case off <= offsetSlack && off >= -offsetSlack:
		h.odd = 0
	default: // the device has lost or made up sound
		if h.odd++; h.odd >= offsetFrames {
			h.offset, h.odd = o, 0
			if h.finder != nil {
				h.finder.Reset()
			}
		}
	}
	first := int64(h.pcm.Stats().Read) - media.FrameSamples - h.offset
	if h.finder != nil {
		h.ref.At(&h.look, first)
		if d, sure := h.finder.Process(&h.look, f); sure {
			h.measured(max(int64(d), h.ahead))
		}
	}
	h.ref.At(&h.far, first-h.delay+h.ahead)
	h.cancel.Process(&h.far, f)
	if h.ticks++; h.ticks%statsEvery == 0 {
		s := h.cancel.Stats()
		h.last.Store(&s)
	}
}

// measured takes a delay into use when it is another one.
func (h *Hybrid) measured(d int64) {
	if off := d - h.delay; off <= delaySlack && off >= -delaySlack {
		return
	}
	h.delay = d
	h.cancel.Reset()
}

// Loss is by how many dB the echo is weaker than what the port was told, and how much
// the box takes off that; ok is false while neither is known. What was measured in
// earlier calls counts too: the line is the same.
func (h *Hybrid) Loss() (returnLoss, enhancement float64, ok bool) {
	s := h.last.Load()
	if s == nil || !s.Known {
		return 0, 0, false
	}
	return s.ReturnLoss, s.Enhancement, true
}
