package main

import (
	"context"
	"log/slog"
	"slices"
	"sort"
	"strings"
	"sync"

	"callbox/api/admin"
	"callbox/call"
)

// lineSet is the lines that exist now. A change of the configuration stops and
// starts only the lines that it touches. Its methods may be called concurrently.
type lineSet struct {
	receiver call.Receiver
	log      *slog.Logger

	apply sync.Mutex // held while lines are being replaced
	mu    sync.Mutex // guards running
	// running holds the lines by id.
	running map[string]*runningLine
}

type runningLine struct {
	line   call.Line
	print  string // its configuration as text: a line restarts when this changes
	cancel context.CancelFunc
	done   chan struct{}
}

// wantedLine is a line that the configuration asks for.
type wantedLine struct {
	id, print string
	make      func() (call.Line, error)
}

func newLineSet(receiver call.Receiver, log *slog.Logger) *lineSet {
	return &lineSet{receiver: receiver, log: log, running: map[string]*runningLine{}}
}

// Line finds a line by id (engine.Lines).
func (s *lineSet) Line(id string) (call.Line, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.running[id]
	if !ok {
		return nil, false
	}
	return r.line, true
}

// list gives the lines and how they are, sorted by id.
func (s *lineSet) list() []admin.Line {
	s.mu.Lock()
	lines := make([]call.Line, 0, len(s.running))
	for _, r := range s.running {
		lines = append(lines, r.line)
	}
	s.mu.Unlock()
	sort.Slice(lines, func(i, j int) bool { return lines[i].ID() < lines[j].ID() })
	out := make([]admin.Line, 0, len(lines))
	for _, l := range lines {
		out = append(out, statusOf(l))
	}
	return out
}

// ids lists the ids, sorted.
func (s *lineSet) ids() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]string, 0, len(s.running))
	for id := range s.running {
		out = append(out, id)
	}
	slices.SortFunc(out, strings.Compare)
	return out
}

// set makes the running lines those that are wanted. A line that cannot be made
// is left out with a log line: one wrong trunk does not stop the box.
func (s *lineSet) set(want []wantedLine) {
	s.apply.Lock()
	defer s.apply.Unlock()
	keep := map[string]string{}
	for _, w := range want {
		keep[w.id] = w.print
	}
	s.mu.Lock()
	var gone []*runningLine
	for id, r := range s.running {
		if p, ok := keep[id]; !ok || p != r.print {
			gone = append(gone, r)
			delete(s.running, id)
		}
	}
	s.mu.Unlock()
	stopLines(gone)
	for _, w := range want {
		if _, ok := s.Line(w.id); !ok {
			s.start(w)
		}
	}
}

func stopLines(lines []*runningLine) {
	for _, r := range lines {
		r.cancel()
	}
	for _, r := range lines {
		<-r.done
	}
}

// start makes and serves one line.
func (s *lineSet) start(w wantedLine) {
	l, err := w.make()
	if err != nil {
		s.log.Error("a line cannot be used; correct its configuration", "line", w.id, "err", err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &runningLine{line: l, print: w.print, cancel: cancel, done: make(chan struct{})}
	s.mu.Lock()
	s.running[w.id] = r
	s.mu.Unlock()
	go func() { // ended by stopLines, which waits for done
		defer close(r.done)
		if err := l.Serve(ctx, s.receiver); err != nil {
			s.log.Error("a line has stopped", "line", w.id, "err", err)
		}
	}()
}

// close stops every line and waits for all.
func (s *lineSet) close() {
	s.apply.Lock()
	defer s.apply.Unlock()
	s.mu.Lock()
	all := make([]*runningLine, 0, len(s.running))
	for _, r := range s.running {
		all = append(all, r)
	}
	s.running = map[string]*runningLine{}
	s.mu.Unlock()
	stopLines(all)
}
