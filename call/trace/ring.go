package trace

import (
	"bytes"
	"net/netip"
	"sync"
	"time"

	"callbox/call"
)

// DefaultLimit is the memory of a ring, in bytes: about 2,500 messages, the last
// 200 calls.
const DefaultLimit = 4 << 20

const (
	// entryCost is about what an entry costs besides its text, in bytes.
	entryCost = 200
	// maxText is the longest text that is kept, in bytes; longer ones are cut.
	maxText = 8 << 10
	// maxCalls bounds the children and dialogs of one call that are looked for.
	maxCalls = 64
)

// Entry is one thing that happened.
type Entry struct {
	At time.Time `json:"at"`
	// Key is what the entry is filed under: the dialog of a message, the call of an
	// event.
	Key string `json:"key"`
	// Sent says that the box sent the message. Transport, Local and Remote are the
	// way it took; they are empty for an event.
	Sent      bool           `json:"sent"`
	Transport string         `json:"transport,omitempty"`
	Local     netip.AddrPort `json:"local"`
	Remote    netip.AddrPort `json:"remote"`
	Text      string         `json:"text"` // a whole message, or one line about an event

	dialog, parent string // of an event: what else belongs to the call
	line           string // of an event: the line of the call
	seq            uint64 // of all entries of the ring
}

// lineKey is what the dialogue of a line is filed under.
func lineKey(line string) string { return "line " + line }

// How long before a call's first event, and after its last, the dialogue of its
// line belongs to it: a modem rings before the call is known, and somebody dials. What
// came before the end of the line's call before is that one's.
const (
	lineBefore = 30 * time.Second
	lineAfter  = 5 * time.Second
)

// IsEvent reports whether e is an event of the call and no message.
func (e Entry) IsEvent() bool { return e.Transport == "" }

// Ring keeps the newest entries. All methods may be called concurrently; none
// blocks for longer than a copy takes.
type Ring struct {
	mu    sync.Mutex // guards what follows
	list  []Entry    // a ring: the oldest is at head
	head  int
	n     int
	bytes int
	limit int
	lost  uint64
	seq   uint64 // of the next entry
}

// NewRing makes a ring of so many bytes; 0 is DefaultLimit.
func NewRing(limit int) *Ring {
	if limit <= 0 {
		limit = DefaultLimit
	}
	return &Ring{limit: limit}
}

// Message files a signalling message. Secrets in it are struck out; raw is not
// kept.
func (r *Ring) Message(at time.Time, key, transport string, sent bool, local, remote netip.AddrPort, raw []byte) {
	text := string(conceal(bytes.Clone(raw[:min(len(raw), maxText)])))
	r.add(Entry{At: at, Key: key, Sent: sent, Transport: transport, Local: local, Remote: remote, Text: text})
}

// Line files a line of the dialogue with the hardware of a line, such as a modem
// that speaks AT. It belongs to the calls that the line has at the time. Secrets
// are the caller's to strike out.
func (r *Ring) Line(at time.Time, line, transport string, sent bool, text string) {
	r.add(Entry{At: at, Key: lineKey(line), Sent: sent, Transport: transport, Text: text[:min(len(text), maxText)]})
}

// Publish files an event of a call.
func (r *Ring) Publish(ev call.Event) {
	text := sentence(ev)
	if ev.Record == nil || text == "" {
		return
	}
	r.add(Entry{At: ev.At, Key: ev.Record.ID, Text: text[:min(len(text), maxText)], dialog: ev.Record.SIPCallID, parent: ev.Record.Parent, line: ev.Record.Line})
}

// sentence is an event for people; empty for what is not worth a line.
func sentence(ev call.Event) string {
	switch ev.Type {
	case call.EventInitiated:
		return "calling " + ev.Record.To + onLine(ev.Record.Line)
	case call.EventEnded:
		if ev.Record.Cause != nil && ev.Record.Cause.Error() != "" {
			return ev.Record.State.String() + ": " + ev.Record.Cause.Error()
		}
		return ev.Record.State.String()
	case call.EventEarly:
		return "sound before the answer"
	case call.EventRinging, call.EventAnswered:
		return string(ev.Type)
	}
	if ev.Note == "" {
		return string(ev.Type)
	}
	return string(ev.Type) + " " + ev.Note
}

func onLine(id string) string {
	if id == "" {
		return ""
	}
	return " on " + id
}

// cost is what an entry takes of the limit.
func (e Entry) cost() int { return entryCost + len(e.Text) }

// add files e and drops the oldest entries beyond the limit.
func (r *Ring) add(e Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bytes += e.cost()
	for r.n > 0 && r.bytes > r.limit {
		old := &r.list[r.head]
		r.bytes -= old.cost()
		*old = Entry{}
		r.head = (r.head + 1) % len(r.list)
		r.n--
		r.lost++
	}
	if r.n == len(r.list) {
		r.grow()
	}
	e.seq = r.seq
	r.seq++
	r.list[(r.head+r.n)%len(r.list)] = e
	r.n++
}

// grow doubles the slots. The caller holds r.mu.
func (r *Ring) grow() {
	list := make([]Entry, max(64, 2*len(r.list)))
	for i := range r.n {
		list[i] = r.list[(r.head+i)%len(r.list)]
	}
	r.list, r.head = list, 0
}

// each calls f for every entry, oldest first. The caller holds r.mu.
func (r *Ring) each(f func(e *Entry)) {
	for i := range r.n {
		f(&r.list[(r.head+i)%len(r.list)])
	}
}

// Call gives the entries of a call, of the calls that it dialled, and of their
// dialogs, oldest first. dialogs are those that the caller knows of; the ring
// adds what its events tell.
func (r *Ring) Call(id string, dialogs ...string) []Entry {
	entries, _ := r.of(id, dialogs)
	return entries
}

// of is Call, and gives all that entries of the call are filed under.
func (r *Ring) of(id string, dialogs []string) ([]Entry, map[string]bool) {
	keys := map[string]bool{id: true}
	for _, d := range dialogs {
		keys[d] = true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.each(func(e *Entry) { // a child's events come after its parent's
		if e.IsEvent() && (keys[e.Key] || e.parent != "" && keys[e.parent]) && len(keys) < maxCalls {
			keys[e.Key] = true
			if e.dialog != "" {
				keys[e.dialog] = true
			}
		}
	})
	lines := r.lines(keys)
	var out []Entry
	r.each(func(e *Entry) {
		if keys[e.Key] || lines[e.Key].holds(e.At) {
			out = append(out, *e)
		}
	})
	return out, keys
}

// span is a time; the zero span holds none.
type span struct{ from, to time.Time }

func (s span) holds(t time.Time) bool { return !t.Before(s.from) && t.Before(s.to) }

// lines gives, by key, when the lines of calls were theirs. The caller holds r.mu.
func (r *Ring) lines(calls map[string]bool) map[string]span {
	out, others := map[string]span{}, map[string]time.Time{}
	r.each(func(e *Entry) {
		if e.line == "" {
			return
		}
		key := lineKey(e.line)
		if !calls[e.Key] {
			others[key] = e.At
			return
		}
		s, known := out[key]
		if !known {
			s.from = e.At.Add(-lineBefore)
			if o := others[key]; o.After(s.from) {
				s.from = o
			}
		}
		s.to = e.At.Add(lineAfter)
		out[key] = s
	})
	return out
}

// Stats say how full a ring is.
type Stats struct {
	Entries, Bytes int
	Dropped        uint64 // entries that made room for newer ones
}

// Stats gives them.
func (r *Ring) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Stats{Entries: r.n, Bytes: r.bytes, Dropped: r.lost}
}
