package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"callbox/call"
	"callbox/call/room"
	"callbox/call/script"
	"callbox/media"
	"callbox/media/session"
)

// Rooms are the engine's conferences and queues.
func (e *Engine) Rooms() *room.House { return e.rooms }

// house makes them.
func (e *Engine) house() (*room.House, error) {
	return room.New(room.Config{
		Scheduler: e.cfg.Scheduler, Fetcher: e.cfg.Fetcher, Prompts: e.cfg.Prompts, NewID: e.cfg.NewID,
		Tell: e.tellRoom, Record: e.recordRoom, Go: e.tasks.Go, Now: e.cfg.Now, Log: e.cfg.Logger,
		Music: e.cfg.Rooms.Music, Bell: e.cfg.Rooms.Bell, Queues: e.cfg.Rooms.Queues, SaveQueues: e.cfg.Rooms.SaveQueues,
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
	b, err := g.join(ctx, o.c, &script.Dial{HangupOnStar: star}, func() bool { return o.s == nil || !o.s.replaced })
	if err != nil {
		return nil, err
	}
	return queueBridge{b}, nil
}

// queueBridge is the connection of a call with one that waited in a queue.
type queueBridge struct{ b *bridge }

func (q queueBridge) Star() <-chan struct{} { return q.b.star }
func (q queueBridge) Close()                { q.b.close() }

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

// roomRecording is a recording of a conference. Its goroutine (keep) ends when
// the file is whole.
type roomRecording struct {
	e    *Engine
	rec  *session.Recorder
	file RecordingFile
	trim bool
	once sync.Once
	stop chan struct{} // closed by the first Stop
	done chan struct{} // closed when it has stopped
	end  chan struct{} // closed when final is set

	final call.Recording
}

// recordRoom records a conference, which is heard inside.
func (e *Engine) recordRoom(inside *session.Session, c call.Conference, o call.RecordOptions) (script.Recording, error) {
	o = e.limits.Load().recording(o)
	id := e.cfg.NewID(c.API, "recording")
	file, name, err := e.cfg.Files.Create(id, 1)
	if err != nil {
		return nil, fmt.Errorf("make the recording's file: %w", err)
	}
	rec, err := session.Record(inside, session.RecorderConfig{Track: session.Inbound, MaxLength: o.MaxLength}, file)
	if err != nil {
		file.Discard() //nolint:errcheck // the first error counts
		return nil, fmt.Errorf("start the recording: %w", err)
	}
	now := e.cfg.Now()
	r := &roomRecording{e: e, rec: rec, file: file, trim: o.Trim, stop: make(chan struct{}), done: make(chan struct{}), end: make(chan struct{}),
		final: call.Recording{ID: id, Call: c.ID, Conference: c.ID, Account: c.Account, API: c.API, Status: "in-progress",
			Source: o.Source, Track: call.TrackBoth, Channels: 1, Created: now, Started: now, Updated: now, File: name, Hook: o.Status}}
	e.tellRoomRecording(call.EventRecordingStarted, r.final, now)
	e.tasks.Go(r.keep)
	return r, nil
}

// tellRoomRecording keeps and tells how a recording stands.
func (e *Engine) tellRoomRecording(t call.EventType, rec call.Recording, at time.Time) {
	e.cfg.Journal.AppendRecording(rec)
	e.tellRoom(call.Event{Type: t, At: at, Record: &call.Record{ID: rec.Conference, API: rec.API, Account: rec.Account}, Recording: &rec})
}

// keep waits for the end of the recording and makes the file whole.
func (r *roomRecording) keep() {
	select {
	case <-r.rec.Done():
	case <-r.stop:
	}
	close(r.done)
	err := r.rec.Stop()
	rec := r.final
	rec.Updated = r.e.cfg.Now()
	finish(r.file, r.trim, &rec, err)
	t := call.EventRecordingDone
	if rec.Status == "absent" {
		t = call.EventRecordingAbsent
		r.e.cfg.Logger.Warn("the recording of a conference is not there", "conference", rec.Conference, "err", rec.Error)
	}
	r.final = rec
	r.e.tellRoomRecording(t, rec, rec.Updated)
	close(r.end)
}

// Done is closed when the recording has stopped.
func (r *roomRecording) Done() <-chan struct{} { return r.done }

// Stop ends the recording and gives its final record.
func (r *roomRecording) Stop() (call.Recording, error) {
	r.once.Do(func() { close(r.stop) })
	<-r.end
	return r.final, nil
}
