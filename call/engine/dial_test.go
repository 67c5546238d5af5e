package engine

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callbox/call"
	"callbox/call/script"
)

// users are targets by name.
func users(names ...string) []script.Target {
	var out []script.Target
	for _, n := range names {
		out = append(out, script.Target{Kind: script.ToUser, To: n})
	}
	return out
}

// arrive lets a call arrive whose document is one Dial with an action, and
// gives the leg, the call's id and where the Dial's result will appear.
func (w *world) arrive(d script.Dial) (*farLeg, string, func() script.DialResult) {
	w.t.Helper()
	leg := newFarLeg(call.LegInfo{Line: "in", Inbound: true, From: "5550111", To: "5550100"})
	id, res := w.arriveAs(leg, d)
	return leg, id, res
}

// arriveAs has a leg arrive.
func (w *world) arriveAs(leg call.Leg, d script.Dial) (string, func() script.DialResult) {
	w.t.Helper()
	var res script.DialResult // guarded by w.mu; read after synctest.Wait
	w.install("http://app/dial", func(*script.Result) (script.Document, error) {
		return script.Document{Verbs: []script.Verb{&script.DialVerb{Dial: d, Action: call.Hook{URL: "http://app/after"}}}}, nil
	})
	w.install("http://app/after", func(r *script.Result) (script.Document, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		res = *r.Dial
		return script.Document{Verbs: []script.Verb{play("clip:10")}}, nil
	})
	w.plan = Plan{Account: "acct", Script: call.ScriptSource{Main: call.Hook{URL: "http://app/dial"}}}
	w.e.Incoming(leg)
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, ev := range w.events {
		if ev.Record.Direction == call.Inbound {
			return ev.Record.ID, func() script.DialResult {
				synctest.Wait()
				w.mu.Lock()
				defer w.mu.Unlock()
				return res
			}
		}
	}
	w.t.Fatal("the call did not arrive")
	return "", nil
}

func talking(t *testing.T, a, b *farLeg) {
	t.Helper()
	a.port.in.Store(1000)
	b.port.in.Store(2000)
	pass(100 * time.Millisecond)
	if got := a.port.out.Load(); got != 2000 {
		t.Errorf("the caller hears %d, want the callee's 2000", got)
	}
	if got := b.port.out.Load(); got != 1000 {
		t.Errorf("the callee hears %d, want the caller's 1000", got)
	}
}

func TestDialFirstAnswerWins(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		caller, id, res := w.arrive(script.Dial{Targets: users("201", "202", "203"), CallerID: "5550122"})
		a, b, c := <-w.lines["201"].dialed, <-w.lines["202"].dialed, <-w.lines["203"].dialed
		if d := <-w.lines["201"].dials; d.From != "5550122" {
			t.Errorf("the callee is shown %q", d.From)
		}
		a.ring()
		b.ring()
		pass(time.Second)
		if got := caller.port.out.Load(); got != 500 {
			t.Errorf("the caller hears %d, want the ringback's 500", got)
		}
		b.answer()
		pass(time.Second)
		talking(t, caller, b)
		for _, lost := range []*farLeg{a, c} {
			if lost.cause() == nil || lost.cause().SIP != 487 {
				t.Errorf("a phone that lost was not cancelled: %+v", lost.cause())
			}
		}
		pass(10 * time.Second)
		b.end(call.NormalClearing(call.Remote))
		pass(time.Second)
		w.ends(id, call.Completed)
		if res().State != call.Completed || !res().Bridged || res().Duration.Round(time.Second) != 11*time.Second {
			t.Errorf("result %+v", res())
		}
		if child := w.record(res().Child); child.Parent != id || child.Line != "202" || child.To != "client:202" || child.Direction != call.OutboundDial {
			t.Errorf("child %+v", child)
		}
	})
}

// TestDialTwoAnswers lets two phones be picked up in the same instant.
func TestDialTwoAnswers(t *testing.T) {
	for range 30 {
		in(t, func(t *testing.T, w *world) {
			caller, _, res := w.arrive(script.Dial{Targets: users("201", "202")})
			a, b := <-w.lines["201"].dialed, <-w.lines["202"].dialed
			go a.answer()
			go b.answer()
			synctest.Wait()
			pass(time.Second)
			if (a.cause() == nil) == (b.cause() == nil) {
				t.Errorf("exactly one must be left: %+v %+v", a.cause(), b.cause())
			}
			caller.end(call.NormalClearing(call.Remote))
			pass(time.Second)
			if !res().Bridged {
				t.Errorf("result %+v", res())
			}
			if a.cause() == nil || b.cause() == nil {
				t.Error("a callee was left after the caller hung up")
			}
		})
	}
}

