package engine

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callbox/call"
	"callbox/call/script"
	"callbox/media"
)

// A Dial whose parties are not admitted says so, and names no call that never was.
func TestDialRefusedByAdmission(t *testing.T) {
	for _, sequential := range []bool{false, true} {
		in(t, func(t *testing.T, w *world) {
			w.e.SetLimits(Limits{Calls: 1})
			_, id, res := w.arrive(script.Dial{Targets: users("201", "202"), Sequential: sequential})
			r := res()
			if r.State != call.Failed || r.Child != "" || r.Cause.Q850 != call.Q850Congestion || !strings.Contains(r.Cause.Text, "1 of 1 are in use") || r.SIPStatus != 503 {
				t.Errorf("result %+v", r)
			}
			pass(time.Second)
			if got := w.ends(id, call.Completed).Warnings; len(got) != 2 {
				t.Errorf("warnings %q", got)
			}
			if len(w.lines["201"].dials)+len(w.lines["202"].dials) != 0 {
				t.Error("dialled all the same")
			}
		})
	}
}

// One refused party does not spoil the Dial for the others.
func TestDialPartlyRefused(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.e.SetLimits(Limits{Calls: 2})
		caller, _, res := w.arrive(script.Dial{Targets: users("201", "202")})
		callee := <-w.lines["201"].dialed
		callee.answer()
		synctest.Wait()
		talking(t, caller, callee)
		callee.end(call.NormalClearing(call.Remote))
		if r := res(); !r.Bridged || r.State != call.Completed {
			t.Errorf("result %+v", r)
		}
	})
}

// In sequence, a party that was refused does not end the list.
func TestDialInSequenceGoesOnAfterARefusal(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		_, _, res := w.arrive(script.Dial{Targets: users("201", "202", "203"), Sequential: true})
		w.e.SetLimits(Limits{Calls: 1})
		(<-w.lines["201"].dialed).end(call.FromSIP(486, call.Remote, ""))
		if r := res(); r.State != call.Busy || r.Child == "" {
			t.Errorf("result %+v, want that of the party that was called", r)
		}
	})
}

// dyingLeg ends in the moment in which the caller is answered for it.
type dyingLeg struct {
	*farLeg
	callee *farLeg
}

func (l dyingLeg) Answer(ctx context.Context) error {
	l.callee.end(call.NormalClearing(call.Remote))
	synctest.Wait()
	return l.farLeg.Answer(ctx)
}

// A callee that hangs up while it is being connected ends the Dial, not the
// caller's document.
func TestCalleeGoneWhileConnecting(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.plan = Plan{Account: "acct", Script: w.doc("http://app/voice",
			&script.DialVerb{Dial: script.Dial{Targets: users("201"), AnswerOnBridge: true}}, play("clip:100"))}
		leg := dyingLeg{newFarLeg(call.LegInfo{Inbound: true}), newFarLeg(call.LegInfo{})}
		w.lines["201"].wrap = func(*farLeg) call.Leg { return leg.callee }
		w.e.Incoming(leg)
		<-w.lines["201"].dialed
		leg.callee.answer()
		hears(t, "the caller", leg.farLeg, 300)
		pass(3 * time.Second)
		if r := w.ends("call1", call.Completed); len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "callee hung up") {
			t.Errorf("warnings %q", r.Warnings)
		}
	})
}

// Digits that cannot be sent, to the callee or to the called party of a request,
// are no reason to leave it in silence.
func TestDigitsThatCannotBeSent(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.e.cfg.Tones = func(string, time.Duration) (media.Clip, error) { return nil, errors.New("not a digit") }
		bare := func(l *farLeg) call.Leg { return bareLeg{l} }
		w.lines["201"].wrap, w.lines["202"].wrap = bare, bare
		targets := users("201")
		targets[0].SendDigits = "12"
		caller, _, _ := w.arrive(script.Dial{Targets: targets})
		callee := <-w.lines["201"].dialed
		callee.answer()
		synctest.Wait()
		talking(t, caller, callee)
		rec := w.mustCreate(call.Request{From: "5550100", To: "202", SendDigits: "12", Script: w.doc("http://app/voice", play("clip:50"))})
		called := <-w.lines["202"].dialed
		called.answer()
		hears(t, "the called", called, 300)
		pass(2 * time.Second)
		if r := w.ends(rec.ID, call.Completed); len(r.Warnings) != 1 {
			t.Errorf("warnings %q", r.Warnings)
		}
	})
}

// A route without an attempt, and a failover without a rule, are the router's
// mistakes and not the box's end.
func TestOddRoutes(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.routes["nowhere"] = []Attempt{}
		r := w.ends(w.mustCreate(call.Request{From: "5550100", To: "nowhere"}).ID, call.Failed)
		if r.Cause.SIP != 404 || r.Cause.Text == "" {
			t.Errorf("cause %+v", r.Cause)
		}
	})
}
