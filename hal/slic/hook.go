package slic

import (
	"time"

	"callbox/hal"
)

// hook reads the switch hook. It is pure: edges and times go in, events come
// out through emit.
//
// Breaks of the loop (SHK low) of a phone that is off-hook mean, by length t:
//
//	dialling      |noise 15 ms|  pulse  90 ms|    flash    flashMax|  on-hook …
//	not dialling  |noise            flashMin |    flash    flashMax|  on-hook …
type hook struct {
	flashMin, flashMax time.Duration
	emit               func(hal.PhoneEvent)

	raw    hal.Level // as the pin is
	rawAt  time.Time // since when
	level  hal.Level // without bounce
	since  time.Time // since when, dated back to the edge
	blank  time.Time // SHK means nothing before this time
	off    bool      // the phone is off-hook
	dial   bool      // short breaks are dial pulses
	pulses int       // breaks of the digit being dialled
	noise  uint64    // breaks that meant nothing
}

// edge takes a change of SHK at a time not before the last one.
func (h *hook) edge(at time.Time, l hal.Level, ringing bool) {
	if at.Before(h.rawAt) {
		at = h.rawAt // a clock step, or an edge that was noticed by reading the pin before it was delivered
	}
	h.advance(at, ringing)
	if l != h.raw {
		h.raw, h.rawAt = l, at
	}
}

// blankUntil ignores SHK until t: the chip is settling.
func (h *hook) blankUntil(t time.Time) { h.blank = t }

// advance draws the conclusions that are due at now. While a burst is ringing
// the loop current of an answering phone comes in pulses, so that the first one
// that is no bounce counts.
func (h *hook) advance(now time.Time, ringing bool) {
	if now.Before(h.blank) {
		return
	}
	if h.rawAt.Before(h.blank) {
		h.rawAt = h.blank
	}
	if h.raw != h.level && now.Sub(h.rawAt) >= glitchTime {
		was := h.since
		h.level, h.since = h.raw, h.rawAt
		if h.off && h.level == hal.High {
			h.brk(h.since.Sub(was))
		}
	}
	held := now.Sub(h.since)
	switch {
	case !h.off && h.level == hal.High && (ringing || held >= offHookTime):
		h.off, h.dial, h.pulses = true, !ringing, 0
		h.emit(hal.PhoneEvent{Type: hal.OffHook, At: h.since})
	case h.off && h.level == hal.Low && held >= h.flashMax:
		h.off, h.pulses = false, 0
		h.emit(hal.PhoneEvent{Type: hal.OnHook, At: h.since})
	case h.off && h.level == hal.High && h.pulses > 0 && held >= pulseGap:
		h.digit()
	}
}

// brk judges a break of length d that has ended.
func (h *hook) brk(d time.Duration) {
	switch {
	case h.dial && d >= pulseMin && d <= pulseMax:
		h.pulses++
	case h.dial && d > pulseMax, d >= h.flashMin:
		h.pulses = 0
		h.emit(hal.PhoneEvent{Type: hal.Flash, At: h.since.Add(-d)})
	default:
		h.noise++
	}
}

// digit ends the digit being dialled: 1…9 pulses are the digits, 10 are 0.
func (h *hook) digit() {
	n := h.pulses
	h.pulses = 0
	if n > 10 {
		h.noise++
		return
	}
	h.emit(hal.PhoneEvent{Type: hal.PulseDigit, At: h.since, Digit: byte('0' + n%10)})
}

// next is when advance has to be called again, zero when only an edge can
// change anything.
func (h *hook) next(ringing bool) time.Time {
	var at time.Time
	switch {
	case h.raw != h.level:
		at = h.rawAt.Add(glitchTime)
	case !h.off && h.level == hal.High && ringing:
		at = h.since
	case !h.off && h.level == hal.High:
		at = h.since.Add(offHookTime)
	case h.off && h.level == hal.Low:
		at = h.since.Add(h.flashMax)
	case h.off && h.pulses > 0:
		at = h.since.Add(pulseGap)
	default:
		return at
	}
	if at.Before(h.blank) {
		return h.blank
	}
	return at
}
