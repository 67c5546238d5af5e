package at

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// masked stands in traces and errors for what is secret.
const masked = "****"

// Entry is one line that passed.
type Entry struct {
	At   time.Time
	Out  bool   // to the modem
	Text string // without line end; control characters as they are; secrets masked
	// Always makes it something else: what the modem answers from here on whenever Text
	// is written out of turn, as polls are.
	Always []string
}

// concealed keeps of a secret answer what is before its first colon, and final
// codes.
func concealed(line string) string {
	if _, _, ok := final(line); ok {
		return line
	}
	if head, _, ok := strings.Cut(line, ":"); ok && len(head) < 16 && !isHex(line) {
		return head + ": " + masked
	}
	if strings.HasPrefix(line, "AT") { // the echo
		head, _, _ := strings.Cut(line, "=")
		return head + "=" + masked
	}
	return masked
}

// Recorder writes what passes as text, a line each: seconds since the first, the
// direction, and the text in Go's quotes. A [Player] plays it back.
//
//	0.000000 > "AT+CSQ"
//	0.012045 < "+CSQ: 20,99"
//	0.012101 < "OK"
//
// Record is a Config.Trace. Lines beyond the limit are not written, but counted.
type Recorder struct {
	mu      sync.Mutex // guards all below
	w       io.Writer
	start   time.Time
	left    int
	dropped uint64
}

// NewRecorder writes at most lines lines to w.
func NewRecorder(w io.Writer, lines int) *Recorder { return &Recorder{w: w, left: lines} }

// Record writes x.
func (r *Recorder) Record(x Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.start.IsZero() {
		r.start = x.At
	}
	if r.left <= 0 {
		r.dropped++
		return
	}
	r.left--
	arrow := "<"
	if x.Out {
		arrow = ">"
	}
	if _, err := fmt.Fprintf(r.w, "%.6f %s %q\n", x.At.Sub(r.start).Seconds(), arrow, x.Text); err != nil {
		r.dropped++
		r.left = 0
	}
}

// Dropped is the number of lines that were not written because of the limit or
// an error of the writer.
func (r *Recorder) Dropped() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.dropped
}

// ReadTrace reads what a [Recorder] wrote, or somebody by hand. Empty lines and those
// that start with # are skipped. At is counted from the zero time. Answers that hold
// from there on ([Entry.Always]) have an equals sign:
//
//	2.500000 = "AT+CREG?" "+CREG: 2,1" "OK"
func ReadTrace(r io.Reader) ([]Entry, error) {
	var list []Entry
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, 8*maxLine)
	for n := 1; sc.Scan(); n++ {
		line := strings.TrimSpace(sc.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		parts := strings.SplitN(line, " ", 3)
		if len(parts) != 3 || parts[1] != "<" && parts[1] != ">" && parts[1] != "=" {
			return nil, fmt.Errorf("line %d of the trace is not: seconds, < or > or =, text in quotes", n)
		}
		s, err := strconv.ParseFloat(parts[0], 64)
		if err != nil || s < 0 || s > 1e9 {
			return nil, fmt.Errorf("line %d of the trace has no time in seconds", n)
		}
		texts, err := quoted(parts[2])
		if err == nil && (parts[1] == "=") != (len(texts) > 1) {
			err = fmt.Errorf("%d texts", len(texts))
		}
		if err != nil {
			return nil, fmt.Errorf("line %d of the trace: one text in quotes has to stand there, or with = several: %w", n, err)
		}
		at := time.Time{}.Add(time.Duration(s * float64(time.Second)))
		list = append(list, Entry{At: at, Out: parts[1] == ">", Text: texts[0], Always: texts[1:]})
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("read the trace: %w", err)
	}
	return list, nil
}

// quoted reads texts in Go's quotes, one at least.
func quoted(s string) (list []string, err error) {
	for s = strings.TrimSpace(s); s != "" || len(list) == 0; s = strings.TrimSpace(s) {
		q, err := strconv.QuotedPrefix(s)
		if err != nil {
			return nil, err
		}
		text, err := strconv.Unquote(q)
		if err != nil {
			return nil, err
		}
		list, s = append(list, text), s[len(q):]
	}
	return list, nil
}

