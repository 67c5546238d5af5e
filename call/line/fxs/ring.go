package fxs

import (
	"slices"
	"strings"
	"sync"
	"time"

	"callbox/call"
	"callbox/hal"
)

// Ring is a rhythm for some callers.
type Ring struct {
	// Caller is a number as calls show it, a beginning of one with a star at its end,
	// or * for all.
	Caller string
	Steps  []time.Duration // as hal.Cadence.Steps
}

// named are the rhythms that the header Alert-Info asks for: "Bellcore-dr2" and so
// on (GR-506-CORE).
var named = map[string][]int{
	"bellcore-dr1": {2000, 4000},
	"bellcore-dr2": {800, 400, 800, 4000},
	"bellcore-dr3": {400, 200, 400, 200, 800, 4000},
	"bellcore-dr4": {300, 200, 1000, 200, 300, 4000},
}

// rhythm is how the phone rings for a call: as the call asks, as its caller is to
// be told from others, or as all phones of the country.
func (l *Line) rhythm(d call.Dial) hal.Cadence {
	c := cadence(l.country)
	for _, h := range d.Headers {
		if !strings.EqualFold(h.Name, "Alert-Info") {
			continue
		}
		for name, steps := range named {
			if strings.Contains(strings.ToLower(h.Value), name) {
				c.Steps = nil
				for _, ms := range steps {
					c.Steps = append(c.Steps, time.Duration(ms)*time.Millisecond)
				}
				return c
			}
		}
	}
	for _, r := range l.cfg.Rings {
		prefix, open := strings.CutSuffix(r.Caller, "*")
		if r.Caller == d.From || open && strings.HasPrefix(d.From, prefix) {
			c.Steps = r.Steps
			return c
		}
	}
	return c
}

// Group are phones that can pick up each other's calls. The zero Group is ready; its
// methods may be called from any goroutine.
type Group struct {
	mu   sync.Mutex
	legs []*leg // that ring, the longest first; guarded by mu
}

// rings enters a leg.
func (g *Group) rings(l *leg) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.legs = append(g.legs, l)
}

// silent takes a leg out.
func (g *Group) silent(l *leg) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.legs = slices.DeleteFunc(g.legs, func(x *leg) bool { return x == l })
}

// first is the leg that has rung for longest, nil when none rings.
func (g *Group) first() *leg {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.legs) == 0 {
		return nil
	}
	return g.legs[0]
}

// takeOver answers the call that rings at another phone.
func (l *Line) takeOver() {
	of := l.group.first()
	if of == nil {
		l.busy(l.country.Congestion)
		return
	}
	l.start(call.LegInfo{Inbound: true, From: l.cfg.Number, FromName: l.cfg.Name, To: of.Info().To, Replaces: of})
}
