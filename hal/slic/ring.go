package slic

import (
	"fmt"
	"time"

	"callbox/hal"
)

// phase is what a ringer does.
type phase int

const (
	quiet phase = iota // not ringing; F/R shows the polarity
	pause              // between bursts, RM low
	burst              // RM high, F/R toggles
	tail               // RM high, F/R high for the last time: the end of a burst
)

// ringer makes RM and F/R. It is pure but for the two lines that it sets, and
// stops at the first error of either.
//
// The chip may ring one third of the time. heat models that: it rises by 2 s in
// each second of ringing and falls by 1 s in each second without; a burst must
// wait until it would not lift heat above 2 × maxBurst. So the limit holds over
// cadences, restarts and stalls alike.
type ringer struct {
	rm, fr interface{ Set(hal.Level) error }
	hz     int
	supply *Supply

	phase    phase
	reversed bool
	cad      hal.Cadence
	step     int           // index in cad.Steps of the running or coming burst
	start    time.Time     // of the burst, planned in pause, real in burst and tail
	awake    time.Time     // no burst before this: the chip wakes up
	half     time.Duration // between F/R edges
	level    hal.Level     // of F/R
	off      time.Time     // tail: when RM goes low
	ending   bool          // tail: no burst follows
	heat     time.Duration
	heatAt   time.Time
	bursts   uint64
	late     uint64
}

// check reports whether the chip can make c; the error wraps hal.ErrCadence.
func (r *ringer) check(c hal.Cadence) error {
	if err := c.Validate(); err != nil {
		return err
	}
	on, total := c.On()
	if 3*on > total {
		return fmt.Errorf("%w: rings %v of %v, the chip may ring one third of the time", hal.ErrCadence, on, total)
	}
	if on > maxBurst {
		return fmt.Errorf("%w: rings %v in one round, the chip allows %v", hal.ErrCadence, on, maxBurst)
	}
	return nil
}

// ring starts to ring with c, which check has passed.
func (r *ringer) ring(now time.Time, c hal.Cadence) error {
	hz := c.Hz
	if hz == 0 {
		hz = r.hz
	}
	r.half = time.Second / time.Duration(2*min(max(hz, minHz), maxHz))
	r.cad, r.step = c, 0
	switch r.phase {
	case burst, tail: // restarted: let the burst end, then wait for heat
		if err := r.end(now); err != nil {
			return err
		}
		r.ending, r.step = false, -2
		return nil
	default:
		r.phase, r.start = pause, now
		return r.advance(now)
	}
}

// end ends the ringing: F/R high at once, RM low in tailTime.
func (r *ringer) end(now time.Time) error {
	switch r.phase {
	case burst:
		return r.finish(now, now.Add(tailTime), true)
	case tail:
		r.ending = true
	case pause:
		r.phase = quiet
		return r.setFR(r.idle())
	case quiet:
	}
	return nil
}

// finish ends a burst whose RM goes low at off.
func (r *ringer) finish(now, off time.Time, ending bool) error {
	r.phase, r.off, r.ending = tail, off, ending
	if earliest := now.Add(tailTime / 2); r.off.Before(earliest) {
		r.off = earliest // after a stall the chip still wants 10 ms
	}
	return r.setFR(hal.High)
}

// advance does what is due at now.
func (r *ringer) advance(now time.Time) error {
	switch r.phase {
	case pause:
		return r.begin(now)
	case burst:
		end := r.start.Add(r.cad.Steps[r.step])
		if !now.Before(end.Add(-tailTime)) {
			return r.finish(now, end, false)
		}
		return r.toggle(now)
	case tail:
		if now.Before(r.off) {
			return nil
		}
		return r.rest(now)
	case quiet:
	}
	return nil
}

// begin starts the planned burst if it is time, the chip is cool enough and the
// supply is free; otherwise it plans it later.
func (r *ringer) begin(now time.Time) error {
	if r.start.Before(r.awake) {
		r.start = r.awake
	}
	if now.Before(r.start) {
		return nil
	}
	on := r.cad.Steps[r.step]
	if wait := r.heatNow(now) + 2*on - 2*maxBurst; wait > 0 {
		r.start = now.Add(wait)
		return nil
	}
	if ok, at := r.supply.reserve(now, on); !ok {
		r.start = at
		return nil
	}
	if err := r.setFR(hal.High); err != nil {
		return err
	}
	r.heat, r.heatAt = r.heatNow(now), now
	r.phase, r.start = burst, now
	r.bursts++
	return r.rm.Set(hal.High)
}

// toggle gives F/R the level that the time since the start of the burst asks
// for, so that a late call never shifts the edges after it.
func (r *ringer) toggle(now time.Time) error {
	n := now.Sub(r.start) / r.half
	want := hal.Level(n%2 == 0)
	if want == r.level {
		return nil
	}
	if now.Sub(r.start)-n*r.half > lateToggle {
		r.late++
	}
	return r.setFR(want)
}

// rest ends the tail: RM low, and on to the pause.
func (r *ringer) rest(now time.Time) error {
	if err := r.rm.Set(hal.Low); err != nil {
		return err
	}
	r.heat, r.heatAt = r.heatNow(now)+2*now.Sub(r.heatAt), now
	r.supply.release(now)
	if r.ending {
		r.phase = quiet
		return r.setFR(r.idle())
	}
	r.phase = pause
	if r.step < 0 { // ring called during a burst: start at the first step
		r.step, r.start = 0, now
		return nil
	}
	r.start = r.start.Add(r.cad.Steps[r.step] + r.cad.Steps[r.step+1])
	r.step = (r.step + 2) % len(r.cad.Steps)
	return nil
}

// next is when advance has to be called again, zero for never.
func (r *ringer) next(now time.Time) time.Time {
	switch r.phase {
	case pause:
		return r.start
	case burst:
		edge := r.start.Add((now.Sub(r.start)/r.half + 1) * r.half)
		if end := r.start.Add(r.cad.Steps[r.step] - tailTime); end.Before(edge) {
			return end
		}
		return edge
	case tail:
		return r.off
	case quiet:
	}
	return time.Time{}
}

// heatNow is heat at now; RM has been low since heatAt, or is high.
func (r *ringer) heatNow(now time.Time) time.Duration {
	if r.phase == burst || r.phase == tail {
		return r.heat
	}
	return max(r.heat-now.Sub(r.heatAt), 0)
}

// polarity sets the direction of the battery. While ringing it waits for the end.
func (r *ringer) polarity(reversed bool) error {
	r.reversed = reversed
	if r.phase != quiet {
		return nil
	}
	return r.setFR(r.idle())
}

// idle is the level of F/R while the port does not ring.
func (r *ringer) idle() hal.Level { return hal.Level(!r.reversed) }

// loud reports whether RM is high: SHK then shows pulses.
func (r *ringer) loud() bool { return r.phase == burst || r.phase == tail }

// ringing reports whether the port rings or pauses between bursts.
func (r *ringer) ringing() bool { return r.phase != quiet && !(r.phase == tail && r.ending) }

// safe brings the chip to rest whatever was going on: F/R high, RM low. It tries
// both and gives the first error. This is for failures and for the end; it does
// not wait between the two.
func (r *ringer) safe(now time.Time) error {
	if r.loud() {
		r.heat, r.heatAt = r.heat+2*now.Sub(r.heatAt), now
		r.supply.release(now)
	}
	r.phase, r.reversed = quiet, false
	err := r.setFR(hal.High)
	if e := r.rm.Set(hal.Low); err == nil {
		err = e
	}
	return err
}

func (r *ringer) setFR(l hal.Level) error {
	r.level = l
	return r.fr.Set(l)
}
