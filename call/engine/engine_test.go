package engine

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"callbox/call"
	"callbox/call/script"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// in runs f in a bubble with an engine; everything must be over at its end.
func in(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		f(t, w)
	})
}

func (w *world) mustCreate(r call.Request) call.Record {
	w.t.Helper()
	if r.Account == "" {
		r.Account = "acct"
	}
	rec, _, err := w.e.Create(context.Background(), r)
	if err != nil {
		w.t.Fatal(err)
	}
	return rec
}

func (w *world) record(id string) call.Record {
	w.t.Helper()
	r, err := w.e.Call(context.Background(), "acct", id)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// ends checks the final record of a call after everything has settled.
func (w *world) ends(id string, want call.State) call.Record {
	w.t.Helper()
	synctest.Wait()
	r := w.record(id)
	if r.State != want || r.Cause == nil || r.Ended == nil {
		w.t.Errorf("call %s: state %s, cause %v, ended %v; want %s", id, r.State, r.Cause, r.Ended, want)
	}
	return r
}

func (w *world) wantTold(id string, want ...string) {
	w.t.Helper()
	if got := w.told(id); !slices.Equal(got, want) {
		w.t.Errorf("events of %s: %v, want %v", id, got, want)
	}
}

func play(url string) script.Verb { return script.Play{URL: url, Loop: 1} }

func TestCallRunsItsScript(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		src := w.doc("http://app/voice", play("clip:50"))
		rec := w.mustCreate(call.Request{From: "5550100", To: "201", Script: src})
		leg := <-w.lines["201"].dialed
		leg.ring()
		pass(2 * time.Second)
		leg.answer()
		pass(500 * time.Millisecond)
		if got := leg.port.out.Load(); got != 300 {
			t.Errorf("the phone hears level %d, want the clip's 300", got)
		}
		pass(time.Second)
		r := w.ends(rec.ID, call.Completed)
		if d := r.Duration(time.Now()).Round(100 * time.Millisecond); d != time.Second {
			t.Errorf("answered for %s, want 1 s", d)
		}
		if r.Cause.Who != call.Script || leg.cause().Q850 != call.Q850Normal {
			t.Errorf("cause %+v, leg %+v", r.Cause, leg.cause())
		}
		w.wantTold(rec.ID, "initiated/0", "ringing/1", "answered/2", "completed/3")
	})
}

func TestUnansweredEnds(t *testing.T) {
	for name, tc := range map[string]struct {
		far  func(*farLeg)
		want call.State
	}{
		"busy":      {func(l *farLeg) { l.end(call.FromSIP(486, call.Remote, "busy")) }, call.Busy},
		"declined":  {func(l *farLeg) { l.ring(); l.end(call.FromSIP(603, call.Remote, "no")) }, call.Busy},
		"not found": {func(l *farLeg) { l.end(call.FromSIP(404, call.Remote, "who?")) }, call.Failed},
		"no answer": {func(l *farLeg) { l.ring() }, call.NoAnswer},
		"absent":    {func(l *farLeg) { l.end(call.FromSIP(480, call.Remote, "away")) }, call.NoAnswer},
		"lost":      {func(l *farLeg) { l.mu.Lock(); l.ended = true; close(l.events); l.mu.Unlock() }, call.Failed},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T, w *world) {
				rec := w.mustCreate(call.Request{From: "5550100", To: "201", RingTimeout: 30 * time.Second, Script: w.doc("http://app/voice")})
				tc.far(<-w.lines["201"].dialed)
				pass(31 * time.Second)
				w.ends(rec.ID, tc.want)
				if told := w.told(rec.ID); told[len(told)-1] != "completed/1" && told[len(told)-1] != "completed/2" {
					t.Errorf("events %v", told)
				}
				select {
				case url := <-w.fetched:
					t.Errorf("an unanswered call fetched %s", url)
				default:
				}
			})
		})
	}
}

func TestNoRoute(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		rec := w.mustCreate(call.Request{From: "5550100", To: "999", Script: w.doc("http://app/voice")})
		r := w.ends(rec.ID, call.Failed)
		if r.Cause.Text != "no route to 999" {
			t.Errorf("cause %+v", r.Cause)
		}
		w.wantTold(rec.ID, "completed/0")
	})
}

