package main

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"callbox/call"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// countedLine counts its runs.
type countedLine struct {
	id   string
	runs *atomic.Int32
	live *atomic.Int32
}

func (l *countedLine) ID() string      { return l.id }
func (l *countedLine) Kind() call.Kind { return call.Trunk }
func (l *countedLine) Serve(ctx context.Context, _ call.Receiver) error {
	l.runs.Add(1)
	l.live.Add(1)
	defer l.live.Add(-1)
	<-ctx.Done()
	return nil
}
func (l *countedLine) Dial(context.Context, call.Dial) (call.Leg, error) {
	return nil, errors.New("not here")
}

func TestLineSet(t *testing.T) {
	s := newLineSet(nil, slog.New(slog.DiscardHandler))
	var runs, live atomic.Int32
	made := map[string]int{}
	want := func(id, print string) wantedLine {
		return wantedLine{id: id, print: print, make: func() (call.Line, error) {
			made[id]++
			return &countedLine{id, &runs, &live}, nil
		}}
	}
	broken := wantedLine{id: "broken", make: func() (call.Line, error) { return nil, errors.New("no host") }}
	s.set([]wantedLine{want("b", "1"), want("a", "1"), broken})
	if got := s.ids(); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("lines %v", got)
	}
	a, _ := s.Line("a")
	s.set([]wantedLine{want("a", "1"), want("b", "2"), want("c", "1")})
	if again, _ := s.Line("a"); again != a || made["a"] != 1 || made["b"] != 2 || made["c"] != 1 {
		t.Errorf("made %v; a line that did not change must go on", made)
	}
	s.set([]wantedLine{want("c", "1")})
	if _, ok := s.Line("a"); ok || len(s.list()) != 1 {
		t.Errorf("lines %v", s.ids())
	}
	s.close()
	if live.Load() != 0 || len(s.ids()) != 0 {
		t.Errorf("%d lines run after close", live.Load())
	}
}
