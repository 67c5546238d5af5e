package sipleg

import (
	"fmt"
	"sync"

	"callbox/call"
)

// Group is the legs of one line: it makes them, counts the channels in use, and
// ends them when the line stops. Its methods may be called from any goroutine.
type Group struct {
	cfg Config

	mu      sync.Mutex // guards what follows
	open    bool
	busy    int // channels: legs that have not ended, and those being made
	arrived int // those of busy that arrived
	legs    map[*Leg]struct{}
	waiting chan struct{} // closed when the last leg is gone, while closing
}

// NewGroup makes the group of a line. It refuses calls until Open.
func NewGroup(cfg Config) *Group {
	return &Group{cfg: cfg, legs: map[*Leg]struct{}{}}
}

// Open lets calls in.
func (g *Group) Open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = true
}

// Close refuses further calls, hangs up those that are up with c, and waits
// until every goroutine of every leg has ended, which dialogs bound to a few
// seconds. The group can be opened again.
func (g *Group) Close(c call.Cause) {
	g.mu.Lock()
	g.open = false
	legs := make([]*Leg, 0, len(g.legs))
	for l := range g.legs {
		legs = append(legs, l)
	}
	if len(g.legs) > 0 && g.waiting == nil {
		g.waiting = make(chan struct{})
	}
	wait := g.waiting
	g.mu.Unlock()
	for _, l := range legs {
		l.Hangup(c)
	}
	if wait != nil {
		<-wait
	}
}

// Busy is the number of channels in use.
func (g *Group) Busy() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.busy
}

// Config is what the legs share.
func (g *Group) Config() Config { return g.cfg }

// reserve takes a channel; the error is a call.Cause.
func (g *Group) reserve(inbound bool) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.open {
		return g.notRunning()
	}
	full := func(n int, which string) call.Cause {
		return call.Cause{
			Q850: call.Q850NoCircuit, SIP: 503, Who: call.Box,
			Text: fmt.Sprintf("all %d channels %sof %s are in use", n, which, g.cfg.Title),
		}
	}
	switch {
	case g.cfg.Channels > 0 && g.busy >= g.cfg.Channels:
		return full(g.cfg.Channels, "")
	case inbound && g.cfg.In > 0 && g.arrived >= g.cfg.In:
		return full(g.cfg.In, "for arriving calls ")
	case !inbound && g.cfg.Out > 0 && g.busy-g.arrived >= g.cfg.Out:
		return full(g.cfg.Out, "for outgoing calls ")
	}
	g.busy++
	if inbound {
		g.arrived++
	}
	return nil
}

func (g *Group) notRunning() call.Cause {
	return call.Cause{Q850: call.Q850OutOfOrder, SIP: 503, Who: call.Box, Text: g.cfg.Title + " is not running"}
}

// released gives a channel back.
func (g *Group) released(inbound bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.busy--
	if inbound {
		g.arrived--
	}
}

// joined enters a leg that is about to start.
func (g *Group) joined(l *Leg) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.open {
		return g.notRunning()
	}
	g.legs[l] = struct{}{}
	return nil
}

// left forgets a leg whose goroutines have ended.
func (g *Group) left(l *Leg) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.legs, l)
	if len(g.legs) == 0 && g.waiting != nil {
		close(g.waiting)
		g.waiting = nil
	}
}
