package main

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"callbox/call"
	"callbox/call/engine"
	"callbox/call/lamp"
	"callbox/call/route"
	"callbox/call/script"
	"callbox/storage/config"
)

// groupRing is how long each line of a group is rung.
const groupRing = 20 * time.Second

// groupNamed finds a group by its name.
func groupNamed(snap *config.Snapshot, name string) (config.Group, bool) {
	i := slices.IndexFunc(snap.Groups, func(g config.Group) bool { return g.Name == name })
	if i < 0 {
		return config.Group{}, false
	}
	return snap.Groups[i], true
}

// hunt puts the lines of groups in the place of the groups, and the gateways of trunks
// in that of the trunks. rings is how long each attempt lasts when another follows (0:
// as long as the call), grouped whether the next one belongs to the same group.
func (r *router) hunt(snap *config.Snapshot, attempts []route.Attempt) (out []route.Attempt, rings []time.Duration, grouped []bool) {
	for _, a := range attempts {
		g, ok := groupNamed(snap, a.Line)
		if !ok {
			through := throughGateways(snap, overExchangeLines(snap, []route.Attempt{a}))
			out, rings, grouped = append(out, through...), append(rings, make([]time.Duration, len(through))...), append(grouped, make([]bool, len(through))...)
			continue
		}
		for _, line := range r.order(g) {
			to := a.To
			if to == g.Name || to == g.Number {
				to = line // the group itself was called
			}
			for _, t := range throughGateways(snap, overExchangeLines(snap, []route.Attempt{{Line: line, To: to}})) {
				out, rings, grouped = append(out, t), append(rings, cmp.Or(g.Ring.Std(), groupRing)), append(grouped, true)
			}
		}
		if n := len(grouped); n > 0 {
			grouped[n-1] = false // what follows is not of the group
		}
	}
	return out, rings, grouped
}

// order is the lines of a group in the order in which they are tried now.
func (r *router) order(g config.Group) []string {
	lines := slices.Clone(g.Lines)
	use := func(line string) lamp.Use {
		if r.used == nil {
			return lamp.Use{}
		}
		return r.used(line)
	}
	switch g.Hunt {
	case config.HuntCyclic:
		last := slices.MaxFunc(lines, func(a, b string) int { return cmp.Compare(use(a).Last, use(b).Last) })
		if use(last).Last > 0 {
			i := slices.Index(lines, last) + 1
			lines = append(slices.Clone(lines[i:]), lines[:i]...)
		}
	case config.HuntLeastUsed:
		slices.SortStableFunc(lines, func(a, b string) int {
			x, y := use(a), use(b)
			return cmp.Or(cmp.Compare(x.Now, y.Now), cmp.Compare(x.Calls, y.Calls), cmp.Compare(x.Last, y.Last))
		})
	}
	return lines
}

// huntNext is the decision's own rule, but that within a group every line is tried:
// one that is busy, does not answer or declines stands for itself alone.
func huntNext(d route.Decision, grouped []bool) func(int, call.Cause) (bool, string) {
	return func(i int, c call.Cause) (bool, string) {
		if c.Who == call.API || c.Who == call.Script || c.Who == call.Peer || i < 0 || i+1 >= len(d.Attempts) || !grouped[i] {
			return d.Next(i, c)
		}
		return true, fmt.Sprintf("Line %s of the group failed (%s), line %s is tried next.", d.Attempts[i].Line, c.Error(), d.Attempts[i+1].Line)
	}
}

// Split implements engine.Splitter: a group whose lines all ring at once.
func (r *router) Split(t script.Target) []script.Target {
	snap := r.snap.Load()
	d, err := r.decide(snap, t, "")
	if err != nil || len(d.Attempts) != 1 {
		return []script.Target{t}
	}
	g, ok := groupNamed(snap, d.Attempts[0].Line)
	if !ok || g.Hunt != config.HuntAll {
		return []script.Target{t}
	}
	out := make([]script.Target, 0, len(g.Lines))
	for _, line := range g.Lines {
		one := t
		if d.Attempts[0].To == g.Name || d.Attempts[0].To == g.Number {
			one.Kind, one.To = script.ToUser, line
		} else {
			one.Line = line
		}
		out = append(out, one)
	}
	return out
}

var _ engine.Splitter = (*router)(nil)
