package engine

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callbox/call"
	"callbox/call/script"
)

// hears checks the level that a phone hears now.
func hears(t *testing.T, who string, l *farLeg, want int64) {
	t.Helper()
	pass(100 * time.Millisecond)
	if got := l.port.out.Load(); got != want {
		t.Errorf("%s hears %d, want %d", who, got, want)
	}
}

func (l *farLeg) told() []call.Progress {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.progress)
}

const ringback = 500 // of the test's engine

// A callee whose line announces a failure and whose next line rings: the caller
// hears the announcement, then ringing, then the second line's own sound.
func TestEarlySoundThenFailover(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.routes["5550199"] = []Attempt{{Line: "201", To: "1"}, {Line: "202", To: "2"}, {Line: "203", To: "3"}}
		caller, _, res := w.arrive(script.Dial{Targets: users("5550199"), AnswerOnBridge: true})
		first := <-w.lines["201"].dialed
		first.port.in.Store(2000)
		first.early()
		hears(t, "the caller", caller, 2000)
		first.end(call.FromSIP(503, call.Network, ""))
		second := <-w.lines["202"].dialed
		hears(t, "the caller", caller, 0)
		second.ring()
		hears(t, "the caller", caller, ringback) // its phone no longer rings by itself: the sound is open
		second.end(call.FromSIP(503, call.Network, ""))
		third := <-w.lines["203"].dialed
		third.port.in.Store(3000)
		third.early()
		hears(t, "the caller", caller, 3000)
		third.ring() // 180 after 183 changes nothing
		hears(t, "the caller", caller, 3000)
		if got := caller.told(); !slices.Equal(got, []call.Progress{call.ProgressRinging, call.ProgressEarly}) {
			t.Errorf("the caller was told %v, want ringing and early once each", got)
		}
		third.answer()
		synctest.Wait()
		talking(t, caller, third)
		caller.end(call.NormalClearing(call.Remote))
		if !res().Bridged {
			t.Errorf("result %+v", res())
		}
	})
}

// Sound before the answer is in the record from the moment that it comes, and told
// once: as the ringing where it is the first that is heard, else after that, without
// taking a number of the steps that every hook is told of.
func TestEarlySoundIsTold(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.routes["5550199"] = []Attempt{{Line: "201", To: "1"}, {Line: "202", To: "2"}}
		for name, tc := range map[string]struct {
			play func(first *farLeg)
			want string
		}{
			"ringing":             {(*farLeg).ring, "initiated/0 ringing/1 answered/2 completed/3"},
			"ringing, then sound": {func(l *farLeg) { l.ring(); l.early(); l.early() }, "initiated/0 ringing/1 early/2 answered/2 completed/3"},
			"sound, then ringing": {func(l *farLeg) { l.early(); l.ring() }, "initiated/0 ringing/1 answered/2 completed/3"},
			"neither":             {func(*farLeg) {}, "initiated/0 answered/1 completed/2"},
		} {
			rec := w.mustCreate(call.Request{From: "5550100", To: "5550199", Script: w.doc("http://app/voice", play("clip:500"))})
			leg := <-w.lines["201"].dialed
			tc.play(leg)
			synctest.Wait()
			if r, sound := w.record(rec.ID), strings.Contains(name, "sound"); r.Early != sound || (r.State == call.Ringing) != strings.Contains(tc.want, "ringing") {
				t.Errorf("%s: %s, early %v", name, r.State, r.Early)
			}
			leg.answer()
			synctest.Wait()
			leg.end(call.NormalClearing(call.Remote))
			synctest.Wait()
			if got := strings.Join(w.told(rec.ID), " "); got != tc.want {
				t.Errorf("%s: told %s, want %s", name, got, tc.want)
			}
		}
	})
}

func TestEarlySoundInSequence(t *testing.T) {
	for _, answered := range []bool{true, false} {
		in(t, func(t *testing.T, w *world) {
			caller, _, res := w.arrive(script.Dial{Targets: users("201", "202"), Sequential: true, AnswerOnBridge: !answered})
			first := <-w.lines["201"].dialed
			first.ring()
			if answered {
				hears(t, "the caller", caller, ringback)
			}
			first.port.in.Store(2000)
			first.early()
			hears(t, "the caller", caller, 2000)
			first.end(call.FromSIP(486, call.Remote, ""))
			second := <-w.lines["202"].dialed
			second.ring()
			hears(t, "the caller", caller, ringback)
			second.answer()
			synctest.Wait()
			talking(t, caller, second)
			second.end(call.NormalClearing(call.Remote))
			if !res().Bridged {
				t.Errorf("result %+v", res())
			}
		})
	}
}

