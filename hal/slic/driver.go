package slic

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"callbox/hal"
)

var _ hal.Phone = (*Driver)(nil)

// Driver is one analogue phone port. All methods may be called from any
// goroutine.
type Driver struct {
	pins   Pins
	cfg    Config
	events chan hal.PhoneEvent
	asks   chan ask
	stop   chan struct{}
	done   chan struct{} // closed when the goroutine has ended
	once   sync.Once
	health atomic.Pointer[hal.Health]
	stats  atomic.Pointer[Stats]

	// Owned by run.
	hook    hook
	ring    ringer
	rang    bool      // the last that was told of RingOn and RingOff
	up      bool      // the chip runs; otherwise wake again at retry
	retry   time.Time // when to wake the chip again
	resync  time.Time // when to read SHK again
	pending []hal.PhoneEvent
	count   Stats
}

// Stats counts what happened since Open.
type Stats struct {
	Bursts      uint64 // ring bursts
	LateToggles uint64 // F/R edges more than 2 ms late
	Noise       uint64 // breaks of the loop that meant nothing
	LostEdges   uint64 // changes of SHK found by reading it
	Dropped     uint64 // events that nobody read in time
	Failures    uint64 // errors of a pin
}

// ask is a request to the driver's goroutine.
type ask struct {
	do  func(now time.Time) error
	err chan error
}

// Open wakes the chip and starts the driver. A pin that fails later does not end
// the driver: it puts the chip to rest, says so in Health and tries again every
// 5 s. The caller owns the driver and closes it.
func Open(p Pins, c Config) (*Driver, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	if p.SHK == nil || p.RM == nil || p.FR == nil || p.PD == nil {
		return nil, errors.New("a pin is missing: the chip needs SHK, RM, F/R and PD")
	}
	d := &Driver{
		pins: p, cfg: c,
		events: make(chan hal.PhoneEvent),
		asks:   make(chan ask),
		stop:   make(chan struct{}),
		done:   make(chan struct{}),
		hook:   hook{flashMin: c.FlashMin, flashMax: c.FlashMax},
		ring:   ringer{rm: p.RM, fr: p.FR, hz: c.Hz, supply: c.Supply},
	}
	d.hook.emit = d.moved
	d.health.Store(&hal.Health{Since: time.Now(), Text: "the line chip is waking up"})
	d.stats.Store(&Stats{})
	if err := d.wake(time.Now()); err != nil {
		return nil, errors.Join(fmt.Errorf("wake the line chip: %w", err), d.rest())
	}
	go d.run()
	return d, nil
}

// Close ends the driver: the ringing stops in order, the chip goes to rest and
// to sleep, Events is closed. It returns when that is done; further calls do
// nothing.
func (d *Driver) Close() error {
	d.once.Do(func() { close(d.stop) })
	<-d.done
	return nil
}

// Events implements [hal.Phone].
func (d *Driver) Events() <-chan hal.PhoneEvent { return d.events }

// Health implements [hal.Phone].
func (d *Driver) Health() hal.Health { return *d.health.Load() }

// Stats are the driver's counters.
func (d *Driver) Stats() Stats { return *d.stats.Load() }

// Ring implements [hal.Phone]. The chip rings at 20…25 Hz; a frequency outside
// is moved to the nearest end. A first burst may wait until the chip has rested
// from earlier ringing, or until another port has released the supply.
func (d *Driver) Ring(c hal.Cadence) error {
	return d.ask(func(now time.Time) error {
		switch {
		case d.hook.off:
			return hal.ErrOffHook
		default:
			if err := d.ring.check(c); err != nil {
				return err
			}
			c.Steps = append([]time.Duration(nil), c.Steps...)
			return d.fatal(now, d.ring.ring(now, c))
		}
	})
}

// StopRing implements [hal.Phone].
func (d *Driver) StopRing() error {
	return d.ask(func(now time.Time) error { return d.fatal(now, d.ring.end(now)) })
}

