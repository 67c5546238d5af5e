package gsm

import (
	"context"
	"errors"
	"slices"
	"time"

	"callbox/hal"
)

// Powers takes the power of a place on the bus away and gives it again, found by type
// assertion on a [Bus].
type Powers interface {
	// CyclePower returns when the place has power again. A device of another maker that
	// is there now is left alone, which is an error.
	CyclePower(ctx context.Context, place string, vendor uint16) error
}

// Key is a modem's power key and its reset line, each behind a transistor: high is
// pressed. Either may be nil.
type Key struct{ Power, Reset hal.Output }

// Times of the lines: what is enough for every make of the table (Quectel: 0.5 s on,
// 0.65 s off, reset 0.15 to 0.46 s; SIMCom: 2 s on, 3 s off).
const (
	resetPress = 300 * time.Millisecond
	offPress   = 3200 * time.Millisecond
	offTime    = 15 * time.Second // that it takes to log off its network
	onPress    = 2200 * time.Millisecond
)

// Times of the last steps of the ladder, for a modem that does not answer or does not
// come back.
const (
	deadTime     = 90 * time.Second // without it before the first
	deadAgain    = 90 * time.Second // for a step to help; doubled after each round up to half an hour
	deadRestarts = 1                // restarts by command that found no network, before its power is taken
	deadLongest  = 30 * time.Minute
	budgetTime   = 24 * time.Hour
	budget       = 6 // of such steps in budgetTime
)

// restart has the modem start anew; running says whether it is on the bus.
func (k Key) restart(ctx context.Context, running bool) error {
	if k.Reset != nil && running {
		return press(ctx, k.Reset, resetPress)
	}
	if k.Power == nil {
		return press(ctx, k.Reset, resetPress)
	}
	if running { // the key is a toggle: who has switched it off switches it on, also when the box stops
		ctx = context.WithoutCancel(ctx)
		if err := press(ctx, k.Power, offPress); err != nil {
			return err
		}
		rest(ctx, offTime)
	}
	return press(ctx, k.Power, onPress)
}

// press holds a key for a time, and never longer because ctx ends.
func press(ctx context.Context, key hal.Output, d time.Duration) error {
	err := key.Set(hal.High)
	rest(ctx, d)
	return errors.Join(err, key.Set(hal.Low))
}

// rest waits; false when ctx has ended.
func rest(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// supply is what a port knows of its modem's power. It is the port's goroutine's.
type supply struct {
	place  string // where the modem was last
	vendor uint16
	next   time.Time   // of the next step; zero: none is due
	steps  int         // since the modem was last well
	spent  []time.Time // of steps, within budgetTime
	busy   bool        // a step is under way
	alarm  bool        // the budget is used up, and that was told
}

// power is a step of the ladder that takes a modem's power.
type power struct {
	name  string
	count func(c *hal.ModemCounters)
	do    func(ctx context.Context) error
}

// powers are the steps that there are for this port, gentlest first.
func (p *Port) powers() []power {
	var out []power
	if k := p.key; k.Power != nil || k.Reset != nil {
		running := p.hub.present(p.supply.place)
		out = append(out, power{"its power key is pressed", func(c *hal.ModemCounters) { c.PowerKeys++ },
			func(ctx context.Context) error { return k.restart(ctx, running) }})
	}
	if bus, ok := p.hub.bus.(Powers); ok && p.supply.place != "" {
		place, vendor := p.supply.place, p.supply.vendor
		out = append(out, power{"the power of its USB port is switched off and on", func(c *hal.ModemCounters) { c.PortCycles++ },
			func(ctx context.Context) error { return bus.CyclePower(ctx, place, vendor) }})
	}
	return out
}

// missing begins to wait for a modem that was lost.
func (p *Port) missing(place string, vendor uint16) {
	p.supply.place, p.supply.vendor = place, vendor
	if p.supply.next.IsZero() {
		p.supply.next = time.Now().Add(deadTime)
	}
}

// awaken takes the next of the last steps when one is due: the power key, then the
// power of the USB port, within a budget; then it says that somebody has to come. It
// reports whether a step was taken.
func (p *Port) awaken(why string) bool {
	u := &p.supply
	now := time.Now()
	if u.busy || u.next.IsZero() || now.Before(u.next) {
		return false
	}
	all := p.powers()
	u.spent = slices.DeleteFunc(u.spent, func(t time.Time) bool { return now.Sub(t) >= budgetTime })
	switch {
	case len(all) == 0:
		return false
	case len(u.spent) >= budget:
		if !u.alarm {
			u.alarm = true
			p.note("%d times in a day its power was taken, which has not helped", budget)
			p.condition(false, why+"; its power was switched off and on without success: look at its supply, its cable and its SIM")
		}
		return false
	case p.hub.calls(p): // a hub may switch all its ports together
		return false
	}
	step := all[u.steps%len(all)]
	u.steps++
	u.busy, u.spent = true, append(u.spent, now)
	u.next = now.Add(min(deadAgain<<min(u.steps/len(all), 6), deadLongest))
	p.count(step.count)
	p.note("%s: %s", why, step.name)
	p.wg.Go(func() {
		err := step.do(p.ctx)
		select {
		case p.powered <- err:
		case <-p.ctx.Done():
		}
	})
	return true
}

// stepped takes what became of a step.
func (p *Port) stepped(err error) {
	p.supply.busy = false
	if err != nil {
		p.note("that did not work: %v", err)
	}
	p.hub.look()
}

// woken forgets what was tried: the modem works. What was spent counts on.
func (p *Port) woken() { p.supply = supply{spent: p.supply.spent, busy: p.supply.busy} }

// present reports whether a modem is on the bus at a place.
func (h *Hub) present(place string) bool {
	list, err := h.bus.TTYs()
	return err == nil && slices.ContainsFunc(list, func(t hal.TTY) bool { return t.Place == place })
}

// calls reports whether another port has a call, or has a modem where p had its.
func (h *Hub) calls(p *Port) bool {
	h.mu.Lock()
	others := slices.Clone(h.ports)
	h.mu.Unlock()
	for _, o := range others {
		if o == p {
			continue
		}
		if s := o.State(); s.Busy || s.Place != "" && s.Place == p.supply.place {
			return true
		}
	}
	return false
}
