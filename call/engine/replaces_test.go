package engine

import (
	"callbox/call"
	"callbox/call/script"
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestTransferAttended: a phone has two calls and connects their parties, whoever
// of them called whom.
func TestTransferAttended(t *testing.T) {
	for _, tc := range []struct{ firstCalled, secondCalled bool }{{true, false}, {false, false}, {true, true}, {false, true}} {
		t.Run(fmt.Sprintf("%+v", tc), func(t *testing.T) {
			in(t, func(t *testing.T, w *world) {
				// The phone is on line 203 and has a call on which it was called, or which it made.
				leg := func(called bool, line string) (phone, party *farLeg) {
					if called {
						party, phone, _, _ = w.united("203", script.Dial{})
						return phone, party
					}
					phone, party, _, _ = w.united(line, script.Dial{})
					phone.info.Line = "203"
					return phone, party
				}
				one, first := leg(tc.firstCalled, "201")
				one.emit(call.LegEvent{Type: call.LegHeld})
				synctest.Wait()
				two, second := leg(tc.secondCalled, "202")
				wish := one.joins(two)
				pass(time.Second)
				wish.want(t, 0, 202, 200)
				talking(t, first, second)
				for _, l := range []*farLeg{one, two} {
					if c := l.cause(); c == nil || !strings.Contains(c.Text, " transferred ") {
						t.Errorf("the phone's leg ended with %+v", c)
					}
				}
				pass(10 * time.Second)
				talking(t, second, first)
				second.end(call.NormalClearing(call.Remote))
				pass(time.Minute)
				if first.cause() == nil {
					t.Error("the other party is still up")
				}
			})
		})
	}
}

// TestTransferAttendedFails: a call that does not exist, that is another's, or
// that connects nobody.
func TestTransferAttendedFails(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		caller, callee, _, _ := w.united("201", script.Dial{})
		gone := &wishes{}
		callee.emit(call.LegEvent{Type: call.LegTransfer, Transfer: &call.Transfer{To: "box", Trusted: true, Reply: gone, Attended: true, Missing: 481}})
		gone.want(t, 0, 202, 481)
		stranger, _, _, _ := w.united("202", script.Dial{})
		callee.joins(stranger).want(t, 0, 202, 403)
		callee.joins(newFarLeg(call.LegInfo{Line: "201"})).want(t, 0, 202, 481)
		w.plan = Plan{Account: "acct", API: "another", Script: w.doc("http://app/alone", play("clip:100000"))}
		lone := newFarLeg(call.LegInfo{Line: "201", Inbound: true, From: "201", To: "700"})
		w.e.Incoming(lone)
		synctest.Wait()
		callee.joins(lone).want(t, 0, 202, 603)
		lone.wants("202").want(t, 0, 202, 603)
		quiet := &wishes{silent: true}
		lone.emit(call.LegEvent{Type: call.LegTransfer, Transfer: &call.Transfer{To: "202", Trusted: true, Reply: quiet}})
		quiet.want(t, 603)
		mistrusted := &wishes{}
		callee.emit(call.LegEvent{Type: call.LegTransfer, Transfer: &call.Transfer{To: "202", Reply: mistrusted}})
		mistrusted.want(t, 603)
		talking(t, caller, callee)
	})
}

// TestReplaces: a leg takes the place of another that talks, on either side, or
// that rings.
func TestReplaces(t *testing.T) {
	for _, of := range []string{"caller", "callee", "ringing"} {
		t.Run(of, func(t *testing.T) {
			in(t, func(t *testing.T, w *world) {
				w.e.cfg.Transfers = policy{}
				var caller, callee *farLeg
				if of == "ringing" {
					caller, _, _ = w.arrive(script.Dial{Targets: users("201"), AnswerOnBridge: true})
					callee = <-w.lines["201"].dialed
					callee.ring()
					pass(time.Second)
				} else {
					caller, callee, _, _ = w.united("201", script.Dial{})
				}
				old, other := callee, caller
				if of == "caller" {
					old, other = caller, callee
				}
				leg := newFarLeg(call.LegInfo{Line: "203", Inbound: true, From: "203", To: "box", Replaces: old})
				w.e.Incoming(leg)
				pass(time.Second)
				talking(t, other, leg)
				if old.cause() == nil {
					t.Error("the leg that was replaced is still up")
				}
				leg.end(call.NormalClearing(call.Remote))
				pass(time.Minute)
				if other.cause() == nil {
					t.Error("the other party is still up")
				}
			})
		})
	}
}

// TestTransferAttendedPartyGoes: one of two callers hangs up while the sound of the
// other comes back into the box, on its way to the connection of the two.
func TestTransferAttendedPartyGoes(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		first, one, _ := w.roaming(script.Dial{Path: call.PathDirect})
		one.info.Line = "203"
		pass(3 * time.Second)
		where(t, "connected", true, first, one)
		second, two, _, _ := w.united("203", script.Dial{})
		wish := one.joins(two)
		pass(500 * time.Millisecond)
		second.end(call.NormalClearing(call.Remote))
		pass(5 * time.Second)
		wish.want(t, 0, 202, 500)
		for _, l := range []*farLeg{first.farLeg, one.farLeg, two} {
			if l.cause() == nil {
				t.Errorf("the leg of %s is still up", l.info.From)
			}
		}
	})
}

