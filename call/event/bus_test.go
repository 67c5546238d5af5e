package event

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"callbox/call"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func ev(id string, t call.EventType, seq int) call.Event {
	return call.Event{Type: t, Seq: seq, Record: &call.Record{ID: id, Account: "AC1"}}
}

// drain takes what is queued without waiting.
func drain(s *Subscription) (out []call.Event, closed bool) {
	for {
		select {
		case e, ok := <-s.C():
			if !ok {
				return out, true
			}
			out = append(out, e)
		default:
			return out, false
		}
	}
}

func seqs(events []call.Event) []int {
	var out []int
	for _, e := range events {
		out = append(out, e.Seq)
	}
	return out
}

func TestFilter(t *testing.T) {
	t.Parallel()
	b := NewBus()
	defer b.Close()
	other := call.Event{Type: call.EventRinging, Record: &call.Record{ID: "CA2", Account: "AC2", Parent: "CA1"}}
	tests := []struct {
		name string
		f    Filter
		want int
	}{
		{"all", Filter{}, 3},
		{"account", Filter{Account: "AC1"}, 2},
		{"call", Filter{Call: "CA2"}, 1},
		{"parent", Filter{Parent: "CA1"}, 1},
		{"types", Filter{Types: []call.EventType{call.EventEnded, call.EventRinging}}, 2},
		{"all of them", Filter{Account: "AC1", Call: "CA1", Types: []call.EventType{call.EventEnded}}, 1},
		{"none", Filter{Account: "AC3"}, 0},
	}
	subs := make([]*Subscription, len(tests))
	for i, tt := range tests {
		subs[i] = b.Subscribe(tt.f, 0)
	}
	b.Publish(ev("CA1", call.EventInitiated, 0))
	b.Publish(other)
	b.Publish(ev("CA1", call.EventEnded, 1))
	for i, tt := range tests {
		got, closed := drain(subs[i])
		if len(got) != tt.want || closed {
			t.Errorf("%s: %d events, want %d", tt.name, len(got), tt.want)
		}
		subs[i].Close()
	}
	if st := b.Stats(); st.Published != 3 || st.Subscriptions != 0 || st.Delivered != 10 {
		t.Errorf("stats %+v", st)
	}
}

// A full queue drops ordinary events, counts them, and still takes final ones.
func TestFullQueue(t *testing.T) {
	t.Parallel()
	b := NewBus()
	defer b.Close()
	s := b.Subscribe(Filter{}, 3)
	for i := range 5 {
		b.Publish(ev("CA1", call.EventVerb, i))
	}
	b.Publish(ev("CA1", call.EventRecordingDone, 5))
	b.Publish(ev("CA1", call.EventDigit, 6))
	b.Publish(ev("CA1", call.EventEnded, 7))
	got, closed := drain(s)
	if !slices.Equal(seqs(got), []int{0, 1, 2, 5, 7}) || closed {
		t.Errorf("got %v", seqs(got))
	}
	if s.Dropped() != 3 || b.Stats().Dropped != 3 {
		t.Errorf("dropped %d", s.Dropped())
	}
	// With room again, all is well again.
	b.Publish(ev("CA1", call.EventVerb, 8))
	if got, _ := drain(s); !slices.Equal(seqs(got), []int{8}) || s.Err() != nil {
		t.Errorf("got %v, %v", seqs(got), s.Err())
	}
	s.Close()
}

