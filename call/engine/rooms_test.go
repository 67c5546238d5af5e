package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callbox/call"
	"callbox/call/script"
)

// place makes an answered call to a line that runs a document.
func (w *world) place(to string, says int64, verbs ...script.Verb) (*farLeg, string) {
	w.t.Helper()
	rec, _, err := w.e.Create(context.Background(), call.Request{Account: "acct", API: "toy", From: "5550100", To: to,
		Script: w.doc("http://app/"+to, verbs...)})
	if err != nil {
		w.t.Fatal(err)
	}
	leg := <-w.lines[to].dialed
	leg.port.in.Store(says)
	leg.answer()
	synctest.Wait() // it is where its document brings it
	return leg, rec.ID
}

// hear checks what the far ends hear after a while.
func hear(t *testing.T, legs []*farLeg, want ...int64) {
	t.Helper()
	pass(100 * time.Millisecond)
	for i, l := range legs {
		if got := l.port.out.Load(); got != want[i] {
			t.Errorf("leg %d hears %d, want %d", i, got, want[i])
		}
	}
}

// conferenceEvents gives the events of conferences so far.
func (w *world) conferenceEvents() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for _, ev := range w.events {
		if ev.Conference != nil {
			out = append(out, fmt.Sprintf("%d %s %s", ev.Seq, ev.Type, ev.Record.ID))
		}
	}
	return strings.Join(out, ", ")
}

// TestConference: three calls meet; each hears the two others; requests about the
// calls mute and throw out; a record of the whole remains.
func TestConference(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		var told *script.ConferenceResult
		w.install("http://app/after", func(res *script.Result) (script.Document, error) {
			told = res.Conference
			return script.Document{Verbs: []script.Verb{script.Hangup{}}}, nil
		})
		x := script.Conference{Name: "sales", StartOnEnter: true, Record: &call.RecordOptions{Source: "Conference"}}
		join := script.ConferenceVerb{Conference: x, Action: call.Hook{URL: "http://app/after"}}
		a, ida := w.place("201", 100, join)
		b, idb := w.place("202", 1000, join)
		c, idc := w.place("203", 10000, join)
		legs := []*farLeg{a, b, c}
		hear(t, legs, 11000, 10100, 1100)
		mute := true
		if _, err := w.e.Modify(context.Background(), "acct", ida, call.Change{Participant: &call.ParticipantChange{Muted: &mute}}); err != nil {
			t.Fatal(err)
		}
		hear(t, legs, 11000, 10000, 1000)
		if _, err := w.e.Modify(context.Background(), "acct", idb, call.Change{Participant: &call.ParticipantChange{Kick: true}}); err != nil {
			t.Fatal(err)
		}
		hear(t, legs[2:], 0)
		synctest.Wait()
		if r := w.ends(idb, call.Completed); r.Cause.Who != call.Script {
			t.Errorf("the one who was thrown out ended with %+v", r.Cause)
		}
		if told == nil || told.Left != call.LeftByKick || told.Conference == "" {
			t.Errorf("the action was told %+v", told)
		}
		if _, err := w.e.Modify(context.Background(), "acct", idb, call.Change{Participant: &call.ParticipantChange{Kick: true}}); !errors.Is(err, call.ErrEnded) {
			t.Errorf("thrown out twice: %v", err)
		}
		a.end(call.NormalClearing(call.Remote))
		synctest.Wait()
		c.end(call.NormalClearing(call.Remote))
		w.ends(ida, call.Completed)
		w.ends(idc, call.Completed)
		pass(time.Second)
		want := fmt.Sprintf("1 conference-start %[1]s, 2 participant-join %[1]s, 3 participant-join %[2]s, 4 participant-join %[3]s, "+
			"5 participant-mute %[1]s, 6 participant-leave %[2]s, 7 participant-leave %[1]s, 8 participant-leave %[3]s, 9 conference-end %[3]s", ida, idb, idc)
		if got := w.conferenceEvents(); got != want {
			t.Errorf("told\n%s, want\n%s", got, want)
		}
		page, err := w.e.Rooms().Conferences(call.ConferenceFilter{Account: "acct"})
		if err != nil || len(page.Conferences) != 1 || page.Conferences[0].State != call.ConferenceEnded {
			t.Fatalf("%+v, %v", page, err)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if len(w.recs) != 1 {
			t.Fatalf("%d recordings", len(w.recs))
		}
		for id, r := range w.recs {
			s := w.files[id].samples
			if r.Status != "completed" || r.Conference != page.Conferences[0].ID || r.Call != r.Conference || len(s) == 0 || s[len(s)/4] != 11100 {
				t.Errorf("recording %+v, %d samples", r, len(s))
			}
		}
	})
}

