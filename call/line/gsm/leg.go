package gsm

import (
	"context"
	"errors"
	"time"

	"callbox/call"
	"callbox/call/line/portleg"
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
	portleg.Leg
	line *Line
	port port

	answered bool // owned by the line's goroutine
}

func newLeg(l *Line, info call.LegInfo) *leg {
	g := &leg{line: l, port: newPort()}
	g.Leg = portleg.New(l.loop, l.cfg.ID, call.GSM, info, &g.port.Sound)
	return g
}

// Audio implements [call.Leg].
func (g *leg) Audio() media.Port { return &g.port }

// Progress implements [call.Leg]. The network lets the caller hear that it rings,
// and takes no sound before the answer: there is nothing to do.
func (g *leg) Progress(ctx context.Context, _ call.Progress) error {
	return g.Ask(ctx, func() error { return nil })
}

// Answer implements [call.Leg].
func (g *leg) Answer(ctx context.Context) error {
	needed := false
	err := g.Ask(ctx, func() error {
		if !g.Info().Inbound && !g.answered {
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

// SendDigit implements [call.DigitSender]. The modem decides how long it lasts.
func (g *leg) SendDigit(ctx context.Context, digit byte, _ time.Duration) error {
	select {
	case <-g.Ended():
		return call.ErrLegEnded
	default:
	}
	err := g.line.modem.SendDigit(ctx, digit)
	if errors.Is(err, hal.ErrNoCall) {
		return call.ErrWrongState
	}
	return err
}

// port is the sound of a leg. The media clock reads and writes it; the sound
// goroutines work at the other ends of the rings.
type port struct {
	portleg.Sound
}

var _ media.Port = (*port)(nil)

func newPort() port { return port{Sound: portleg.NewSound(ringFrames, prefill)} }
