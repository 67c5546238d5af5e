package engine

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callbox/call"
	"callbox/call/script"
	"callbox/media"
)

// recordings lists those of a call that are no longer running, in no order.
func (w *world) recordings(id string) []call.Recording {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []call.Recording
	for _, r := range w.recs {
		if r.Call == id && r.Status != "in-progress" {
			out = append(out, r)
		}
	}
	return out
}

func TestRecordFromRinging(t *testing.T) {
	for _, ringing := range []bool{true, false} {
		in(t, func(t *testing.T, w *world) {
			rec := w.mustCreate(call.Request{From: "5550100", To: "201", Script: w.doc("http://app/voice", play("clip:500")),
				Record: &call.RecordOptions{Source: "OutboundAPI", FromRinging: ringing}})
			leg := <-w.lines["201"].dialed
			leg.ring()
			pass(5 * time.Second)
			leg.early()
			leg.answer()
			pass(5 * time.Second)
			leg.end(call.NormalClearing(call.Remote))
			want := 5 * time.Second
			if ringing {
				want = 10 * time.Second
			}
			got := w.recordings(rec.ID)
			if len(got) != 1 || got[0].Duration.Round(100*time.Millisecond) != want {
				t.Errorf("from ringing %v: %+v", ringing, got)
			}
			if r := w.record(rec.ID); len(r.Warnings) != 0 {
				t.Errorf("warnings %q", r.Warnings)
			}
		})
	}
}

// A line that fails after it rang ends its recording; the next line gets one of
// its own, and none is refused because of the other.
func TestRecordFromRingingFailsOver(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.routes["5550199"] = []Attempt{{Line: "201", To: "1"}, {Line: "202", To: "2"}}
		rec := w.mustCreate(call.Request{From: "5550100", To: "5550199", Script: w.doc("http://app/voice", play("clip:500")),
			Record: &call.RecordOptions{Source: "OutboundAPI", FromRinging: true}})
		first := <-w.lines["201"].dialed
		first.early()
		pass(time.Second)
		first.end(call.FromSIP(503, call.Network, ""))
		second := <-w.lines["202"].dialed
		second.ring()
		pass(time.Second)
		second.answer()
		pass(time.Second)
		second.end(call.NormalClearing(call.Remote))
		got := w.recordings(rec.ID)
		if len(got) != 2 {
			t.Fatalf("recordings %+v", got)
		}
		ev, _ := w.final(rec.ID)
		if ev.Recording == nil || ev.Recording.Duration.Round(100*time.Millisecond) != 2*time.Second {
			t.Errorf("the final event carries %+v", ev.Recording)
		}
	})
}

// Two verbs in a row record one after the other, beside the call's own recording.
func TestRecordVerbsInARow(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		verb := script.Record{Options: call.RecordOptions{Source: "RecordVerb", MaxLength: time.Second, Trim: true}}
		rec := w.mustCreate(call.Request{From: "5550100", To: "201", Script: w.doc("http://app/voice", verb, verb, verb),
			Record: &call.RecordOptions{Source: "OutboundAPI"}})
		(<-w.lines["201"].dialed).answer()
		pass(10 * time.Second)
		r := w.ends(rec.ID, call.Completed)
		got := w.recordings(rec.ID)
		if len(got) != 4 || len(r.Recordings) != 4 || len(r.Warnings) != 0 {
			t.Errorf("recordings %+v, warnings %q", got, r.Warnings)
		}
		for _, one := range got {
			if f := w.files[one.ID]; f.closed != 1 || f.trimmed != (one.Source == "RecordVerb") || one.Status != "completed" {
				t.Errorf("%+v, closed %d times, trimmed %v", one, f.closed, f.trimmed)
			}
		}
	})
}

func TestRecordTwiceAtOnce(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		rec := w.mustCreate(call.Request{From: "5550100", To: "201", Script: w.doc("http://app/voice",
			script.Pause{Length: time.Second}, script.Record{Options: call.RecordOptions{Source: "OutboundAPI"}}, play("clip:50")),
			Record: &call.RecordOptions{Source: "OutboundAPI"}})
		(<-w.lines["201"].dialed).answer()
		pass(10 * time.Second)
		r := w.ends(rec.ID, call.Completed)
		if len(r.Recordings) != 1 || len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "recorded already") {
			t.Errorf("recordings %v, warnings %q", r.Recordings, r.Warnings)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		for id, f := range w.files {
			if f.discarded == (id == r.Recordings[0]) || f.closed != 1 {
				t.Errorf("file %s: discarded %v, closed %d times", id, f.discarded, f.closed)
			}
		}
	})
}