func TestDialNobody(t *testing.T) {
	for name, tc := range map[string]struct {
		far  func(a, b *farLeg)
		want call.State
	}{
		"both busy": {func(a, b *farLeg) {
			a.end(call.FromSIP(486, call.Remote, ""))
			b.end(call.FromSIP(486, call.Remote, ""))
		}, call.Busy},
		"no answer": {func(a, b *farLeg) { a.ring(); b.ring() }, call.NoAnswer},
		"failed": {func(a, b *farLeg) {
			a.end(call.FromSIP(503, call.Network, ""))
			b.end(call.FromSIP(503, call.Network, ""))
		}, call.Failed},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T, w *world) {
				_, id, res := w.arrive(script.Dial{Targets: users("201", "202"), Timeout: 20 * time.Second})
				tc.far(<-w.lines["201"].dialed, <-w.lines["202"].dialed)
				pass(21 * time.Second)
				synctest.Wait()
				if res().State != tc.want || res().Bridged || res().Child == "" {
					t.Errorf("result %+v, want %s", res(), tc.want)
				}
				w.ends(id, call.Completed) // the action's document ran to its end
			})
		})
	}
}

func TestDialSequential(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		_, _, res := w.arrive(script.Dial{Targets: users("201", "202", "203"), Sequential: true, Timeout: 10 * time.Second})
		(<-w.lines["201"].dialed).ring()
		if len(w.lines["202"].dials) != 0 {
			t.Error("the second rings beside the first")
		}
		pass(10 * time.Second)
		(<-w.lines["202"].dialed).end(call.FromSIP(486, call.Remote, ""))
		c := <-w.lines["203"].dialed
		c.answer()
		pass(time.Second)
		c.end(call.NormalClearing(call.Remote))
		synctest.Wait()
		if !res().Bridged {
			t.Errorf("result %+v", res())
		}
	})
}

func TestDialAnswerOnBridge(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		caller, id, _ := w.arrive(script.Dial{Targets: users("201"), AnswerOnBridge: true})
		callee := <-w.lines["201"].dialed
		callee.ring()
		synctest.Wait()
		if r := w.record(id); r.State != call.Ringing || len(caller.progress) == 0 || caller.progress[0] != call.ProgressRinging {
			t.Errorf("state %s, progress %v", r.State, caller.progress)
		}
		callee.port.in.Store(2000)
		callee.early()
		pass(100 * time.Millisecond)
		if caller.port.out.Load() != 2000 || caller.progress[len(caller.progress)-1] != call.ProgressEarly {
			t.Errorf("the caller hears %d of the early sound, progress %v", caller.port.out.Load(), caller.progress)
		}
		callee.answer()
		synctest.Wait()
		if r := w.record(id); r.State != call.InProgress {
			t.Errorf("state %s", r.State)
		}
		talking(t, caller, callee)
		caller.end(call.NormalClearing(call.Remote))
		w.ends(id, call.Completed)
		if callee.cause() == nil {
			t.Error("the callee was left alone")
		}
	})
}

func TestDialCallerGivesUp(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		caller, id, _ := w.arrive(script.Dial{Targets: users("201", "202"), AnswerOnBridge: true})
		a, b := <-w.lines["201"].dialed, <-w.lines["202"].dialed
		a.ring()
		synctest.Wait()
		caller.end(call.NormalClearing(call.Remote))
		r := w.ends(id, call.NoAnswer)
		if r.Cause.Who != call.Remote {
			t.Errorf("cause %+v", r.Cause)
		}
		if a.cause() == nil || b.cause() == nil {
			t.Error("phones ring for nobody")
		}
	})
}

