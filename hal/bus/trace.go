package bus

import (
	"fmt"
	"io"
	"sync"
	"time"

	"callbox/hal"
)

// Trace writes down what passes over buses, one line each, with seconds since
// the trace began:
//
//	0.050312 GPIO16 set high
//	2.051007 GPIO12 edge high 2.049880
//	2.120000 codec.0 read 160 peak 12034
//
// It stops writing after a number of lines, and counts the rest. Methods may be
// called from any goroutine.
type Trace struct {
	mu      sync.Mutex // guards all below
	w       io.Writer
	start   time.Time
	left    int
	dropped uint64
}

// NewTrace writes at most lines lines to w, which need not be safe for
// concurrent use.
func NewTrace(w io.Writer, lines int) *Trace {
	return &Trace{w: w, start: time.Now(), left: lines}
}

// Dropped is the number of lines that were not written because of the limit or
// an error of the writer.
func (t *Trace) Dropped() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.dropped
}

func (t *Trace) line(format string, a ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.left <= 0 {
		t.dropped++
		return
	}
	t.left--
	since := time.Since(t.start).Seconds()
	if _, err := fmt.Fprintf(t.w, "%.6f %s\n", since, fmt.Sprintf(format, a...)); err != nil {
		t.dropped++
		t.left = 0
	}
}

// result is how an operation ended, as the end of a line.
func result(err error) string {
	if err == nil {
		return ""
	}
	return " error " + err.Error()
}

// Output gives p with a trace of what it is set to.
func (t *Trace) Output(p hal.Output) hal.Output { return tracedOutput{p, t} }

type tracedOutput struct {
	hal.Output
	t *Trace
}

func (p tracedOutput) Set(l hal.Level) error {
	err := p.Output.Set(l)
	p.t.line("%s set %v%s", p.Name(), l, result(err))
	return err
}

// Drain gives p with a trace of its state.
func (t *Trace) Drain(p hal.Drain) hal.Drain { return tracedDrain{p, t} }

type tracedDrain struct {
	hal.Drain
	t *Trace
}

func (p tracedDrain) Pull() error {
	err := p.Drain.Pull()
	p.t.line("%s pull%s", p.Name(), result(err))
	return err
}

func (p tracedDrain) Release() error {
	err := p.Drain.Release()
	p.t.line("%s release%s", p.Name(), result(err))
	return err
}

// Input gives p with a trace of its edges and of levels read that differ from
// the last one seen. A goroutine hands the edges on; it ends when p's edges are
// closed, and wait returns when it has ended.
func (t *Trace) Input(p hal.Input) (in hal.Input, wait func()) {
	i := &tracedInput{Input: p, t: t, edges: make(chan hal.Edge, maxEdges)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(i.edges)
		for e := range p.Edges() {
			t.line("%s edge %v %.6f", p.Name(), e.Level, e.At.Sub(t.start).Seconds())
			select {
			case i.edges <- e:
			default:
				t.line("%s edge lost", p.Name())
			}
		}
	}()
	return i, func() { <-done }
}

type tracedInput struct {
	hal.Input
	t     *Trace
	edges chan hal.Edge
	mu    sync.Mutex
	last  hal.Level // mu
	seen  bool      // mu
}

func (p *tracedInput) Edges() <-chan hal.Edge { return p.edges }

func (p *tracedInput) Read() (hal.Level, error) {
	l, err := p.Input.Read()
	p.mu.Lock()
	changed := err != nil || !p.seen || l != p.last
	p.last, p.seen = l, true
	p.mu.Unlock()
	if changed {
		p.t.line("%s read %v%s", p.Name(), l, result(err))
	}
	return l, err
}

// PCM gives p, called name, with a trace of its blocks.
func (t *Trace) PCM(name string, p hal.PCM) hal.PCM { return tracedPCM{p, name, t} }

type tracedPCM struct {
	hal.PCM
	name string
	t    *Trace
}

func (p tracedPCM) Read(b []int16) (int, error) {
	n, err := p.PCM.Read(b)
	p.t.line("%s read %d peak %d%s", p.name, n, peak(b[:n]), result(err))
	return n, err
}

func (p tracedPCM) Write(b []int16) (int, error) {
	n, err := p.PCM.Write(b)
	p.t.line("%s write %d peak %d%s", p.name, n, peak(b[:n]), result(err))
	return n, err
}

// peak is the largest magnitude in b.
func peak(b []int16) int {
	m := 0
	for _, v := range b {
		m = max(m, int(v), -int(v))
	}
	return m
}
