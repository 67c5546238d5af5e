package bus

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/warthog618/go-gpiocdev"
	"golang.org/x/sys/unix"

	"callbox/hal"
)

// PinRef says which line is meant: by name where the board names its lines, else
// by the label of the chip and the line's number on it.
type PinRef struct {
	Name   string // "GPIO16"
	Chip   string // label, "pinctrl-bcm2835"; used when no line has the name
	Offset int    // number of the line on Chip
}

// String gives the name, or chip and number.
func (r PinRef) String() string {
	if r.Name != "" {
		return r.Name
	}
	return fmt.Sprintf("%s:%d", r.Chip, r.Offset)
}

// ErrNoPin means that the board has no such line.
var ErrNoPin = errors.New("no such GPIO line")

const (
	consumer = "callbox" // shown by gpioinfo
	maxEdges = 256       // edges waiting for a reader; a dialled 0 makes 20
)

// line is the part of a requested line that is used here.
type line interface {
	SetValue(value int) error
	Value() (int, error)
	Reconfigure(options ...gpiocdev.LineConfigOption) error
	Close() error
}

// requester requests lines; tests replace it.
type requester func(r PinRef, o ...gpiocdev.LineReqOption) (line, error)

// request finds a line and takes it.
func request(r PinRef, o ...gpiocdev.LineReqOption) (line, error) {
	chip, offset, err := find(r)
	if err != nil {
		return nil, err
	}
	o = append(o, gpiocdev.WithConsumer(consumer))
	l, err := gpiocdev.RequestLine(chip, offset, o...)
	switch {
	case errors.Is(err, unix.EBUSY):
		return nil, fmt.Errorf("%v is used by another program: %w", r, err)
	case errors.Is(err, unix.EACCES), errors.Is(err, gpiocdev.ErrPermissionDenied):
		return nil, fmt.Errorf("%v may not be used by this user, who must be in the group gpio: %w", r, err)
	case err != nil:
		return nil, fmt.Errorf("request %v: %w", r, err)
	}
	return l, nil
}

// find looks a line up by name, then by chip label and number.
func find(r PinRef) (chip string, offset int, err error) {
	if r.Name != "" {
		if chip, offset, err := gpiocdev.FindLine(r.Name); err == nil {
			return chip, offset, nil
		}
	}
	for _, name := range gpiocdev.Chips() {
		c, err := gpiocdev.NewChip(name)
		if err != nil {
			continue
		}
		match := r.Chip != "" && strings.EqualFold(c.Label, r.Chip) && r.Offset < c.Lines()
		_ = c.Close()
		if match {
			return name, r.Offset, nil
		}
	}
	return "", 0, fmt.Errorf("%w: %v", ErrNoPin, r)
}

// Output is a line that the box drives. It implements [hal.Output].
type Output struct {
	ref PinRef
	l   line
}

var _ hal.Output = (*Output)(nil)

// OpenOutput takes a line and drives it to level at once.
func OpenOutput(r PinRef, level hal.Level) (*Output, error) { return openOutput(request, r, level) }

func openOutput(req requester, r PinRef, level hal.Level) (*Output, error) {
	l, err := req(r, gpiocdev.AsOutput(value(level)))
	if err != nil {
		return nil, err
	}
	return &Output{ref: r, l: l}, nil
}

// Name implements [hal.Pin].
func (p *Output) Name() string { return p.ref.String() }

// Set implements [hal.Output].
func (p *Output) Set(l hal.Level) error { return wrap(p.ref, p.l.SetValue(value(l))) }

// Close gives the line back. It keeps its level until somebody else takes it.
func (p *Output) Close() error { return wrap(p.ref, p.l.Close()) }

// Drain is a line that is pulled low or let go. It implements [hal.Drain].
//
// It never asks for the value 1: to let go it turns the line into an input
// without pull resistor. (An open-drain request would leave the resistor to the
// chip's state at boot, on a Raspberry Pi a pull-down.)
type Drain struct {
	ref PinRef
	l   line
}

