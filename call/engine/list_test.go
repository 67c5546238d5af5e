package engine

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"callbox/call"
)

// list gives the ids of a page.
func (w *world) list(f call.Filter) ([]string, call.Page) {
	w.t.Helper()
	f.Account = "acct"
	p, err := w.e.Calls(context.Background(), f)
	if err != nil {
		w.t.Fatal(err)
	}
	var ids []string
	for _, r := range p.Records {
		ids = append(ids, r.ID)
	}
	return ids, p
}

func state(s call.State) *call.State { return &s }

// The APIs call a call "queued" until it rings.
func TestQueuedAreThoseThatDial(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		dialing := w.mustCreate(call.Request{From: "5550100", To: "201"})
		ringing := w.mustCreate(call.Request{From: "5550100", To: "202"})
		<-w.lines["201"].dialed
		(<-w.lines["202"].dialed).ring()
		synctest.Wait()
		for s, want := range map[call.State]string{call.Queued: dialing.ID, call.Dialing: dialing.ID, call.Ringing: ringing.ID} {
			if ids, _ := w.list(call.Filter{State: state(s)}); !slices.Equal(ids, []string{want}) {
				t.Errorf("%s: %v, want %s", s, ids, want)
			}
		}
		if ids, _ := w.list(call.Filter{State: state(call.InProgress)}); len(ids) != 0 {
			t.Errorf("in progress: %v", ids)
		}
		if ids, _ := w.list(call.Filter{State: state(call.Queued), To: "202"}); len(ids) != 0 {
			t.Errorf("queued to 202: %v", ids)
		}
	})
}

func TestLiveCallsByPage(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		var newest []string
		for range 5 {
			newest = append([]string{w.mustCreate(call.Request{From: "5550100", To: "201"}).ID}, newest...)
			pass(time.Second)
		}
		f := call.Filter{State: state(call.Queued), Limit: 2}
		first, p := w.list(f)
		if !slices.Equal(first, newest[:2]) || p.Previous != "" {
			t.Errorf("first page %v, previous %q", first, p.Previous)
		}
		f.Cursor = p.Next
		second, p := w.list(f)
		if !slices.Equal(second, newest[2:4]) {
			t.Errorf("second page %v of %v", second, newest)
		}
		back := p.Previous
		f.Cursor = p.Next
		third, p := w.list(f)
		if !slices.Equal(third, newest[4:]) || p.Next != "" {
			t.Errorf("third page %v, next %q", third, p.Next)
		}
		f.Cursor = back
		if again, _ := w.list(f); !slices.Equal(again, first) {
			t.Errorf("back to %v, want %v", again, first)
		}
		// A call that ends meanwhile moves nothing.
		f.Cursor = ""
		_, p = w.list(f)
		if err := modify(w, newest[1], call.Change{Cancel: true}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		f.Cursor = p.Next
		if again, _ := w.list(f); !slices.Equal(again, second) {
			t.Errorf("after one has ended: %v, want %v", again, second)
		}
		for _, cursor := range []string{"x", "!", "bGl2ZSB1cCAxIGE"} {
			if _, err := w.e.Calls(context.Background(), call.Filter{State: state(call.Queued), Cursor: cursor}); !errors.Is(err, call.ErrCursor) {
				t.Errorf("cursor %q: %v", cursor, err)
			}
		}
	})
}

// A call that has ended, but is not on disk as ended yet, is on the first page,
// which keeps its size.
func TestEndedCallsAreListedAtOnce(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		whole := make(chan struct{})
		defer close(whole)
		w.disk = func(f *memFile) error { f.whole = whole; return nil }
		old := w.mustCreate(call.Request{From: "5550100", To: "201"})
		(<-w.lines["201"].dialed).answer() // nothing to run: it ends
		pass(time.Second)
		rec := w.mustCreate(call.Request{From: "5550100", To: "201", Record: &call.RecordOptions{}, Script: w.doc("http://app/voice", play("clip:500"))})
		leg := <-w.lines["201"].dialed
		leg.answer()
		pass(time.Second)
		leg.end(call.NormalClearing(call.Remote))
		synctest.Wait()
		if _, told := w.final(rec.ID); told {
			t.Fatal("the call is on disk already")
		}
		for limit, want := range map[int][]string{0: {rec.ID, old.ID}, 2: {rec.ID, old.ID}, 1: {old.ID}} {
			if ids, _ := w.list(call.Filter{State: state(call.Completed), Limit: limit}); !slices.Equal(ids, want) {
				t.Errorf("completed, %d a page: %v, want %v", limit, ids, want)
			}
		}
		if ids, _ := w.list(call.Filter{State: state(call.Busy)}); len(ids) != 0 {
			t.Errorf("busy: %v", ids)
		}
		if ids, p := w.list(call.Filter{}); !slices.Equal(ids, []string{rec.ID, old.ID}) || p.Records[0].State != call.Completed {
			t.Errorf("all: %v", ids)
		}
	})
}
