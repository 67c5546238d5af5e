package engine

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"callbox/call"
	"callbox/call/script"
)

// Nobody gets more than the limits, whether asked for or not.
func TestLimits(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.e.SetLimits(Limits{Calls: 3, Ring: 20 * time.Second, Answered: time.Minute, Recording: 5 * time.Second})
		src := w.doc("http://app/voice", play("clip:100000"))
		patient := w.mustCreate(call.Request{From: "5550100", To: "201", RingTimeout: time.Hour, Script: src})
		unanswered := <-w.lines["201"].dialed
		long := w.mustCreate(call.Request{From: "5550100", To: "202", Script: src, TimeLimit: time.Hour, Record: &call.RecordOptions{}})
		leg := <-w.lines["202"].dialed
		unanswered.ring()
		leg.answer()
		pass(10 * time.Second)
		synctest.Wait()
		w.mu.Lock()
		for _, r := range w.recs {
			if r.Call != long.ID || r.Status != "completed" || r.Duration.Round(time.Second) != 5*time.Second {
				t.Errorf("recording %+v", r)
			}
		}
		if len(w.recs) != 1 {
			t.Errorf("%d recordings", len(w.recs))
		}
		w.mu.Unlock()
		more := 3 * time.Hour
		if _, err := w.e.Modify(context.Background(), "acct", long.ID, call.Change{TimeLimit: &more}); err != nil {
			t.Fatal(err)
		}
		pass(11 * time.Second)
		if r := w.ends(patient.ID, call.NoAnswer); r.Ended.Sub(*r.Rang) != 20*time.Second {
			t.Errorf("it rang for %s", r.Ended.Sub(*r.Rang))
		}
		pass(time.Minute)
		if r := w.ends(long.ID, call.Completed); r.Duration(time.Now()) != time.Minute {
			t.Errorf("answered for %s", r.Duration(time.Now()))
		}
	})
}

// New limits count from the next call on.
func TestSetLimits(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.e.SetLimits(Limits{Calls: 1})
		w.mustCreate(call.Request{From: "5550100", To: "201"})
		if _, _, err := w.e.Create(context.Background(), call.Request{Account: "acct", To: "202"}); !errors.Is(err, call.ErrLimit) {
			t.Errorf("a second call: %v", err)
		}
		w.e.SetLimits(Limits{})
		w.mustCreate(call.Request{From: "5550100", To: "202"})
		<-w.lines["201"].dialed
		<-w.lines["202"].dialed
	})
}

// A Dial's children and the connection keep to the limits too.
func TestDialLimits(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.e.SetLimits(Limits{Ring: 10 * time.Second, Answered: time.Minute})
		dial := &script.DialVerb{Dial: script.Dial{Targets: []script.Target{{Kind: script.ToUser, To: "202"}}, Timeout: time.Hour, TimeLimit: time.Hour}}
		rec := w.mustCreate(call.Request{From: "5550100", To: "201", Script: w.doc("http://app/voice", dial, dial)})
		leg := <-w.lines["201"].dialed
		leg.answer()
		first := <-w.lines["202"].dialed
		first.ring()
		pass(11 * time.Second)
		synctest.Wait()
		if c := first.cause(); c == nil {
			t.Error("the first party rings on")
		}
		(<-w.lines["202"].dialed).answer()
		pass(time.Minute)
		if r := w.ends(rec.ID, call.Completed); r.Duration(time.Now()) > time.Minute {
			t.Errorf("answered for %s", r.Duration(time.Now()))
		}
	})
}

// The plan may know the caller better than the leg does.
func TestPlanNamesTheCaller(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		leg := newFarLeg(call.LegInfo{Line: "201", Inbound: true, From: "201", FromName: "phone", To: "202"})
		w.plan = Plan{Account: "acct", From: "+14155550111", FromName: "Alice", Document: &script.Document{Verbs: []script.Verb{
			&script.DialVerb{Dial: script.Dial{Targets: []script.Target{{Kind: script.ToUser, To: "202"}}}}}}}
		w.e.Incoming(leg)
		if d := <-w.lines["202"].dials; d.From != "+14155550111" || d.FromName != "Alice" {
			t.Errorf("the callee sees %q, %q", d.From, d.FromName)
		}
		<-w.lines["202"].dialed
		synctest.Wait()
		if r := w.record("call1"); r.From != "+14155550111" || r.CallerName != "Alice" {
			t.Errorf("the record says %q, %q", r.From, r.CallerName)
		}
	})
}

// TestAlerts: what goes wrong for a customer is told.
func TestAlerts(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.mute, w.fails = "broken", errors.New("there is no such file")
		rec := w.mustCreate(call.Request{From: "5550100", To: "201", Script: w.doc("http://app/voice", script.Say{Speech: script.Speech{Text: "x", Vendor: "broken"}, Loop: 1}, play("clip:1"))})
		leg := <-w.lines["201"].dialed
		leg.answer()
		w.ends(rec.ID, call.Completed)
		lost := w.mustCreate(call.Request{From: "5550100", To: "999", Script: w.doc("http://app/lost")})
		w.ends(lost.ID, call.Failed)
		w.fails = nil
		busy, _ := w.place("202", 0, play("clip:50000"))
		w.e.SetLimits(Limits{Calls: 1})
		if _, _, err := w.e.Create(context.Background(), call.Request{Account: "acct", To: "201"}); !errors.Is(err, call.ErrLimit) {
			t.Errorf("beyond the limit: %v", err)
		}
		busy.end(call.NormalClearing(call.Remote))
		var got []call.AlertType
		w.mu.Lock()
		for _, a := range w.alerts {
			got = append(got, a.Type)
			if a.Account != "acct" || a.Text == "" || a.Call == "" {
				t.Errorf("%+v", a)
			}
		}
		w.mu.Unlock()
		if !slices.Equal(got, []call.AlertType{call.AlertSpeech, call.AlertSound, call.AlertRoute, call.AlertLimit}) {
			t.Errorf("told %v", got)
		}
	})
}
