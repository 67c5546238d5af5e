package fxo

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"callbox/call"
	"callbox/hal"
	"callbox/media/tone"
)

// state is what the line is doing.
type state int32

const (
	idle      state = iota // on-hook
	arriving               // it rings; who calls is not known yet
	ringing                // a leg from the line, unanswered
	refused                // it rings on for a call that was refused
	declining              // it was taken for such a call, whose caller hears busy tone
	seizing                // going off-hook, for a call either way
	calling                // dialled, unanswered
	talking                // an answered leg
	releasing              // going on-hook
	guard                  // on-hook, the exchange must see it
)

// sentence says the state for people.
func (s state) sentence() string {
	switch s {
	case idle:
		return "on-hook"
	case arriving, ringing:
		return "a call arrives"
	case refused:
		return "it rings on for a call that the box has refused, until the caller gives up"
	case declining:
		return "a caller who was refused hears busy tone"
	case seizing:
		return "dialling or answering"
	case calling:
		return "calling"
	case talking:
		return "in a call"
	case releasing, guard:
		return "hanging up"
	}
	return "unknown"
}

// enter changes the state and starts its time limit.
func (l *Line) enter(s state) {
	l.due = time.Time{}
	switch s {
	case arriving:
		l.due = time.Now().Add(max(l.cfg.CallerWait, 0))
	case ringing, refused:
		l.due = l.lastRing.Add(ringGap(l.country))
	case guard:
		l.due = time.Now().Add(guardTime)
	case idle, declining, seizing, calling, talking, releasing:
	}
	if s != l.state {
		l.cfg.Log.Info("exchange line", "state", s.sentence())
	}
	l.state = s
	l.doing.Store(int32(s))
}

// dial starts a leg over the line.
func (l *Line) dial(d call.Dial) (*leg, error) {
	if h := l.port.Health(); !h.OK {
		return nil, l.down("line %s: %s", l.cfg.ID, h.Text)
	}
	digits, err := dialable(d.To)
	if err != nil {
		return nil, call.Cause{Q850: call.Q850InvalidNumber, SIP: 484, Who: call.Box, Text: fmt.Sprintf("line %s: %v", l.cfg.ID, err)}
	}
	if l.leg != nil || l.state != idle && l.state != releasing && l.state != guard {
		return nil, call.Cause{Q850: call.Q850NoCircuit, SIP: 503, Who: call.Box,
			Text: fmt.Sprintf("exchange line %s is in use: %s", l.cfg.ID, l.state.sentence())}
	}
	g := newLeg(l, call.LegInfo{From: d.From, FromName: d.FromName, To: d.To})
	l.leg, l.seizure = g, hal.Seizure{Digits: digits, Pulse: l.cfg.Pulse, Blind: l.cfg.Blind}
	if l.state == idle {
		if err := l.seize(); err != nil {
			l.leg = nil
			return nil, err
		}
	}
	return g, nil
}

// dialable is a number as an exchange takes it.
func dialable(to string) (string, error) {
	out := strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9', r == '*', r == '#', r == ',':
			return r
		case r == 'w' || r == 'W' || r == 'p' || r == 'P': // a pause in other people's notation
			return ','
		}
		return -1
	}, strings.TrimPrefix(to, "+"))
	if strings.Trim(out, ",") == "" || len(out) > maxDigits {
		return "", fmt.Errorf("%q cannot be dialled: want 1 to %d digits", to, maxDigits)
	}
	return out, nil
}

// seize takes the line for l.leg.
func (l *Line) seize() error {
	if err := l.port.Seize(l.seizure); err != nil {
		return l.down("exchange line %s cannot be taken: %v", l.cfg.ID, err)
	}
	l.enter(seizing)
	return nil
}

// happened takes what happens on the line.
func (l *Line) happened(e hal.ExchangeEvent) {
	switch e.Type {
	case hal.Ring:
		l.rang(e)
	case hal.Caller:
		l.note("the exchange tells who calls: " + shown(e))
		switch l.state {
		case idle, guard:
			l.caller = &e
		case arriving:
			l.caller = &e
			l.offer()
		case ringing, refused, seizing, calling, talking, releasing: // of a call that was offered without
		}
	case hal.Connected:
		l.connected()
	case hal.Released:
		l.released(e.Err)
	case hal.HeardDigit:
		l.sound.keys.reports(e.Digit)
	default:
		if e.Type != hal.Underrun && e.Type != hal.Overrun {
			l.note("the port reports " + e.Type.String())
		}
		if l.state == calling || l.state == talking {
			l.judge(l.sound.super.reports(e.Type))
		}
	}
}

