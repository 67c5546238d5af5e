package fxo

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
	_ call.Overhearer    = (*leg)(nil)
)

// leg is one call over the line.
type leg struct {
	portleg.Leg
	line *Line
	port port

	answered bool // owned by the line's goroutine, as all below
	rang     bool
	early    bool
	onAnswer []chan error // who waits in Answer
}

func newLeg(l *Line, info call.LegInfo) *leg {
	g := &leg{line: l, port: newPort()}
	g.Leg = portleg.New(l.loop, l.cfg.ID, call.FXO, info, &g.port.Sound)
	return g
}

// Audio implements [call.Leg].
func (g *leg) Audio() media.Port { return &g.port }

// Progress implements [call.Leg]: an exchange cannot be told anything but the answer;
// the caller hears its ringback tone until then.
func (g *leg) Progress(context.Context, call.Progress) error {
	select {
	case <-g.Ended():
		return call.ErrLegEnded
	default:
		return nil
	}
}

// Answer implements [call.Leg]. It returns when the line is off-hook.
func (g *leg) Answer(ctx context.Context) error {
	done := make(chan error, 1)
	if err := g.Ask(ctx, func() error { return g.line.answer(g, done) }); err != nil {
		return err
	}
	select {
	case err := <-done:
		return err
	case <-g.Ended():
		return call.ErrLegEnded
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Echo implements [call.EchoReporter].
func (g *leg) Echo() (returnLoss, enhancement float64, ok bool) { return g.line.sound.hybrid.Loss() }

// Overheard implements [call.Overhearer].
func (g *leg) Overheard() []int16 { return g.line.sound.super.overheard() }

// port is the sound of a leg. The media clock reads and writes it; the sound
// goroutines work at the other ends of the rings.
type port struct {
	portleg.Sound
	says  media.Clip  // what the line is told instead of a leg's sound; nil: that
	clear atomic.Bool // see SetTransparent
	mute  atomic.Int32
}

var (
	_ media.Port        = (*port)(nil)
	_ media.Transparent = (*port)(nil)
)

func newPort() port { return port{Sound: portleg.NewSound(ringFrames, prefill)} }

// SetTransparent implements [media.Transparent]: the echo stays in.
func (p *port) SetTransparent() { p.clear.Store(true) }

// cut drops what is on the way from the line: the end of the ringback tone is not the
// far party's.
func (p *port) cut() {
	p.mute.Store(tailFrames)
	p.In.Reset()
}
