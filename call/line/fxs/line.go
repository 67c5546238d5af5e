package fxs

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"callbox/call"
	"callbox/hal"
	"callbox/media/echo"
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
	asks    chan ask
	wake    chan struct{} // a leg wants to hang up
	since   time.Time     // when the line was made

	serving atomic.Pointer[chan struct{}] // closed when Serve returns; nil before
	serve   sync.Mutex                    // held by Serve
	doing   atomic.Int32                  // state, for Status

	// Owned by Serve's goroutine.
	state  state
	leg    *leg // of ringing, calling, talking
	number []byte
	shown  *shown    // of a leg that rings
	due    time.Time // when the state has lasted long enough; zero: no limit
	in     call.Receiver
}

// ask is a request to the line's goroutine.
type ask struct {
	do  func() error
	err chan error
	leg *leg // ErrLegEnded when it is not the present one; nil: none in particular
}

// New makes the line of a phone. It does nothing until Serve runs. The caller
// closes phone and pcm after Serve has returned.
func New(c Config, phone hal.Phone, pcm hal.PCM) (*Line, error) {
	c, country, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	c.Log = c.Log.With("line", c.ID)
	var canceller *echo.Canceller
	if c.EchoTail >= 0 {
		if canceller, err = echo.New(echo.Config{Tail: c.EchoTail}); err != nil {
			return nil, fmt.Errorf("line %s: %w", c.ID, err)
		}
	}
	return &Line{
		cfg: c, country: country, phone: phone,
		sound: newSound(pcm, canceller, c.Log),
		asks:  make(chan ask),
		wake:  make(chan struct{}, 1),
		since: time.Now(),
	}, nil
}

// ID implements [call.Line].
func (l *Line) ID() string { return l.cfg.ID }

// Kind implements [call.Line].
func (l *Line) Kind() call.Kind { return call.FXS }

// Serve implements [call.Line]. It returns an error only when the driver of the
// port was closed.
func (l *Line) Serve(ctx context.Context, in call.Receiver) error {
	l.serve.Lock()
	defer l.serve.Unlock()
	done := make(chan struct{})
	l.in = in
	l.serving.Store(&done)
	defer func() {
		l.serving.Store(nil)
		close(done)
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
		case e, ok := <-l.phone.Events():
			if !ok {
				return fmt.Errorf("line %s: port: %w", l.cfg.ID, hal.ErrClosed)
			}
			l.moved(e)
		case a := <-l.asks:
			a.err <- l.answer(a)
		case <-l.wake:
		case d := <-l.sound.digits:
			l.key(d)
		case <-l.shown.over():
			l.told()
		case <-due:
			l.timeout()
		}
		l.hangup()
	}
}

// answer runs a request.
func (l *Line) answer(a ask) error {
	if a.leg != nil && a.leg != l.leg {
		return call.ErrLegEnded
	}
	return a.do()
}

// Dial implements [call.Line]: the phone rings. d.To is ignored. The error is a
// Cause: busy when the phone is in use, out of order when the port has failed.
func (l *Line) Dial(ctx context.Context, d call.Dial) (call.Leg, error) {
	done := l.serving.Load()
	if done == nil {
		return nil, l.down("line %s is not running", l.cfg.ID)
	}
	var g *leg
	a := ask{err: make(chan error, 1), do: func() (err error) { g, err = l.ring(d); return err }}
	select {
	case l.asks <- a:
		if err := <-a.err; err != nil {
			return nil, err
		}
		return g, nil
	case <-*done:
		return nil, l.down("line %s has stopped", l.cfg.ID)
	case <-ctx.Done():
		return nil, l.down("line %s did not react: %v", l.cfg.ID, ctx.Err())
	}
}

// down is the cause of a line that cannot place calls now.
func (l *Line) down(format string, a ...any) call.Cause {
	return call.Cause{Q850: call.Q850OutOfOrder, Who: call.Box, Text: fmt.Sprintf(format, a...)}
}

// ring starts a leg towards the phone.
func (l *Line) ring(d call.Dial) (*leg, error) {
	busy := call.Cause{Q850: call.Q850Busy, SIP: 486, Who: call.Remote}
	if l.state != idle {
		busy.Text = fmt.Sprintf("the phone on %s is busy: %s", l.cfg.ID, l.state.sentence())
		return nil, busy
	}
	l.shown = l.show(d)
	if err := l.alert(); err != nil {
		l.unshow()
		if errors.Is(err, hal.ErrOffHook) {
			busy.Text = fmt.Sprintf("the phone on %s was picked up at this moment", l.cfg.ID)
			return nil, busy
		}
		return nil, l.down("the phone on %s cannot be rung: %v", l.cfg.ID, err)
	}
	g := newLeg(l, call.LegInfo{From: d.From, FromName: d.FromName, To: l.cfg.Number})
	l.leg = g
	l.enter(ringing)
	g.tell(call.LegRinging)
	return g, nil
}

// Status implements [call.Reporter].
func (l *Line) Status() call.LineStatus {
	h := l.phone.Health()
	s := state(l.doing.Load())
	st := call.LineStatus{Ready: h.OK && l.serving.Load() != nil, Since: h.Since, Text: s.sentence(), Max: 1}
	if l.since.After(st.Since) {
		st.Since = l.since
	}
	if s != idle {
		st.Busy = 1
	}
	switch err := l.sound.fault(); {
	case !h.OK:
		st.Text = "the port has failed: " + h.Text
	case l.serving.Load() == nil:
		st.Text = "the line is not running"
	case err != nil:
		st.Text += "; its sound has failed: " + err.Error()
	}
	return st
}
