package lamp

import (
	"slices"
	"strings"
	"sync"

	"callbox/call"
)

// Talk is one call on a line, not over yet.
type Talk struct {
	Call   string     // Record.ID
	Placed bool       // the line's party placed it; else the box calls the party
	State  call.State // Dialing, Ringing or InProgress
	Dialog string     // Record.SIPCallID
	// Remote is the other party, RemoteName its name, both as the record has them.
	Remote, RemoteName string
}

// Board is what all lines do now. Make it with [NewBoard]; its methods may be
// called concurrently.
type Board struct {
	changed func(line string)

	mu    sync.Mutex // guards the rest
	talks map[string]talk
	uses  map[string]Use
	calls uint64 // that were placed on any line
}

// Use is how much a line was called by the box since its start.
type Use struct {
	Now   int    // calls that are up
	Calls uint64 // of all
	Last  uint64 // higher, the later the last one was; 0: never
}

// talk is a Talk and where it goes on.
type talk struct {
	Talk
	line string
	seq  int // Record.Seq, by which it is known what came later
}

// NewBoard makes a board of idle lines. changed is told of each change of a line,
// without a lock held; it must not block.
func NewBoard(changed func(line string)) *Board {
	return &Board{changed: changed, talks: map[string]talk{}, uses: map[string]Use{}}
}

// Publish shows the board an event.
func (b *Board) Publish(ev call.Event) {
	switch ev.Type {
	case call.EventInitiated, call.EventRinging, call.EventAnswered, call.EventEnded:
	default:
		return
	}
	if ev.Record == nil || ev.Record.ID == "" {
		return
	}
	before, after := b.enter(*ev.Record)
	if before != "" && before != after {
		b.changed(before)
	}
	if after != "" {
		b.changed(after)
	}
}

// enter notes a record and names the lines that it was and is on.
func (b *Board) enter(r call.Record) (before, after string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	old, known := b.talks[r.ID]
	before = old.line
	if known && r.Seq < old.seq {
		return "", ""
	}
	if r.State.Final() || r.Line == "" {
		delete(b.talks, r.ID)
		return before, ""
	}
	t := talk{line: r.Line, seq: r.Seq, Talk: Talk{Call: r.ID, Placed: r.Direction == call.Inbound, State: r.State, Dialog: r.SIPCallID, Remote: r.From}}
	if t.Placed {
		t.Remote = r.To
	} else {
		t.RemoteName = r.CallerName
	}
	b.talks[r.ID] = t
	if !t.Placed && before != r.Line {
		b.calls++
		u := b.uses[r.Line]
		u.Calls, u.Last = u.Calls+1, b.calls
		b.uses[r.Line] = u
	}
	return before, r.Line
}

// Use tells how much a line is used.
func (b *Board) Use(line string) Use {
	b.mu.Lock()
	defer b.mu.Unlock()
	u := b.uses[line]
	for _, t := range b.talks {
		if t.line == line {
			u.Now++
		}
	}
	return u
}

// Line lists the talks on a line, in the order of their ids.
func (b *Board) Line(id string) []Talk {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []Talk
	for _, t := range b.talks {
		if t.line == id {
			out = append(out, t.Talk)
		}
	}
	slices.SortFunc(out, func(x, y Talk) int { return strings.Compare(x.Call, y.Call) })
	return out
}