func TestDialStarAndDigits(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		caller, id, res := w.arrive(script.Dial{Targets: users("201"), HangupOnStar: true})
		callee := <-w.lines["201"].dialed
		callee.answer()
		pass(time.Second)
		caller.press("12")
		callee.press("*9")
		pass(time.Second)
		for i, want := range []byte("12") {
			if got := <-callee.sent; got != want {
				t.Errorf("digit %d to the callee is %c", i, got)
			}
		}
		for i, want := range []byte("*9") {
			if got := <-caller.sent; got != want {
				t.Errorf("digit %d to the caller is %c", i, got)
			}
		}
		caller.press("*")
		pass(time.Second)
		if callee.cause() == nil || !res().Bridged {
			t.Errorf("the star did not end the connection: %+v", res())
		}
		w.ends(id, call.Completed)
		if len(callee.sent) != 0 {
			t.Error("the star that ended the connection was sent on")
		}
	})
}

func TestDialTimeLimit(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		_, _, res := w.arrive(script.Dial{Targets: users("201"), TimeLimit: 30 * time.Second})
		(<-w.lines["201"].dialed).answer()
		pass(31 * time.Second)
		if !res().Bridged || res().Duration != 30*time.Second {
			t.Errorf("result %+v", res())
		}
	})
}

func TestDialScreening(t *testing.T) {
	for name, verbs := range map[string][]script.Verb{
		"accept":  {play("clip:50")},
		"decline": {play("clip:50"), script.Hangup{}},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T, w *world) {
				w.doc("http://app/screen", verbs...)
				targets := users("201")
				targets[0].Screen = call.Hook{URL: "http://app/screen"}
				targets[0].SendDigits = "42"
				caller, _, res := w.arrive(script.Dial{Targets: targets})
				callee := <-w.lines["201"].dialed
				callee.answer()
				pass(900 * time.Millisecond)
				if callee.port.out.Load() != 300 || caller.port.out.Load() == 2000 {
					t.Error("the callee does not hear the screening document alone")
				}
				pass(time.Second)
				if got := string([]byte{<-callee.sent, <-callee.sent}); got != "42" {
					t.Errorf("sent digits %q", got)
				}
				if name == "accept" {
					talking(t, caller, callee)
					callee.end(call.NormalClearing(call.Remote))
				}
				synctest.Wait()
				if res().Bridged != (name == "accept") {
					t.Errorf("result %+v", res())
				}
			})
		})
	}
}

func TestRedirectChildAndParent(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		caller, id, res := w.arrive(script.Dial{Targets: users("201")})
		callee := <-w.lines["201"].dialed
		callee.answer()
		pass(time.Second)
		var child string
		w.mu.Lock()
		for _, ev := range w.events {
			if ev.Record.Parent == id {
				child = ev.Record.ID
			}
		}
		w.mu.Unlock()
		src := w.doc("http://app/other", play("clip:200"))
		if err := modify(w, child, call.Change{Script: &src}); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		if callee.port.out.Load() != 300 || callee.cause() != nil {
			t.Error("the redirected callee does not hear its own document")
		}
		if !res().Bridged || caller.port.out.Load() == 2000 {
			t.Errorf("the caller's dial did not end: %+v", res())
		}
		w.ends(id, call.Completed)
		pass(5 * time.Second)
		w.ends(child, call.Completed)
	})
}

func TestRedirectParentEndsChild(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		caller, id, _ := w.arrive(script.Dial{Targets: users("201")})
		callee := <-w.lines["201"].dialed
		callee.answer()
		pass(time.Second)
		src := w.doc("http://app/other", play("clip:200"))
		if err := modify(w, id, call.Change{Script: &src}); err != nil {
			t.Fatal(err)
		}
		pass(time.Second)
		if callee.cause() == nil || caller.port.out.Load() != 300 {
			t.Errorf("callee %+v, caller hears %d", callee.cause(), caller.port.out.Load())
		}
	})
}

func TestDialRecords(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		caller, id, res := w.arrive(script.Dial{Targets: users("201"), Record: &call.RecordOptions{Channels: 2, Source: "DialVerb"}})
		callee := <-w.lines["201"].dialed
		callee.answer()
		synctest.Wait()
		talking(t, caller, callee)
		pass(2 * time.Second)
		callee.end(call.NormalClearing(call.Remote))
		pass(time.Second)
		r := w.ends(id, call.Completed)
		if res().Recording == nil || res().Recording.Status != "completed" || len(r.Recordings) != 1 {
			t.Fatalf("result %+v, record %v", res(), r.Recordings)
		}
		f := w.files[res().Recording.ID]
		n := len(f.samples)
		if n < 2*8000*2 || f.samples[n/2&^1] != 1000 || f.samples[n/2&^1+1] != 2000 {
			t.Errorf("%d samples, in the middle %d and %d", n, f.samples[n/2&^1], f.samples[n/2&^1+1])
		}
	})
}

