package lamp

import (
	"fmt"
	"slices"
	"testing"

	"callbox/call"
)

func event(t call.EventType, id, line string, d call.Direction, s call.State, seq int) call.Event {
	return call.Event{Type: t, Record: &call.Record{ID: id, Line: line, Direction: d, State: s, Seq: seq, From: "201", To: "202", CallerName: "Alice"}}
}

// show writes a line's talks in short.
func show(b *Board, line string) string {
	out := ""
	for _, t := range b.Line(line) {
		out += fmt.Sprintf("%s %v %v %s %s;", t.Call, t.Placed, t.State, t.Remote, t.RemoteName)
	}
	return out
}

func TestBoard(t *testing.T) {
	t.Parallel()
	var changed []string
	b := NewBoard(func(line string) { changed = append(changed, line) })
	for i, step := range []struct {
		ev                 call.Event
		alice, bob, shared string
		changed            []string
	}{
		{event(call.EventInitiated, "1", "alice", call.Inbound, call.Dialing, 1), "1 true dialing 202 ;", "", "", []string{"alice"}},
		{event(call.EventRinging, "1", "alice", call.Inbound, call.Ringing, 2), "1 true ringing 202 ;", "", "", []string{"alice"}},
		{event(call.EventInitiated, "2", "shared", call.OutboundDial, call.Dialing, 1), "1 true ringing 202 ;", "", "2 false dialing 201 Alice;", []string{"shared"}},
		// The route goes on to the next line.
		{event(call.EventRinging, "2", "bob", call.OutboundDial, call.Ringing, 2), "1 true ringing 202 ;", "2 false ringing 201 Alice;", "", []string{"shared", "bob"}},
		{event(call.EventAnswered, "2", "bob", call.OutboundDial, call.InProgress, 3), "1 true ringing 202 ;", "2 false in-progress 201 Alice;", "", []string{"bob"}},
		// What does not move a call moves no lamp.
		{event(call.EventDigit, "2", "bob", call.OutboundDial, call.InProgress, 4), "1 true ringing 202 ;", "2 false in-progress 201 Alice;", "", nil},
		{event(call.EventEnded, "2", "bob", call.OutboundDial, call.Completed, 5), "1 true ringing 202 ;", "", "", []string{"bob"}},
		{event(call.EventEnded, "1", "alice", call.Inbound, call.Busy, 5), "", "", "", []string{"alice"}},
		{event(call.EventEnded, "3", "", call.OutboundAPI, call.Failed, 0), "", "", "", nil},
	} {
		changed = nil
		b.Publish(step.ev)
		if a, bo, s := show(b, "alice"), show(b, "bob"), show(b, "shared"); a != step.alice || bo != step.bob || s != step.shared || !slices.Equal(changed, step.changed) {
			t.Errorf("step %d: alice %q, bob %q, shared %q, changed %q", i, a, bo, s, changed)
		}
	}
	if len(b.talks) != 0 {
		t.Errorf("remembered for ever: %v", b.talks)
	}
}

// TestOlderEvent: the events of a call that overtake each other.
func TestOlderEvent(t *testing.T) {
	t.Parallel()
	b := NewBoard(func(string) {})
	b.Publish(event(call.EventAnswered, "1", "bob", call.OutboundAPI, call.InProgress, 3))
	b.Publish(event(call.EventRinging, "1", "bob", call.OutboundAPI, call.Ringing, 2))
	if got := show(b, "bob"); got != "1 false in-progress 201 Alice;" {
		t.Errorf("%q", got)
	}
	b.Publish(call.Event{Type: call.EventRinging})
	b.Publish(call.Event{Type: call.EventRinging, Record: &call.Record{}})
}

// TestUse: how much the box called a line, now and in all; what its party placed does
// not count, nor does an event twice.
func TestUse(t *testing.T) {
	b := NewBoard(func(string) {})
	tell := func(id, line string, d call.Direction, s call.State, seq int) {
		b.Publish(call.Event{Type: call.EventRinging, Record: &call.Record{ID: id, Line: line, Direction: d, State: s, Seq: seq}})
	}
	tell("1", "a", call.OutboundAPI, call.Dialing, 1)
	tell("1", "a", call.OutboundAPI, call.Ringing, 2)
	tell("2", "b", call.OutboundDial, call.Ringing, 1)
	tell("3", "b", call.Inbound, call.InProgress, 1)
	tell("1", "b", call.OutboundAPI, call.Ringing, 3) // the next line of a group
	tell("2", "b", call.OutboundDial, call.Completed, 2)
	for line, want := range map[string]Use{"a": {Calls: 1, Last: 1}, "b": {Now: 2, Calls: 2, Last: 3}, "c": {}} {
		if got := b.Use(line); got != want {
			t.Errorf("%s: %+v, want %+v", line, got, want)
		}
	}
}