// A disk that is slow to make the file, or refuses, does not hold up the call.
func TestRecordOnABadDisk(t *testing.T) {
	for name, refuses := range map[string]error{"slow": nil, "full": errors.New("no space left on device")} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T, w *world) {
				w.disk = func(*memFile) error { pass(5 * time.Second); return refuses }
				rec := w.mustCreate(call.Request{From: "5550100", To: "201", Script: w.doc("http://app/voice", play("clip:500")),
					Record: &call.RecordOptions{}})
				leg := <-w.lines["201"].dialed
				leg.answer()
				hears(t, "the phone", leg, 300)
				pass(6 * time.Second)
				leg.end(call.NormalClearing(call.Remote))
				r := w.ends(rec.ID, call.Completed)
				if len(w.recordings(rec.ID)) == 1 != (refuses == nil) || (len(r.Warnings) == 1) != (refuses != nil) {
					t.Errorf("recordings %v, warnings %q", r.Recordings, r.Warnings)
				}
			})
		})
	}
}

// A call that ends before its file is there leaves none.
func TestRecordTooLate(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.disk = func(*memFile) error { pass(5 * time.Second); return nil }
		rec := w.mustCreate(call.Request{From: "5550100", To: "201", Script: w.doc("http://app/voice", play("clip:500")), Record: &call.RecordOptions{}})
		leg := <-w.lines["201"].dialed
		leg.answer()
		pass(time.Second)
		leg.end(call.NormalClearing(call.Remote))
		r := w.ends(rec.ID, call.Completed)
		pass(5 * time.Second)
		synctest.Wait()
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, f := range w.files {
			if !f.discarded || len(r.Recordings) != 0 {
				t.Errorf("a file was left: %+v, %v", f, r.Recordings)
			}
		}
	})
}

// A disk that fails while it records does not end the call; what was written before is
// kept, and the recording says that it is not all; where that is nothing it is absent.
func TestRecordThatFails(t *testing.T) {
	for name, tt := range map[string]struct {
		keeps  int // samples
		status string
		event  call.EventType
	}{"at once": {0, "absent", call.EventRecordingAbsent}, "after a second": {8000, "completed", call.EventRecordingDone}} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T, w *world) {
				w.disk = func(f *memFile) error { f.fails, f.room = errors.New("input/output error"), tt.keeps; return nil }
				rec := w.mustCreate(call.Request{From: "5550100", To: "201", Script: w.doc("http://app/voice", play("clip:500")),
					Record: &call.RecordOptions{Trim: true}})
				leg := <-w.lines["201"].dialed
				leg.answer()
				pass(3 * time.Second)
				got := w.recordings(rec.ID)
				if n := w.recordingEvents(rec.ID); len(got) != 1 || n[tt.event] != 1 {
					t.Errorf("while the call goes on: recordings %+v, events %v", got, n)
				}
				hears(t, "the phone", leg, 300)
				leg.end(call.NormalClearing(call.Remote))
				r := w.ends(rec.ID, call.Completed)
				got = w.recordings(rec.ID)
				if len(got) != 1 || got[0].Status != tt.status || got[0].Duration != media.DurationOf(tt.keeps) ||
					len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "input/output error") || !strings.Contains(r.Warnings[0], got[0].Error) {
					t.Errorf("recordings %+v, warnings %q", got, r.Warnings)
				}
				if early := strings.Contains(got[0].Error, "ends early, after 1.0 s"); early != (tt.keeps > 0) {
					t.Errorf("it says %q", got[0].Error)
				}
				if f := w.files[got[0].ID]; f.trimmed {
					t.Error("what is not whole is trimmed")
				}
				if ev, _ := w.final(rec.ID); (ev.Recording != nil) != (tt.keeps > 0) {
					t.Errorf("the final event carries %+v", ev.Recording)
				}
			})
		})
	}
}
