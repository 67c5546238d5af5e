package call

import (
	"slices"
	"testing"
)

// want is the whole state table, written a second time by hand: for every state
// the inputs that lead elsewhere. Everything that is not here must change nothing.
var want = map[State]map[Input]struct {
	next    State
	actions []Action
}{
	Queued: {
		InDial:          {Dialing, []Action{DoTellInitiated, DoStartRingTimer}},
		InCancel:        {Canceled, []Action{DoStopTimers, DoStopScript, DoHangup, DoTellEnded}},
		InComplete:      {Canceled, []Action{DoStopTimers, DoStopScript, DoHangup, DoTellEnded}},
		InRingTimeout:   {NoAnswer, []Action{DoStopTimers, DoStopScript, DoHangup, DoTellEnded}},
		InEndedBusy:     {Busy, []Action{DoStopTimers, DoStopScript, DoTellEnded}},
		InEndedNoAnswer: {NoAnswer, []Action{DoStopTimers, DoStopScript, DoTellEnded}},
		InEndedFailed:   {Failed, []Action{DoStopTimers, DoStopScript, DoTellEnded}},
		InEndedCanceled: {Canceled, []Action{DoStopTimers, DoStopScript, DoTellEnded}},
	},
	Dialing: {
		InRing:          {Ringing, []Action{DoTellRinging}},
		InAnswer:        {InProgress, []Action{DoStopTimers, DoTellAnswered, DoStartTimeLimit, DoStartScript}},
		InCancel:        {Canceled, []Action{DoStopTimers, DoStopScript, DoHangup, DoTellEnded}},
		InComplete:      {Canceled, []Action{DoStopTimers, DoStopScript, DoHangup, DoTellEnded}},
		InRingTimeout:   {NoAnswer, []Action{DoStopTimers, DoStopScript, DoHangup, DoTellEnded}},
		InEndedBusy:     {Busy, []Action{DoStopTimers, DoStopScript, DoTellEnded}},
		InEndedNoAnswer: {NoAnswer, []Action{DoStopTimers, DoStopScript, DoTellEnded}},
		InEndedFailed:   {Failed, []Action{DoStopTimers, DoStopScript, DoTellEnded}},
		InEndedCanceled: {Canceled, []Action{DoStopTimers, DoStopScript, DoTellEnded}},
	},
	Ringing: {
		InAnswer:        {InProgress, []Action{DoStopTimers, DoTellAnswered, DoStartTimeLimit, DoStartScript}},
		InCancel:        {Canceled, []Action{DoStopTimers, DoStopScript, DoHangup, DoTellEnded}},
		InComplete:      {Canceled, []Action{DoStopTimers, DoStopScript, DoHangup, DoTellEnded}},
		InRingTimeout:   {NoAnswer, []Action{DoStopTimers, DoStopScript, DoHangup, DoTellEnded}},
		InEndedBusy:     {Busy, []Action{DoStopTimers, DoStopScript, DoTellEnded}},
		InEndedNoAnswer: {NoAnswer, []Action{DoStopTimers, DoStopScript, DoTellEnded}},
		InEndedFailed:   {Failed, []Action{DoStopTimers, DoStopScript, DoTellEnded}},
		InEndedCanceled: {Canceled, []Action{DoStopTimers, DoStopScript, DoTellEnded}},
	},
	InProgress: {
		InComplete:      {Completed, []Action{DoStopTimers, DoStopScript, DoHangup, DoTellEnded}},
		InTimeLimit:     {Completed, []Action{DoStopTimers, DoStopScript, DoHangup, DoTellEnded}},
		InEndedBusy:     {Completed, []Action{DoStopTimers, DoStopScript, DoTellEnded}},
		InEndedNoAnswer: {Completed, []Action{DoStopTimers, DoStopScript, DoTellEnded}},
		InEndedFailed:   {Completed, []Action{DoStopTimers, DoStopScript, DoTellEnded}},
		InEndedCanceled: {Completed, []Action{DoStopTimers, DoStopScript, DoTellEnded}},
	},
}

func TestNextForEveryPair(t *testing.T) {
	for s := Queued; s <= Canceled; s++ {
		for in := InDial; in < numInputs; in++ {
			next, actions := Next(s, in)
			w, ok := want[s][in]
			if !ok {
				w.next = s
			}
			if next != w.next || !slices.Equal(actions, w.actions) {
				t.Errorf("%s on %s: got %s %v, want %s %v", s, in, next, actions, w.next, w.actions)
			}
		}
	}
}

func TestNextKeepsItsPromises(t *testing.T) {
	for s := Queued; s <= Canceled; s++ {
		for in := InDial; in < numInputs; in++ {
			next, actions := Next(s, in)
			ends := next.Final() && !s.Final()
			if told := slices.Contains(actions, DoTellEnded); told != ends {
				t.Errorf("%s on %s: end told %v, ended %v", s, in, told, ends)
			}
			if next == Completed && s != InProgress && s != Completed {
				t.Errorf("%s on %s: completed without an answer", s, in)
			}
			if s.Final() && (next != s || len(actions) > 0) {
				t.Errorf("final state %s left on %s", s, in)
			}
		}
	}
}

func TestNextOutOfRange(t *testing.T) {
	if s, a := Next(State(-1), InDial); s != State(-1) || a != nil {
		t.Errorf("got %v %v", s, a)
	}
	if s, a := Next(Queued, Input(99)); s != Queued || a != nil {
		t.Errorf("got %v %v", s, a)
	}
	for _, s := range []string{State(99).String(), Input(99).String(), LegEventType(99).String()} {
		if s == "" {
			t.Error("an unknown value has no name")
		}
	}
}

func TestStateText(t *testing.T) {
	for s := Queued; s <= Canceled; s++ {
		b, err := s.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var back State
		if err := back.UnmarshalText(b); err != nil || back != s {
			t.Errorf("%s came back as %s, %v", s, back, err)
		}
	}
	var s State
	if err := s.UnmarshalText([]byte("lost")); err == nil {
		t.Error("an unknown state was accepted")
	}
}
