package engine

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"callbox/call"
	"callbox/call/script"
)

// childOf gives the id of a call's only child.
func (w *world) childOf(id string) string {
	w.t.Helper()
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, ev := range w.events {
		if ev.Record.Parent == id {
			return ev.Record.ID
		}
	}
	w.t.Fatal("there is no child")
	return ""
}

func TestRedirectDuringGather(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.install("http://app/digits", func(*script.Result) (script.Document, error) {
			t.Error("the old document's action was asked")
			return script.Document{}, nil
		})
		src := w.doc("http://app/voice", script.Gather{Action: call.Hook{URL: "http://app/digits"}, NumDigits: 4, Timeout: -1})
		rec := w.mustCreate(call.Request{From: "5550100", To: "201", Script: src})
		leg := <-w.lines["201"].dialed
		leg.answer()
		leg.press("12")
		synctest.Wait()
		other := w.doc("http://app/other", play("clip:100"))
		if err := modify(w, rec.ID, call.Change{Script: &other}); err != nil {
			t.Fatal(err)
		}
		leg.press("34")
		hears(t, "the phone", leg, 300)
		pass(3 * time.Second)
		w.ends(rec.ID, call.Completed)
	})
}

// The phones of a Dial that is replaced stop ringing, once, and the new document
// does not learn of them.
func TestRedirectWhileDialRings(t *testing.T) {
	for _, answered := range []bool{true, false} {
		in(t, func(t *testing.T, w *world) {
			caller, id, _ := w.arrive(script.Dial{Targets: users("201", "202"), AnswerOnBridge: !answered})
			a, b := <-w.lines["201"].dialed, <-w.lines["202"].dialed
			a.ring()
			synctest.Wait()
			child := w.childOf(id)
			pause := w.doc("http://app/other", script.Pause{Length: time.Second})
			if err := modify(w, id, call.Change{Script: &pause}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			for _, l := range []*farLeg{a, b} {
				if c := l.cause(); c == nil || c.SIP != 487 {
					t.Errorf("a phone rings on: %+v", c)
				}
			}
			w.ends(child, call.Canceled)
			pass(2 * time.Second)
			want := call.Canceled // a document that never answered
			if answered {
				want = call.Completed
			}
			if r := w.ends(id, want); r.Cause.Who != call.Script {
				t.Errorf("the call ended because of the old Dial: %+v", r.Cause)
			}
			if caller.cause() == nil {
				t.Error("the caller was left")
			}
			w.final(child) // exactly one
		})
	}
}

func TestRedirectBeforeTheAnswer(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.plan = Plan{Account: "acct", Script: w.doc("http://app/voice", script.Pause{Length: time.Minute}, play("clip:5"))}
		leg := newFarLeg(call.LegInfo{Inbound: true})
		w.e.Incoming(leg)
		pass(time.Second)
		other := w.doc("http://app/other", script.Pause{Length: time.Second}, play("clip:100"))
		if err := modify(w, "call1", call.Change{Script: &other}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if leg.isUp() {
			t.Error("the redirect answered the call")
		}
		pass(time.Second)
		hears(t, "the caller", leg, 300)
		pass(3 * time.Second)
		w.ends("call1", call.Completed)
	})
}

// An outgoing call that has not been answered runs the new document from the
// start, and only that.
func TestRedirectOfARingingCall(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		rec := w.mustCreate(call.Request{From: "5550100", To: "201", Script: w.doc("http://app/voice", play("clip:5"))})
		leg := <-w.lines["201"].dialed
		leg.ring()
		synctest.Wait()
		other := w.doc("http://app/other", play("clip:50"))
		if err := modify(w, rec.ID, call.Change{Script: &other}); err != nil {
			t.Fatal(err)
		}
		leg.answer()
		pass(3 * time.Second)
		r := w.ends(rec.ID, call.Completed)
		if d := r.Duration(time.Now()).Round(100 * time.Millisecond); d != time.Second {
			t.Errorf("lasted %s", d)
		}
		if u := <-w.fetched; u != "http://app/other" || len(w.fetched) != 0 {
			t.Errorf("fetched %s and %d more", u, len(w.fetched))
		}
	})
}

func TestRedirectTwice(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		rec := w.mustCreate(call.Request{From: "5550100", To: "201", Script: w.doc("http://app/voice", play("clip:5000"))})
		leg := <-w.lines["201"].dialed
		leg.answer()
		pass(time.Second)
		one, two := w.doc("http://app/one", play("clip:5000")), w.doc("http://app/two", play("clip:50"))
		go modify(w, rec.ID, call.Change{Script: &one}) //nolint:errcheck // either may come first
		go modify(w, rec.ID, call.Change{Script: &one}) //nolint:errcheck // likewise
		synctest.Wait()
		if err := modify(w, rec.ID, call.Change{Script: &two}); err != nil {
			t.Fatal(err)
		}
		pass(3 * time.Second)
		w.ends(rec.ID, call.Completed)
	})
}

// TestRedirectMeetsTheEndOfTheScript redirects in the instant in which the old
// document ends: an accepted redirect is not undone by the old script's hang-up.
func TestRedirectMeetsTheEndOfTheScript(t *testing.T) {
	for range 50 {
		in(t, func(t *testing.T, w *world) {
			rec := w.mustCreate(call.Request{From: "5550100", To: "201", Script: w.doc("http://app/voice", script.Pause{Length: time.Second})})
			(<-w.lines["201"].dialed).answer()
			other := w.doc("http://app/other", script.Pause{Length: 5 * time.Second})
			pass(time.Second)
			err := modify(w, rec.ID, call.Change{Script: &other})
			pass(10 * time.Second)
			d := w.ends(rec.ID, call.Completed).Duration(time.Now())
			if want := 6 * time.Second; err == nil && d != want || err != nil && d != time.Second {
				t.Errorf("redirect said %v, and the call lasted %s", err, d)
			}
		})
	}
}