// With several phones ringing nobody's early sound is heard, until only one is left.
func TestEarlySoundOfSeveral(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		caller, _, _ := w.arrive(script.Dial{Targets: users("201", "202")})
		a, b := <-w.lines["201"].dialed, <-w.lines["202"].dialed
		a.port.in.Store(2000)
		a.early()
		b.ring()
		hears(t, "the caller", caller, ringback)
		b.end(call.FromSIP(486, call.Remote, ""))
		hears(t, "the caller", caller, 2000)
		a.end(call.FromSIP(486, call.Remote, ""))
		hears(t, "the caller", caller, 300) // the document goes on
	})
}

// Nobody listens while the callee is screened, and nothing is left of its early sound.
func TestEarlySoundEndsWithScreening(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.doc("http://app/screen", play("clip:100"))
		targets := users("201")
		targets[0].Screen = call.Hook{URL: "http://app/screen"}
		caller, _, _ := w.arrive(script.Dial{Targets: targets})
		callee := <-w.lines["201"].dialed
		callee.port.in.Store(2000)
		callee.early()
		hears(t, "the caller", caller, 2000)
		callee.answer()
		hears(t, "the caller", caller, ringback)
		hears(t, "the callee", callee, 300)
		pass(2 * time.Second)
		talking(t, caller, callee)
	})
}

func TestEarlySoundRefused(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.doc("http://app/voice", &script.DialVerb{Dial: script.Dial{Targets: users("201"), AnswerOnBridge: true}})
		w.plan = Plan{Account: "acct", Script: call.ScriptSource{Main: call.Hook{URL: "http://app/voice"}}}
		caller := newFarLeg(call.LegInfo{Inbound: true})
		w.e.Incoming(stuckLeg{caller})
		pass(2 * legTime) // its ringing could not be told either
		callee := <-w.lines["201"].dialed
		callee.early()
		pass(3 * legTime)
		callee.answer()
		synctest.Wait()
		talking(t, caller, callee)
	})
}

// The Dial of a call that ended without an answer tells its caller why, as the
// callee's cause and not as our cancel of the callee.
func TestCallerLearnsWhy(t *testing.T) {
	for name, tc := range map[string]struct {
		far    func(*farLeg)
		status int
		want   call.State
	}{
		"no answer": {func(l *farLeg) { l.ring() }, 480, call.NoAnswer},
		"busy":      {func(l *farLeg) { l.end(call.FromSIP(486, call.Remote, "")) }, 486, call.Busy},
		"failed":    {func(l *farLeg) { l.end(call.FromSIP(502, call.Network, "")) }, 502, call.Failed},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T, w *world) {
				w.plan = Plan{Account: "acct", Document: &script.Document{Verbs: []script.Verb{
					&script.DialVerb{Dial: script.Dial{Targets: users("201"), AnswerOnBridge: true}}}}}
				leg := newFarLeg(call.LegInfo{Inbound: true, From: "201", To: "202"})
				w.e.Incoming(leg)
				tc.far(<-w.lines["201"].dialed)
				pass(31 * time.Second)
				r := w.ends("call1", tc.want)
				if c := leg.cause(); c == nil || c.SIPStatus() != tc.status || r.Cause.Who != call.Peer {
					t.Errorf("the caller's leg %+v, want SIP %d", c, tc.status)
				}
			})
		})
	}
}

func TestSoundOfADocumentBeforeTheAnswer(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		first := script.Play{URL: "clip:50", Loop: 1, Early: true}
		w.plan = Plan{Account: "acct", Script: w.doc("http://app/voice", first, first, script.Pause{Length: time.Second}, script.Reject{Busy: true})}
		leg := newFarLeg(call.LegInfo{Line: "201", Inbound: true, From: "5550100"})
		w.e.Incoming(leg)
		hears(t, "the caller", leg, 300)
		pass(4 * time.Second)
		leg.mu.Lock()
		defer leg.mu.Unlock()
		if leg.answered || leg.hungUp == nil || leg.hungUp.SIP != 486 {
			t.Errorf("answered %v, ended with %+v", leg.answered, leg.hungUp)
		}
		if want := []call.Progress{call.ProgressRinging, call.ProgressEarly}; !slices.Equal(leg.progress, want) {
			t.Errorf("progress %v, want %v", leg.progress, want)
		}
	})
}
