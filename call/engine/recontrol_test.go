package engine

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"callbox/call"
	"callbox/call/script"
)

// talking is an answered call whose document takes long.
func (w *world) talking(to string) (string, *farLeg) {
	w.t.Helper()
	rec := w.mustCreate(call.Request{From: "5550100", To: to, Script: w.doc("http://app/"+to, play("clip:5000"))})
	leg := <-w.lines[to].dialed
	leg.answer()
	synctest.Wait()
	return rec.ID, leg
}

// steer does a change of a recording that must succeed.
func (w *world) steer(id string, ch call.RecordingChange) call.Recording {
	w.t.Helper()
	r, err := w.e.Record(context.Background(), "acct", id, ch)
	if err != nil {
		w.t.Fatalf("%+v: %v", ch, err)
	}
	return r
}

// recordingEvents counts the events of recordings.
func (w *world) recordingEvents(id string) map[call.EventType]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := map[call.EventType]int{}
	for _, ev := range w.events {
		if ev.Recording != nil && ev.Recording.Call == id {
			n[ev.Type]++
		}
	}
	return n
}

// stored is a recording as the journal has it.
func (w *world) storedRecording(id string) call.Recording {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.recs[id]
}

func TestRecordingSteered(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		id, leg := w.talking("201")
		first := w.steer(id, call.RecordingChange{Start: &call.RecordOptions{Channels: 2}})
		if first.Status != "in-progress" || first.Source != "StartCallRecordingAPI" || first.Channels != 2 || first.Track != call.TrackBoth {
			t.Errorf("%+v", first)
		}
		pass(time.Second)
		second := w.steer(id, call.RecordingChange{Start: &call.RecordOptions{Track: call.TrackInbound}})
		pass(time.Second)
		// No id means the latest.
		if r := w.steer(id, call.RecordingChange{Status: call.RecordingPaused}); r.ID != second.ID || r.Status != "paused" {
			t.Errorf("%+v", r)
		}
		w.steer(id, call.RecordingChange{ID: first.ID, Status: call.RecordingPaused, Silence: true})
		if s := w.storedRecording(second.ID); s.Status != "paused" {
			t.Errorf("stored while paused: %+v", s)
		}
		pass(3 * time.Second)
		if r := w.steer(id, call.RecordingChange{Status: call.RecordingRunning}); r.ID != second.ID || r.Status != "in-progress" || r.Duration.Round(100*time.Millisecond) != time.Second {
			t.Errorf("%+v", r)
		}
		w.steer(id, call.RecordingChange{ID: first.ID, Status: call.RecordingRunning})
		pass(time.Second)
		if r := w.steer(id, call.RecordingChange{ID: first.ID, Status: call.RecordingStopped}); r.ID != first.ID || r.Status != "stopped" {
			t.Errorf("%+v", r)
		}
		if s := w.storedRecording(first.ID); s.Status != "completed" || s.Duration.Round(100*time.Millisecond) != 6*time.Second {
			t.Errorf("silence counts: %+v", s)
		}
		if n := w.recordingEvents(id); n[call.EventRecordingStarted] != 2 || n[call.EventRecordingDone] != 1 {
			t.Errorf("events %v", n)
		}
		if _, err := w.e.Record(context.Background(), "acct", id, call.RecordingChange{ID: first.ID, Status: call.RecordingPaused}); !errors.Is(err, call.ErrEnded) {
			t.Errorf("a recording that has ended: %v", err)
		}
		pass(time.Second)
		leg.end(call.NormalClearing(call.Remote))
		w.ends(id, call.Completed)
		if s := w.storedRecording(second.ID); s.Status != "completed" || s.Duration.Round(100*time.Millisecond) != 3*time.Second {
			t.Errorf("what was skipped does not count: %+v", s)
		}
		if _, err := w.e.Record(context.Background(), "acct", id, call.RecordingChange{Status: call.RecordingStopped}); !errors.Is(err, call.ErrEnded) {
			t.Errorf("a call that has ended: %v", err)
		}
	})
}

