package fxs

import (
	"slices"
	"time"

	"callbox/call"
	"callbox/hal"
	"callbox/media/tone"
)

// state is what the phone is doing.
type state int32

const (
	idle     state = iota // on-hook
	ringing               // a leg towards the phone, unanswered
	dialling              // picked up; dial tone, then digits
	calling               // a leg from the phone, unanswered
	talking               // an answered leg
	ended                 // off-hook with nothing to do: busy or congestion tone
	howling               // still off-hook: howler
	parked                // silent until it is hung up
)

// sentence says the state for people.
func (s state) sentence() string {
	switch s {
	case idle:
		return "on-hook"
	case ringing:
		return "ringing"
	case dialling:
		return "picked up, dialling"
	case calling:
		return "calling"
	case talking:
		return "in a call"
	case ended:
		return "off-hook after the call"
	case howling, parked:
		return "the receiver is off the hook"
	}
	return "unknown"
}

// enter changes the state and starts its time limit. Sound and leg are the
// caller's business.
func (l *Line) enter(s state) {
	limit := map[state]time.Duration{
		ringing: checkTime, dialling: l.cfg.FirstDigit, ended: busyTime, howling: howlTime,
	}[s]
	l.due = time.Time{}
	if limit > 0 {
		l.due = time.Now().Add(limit)
	}
	if s != l.state {
		l.cfg.Log.Info("phone", "state", s.sentence())
	}
	l.state = s
	l.doing.Store(int32(s))
}

// note tells the trace what happens on the line.
func (l *Line) note(text string) { l.cfg.Note(time.Now(), text) }

// noted are the phone's events in the words of the trace. Those of the bell tell the
// rhythm with their times.
var noted = map[hal.PhoneEventType]string{
	hal.OffHook: "the receiver is lifted", hal.OnHook: "the receiver is put back", hal.Flash: "the hook is pressed shortly",
	hal.PulseDigit: "the dial turns", hal.RingOn: "the bell rings", hal.RingOff: "the bell pauses",
}

// moved takes what the phone did.
func (l *Line) moved(e hal.PhoneEvent) {
	l.cfg.Note(e.At, noted[e.Type])
	switch e.Type {
	case hal.OffHook:
		l.pickedUp(e.Answer)
	case hal.OnHook:
		l.hungUp()
	case hal.PulseDigit:
		l.key(e.Digit)
	case hal.RingOn:
		l.sound.hush()
	case hal.RingOff:
		l.rested()
	case hal.Flash:
		l.flash()
	}
}

// pickedUp: a ringing leg is answered; otherwise the phone wants to dial. Who
// picks up to answer a call that has just gone hears the busy tone.
func (l *Line) pickedUp(answer bool) {
	l.unshow()
	l.dim()
	switch {
	case l.state == ringing:
		l.sound.start()
		l.group.silent(l.leg)
		if l.leg.answered { // it was left on hold
			l.resume(l.leg)
			return
		}
		l.connect(l.leg)
	case l.state != idle: // told again after events were lost
	case answer:
		l.sound.start()
		l.busy(l.country.Busy)
	default:
		l.sound.start()
		l.dialTone()
	}
}

// hungUp: the present call has ended; one on hold and one that waits ring again.
func (l *Line) hungUp() {
	c := call.NormalClearing(call.Remote)
	h := l.phone.Health()
	if !h.OK { // the driver reports a failed port as hung up
		c = l.down("the port of %s has failed: %s", l.cfg.ID, h.Text)
	}
	l.after, l.hide = "", false
	l.turn(false)
	if l.held != nil && l.leg != nil && l.leg.answered && h.OK && !l.joined {
		l.leaveThem()
	}
	if g := l.leg; g != nil {
		l.leg = nil
		if h.OK && !g.answered {
			c.Text = "the caller hung up before the answer"
		}
		g.end(c)
	}
	left, wait := l.held, l.waiting
	if l.joined {
		left = nil
	}
	for _, g := range []*leg{l.held, l.waiting} {
		if g != nil && (!h.OK || g == l.held && l.joined) {
			g.end(c)
		}
	}
	l.held, l.joined = nil, false
	l.unwait()
	l.sound.stop()
	l.enter(idle)
	switch {
	case !h.OK:
	case left != nil:
		l.ringAgain(left)
	case wait != nil:
		l.ringAgain(wait)
	}
}

