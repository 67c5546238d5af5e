package fxs

import (
	"context"
	"sync/atomic"

	"callbox/call"
	"callbox/call/line/portleg"
	"callbox/media"
)

var (
	_ call.Leg           = (*leg)(nil)
	_ call.MediaReporter = (*leg)(nil)
	_ call.EchoReporter  = (*leg)(nil)
)

// leg is one call of the phone.
type leg struct {
	portleg.Leg
	line *Line
	port port

	answered bool // owned by the line's goroutine
}

func newLeg(l *Line, info call.LegInfo) *leg {
	g := &leg{line: l, port: newPort()}
	g.Leg = portleg.New(l.loop, l.cfg.ID, call.FXS, info, &g.port.Sound)
	return g
}

// Audio implements [call.Leg].
func (g *leg) Audio() media.Port { return &g.port }

// Progress implements [call.Leg]: the phone that called hears the ringback tone,
// or the sound of the leg.
func (g *leg) Progress(ctx context.Context, p call.Progress) error {
	return g.Ask(ctx, func() error {
		if !g.Info().Inbound || g.answered {
			return nil
		}
		g.line.progress(g, p)
		return nil
	})
}

// Answer implements [call.Leg].
func (g *leg) Answer(ctx context.Context) error {
	return g.Ask(ctx, func() error {
		switch {
		case g.answered:
			return nil
		case !g.Info().Inbound:
			return call.ErrWrongState
		}
		g.line.connect(g)
		return nil
	})
}

// Echo implements [call.EchoReporter].
func (g *leg) Echo() (returnLoss, enhancement float64, ok bool) { return g.line.sound.hybrid.Loss() }

// end is the last thing that happens to a leg. onward are other parties to whom a call
// that was not answered goes on.
func (g *leg) end(c call.Cause, onward ...string) {
	g.port.Shut()
	g.line.group.silent(g)
	g.End(c, onward...)
}

// port is the sound of a leg. The media clock reads and writes it; the sound
// goroutines work at the other ends of the rings.
type port struct {
	portleg.Sound
	other *media.Ring // what the third of a conference says to this leg
	clear atomic.Bool // see SetTransparent
}

var (
	_ media.Port        = (*port)(nil)
	_ media.Transparent = (*port)(nil)
)

func newPort() port {
	return port{Sound: portleg.NewSound(ringFrames, prefill), other: media.NewRing(media.RingConfig{Frames: ringFrames, Prefill: prefill})}
}

// hears gives the leg a frame of the phone and, in a conference, of the third.
func (p *port) hears(f *media.Frame, three bool) {
	if !three {
		p.FromDevice.Push(f)
		return
	}
	var all media.Frame
	p.other.Pull(all[:])
	all.Add(f)
	p.FromDevice.Push(&all)
}

// SetTransparent implements [media.Transparent]: the echo stays in.
func (p *port) SetTransparent() { p.clear.Store(true) }