func TestRecordingRefused(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		rec := w.mustCreate(call.Request{From: "5550100", To: "201", Script: w.doc("http://app/voice", play("clip:500"))})
		leg := <-w.lines["201"].dialed
		start := call.RecordingChange{Start: &call.RecordOptions{}}
		if _, err := w.e.Record(ctx, "acct", rec.ID, start); !errors.Is(err, call.ErrWrongState) {
			t.Errorf("before the answer: %v", err)
		}
		if _, err := w.e.Record(ctx, "other", rec.ID, start); !errors.Is(err, call.ErrNotFound) {
			t.Errorf("of another account: %v", err)
		}
		leg.answer()
		synctest.Wait()
		for _, id := range []string{"", "RE404"} {
			if _, err := w.e.Record(ctx, "acct", rec.ID, call.RecordingChange{ID: id, Status: call.RecordingPaused}); !errors.Is(err, call.ErrNotFound) {
				t.Errorf("%q: %v", id, err)
			}
		}
		if _, err := w.e.Modify(ctx, "acct", rec.ID, call.Change{Recording: &call.RecordingChange{Status: call.RecordingPaused}}); !errors.Is(err, call.ErrWrongState) {
			t.Errorf("as a change: %v", err)
		}
		for range maxRecorders {
			w.steer(rec.ID, start)
		}
		if _, err := w.e.Record(ctx, "acct", rec.ID, start); !errors.Is(err, call.ErrTooMany) {
			t.Errorf("one too many: %v", err)
		}
		w.steer(rec.ID, call.RecordingChange{Status: call.RecordingStopped})
		if _, err := w.e.Modify(ctx, "acct", rec.ID, call.Change{Recording: &start}); err != nil {
			t.Errorf("after one was stopped: %v", err)
		}
		pass(time.Second)
		leg.end(call.NormalClearing(call.Remote))
		w.ends(rec.ID, call.Completed)
		if n := w.recordingEvents(rec.ID); n[call.EventRecordingStarted] != maxRecorders+1 || n[call.EventRecordingDone]+n[call.EventRecordingAbsent] != maxRecorders+1 {
			t.Errorf("events %v", n)
		}
	})
}

// TestConferenceRecordingSteered: a conference's recording is paused, resumed and
// stopped, while the conference goes on.
func TestConferenceRecordingSteered(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		x := script.Conference{Name: "sales", StartOnEnter: true, Record: &call.RecordOptions{Source: "Conference"}}
		leg, _ := w.place("201", 10, script.ConferenceVerb{Conference: x})
		other, _ := w.place("202", 20, script.ConferenceVerb{Conference: x})
		var id, conf string
		w.mu.Lock()
		for _, r := range w.recs {
			id, conf = r.ID, r.Conference
		}
		w.mu.Unlock()
		pass(time.Second)
		if r := w.steer(conf, call.RecordingChange{Status: call.RecordingPaused}); r.ID != id || r.Status != "paused" {
			t.Errorf("%+v", r)
		}
		if s := w.storedRecording(id); s.Status != "paused" {
			t.Errorf("stored while paused: %+v", s)
		}
		if _, err := w.e.Record(ctx, "other", conf, call.RecordingChange{Status: call.RecordingPaused}); !errors.Is(err, call.ErrNotFound) {
			t.Errorf("of another account: %v", err)
		}
		pass(3 * time.Second)
		w.steer(conf, call.RecordingChange{ID: id, Status: call.RecordingRunning})
		pass(time.Second)
		if r := w.steer(conf, call.RecordingChange{ID: id, Status: call.RecordingStopped}); r.Status != "stopped" {
			t.Errorf("%+v", r)
		}
		if s := w.storedRecording(id); s.Status != "completed" || s.Duration.Round(100*time.Millisecond) != 2*time.Second {
			t.Errorf("in the end: %+v", s)
		}
		if _, err := w.e.Record(ctx, "acct", conf, call.RecordingChange{ID: id, Status: call.RecordingPaused}); !errors.Is(err, call.ErrNotFound) {
			t.Errorf("one that has ended: %v", err)
		}
		hear(t, []*farLeg{leg, other}, 20, 10)
		leg.end(call.NormalClearing(call.Remote))
		other.end(call.NormalClearing(call.Remote))
	})
}
