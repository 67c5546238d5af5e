package gsm

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"callbox/call"
	"callbox/hal"
	"callbox/media"
)

var (
	_ call.Leg           = (*leg)(nil)
	_ call.DigitSender   = (*leg)(nil)
	_ call.MediaReporter = (*leg)(nil)
)

// leg is one call of the SIM.
type leg struct {
	line   *Line
	info   call.LegInfo
	port   port
	events chan *call.LegEvent // sent and closed by the line's goroutine
	ended  chan struct{}       // closed with events
	hangup atomic.Pointer[call.Cause]
	lost   atomic.Uint64 // digits that did not fit into events

	answered bool // owned by the line's goroutine
}

func newLeg(l *Line, info call.LegInfo) *leg {
	info.Line, info.Kind, info.Remote, info.Started = l.cfg.ID, call.GSM, l.cfg.ID, time.Now()
	return &leg{line: l, info: info, port: newPort(), events: make(chan *call.LegEvent, eventRoom+stateRoom), ended: make(chan struct{})}
}

// Info implements [call.Leg].
func (g *leg) Info() call.LegInfo { return g.info }

// Events implements [call.Leg].
func (g *leg) Events() <-chan *call.LegEvent { return g.events }

// Audio implements [call.Leg].
func (g *leg) Audio() media.Port { return &g.port }

// Progress implements [call.Leg]. The network lets the caller hear that it rings,
// and takes no sound before the answer: there is nothing to do.
func (g *leg) Progress(ctx context.Context, _ call.Progress) error {
	return g.ask(ctx, func() error { return nil })
}

// Answer implements [call.Leg].
func (g *leg) Answer(ctx context.Context) error {
	needed := false
	err := g.ask(ctx, func() error {
		if !g.info.Inbound && !g.answered {
			return call.ErrWrongState
		}
		needed = !g.answered
		return nil
	})
	if err != nil || !needed {
		return err
	}
	switch err := g.line.modem.Answer(ctx); {
	case errors.Is(err, hal.ErrNoCall), errors.Is(err, hal.ErrClosed):
		return call.ErrLegEnded
	case err != nil:
		return call.Cause{Q850: call.Q850Temporary, Who: call.Network, Text: "the modem did not take the call: " + err.Error()}
	}
	return nil
}

// Hangup implements [call.Leg].
func (g *leg) Hangup(c call.Cause) {
	if g.hangup.CompareAndSwap(nil, &c) {
		select {
		case g.line.wake <- struct{}{}:
		default: // the line is about to look anyway
		}
	}
}

// SendDigit implements [call.DigitSender]. The modem decides how long it lasts.
func (g *leg) SendDigit(ctx context.Context, digit byte, _ time.Duration) error {
	select {
	case <-g.ended:
		return call.ErrLegEnded
	default:
	}
	err := g.line.modem.SendDigit(ctx, digit)
	if errors.Is(err, hal.ErrNoCall) {
		return call.ErrWrongState
	}
	return err
}

// MediaStats implements [call.MediaReporter]. There are no packets on a wire;
// frames that did not fit between the modem and the clock are Dropped.
func (g *leg) MediaStats() call.MediaStats {
	in, out := g.port.in.Stats(), g.port.out.Stats()
	return call.MediaStats{Dropped: (in.Dropped + out.Dropped) / media.FrameSamples}
}

// ask runs f on the line's goroutine while the leg lives.
func (g *leg) ask(ctx context.Context, f func() error) error {
	a := ask{do: f, err: make(chan error, 1), leg: g}
	select {
	case <-g.ended:
		return call.ErrLegEnded
	default:
	}
	select {
	case g.line.asks <- a:
		return <-a.err
	case <-g.ended:
		return call.ErrLegEnded
	case <-ctx.Done():
		return ctx.Err()
	}
}

// tell sends a change of state; there is always room.
func (g *leg) tell(t call.LegEventType) {
	g.events <- &call.LegEvent{Type: t, At: time.Now()}
}

// digit sends a key, or counts it when nobody reads the events.
func (g *leg) digit(d byte) {
	if len(g.events) >= eventRoom {
		g.lost.Add(1)
		return
	}
	g.events <- &call.LegEvent{Type: call.LegDigit, At: time.Now(), Digit: d}
}

// end is the last thing that happens to a leg.
func (g *leg) end(c call.Cause) {
	g.port.open.Store(false)
	g.events <- &call.LegEvent{Type: call.LegEnded, At: time.Now(), Cause: c}
	close(g.events)
	close(g.ended)
}

// port is the sound of a leg. The media clock reads and writes it; the sound
// goroutines work at the other ends of the rings.
type port struct {
	in, out *media.Ring
	open    atomic.Bool // sound flows
}

var _ media.Port = (*port)(nil)

func newPort() port {
	c := media.RingConfig{Frames: ringFrames, Prefill: prefill}
	return port{in: media.NewRing(c), out: media.NewRing(c)}
}

// ReadFrame gives what the far end said.
func (p *port) ReadFrame(f *media.Frame) bool { return p.open.Load() && p.in.ReadFrame(f) }

// WriteFrame takes what the far end will hear.
func (p *port) WriteFrame(f *media.Frame) {
	if p.open.Load() {
		p.out.WriteFrame(f)
	}
}

// start lets sound flow.
func (p *port) start() {
	if !p.open.Load() {
		p.in.Reset()
		p.out.Reset()
		p.open.Store(true)
	}
}
