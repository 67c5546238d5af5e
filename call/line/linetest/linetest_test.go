package linetest

import (
	"testing"
	"testing/synctest"
	"time"

	"callbox/call"
)

func memFixture(*testing.T) Fixture {
	l := newMemLine()
	return Fixture{Line: l, Dial: call.Dial{To: "memory"}, Far: l, Voice: l, Number: "5550100", From: "memory"}
}

// TestSuite: the suite passes a line that keeps the contract.
func TestSuite(t *testing.T) { Run(t, memFixture) }

// TestSuiteInBubble: and it does so in a synctest bubble.
func TestSuiteInBubble(t *testing.T) {
	for _, c := range Cases() {
		t.Run(c.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { c.Run(t, memFixture) })
		})
	}
}

func TestTones(t *testing.T) {
	tone := Tone(700, 0.25, rate)
	if l := ToneLevel(tone, 700); l < 0.95 {
		t.Errorf("level of the tone itself %.2f", l)
	}
	if l := ToneLevel(tone, 1100); l > 0.01 {
		t.Errorf("level of another tone %.3f", l)
	}
	if ToneLevel(nil, 700) != 0 || ToneLevel(make([]int16, 100), 700) != 0 || RMS(nil) != 0 {
		t.Error("silence has a level")
	}
	if !hearsTone(append(make([]int16, 777), tone...), 700) || hearsTone(Tone(700, 0.005, rate), 700) || hearsTone(tone, 1100) {
		t.Error("hearsTone is wrong")
	}
	if !heardDigit5(digit5()) || heardDigit5(Tone(770, 0.3, rate)) || heardDigit5(nil) {
		t.Error("heardDigit5 is wrong")
	}
}

// TestOrderly: the rules for a leg's events refuse each way to break them.
func TestOrderly(t *testing.T) {
	at := time.Unix(1, 0)
	ev := func(types ...call.LegEventType) (out []call.LegEvent) {
		for _, typ := range types {
			e := call.LegEvent{Type: typ, At: at}
			if typ == call.LegEnded {
				e.Cause = call.NormalClearing(call.Remote)
			}
			out = append(out, e)
		}
		return out
	}
	good := [][]call.LegEvent{
		ev(call.LegEnded),
		ev(call.LegRinging, call.LegEarly, call.LegAnswered, call.LegDigit, call.LegHeld, call.LegResumed, call.LegEnded),
	}
	for _, events := range good {
		if err := orderly(events, true); err != nil {
			t.Errorf("%v: %v", describe(events), err)
		}
		if orderly(events, false) == nil {
			t.Errorf("%v without a close passes", describe(events))
		}
	}
	noTime := ev(call.LegEnded)
	noTime[0].At = time.Time{}
	back := ev(call.LegRinging, call.LegEnded)
	back[1].At = at.Add(-1)
	noCause := ev(call.LegEnded)
	noCause[0].Cause = call.Cause{}
	for name, events := range map[string][]call.LegEvent{
		"none":                  nil,
		"no end":                ev(call.LegAnswered),
		"two ends":              ev(call.LegEnded, call.LegEnded),
		"after the end":         ev(call.LegEnded, call.LegDigit),
		"two answers":           ev(call.LegAnswered, call.LegAnswered, call.LegEnded),
		"ringing when answered": ev(call.LegAnswered, call.LegRinging, call.LegEnded),
		"no time":               noTime,
		"time runs back":        back,
		"no cause":              noCause,
	} {
		if orderly(events, true) == nil {
			t.Errorf("%s passes: %s", name, describe(events))
		}
	}
}
