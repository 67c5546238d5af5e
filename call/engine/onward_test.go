package engine

import (
	"slices"
	"strings"
	"testing"
	"time"

	"callbox/call"
	"callbox/call/script"
)

// sendsOn ends an unanswered leg by sending its call on.
func (l *farLeg) sendsOn(places ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	c := call.Cause{Q850: call.Q850NumberChanged, SIP: 302, Who: call.Remote, Text: "the far end sent the call on to " + strings.Join(places, ", ")}
	l.events <- &call.LegEvent{Type: call.LegEnded, At: time.Now(), Cause: c, Onward: places}
	close(l.events)
}

// TestSentOn: a call that is sent on is placed by the routes to the first place
// that leads anywhere, without the first party's credentials; its record says so.
func TestSentOn(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		party := script.Target{Kind: script.ToUser, To: "201", Auth: &call.Credentials{Username: "x", Password: "y"}, Line: "201"}
		caller, id, _ := w.arrive(script.Dial{Targets: []script.Target{party}})
		first := <-w.lines["201"].dialed
		first.ring()
		first.sendsOn("nowhere", "202", "203")
		second := <-w.lines["202"].dialed
		if d := <-w.lines["202"].dials; d.Auth != nil || d.Forwarded != "201" {
			t.Errorf("placed with %+v", d)
		}
		second.end(call.FromSIP(486, call.Remote, "busy")) // which is no reason to fail over
		third := <-w.lines["203"].dialed
		third.answer()
		pass(time.Second)
		talking(t, caller, third)
		list, err := w.e.Calls(t.Context(), call.Filter{Account: "acct", Parent: id})
		if err != nil || len(list.Records) != 1 || !slices.ContainsFunc(list.Records[0].Warnings, func(s string) bool { return strings.Contains(s, "sent the call on to nowhere, 202, 203") }) {
			t.Errorf("%+v, %v", list, err)
		}
	})
}

// TestSentInCircles: places where the call has been are not called again, and it is
// sent on so many times only.
func TestSentInCircles(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		_, _, res := w.arrive(script.Dial{Targets: users("201")})
		(<-w.lines["201"].dialed).sendsOn("202")
		(<-w.lines["202"].dialed).sendsOn("201")
		if r := res(); r.Cause.SIP != 482 || !strings.Contains(r.Cause.Text, "where it has been before") {
			t.Errorf("cause %+v", r.Cause)
		}
	})
	in(t, func(t *testing.T, w *world) {
		names := []string{"a", "b", "c", "d", "e", "f", "g"}
		for _, n := range names {
			w.routes[n] = []Attempt{{Line: "201", To: n}}
		}
		_, _, res := w.arrive(script.Dial{Targets: users(names[0])})
		for i := range maxRedirects + 1 {
			(<-w.lines["201"].dialed).sendsOn(names[i+1])
		}
		if r := res(); r.Cause.SIP != 482 || !strings.Contains(r.Cause.Text, "sent on 6 times") {
			t.Errorf("cause %+v", r.Cause)
		}
	})
}