// TestConferenceRecordedByRequest: a conference is recorded from the request on,
// and its calls are found by it.
func TestConferenceRecordedByRequest(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		join := script.ConferenceVerb{Conference: script.Conference{Name: "sales", StartOnEnter: true}}
		a, ida := w.place("201", 100, join)
		b, idb := w.place("202", 1000, join)
		page, err := w.e.Rooms().Conferences(call.ConferenceFilter{Account: "acct"})
		if err != nil || len(page.Conferences) != 1 {
			t.Fatalf("%+v, %v", page, err)
		}
		id := page.Conferences[0].ID
		start := call.RecordingChange{Start: &call.RecordOptions{}}
		r, err := w.e.Record(t.Context(), "acct", id, start)
		if err != nil || r.Conference != id || r.Source != "StartConferenceRecordingAPI" || r.Status != call.RecordingRunning {
			t.Fatalf("%+v, %v", r, err)
		}
		pass(time.Second)
		if got, err := w.e.Record(t.Context(), "acct", id, call.RecordingChange{Status: call.RecordingStopped}); err != nil || got.ID != r.ID {
			t.Errorf("stop: %+v, %v", got, err)
		}
		pass(time.Second)
		list, _ := w.list(call.Filter{Account: "acct", Conference: id})
		if !slices.Equal(list, []string{idb, ida}) && !slices.Equal(list, []string{ida, idb}) {
			t.Errorf("its calls: %v, want %s and %s", list, ida, idb)
		}
		if list, _ := w.list(call.Filter{Account: "acct", Conference: id, To: "202"}); !slices.Equal(list, []string{idb}) {
			t.Errorf("its calls to 202: %v", list)
		}
		if list, _ := w.list(call.Filter{Account: "acct", Conference: "CF404"}); len(list) != 0 {
			t.Errorf("calls of none: %v", list)
		}
		a.end(call.NormalClearing(call.Remote))
		b.end(call.NormalClearing(call.Remote))
		w.ends(ida, call.Completed)
		w.ends(idb, call.Completed)
		pass(time.Second)
		if list, _ := w.list(call.Filter{Account: "acct", Conference: id}); len(list) != 2 {
			t.Errorf("its calls after its end: %v", list)
		}
		if _, err := w.e.Record(t.Context(), "acct", id, start); !errors.Is(err, call.ErrEnded) {
			t.Errorf("after its end: %v", err)
		}
		if _, err := w.e.Record(t.Context(), "acct", "CF404", start); !errors.Is(err, call.ErrNotFound) {
			t.Errorf("none: %v", err)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if s := w.files[r.ID].samples; w.recs[r.ID].Status != "completed" || len(s) == 0 || s[len(s)/2] != 1100 {
			t.Errorf("recording %+v, %d samples", w.recs[r.ID], len(s))
		}
	})
}

// TestNoConference: what is no part of a conference cannot be changed.
func TestNoConference(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		leg, id := w.place("201", 100, script.Pause{Length: time.Minute})
		if _, err := w.e.Modify(context.Background(), "acct", id, call.Change{Participant: &call.ParticipantChange{Kick: true}}); !errors.Is(err, call.ErrWrongState) {
			t.Errorf("no conference: %v", err)
		}
		leg.end(call.NormalClearing(call.Remote))
	})
}

// TestInvitedCall: a call that was made for a conference and never gets there is
// no longer expected.
func TestInvitedCall(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		cf, err := w.e.Rooms().Invite(context.Background(), "acct", "sales", call.Participant{Call: "call77", API: "toy"}, call.StatusHook{})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := w.e.Create(context.Background(), call.Request{ID: "call77", Account: "acct", API: "toy", From: "5550100", To: "201", Script: w.doc("x")}); err != nil {
			t.Fatal(err)
		}
		leg := <-w.lines["201"].dialed
		leg.end(call.FromSIP(486, call.Remote, "busy"))
		pass(time.Second)
		if got, _ := w.e.Rooms().Conference("acct", cf.ID); got.State != call.ConferenceEnded {
			t.Errorf("%+v", got)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if ev := w.events[len(w.events)-2]; ev.Type != call.EventLeave || ev.Record.State != call.Busy {
			t.Errorf("%s %+v", ev.Type, ev.Record)
		}
	})
}

