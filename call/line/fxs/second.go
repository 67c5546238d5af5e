package fxs

import (
	"slices"
	"time"

	"callbox/call"
	"callbox/media"
	"callbox/media/fsk"
	"callbox/media/tone"
)

// second is what the phone has besides Line.leg: another call on hold, or one that
// waits.
type second struct {
	held    *leg   // answered
	waiting *leg   // it rings for its caller, and the phone hears a tone
	joined  bool   // leg, held and the phone speak with each other
	asked   bool   // leg was called by the phone while it held held
	parting []*leg // left by the phone to each other, until their calls have ended

	caller []byte    // what a phone that can show it is told of waiting's caller
	beep   time.Time // when the tone comes again; zero: never
	listen time.Time // until when the phone may say that it can show the caller; zero: no longer
}

// maxParting bounds the legs that a phone leaves to each other.
const maxParting = 8

// legs are all that the phone has.
func (l *Line) legs() []*leg {
	out := slices.Clone(l.parting)
	for _, g := range []*leg{l.leg, l.held, l.waiting} {
		if g != nil {
			out = append(out, g)
		}
	}
	return out
}

// waits reports whether the phone is told of second calls.
func (l *Line) waits() bool {
	if l.set.Waiting != nil {
		return *l.set.Waiting
	}
	return l.cfg.Waiting
}

// room reports whether a second call may wait now.
func (l *Line) room() bool {
	return l.state == talking && l.waits() && l.held == nil && l.waiting == nil
}

// wait lets a second call wait.
func (l *Line) wait(d call.Dial) *leg {
	g := l.calledBy(d)
	l.waiting = g
	l.caller = nil
	if s := schemes[l.cfg.CallerID]; l.cfg.CallerID != noCallerID && s.start == "" {
		l.caller = l.message(d).Encode(s.form)
	}
	g.Tell(call.LegRinging)
	l.cfg.Log.Info("a second call waits")
	l.tellWaiting()
	return g
}

// Times of the tone that tells of a waiting call (GR-31-CORE, EN 300 659-2).
const (
	beepEvery  = 10 * time.Second
	beepLength = 300 * time.Millisecond
	casLength  = 80 * time.Millisecond
	// ackTime is how long the phone may take to say that it is ready: 160 ms, and what
	// the device holds in both directions.
	ackTime = 500 * time.Millisecond
)

// tellWaiting plays the tone of a waiting call and, the first time, the one that
// asks the phone whether it can show the caller.
func (l *Line) tellWaiting() {
	l.note("the phone hears that a second call waits")
	beep := tone.Clip(tone.Tone{Steps: l.country.CallWaiting.Steps[:1]}, tone.DefaultLevel, beepLength)
	l.beep = time.Now().Add(beepEvery)
	if l.caller == nil {
		l.sound.tell(beep)
		return
	}
	cas := tone.Clip(tone.Tone{Steps: []tone.Step{{Hz: []float64{alertLow, alertHigh}}}}, alertLevel, casLength)
	l.sound.tell(media.Concat(beep, cas))
	l.sound.mute(true) // the far end need not hear the answer
	l.listen = time.Now().Add(beepLength + casLength + ackTime)
}

// deaf gives up on a phone that cannot show callers while it is in use, or ends
// the time for which it was told.
func (l *Line) deaf() {
	l.listen, l.caller = time.Time{}, nil
	l.sound.mute(false)
}

// ready takes a key that says that the phone can show who waits; it reports whether
// it was that.
func (l *Line) shows(key byte) bool {
	if l.listen.IsZero() || l.caller == nil || key != 'D' && key != 'A' {
		return false
	}
	s := schemes[l.cfg.CallerID]
	l.note(l.telling())
	sent := fsk.NewSender(s.standard, 0, fsk.ShortMark, l.caller, fsk.Level)
	l.sound.tell(media.Concat(media.Pause(60*time.Millisecond), sent))
	bits := fsk.ShortMark + 10*len(l.caller) + 60
	l.caller = nil
	l.listen = time.Now().Add(time.Duration(bits)*time.Second/fsk.Baud + ackTime/2)
	return true
}

// unwait forgets the waiting call's tones.
func (l *Line) unwait() {
	l.waiting, l.beep = nil, time.Time{}
	if !l.listen.IsZero() {
		l.sound.hush()
		l.deaf()
	}
}

