package call

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestOutcome(t *testing.T) {
	for _, tc := range []struct {
		c    Cause
		want State
	}{
		{Cause{SIP: 486, Q850: Q850Busy, Who: Remote}, Busy},
		{Cause{SIP: 600, Who: Remote}, Busy},
		{Cause{SIP: 603, Who: Remote}, Busy},
		{Cause{SIP: 408, Who: Network}, NoAnswer},
		{Cause{SIP: 480, Who: Remote}, NoAnswer},
		{Cause{SIP: 487, Who: Box}, NoAnswer},
		{Cause{SIP: 487, Who: API}, Canceled},
		{Cause{SIP: 487, Who: Peer}, Canceled},
		{Cause{SIP: 404, Q850: Q850Unallocated, Who: Network}, Failed},
		{Cause{SIP: 503, Who: Network}, Failed},
		{Cause{Q850: Q850Busy, Who: Remote}, Busy},
		{Cause{Q850: Q850Rejected, Who: Remote}, Busy},
		{Cause{Q850: Q850NoAnswer, Who: Box}, NoAnswer},
		{Cause{Q850: Q850Absent, Who: Network}, NoAnswer},
		{Cause{Q850: Q850Normal, Who: Remote}, NoAnswer},
		{Cause{Q850: Q850Normal, Who: API}, Canceled},
		{Cause{Q850: Q850NoCircuit, Who: Network}, Failed},
		{Cause{Q850: Q850NoRoute, Who: Box}, Failed},
	} {
		if got := tc.c.Outcome(); got != tc.want {
			t.Errorf("%+v: got %s, want %s", tc.c, got, tc.want)
		}
		in := EndedInput(tc.c)
		if next, _ := Next(Ringing, in); next != tc.want {
			t.Errorf("%+v: input %s leads to %s, want %s", tc.c, in, next, tc.want)
		}
	}
}

// TestSIPRoundTrip holds that a cause made from a status tells the next SIP hop
// the same status, and that every status has a valid Q.850 value.
func TestSIPRoundTrip(t *testing.T) {
	for status := 300; status < 700; status++ {
		c := FromSIP(status, Remote, "")
		if c.SIPStatus() != status {
			t.Errorf("status %d came back as %d", status, c.SIPStatus())
		}
		if c.Q850 < 1 || c.Q850 > 127 {
			t.Errorf("status %d has Q.850 %d", status, c.Q850)
		}
	}
}

func TestSIPStatusOfEveryQ850(t *testing.T) {
	for q := range 128 {
		s := Cause{Q850: q}.SIPStatus()
		if s < 400 || s > 606 {
			t.Errorf("Q.850 %d gives SIP %d", q, s)
		}
	}
	for q, want := range map[int]int{1: 404, 17: 486, 19: 480, 21: 603, 34: 503, 28: 484} {
		if got := (Cause{Q850: q}).SIPStatus(); got != want {
			t.Errorf("Q.850 %d: got %d, want %d (RFC 3398 §7.2.4.1)", q, got, want)
		}
	}
}

func TestCauseOf(t *testing.T) {
	busy := FromSIP(486, Remote, "201 is busy")
	if got := CauseOf(fmt.Errorf("dial 201: %w", busy)); got != busy {
		t.Errorf("got %+v", got)
	}
	got := CauseOf(errors.New("socket closed"))
	if got.Q850 != Q850Temporary || got.Who != Box || got.Text != "socket closed" {
		t.Errorf("got %+v", got)
	}
}

func TestCauseSentence(t *testing.T) {
	if s := (Cause{Q850: 17, SIP: 486, Text: "the line is busy"}).Error(); s != "the line is busy" {
		t.Error(s)
	}
	if s := (Cause{Q850: 17, SIP: 486}).Error(); !strings.Contains(s, "486") {
		t.Error(s)
	}
	if s := (Cause{Q850: 17}).Error(); !strings.Contains(s, "17") {
		t.Error(s)
	}
}

func TestRecordDuration(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	end := at.Add(90 * time.Second)
	var r Record
	if d := r.Duration(end); d != 0 {
		t.Errorf("unanswered: %s", d)
	}
	r.Answered = &at
	if d := r.Duration(at.Add(time.Minute)); d != time.Minute {
		t.Errorf("up: %s", d)
	}
	r.Ended = &end
	if d := r.Duration(end.Add(time.Hour)); d != 90*time.Second {
		t.Errorf("ended: %s", d)
	}
	before := at.Add(-time.Second) // the clock was set back during the call
	r.Ended = &before
	if d := r.Duration(end); d != 0 {
		t.Errorf("clock set back: %s", d)
	}
}

func TestStatusHookWants(t *testing.T) {
	var none StatusHook
	if none.Wants(EventEnded) {
		t.Error("no hook wants nothing")
	}
	def := StatusHook{Hook: Hook{URL: "http://app.example/status"}}
	if !def.Wants(EventEnded) || def.Wants(EventRinging) || !def.Wants(EventRecordingDone) {
		t.Error("the default is the final event")
	}
	some := def
	some.Events = []EventType{EventRinging}
	if some.Wants(EventEnded) || !some.Wants(EventRinging) {
		t.Error("a list means exactly that list")
	}
}
