package toll

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Use is what the calls of somebody have used today, and may use.
type Use struct {
	// Account and Line say whose calls: those of the account, that leave by the
	// line or were begun on it. Empty: of every one.
	Account, Line string
	// Calls are up now; Time was spent answered, and Spend as money in 1/10,000 of
	// the currency's unit, in started minutes.
	Calls int
	Time  time.Duration
	Spend int64
	// Texts are messages of the network sent today; MonthTime and MonthTexts are the
	// same of this month.
	Texts, MonthTexts int
	MonthTime         time.Duration
	// Guard says that a rule is for these; its bounds follow, zero: none.
	Guard    bool
	MaxCalls int
	MaxTime  time.Duration
	MaxSpend int64

	MaxTexts, MaxMonthTexts int
	MaxMonthTime            time.Duration
}

// Uses tells what was used today: for each guard in the order of the
// configuration, then for the other accounts and lines of today's calls, sorted.
func (b *Book) Uses(now time.Time) []Use {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turn(now)
	var list []Use
	seen := map[key]bool{}
	add := func(r Rule, guard bool) {
		u, calls := b.used(&r, now)
		month := b.usedInMonth(&r, now)
		list = append(list, Use{Account: r.Account, Line: r.Line, Calls: calls, Time: u.time, Spend: u.spend,
			Texts: u.texts, MonthTexts: month.texts, MonthTime: month.time,
			Guard: guard, MaxCalls: r.Calls, MaxTime: r.Time, MaxSpend: r.Spend,
			MaxTexts: r.Texts, MaxMonthTexts: r.MonthTexts, MaxMonthTime: r.MonthTime})
		seen[key{account: r.Account, out: r.Line}] = true
	}
	for _, r := range b.rules {
		add(r, true)
	}
	others := map[key]bool{}
	each := func(k key) {
		others[key{account: k.account}] = true
		for _, line := range []string{k.from, k.out} {
			if line != "" {
				others[key{out: line}] = true
			}
		}
	}
	for k := range b.sums {
		each(k)
	}
	for _, e := range b.live {
		each(e.key)
	}
	for _, k := range slices.SortedFunc(maps.Keys(others), func(x, y key) int {
		return cmp.Or(cmp.Compare(x.out, y.out), cmp.Compare(x.account, y.account)) // accounts first: they have no line
	}) {
		if !seen[k] {
			add(Rule{Account: k.account, Line: k.out}, false)
		}
	}
	return list
}