// SetPolarity implements [hal.Phone]. While the port rings, the change waits for
// the end of the ringing.
func (d *Driver) SetPolarity(reversed bool) error {
	return d.ask(func(now time.Time) error {
		if reversed == d.ring.reversed {
			return nil
		}
		d.hook.blankUntil(now.Add(settleTime))
		return d.fatal(now, d.ring.polarity(reversed))
	})
}

// Dialling implements [hal.Phone].
func (d *Driver) Dialling(on bool) error {
	return d.ask(func(time.Time) error {
		d.hook.dial, d.hook.pulses = on && d.hook.off, 0
		return nil
	})
}

// ask runs do on the driver's goroutine.
func (d *Driver) ask(do func(now time.Time) error) error {
	a := ask{do: do, err: make(chan error, 1)}
	select {
	case d.asks <- a:
		return <-a.err
	case <-d.done:
		return hal.ErrClosed
	}
}

// run is the driver's goroutine. It is not locked to a thread: a Go timer wakes
// an unlocked goroutine sooner, and absolute deadlines keep the ringing even.
func (d *Driver) run() {
	defer close(d.done)
	defer close(d.events)
	defer d.publish()
	defer func() { _ = d.rest() }()
	timer := time.NewTimer(0)
	defer timer.Stop()
	edges := d.pins.SHK.Edges()
	for {
		timer.Reset(time.Until(d.next(time.Now())))
		var out chan hal.PhoneEvent
		var first hal.PhoneEvent
		if len(d.pending) > 0 {
			out, first = d.events, d.pending[0]
		}
		select {
		case <-d.stop:
			d.orderly()
			return
		case a := <-d.asks:
			a.err <- d.answer(a)
		case e, ok := <-edges:
			if !ok {
				edges = nil // the line was closed under us; reading it fails and says so
				break
			}
			if d.up {
				d.hook.edge(e.At, e.Level, d.ring.loud())
			}
		case out <- first:
			d.pending = d.pending[:copy(d.pending, d.pending[1:])]
		case <-timer.C:
		}
		d.advance(time.Now())
		d.bell(time.Now())
		d.publish()
	}
}

// answer runs a request if the chip is up.
func (d *Driver) answer(a ask) error {
	if !d.up {
		return fmt.Errorf("%w: %s", hal.ErrFailed, d.Health().Text)
	}
	return a.do(time.Now())
}

// advance does what is due at now.
func (d *Driver) advance(now time.Time) {
	if !d.up {
		if !now.Before(d.retry) {
			_ = d.fatal(now, d.wake(now))
		}
		return
	}
	if !now.Before(d.resync) {
		d.resync = now.Add(resyncTime)
		d.drain()
		l, err := d.pins.SHK.Read()
		if d.fatal(now, err) != nil {
			return
		}
		if l != d.hook.raw && !now.Before(d.hook.blank) {
			d.count.LostEdges++
			d.hook.edge(now, l, d.ring.loud())
		}
	}
	d.hook.advance(now, d.ring.loud())
	_ = d.fatal(now, d.ring.advance(now))
}

// drain takes the edges that are waiting, so that a level read after it is not
// taken for a lost edge.
func (d *Driver) drain() {
	for {
		select {
		case e, ok := <-d.pins.SHK.Edges():
			if !ok {
				return
			}
			d.hook.edge(e.At, e.Level, d.ring.loud())
		default:
			return
		}
	}
}

// next is the time of the next thing to do.
func (d *Driver) next(now time.Time) time.Time {
	if !d.up {
		return d.retry
	}
	at := d.resync
	for _, t := range [...]time.Time{d.hook.next(d.ring.loud()), d.ring.next(now)} {
		if !t.IsZero() && t.Before(at) {
			at = t
		}
	}
	return at
}

