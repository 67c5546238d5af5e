package engine

import (
	"context"
	"fmt"
	"time"

	"callbox/call"
	"callbox/call/script"
	"callbox/media/session"
)

// legPatience is how long a leg that was hung up may take to end, twice what
// call.Leg promises.
const legPatience = 10 * time.Second

// placing is an attempt on its way through Line.Dial.
type placing struct {
	cancel  context.CancelFunc
	done    chan placed
	dropped chan struct{} // closed when the call no longer waits for done
	why     call.Cause    // set before dropped is closed: ends a leg that comes too late
}

type placed struct {
	leg call.Leg
	err error
}

// drop gives the attempt up. A line that does not heed its context is not
// waited for; the leg that it may still come up with is hung up.
func (p *placing) drop(why call.Cause) {
	p.why = why
	close(p.dropped)
	p.cancel()
}

// route finds the attempts for a call to be placed and starts the first.
func (c *live) route() {
	r, err := c.e.cfg.Router.Route(c.target, c.r.From)
	if err == nil && len(r.Attempts) == 0 {
		err = call.Cause{Q850: call.Q850NoRoute, SIP: 404, Who: call.Box, Text: "the route to " + c.target.To + " leads nowhere; check the routes"}
	}
	if err != nil {
		cause := call.CauseOf(err)
		if cause.Q850 == call.Q850NoRoute {
			c.alert(call.AlertRoute, cause.Error())
		}
		if cause.Q850 == call.Q850InvalidNumber {
			c.refused = script.RefusedNumber
		}
		c.fail(cause)
		return
	}
	c.way, c.attempt = r, 0
	c.r.Route = c.because + r.Why
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
	if c.attempt > 0 {
		c.tellParent(childTrying)
	}
	line, ok := c.e.cfg.Lines.Line(a.Line)
	if !ok {
		c.attemptFailed(call.Cause{Q850: call.Q850NoRoute, SIP: 404, Who: call.Box,
			Text: fmt.Sprintf("the route names the line %q, which does not exist; check the routes", a.Line)})
		return
	}
	if !c.tolled(a) {
		return
	}
	if a.Ring > 0 && c.attempt+1 < len(c.way.Attempts) {
		c.timers.attempt = time.NewTimer(a.Ring)
	}
	from := c.r.From
	if c.callerID != "" {
		from = c.callerID
	}
	d := call.Dial{To: a.To, From: from, FromName: c.callerName, Auth: c.target.Auth,
		Headers: c.target.Headers, SIP: c.target.SIP, Codecs: c.codecs, Pass: c.pass, Reason: c.r.Reason, Forwarded: c.forwarded, Asserted: c.asserted, Private: c.private && c.asserted != ""}
	ctx, cancel := context.WithCancel(context.Background())
	p := &placing{cancel: cancel, done: make(chan placed), dropped: make(chan struct{})}
	c.placing = p
	e := c.e
	e.tasks.Go(func() {
		defer cancel()
		leg, err := line.Dial(ctx, d)
		select {
		case p.done <- placed{leg, err}:
		case <-p.dropped:
			if err == nil {
				e.dispose(leg, p.why)
			}
		}
	})
}

// dispose ends a leg that is not, or no longer, a call's. The leg closes its
// events when it has ended; nobody else reads them.
func (e *Engine) dispose(leg call.Leg, cause call.Cause) {
	leg.Hangup(cause)
	e.tasks.Go(func() {
		for range leg.Events() { //nolint:revive // drained on purpose
		}
	})
}

// onPlaced takes the outcome of Line.Dial.
func (c *live) onPlaced(p placed) {
	c.placing = nil
	if p.err != nil {
		c.attemptFailed(call.CauseOf(p.err))
		return
	}
	c.adopt(p.leg)
}

// attemptFailed tries the next line when the cause allows it.
func (c *live) attemptFailed(cause call.Cause) {
	stop(&c.timers.attempt)
	if c.r.State.Final() {
		return
	}
	if len(c.onward.places) == 0 && c.attempt+1 < len(c.way.Attempts) && c.way.Next != nil {
		if next, why := c.way.Next(c.attempt, cause); next {
			c.note(call.EventWarning, why)
			c.attempt++
			c.place()
			return
		}
	}
	cause, gone := c.goOn(cause)
	if !gone {
		c.fail(cause)
	}
}

// nextAttempt gives up an attempt that was rung long enough, for the next one.
func (c *live) nextAttempt() {
	if c.r.State.Final() || c.r.State == call.InProgress {
		return
	}
	cause := call.Cause{Q850: call.Q850NoAnswer, SIP: 480, Who: call.Box,
		Text: fmt.Sprintf("nobody answered at %s within %v", c.r.Line, c.way.Attempts[c.attempt].Ring)}
	if c.placing != nil {
		c.placing.drop(cause)
		c.placing = nil
	}
	if c.leg == nil {
		c.attemptFailed(cause)
		return
	}
	c.passed = &cause
	if c.timers.leg == nil {
		c.timers.leg = time.NewTimer(legPatience)
	}
	c.leg.Hangup(cause)
}