// Player is a [Port] that plays a trace: it expects what was written then, and
// says what the modem said, as long after it as then. "****" in a written line
// stands for anything. Something else written ends it with an error that [Player.Err]
// gives, unless it has an answer that always holds.
type Player struct {
	mu      sync.Mutex // guards all below
	list    []Entry
	always  map[string][]string
	last    time.Time // when the entry before list was played
	at      time.Time // its own time
	written []byte
	out     []byte // said, not yet read
	err     error
	change  chan struct{} // closed and made anew at every change
}

// NewPlayer plays the entries of a trace.
func NewPlayer(list []Entry) *Player {
	p := &Player{list: list, always: map[string][]string{}, last: time.Now(), change: make(chan struct{})}
	if p.heed(); len(p.list) > 0 {
		p.at = p.list[0].At
	}
	return p
}

// Err is what was written against the trace, nil as long as nothing was.
func (p *Player) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if errors.Is(p.err, os.ErrClosed) {
		return nil
	}
	return p.err
}

// Left is how many entries have not been played.
func (p *Player) Left() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.list)
}

// changed wakes who waits; the lock is held.
func (p *Player) changed() {
	close(p.change)
	p.change = make(chan struct{})
}

// due is how long the first entry still has to wait; the lock is held.
func (p *Player) due() time.Duration { return time.Until(p.last.Add(p.list[0].At.Sub(p.at))) }

// played takes the first entry off the list; the lock is held.
func (p *Player) played() {
	p.last, p.at = time.Now(), p.list[0].At
	p.list = p.list[1:]
	p.heed()
	p.changed()
}

// heed takes answers that always hold off the front of the list; the lock is held.
func (p *Player) heed() {
	for len(p.list) > 0 && len(p.list[0].Always) > 0 {
		p.always[p.list[0].Text] = p.list[0].Always
		p.list = p.list[1:]
	}
}

// say gives the engine a line; the lock is held.
func (p *Player) say(line string) {
	p.out = append(p.out, "\r\n"+line...)
	if line != "> " {
		p.out = append(p.out, "\r\n"...)
	}
}

// Write takes what the engine says.
func (p *Player) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return 0, p.err
	}
	p.written = append(p.written, b...)
	text := string(p.written)
	if len(text) > 1 {
		text = strings.TrimSuffix(text, "\r")
	}
	if len(text) == len(p.written) && !strings.ContainsAny(text[len(text)-1:], ctrlZ+escape+"\r^\x03") {
		return len(b), nil // no end yet
	}
	p.written = nil
	if len(p.list) == 0 || !p.list[0].Out || !resembles(p.list[0].Text, text) {
		if lines, ok := p.always[text]; ok {
			for _, l := range lines {
				p.say(l)
			}
			p.changed()
			return len(b), nil
		}
		want := "nothing"
		if len(p.list) > 0 {
			want = fmt.Sprintf("%q", p.list[0].Text)
			if !p.list[0].Out {
				want = "nothing before the modem has said " + want
			}
		}
		p.err = fmt.Errorf("%q was written, the trace has %s", text, want)
		p.changed()
		return 0, p.err
	}
	p.played()
	return len(b), nil
}

// resembles compares what was written with the trace, in which masked stands for
// anything.
func resembles(want, got string) bool {
	head, tail, found := strings.Cut(want, masked)
	if !found {
		return want == got
	}
	return len(got) >= len(head)+len(tail) && strings.HasPrefix(got, head) && strings.HasSuffix(got, tail)
}

// Read gives what the modem said when its time has come.
func (p *Player) Read(b []byte) (int, error) {
	for {
		p.mu.Lock()
		if n := copy(b, p.out); n > 0 {
			p.out = p.out[n:]
			p.mu.Unlock()
			return n, nil
		}
		if p.err != nil {
			defer p.mu.Unlock()
			return 0, p.err
		}
		change, wait := p.change, time.Duration(-1)
		if len(p.list) > 0 && !p.list[0].Out {
			if wait = p.due(); wait <= 0 {
				for ; wait <= 0; wait = p.due() { // what comes in one moment is read at once
					p.say(p.list[0].Text)
					p.played()
					if len(p.list) == 0 || p.list[0].Out || !p.list[0].At.Equal(p.at) {
						break
					}
				}
				p.mu.Unlock()
				continue
			}
		}
		p.mu.Unlock()
		var due <-chan time.Time
		if wait > 0 {
			due = time.After(wait)
		}
		select {
		case <-change:
		case <-due:
		}
	}
}

// Close ends the playing.
func (p *Player) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = os.ErrClosed
		p.changed()
	}
	return nil
}
