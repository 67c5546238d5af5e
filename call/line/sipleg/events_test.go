package sipleg

import (
	"testing"

	"callbox/call"
)

func drain(o *outbox) (types []call.LegEventType) {
	for {
		select {
		case e, ok := <-o.ch:
			if !ok {
				return types
			}
			types = append(types, e.Type)
		default:
			return types
		}
	}
}

// TestOutboxNeverBlocks: with nobody reading, digits are dropped and counted,
// state changes are not.
func TestOutboxNeverBlocks(t *testing.T) {
	t.Parallel()
	o := newOutbox()
	for range 1000 {
		o.message(&call.SIPMessage{Method: "INFO"})
		o.digit('5', false)
		o.hold(true)
		o.hold(false)
	}
	o.once(call.LegRinging)
	o.once(call.LegEarly)
	o.once(call.LegAnswered)
	o.end(call.NormalClearing(call.Remote), nil)
	count := map[call.LegEventType]int{}
	types := drain(o)
	for _, typ := range types {
		count[typ]++
	}
	for _, typ := range []call.LegEventType{call.LegRinging, call.LegEarly, call.LegAnswered, call.LegEnded} {
		if count[typ] != 1 {
			t.Errorf("%v came %d times", typ, count[typ])
		}
	}
	if told := count[call.LegDigit] + count[call.LegMessage]; uint64(told)+o.dropped.Load() != 2000 {
		t.Errorf("%d digits and messages came and %d were dropped, of 2000", told, o.dropped.Load())
	}
	if types[len(types)-1] != call.LegEnded {
		t.Error("the end is not last")
	}
	if count[call.LegHeld] != count[call.LegResumed] {
		t.Errorf("held %d times, resumed %d times", count[call.LegHeld], count[call.LegResumed])
	}
}

// TestOutboxHoldsDigits: call.Leg promises room for 64 events.
func TestOutboxHoldsDigits(t *testing.T) {
	t.Parallel()
	o := newOutbox()
	for range digitRoom {
		o.digit('1', false)
	}
	if o.dropped.Load() != 0 {
		t.Errorf("%d of the first %d digits were dropped", o.dropped.Load(), digitRoom)
	}
}

func TestOutboxOrder(t *testing.T) {
	t.Parallel()
	o := newOutbox()
	o.once(call.LegRinging)
	o.once(call.LegRinging)
	o.once(call.LegAnswered)
	o.once(call.LegAnswered)
	o.once(call.LegRinging)
	o.once(call.LegEarly)
	o.hold(false)
	o.hold(true)
	o.hold(true)
	o.end(call.NormalClearing(call.Remote), nil)
	o.end(call.NormalClearing(call.Box), nil)
	o.digit('1', false)
	o.hold(false)
	o.once(call.LegAnswered)
	want := []call.LegEventType{call.LegRinging, call.LegAnswered, call.LegHeld, call.LegEnded}
	got := drain(o)
	if len(got) != len(want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
}
