package engine

import (
	"errors"
	"time"

	"callbox/call"
	"callbox/call/script"
)

// tollFree reports whether no guard refuses a call that was asked for, by at
// least one of the lines that it may leave by. What has no route is not refused
// here: its record will say why.
func (e *Engine) tollFree(c *live) error {
	if e.cfg.Tolls == nil {
		return nil
	}
	r, err := e.cfg.Router.Route(c.target, c.r.From)
	if err != nil {
		return nil //nolint:nilerr // see above
	}
	var first error
	for _, a := range r.Attempts {
		if !a.Toll {
			return nil
		}
		err := e.cfg.Tolls.Check(c.r.Account, "", a.Line, &r.Party, e.cfg.Now())
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	return first
}

// tolled asks the guards for an attempt, and reports false when they refuse it;
// then another line was tried, or the call has failed.
func (c *live) tolled(a Attempt) bool {
	if c.e.cfg.Tolls == nil || !a.Toll {
		return true
	}
	err := c.e.cfg.Tolls.Admit(c.id, c.r.Account, c.origin, a.Line, &c.way.Party, c.e.cfg.Now())
	if err == nil {
		return true
	}
	c.e.cfg.Logger.Warn("a call was refused by a toll guard", "call", c.id, "line", a.Line, "err", err)
	if c.attempt+1 < len(c.way.Attempts) {
		c.note(call.EventWarning, err.Error()+"; line "+c.way.Attempts[c.attempt+1].Line+" is tried next")
		c.attempt++
		c.place()
		return false
	}
	var toll *call.TollError
	if errors.As(err, &toll) {
		switch toll.Reason {
		case call.TollNumber:
			c.refused = script.RefusedDenied
		case call.TollCountry:
			c.refused = script.RefusedCountry
		}
	}
	c.fail(call.CauseOf(err))
	return false
}

// tollAnswered begins to count what the call uses.
func (c *live) tollAnswered() {
	if c.e.cfg.Tolls == nil || c.r.Direction == call.Inbound {
		return
	}
	c.tollWait(c.e.cfg.Tolls.Answered(c.id, c.e.cfg.Now()))
}

// tollAgain looks whether the call may go on.
func (c *live) tollAgain() { c.tollWait(c.e.cfg.Tolls.Left(c.id, c.e.cfg.Now())) }

func (c *live) tollWait(d time.Duration, err error) {
	switch {
	case err != nil:
		c.e.cfg.Logger.Warn("a call was ended by a toll guard", "call", c.id, "line", c.r.Line, "err", err)
		cause := call.CauseOf(err)
		cause.Q850, cause.SIP = call.Q850Normal, 0 // it was answered: it ends as any other does
		c.endWith(call.InTimeLimit, cause)
	case d > 0:
		c.timers.toll = time.NewTimer(d)
	}
}

// tollEnd ends the counting.
func (c *live) tollEnd() {
	stop(&c.timers.toll)
	if c.e.cfg.Tolls != nil {
		c.e.cfg.Tolls.Release(c.id, c.e.cfg.Now())
	}
}
