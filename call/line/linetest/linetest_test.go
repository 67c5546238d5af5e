package linetest

import (
	"math/rand/v2"
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

func TestMatch(t *testing.T) {
	said := Sweep(400, 3000, rate)
	noise := make([]int16, rate)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = int16(r.IntN(16000) - 8000)
	}
	quiet := make([]int16, len(said))
	for i, v := range said {
		quiet[i] = v / 8
	}
	silence := make([]int16, 1234)
	join := func(parts ...[]int16) (out []int16) {
		for _, p := range parts {
			out = append(out, p...)
		}
		return out
	}
	for name, tt := range map[string]struct {
		heard    []int16
		min, max float64
	}{
		"itself":              {said, 1, 1},
		"late and quieter":    {join(silence, quiet, silence), 1, 1},
		"a gap of 60 ms":      {join(said[:3000], said[3480:]), 0.85, 0.95},
		"a repeated frame":    {join(said[:3000], said[2840:]), 0.85, 1},
		"half of it":          {said[:4000], 0.5, 0.5},
		"backwards":           {Sweep(3000, 400, rate), 0, 0.3},
		"noise":               {noise, 0, 0},
		"silence":             {make([]int16, rate), 0, 0},
		"nothing":             {nil, 0, 0},
		"a tone":              {Tone(1000, 0.3, rate), 0, 0.1},
		"every second sample": {join(said[:100], said[200:300], said[400:500]), 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Match(tt.heard, said); got < tt.min || got > tt.max {
				t.Errorf("Match = %.2f, want %.2f to %.2f", got, tt.min, tt.max)
			}
		})
	}
	if Match(said, nil) != 0 {
		t.Error("nothing said was heard")
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