func TestReject(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.plan = Plan{Account: "acct", Script: w.doc("http://app/reject", script.Reject{Busy: true})}
		leg := newFarLeg(call.LegInfo{Line: "in", Inbound: true})
		w.e.Incoming(leg)
		synctest.Wait()
		if c := leg.cause(); c == nil || c.SIPStatus() != 486 || leg.answered {
			t.Errorf("cause %+v, answered %v", c, leg.answered)
		}
	})
}

func TestBuiltInDocument(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.plan = Plan{Account: "acct", Document: &script.Document{Verbs: []script.Verb{
			&script.DialVerb{Dial: script.Dial{Targets: users("202"), AnswerOnBridge: true}}}}}
		leg := newFarLeg(call.LegInfo{Line: "in", Inbound: true, From: "201", To: "202"})
		w.e.Incoming(leg)
		callee := <-w.lines["202"].dialed
		callee.end(call.FromSIP(486, call.Remote, "busy"))
		synctest.Wait()
		if c := leg.cause(); c == nil {
			t.Error("the caller was left")
		} else if c.SIPStatus() != 486 {
			t.Errorf("a busy extension gives the caller %d, want 486", c.SIPStatus())
		}
	})
}

func TestRefusedPlan(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		busy := call.Cause{Q850: call.Q850Unallocated, SIP: 404, Who: call.Box, Text: "no such number"}
		w.plan = Plan{Account: "acct", Refuse: &busy}
		leg := newFarLeg(call.LegInfo{Line: "in", Inbound: true})
		w.e.Incoming(leg)
		synctest.Wait()
		if c := leg.cause(); c == nil || c.SIP != 404 {
			t.Errorf("cause %+v", c)
		}
		if len(w.records) != 1 {
			t.Errorf("a refused call leaves a record: %v", w.records)
		}
	})
}

// TestForeignCallerID: a number that is not the account's is not shown to numbers;
// the numbers of the call itself are.
func TestForeignCallerID(t *testing.T) {
	for shown, want := range map[string]bool{"+15550100999": false, "+15550100001": true, "5550100": true, "": true} {
		in(t, func(t *testing.T, w *world) {
			w.e.cfg.MayShow = func(account, number, to, _ string) bool {
				return account == "acct" && number == "+15550100001" && to == "201"
			}
			caller, id, done := w.arrive(script.Dial{Targets: []script.Target{{Kind: script.ToNumber, To: "201"}}, CallerID: shown, Foreign: "it is somebody else's (13214)"})
			if want {
				leg := <-w.lines["201"].dialed
				leg.end(call.Cause{Q850: call.Q850Busy, SIP: 486, Who: call.Remote})
			}
			synctest.Wait()
			res := done()
			if refused := res.Cause.SIP == 403; refused == want {
				t.Errorf("showing %q: %+v", shown, res)
			}
			if warned := strings.Join(w.record(id).Warnings, ""); strings.Contains(warned, "(13214)") == want {
				t.Errorf("showing %q: warnings %q", shown, warned)
			}
			caller.end(call.NormalClearing(call.Remote))
		})
	}
}

// TestVouchedCaller: who calls is told on, as the network vouched for it, where the
// Dial says so.
func TestVouchedCaller(t *testing.T) {
	for _, assert := range []bool{true, false} {
		in(t, func(t *testing.T, w *world) {
			src := w.doc("http://app/dial", &script.DialVerb{Dial: script.Dial{Targets: users("201"), CallerID: "+15550100001", Reason: "your parcel", Assert: assert}})
			w.plan = Plan{Account: "acct", Script: src}
			caller := newFarLeg(call.LegInfo{Line: "in", Inbound: true, From: "anonymous", To: "5550100", Private: true, Asserted: "+14155550142"})
			w.e.Incoming(caller)
			d := <-w.lines["201"].dials
			if told := d.Asserted == "+14155550142" && d.Private; told != assert || d.From != "+15550100001" || d.Reason != "your parcel" {
				t.Errorf("assert %t: %+v", assert, d)
			}
			leg := <-w.lines["201"].dialed
			leg.end(call.Cause{Q850: call.Q850Busy, SIP: 486, Who: call.Remote})
			caller.end(call.NormalClearing(call.Remote))
		})
	}
}