// slowLeg is a leg whose answer takes until answers is closed.
type slowLeg struct {
	*farLeg
	answers chan struct{}
}

func (l slowLeg) Answer(ctx context.Context) error {
	<-l.answers
	return l.farLeg.Answer(ctx)
}

// TestReplacesTooLate: the call ends, or is answered, while the phone that picks it
// up is still being connected.
func TestReplacesTooLate(t *testing.T) {
	for _, answered := range []bool{false, true} {
		t.Run(fmt.Sprintf("answered %v", answered), func(t *testing.T) {
			in(t, func(t *testing.T, w *world) {
				w.e.cfg.Transfers = policy{}
				caller, _, _ := w.arrive(script.Dial{Targets: users("201"), AnswerOnBridge: true})
				callee := <-w.lines["201"].dialed
				callee.ring()
				pass(time.Second)
				leg := slowLeg{newFarLeg(call.LegInfo{Line: "203", Inbound: true, From: "203", To: "box", Replaces: callee}), make(chan struct{})}
				w.e.Incoming(leg)
				synctest.Wait()
				if answered {
					callee.answer()
					synctest.Wait()
				} else {
					caller.end(call.NormalClearing(call.Remote))
					pass(time.Second)
				}
				close(leg.answers)
				pass(time.Second)
				if c := leg.cause(); c == nil || !strings.Contains(c.Text, "before it could be picked up") {
					t.Errorf("the phone that came too late was hung up with %+v", c)
				}
				if answered {
					talking(t, caller, callee)
				}
			})
		})
	}
}

// TestReplacesRefused: calls that are over or speak with nobody, and legs that may not.
func TestReplacesRefused(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		try := func(of *farLeg, status int) {
			t.Helper()
			leg := newFarLeg(call.LegInfo{Line: "203", Inbound: true, From: "203", To: "box", Replaces: of})
			w.e.Incoming(leg)
			synctest.Wait()
			if c := leg.cause(); c == nil || c.SIPStatus() != status {
				t.Errorf("refused with %+v, want %d", c, status)
			}
		}
		_, callee, _, _ := w.united("201", script.Dial{})
		try(callee, 403) // nothing was set up
		p := &policy{no: call.Cause{Q850: 21, SIP: 403, Text: "not yours"}}
		w.e.cfg.Transfers = p
		try(callee, 403)
		p.no = nil
		try(newFarLeg(call.LegInfo{}), 481)
		w.plan = Plan{Account: "acct", Script: w.doc("http://app/alone", play("clip:100000"))}
		lone := newFarLeg(call.LegInfo{Line: "201", Inbound: true, From: "201", To: "700"})
		w.e.Incoming(lone)
		synctest.Wait()
		try(lone, 603)
	})
}

// TestTransferToWhatRuns: a phone has one call with a party and another one with an
// application or a conference, and has the party take its place there, whichever of
// the two it asks for that.
func TestTransferToWhatRuns(t *testing.T) {
	arrives := func(w *world, line string, verbs ...script.Verb) *farLeg {
		w.plan = Plan{Account: "acct", Script: w.doc("http://app/"+line, verbs...)}
		l := newFarLeg(call.LegInfo{Line: line, Inbound: true, From: line, To: "700"})
		w.e.Incoming(l)
		synctest.Wait()
		return l
	}
	ended := func(t *testing.T, legs ...*farLeg) {
		t.Helper()
		for _, l := range legs {
			if c := l.cause(); c == nil || !strings.Contains(c.Text, " transferred ") {
				t.Errorf("the phone's leg ended with %+v", c)
			}
		}
	}
	for _, second := range []bool{false, true} {
		asks := func(one, two *farLeg) *wishes {
			if second {
				one, two = two, one
			}
			return one.joins(two)
		}
		t.Run(fmt.Sprintf("application, asked in it %v", second), func(t *testing.T) {
			in(t, func(t *testing.T, w *world) {
				party, phone, _, _ := w.united("203", script.Dial{})
				lone := arrives(w, "203", script.Pause{Length: 3 * time.Second}, play("clip:500"), script.Pause{Length: time.Minute})
				pass(4 * time.Second) // it plays
				asks(phone, lone).want(t, 0, 202, 200)
				hear(t, []*farLeg{party}, clipLevel) // at once: the pause is over
				ended(t, phone, lone)
				pass(11 * time.Second)
				hear(t, []*farLeg{party}, 0)
				pass(time.Minute)
				if c := party.cause(); c == nil || c.Who != call.Script {
					t.Errorf("the party's call ended with %+v", c)
				}
			})
		})
		t.Run(fmt.Sprintf("conference, asked in it %v", second), func(t *testing.T) {
			in(t, func(t *testing.T, w *world) {
				party, phone, _, _ := w.united("203", script.Dial{})
				other := arrives(w, "201", &script.ConferenceVerb{Conference: script.Conference{Name: "sales", StartOnEnter: true}})
				lone := arrives(w, "203", &script.ConferenceVerb{Conference: script.Conference{Name: "sales", StartOnEnter: true, EndOnExit: true}})
				talking(t, other, lone)
				asks(phone, lone).want(t, 0, 202, 200)
				talking(t, other, party)
				ended(t, phone, lone)
				party.end(call.NormalClearing(call.Remote)) // it is now the one with whom it ends
				pass(time.Minute)
				if other.cause() == nil {
					t.Error("the conference goes on")
				}
			})
		})
	}
}
