package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"callbox/api/hook"
	"callbox/call"
	"callbox/storage"
)

// journal is the engine's memory: records in the store, and with them, in the
// same write, the callbacks that an event owes.
type journal struct {
	store  *storage.Store
	render func(call.Event) []call.Notice
	log    *slog.Logger
}

func newJournal(s *storage.Store, d *hook.Deliverer, log *slog.Logger) *journal {
	return &journal{store: s, render: d.Render, log: log}
}

// Create writes a new record and waits for the disk.
func (j *journal) Create(ctx context.Context, rec call.Record) error {
	return j.store.Commit(ctx, storage.Write{Calls: []*call.Record{&rec}})
}

// Append hands over an event's messages and, with keep, the record.
func (j *journal) Append(ev call.Event, keep bool) {
	w := storage.Write{Notices: j.render(ev)}
	if keep {
		w.Calls = []*call.Record{ev.Record}
	}
	if len(w.Calls)+len(w.Notices) > 0 {
		j.enqueue(w, ev.Record.ID)
	}
}

// AppendRecording hands over a recording's record.
func (j *journal) AppendRecording(r call.Recording) {
	j.enqueue(storage.Write{Recordings: []call.Recording{r}}, r.Call)
}

// enqueue gives a write to the store. It fails only when the disk is so far
// behind that calls have long been refused, or after the store was closed.
func (j *journal) enqueue(w storage.Write, id string) {
	if err := j.store.Enqueue(w); err != nil {
		j.log.Error("a call's record could not be kept", "call", id, "err", err)
	}
}

// Backlog is the number of writes that wait for the disk.
func (j *journal) Backlog() int { return j.store.Backlog() }

// Call gives a stored record.
func (j *journal) Call(_ context.Context, account, id string) (call.Record, error) {
	return j.store.Call(account, id)
}

// Calls lists stored records.
func (j *journal) Calls(_ context.Context, f call.Filter) (call.Page, error) { return j.store.Calls(f) }

// Delete forgets a stored record.
func (j *journal) Delete(ctx context.Context, account, id string) error {
	return j.store.DeleteCall(ctx, account, id)
}

// ByIdempotency finds the call that a request with this value made.
func (j *journal) ByIdempotency(_ context.Context, account, value string) (call.Record, bool) {
	rec, ok, err := j.store.Idempotent(account, value)
	if err != nil {
		j.log.Error("cannot look for a repeated request", "err", err)
	}
	return rec, ok && err == nil
}

// closeAtOnce is how many calls left open are closed in one write.
const closeAtOnce = 200

// closeOpen ends the calls that the last run left open: the power was cut, or
// the process killed. Their final callbacks are owed like any other's. How long
// they went on is not known; they count as ended when the store was last
// written, because a call must not seem to have lasted while the box was off.
func (j *journal) closeOpen(ctx context.Context, now func() time.Time) (int, error) {
	open, err := j.store.OpenCalls()
	if err != nil {
		return 0, fmt.Errorf("look for calls left open: %w", err)
	}
	alive := j.store.LastWrite()
	for part := range slices.Chunk(open, closeAtOnce) {
		var w storage.Write
		for _, rec := range part {
			ev := powerLost(rec, alive, now())
			w.Calls, w.Notices = append(w.Calls, ev.Record), append(w.Notices, j.render(ev)...)
		}
		if err := j.store.Commit(ctx, w); err != nil {
			return 0, fmt.Errorf("close calls that were left open: %w", err)
		}
	}
	return len(open), nil
}

// powerLost is the end of a call that was up when the gateway stopped. It ended
// when the box was last known alive, not before its own last event and not in
// the future.
func powerLost(rec call.Record, alive, now time.Time) call.Event {
	at := rec.Updated
	if alive.After(at) && alive.Before(now) {
		at = alive
	}
	state := call.Failed
	if rec.State == call.InProgress {
		state = call.Completed
	}
	rec.State, rec.Ended, rec.Updated = state, &at, now
	rec.Cause = &call.Cause{Q850: call.Q850Temporary, SIP: 503, Who: call.Box, Text: "power lost: the gateway stopped while the call was up"}
	ev := call.Event{Type: call.EventEnded, Seq: rec.Seq, At: now}
	rec.Seq++
	ev.Record = &rec
	return ev
}

// closeRecording writes the end of a recording that the last run left behind,
// with the callback that it owes.
func (j *journal) closeRecording(ctx context.Context, r call.Recording) error {
	rec, err := j.store.Call("", r.Call)
	if err != nil {
		rec = call.Record{ID: r.Call, API: r.API, Account: r.Account} // it was deleted
	}
	t := call.EventRecordingDone
	if r.Status == "absent" {
		t = call.EventRecordingAbsent
	}
	ev := call.Event{Type: t, At: r.Updated, Record: &rec, Recording: &r}
	return j.store.Commit(ctx, storage.Write{Recordings: []call.Recording{r}, Notices: j.render(ev)})
}