// Who lets the reserve run full is cut off, after what is queued.
func TestOverrun(t *testing.T) {
	t.Parallel()
	b := NewBus()
	defer b.Close()
	slow, good := b.Subscribe(Filter{}, 2), b.Subscribe(Filter{}, 100)
	defer good.Close()
	for i := range 6 {
		b.Publish(ev("CA1", call.EventEnded, i))
	}
	got, closed := drain(slow)
	if !slices.Equal(seqs(got), []int{0, 1, 2, 3}) || !closed || slow.Err() != ErrOverrun {
		t.Errorf("got %v, closed %v, %v", seqs(got), closed, slow.Err())
	}
	if st := b.Stats(); st.Overruns != 1 || st.Subscriptions != 1 {
		t.Errorf("stats %+v", st)
	}
	if got, _ := drain(good); len(got) != 6 {
		t.Errorf("the other subscriber got %d", len(got))
	}
	slow.Close() // nothing happens
	if slow.Err() != ErrOverrun {
		t.Error(slow.Err())
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	b := NewBus()
	s, gone := b.Subscribe(Filter{}, 2), b.Subscribe(Filter{}, 2)
	b.Publish(ev("CA1", call.EventInitiated, 0))
	gone.Close()
	gone.Close()
	if got, closed := drain(gone); len(got) != 1 || !closed || gone.Err() != nil {
		t.Errorf("%d events, closed %v, %v", len(got), closed, gone.Err())
	}
	b.Close()
	b.Close()
	b.Publish(ev("CA1", call.EventEnded, 1))
	if got, closed := drain(s); len(got) != 1 || !closed || s.Err() != ErrBusClosed {
		t.Errorf("%d events, closed %v, %v", len(got), closed, s.Err())
	}
	late := b.Subscribe(Filter{}, 2)
	if _, closed := drain(late); !closed || late.Err() != ErrBusClosed {
		t.Errorf("closed %v, %v", closed, late.Err())
	}
}

func TestTooMany(t *testing.T) {
	t.Parallel()
	b := NewBus()
	defer b.Close()
	for range MaxSubscriptions {
		b.Subscribe(Filter{}, 1)
	}
	s := b.Subscribe(Filter{}, MaxSize+1)
	if _, closed := drain(s); !closed || s.Err() != ErrTooMany || b.Stats().Refused != 1 {
		t.Errorf("closed %v, %v, %+v", closed, s.Err(), b.Stats())
	}
}

// The filter of a subscription is its own.
func TestFilterIsCopied(t *testing.T) {
	t.Parallel()
	b := NewBus()
	defer b.Close()
	types := []call.EventType{call.EventEnded}
	s := b.Subscribe(Filter{Types: types}, 1)
	types[0] = call.EventVerb
	b.Publish(ev("CA1", call.EventEnded, 0))
	if got, _ := drain(s); len(got) != 1 {
		t.Error("a change from outside went through")
	}
}

// Many calls publish at once while subscribers come and go: each call's events
// arrive in order, finals always.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	const calls, events = 20, 200
	b := NewBus()
	readers := sync.WaitGroup{}
	for _, size := range []int{1, 8, MaxSize} {
		s := b.Subscribe(Filter{}, size)
		readers.Go(func() {
			last := map[string]int{}
			finals := 0
			for e := range s.C() {
				if prev, seen := last[e.Record.ID]; seen && e.Seq <= prev {
					t.Errorf("call %s: %d after %d", e.Record.ID, e.Seq, prev)
				}
				last[e.Record.ID] = e.Seq
				if Final(e.Type) {
					finals++
				}
			}
			if s.Err() == ErrBusClosed && finals != calls {
				t.Errorf("%d finals, want %d", finals, calls)
			}
		})
	}
	publishers := sync.WaitGroup{}
	for i := range calls {
		publishers.Go(func() {
			id := fmt.Sprint(i)
			for n := range events {
				b.Publish(ev(id, call.EventVerb, n))
				if n%50 == 0 {
					b.Subscribe(Filter{Call: id}, 4).Close()
				}
			}
			b.Publish(ev(id, call.EventEnded, events))
		})
	}
	publishers.Wait()
	b.Close()
	readers.Wait()
}

func TestPublishDoesNotAllocate(t *testing.T) {
	b := NewBus()
	defer b.Close()
	s := b.Subscribe(Filter{Account: "AC1"}, 1)
	defer s.Close()
	e := ev("CA1", call.EventVerb, 0)
	if n := testing.AllocsPerRun(100, func() { b.Publish(e) }); n > 0 {
		t.Errorf("%.0f allocations", n)
	}
}

func BenchmarkPublish(b *testing.B) {
	bus := NewBus()
	defer bus.Close()
	for range 10 {
		bus.Subscribe(Filter{}, 1)
	}
	e := ev("CA1", call.EventVerb, 0)
	b.ReportAllocs()
	for b.Loop() {
		bus.Publish(e)
	}
}
