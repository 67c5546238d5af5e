package fxo

import (
	"context"
	"errors"
	"fmt"
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
	_ call.Flasher  = (*Line)(nil)
)

// Line is one exchange line. All methods may be called from any goroutine.
type Line struct {
	cfg     Config
	country tone.Country
	port    hal.Exchange
	sound   *sound
	loop    *portleg.Loop
	since   time.Time // when the line was made

	doing atomic.Int32 // state, for Status

	// Owned by Serve's goroutine.
	state    state
	leg      *leg               // of all states but idle, arriving and refused; in releasing and guard one that waits
	seizure  hal.Seizure        // of leg
	caller   *hal.ExchangeEvent // who calls, before the leg is made
	lastRing time.Time
	due      time.Time // when the state has lasted long enough; zero: no limit
	in       call.Receiver
}

// New makes the line of a port. It does nothing until Serve runs. The caller closes
// the port after Serve has returned.
func New(c Config, port hal.Exchange, pcm hal.PCM) (*Line, error) {
	c, country, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	c.Log = c.Log.With("line", c.ID)
	hybrid, err := portleg.NewHybrid(pcm, portleg.HybridConfig{Tail: c.EchoTail, Ahead: echoAhead, Search: echoSearch})
	if err != nil {
		return nil, fmt.Errorf("line %s: %w", c.ID, err)
	}
	return &Line{
		cfg: c, country: country, port: port,
		sound: newSound(pcm, hybrid, newSupervisor(c, country), c.Log),
		loop:  portleg.NewLoop(), since: time.Now(),
	}, nil
}

// ID implements [call.Line].
func (l *Line) ID() string { return l.cfg.ID }

// Kind implements [call.Line].
func (l *Line) Kind() call.Kind { return call.FXO }

// Serve implements [call.Line]. It returns an error only when the driver of the port
// was closed.
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
		if !l.due.IsZero() {
			timer.Reset(time.Until(l.due))
			due = timer.C
		}
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-l.port.Events():
			if !ok {
				return fmt.Errorf("line %s: port: %w", l.cfg.ID, hal.ErrClosed)
			}
			l.happened(e)
		case a := <-l.loop.Asks():
			a.Do(l.leg != nil && a.Leg == &l.leg.Leg)
		case <-l.loop.Woken():
		case h := <-l.sound.signs:
			l.heard(h)
		case <-due:
			l.timeout()
		}
		l.hangup()
	}
}

// Dial implements [call.Line]: the line is seized and d.To dialled. The error is a
// Cause: no circuit when the line is in use, out of order when the port has failed.
func (l *Line) Dial(ctx context.Context, d call.Dial) (call.Leg, error) {
	var g *leg
	if err := l.loop.Do(ctx, func() (err error) { g, err = l.dial(d); return err }); err != nil {
		return nil, portleg.CauseOf(err, l.cfg.ID, l.down)
	}
	return g, nil
}

// Flash implements [call.Flasher].
func (l *Line) Flash(ctx context.Context) error {
	err := l.loop.Do(ctx, l.flash)
	if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return ctx.Err()
	}
	return portleg.CauseOf(err, l.cfg.ID, l.down)
}

// down is the cause of a line that cannot place calls now.
func (l *Line) down(format string, a ...any) call.Cause {
	return call.Cause{Q850: call.Q850OutOfOrder, Who: call.Box, Text: fmt.Sprintf(format, a...)}
}

// Status implements [call.Reporter].
func (l *Line) Status() call.LineStatus {
	h := l.port.Health()
	s := state(l.doing.Load())
	st := call.LineStatus{Ready: h.OK && l.loop.Running(), Since: h.Since, Text: s.sentence(), Max: 1}
	if l.since.After(st.Since) {
		st.Since = l.since
	}
	if s != idle {
		st.Busy = 1
	}
	switch {
	case !h.OK:
		st.Text = h.Text
	case !l.loop.Running():
		st.Text = "the line is not running"
	case s == talking:
		if err := l.sound.device.Lasting(pauseTime); err != nil {
			st.Text += "; its sound has failed: " + err.Error()
		}
	}
	return st
}

// note tells the trace and the log what happens.
func (l *Line) note(text string) {
	l.cfg.Note(time.Now(), text)
	l.cfg.Log.Debug("exchange line", "what", text)
}