var _ hal.Drain = (*Drain)(nil)

// OpenDrain takes a line and pulls it low at once.
func OpenDrain(r PinRef) (*Drain, error) { return openDrain(request, r) }

func openDrain(req requester, r PinRef) (*Drain, error) {
	l, err := req(r, gpiocdev.AsOutput(0))
	if err != nil {
		return nil, err
	}
	return &Drain{ref: r, l: l}, nil
}

// Name implements [hal.Pin].
func (p *Drain) Name() string { return p.ref.String() }

// Pull implements [hal.Drain].
func (p *Drain) Pull() error { return wrap(p.ref, p.l.Reconfigure(gpiocdev.AsOutput(0))) }

// Release implements [hal.Drain].
func (p *Drain) Release() error {
	return wrap(p.ref, p.l.Reconfigure(gpiocdev.AsInput, gpiocdev.WithBiasDisabled))
}

// Close gives the line back.
func (p *Drain) Close() error { return wrap(p.ref, p.l.Close()) }

// Input is a line that the box listens to. It implements [hal.Input].
type Input struct {
	ref   PinRef
	l     line
	lost  atomic.Uint64
	mu    sync.Mutex
	shut  bool          // mu
	edges chan hal.Edge // closed under mu
}

var _ hal.Input = (*Input)(nil)

// OpenInput takes a line without pull resistor and watches both edges.
func OpenInput(r PinRef) (*Input, error) { return openInput(request, r, gpiocdev.WithBiasDisabled) }

// OpenButton takes a line that a button pulls low, and is pulled up otherwise.
func OpenButton(r PinRef) (*Input, error) { return openInput(request, r, gpiocdev.WithPullUp) }

func openInput(req requester, r PinRef, bias gpiocdev.LineReqOption) (*Input, error) {
	p := &Input{ref: r, edges: make(chan hal.Edge, maxEdges)}
	l, err := req(r, gpiocdev.AsInput, bias, gpiocdev.WithBothEdges, gpiocdev.WithEventHandler(p.edge))
	if err != nil {
		return nil, err
	}
	p.l = l
	return p, nil
}

// edge takes an edge from the kernel. It runs on the library's goroutine and
// does not block.
func (p *Input) edge(e gpiocdev.LineEvent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shut {
		return
	}
	select {
	case p.edges <- hal.Edge{Level: e.Type == gpiocdev.LineEventRisingEdge, At: wallTime(e.Timestamp)}:
	default:
		p.lost.Add(1)
	}
}

// wallTime is the time of a kernel time stamp (CLOCK_MONOTONIC since Linux 5.7).
func wallTime(stamp time.Duration) time.Time {
	now := time.Now()
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return now
	}
	age := time.Duration(ts.Nano()) - stamp
	if age < 0 || age > time.Second { // an older kernel's real time, or nonsense
		return now
	}
	return now.Add(-age)
}

// Name implements [hal.Pin].
func (p *Input) Name() string { return p.ref.String() }

// Read implements [hal.Input].
func (p *Input) Read() (hal.Level, error) {
	v, err := p.l.Value()
	return v != 0, wrap(p.ref, err)
}

// Edges implements [hal.Input].
func (p *Input) Edges() <-chan hal.Edge { return p.edges }

// Lost is the number of edges that nobody read in time.
func (p *Input) Lost() uint64 { return p.lost.Load() }

// Close gives the line back and closes Edges.
func (p *Input) Close() error {
	err := p.l.Close() // waits for a running edge
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.shut {
		p.shut = true
		close(p.edges)
	}
	return wrap(p.ref, err)
}

func value(l hal.Level) int {
	if l {
		return 1
	}
	return 0
}

// wrap names the line in an error.
func wrap(r PinRef, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, gpiocdev.ErrClosed):
		return fmt.Errorf("%v: %w", r, hal.ErrClosed)
	case errors.Is(err, unix.ENODEV):
		return fmt.Errorf("%v: %w", r, hal.ErrGone)
	}
	return fmt.Errorf("%v: %w", r, err)
}