// shown is a caller for people.
func shown(e hal.ExchangeEvent) string {
	switch {
	case e.Private:
		return "somebody who does not want to be known"
	case e.Number == "":
		return "nobody it knows"
	case e.Name != "":
		return e.Number + ", " + e.Name
	}
	return e.Number
}

// rang takes a ring.
func (l *Line) rang(e hal.ExchangeEvent) {
	l.lastRing = e.At
	switch l.state {
	case idle, guard:
		if g := l.leg; g != nil { // it waited for the line, which somebody else has taken
			l.leg = nil
			g.End(call.Cause{Q850: call.Q850NoCircuit, SIP: 503, Who: call.Box,
				Text: fmt.Sprintf("exchange line %s is in use: a call arrives", l.cfg.ID)})
		}
		l.note("the line rings")
		l.enter(arriving)
		if l.caller != nil && e.At.Sub(l.caller.At) > callerLife {
			l.caller = nil
		}
		if l.caller != nil || l.cfg.CallerWait < 0 {
			l.offer()
		}
	case arriving:
		l.offer()
	case ringing, refused:
		l.enter(l.state)
	case declining, seizing, calling, talking, releasing:
	}
}

// offer makes a leg of a call that arrives.
func (l *Line) offer() {
	info := call.LegInfo{Inbound: true, To: l.cfg.Number}
	if c := l.caller; c != nil {
		info.From, info.FromName, info.Private = c.Number, c.Name, c.Private
	}
	if info.Private || info.From == "" {
		info.From = "anonymous"
	}
	l.caller = nil
	l.leg = newLeg(l, info)
	l.enter(ringing)
	l.in.Incoming(l.leg)
}

// answer takes the line off-hook for a call that rings; done is told the outcome.
func (l *Line) answer(g *leg, done chan error) error {
	switch {
	case g.answered:
		done <- nil
		return nil
	case !g.Info().Inbound:
		return call.ErrWrongState
	case l.state == ringing:
		l.seizure = hal.Seizure{}
		if err := l.seize(); err != nil {
			return err
		}
	}
	g.onAnswer = append(g.onAnswer, done)
	return nil
}

// connected: the line is off-hook, sound flows.
func (l *Line) connected() {
	g := l.leg
	if l.state == declining {
		p := newPort()
		p.says = tone.Clip(l.country.Busy, tone.DefaultLevel, refuseTime)
		l.sound.super.begin(true)
		l.sound.start(&p)
		l.due = time.Now().Add(refuseTime)
		return
	}
	if l.state != seizing || g == nil {
		return // it was given up meanwhile, Released follows
	}
	l.sound.super.begin(g.Info().Inbound)
	l.sound.start(&g.port)
	if g.Info().Inbound {
		l.answered(g)
		return
	}
	l.note("the number is dialled")
	l.enter(calling)
	g.early = true
	g.Tell(call.LegEarly)
}

// answered: both ends talk.
func (l *Line) answered(g *leg) {
	g.answered = true
	l.enter(talking)
	for _, done := range g.onAnswer {
		done <- nil
	}
	g.onAnswer = nil
	g.Tell(call.LegAnswered)
}

// heard takes what the sound says.
func (l *Line) heard(h heard) {
	if l.state != calling && l.state != talking {
		return
	}
	if h.digit != 0 {
		l.note("the far end presses a key") // which one may be a secret
		l.leg.Digit(h.digit)
		return
	}
	l.judge(h.judgement)
}

// judge does what the supervision has found.
func (l *Line) judge(j judgement) {
	if j.sign == noSign || l.state == talking && j.sign != hungUp {
		return // nothing, or said again before it was heeded
	}
	l.note(j.why)
	g := l.leg
	if l.state == talking {
		c := call.NormalClearing(call.Remote)
		c.Text = "the far end hung up: " + j.why
		l.release(c)
		return
	}
	switch j.sign {
	case rings:
		if !g.rang {
			g.rang = true
			g.Tell(call.LegRinging)
		}
	case answers:
		if !l.sound.super.answered() {
			g.port.cut()
		}
		l.answered(g)
	case busy:
		l.release(call.Cause{Q850: call.Q850Busy, SIP: 486, Who: call.Remote, Text: "the called number is busy: " + j.why})
	case congested:
		l.release(call.Cause{Q850: call.Q850Congestion, SIP: 503, Who: call.Network, Text: "there is no way to the number now: " + j.why})
	case unknown:
		l.release(call.Cause{Q850: call.Q850Unallocated, SIP: 404, Who: call.Network, Text: "the number is not in use or cannot be reached: " + j.why})
	case untaken:
		l.release(call.Cause{Q850: call.Q850InvalidNumber, SIP: 484, Who: call.Network, Text: "the exchange has not taken the number: " + j.why +
			"; set the line to pulse dialling if it knows no keys"})
	case hungUp, noSign:
	}
}

