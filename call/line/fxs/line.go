package fxs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"callbox/call"
	"callbox/call/line/portleg"
	"callbox/hal"
	"callbox/media/tone"
)

var (
	_ call.Line     = (*Line)(nil)
	_ call.Reporter = (*Line)(nil)
)

// Line is one analogue phone. All methods may be called from any goroutine.
type Line struct {
	cfg     Config
	country tone.Country
	phone   hal.Phone
	sound   *sound
	loop    *portleg.Loop
	since   time.Time // when the line was made

	group *Group
	doing atomic.Int32 // state, for Status
	used  atomic.Int32 // calls, for Status
	twice atomic.Bool  // a second call may come, for Status

	messages atomic.Int32 // that wait

	// Owned by Serve's goroutine.
	state state
	leg   *leg // of ringing, calling, talking
	second
	number []byte
	after  Action // the code that number belongs to
	hide   bool   // the next call's number
	set    Settings
	shown  *shown    // of a leg that rings
	due    time.Time // when the state has lasted long enough; zero: no limit
	until  time.Time // of ringing: when it has rung for long enough; zero: no limit
	lamp   lamp
	in     call.Receiver
}

// New makes the line of a phone. It does nothing until Serve runs. The caller
// closes phone and pcm after Serve has returned.
func New(c Config, phone hal.Phone, pcm hal.PCM) (*Line, error) {
	c, country, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	c.Log = c.Log.With("line", c.ID)
	hybrid, err := portleg.NewHybrid(pcm, portleg.HybridConfig{Tail: c.EchoTail, Ahead: echoAhead})
	if err != nil {
		return nil, fmt.Errorf("line %s: %w", c.ID, err)
	}
	l := &Line{
		cfg: c, country: country, phone: phone, group: c.Group, set: c.Settings,
		sound: newSound(pcm, hybrid, c.Log),
		loop:  portleg.NewLoop(),
		since: time.Now(),
	}
	l.twice.Store(l.waits())
	return l, nil
}

// ID implements [call.Line].
func (l *Line) ID() string { return l.cfg.ID }

// Kind implements [call.Line].
func (l *Line) Kind() call.Kind { return call.FXS }

// Serve implements [call.Line]. It returns an error only when the driver of the
// port was closed.
func (l *Line) Serve(ctx context.Context, in call.Receiver) error {
	stopped := l.loop.Open()
	defer l.loop.Closed()
	l.in = in
	defer func() {
		stopped()
		l.leave()
	}()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		var due <-chan time.Time
		if at := l.next(); !at.IsZero() {
			timer.Reset(time.Until(at))
			due = timer.C
		}
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-l.phone.Events():
			if !ok {
				return fmt.Errorf("line %s: port: %w", l.cfg.ID, hal.ErrClosed)
			}
			l.moved(e)
		case a := <-l.loop.Asks():
			a.Do(slices.ContainsFunc(l.legs(), func(g *leg) bool { return a.Leg == &g.Leg }))
		case <-l.loop.Woken():
		case d := <-l.sound.digits:
			l.key(d)
		case <-l.shown.over():
			l.told()
		case <-due:
			l.elapsed(time.Now())
		}
		l.hangup()
		l.light()
		l.count()
	}
}

// next is when there is something to do by itself; zero: never.
func (l *Line) next() time.Time {
	at := l.due
	for _, t := range []time.Time{l.beep, l.listen, l.lamp.at} {
		if !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	return at
}

// elapsed does what is due at now.
func (l *Line) elapsed(now time.Time) {
	past := func(t time.Time) bool { return !t.IsZero() && !now.Before(t) }
	if past(l.beep) {
		l.tellWaiting()
	}
	if past(l.listen) {
		l.deaf()
	}
	if past(l.lamp.at) {
		l.shine()
	}
	if past(l.due) {
		l.timeout()
	}
}

// count makes what Status tells visible.
func (l *Line) count() {
	l.used.Store(int32(len(l.legs())))
	l.twice.Store(l.waits())
}

// Dial implements [call.Line]: the phone rings. d.To is ignored. The error is a
// Cause: busy when the phone is in use, out of order when the port has failed.
func (l *Line) Dial(ctx context.Context, d call.Dial) (call.Leg, error) {
	var g *leg
	if err := l.loop.Do(ctx, func() (err error) { g, err = l.ring(d); return err }); err != nil {
		return nil, portleg.CauseOf(err, l.cfg.ID, l.down)
	}
	return g, nil
}

// down is the cause of a line that cannot place calls now.
func (l *Line) down(format string, a ...any) call.Cause {
	return call.Cause{Q850: call.Q850OutOfOrder, Who: call.Box, Text: fmt.Sprintf(format, a...)}
}

// ring starts a leg towards the phone.
func (l *Line) ring(d call.Dial) (*leg, error) {
	busy := call.Cause{Q850: call.Q850Busy, SIP: 486, Who: call.Remote}
	if to, why := l.sendOn(); to != "" {
		return l.sentOn(d, to, why), nil
	}
	switch {
	case l.set.DND:
		busy.Text = fmt.Sprintf("the phone on %s does not want to be disturbed", l.cfg.ID)
		return nil, busy
	case l.room():
		return l.wait(d), nil
	case l.state != idle:
		busy.Text = fmt.Sprintf("the phone on %s is busy: %s", l.cfg.ID, l.state.sentence())
		return nil, busy
	}
	l.dim()
	if err := l.startRinging(d); err != nil {
		if errors.Is(err, hal.ErrOffHook) {
			busy.Text = fmt.Sprintf("the phone on %s was picked up at this moment", l.cfg.ID)
			return nil, busy
		}
		return nil, l.down("the phone on %s cannot be rung: %v", l.cfg.ID, err)
	}
	g := l.calledBy(d)
	l.leg = g
	l.enter(ringing)
	l.until = time.Time{}
	if l.set.ForwardNoAnswer != "" {
		l.until = time.Now().Add(l.cfg.NoAnswer)
	}
	l.group.rings(g)
	g.Tell(call.LegRinging)
	return g, nil
}

// calledBy makes the leg of a call for the phone, and remembers who calls.
func (l *Line) calledBy(d call.Dial) *leg {
	if d.From != "" && d.From != "anonymous" && !d.Private {
		s := l.set
		s.LastCaller = d.From
		l.keep(s)
	}
	return newLeg(l, call.LegInfo{From: d.From, FromName: d.FromName, To: l.cfg.Number})
}

// startRinging rings the phone for a call.
func (l *Line) startRinging(d call.Dial) error {
	l.shown = l.show(d)
	err := l.alert()
	if err != nil {
		l.unshow()
	}
	return err
}

// Status implements [call.Reporter].
func (l *Line) Status() call.LineStatus {
	h := l.phone.Health()
	s := state(l.doing.Load())
	st := call.LineStatus{Ready: h.OK && l.loop.Running(), Since: h.Since, Text: s.sentence(), Max: 1}
	if l.since.After(st.Since) {
		st.Since = l.since
	}
	if s != idle {
		st.Busy = max(1, int(l.used.Load()))
	}
	if l.twice.Load() {
		st.Max = 2
	}
	switch err := l.sound.device.Err(); {
	case !h.OK:
		st.Text = "the port has failed: " + h.Text
	case !l.loop.Running():
		st.Text = "the line is not running"
	case err != nil:
		st.Text += "; its sound has failed: " + err.Error()
	}
	return st
}