// A callee that is redirected before it answers leaves the Dial and runs its own
// document when it does.
func TestRedirectOfAChildThatRings(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		caller, id, res := w.arrive(script.Dial{Targets: users("201")})
		callee := <-w.lines["201"].dialed
		callee.port.in.Store(2000)
		callee.early()
		hears(t, "the caller", caller, 2000)
		child := w.childOf(id)
		other := w.doc("http://app/other", play("clip:100"))
		if err := modify(w, child, call.Change{Script: &other}); err != nil {
			t.Fatal(err)
		}
		hears(t, "the caller", caller, 300) // its document goes on
		if r := res(); r.State != call.NoAnswer || r.Bridged || r.Cause.Text == "" || r.Child != child {
			t.Errorf("result %+v", r)
		}
		if callee.cause() != nil {
			t.Error("the callee was hung up")
		}
		pass(time.Second)
		w.ends(id, call.Completed)
		callee.answer()
		hears(t, "the callee", callee, 300)
		pass(3 * time.Second)
		w.ends(child, call.Completed)
	})
}

// A callee that is redirected while it is screened is not hung up by the
// screening that this ends.
func TestRedirectOfAChildInScreening(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.doc("http://app/screen", play("clip:5000"))
		targets := users("201")
		targets[0].Screen = call.Hook{URL: "http://app/screen"}
		_, id, res := w.arrive(script.Dial{Targets: targets})
		callee := <-w.lines["201"].dialed
		callee.answer()
		pass(time.Second)
		child := w.childOf(id)
		other := w.doc("http://app/other", script.Pause{Length: 5 * time.Second})
		if err := modify(w, child, call.Change{Script: &other}); err != nil {
			t.Fatal(err)
		}
		pass(2 * time.Second)
		if callee.cause() != nil || res().Bridged {
			t.Errorf("callee %+v, result %+v", callee.cause(), res())
		}
		pass(5 * time.Second)
		w.ends(child, call.Completed)
	})
}

// A callee in a conversation goes on to a Dial of its own; the old Dial's end
// does not touch the new connection.
func TestRedirectedChildDials(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		_, id, _ := w.arrive(script.Dial{Targets: users("201")})
		callee := <-w.lines["201"].dialed
		callee.answer()
		pass(time.Second)
		other := w.doc("http://app/other", &script.DialVerb{Dial: script.Dial{Targets: users("202")}})
		if err := modify(w, w.childOf(id), call.Change{Script: &other}); err != nil {
			t.Fatal(err)
		}
		third := <-w.lines["202"].dialed
		third.answer()
		pass(time.Second)
		talking(t, callee, third)
		callee.press("7")
		if d := <-third.sent; d != '7' {
			t.Errorf("sent %c", d)
		}
		third.end(call.NormalClearing(call.Remote))
		synctest.Wait()
		if callee.cause() == nil {
			t.Error("the document is over and the callee still up")
		}
	})
}

func TestChangesAreInTheAnswer(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		rec := w.mustCreate(call.Request{From: "5550100", To: "201", Script: w.doc("http://app/voice", play("clip:500"))})
		leg := <-w.lines["201"].dialed
		hook := call.StatusHook{Hook: call.Hook{URL: "http://app/status"}, Events: []call.EventType{call.EventAnswered}}
		limit := 3 * time.Second
		r, err := w.e.Modify(context.Background(), "acct", rec.ID, call.Change{Status: &hook, TimeLimit: &limit})
		if err != nil || r.Status.URL != hook.URL {
			t.Errorf("record %+v, %v", r.Status, err)
		}
		leg.answer()
		pass(limit)
		r = w.ends(rec.ID, call.Completed)
		if r.Status.URL != hook.URL || r.Duration(time.Now()) != limit {
			t.Errorf("record %+v", r)
		}
		ev, _ := w.final(rec.ID)
		if ev.Record.Status.URL != hook.URL {
			t.Error("the final event goes to the old hook")
		}
	})
}

// TestSettingsOutliveARedirect: what a document sets for those that follow holds
// for the document of a redirect too.
func TestSettingsOutliveARedirect(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		asked := ""
		w.install("http://app/digits", func(res *script.Result) (script.Document, error) {
			asked = res.Digits
			return script.Document{Verbs: []script.Verb{script.Hangup{}}}, nil
		})
		barge := script.Barge{Gather: script.Gather{Action: call.Hook{URL: "http://app/digits"}, NumDigits: 1}, Sticky: true}
		src := w.doc("http://app/voice", barge, script.Pause{Length: time.Minute})
		rec := w.mustCreate(call.Request{From: "5550100", To: "201", Script: src})
		leg := <-w.lines["201"].dialed
		leg.answer()
		synctest.Wait()
		other := w.doc("http://app/other", script.Pause{Length: time.Minute})
		if err := modify(w, rec.ID, call.Change{Script: &other}); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		leg.press("7")
		pass(time.Second)
		w.ends(rec.ID, call.Completed)
		if asked != "7" {
			t.Errorf("the hook of the interruption was told of %q", asked)
		}
	})
}
