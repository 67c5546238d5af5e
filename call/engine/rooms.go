package engine

import (
	"context"
	"errors"
	"fmt"

	"callbox/call"
	"callbox/call/room"
	"callbox/call/script"
	"callbox/media"
)

// Rooms are the engine's conferences and queues.
func (e *Engine) Rooms() *room.House { return e.rooms }

// house makes them.
func (e *Engine) house() (*room.House, error) {
	return room.New(room.Config{
		Scheduler: e.cfg.Scheduler, Fetcher: e.cfg.Fetcher, Prompts: e.cfg.Prompts, NewID: e.cfg.NewID,
		Tell: e.tellRoom, Record: e.recordRoom, Go: e.tasks.Go, Now: e.cfg.Now, Log: e.cfg.Logger,
		Music: e.cfg.Rooms.Music, Bell: e.cfg.Rooms.Bell, Queues: e.cfg.Rooms.Queues, SaveQueues: e.cfg.Rooms.SaveQueues,
		Past: e.cfg.Rooms.Past, SaveConference: e.cfg.Rooms.SaveConference,
	})
}

// tellRoom publishes and journals an event of a conference.
func (e *Engine) tellRoom(ev call.Event) {
	e.cfg.Publisher.Publish(ev)
	e.cfg.Journal.Append(ev, false)
}

// guest is a call in a room.
type guest struct{ control }

var (
	_ room.Party   = guest{}
	_ script.Rooms = control{}
)

// Env is what its script may do.
func (g guest) Env() script.Env { return *g.c.env(g.s) }

// Enter gives the call's sound a place in a room.
func (g guest) Enter(ctx context.Context, seat media.Port) error {
	return g.ask(ctx, func() error {
		if g.c.sess == nil {
			return call.ErrEnded
		}
		return g.c.sess.Enter(seat)
	})
}

// Leave takes the call's sound out of it.
func (g guest) Leave(seat media.Port) {
	g.c.do(context.Background(), func() {
		if g.c.sess != nil {
			g.c.sess.Leave(seat)
		}
	})
}

// Bridge connects the call with another.
func (g guest) Bridge(ctx context.Context, other room.Party, star bool) (room.Bridge, error) {
	o, ok := other.(guest)
	if !ok {
		return nil, errors.New("the other party is no call of this engine")
	}
	b, err := g.join(ctx, o.c, &script.Dial{HangupOnStar: star}, func() bool { return o.s == nil || !o.s.replaced }, nil)
	if err != nil {
		return nil, err
	}
	return queueBridge{b}, nil
}

// queueBridge is the connection of a call with one that waited in a queue.
type queueBridge struct{ b *bridge }

func (q queueBridge) Star() <-chan struct{} { return q.b.star }
func (q queueBridge) Close()                { q.b.close(); q.b.home() }

// Confer brings the call into a conference.
func (k control) Confer(ctx context.Context, c script.Conference) (script.ConferenceResult, error) {
	return k.c.e.rooms.Confer(ctx, guest{k}, c)
}

// Enqueue lets the call wait in a queue.
func (k control) Enqueue(ctx context.Context, q script.Enqueue) (script.QueueResult, error) {
	return k.c.e.rooms.Enqueue(ctx, guest{k}, q)
}

// Dequeue connects the call with one that waits in a queue.
func (k control) Dequeue(ctx context.Context, d script.Dequeue) (script.DequeueResult, error) {
	d.TimeLimit = k.c.e.limits.Load().answered(d.TimeLimit)
	return k.c.e.rooms.Dequeue(ctx, guest{k}, d)
}

// changeParticipant changes the part of a call in the conference that it is in;
// call.ErrWrongState when it is in none.
func (e *Engine) changeParticipant(ctx context.Context, c *live, ch call.ParticipantChange) error {
	_, err := e.rooms.ChangeParticipant(ctx, c.account, "", c.id, ch)
	if errors.Is(err, call.ErrNotFound) {
		return fmt.Errorf("%w: it is in no conference", call.ErrWrongState)
	}
	return err
}

// uninvite tells a conference in which the call is expected that it will not come.
// The conference asks calls what they are, so it is told on another goroutine.
func (c *live) uninvite() {
	if rec := c.snapshot(); c.e.rooms.Invited(c.id) {
		c.e.tasks.Go(func() { c.e.rooms.CallEnded(rec) })
	}
}