// moved takes what the hook machine found.
func (d *Driver) moved(e hal.PhoneEvent) {
	if e.Type == hal.OffHook {
		e.Answer = d.ring.ringing()
		d.hook.dial = !e.Answer
		if d.fatal(time.Now(), d.ring.end(time.Now())) != nil {
			return // it has told that the phone is on-hook
		}
	}
	d.queue(e)
	switch e.Type {
	case hal.OffHook, hal.OnHook:
		d.tell(d.up, e.Type.String())
	case hal.Flash, hal.PulseDigit, hal.RingOn, hal.RingOff:
	}
}

// bell tells of the begin and the end of a ring.
func (d *Driver) bell(now time.Time) {
	rings := d.up && d.ring.loud() && !d.hook.off
	if rings == d.rang {
		return
	}
	d.rang = rings
	switch {
	case rings:
		d.queue(hal.PhoneEvent{Type: hal.RingOn, At: now})
	case !d.hook.off:
		d.queue(hal.PhoneEvent{Type: hal.RingOff, At: now})
	}
}

// queue keeps e for the reader; when too many wait, only the hook state stays.
func (d *Driver) queue(e hal.PhoneEvent) {
	if len(d.pending) >= maxEvents {
		d.count.Dropped += uint64(len(d.pending))
		d.pending = d.pending[:0]
		if e.Type != hal.OnHook && d.hook.off {
			e = hal.PhoneEvent{Type: hal.OffHook, At: e.At}
		}
	}
	d.pending = append(d.pending, e)
}

// wake releases PD and starts anew: what SHK says counts after wakeTime.
func (d *Driver) wake(now time.Time) error {
	if err := d.ring.safe(now); err != nil {
		return err
	}
	if err := d.pins.PD.Release(); err != nil {
		return err
	}
	now = time.Now() // it wakes from here on, however long the box took to come here
	d.ring.awake = now.Add(wakeTime + wakeMargin)
	l, err := d.pins.SHK.Read()
	if err != nil {
		return err
	}
	d.hook.raw, d.hook.rawAt = l, now
	d.hook.level, d.hook.since = hal.Low, now
	d.hook.off, d.hook.pulses = false, 0
	d.hook.blankUntil(now.Add(wakeTime))
	d.resync = now.Add(wakeTime)
	d.up = true
	d.tell(true, hal.OnHook.String())
	return nil
}

// fatal handles an error of a pin: the chip is put to rest, a phone in use is
// reported as hung up, and the next attempt is planned. It gives the error that
// callers see.
func (d *Driver) fatal(now time.Time, err error) error {
	if err == nil {
		return nil
	}
	d.count.Failures++
	d.up, d.retry = false, now.Add(retryTime)
	_ = d.ring.safe(now)
	d.tell(false, err.Error())
	if d.hook.off {
		d.hook.off = false
		d.queue(hal.PhoneEvent{Type: hal.OnHook, At: now})
	}
	return fmt.Errorf("%w: %w", hal.ErrFailed, err)
}

// orderly ends a burst that is under way as the chip wants it: F/R first, then
// RM.
func (d *Driver) orderly() {
	if !d.up || !d.ring.loud() || d.ring.end(time.Now()) != nil {
		return
	}
	<-time.After(tailTime)
}

// rest leaves the chip safe and asleep.
func (d *Driver) rest() error {
	return errors.Join(d.ring.safe(time.Now()), d.pins.PD.Pull())
}

// tell sets the health.
func (d *Driver) tell(ok bool, text string) {
	h := hal.Health{OK: ok, Since: time.Now(), Text: text}
	if old := d.health.Load(); old.OK == ok {
		h.Since = old.Since
	}
	d.health.Store(&h)
	d.cfg.Log.Debug("analogue port", "pin", d.pins.SHK.Name(), "ok", ok, "text", text)
}

// publish makes the counters visible.
func (d *Driver) publish() {
	d.count.Bursts, d.count.LateToggles, d.count.Noise = d.ring.bursts, d.ring.late, d.hook.noise
	if s := d.count; s != *d.stats.Load() {
		d.stats.Store(&s)
	}
}