func TestFailover(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.routes["5550199"] = []Attempt{{Line: "gone", To: "1"}, {Line: "201", To: "1"}, {Line: "202", To: "2"}, {Line: "203", To: "3"}}
		w.lines["201"].refuse = call.FromSIP(503, call.Network, "trunk 201 is down")
		rec := w.mustCreate(call.Request{From: "5550100", To: "5550199", Script: w.doc("http://app/voice", play("clip:5"))})
		(<-w.lines["202"].dialed).end(call.FromSIP(502, call.Network, "bad gateway"))
		leg := <-w.lines["203"].dialed
		leg.answer()
		pass(time.Second)
		r := w.ends(rec.ID, call.Completed)
		if r.Line != "203" || len(r.Warnings) != 3 {
			t.Errorf("line %s, warnings %q", r.Line, r.Warnings)
		}
		w.wantTold(rec.ID, "initiated/0", "answered/1", "completed/2")
	})
}

func TestBusyDoesNotFailOver(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.routes["5550199"] = []Attempt{{Line: "201", To: "1"}, {Line: "202", To: "2"}}
		rec := w.mustCreate(call.Request{From: "5550100", To: "5550199", Script: w.doc("http://app/voice")})
		(<-w.lines["201"].dialed).end(call.FromSIP(486, call.Remote, "busy"))
		w.ends(rec.ID, call.Busy)
		if len(w.lines["202"].dials) != 0 {
			t.Error("a busy callee was called again on the next line")
		}
	})
}

func modify(w *world, id string, ch call.Change) error {
	_, err := w.e.Modify(context.Background(), "acct", id, ch)
	return err
}

func TestCancelInEveryState(t *testing.T) {
	for name, tc := range map[string]struct {
		before func(w *world) *farLeg
		want   call.State
	}{
		"while the line is dialling": {func(w *world) *farLeg {
			w.lines["201"].slow = make(chan struct{})
			return nil
		}, call.Canceled},
		"before it rings": {func(w *world) *farLeg { return <-w.lines["201"].dialed }, call.Canceled},
		"while it rings":  {func(w *world) *farLeg { l := <-w.lines["201"].dialed; l.ring(); return l }, call.Canceled},
	} {
		for _, ch := range []call.Change{{Cancel: true}, {Complete: true}} {
			t.Run(name, func(t *testing.T) {
				in(t, func(t *testing.T, w *world) {
					if name == "while the line is dialling" {
						tc.before(w)
					}
					rec := w.mustCreate(call.Request{From: "5550100", To: "201", Script: w.doc("http://app/voice")})
					var leg *farLeg
					if name != "while the line is dialling" {
						leg = tc.before(w)
					}
					synctest.Wait()
					if err := modify(w, rec.ID, ch); err != nil {
						t.Fatal(err)
					}
					r := w.ends(rec.ID, tc.want)
					if r.Cause.Who != call.API || leg != nil && leg.cause().SIP != 487 {
						t.Errorf("cause %+v", r.Cause)
					}
					if err := modify(w, rec.ID, ch); !errors.Is(err, call.ErrEnded) {
						t.Errorf("a second cancel: %v", err)
					}
				})
			})
		}
	}
}

func TestCancelMeetsAnsweredCall(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		rec := w.mustCreate(call.Request{From: "5550100", To: "201", Script: w.doc("http://app/voice", play("clip:500"))})
		(<-w.lines["201"].dialed).answer()
		synctest.Wait()
		if err := modify(w, rec.ID, call.Change{Cancel: true}); !errors.Is(err, call.ErrWrongState) {
			t.Errorf("cancel of an answered call: %v", err)
		}
		if err := modify(w, rec.ID, call.Change{Complete: true}); err != nil {
			t.Error(err)
		}
		w.ends(rec.ID, call.Completed)
	})
}

// TestAnswerCrossesCancel lets the far end answer while our cancel is on its
// way: the call stays canceled and the leg is ended, whatever comes late.
func TestAnswerCrossesCancel(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		rec := w.mustCreate(call.Request{From: "5550100", To: "201", Script: w.doc("http://app/voice", play("clip:50"))})
		leg := <-w.lines["201"].dialed
		leg.silent = true
		leg.ring()
		synctest.Wait()
		if err := modify(w, rec.ID, call.Change{Cancel: true}); err != nil {
			t.Fatal(err)
		}
		leg.answer()
		leg.press("5")
		synctest.Wait()
		if leg.cause() == nil {
			t.Error("the leg was not ended")
		}
		leg.end(call.NormalClearing(call.Remote))
		w.ends(rec.ID, call.Canceled)
		w.wantTold(rec.ID, "initiated/0", "ringing/1", "completed/2")
	})
}

