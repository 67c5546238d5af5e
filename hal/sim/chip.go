package sim

import (
	"fmt"
	"sync"
	"time"

	"callbox/hal"
)

// What an Ag1171 wants (data sheet v1.6), with a tolerance for late timers.
const (
	wakeTime     = 50 * time.Millisecond
	ringHalfMin  = 16 * time.Millisecond // half a period of 25 Hz is 20 ms
	ringHalfMax  = 30 * time.Millisecond // half a period of 20 Hz is 25 ms
	tripMin      = 10 * time.Millisecond // F/R high to RM low
	tripMax      = 500 * time.Millisecond
	dutyWindow   = time.Minute
	dutyMax      = 21500 * time.Millisecond // one third of the window and a burst's share
	maxRemarks   = 100
	spikeTime    = 4 * time.Millisecond // loop current of a ringer when the voltage turns
	maxEdges     = 256
	maxIntervals = 256
)

// interval is a time during which RM was high.
type interval struct{ from, to time.Time }

// chip is the line chip: pins on one side, loop current on the other.
type chip struct {
	name string
	ear  func(now time.Time, on bool) // hears each turn of the ringing voltage; called with mu held

	mu       sync.Mutex
	rm, fr   hal.Level
	awake    bool
	wakeAt   time.Time // when PD was released
	closed   bool
	contact  bool // the hook switch is closed: off-hook
	faults   Faults
	spike    time.Time // the ringer draws current until then
	shk      hal.Level
	edges    chan hal.Edge
	lost     uint64
	rmAt     time.Time // when RM changed
	frAt     time.Time // when F/R changed
	loopAt   time.Time // when the switch was closed during ringing
	high     []interval
	remarks  []string
	reversed bool
}

func newChip(name string) *chip {
	return &chip{name: name, fr: hal.High, edges: make(chan hal.Edge, maxEdges)}
}

// remark notes what a real chip would not have liked.
func (c *chip) remark(format string, a ...any) {
	if len(c.remarks) < maxRemarks {
		c.remarks = append(c.remarks, fmt.Sprintf(format, a...))
	}
}

// setContact moves the hook switch. at is when it was to move: the kernel stamps
// edges when they happen, and a simulator on a busy machine comes later than a
// hand would.
func (c *chip) setContact(closed bool, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.contact = closed
	c.loopAt = time.Now()
	c.updateAt(at)
}

// level is what SHK shows at now. While the chip rings, loop current flows in
// one half of each period.
func (c *chip) level(now time.Time) hal.Level {
	switch {
	case !c.awake:
		return hal.Low
	case now.Sub(c.wakeAt) < wakeTime-5*time.Millisecond:
		return hal.High // outputs are invalid
	case c.faults.StuckOffHook:
		return hal.High
	case c.faults.StuckOnHook, c.faults.Dead:
		return hal.Low
	case now.Before(c.spike):
		return hal.High
	}
	return hal.Level(c.contact && (!bool(c.rm) || c.fr == hal.High))
}

// update tells SHK's reader of a change.
func (c *chip) update() { c.updateAt(time.Now()) }

// updateAt tells of a change that happened at a time.
func (c *chip) updateAt(at time.Time) {
	l := c.level(time.Now())
	if l == c.shk || c.closed {
		return
	}
	c.shk = l
	if c.faults.LoseEdges {
		c.lost++
		return
	}
	select {
	case c.edges <- hal.Edge{Level: l, At: at}:
	default:
		c.lost++
	}
}

// later calls update after d.
func (c *chip) later(d time.Duration) {
	time.AfterFunc(d, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.update()
	})
}

