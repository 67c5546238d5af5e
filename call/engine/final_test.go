package engine

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"callbox/call"
	"callbox/call/script"
)

// final gives the final event of a call.
func (w *world) final(id string) (ev call.Event, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		if e.Record.ID == id && e.Type == call.EventEnded {
			if ok {
				w.t.Errorf("two final events of %s", id)
			}
			ev, ok = e, true
		}
	}
	return ev, ok
}

func TestFinalEventCarriesTheRecording(t *testing.T) {
	for name, wait := range map[string]time.Duration{"quick disk": 0, "slow disk": time.Second, "stuck disk": time.Hour} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T, w *world) {
				whole := make(chan struct{})
				w.disk = func(f *memFile) error { f.whole = whole; return nil }
				rec := w.mustCreate(call.Request{From: "5550100", To: "201", Record: &call.RecordOptions{Source: "OutboundAPI"},
					Script: w.doc("http://app/voice", play("clip:500"))})
				leg := <-w.lines["201"].dialed
				leg.answer()
				pass(3 * time.Second)
				if err := modify(w, rec.ID, call.Change{Complete: true}); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if leg.cause() == nil {
					t.Error("the phone waits for the recording")
				}
				if r := w.record(rec.ID); r.State != call.Completed || r.Ended == nil {
					t.Errorf("the record's end is not visible at once: %+v", r)
				}
				done := call.Completed
				if p, err := w.e.Calls(context.Background(), call.Filter{Account: "acct", State: &done}); err != nil || len(p.Records) != 1 {
					t.Errorf("the list of completed calls: %v %v", p, err)
				}
				if _, told := w.final(rec.ID); told {
					t.Fatal("the final event came before the recording was whole")
				}
				ended := time.Now()
				if wait < time.Minute {
					pass(wait)
					close(whole)
				} else {
					pass(wholePatience)
				}
				synctest.Wait()
				ev, told := w.final(rec.ID)
				if !told {
					t.Fatal("no final event")
				}
				if want := wait < time.Minute; (ev.Recording != nil) != want ||
					want && (ev.Recording.Status != "completed" || ev.Recording.Duration.Round(time.Second) != 3*time.Second) {
					t.Errorf("recording %+v", ev.Recording)
				}
				if !ev.At.Equal(ended) || ev.Seq != 2 {
					t.Errorf("event %d at %s, want 2 at %s", ev.Seq, ev.At, ended)
				}
				if wait > time.Minute {
					close(whole)
				}
			})
		})
	}
}

// A child's recording holds up neither its parent's Dial nor its document.
func TestRecordingDoesNotHoldUpTheParent(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		whole := make(chan struct{})
		w.disk = func(f *memFile) error { f.whole = whole; return nil }
		w.doc("http://app/screen", script.Record{Options: call.RecordOptions{Source: "RecordVerb"}, FinishOnKey: "#"})
		targets := users("201")
		targets[0].Screen = call.Hook{URL: "http://app/screen"}
		_, id, res := w.arrive(script.Dial{Targets: targets})
		callee := <-w.lines["201"].dialed
		callee.answer()
		pass(time.Second)
		callee.end(call.NormalClearing(call.Remote))
		pass(500 * time.Millisecond)
		if r := res(); r.State != call.NoAnswer || r.Bridged || r.SIPStatus != 200 {
			t.Errorf("result %+v", r)
		}
		w.ends(id, call.Completed)
		close(whole)
	})
}

func TestNothingAfterTheFinalEvent(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		gone := call.Hook{URL: "http://app/gone"}
		src := w.doc("http://app/voice", script.Record{Action: gone, Options: call.RecordOptions{Source: "RecordVerb"}})
		rec := w.mustCreate(call.Request{From: "5550100", To: "201", Script: src})
		leg := <-w.lines["201"].dialed
		leg.silent = true
		leg.answer()
		pass(time.Second)
		if err := modify(w, rec.ID, call.Change{Complete: true}); err != nil {
			t.Fatal(err)
		}
		leg.press("12")
		leg.emit(call.LegEvent{Type: call.LegHeld})
		leg.answer()
		pass(time.Second)
		leg.end(call.NormalClearing(call.Remote))
		synctest.Wait()
		w.wantTold(rec.ID, "initiated/0", "answered/1", "completed/2")
		w.mu.Lock()
		for i, ev := range w.events {
			if ev.Type == call.EventDigit {
				t.Error("a key of an ended call was told")
			}
			if ev.Type == call.EventEnded && i != len(w.events)-1 {
				t.Errorf("told after the final event: %+v", w.events[i+1].Type)
			}
		}
		w.mu.Unlock()
		// That the action could not be told stays in the stored record all the same.
		r := w.record(rec.ID)
		if len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "record action was not told") {
			t.Errorf("warnings %q", r.Warnings)
		}
	})
}

