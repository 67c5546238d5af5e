package fxo

import (
	"sync/atomic"

	"callbox/hal"
	"callbox/media"
	"callbox/media/echo"
)

const (
	echoAhead  = 24  // samples by which the reference comes early: the delay is measured at the echo's peak
	echoSlack  = 12  // samples by which the device's offset may waver
	echoFrames = 5   // frames after which another offset is believed
	delaySlack = 32  // samples by which a measured delay may differ from the one in use
	maxLook    = 200 // ms: the longest delay that is looked for
	statsEvery = 50  // frames between two looks at the measured losses
)

// hybrid takes the echo of what the line is told out of what it says. The device knows
// how its directions lie to each other but for the delay inside the modem, which is
// measured from the echo itself and kept from call to call: it is the modem's. The
// sound goroutine that writes calls told, the one that reads calls clean; begin is for
// when neither runs.
type hybrid struct {
	pcm     hal.PCM
	aligned hal.Aligned // nil: no cancelling
	ref     echo.Reference
	last    atomic.Pointer[echo.Stats] // of the call
	delay   atomic.Int64               // of the modem, in samples; −1: not known yet

	// Owned by the reader.
	cancel *echo.Canceller
	finder *echo.DelayFinder
	offset int64
	known  bool
	odd    int // frames in a row with another offset
	far    media.Frame
	look   media.Frame
	ticks  int
}

// newHybrid makes it; without a canceller there is none.
func newHybrid(pcm hal.PCM, c *echo.Canceller) *hybrid {
	h := &hybrid{pcm: pcm, cancel: c}
	h.delay.Store(-1)
	if a, ok := pcm.(hal.Aligned); ok && c != nil {
		h.aligned = a
		h.finder, _ = echo.NewDelayFinder(maxLook * 1e6) // the limit is one that it takes
	}
	return h
}

// begin is called before each call.
func (h *hybrid) begin() {
	if h.aligned == nil {
		return
	}
	h.cancel.Reset()
	h.finder.Reset()
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
			h.finder.Reset()
		}
	}
	first := int64(h.pcm.Stats().Read) - media.FrameSamples - h.offset
	h.ref.At(&h.look, first)
	if d, sure := h.finder.Process(&h.look, f); sure {
		h.measured(int64(d))
	}
	bulk := h.delay.Load()
	h.ref.At(&h.far, first-max(bulk-echoAhead, 0))
	h.cancel.Process(&h.far, f)
	if h.ticks++; h.ticks%statsEvery == 0 {
		s := h.cancel.Stats()
		h.last.Store(&s)
	}
}

// measured takes the delay of the modem into use when it is another one.
func (h *hybrid) measured(d int64) {
	if was := h.delay.Load(); was >= 0 && d-was <= delaySlack && was-d <= delaySlack {
		return
	}
	h.delay.Store(d)
	h.cancel.Reset()
}