// TestQueue: an agent's call is connected with the one that waits; keys cross; the
// star ends it; both documents go on.
func TestQueue(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		told := make(chan *script.Result, 2)
		w.install("http://app/after", func(res *script.Result) (script.Document, error) {
			told <- res
			return script.Document{Verbs: []script.Verb{script.Pause{Length: time.Minute}}}, nil
		})
		after := call.Hook{URL: "http://app/after"}
		w.doc("http://app/wait", script.Play{URL: "clip:50", Loop: 1})
		caller, idc := w.place("201", 1000, script.EnqueueVerb{Enqueue: script.Enqueue{Name: "support", Wait: call.WaitSound{Hook: call.Hook{URL: "http://app/wait"}}}, Action: after})
		hear(t, []*farLeg{caller}, 300)
		agent, ida := w.place("202", 2000, script.DequeueVerb{Dequeue: script.Dequeue{Name: "support", HangupOnStar: true}, Action: after})
		pass(100 * time.Millisecond)
		talking(t, caller, agent)
		caller.press("7")
		agent.press("8")
		if d := <-agent.sent; d != '7' {
			t.Errorf("the agent got %c", d)
		}
		if d := <-caller.sent; d != '8' {
			t.Errorf("the caller got %c", d)
		}
		agent.press("*")
		pass(100 * time.Millisecond)
		hear(t, []*farLeg{caller, agent}, 0, 0)
		synctest.Wait()
		var q, d *script.Result
		for range 2 {
			if res := <-told; res.Queue != nil {
				q = res
			} else {
				d = res
			}
		}
		if q == nil || q.Queue.Outcome != call.QueueBridged || q.Queue.Peer != ida {
			t.Errorf("the caller's action was told %+v", q)
		}
		if d == nil || d.Dequeue.Child != idc || !d.Dequeue.Bridged || d.Dequeue.State != call.Completed {
			t.Errorf("the agent's action was told %+v", d)
		}
		caller.end(call.NormalClearing(call.Remote))
		agent.end(call.NormalClearing(call.Remote))
	})
}

// TestQueueRedirect: a request takes a call out of the queue, and out of its
// connection; its action is told, and what that answers is not run.
func TestQueueRedirect(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		var told []call.QueueOutcome
		w.install("http://app/after", func(res *script.Result) (script.Document, error) {
			told = append(told, res.Queue.Outcome)
			return script.Document{Verbs: []script.Verb{script.Hangup{}}}, nil
		})
		wait := script.EnqueueVerb{Enqueue: script.Enqueue{Name: "support", Wait: call.WaitSound{Silent: true}}, Action: call.Hook{URL: "http://app/after"}}
		elsewhere := w.doc("http://app/elsewhere", script.Play{URL: "clip:5000", Loop: 1})
		first, id1 := w.place("201", 1000, wait)
		synctest.Wait()
		if _, err := w.e.Modify(context.Background(), "acct", id1, call.Change{Script: &elsewhere}); err != nil {
			t.Fatal(err)
		}
		hear(t, []*farLeg{first}, 300)
		second, id2 := w.place("202", 1000, wait)
		agent, ida := w.place("203", 2000, script.DequeueVerb{Dequeue: script.Dequeue{Name: "support"}})
		pass(100 * time.Millisecond)
		talking(t, second, agent)
		// The other party of the agent's connection, as after a Dial.
		if _, err := w.e.Modify(context.Background(), "acct", ida, call.Change{Child: &elsewhere}); err != nil {
			t.Fatal(err)
		}
		hear(t, []*farLeg{second}, 300)
		w.ends(ida, call.Completed) // its document has come to its end
		if len(told) != 2 || told[0] != call.QueueRedirected || told[1] != call.QueueTakenAway {
			t.Errorf("told %v", told)
		}
		for _, l := range []*farLeg{first, second} {
			l.end(call.NormalClearing(call.Remote))
		}
		w.ends(id1, call.Completed)
		w.ends(id2, call.Completed)
		synctest.Wait()
	})
}
