package fxo

import (
	"sync/atomic"

	"callbox/hal"
	"callbox/media"
	"callbox/media/echo"
)

const (
	echoAhead  = 16 // samples by which the reference comes early, for the driver's error: 2 ms
	echoSlack  = 12 // samples by which the offset may waver
	echoFrames = 5  // frames after which another offset is believed
)

// hybrid takes the echo of what the line is told out of what it says. It works
// where the device knows how its directions lie to each other, else it does
// nothing. The sound goroutine that writes calls told, the one that reads calls
// clean; begin is for when neither runs.
type hybrid struct {
	pcm     hal.PCM
	aligned hal.Aligned // nil: no cancelling
	ref     echo.Reference
	last    atomic.Pointer[echo.Stats] // of the call

	// Owned by the reader.
	cancel *echo.Canceller
	offset int64
	known  bool
	odd    int // frames in a row with another offset
	far    media.Frame
	ticks  int
}

// newHybrid makes it; without a canceller there is none.
func newHybrid(pcm hal.PCM, c *echo.Canceller) *hybrid {
	h := &hybrid{pcm: pcm, cancel: c}
	if a, ok := pcm.(hal.Aligned); ok && c != nil {
		h.aligned = a
	}
	return h
}

// begin is called before each call of the phone.
func (h *hybrid) begin() {
	if h.aligned == nil {
		return
	}
	h.cancel.Reset()
	h.known, h.odd = false, 0
	h.ref.Begin(int64(h.pcm.Stats().Written))
}

// told takes what is given to the device next.
func (h *hybrid) told(f *media.Frame) {
	if h.aligned != nil {
		h.ref.Push(f[:])
	}
}

// clean works on the frame that was read last.
func (h *hybrid) clean(f *media.Frame) {
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
	case off <= echoSlack && off >= -echoSlack:
		h.odd = 0
	default: // the device has lost or made up sound
		if h.odd++; h.odd >= echoFrames {
			h.offset, h.odd = o, 0
		}
	}
	first := int64(h.pcm.Stats().Read) - media.FrameSamples
	h.ref.At(&h.far, first-h.offset+echoAhead)
	h.cancel.Process(&h.far, f)
	if h.ticks++; h.ticks%statsEvery == 0 {
		s := h.cancel.Stats()
		h.last.Store(&s)
	}
}

// statsEvery is how many frames pass between two looks at the measured losses.
const statsEvery = 50
