package engine

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callbox/call"
	"callbox/call/number"
	"callbox/call/script"
	"callbox/call/toll"
)

// guarded makes the lines 201 and 202 ways out of the box, under rules.
func (w *world) guarded(rules ...toll.Rule) {
	w.e.cfg.Tolls = toll.NewBook()
	w.e.cfg.Tolls.Set(rules, "US")
	for _, id := range []string{"201", "202"} {
		w.routes[id] = []Attempt{{Line: id, To: id, Toll: true}}
	}
}

// Create refuses what the guards refuse, and nothing is left of it.
func TestTollRefusesCreate(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.guarded(toll.Rule{Account: "acct", Calls: 1})
		first := w.mustCreate(call.Request{From: "5550100", To: "201"})
		leg := <-w.lines["201"].dialed
		var refused *call.TollError
		if _, _, err := w.e.Create(context.Background(), call.Request{Account: "acct", From: "5550100", To: "202"}); !errors.As(err, &refused) || refused.Reason != call.TollCalls {
			t.Errorf("a second call: %v", err)
		}
		w.mustCreate(call.Request{From: "5550100", To: "203"}) // a phone of the box
		w.mu.Lock()
		if len(w.records) != 2 {
			t.Errorf("%d records", len(w.records))
		}
		w.mu.Unlock()
		leg.end(call.Cause{Q850: call.Q850Busy, SIP: 486, Who: call.Remote})
		w.ends(first.ID, call.Busy)
		w.mustCreate(call.Request{From: "5550100", To: "202"})
	})
}

// A Dial that the guards refuse fails with their sentence, for the phone that it
// came from; another line that they allow is tried.
func TestTollRefusesDial(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.guarded(toll.Rule{Line: "in", Open: time.Hour, Close: time.Hour + time.Minute}) // where the caller came from
		_, _, result := w.arrive(script.Dial{Targets: []script.Target{{Kind: script.ToNumber, To: "201"}}})
		pass(time.Second)
		res := result()
		if res.State != call.Failed || res.Cause.Q850 != call.Q850Rejected || res.SIPStatus != 403 || !strings.HasPrefix(res.Cause.Text, "line in may call from 01:00 to 01:01 only") {
			t.Errorf("result %+v", res)
		}
	})
	in(t, func(t *testing.T, w *world) {
		w.guarded(toll.Rule{Line: "201", Open: time.Hour, Close: time.Hour + time.Minute})
		w.routes["201"] = []Attempt{{Line: "201", To: "201", Toll: true}, {Line: "202", To: "201", Toll: true}}
		rec := w.mustCreate(call.Request{From: "5550100", To: "201"})
		leg := <-w.lines["202"].dialed
		if got := w.record(rec.ID).Warnings; len(got) != 1 || !strings.Contains(got[0], "line 202 is tried next") {
			t.Errorf("warnings %q", got)
		}
		leg.end(call.Cause{Q850: call.Q850Busy, SIP: 486, Who: call.Remote})
		w.ends(rec.ID, call.Busy)
	})
}

// An answered call ends when its account's minutes are used.
func TestTollEndsCall(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.guarded(toll.Rule{Account: "acct", Time: 2 * time.Minute})
		src := w.doc("http://app/voice", play("clip:100000"))
		rec := w.mustCreate(call.Request{From: "5550100", To: "201", Script: src})
		leg := <-w.lines["201"].dialed
		leg.ring()
		pass(3 * time.Second)
		leg.answer()
		pass(3 * time.Minute)
		synctest.Wait()
		r := w.ends(rec.ID, call.Completed)
		if d := r.Duration(time.Now()); d != 2*time.Minute || r.Cause.Who != call.Box || !strings.Contains(r.Cause.Text, "2 minutes of today") {
			t.Errorf("%s, cause %+v", d, r.Cause)
		}
		if _, _, err := w.e.Create(context.Background(), call.Request{Account: "acct", From: "5550100", To: "201"}); err == nil {
			t.Error("one more call was made")
		}
	})
}

// TestTollEndsAtTheAnswer: minutes that are used up while it rings end a call as it is
// answered, and its document is not asked for any more.
func TestTollEndsAtTheAnswer(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.guarded(toll.Rule{Account: "acct", Time: 2 * time.Minute})
		first := w.mustCreate(call.Request{From: "5550100", To: "201", Script: w.doc("http://app/voice", play("clip:100000"))})
		leg := <-w.lines["201"].dialed
		leg.answer()
		pass(100 * time.Second)
		asked := false
		w.install("http://app/second", func(*script.Result) (script.Document, error) {
			asked = true
			return script.Document{}, nil
		})
		second := w.mustCreate(call.Request{From: "5550100", To: "202", Script: call.ScriptSource{Main: call.Hook{URL: "http://app/second"}}})
		late := <-w.lines["202"].dialed
		late.ring()
		pass(30 * time.Second)
		w.ends(first.ID, call.Completed)
		late.answer()
		pass(time.Second)
		if r := w.ends(second.ID, call.Completed); !strings.Contains(r.Cause.Text, "2 minutes of today") {
			t.Errorf("cause %+v", r.Cause)
		}
		if asked {
			t.Error("the document of the call that has ended was asked for")
		}
	})
}

// TestRefusedTargets: what the box itself does not call is a warning, with what the
// dialect adds for the reason.
func TestRefusedTargets(t *testing.T) {
	refusals := script.Refusals{Number: "(1)", Denied: "(2)", Country: "(3)"}
	for _, tc := range []struct {
		name, want string
		set        func(w *world)
	}{
		{"a denied number", "+15550100001 was not called: +15550100001 may not be called: +1555 is denied to this box (2)", func(w *world) {
			w.party = toll.Party{Name: "+15550100001", Number: number.Number{E164: "+15550100001", Country: "US"}}
			w.guarded(toll.Rule{Deny: []string{"+1555"}})
		}},
		{"a denied country", "+15550100001 was not called: +15550100001 may not be called: this box may call DE only (3)", func(w *world) {
			w.party = toll.Party{Name: "+15550100001", Number: number.Number{E164: "+15550100001", Country: "US"}}
			w.guarded(toll.Rule{Allow: []string{"DE"}})
		}},
		{"the hours", "", func(w *world) { w.guarded(toll.Rule{Open: time.Hour, Close: time.Hour + time.Minute}) }},
		{"no number", "+15550100001 was not called: far too short (1)", func(w *world) {
			w.noRoute = call.Cause{Q850: call.Q850InvalidNumber, SIP: 484, Who: call.Box, Text: "far too short"}
		}},
		{"no route", "", func(w *world) {
			w.noRoute = call.Cause{Q850: call.Q850NoRoute, SIP: 404, Who: call.Box, Text: "no route leads there"}
		}},
	} {
		in(t, func(t *testing.T, w *world) {
			tc.set(w)
			if w.noRoute == (call.Cause{}) {
				w.routes["+15550100001"] = []Attempt{{Line: "201", To: "201", Toll: true}}
			}
			caller, id, done := w.arrive(script.Dial{Targets: []script.Target{{Kind: script.ToNumber, To: "+15550100001"}}, Refusals: refusals})
			synctest.Wait()
			if res := done(); res.State != call.Failed {
				t.Errorf("%s: %+v", tc.name, res)
			}
			if got := strings.Join(w.record(id).Warnings, "; "); got != tc.want {
				t.Errorf("%s: warnings %q, want %q", tc.name, got, tc.want)
			}
			caller.end(call.NormalClearing(call.Remote))
		})
	}
}
