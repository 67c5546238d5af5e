package linetest

import (
	"context"
	"errors"
	"sync"
	"time"

	"callbox/call"
	"callbox/media"
)

var (
	_ call.Line        = (*memLine)(nil)
	_ call.Leg         = (*memLeg)(nil)
	_ call.DigitSender = (*memLeg)(nil)
	_ FarEnd           = (*memLine)(nil)
	_ Voice            = (*memLine)(nil)
)

// memLine is a line and its far end in memory: one call at a time, no delays.
type memLine struct {
	mu      sync.Mutex // guards everything of the line, its leg and its far end
	in      call.Receiver
	leg     *memLeg // nil without a call
	busy    bool
	change  chan struct{}
	farEnd  call.Cause // what the far end learned last
	digits  string
	farSays []int16
	heard   []int16
}

func newMemLine() *memLine { return &memLine{change: make(chan struct{})} }

func (l *memLine) ID() string      { return "memory" }
func (l *memLine) Kind() call.Kind { return call.FXS }

func (l *memLine) Status() call.LineStatus {
	l.mu.Lock()
	defer l.mu.Unlock()
	st := call.LineStatus{Ready: l.in != nil, Max: 1}
	if l.leg != nil {
		st.Busy = 1
	}
	return st
}

func (l *memLine) Serve(ctx context.Context, in call.Receiver) error {
	l.mu.Lock()
	l.in = in
	l.mu.Unlock()
	<-ctx.Done()
	l.mu.Lock()
	leg := l.leg
	l.mu.Unlock()
	if leg != nil {
		leg.Hangup(call.Cause{Q850: call.Q850OutOfOrder, Who: call.Box, Text: "the line stops"})
	}
	return nil
}

func (l *memLine) start(info call.LegInfo) *memLeg {
	info.Line, info.Kind, info.Started = l.ID(), l.Kind(), time.Now()
	l.leg = &memLeg{line: l, info: info, events: make(chan *call.LegEvent, 64)}
	l.digits, l.heard, l.farSays, l.farEnd = "", nil, nil, call.Cause{}
	return l.leg
}

func (l *memLine) Dial(_ context.Context, d call.Dial) (call.Leg, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy || l.leg != nil {
		return nil, call.Cause{Q850: call.Q850Busy, Who: call.Remote, Text: "the phone is in use"}
	}
	leg := l.start(call.LegInfo{To: d.To})
	leg.emit(call.LegEvent{Type: call.LegRinging})
	l.signal()
	return leg, nil
}

// signal wakes the waiters; l.mu is held.
func (l *memLine) signal() {
	close(l.change)
	l.change = make(chan struct{})
}

func (l *memLine) wait(ctx context.Context, ok func() bool) error {
	for {
		l.mu.Lock()
		done, change := ok(), l.change
		l.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-change:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (l *memLine) WaitRing(ctx context.Context) error {
	return l.wait(ctx, func() bool { return l.leg != nil && !l.leg.info.Inbound })
}

func (l *memLine) Answer(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.leg == nil || l.leg.info.Inbound {
		return errors.New("nothing rings")
	}
	l.leg.answer()
	return nil
}

func (l *memLine) Hangup(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.busy = false
	if l.leg != nil {
		c := call.NormalClearing(call.Remote)
		l.leg.end(c, c)
	}
	return nil
}

func (l *memLine) Busy(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.busy = true
	return nil
}

func (l *memLine) Call(_ context.Context, number string) error {
	l.mu.Lock()
	leg, in := l.start(call.LegInfo{Inbound: true, From: "memory", To: number}), l.in
	l.mu.Unlock()
	in.Incoming(leg)
	return nil
}

func (l *memLine) WaitEnd(ctx context.Context) (call.Cause, error) {
	err := l.wait(ctx, func() bool { return l.leg == nil })
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.farEnd, err
}

func (l *memLine) Say(samples []int16) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.farSays = append(l.farSays, samples...)
}

func (l *memLine) Heard() []int16 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]int16(nil), l.heard...)
}

func (l *memLine) Press(_ context.Context, digit byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.leg == nil {
		return call.ErrLegEnded
	}
	l.leg.emit(call.LegEvent{Type: call.LegDigit, Digit: digit})
	return nil
}

func (l *memLine) Digits() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.digits
}

// memLeg is the leg of memLine; the line's lock guards it.
type memLeg struct {
	line     *memLine
	info     call.LegInfo
	events   chan *call.LegEvent
	answered bool
	ended    bool
}

func (g *memLeg) emit(e call.LegEvent) {
	e.At = time.Now()
	g.events <- &e
}

func (g *memLeg) answer() {
	if !g.answered && !g.ended {
		g.answered = true
		g.emit(call.LegEvent{Type: call.LegAnswered})
	}
}

func (g *memLeg) end(own, far call.Cause) {
	if g.ended {
		return
	}
	g.ended = true
	g.emit(call.LegEvent{Type: call.LegEnded, Cause: own})
	close(g.events)
	g.line.leg, g.line.farEnd = nil, far
	g.line.signal()
}

func (g *memLeg) Info() call.LegInfo                            { return g.info }
func (g *memLeg) Events() <-chan *call.LegEvent                 { return g.events }
func (g *memLeg) Audio() media.Port                             { return g }
func (g *memLeg) Progress(context.Context, call.Progress) error { return nil }

func (g *memLeg) Answer(context.Context) error {
	g.line.mu.Lock()
	defer g.line.mu.Unlock()
	if g.ended {
		return call.ErrLegEnded
	}
	g.answer()
	return nil
}

func (g *memLeg) Hangup(c call.Cause) {
	g.line.mu.Lock()
	defer g.line.mu.Unlock()
	g.end(c, c)
}

func (g *memLeg) SendDigit(_ context.Context, digit byte, _ time.Duration) error {
	g.line.mu.Lock()
	defer g.line.mu.Unlock()
	if digit == 'x' {
		return errors.New("no such digit")
	}
	g.line.digits += string(digit)
	return nil
}

func (g *memLeg) ReadFrame(f *media.Frame) bool {
	g.line.mu.Lock()
	defer g.line.mu.Unlock()
	clear(f[:])
	g.line.farSays = g.line.farSays[copy(f[:], g.line.farSays):]
	return g.answered && !g.ended
}

func (g *memLeg) WriteFrame(f *media.Frame) {
	g.line.mu.Lock()
	defer g.line.mu.Unlock()
	if g.answered && !g.ended {
		g.line.heard = append(g.line.heard, f[:]...)
	}
}
