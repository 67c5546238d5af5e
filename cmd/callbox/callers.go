package main

import (
	"callbox/api"
	"callbox/call/number"
	"callbox/call/route"
	"callbox/storage/config"
)

// callers knows which numbers the calls of an account may show to the called.
//
// As long as an account has neither a number nor a caller id set up, its calls
// may show any: the operators of the lines decide. As soon as it has one, calls
// that leave the box show one of these: its numbers (an entry that ends with a
// star means all that it fits), its caller ids, a number of a phone or user of the box,
// or a trunk's own. Calls inside the box, and emergency calls, may show any.
type callers struct {
	accounts *accounts
	router   *router
}

var _ api.Callers = callers{}

// MayShow implements api.Callers.
func (c callers) MayShow(account, shown, to, line string) bool {
	snap := c.accounts.snap.Load()
	own := numbersOf(snap, account)
	if len(own) == 0 {
		return true
	}
	for _, n := range append(own, boxNumbers(snap)...) {
		if n != "" && fits(n, shown, snap.Country) {
			return true
		}
	}
	d := route.Decide(c.router.table.Load(), route.Request{To: to, Line: line})
	return d.Emergency || staysInside(snap, d)
}

// numbersOf are the account's numbers and caller ids.
func numbersOf(snap *config.Snapshot, account string) []string {
	var out []string
	for _, n := range snap.Numbers {
		if ownerOf(snap, n) == account {
			out = append(out, n.Number)
		}
	}
	for _, c := range snap.CallerIDs {
		if c.Account == account || c.Account == "" && firstOf(snap) == account {
			out = append(out, c.Number)
		}
	}
	return out
}

// boxNumbers are the numbers of the box's phones, users, SIMs and trunks.
func boxNumbers(snap *config.Snapshot) []string {
	var out []string
	for _, u := range snap.Users {
		out = append(out, u.Number)
	}
	for _, p := range snap.Phones {
		out = append(out, p.Number)
	}
	for _, m := range snap.Modems {
		out = append(out, m.Number)
	}
	for _, t := range snap.Trunks {
		if n, err := number.Parse(t.FromUser, snap.Country); err == nil && n.E164 != "" {
			out = append(out, t.FromUser)
		}
	}
	return out
}

// staysInside reports whether a call reaches phones and users at most. One that
// no line takes fails by itself, with the reason.
func staysInside(snap *config.Snapshot, d route.Decision) bool {
	for _, a := range d.Attempts {
		if a.Line == sipLine {
			return false
		}
		for _, t := range snap.Trunks {
			if t.Name == a.Line {
				return false
			}
		}
		if _, ok := modemOf(*snap, a.Line); ok {
			return false
		}
	}
	return true
}