// adopt makes leg the call's leg.
func (c *live) adopt(leg call.Leg) {
	info := leg.Info()
	c.leg, c.legEvents, c.early = leg, leg.Events(), false
	c.sess = session.New(c.e.cfg.Scheduler, leg.Audio())
	c.sounding.Store(&sounding{leg, c.sess})
	c.e.owns(leg, c)
	c.r.SIPCallID, c.r.Remote = info.CallID, info.Remote
	c.publish()
}

// hangup ends the leg, or gives up the attempt that would make one.
func (c *live) hangup() {
	cause := c.why()
	if c.placing != nil {
		c.placing.drop(cause)
		c.placing = nil
	}
	if c.leg == nil {
		return
	}
	if c.timers.leg == nil {
		c.timers.leg = time.NewTimer(legPatience)
	}
	if c.promised != nil { // the application has done what was wanted
		c.promised.Progress(200, "")
		c.promised = nil
	}
	c.leg.Hangup(cause)
}

// why is the cause that the leg is told.
func (c *live) why() call.Cause {
	if c.cause != nil {
		return *c.cause
	}
	return call.NormalClearing(call.Box)
}

// abandonLeg lets go of a leg that did not end when it was hung up.
func (c *live) abandonLeg() {
	c.e.cfg.Logger.Error("a leg does not end; it is left to its line", "call", c.id, "line", c.r.Line)
	c.e.dispose(c.leg, c.why())
	c.legDown(c.why())
}

// onLeg takes an event of the leg; ok is false when its channel was closed.
func (c *live) onLeg(ev *call.LegEvent, ok bool) {
	if !ok {
		// A leg ends with LegEnded; one that only closes is treated alike.
		c.legDown(call.Cause{Q850: call.Q850Unspecified, Who: call.Network, Text: "the line lost the call"})
		return
	}
	if c.passed != nil && ev.Type != call.LegEnded && ev.Type != call.LegTransfer {
		return // it crosses our hang-up
	}
	if ev.Type == call.LegTransfer && c.r.State != call.InProgress {
		_ = ev.Transfer.Reply.Refuse(603) // it may have given up
		return
	}
	if ev.Type == call.LegEnded {
		if len(ev.Onward) > 0 {
			c.sentOn(ev.Onward, ev.Cause)
		}
		c.legDown(ev.Cause)
		return
	}
	if c.r.State.Final() {
		return // what crosses our hang-up no longer counts
	}
	switch ev.Type {
	case call.LegRinging, call.LegEarly:
		c.onRings(ev.Type == call.LegEarly)
	case call.LegAnswered:
		c.apply(call.InAnswer)
	case call.LegDigit:
		c.digit(ev.Digit, ev.Apart)
	case call.LegTransfer:
		c.onTransfer(ev.Transfer)
	case call.LegMessage:
		c.onMessage(ev.Message)
	case call.LegParty:
		c.isNow(*ev.Party)
	case call.LegHeld:
		c.mention(call.EventWarning, "the far end put the call on hold")
		if c.link != nil {
			c.link.hold(true)
		}
	case call.LegResumed:
		c.mention(call.EventWarning, "the far end took the call back from hold")
		if c.link != nil {
			c.link.hold(false)
		}
	}
}

// onRings follows a sign of life before the answer.
func (c *live) onRings(sound bool) {
	if c.r.State == call.InProgress {
		return
	}
	rang, fresh := c.r.State == call.Ringing, sound && !c.r.Early
	c.early, c.r.Early = c.early || sound, c.r.Early || sound
	c.apply(call.InRing) // counts once, whichever line it comes from
	if rang && fresh {
		c.tellEarly()
	}
	c.recordRinging()
	if c.early {
		c.tellParent(childEarly)
	} else {
		c.tellParent(childRinging)
	}
}

// legDown forgets the leg: it has ended and its sound is gone.
func (c *live) legDown(cause call.Cause) {
	if c.leg == nil {
		return
	}
	c.mediaStats()
	c.endStreams()
	c.deafen() // no verdict after the far end has gone
	answered := c.r.State == call.InProgress
	// The recordings end with the session. Closing it waits for the clip, which
	// may be a child process or a download: not this goroutine's time.
	c.e.tasks.Go(c.sess.Close)
	stop(&c.timers.leg)
	c.e.owns(c.leg, nil)
	c.leg, c.legEvents, c.sess = nil, nil, nil
	c.e.soundEnds(c)
	if c.passed != nil {
		cause, c.passed = *c.passed, nil
	}
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
// or as the star that ends a Dial. apart: see call.LegEvent.
func (c *live) digit(d byte, apart bool) {
	c.note(call.EventDigit, string(d))
	for _, s := range c.streams.running {
		s.press(d)
	}
	if c.link != nil {
		c.link.press(d, apart)
		return
	}
	c.keys.press(d)
}
