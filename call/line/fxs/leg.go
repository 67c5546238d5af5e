package fxs

import (
	"context"
	"sync/atomic"
	"time"

	"callbox/call"
	"callbox/media"
)

var (
	_ call.Leg           = (*leg)(nil)
	_ call.MediaReporter = (*leg)(nil)
	_ call.EchoReporter  = (*leg)(nil)
)

// leg is one call of the phone.
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
	info.Line, info.Kind, info.Remote, info.Started = l.cfg.ID, call.FXS, l.cfg.ID, time.Now()
	return &leg{
		line:   l,
		info:   info,
		port:   newPort(),
		events: make(chan *call.LegEvent, eventRoom+stateRoom),
		ended:  make(chan struct{}),
	}
}

// Info implements [call.Leg].
func (g *leg) Info() call.LegInfo { return g.info }

// Events implements [call.Leg].
func (g *leg) Events() <-chan *call.LegEvent { return g.events }

// Audio implements [call.Leg].
func (g *leg) Audio() media.Port { return &g.port }

// Progress implements [call.Leg]: the phone that called hears the ringback tone,
// or the sound of the leg.
func (g *leg) Progress(ctx context.Context, p call.Progress) error {
	return g.ask(ctx, func() error {
		if !g.info.Inbound || g.answered {
			return nil
		}
		g.line.progress(g, p)
		return nil
	})
}

// Answer implements [call.Leg].
func (g *leg) Answer(ctx context.Context) error {
	return g.ask(ctx, func() error {
		switch {
		case g.answered:
			return nil
		case !g.info.Inbound:
			return call.ErrWrongState
		}
		g.line.connect(g)
		return nil
	})
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

// MediaStats implements [call.MediaReporter]. There are no packets on a wire;
// frames that did not fit between the device and the clock are Dropped.
func (g *leg) MediaStats() call.MediaStats {
	in, out := g.port.in.Stats(), g.port.out.Stats()
	return call.MediaStats{Dropped: (in.Dropped + out.Dropped) / media.FrameSamples}
}

// Echo implements [call.EchoReporter]. What was measured in earlier calls of the
// port counts too: the line is the same.
func (g *leg) Echo() (returnLoss, enhancement float64, ok bool) {
	s := g.line.sound.hybrid.last.Load()
	if s == nil || !s.Known {
		return 0, 0, false
	}
	return s.ReturnLoss, s.Enhancement, true
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
func (g *leg) end(c call.Cause) { g.endOnward(c) }

// endOnward ends a leg that has not been answered and goes on to other parties.
func (g *leg) endOnward(c call.Cause, to ...string) {
	g.port.shut()
	g.line.group.silent(g)
	g.events <- &call.LegEvent{Type: call.LegEnded, At: time.Now(), Cause: c, Onward: to}
	close(g.events)
	close(g.ended)
}

// port is the sound of a leg. The media clock reads and writes it; the sound
// goroutines work at the other ends of the rings.
type port struct {
	in, out *media.Ring
	other   *media.Ring // what the third of a conference says to this leg
	// The device's ends of in and out: its clock is not the box's.
	toIn, fromOut *media.Elastic
	open          atomic.Bool // sound flows
	clear         atomic.Bool // see SetTransparent
}

var (
	_ media.Port        = (*port)(nil)
	_ media.Transparent = (*port)(nil)
)

func newPort() port {
	c := media.RingConfig{Frames: ringFrames, Prefill: prefill}
	in, out := media.NewRing(c), media.NewRing(c)
	return port{in: in, out: out, other: media.NewRing(c), toIn: media.NewElastic(in, prefill), fromOut: media.NewElastic(out, prefill)}
}

// hears gives the leg a frame of the phone and, in a conference, of the third.
func (p *port) hears(f *media.Frame, three bool) {
	if !three {
		p.toIn.Push(f)
		return
	}
	var all media.Frame
	p.other.Pull(all[:])
	all.Add(f)
	p.toIn.Push(&all)
}

// ReadFrame gives what the phone said.
func (p *port) ReadFrame(f *media.Frame) bool { return p.open.Load() && p.in.ReadFrame(f) }

// WriteFrame takes what the phone will hear.
func (p *port) WriteFrame(f *media.Frame) {
	if p.open.Load() {
		p.out.WriteFrame(f)
	}
}

// SetTransparent implements [media.Transparent]: the echo stays in.
func (p *port) SetTransparent() { p.clear.Store(true) }

// start lets sound flow.
func (p *port) start() {
	if !p.open.Load() {
		p.in.Reset()
		p.out.Reset()
		p.open.Store(true)
	}
}

// shut ends it.
func (p *port) shut() { p.open.Store(false) }
