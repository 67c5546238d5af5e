package portleg

import (
	"context"
	"sync/atomic"
	"time"

	"callbox/call"
	"callbox/media"
)

const (
	eventRoom = 64 // events of a leg; digits beyond are dropped
	stateRoom = 8  // further room that only changes of state use
)

// Leg is what the legs of all ports have in common; a line's own leg embeds it.
// Info, Events, Hangup, Ask, Ended and MediaStats may be called from any goroutine,
// the rest is for the line's.
type Leg struct {
	loop   *Loop
	sound  *Sound
	info   call.LegInfo
	events chan *call.LegEvent // sent and closed by the line's goroutine
	ended  chan struct{}       // closed with events
	hangup atomic.Pointer[call.Cause]
	lost   atomic.Uint64 // digits that did not fit into events
}

// New makes a leg of a line, with its sound.
func New(loop *Loop, line string, kind call.Kind, info call.LegInfo, sound *Sound) Leg {
	info.Line, info.Kind, info.Remote, info.Started = line, kind, line, time.Now()
	return Leg{loop: loop, sound: sound, info: info, events: make(chan *call.LegEvent, eventRoom+stateRoom), ended: make(chan struct{})}
}

// Info implements [call.Leg].
func (g *Leg) Info() call.LegInfo { return g.info }

// Events implements [call.Leg].
func (g *Leg) Events() <-chan *call.LegEvent { return g.events }

// Ended is closed with the leg's end.
func (g *Leg) Ended() <-chan struct{} { return g.ended }

// Hangup implements [call.Leg].
func (g *Leg) Hangup(c call.Cause) {
	if g.hangup.CompareAndSwap(nil, &c) {
		g.loop.Wake()
	}
}

// HungUp is why the box has hung up, nil while it has not.
func (g *Leg) HungUp() *call.Cause { return g.hangup.Load() }

// MediaStats implements [call.MediaReporter]. There are no packets on a wire; frames
// that did not fit between the device and the clock are Dropped.
func (g *Leg) MediaStats() call.MediaStats {
	in, out := g.sound.In.Stats(), g.sound.Out.Stats()
	return call.MediaStats{Dropped: (in.Dropped + out.Dropped) / media.FrameSamples}
}

// Ask runs f on the line's goroutine while the leg lives. The error is f's,
// call.ErrLegEnded or ctx's.
func (g *Leg) Ask(ctx context.Context, f func() error) error {
	a := Ask{do: f, err: make(chan error, 1), Leg: g}
	select {
	case <-g.ended:
		return call.ErrLegEnded
	default:
	}
	select {
	case g.loop.asks <- a:
		return <-a.err
	case <-g.ended:
		return call.ErrLegEnded
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Tell sends a change of state; there is always room.
func (g *Leg) Tell(t call.LegEventType) { g.Send(&call.LegEvent{Type: t}) }

// Send sends an event, which gets its time; there is always room for those that are
// no keys. Of a leg that has ended nothing is told any more.
func (g *Leg) Send(e *call.LegEvent) {
	select {
	case <-g.ended:
		return
	default:
	}
	e.At = time.Now()
	g.events <- e
}

// Digit sends a key, or counts it when nobody reads the events.
func (g *Leg) Digit(d byte) {
	if len(g.events) >= eventRoom {
		g.lost.Add(1)
		return
	}
	g.Send(&call.LegEvent{Type: call.LegDigit, Digit: d})
}

// End is the last thing that happens to a leg; a second one is none. onward are other
// parties to whom a call that was not answered goes on.
func (g *Leg) End(c call.Cause, onward ...string) {
	select {
	case <-g.ended:
		return
	default:
	}
	g.sound.Shut()
	g.Send(&call.LegEvent{Type: call.LegEnded, Cause: c, Onward: onward})
	close(g.events)
	close(g.ended)
}

// Sound is a leg's sound. The media clock reads and writes it as a [media.Port]; the
// line's goroutines work at the other ends of the rings, of which FromDevice and
// ToDevice make up for the device's clock, which is not the box's.
type Sound struct {
	In, Out              *media.Ring
	FromDevice, ToDevice *media.Elastic
	open                 atomic.Bool // sound flows
}

// NewSound makes the sound of a leg, with rings of so many frames that begin with
// prefill of silence.
func NewSound(frames, prefill int) Sound {
	c := media.RingConfig{Frames: frames, Prefill: prefill}
	in, out := media.NewRing(c), media.NewRing(c)
	return Sound{In: in, Out: out, FromDevice: media.NewElastic(in, prefill), ToDevice: media.NewElastic(out, prefill)}
}

// ReadFrame gives what the far end said.
func (p *Sound) ReadFrame(f *media.Frame) bool { return p.open.Load() && p.In.ReadFrame(f) }

// WriteFrame takes what the far end will hear.
func (p *Sound) WriteFrame(f *media.Frame) {
	if p.open.Load() {
		p.Out.WriteFrame(f)
	}
}

// Start lets sound flow.
func (p *Sound) Start() {
	if !p.open.Load() {
		p.In.Reset()
		p.Out.Reset()
		p.open.Store(true)
	}
}

// Shut ends it.
func (p *Sound) Shut() { p.open.Store(false) }