// flash breaks the loop for a moment. The exchange answers with dial tone.
func (l *Line) flash() error {
	if l.state != talking {
		return fmt.Errorf("flash on line %s, which is %s: %w", l.cfg.ID, l.state.sentence(), call.ErrWrongState)
	}
	if err := l.port.Flash(); err != nil {
		return l.down("line %s: %v", l.cfg.ID, err)
	}
	l.sound.super.flashed()
	l.note("the hook is pressed shortly")
	return nil
}

// release ends the leg and puts the line on-hook.
func (l *Line) release(c call.Cause) {
	g := l.leg
	l.leg = nil
	l.putDown()
	g.End(c)
}

// putDown puts the line on-hook.
func (l *Line) putDown() {
	l.sound.stop()
	l.port.Release()
	l.enter(releasing)
}

// refuse does with a call that nobody takes what is configured.
func (l *Line) refuse() {
	if l.cfg.Refuse == RefuseAnswer {
		err := l.port.Seize(hal.Seizure{})
		if err == nil {
			l.note("the call is refused: it is taken, and the caller hears busy tone")
			l.enter(declining)
			return
		}
		l.cfg.Log.Warn("a refused call cannot be taken and rings on", "err", err)
	}
	l.note("the call is refused; it rings on until the caller gives up")
	l.enter(refused)
}

// released: the line is on-hook.
func (l *Line) released(err error) {
	l.sound.stop()
	switch l.state {
	case idle, arriving, ringing, refused, guard: // it was not seized: of an earlier Serve
		return
	case seizing, calling, talking:
		g := l.leg
		l.leg = nil
		c := l.failure(g, err)
		l.note("the line is on-hook: " + c.Error())
		g.End(c)
	case releasing:
	}
	l.enter(guard)
}

// failure is the cause of a leg whose line has gone on-hook by itself.
func (l *Line) failure(g *leg, err error) call.Cause {
	switch {
	case errors.Is(err, hal.ErrNoDialTone):
		return call.Cause{Q850: call.Q850OutOfOrder, SIP: 502, Who: call.Network,
			Text: fmt.Sprintf("exchange line %s has no dial tone; check its wire, or set it to dial blindly", l.cfg.ID)}
	case err == nil:
		return l.down("the port of %s has gone on-hook by itself", l.cfg.ID)
	case g.answered:
		return l.down("the port of %s was lost in the call: %v", l.cfg.ID, err)
	}
	return l.down("the port of %s has failed: %v", l.cfg.ID, err)
}

// hangup does what Leg.Hangup has asked for.
func (l *Line) hangup() {
	g := l.leg
	if g == nil {
		return
	}
	c := g.HungUp()
	if c == nil {
		return
	}
	switch l.state {
	case seizing, calling, talking:
		l.release(*c)
	case ringing:
		l.leg = nil
		l.refuse()
		g.End(*c)
	default: // it waits for the line
		l.leg = nil
		g.End(*c)
	}
}

// timeout: the state has lasted long enough.
func (l *Line) timeout() {
	switch l.state {
	case arriving:
		l.offer()
	case ringing:
		g := l.leg
		l.leg = nil
		l.enter(idle)
		c := call.NormalClearing(call.Remote)
		c.Text = "the caller hung up before the answer"
		if h := l.port.Health(); !h.OK {
			c = l.down("line %s: %s", l.cfg.ID, h.Text)
		}
		l.note(c.Text)
		g.End(c)
	case refused:
		l.note("the caller who was refused has given up")
		l.enter(idle)
	case declining:
		l.putDown()
	case guard:
		l.enter(idle)
		if g := l.leg; g != nil {
			if err := l.seize(); err != nil {
				l.leg = nil
				g.End(call.CauseOf(err))
			}
		}
	case idle, seizing, calling, talking, releasing:
		l.due = time.Time{}
	}
}

// leave ends everything when Serve ends, and waits until the line is on-hook.
func (l *Line) leave() {
	if g := l.leg; g != nil {
		l.leg = nil
		c := call.Cause{Q850: call.Q850Temporary, Who: call.Box, Text: "the line was stopped"}
		if h := g.HungUp(); h != nil {
			c = *h
		}
		g.End(c)
	}
	l.sound.stop()
	l.port.Release()
	switch l.state {
	case declining, seizing, calling, talking, releasing:
		limit := time.NewTimer(stopTime)
		defer limit.Stop()
		for waiting := true; waiting; {
			select {
			case e, ok := <-l.port.Events():
				waiting = ok && e.Type != hal.Released
			case <-limit.C:
				waiting = false
			}
		}
	default:
	}
	l.sound.wait()
	l.caller = nil
	l.enter(idle)
}