func (c *chip) setRM(l hal.Level) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.pinError(); err != nil || l == c.rm {
		return err
	}
	now := time.Now()
	if l == hal.High {
		if !c.awake || now.Sub(c.wakeAt) < wakeTime {
			c.remark("RM high while the chip sleeps or wakes")
		}
		if c.fr == hal.Low {
			c.remark("RM high while the battery is reversed")
		}
		c.high = append(c.high[max(0, len(c.high)-maxIntervals):], interval{from: now})
	} else {
		switch d := now.Sub(c.frAt); {
		case c.fr == hal.Low:
			c.remark("RM low while F/R is low")
		case c.frAt.After(c.rmAt) && (d < tripMin || d > tripMax):
			c.remark("RM low %v after F/R, want 10 to 500 ms", d)
		}
		if d := now.Sub(c.loopAt); c.contact && d < now.Sub(c.rmAt) && d > tripMax {
			c.remark("rang %v into a phone that was off-hook", d)
		}
		c.high[len(c.high)-1].to = now
		c.checkDuty(now)
	}
	c.rm, c.rmAt = l, now
	c.tellEar(now)
	c.update()
	return nil
}

// checkDuty looks at the share of time that RM was high.
func (c *chip) checkDuty(now time.Time) {
	from := now.Add(-dutyWindow)
	var sum time.Duration
	for _, i := range c.high {
		if i.to.Before(from) {
			continue
		}
		if i.from.Before(from) {
			i.from = from
		}
		sum += i.to.Sub(i.from)
	}
	if sum > dutyMax {
		c.remark("RM was high for %v of the last minute", sum)
	}
}

func (c *chip) setFR(l hal.Level) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.pinError(); err != nil || l == c.fr {
		return err
	}
	now := time.Now()
	c.fr = l
	if c.rm == hal.High {
		if d := now.Sub(c.frAt); c.frAt.After(c.rmAt) && l == hal.Low && (d < ringHalfMin || d > ringHalfMax) {
			c.remark("F/R turned after %v, want 20 to 25 ms", d)
		}
		if !c.contact && c.faults.RingSpikes {
			c.spike = now.Add(spikeTime)
			c.later(spikeTime)
		}
		c.frAt = now
		c.tellEar(now)
	} else {
		c.frAt, c.reversed = now, l == hal.Low
	}
	c.update()
	return nil
}

// tellEar lets the phone's ringer hear the ringing voltage; it needs a loop and
// a phone that is on-hook.
func (c *chip) tellEar(now time.Time) {
	if c.ear != nil {
		c.ear(now, c.rm == hal.High && c.awake && !c.contact && !c.faults.Dead)
	}
}

func (c *chip) power(on bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.pinError(); err != nil || on == c.awake {
		return err
	}
	c.awake, c.wakeAt = on, time.Now()
	c.update()
	if on {
		c.later(wakeTime - 5*time.Millisecond)
	}
	return nil
}

// read gives SHK; it also notices a change whose edge is due.
func (c *chip) read() (hal.Level, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.pinError(); err != nil {
		return hal.Low, err
	}
	return c.level(time.Now()), nil
}

func (c *chip) pinError() error {
	if c.closed {
		return hal.ErrClosed
	}
	return c.faults.PinError
}

func (c *chip) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.closed = true
		close(c.edges)
	}
}

// The four lines.
type (
	shkPin struct{ c *chip }
	rmPin  struct{ c *chip }
	frPin  struct{ c *chip }
	pdPin  struct{ c *chip }
)

var (
	_ hal.Input  = shkPin{}
	_ hal.Output = rmPin{}
	_ hal.Output = frPin{}
	_ hal.Drain  = pdPin{}
)

func (p shkPin) Name() string             { return p.c.name + ".SHK" }
func (p shkPin) Read() (hal.Level, error) { return p.c.read() }
func (p shkPin) Edges() <-chan hal.Edge   { return p.c.edges }
func (p rmPin) Name() string              { return p.c.name + ".RM" }
func (p rmPin) Set(l hal.Level) error     { return p.c.setRM(l) }
func (p frPin) Name() string              { return p.c.name + ".FR" }
func (p frPin) Set(l hal.Level) error     { return p.c.setFR(l) }
func (p pdPin) Name() string              { return p.c.name + ".PD" }
func (p pdPin) Pull() error               { return p.c.power(false) }
func (p pdPin) Release() error            { return p.c.power(true) }