// ringAgain rings the phone for a call that it has left.
func (l *Line) ringAgain(g *leg) {
	if err := l.startRinging(call.Dial{From: g.Info().From, FromName: g.Info().FromName}); err != nil {
		g.end(l.down("the phone on %s cannot be rung: %v", l.cfg.ID, err))
		return
	}
	l.leg = g
	l.enter(ringing)
	l.until = time.Time{}
	if g.answered {
		l.until = time.Now().Add(recallTime)
	}
}

// connect answers g: the phone and the leg hear each other.
func (l *Line) connect(g *leg) {
	l.sound.connect(&g.port)
	l.sound.play(tone.Tone{}, 0)
	g.answered = true
	l.enter(talking)
	g.Tell(call.LegAnswered)
	if g.Info().Inbound {
		l.turn(true)
	}
}

// turn reverses the battery of a phone that is to see that its call is answered.
func (l *Line) turn(reversed bool) {
	if !l.cfg.Reverse {
		return
	}
	if err := l.phone.SetPolarity(reversed); err != nil {
		l.cfg.Log.Warn("polarity", "err", err)
		return
	}
	if reversed {
		l.note("the battery is reversed: the far end has answered")
	}
}

// progress lets the calling phone hear how far its call has got.
func (l *Line) progress(g *leg, p call.Progress) {
	switch p {
	case call.ProgressRinging:
		l.sound.play(l.country.Ringback, tone.DefaultLevel)
	case call.ProgressEarly:
		l.sound.connect(&g.port)
		l.sound.play(tone.Tone{}, 0)
	}
}

// hangup does what Leg.Hangup has asked for.
func (l *Line) hangup() {
	for _, g := range l.legs() {
		if c := g.HungUp(); c != nil {
			l.drop(g, *c)
			g.end(*c)
		}
	}
}

// drop takes a leg away that its call has ended.
func (l *Line) drop(g *leg, c call.Cause) {
	switch {
	case slices.Contains(l.parting, g):
		l.parting = slices.DeleteFunc(l.parting, func(x *leg) bool { return x == g })
	case g == l.waiting:
		l.unwait()
	case g == l.held && l.joined:
		l.alone(l.leg)
	case g == l.held:
		l.held = nil
	case l.joined:
		l.alone(l.held)
	default:
		l.leg = nil
		l.turn(false)
		switch {
		case l.state == ringing:
			l.silence()
		case g.answered || c.Outcome() != call.Failed:
			l.busy(l.country.Busy)
		default:
			l.busy(l.country.Congestion)
		}
	}
}

// busy tells a phone that is off-hook that there is no call, with tone t.
func (l *Line) busy(t tone.Tone) {
	l.sound.connect(nil)
	l.sound.play(t, tone.DefaultLevel)
	l.enter(ended)
}

// key takes a key or a dialled digit.
func (l *Line) key(d byte) {
	switch l.state {
	case talking, calling:
		if !l.shows(d) {
			l.note("the phone presses a key") // which one may be a secret
			l.leg.Digit(d)
		}
	case dialling:
		l.note("the phone dials " + string(d))
		l.dialled(d)
	case idle, ringing, ended, howling, parked:
	}
}

