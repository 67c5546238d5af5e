package gsm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"callbox/call"
	"callbox/call/line/portleg"
	"callbox/hal"
)

var (
	_ call.Line     = (*Line)(nil)
	_ call.Reporter = (*Line)(nil)
)

// Config is a line's configuration.
type Config struct {
	// ID is the line's stable name, usually the port's: "gsm1".
	ID string
	// Number is the SIM's own number, the To of calls that arrive; empty: what the
	// SIM says, or else ID.
	Number string
	// Log gets one line per change of state; nil: none.
	Log *slog.Logger
}

// Fixed limits of a line.
const (
	digitRoom  = 32          // keys between the sound and the line
	ringFrames = 8           // sound between modem and clock: bursts of 5, and what lies before
	prefill    = 2           // 40 ms: both ends jitter
	retryTime  = time.Second // after an error of the sound
)

// Line is a SIM in a modem. All methods may be called from any goroutine.
type Line struct {
	cfg   Config
	modem hal.Modem
	sound *sound
	loop  *portleg.Loop
	since time.Time // when the line was made

	// Owned by Serve's goroutine.
	leg *leg
	in  call.Receiver
}

// New makes the line of a modem. It does nothing until Serve runs. The caller
// closes modem and pcm after Serve has returned.
func New(c Config, modem hal.Modem, pcm hal.PCM) (*Line, error) {
	if c.ID == "" {
		return nil, errors.New("a gsm line needs an id")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Log = c.Log.With("line", c.ID)
	return &Line{cfg: c, modem: modem, sound: newSound(pcm, c.Log), loop: portleg.NewLoop(), since: time.Now()}, nil
}

// ID implements [call.Line].
func (l *Line) ID() string { return l.cfg.ID }

// Kind implements [call.Line].
func (l *Line) Kind() call.Kind { return call.GSM }

// Serve implements [call.Line]. It returns an error only when the driver of the
// modem was closed.
func (l *Line) Serve(ctx context.Context, in call.Receiver) error {
	stopped := l.loop.Open()
	defer l.loop.Closed()
	l.in = in
	defer func() {
		stopped()
		l.leave()
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-l.modem.Events():
			if !ok {
				return fmt.Errorf("line %s: modem: %w", l.cfg.ID, hal.ErrClosed)
			}
			l.happened(e)
		case a := <-l.loop.Asks():
			a.Do(l.leg != nil && a.Leg == &l.leg.Leg)
		case <-l.loop.Woken():
		case d := <-l.sound.digits:
			if l.leg != nil {
				l.leg.Digit(d)
			}
		}
		if g := l.leg; g != nil && g.HungUp() != nil {
			l.modem.Hangup()
		}
	}
}

// Dial implements [call.Line]. The error is a Cause.
func (l *Line) Dial(ctx context.Context, d call.Dial) (call.Leg, error) {
	var g *leg
	if err := l.loop.Do(ctx, func() (err error) { g, err = l.place(ctx, d); return err }); err != nil {
		return nil, portleg.CauseOf(err, l.cfg.ID, l.down)
	}
	return g, nil
}

// down is the cause of a line that cannot place calls now.
func (l *Line) down(format string, a ...any) call.Cause {
	return call.Cause{Q850: call.Q850OutOfOrder, SIP: 503, Who: call.Box, Text: fmt.Sprintf(format, a...)}
}

// place starts an outgoing leg.
func (l *Line) place(ctx context.Context, d call.Dial) (*leg, error) {
	l.catchUp()
	inCall := call.Cause{Q850: call.Q850NoCircuit, SIP: 503, Who: call.Box, Text: fmt.Sprintf("the SIM of line %s is in a call", l.cfg.ID)}
	if l.leg != nil {
		return nil, inCall
	}
	err := l.modem.Dial(ctx, d.To, d.Private || d.From == "anonymous")
	switch {
	case errors.Is(err, hal.ErrInCall):
		return nil, inCall
	case errors.Is(err, hal.ErrNotReady):
		return nil, l.down("line %s: %s", l.cfg.ID, l.modem.State().Text)
	case err != nil:
		return nil, call.Cause{Q850: call.Q850InvalidNumber, SIP: 484, Who: call.Box, Text: fmt.Sprintf("line %s: %v", l.cfg.ID, err)}
	}
	l.leg = newLeg(l, call.LegInfo{From: d.From, FromName: d.FromName, To: d.To})
	l.sound.start()
	return l.leg, nil
}

