package config

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Group is a set of lines that is called like one: phones that stand for each other,
// or the channels of several modems. It is a line for routes, and its name and number
// can be called like those of a phone.
type Group struct {
	Name   string   `json:"name"`
	Number string   `json:"number,omitempty"` // extension, as of a user
	Lines  []string `json:"lines"`
	// Hunt is the order in which they are tried, one of Hunts; empty: ordered.
	Hunt string `json:"hunt,omitempty"`
	// Ring is how long each is rung before the next one; empty: 20 s. Lines that are
	// all rung at once ring as long as the call allows.
	Ring Duration `json:"ring,omitempty"`
}

// The ways of hunting.
const (
	HuntOrdered   = "ordered"    // as written
	HuntCyclic    = "cyclic"     // the one behind the last that was called comes first
	HuntLeastUsed = "least-used" // the one with the fewest calls now, then of all, comes first
	HuntAll       = "all"        // all ring at once
)

// Hunts are the values of Group.Hunt.
func Hunts() []string { return []string{HuntOrdered, HuntCyclic, HuntLeastUsed, HuntAll} }

// maxGroup bounds the lines of a group: a Dial rings 10 parties at most.
const maxGroup = 10

func (v *validator) groups(list []Group) {
	for i, g := range list {
		f := fmt.Sprintf("groups[%d]", i)
		v.line(f+".name", g.Name)
		v.digits(f+".number", g.Number)
		if len(g.Lines) == 0 || len(g.Lines) > maxGroup {
			v.bad(f+".lines", "names %d lines, it must be 1 to %d", len(g.Lines), maxGroup)
		}
		for j, l := range g.Lines {
			field := fmt.Sprintf("%s.lines[%d]", f, j)
			if slices.ContainsFunc(list, func(o Group) bool { return o.Name == l }) {
				v.bad(field, "%q is a group itself; name its lines", l)
				continue
			}
			v.knownLine(field, l)
			if slices.Contains(g.Lines[:j], l) {
				v.bad(f+".lines", "%q is named twice", l)
			}
		}
		if g.Hunt != "" && !slices.Contains(Hunts(), g.Hunt) {
			v.bad(f+".hunt", "%q is none of %s", g.Hunt, strings.Join(Hunts(), ", "))
		}
		if g.Ring != 0 && (g.Ring.Std() < 5*time.Second || g.Ring.Std() > 10*time.Minute) {
			v.bad(f+".ring", "%v is not from 5s to 10m", g.Ring)
		}
	}
}