// TestRaces fires both sides of a race at once, many times; whichever wins, the
// call ends once and consistently.
func TestRaces(t *testing.T) {
	races := map[string]func(w *world, id string, leg *farLeg) []func(){
		"answer and cancel": func(w *world, id string, leg *farLeg) []func() {
			return []func(){leg.answer, func() { modify(w, id, call.Change{Cancel: true}) }, func() { modify(w, id, call.Change{Complete: true}) }}
		},
		"hang-up from both ends": func(w *world, id string, leg *farLeg) []func() {
			leg.answer()
			return []func(){func() { leg.end(call.NormalClearing(call.Remote)) }, func() { modify(w, id, call.Change{Complete: true}) }}
		},
		"busy and complete": func(w *world, id string, leg *farLeg) []func() {
			return []func(){func() { leg.end(call.FromSIP(486, call.Remote, "")) }, func() { modify(w, id, call.Change{Complete: true}) }}
		},
		"answer and ring timeout": func(_ *world, _ string, leg *farLeg) []func() {
			pass(10*time.Second - time.Nanosecond)
			return []func(){func() { pass(time.Nanosecond); leg.answer() }, func() { pass(time.Minute); leg.end(call.NormalClearing(call.Remote)) }}
		},
		"redirect and hang-up": func(w *world, id string, leg *farLeg) []func() {
			leg.answer()
			src := w.doc("http://app/other", play("clip:500"))
			return []func(){func() { modify(w, id, call.Change{Script: &src}) }, func() { leg.end(call.NormalClearing(call.Remote)) }}
		},
	}
	for name, race := range races {
		t.Run(name, func(t *testing.T) {
			for range 50 {
				in(t, func(t *testing.T, w *world) {
					rec := w.mustCreate(call.Request{From: "5550100", To: "201", RingTimeout: 10 * time.Second, Script: w.doc("http://app/voice", play("clip:50"))})
					leg := <-w.lines["201"].dialed
					for _, f := range race(w, rec.ID, leg) {
						go f()
					}
					pass(2 * time.Minute)
					synctest.Wait()
					r := w.record(rec.ID)
					told := w.told(rec.ID)
					if !r.State.Final() || (r.State == call.Completed) != (r.Answered != nil) {
						t.Errorf("state %s, answered %v", r.State, r.Answered)
					}
					n := 0
					for _, s := range told {
						if len(s) > 9 && s[:9] == "completed" {
							n++
						}
					}
					if n != 1 || told[len(told)-1][:9] != "completed" {
						t.Errorf("events %v", told)
					}
				})
			}
		})
	}
}

// TestScriptFetchInFlight ends and redirects calls while a hook takes its time.
func TestScriptFetchInFlight(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		slow := func(*script.Result) (script.Document, error) {
			pass(5 * time.Second)
			return script.Document{Verbs: []script.Verb{play("clip:5000")}}, nil
		}
		w.install("http://app/slow", slow)
		src := call.ScriptSource{Main: call.Hook{URL: "http://app/slow"}}
		ended := w.mustCreate(call.Request{From: "5550100", To: "201", Script: src})
		redirected := w.mustCreate(call.Request{From: "5550100", To: "202", Script: src})
		a, b := <-w.lines["201"].dialed, <-w.lines["202"].dialed
		a.answer()
		b.answer()
		pass(time.Second)
		a.end(call.NormalClearing(call.Remote))
		other := w.doc("http://app/other", play("clip:10"))
		if err := modify(w, redirected.ID, call.Change{Script: &other}); err != nil {
			t.Fatal(err)
		}
		pass(10 * time.Second)
		w.ends(ended.ID, call.Completed)
		r := w.ends(redirected.ID, call.Completed)
		if d := r.Duration(time.Now()); d > 6*time.Second {
			t.Errorf("the redirected call ran the old document: %s", d)
		}
	})
}

func TestTimeLimit(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		rec := w.mustCreate(call.Request{From: "5550100", To: "201", TimeLimit: time.Minute, Script: w.doc("http://app/voice", play("clip:100000"))})
		(<-w.lines["201"].dialed).answer()
		pass(30 * time.Second)
		d := 40 * time.Second
		if err := modify(w, rec.ID, call.Change{TimeLimit: &d}); err != nil {
			t.Fatal(err)
		}
		pass(20 * time.Second)
		r := w.ends(rec.ID, call.Completed)
		if got := r.Duration(time.Now()); got != d || r.Cause.Who != call.Box {
			t.Errorf("lasted %s, cause %+v", got, r.Cause)
		}
	})
}

