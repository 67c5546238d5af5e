package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"callbox/call"
	"callbox/storage"
)

// openJournal opens a journal on a folder; its events are told as notices
// "call type sequence".
func openJournal(t *testing.T, dir string) *journal {
	t.Helper()
	s, err := storage.Open(storage.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, storage.ErrClosed) {
			t.Error(err)
		}
	})
	return &journal{store: s, log: slog.New(slog.DiscardHandler), render: func(ev call.Event) []call.Notice {
		return []call.Notice{{Key: ev.Record.ID, Payload: fmt.Appendf(nil, "%s %s %d", ev.Record.ID, ev.Type, ev.Seq)}}
	}}
}

func (j *journal) owed(t *testing.T) (out []string) {
	t.Helper()
	list, err := j.store.PendingNotices(0, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range list {
		out = append(out, string(n.Payload))
	}
	return out
}

func TestJournal(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	dir := t.TempDir()
	j := openJournal(t, dir)
	rec := call.Record{ID: "CA1", Account: "AC1", Created: time.Now(), Idempotency: "key"}
	if err := j.Create(ctx, rec); err != nil {
		t.Fatal(err)
	}
	rec.State = call.Ringing
	j.Append(call.Event{Type: call.EventRinging, Seq: 1, Record: &rec}, false)
	if r, err := j.Call(ctx, "AC1", "CA1"); err != nil || r.State != call.Queued {
		t.Errorf("an event that is not kept changes the record: %s, %v", r.State, err)
	}
	rec.State = call.Completed
	j.Append(call.Event{Type: call.EventEnded, Seq: 2, Record: &rec}, true)
	j.AppendRecording(call.Recording{ID: "RE1", Call: "CA1", Account: "AC1", Created: rec.Created})
	if r, err := j.Call(ctx, "AC1", "CA1"); err != nil || r.State != call.Completed {
		t.Errorf("the record: %s, %v", r.State, err)
	}
	if p, err := j.Calls(ctx, call.Filter{Account: "AC1"}); err != nil || len(p.Records) != 1 {
		t.Errorf("the list: %v, %v", p, err)
	}
	if r, ok := j.ByIdempotency(ctx, "AC1", "key"); !ok || r.ID != "CA1" {
		t.Errorf("by its request: %v, %v", r, ok)
	}
	if _, ok := j.ByIdempotency(ctx, "AC2", "key"); ok {
		t.Error("another account's request was found")
	}
	if err := j.store.Close(); err != nil {
		t.Fatal(err)
	}
	j.Append(call.Event{Type: call.EventEnded, Record: &rec}, true) // too late: logged, and nothing else
	j = openJournal(t, dir)
	if got := j.owed(t); !slices.Equal(got, []string{"CA1 ringing 1", "CA1 completed 2"}) {
		t.Errorf("owed %q", got)
	}
	if r, err := j.store.Recording("AC1", "RE1"); err != nil || r.Call != "CA1" {
		t.Errorf("the recording: %v, %v", r, err)
	}
	if err := j.Delete(ctx, "AC1", "CA1"); err != nil || j.Backlog() != 0 {
		t.Errorf("delete: %v, backlog %d", err, j.Backlog())
	}
	if _, err := j.Call(ctx, "AC1", "CA1"); !errors.Is(err, call.ErrNotFound) {
		t.Errorf("after that: %v", err)
	}
}

// Calls left open are closed, however many, each with one callback; those that
// were answered count as completed.
func TestCloseOpen(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	j := openJournal(t, t.TempDir())
	const calls = closeAtOnce + 50
	began := time.Now().Add(-time.Hour)
	var w storage.Write
	for i := range calls {
		r := call.Record{ID: fmt.Sprintf("CA%03d", i), Account: "AC1", Created: began, Updated: began.Add(time.Minute), Seq: 2, State: call.Ringing}
		if i%2 == 0 {
			r.State, r.Answered = call.InProgress, &r.Updated
		}
		w.Calls = append(w.Calls, new(r))
	}
	w.Calls = append(w.Calls, &call.Record{ID: "ended", Account: "AC1", Created: began, State: call.Busy})
	if err := j.store.Commit(ctx, w); err != nil {
		t.Fatal(err)
	}
	if n, err := j.closeOpen(ctx, time.Now); n != calls || err != nil {
		t.Fatalf("%d calls, %v", n, err)
	}
	if n, err := j.closeOpen(ctx, time.Now); n != 0 || err != nil {
		t.Errorf("again %d calls, %v", n, err)
	}
	owed := j.owed(t)
	slices.Sort(owed)
	if len(owed) != calls || owed[7] != "CA007 completed 2" {
		t.Errorf("%d callbacks are owed, such as %q", len(owed), owed[7])
	}
	for id, want := range map[string]call.State{"CA000": call.Completed, "CA001": call.Failed, "CA249": call.Failed, "ended": call.Busy} {
		r, err := j.store.Call("AC1", id)
		if err != nil || r.State != want {
			t.Errorf("%s is %s, %v", id, r.State, err)
		}
		if id != "ended" && (r.Seq != 3 || r.Cause == nil || !strings.HasPrefix(r.Cause.Text, "power lost") || !r.Ended.Equal(began.Add(time.Minute))) {
			t.Errorf("%s: %+v, ended %s", id, r, r.Ended)
		}
	}
}

// A call that the power ended lasted until the box was last known alive.
func TestPowerLost(t *testing.T) {
	t.Parallel()
	at := func(minute int) time.Time { return time.Date(2026, 3, 1, 12, minute, 0, 0, time.UTC) }
	answered := at(1)
	rec := call.Record{ID: "CA1", State: call.InProgress, Answered: &answered, Updated: at(1), Seq: 3}
	for name, tc := range map[string]struct {
		alive, now time.Time
		minutes    float64
	}{
		"the next start is late":       {at(10), at(50), 9},
		"nothing was written since":    {at(0), at(50), 0},
		"a folder without a log":       {time.Time{}, at(50), 0},
		"the clock has lost its time":  {at(10), time.Unix(60, 0), 0},
		"the clock is a little behind": {at(10), at(9), 0},
	} {
		ev := powerLost(rec, tc.alive, tc.now)
		if d := ev.Record.Duration(tc.now).Minutes(); d != tc.minutes {
			t.Errorf("%s: it lasted %v minutes", name, d)
		}
		if ev.Type != call.EventEnded || ev.Seq != 3 || ev.Record.Seq != 4 || ev.Record.State != call.Completed || !ev.Record.Updated.Equal(tc.now) {
			t.Errorf("%s: %+v", name, ev)
		}
	}
	if rec.Ended != nil || rec.Cause != nil {
		t.Error("the given record was changed")
	}
}