// catchUp takes what the modem has told so far: a call that has ended must not be taken
// for the next one, nor the next one for it.
func (l *Line) catchUp() {
	for {
		select {
		case e, ok := <-l.modem.Events():
			if !ok { // Serve sees it too
				return
			}
			l.happened(e)
		default:
			return
		}
	}
}

// happened takes what the modem tells of its call.
func (l *Line) happened(e hal.ModemEvent) {
	g := l.leg
	if e.Type == hal.ModemIncoming {
		l.arrived(e)
		return
	}
	if g == nil { // of a call that was ended while nobody served
		return
	}
	switch e.Type {
	case hal.ModemAlerting:
		g.Tell(call.LegRinging)
	case hal.ModemEarly:
		l.sound.connect(&g.port)
		g.Tell(call.LegEarly)
	case hal.ModemAnswered:
		l.connected(g)
	case hal.ModemDigit:
		g.Digit(e.Digit)
	case hal.ModemReleased:
		l.released(g, e.Release)
	case hal.ModemIncoming:
	}
}

// arrived hands over a call that arrives.
func (l *Line) arrived(e hal.ModemEvent) {
	if l.leg != nil { // the driver tells of one call at a time
		l.cfg.Log.Warn("a call arrives during another one")
		return
	}
	number := e.Number
	info := call.LegInfo{Inbound: true, From: number, To: l.number()}
	if number == "" {
		info.From, info.FromName, info.Private = "anonymous", "Anonymous", true
	}
	l.leg = newLeg(l, info)
	l.sound.start()
	l.in.Incoming(l.leg)
}

// number is the SIM's own.
func (l *Line) number() string {
	return cmp.Or(l.Number(), l.cfg.ID)
}

// connected joins leg and modem.
func (l *Line) connected(g *leg) {
	if g.answered {
		return
	}
	l.sound.report(!l.modem.State().HearsDigits)
	l.sound.connect(&g.port)
	g.answered = true
	g.Tell(call.LegAnswered)
}

// released ends the leg.
func (l *Line) released(g *leg, r hal.Release) {
	who := map[hal.Side]call.Who{hal.ByFarEnd: call.Remote, hal.ByNetwork: call.Network, hal.ByBox: call.Box}[r.By]
	c := call.Cause{Q850: r.Q850, Who: who, Text: r.Text}
	if own := g.HungUp(); own != nil {
		c = *own
	}
	l.leg = nil
	l.sound.stop()
	g.End(c)
}

// leave ends everything when Serve ends.
func (l *Line) leave() {
	if g := l.leg; g != nil {
		l.modem.Hangup()
		c := call.Cause{Q850: call.Q850Temporary, Who: call.Box, Text: "the line was stopped"}
		if h := g.HungUp(); h != nil {
			c = *h
		}
		l.leg = nil
		g.End(c)
	}
	l.sound.stop()
	l.sound.wait()
}

// Status implements [call.Reporter].
func (l *Line) Status() call.LineStatus {
	m := l.modem.State()
	st := call.LineStatus{Ready: m.OK && l.loop.Running(), Since: m.Since, Text: m.Text, Max: 1}
	if l.since.After(st.Since) {
		st.Since = l.since
	}
	if m.Busy {
		st.Busy = 1
	}
	switch {
	case !l.loop.Running():
		st.Text = "the line is not running"
	case m.OK && m.Busy:
		st.Text = "in a call; " + m.Text
	}
	return st
}