// endedLeg has ended, which it says with its own cause a moment after it
// refused the answer.
type endedLeg struct{ *farLeg }

func (endedLeg) Answer(context.Context) error { return call.ErrLegEnded }

func TestAnswerOfALegThatEnds(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.plan = Plan{Account: "acct", Script: w.doc("http://app/voice", play("clip:50"))}
		leg := newFarLeg(call.LegInfo{Inbound: true})
		w.e.Incoming(endedLeg{leg})
		pass(time.Second)
		leg.end(call.Cause{Q850: call.Q850Normal, SIP: 487, Who: call.Remote, Text: "the caller gave up"})
		r := w.ends("call1", call.NoAnswer)
		if r.Cause.Text != "the caller gave up" || r.Answered != nil {
			t.Errorf("cause %+v", r.Cause)
		}
		w.wantTold("call1", "initiated/0", "ringing/1", "completed/2")
	})
}

// brokenLeg cannot be answered.
type brokenLeg struct{ *farLeg }

func (brokenLeg) Answer(context.Context) error { return errors.New("no codec in common") }

func TestAnswerThatFails(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.plan = Plan{Account: "acct", Script: w.doc("http://app/voice", play("clip:50"))}
		leg := newFarLeg(call.LegInfo{Inbound: true})
		w.e.Incoming(brokenLeg{leg})
		r := w.ends("call1", call.Failed)
		if !strings.Contains(r.Cause.Text, "no codec in common") || leg.cause() == nil {
			t.Errorf("cause %+v, leg %+v", r.Cause, leg.cause())
		}
		w.wantTold("call1", "initiated/0", "ringing/1", "completed/2")
	})
}

// A call that is deleted while its leg or recording is on its way down does not
// come back.
func TestDeleteOfAnEndingCall(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		whole := make(chan struct{})
		w.disk = func(f *memFile) error { f.whole = whole; return nil }
		rec := w.mustCreate(call.Request{From: "5550100", To: "201", Record: &call.RecordOptions{}, Script: w.doc("http://app/voice", play("clip:500"))})
		leg := <-w.lines["201"].dialed
		leg.silent = true
		leg.answer()
		pass(time.Second)
		if err := w.e.Delete(context.Background(), "acct", rec.ID); !errors.Is(err, call.ErrNotEnded) {
			t.Errorf("delete of a live call: %v", err)
		}
		if err := modify(w, rec.ID, call.Change{Complete: true}); err != nil {
			t.Fatal(err)
		}
		if err := w.e.Delete(context.Background(), "acct", rec.ID); err != nil {
			t.Fatal(err)
		}
		if _, told := w.final(rec.ID); !told {
			t.Error("nobody was told of the end")
		}
		close(whole)
		leg.end(call.NormalClearing(call.Remote))
		pass(5 * time.Second)
		if _, err := w.e.Call(context.Background(), "acct", rec.ID); !errors.Is(err, call.ErrNotFound) {
			t.Errorf("the deleted call is back: %v", err)
		}
		if p, _ := w.e.Calls(context.Background(), call.Filter{Account: "acct"}); len(p.Records) != 0 {
			t.Errorf("listed: %+v", p.Records)
		}
	})
}

func TestWarningsAreBounded(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		rec := w.mustCreate(call.Request{From: "5550100", To: "201", Script: w.doc("http://app/voice", play("clip:500"))})
		leg := <-w.lines["201"].dialed
		leg.answer()
		for range 40 {
			leg.emit(call.LegEvent{Type: call.LegHeld})
			synctest.Wait()
		}
		c := w.e.find("acct", rec.ID)
		for range 40 {
			control{c: c}.Tell(call.EventWarning, strings.Repeat("ä", 10000))
		}
		r := w.record(rec.ID)
		if len(r.Warnings) != maxWarnings || len(r.Warnings[0]) > maxWarning || !strings.HasSuffix(r.Warnings[0], "ä…") {
			t.Errorf("%d warnings, the first of %d bytes", len(r.Warnings), len(r.Warnings[0]))
		}
	})
}

// TestNothingKeepsACall ends a bridged and recorded call and asks the garbage
// collector what is left.
func TestNothingKeepsACall(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		caller, id, _ := w.arrive(script.Dial{Targets: users("201", "202"), Record: &call.RecordOptions{Source: "DialVerb"}})
		callee := <-w.lines["201"].dialed
		callee.answer()
		pass(time.Second)
		var left []weak.Pointer[live]
		for _, c := range w.e.all() {
			left = append(left, weak.Make(c))
		}
		if len(left) != 2 {
			t.Fatalf("%d calls are up", len(left))
		}
		caller.end(call.NormalClearing(call.Remote))
		pass(time.Minute)
		w.ends(id, call.Completed)
		for range 3 {
			runtime.GC()
		}
		for i, p := range left {
			if p.Value() != nil {
				t.Errorf("call %d is still in memory", i)
			}
		}
	})
}