func TestAdmission(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		src := w.doc("http://app/voice")
		for range 8 {
			w.mustCreate(call.Request{From: "5550100", To: "201", Script: src})
		}
		synctest.Wait()
		_, _, err := w.e.Create(context.Background(), call.Request{Account: "acct", From: "5550100", To: "201", Script: src})
		if !errors.Is(err, call.ErrLimit) {
			t.Errorf("the ninth of 8 calls: %v", err)
		}
		leg := newFarLeg(call.LegInfo{Line: "202", Inbound: true})
		w.plan = Plan{Account: "acct", Script: src}
		w.e.Incoming(leg)
		synctest.Wait()
		if c := leg.cause(); c == nil || c.SIP != 503 {
			t.Errorf("an arriving call at the limit: %+v", c)
		}
		if s := w.e.Stats(); s.Live != 8 || s.RefusedLimit != 2 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestNothingHalfCreated(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.create = errors.New("disk full")
		_, _, err := w.e.Create(context.Background(), call.Request{Account: "acct", From: "5550100", To: "201"})
		if err == nil || w.e.Stats().Live != 0 || len(w.lines["201"].dials) != 0 {
			t.Errorf("err %v, stats %+v", err, w.e.Stats())
		}
		w.create, w.backlog = nil, 5000
		if _, _, err = w.e.Create(context.Background(), call.Request{Account: "acct", To: "201"}); !errors.Is(err, call.ErrLimit) {
			t.Errorf("a disk that is far behind: %v", err)
		}
	})
}

func TestIdempotency(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		req := call.Request{Account: "acct", From: "5550100", To: "201", Idempotency: "k1", Script: w.doc("http://app/voice")}
		ids := make(chan string, 5)
		for range 5 {
			go func() {
				rec, _, err := w.e.Create(context.Background(), req)
				if err != nil {
					t.Error(err)
				}
				ids <- rec.ID
			}()
		}
		first := <-ids
		for range 4 {
			if id := <-ids; id != first {
				t.Errorf("the same request made calls %s and %s", first, id)
			}
		}
		synctest.Wait()
		if n := len(w.lines["201"].dials); n != 1 {
			t.Errorf("dialled %d times", n)
		}
		if _, replayed, _ := w.e.Create(context.Background(), req); !replayed {
			t.Error("a later repeat is not marked as a replay")
		}
	})
}

func TestShutdown(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		src := w.doc("http://app/voice", play("clip:100000"))
		short := w.mustCreate(call.Request{From: "5550100", To: "201", TimeLimit: 5 * time.Second, Script: src})
		long := w.mustCreate(call.Request{From: "5550100", To: "202", Script: src})
		ringing := w.mustCreate(call.Request{From: "5550100", To: "203", Script: src})
		(<-w.lines["201"].dialed).answer()
		(<-w.lines["202"].dialed).answer()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		began := time.Now()
		go func() {
			pass(time.Second)
			if _, _, err := w.e.Create(context.Background(), call.Request{Account: "acct", To: "201"}); !errors.Is(err, call.ErrStopping) {
				t.Errorf("a call during shutdown: %v", err)
			}
		}()
		w.e.Shutdown(ctx)
		if d := time.Since(began); d < 10*time.Second || d > 25*time.Second {
			t.Errorf("shutdown took %s", d)
		}
		w.ends(short.ID, call.Completed)
		if r := w.ends(long.ID, call.Completed); r.Cause.Text != "the gateway is shutting down" {
			t.Errorf("cause %+v", r.Cause)
		}
		w.ends(ringing.ID, call.Failed)
	})
}

func TestFindAndDelete(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		rec := w.mustCreate(call.Request{From: "5550100", To: "201", Script: w.doc("http://app/voice", play("clip:50"))})
		leg := <-w.lines["201"].dialed
		leg.ring()
		synctest.Wait()
		if _, err := w.e.Call(context.Background(), "other", rec.ID); !errors.Is(err, call.ErrNotFound) {
			t.Errorf("another account sees the call: %v", err)
		}
		ringing := call.Ringing
		p, err := w.e.Calls(context.Background(), call.Filter{Account: "acct", State: &ringing})
		if err != nil || len(p.Records) != 1 || p.Records[0].State != call.Ringing {
			t.Errorf("%v %v", p, err)
		}
		if p, _ = w.e.Calls(context.Background(), call.Filter{Account: "acct"}); p.Records[0].State != call.Ringing {
			t.Error("the list shows the stored record, not the live one")
		}
		if err := w.e.Delete(context.Background(), "acct", rec.ID); !errors.Is(err, call.ErrNotEnded) {
			t.Errorf("delete of a live call: %v", err)
		}
		leg.end(call.FromSIP(486, call.Remote, ""))
		synctest.Wait()
		if err := w.e.Delete(context.Background(), "acct", rec.ID); err != nil {
			t.Error(err)
		}
		if _, err := w.e.Call(context.Background(), "acct", rec.ID); !errors.Is(err, call.ErrNotFound) {
			t.Errorf("deleted, yet: %v", err)
		}
	})
}