// flash: the hook was pressed shortly.
func (l *Line) flash() {
	switch {
	case l.state == talking && l.joined:
		l.part()
	case l.state == talking && l.waiting != nil:
		l.hold()
		l.asked = false
		l.takeWaiting()
	case l.state == talking && l.held != nil && l.asked:
		l.join()
	case l.state == talking && l.held != nil:
		l.swap()
	case l.state == talking:
		l.hold()
		l.asked = true
		l.recall()
	case l.state == calling:
		g := l.leg
		l.leg = nil
		g.end(call.Cause{Q850: call.Q850Normal, Who: call.Remote, Text: "the caller gave up by a flash of the hook"})
		l.back()
	case l.state == ended && l.waiting != nil:
		l.takeWaiting()
	case (l.state == dialling || l.state == ended) && l.held != nil, l.state == ended:
		l.back()
	}
}

// back returns to the call on hold, or to the dial tone.
func (l *Line) back() {
	if l.held == nil {
		l.recall()
		return
	}
	g := l.held
	l.held = nil
	l.resume(g)
}

// recall offers a dial tone to a phone that is off-hook.
func (l *Line) recall() {
	if err := l.phone.Dialling(true); err != nil {
		l.cfg.Log.Warn("dialling", "err", err)
	}
	l.dialTone()
}

// hold puts the present call on hold.
func (l *Line) hold() {
	g := l.leg
	l.leg, l.held = nil, g
	l.sound.connect(nil)
	g.Tell(call.LegHeld)
}

// resume makes a call that is on hold the present one.
func (l *Line) resume(g *leg) {
	l.leg = g
	l.sound.connect(&g.port)
	l.sound.play(tone.Tone{}, 0)
	if err := l.phone.Dialling(false); err != nil {
		l.cfg.Log.Warn("end of dialling", "err", err)
	}
	l.enter(talking)
	g.Tell(call.LegResumed)
}

// swap changes the present call and the one on hold.
func (l *Line) swap() {
	g := l.held
	l.hold()
	l.resume(g)
}

// takeWaiting answers the call that waits.
func (l *Line) takeWaiting() {
	g := l.waiting
	l.unwait()
	l.leg = g
	l.connect(g)
}

// join makes a conference of the two calls and the phone.
func (l *Line) join() {
	l.joined = true
	l.sound.join(&l.leg.port, &l.held.port)
	l.held.Tell(call.LegResumed)
	l.cfg.Log.Info("a conference of three")
}

// part ends a conference of three: who was called last leaves it.
func (l *Line) part() {
	g := l.leg
	l.alone(l.held)
	g.end(call.Cause{Q850: call.Q850Normal, Who: call.Remote, Text: "the phone took it out of a conference of three"})
}

// alone makes g the only call, after a conference.
func (l *Line) alone(g *leg) {
	l.leg, l.held, l.joined = g, nil, false
	l.sound.connect(&g.port)
}

// leaveThem connects the two calls of a phone that is hung up with each other.
func (l *Line) leaveThem() {
	stay, other := l.held, l.leg
	l.held, l.leg = nil, nil
	l.parting = append(l.parting, stay, other)
	for len(l.parting) > maxParting {
		g := l.parting[0]
		l.parting = l.parting[1:]
		g.end(l.down("the phone on %s transfers too many calls at once", l.cfg.ID))
	}
	stay.Send(&call.LegEvent{Type: call.LegTransfer, Transfer: &call.Transfer{
		By: l.cfg.Number, User: l.cfg.ID, Attended: true, Replaces: other, Trusted: true, Reply: transferred{stay, other}}})
}

// transferred are two calls that a phone wants to be connected with each other.
type transferred [2]*leg

var _ call.TransferReply = transferred{}

// Accept implements [call.TransferReply].
func (t transferred) Accept() error { return nil }

// Refuse implements [call.TransferReply]: both calls end.
func (t transferred) Refuse(status int) error {
	t.Progress(status, "")
	return nil
}

// Progress implements [call.TransferReply].
func (t transferred) Progress(status int, text string) {
	if status < 300 {
		return
	}
	if text == "" {
		text = "the phone was hung up, and its two calls could not be connected with each other"
	}
	for _, g := range t {
		g.Hangup(call.FromSIP(status, call.Box, text))
	}
}

// Silent implements [call.TransferReply].
func (t transferred) Silent() bool { return true }
