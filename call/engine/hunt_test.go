package engine

import (
	"testing"
	"time"

	"callbox/call"
	"callbox/call/script"
)

// TestRingsOneAfterAnother: a line that was rung for its time is given up for the next
// one, whether it rings, is being dialled, or answers too late; the last one rings as
// long as the call.
func TestRingsOneAfterAnother(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.routes["5550199"] = []Attempt{{Line: "201", To: "1", Ring: 20 * time.Second}, {Line: "202", To: "2", Ring: 10 * time.Second}, {Line: "203", To: "3", Ring: time.Second}}
		w.always = true
		rec := w.mustCreate(call.Request{From: "5550100", To: "5550199", RingTimeout: 2 * time.Minute, Script: w.doc("http://app/voice", play("clip:5"))})
		first := <-w.lines["201"].dialed
		first.ring()
		w.lines["202"].slow = make(chan struct{})
		pass(19 * time.Second)
		if first.cause() != nil {
			t.Fatal("given up too early")
		}
		pass(2 * time.Second)
		if c := first.cause(); c == nil || c.Q850 != call.Q850NoAnswer {
			t.Fatalf("the first line was told %+v", c)
		}
		first.answer() // it crosses
		pass(10 * time.Second)
		third := <-w.lines["203"].dialed
		third.ring()
		pass(time.Minute)
		third.answer()
		pass(time.Second)
		r := w.ends(rec.ID, call.Completed)
		if r.Line != "203" || len(r.Warnings) != 2 {
			t.Errorf("line %s, warnings %q", r.Line, r.Warnings)
		}
		w.wantTold(rec.ID, "initiated/0", "ringing/1", "answered/2", "completed/3")
	})
}

// splitter has some parties stand for others.
type splitter struct {
	*world
	groups map[string][]script.Target
}

func (s splitter) Split(t script.Target) []script.Target {
	if g := s.groups[t.To]; g != nil {
		return g
	}
	return []script.Target{t}
}

// TestSplit: a Dial rings everybody that its parties stand for, ten at most, and leaves
// nobody out who was named.
func TestSplit(t *testing.T) {
	s := splitter{groups: map[string][]script.Target{"desk": users("201", "202", "203"), "all": users("1", "2", "3", "4", "5", "6", "7", "8", "9", "10")}}
	for _, tt := range []struct {
		named []script.Target
		want  int
		last  string
	}{
		{users("201"), 1, "201"},
		{users("desk", "204"), 4, "204"},
		{users("all", "204"), 10, "204"},
		{users("desk", "all"), 10, "7"},
	} {
		got := split(&script.Dial{Targets: tt.named}, s).Targets
		if len(got) != tt.want || got[len(got)-1].To != tt.last {
			t.Errorf("%v: %v", tt.named, got)
		}
	}
}

// TestAllRing: the lines of a group ring at once, and the first to answer has the call.
func TestAllRing(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.e.cfg.Router = splitter{w, map[string][]script.Target{"desk": users("201", "202")}}
		caller, _, res := w.arrive(script.Dial{Targets: users("desk"), AnswerOnBridge: true})
		a, b := <-w.lines["201"].dialed, <-w.lines["202"].dialed
		a.ring()
		b.ring()
		b.answer()
		pass(time.Second)
		if a.cause() == nil {
			t.Error("the other one still rings")
		}
		talking(t, caller, b)
		caller.end(call.NormalClearing(call.Remote))
		if !res().Bridged {
			t.Errorf("result %+v", res())
		}
	})
}
