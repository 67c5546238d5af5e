package engine

import (
	"context"
	"fmt"

	"callbox/call"
	"callbox/media/session"
)

// route finds the attempts for a call to be placed and starts the first.
func (c *live) route() {
	r, err := c.e.cfg.Router.Route(c.target, c.r.From)
	if err != nil {
		c.fail(call.CauseOf(err))
		return
	}
	c.way, c.attempt = r, 0
	c.r.Route = r.Why
	c.place()
}

// fail ends a call that could not be placed.
func (c *live) fail(cause call.Cause) {
	c.endWith(call.EndedInput(cause), cause)
}

// place starts the next attempt. Line.Dial may take its time (a TCP connection,
// a modem), so it runs beside the call's goroutine, which stays able to cancel.
func (c *live) place() {
	a := c.way.Attempts[c.attempt]
	now := c.e.cfg.Now()
	c.r.Line = a.Line
	if c.r.Started == nil {
		c.r.Started = &now
	}
	c.apply(call.InDial) // only the first attempt moves the state
	line, ok := c.e.cfg.Lines.Line(a.Line)
	if !ok {
		c.attemptFailed(call.Cause{Q850: call.Q850NoRoute, SIP: 404, Who: call.Box,
			Text: fmt.Sprintf("the route names the line %q, which does not exist; check the routes", a.Line)})
		return
	}
	from := c.r.From
	if c.callerID != "" {
		from = c.callerID
	}
	d := call.Dial{To: a.To, From: from, FromName: c.callerName, Auth: c.target.Auth,
		Headers: c.target.Headers, Codecs: c.codecs, Reason: c.r.Reason}
	ctx, cancel := context.WithCancel(context.Background())
	p := &placing{cancel: cancel, done: make(chan placed, 1)}
	c.placing = p
	c.e.wg.Go(func() {
		leg, err := line.Dial(ctx, d)
		p.done <- placed{leg, err}
	})
}

// onPlaced takes the outcome of Line.Dial.
func (c *live) onPlaced(p placed) {
	c.placing.cancel()
	c.placing = nil
	if p.err != nil {
		c.attemptFailed(call.CauseOf(p.err))
		return
	}
	c.adopt(p.leg)
	if c.r.State.Final() { // ended while the attempt was being started
		c.hangup()
	}
}

// attemptFailed tries the next line when the cause allows it.
func (c *live) attemptFailed(cause call.Cause) {
	if c.r.State.Final() {
		return
	}
	if c.attempt+1 < len(c.way.Attempts) {
		if next, why := c.way.Next(c.attempt, cause); next {
			c.note(call.EventWarning, why)
			c.attempt++
			c.place()
			return
		}
	}
	c.fail(cause)
}

// adopt makes leg the call's leg.
func (c *live) adopt(leg call.Leg) {
	info := leg.Info()
	c.leg, c.legEvents = leg, leg.Events()
	c.sess = session.New(c.e.cfg.Scheduler, leg.Audio())
	c.r.SIPCallID, c.r.Remote = info.CallID, info.Remote
}

// onLeg takes an event of the leg; ok is false when its channel was closed.
func (c *live) onLeg(ev call.LegEvent, ok bool) {
	if !ok {
		// A leg ends with LegEnded; one that only closes is treated alike.
		c.legDown(call.Cause{Q850: call.Q850Unspecified, Who: call.Network, Text: "the line lost the call"})
		return
	}
	switch ev.Type {
	case call.LegRinging:
		c.apply(call.InRing)
	case call.LegEarly:
		c.apply(call.InRing)
		c.tellParent(childEarly)
	case call.LegAnswered:
		c.apply(call.InAnswer)
	case call.LegDigit:
		c.digit(ev.Digit)
	case call.LegHeld:
		c.note(call.EventWarning, "the far end put the call on hold")
	case call.LegResumed:
		c.note(call.EventWarning, "the far end took the call back from hold")
	case call.LegEnded:
		c.legDown(ev.Cause)
	}
}

// legDown forgets the leg: it has ended and its sound is gone.
func (c *live) legDown(cause call.Cause) {
	if c.leg == nil {
		return
	}
	c.mediaStats()
	answered := c.r.State == call.InProgress
	c.sess.Close() // its recordings end with it
	c.leg, c.legEvents, c.sess = nil, nil, nil
	if c.r.State.Final() {
		return
	}
	if !answered && c.r.Direction != call.Inbound {
		c.attemptFailed(cause)
		return
	}
	c.endWith(call.EndedInput(cause), cause)
}

// digit takes a key press of the far end: to the script, to the bridged peer,
// or as the star that ends a Dial.
func (c *live) digit(d byte) {
	c.note(call.EventDigit, string(d))
	if c.link != nil {
		c.link.press(d)
		return
	}
	c.keys.press(d)
}
