package room

import (
	"errors"
	"slices"
	"testing"
	"time"

	"callbox/call"
	"callbox/call/script"
	"callbox/media/session"
)

// TestTape: a conference is recorded by request while it is in progress, a few
// times at once, and no longer than it lasts.
func TestTape(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		tape := func(id string) error {
			return w.h.Tape(t.Context(), account, id, func(inside *session.Session, c call.Conference) (script.Recording, error) {
				return w.record(inside, c, call.RecordOptions{Source: "request"})
			})
		}
		a, b := w.dial("a", 100), w.dial("b", 200)
		a.confer(script.Conference{StartOnEnter: true, StartWith: 2})
		page, err := w.h.Conferences(call.ConferenceFilter{Account: account})
		if err != nil || len(page.Conferences) != 1 {
			t.Fatalf("%+v, %v", page, err)
		}
		id := page.Conferences[0].ID
		if err := tape(id); !errors.Is(err, call.ErrWrongState) {
			t.Errorf("before it began: %v", err)
		}
		if err := tape("CF404"); !errors.Is(err, call.ErrNotFound) {
			t.Errorf("none: %v", err)
		}
		b.confer(script.Conference{})
		for range maxTapes {
			if err := tape(id); err != nil {
				t.Fatal(err)
			}
		}
		if err := tape(id); !errors.Is(err, call.ErrTooMany) {
			t.Errorf("too many: %v", err)
		}
		a.hangup()
		b.hangup()
		pass(time.Millisecond)
		for i, x := range w.tapes {
			if !x.stopped || x.inside == nil {
				t.Errorf("recording %d goes on: %+v", i, x)
			}
		}
		if err := tape(id); !errors.Is(err, call.ErrEnded) {
			t.Errorf("after its end: %v", err)
		}
	})
}

// TestConferencesAreKept: conferences and who was in them are known after a
// restart; those that were going on count as ended.
func TestConferencesAreKept(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		a, b := w.dial("a", 100), w.dial("b", 200)
		a.confer(script.Conference{StartOnEnter: true})
		b.confer(script.Conference{})
		a.hangup()
		b.hangup()
		pass(time.Second)
		c := w.dial("c", 100)
		c.confer(script.Conference{StartOnEnter: true})
		if len(w.kept) != 3 { // made, ended, made
			t.Fatalf("kept %+v", w.kept)
		}
		ended, lost := w.kept[1], w.kept[2]
		if ended.State != call.ConferenceEnded || !slices.Equal(ended.Calls, []string{"a", "b"}) {
			t.Errorf("%+v", ended)
		}
		w.open(nil, ended, lost)
		page, err := w.h.Conferences(call.ConferenceFilter{Account: account})
		if err != nil || len(page.Conferences) != 2 || page.Conferences[1].ID != ended.ID {
			t.Fatalf("%+v, %v", page, err)
		}
		if got := page.Conferences[0]; got.ID != lost.ID || got.State != call.ConferenceEnded || got.Ended == nil || got.Reason != "" || got.Members != 0 {
			t.Errorf("%+v", got)
		}
		if got := w.kept[len(w.kept)-1]; len(w.kept) != 4 || got.ID != lost.ID || got.State != call.ConferenceEnded {
			t.Errorf("the end is not kept: %+v", got)
		}
	})
}