// dialled collects the number. The keys A-D are no part of numbers; # ends one.
func (l *Line) dialled(d byte) {
	if d >= 'A' && d <= 'D' {
		return
	}
	l.sound.hush()
	l.sound.play(tone.Tone{}, 0)
	if d == '#' && len(l.number) > 0 {
		l.place()
		return
	}
	l.number = append(l.number, d)
	if l.after == "" && l.number[0] == '*' && l.coded() {
		if len(l.number) > 0 {
			l.due = time.Now().Add(l.cfg.InterDigit)
		}
		return
	}
	complete, possible := false, true
	if l.cfg.Plan != nil && l.number[0] != '*' {
		complete, possible = l.cfg.Plan(string(l.number))
	}
	switch {
	case complete, len(l.number) >= maxNumber:
		l.place()
	case !possible:
		l.busy(l.country.Congestion)
	default:
		l.due = time.Now().Add(l.cfg.InterDigit)
	}
}

// place offers the call that was dialled, or ends the code that it belongs to.
func (l *Line) place() {
	if l.after != "" {
		l.forwardTo()
		return
	}
	s := l.set
	s.LastDialled = string(l.number)
	l.keep(s)
	l.start(call.LegInfo{Inbound: true, From: l.cfg.Number, FromName: l.cfg.Name, To: string(l.number), Private: l.hide != s.Hide})
}

// start offers a call of the phone.
func (l *Line) start(info call.LegInfo) {
	l.hide = false
	l.sound.play(tone.Tone{}, 0)
	if err := l.phone.Dialling(false); err != nil {
		l.cfg.Log.Warn("end of dialling", "err", err)
	}
	g := newLeg(l, info)
	l.leg = g
	l.enter(calling)
	l.in.Incoming(g)
}

// timeout: the state has lasted long enough.
func (l *Line) timeout() {
	switch l.state {
	case ringing:
		if h := l.phone.Health(); !h.OK {
			l.fail(h.Text)
			return
		}
		if !l.until.IsZero() && !time.Now().Before(l.until) {
			l.rungOut()
			return
		}
		l.enter(ringing)
	case dialling:
		switch {
		case len(l.number) > 0:
			l.place()
		case l.cfg.HotLine != "" && l.after == "" && l.held == nil:
			l.again(l.cfg.HotLine)
		default:
			l.busy(l.country.Congestion)
		}
	case ended:
		l.sound.play(l.country.Howler, howlLevel)
		l.note("the phone hears the howler")
		l.enter(howling)
	case howling:
		l.sound.stop()
		l.enter(parked)
	case idle, calling, talking, parked:
		l.due = time.Time{}
	}
}

// rungOut: the phone has rung for as long as it may.
func (l *Line) rungOut() {
	if !l.leg.answered {
		l.unanswered()
		return
	}
	g := l.leg
	l.leg = nil
	l.silence()
	g.end(call.Cause{Q850: call.Q850NoAnswer, Who: call.Remote, Text: "the phone left the call on hold and was not picked up again"})
}

// silence ends the ringing.
func (l *Line) silence() {
	l.unshow()
	if err := l.phone.StopRing(); err != nil {
		l.cfg.Log.Warn("stop ringing", "err", err)
	}
	l.enter(idle)
}

// fail ends the ringing of a port that has failed.
func (l *Line) fail(why string) {
	g := l.leg
	l.leg = nil
	l.unshow()
	l.enter(idle)
	g.end(l.down("the port of %s has failed: %s", l.cfg.ID, why))
}

// leave ends everything when Serve ends. A phone that is off-hook stays parked:
// it is known to the next Serve.
func (l *Line) leave() {
	if l.state == ringing {
		l.silence()
	}
	for _, g := range l.legs() {
		c := call.Cause{Q850: call.Q850Temporary, Who: call.Box, Text: "the line was stopped"}
		if h := g.HungUp(); h != nil {
			c = *h
		}
		g.end(c)
	}
	l.leg, l.held, l.joined, l.parting = nil, nil, false, nil
	l.unwait()
	l.turn(false)
	l.sound.stop()
	l.sound.wait()
	if l.state != idle {
		l.enter(parked)
	}
}
