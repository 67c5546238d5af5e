package main

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"callbox/api"
	"callbox/api/admin"
	"callbox/call"
	"callbox/call/number"
	"callbox/call/toll"
	"callbox/storage/config"
)

// tollRules are the guards of a configuration. With an error, what is wrong lets
// nothing pass that it would not.
func tollRules(snap config.Snapshot) (out []toll.Rule, wrong error) {
	for i, t := range snap.Tolls {
		from, until, err := t.Open()
		if err != nil {
			wrong = fmt.Errorf("tolls[%d].hours: %w", i, err)
		}
		for name, list := range map[string][]string{"allow": t.Allow, "deny": t.Deny} {
			for j, c := range list {
				if _, ok := number.Lookup(c); len(c) == 2 && c[0] >= 'A' && !ok {
					wrong = fmt.Errorf("tolls[%d].%s[%d]: the box does not know the country %s; write its code, such as +354, instead", i, name, j, c)
				}
			}
		}
		out = append(out, toll.Rule{Account: t.Account, Line: t.Line, Calls: t.Calls, Time: time.Duration(t.Minutes) * time.Minute,
			Spend: int64(t.Spend), MonthTime: time.Duration(t.MonthMinutes) * time.Minute, Texts: t.Messages, MonthTexts: t.MonthMessages, Allow: t.Allow, Deny: t.Deny, Open: from, Close: until})
	}
	return out, wrong
}

// setTolls uses the guards of a configuration from now on.
func (a *app) setTolls(snap config.Snapshot) {
	rules, err := tollRules(snap)
	if err != nil { // an import refuses this
		a.log.Error("a toll guard is not as it was meant; correct it", "err", err)
	}
	a.tolls.Set(rules, snap.Country)
}

// rememberTolls counts what the calls of today, and with a guard that wants it of
// this month, have used, from their records. A
// line's part of those that its phone began is known by the record of the parent.
func (a *app) rememberTolls(now time.Time) error {
	y, m, d := now.Date()
	since := time.Date(y, m, d, 0, 0, 0, 0, now.Location())
	if slices.ContainsFunc(a.snap.Tolls, func(t config.Toll) bool { return t.MonthMinutes > 0 }) {
		since = time.Date(y, m, 1, 0, 0, 0, 0, now.Location())
	}
	for _, acct := range a.snap.Accounts {
		// A call may have begun the day before.
		f := call.Filter{Account: acct.ID, StartedAfter: since.AddDate(0, 0, -1), Limit: 1000}
		var list []call.Record
		came := map[string]string{} // calls that came from a line
		for {
			p, err := a.store.Calls(f)
			if err != nil {
				return fmt.Errorf("count today's calls for the toll guards: %w", err)
			}
			for _, r := range p.Records {
				if r.Direction == call.Inbound {
					came[r.ID] = r.Line
				} else if r.Answered != nil && r.Ended != nil && !(*a.router.phones.Load())[r.Line] {
					list = append(list, r)
				}
			}
			if p.Next == "" {
				break
			}
			f.Cursor = p.Next
		}
		for _, r := range list {
			a.tolls.Remember(r.Account, came[r.Parent], r.Line, a.router.PerMinute(r.To, ""), *r.Answered, *r.Ended, now)
		}
	}
	return nil
}

// Tolls lists what was used today.
func (g gateway) Tolls() []admin.Toll {
	list := []admin.Toll{}
	for _, u := range g.a.tolls.Uses(time.Now()) {
		t := admin.Toll{Account: u.Account, Line: u.Line, Calls: u.Calls, Seconds: u.Time.Seconds(), Spend: toll.Money(u.Spend),
			Guard: u.Guard, MaxCalls: u.MaxCalls, MaxMinutes: int(u.MaxTime / time.Minute),
			MonthSeconds: u.MonthTime.Seconds(), MaxMonthMinutes: int(u.MaxMonthTime / time.Minute),
			Texts: u.Texts, MaxTexts: u.MaxTexts, MonthTexts: u.MonthTexts, MaxMonthTexts: u.MaxMonthTexts}
		if u.MaxSpend > 0 {
			t.MaxSpend = toll.Money(u.MaxSpend)
		}
		list = append(list, t)
	}
	return list
}

// budgets are what the guards leave.
type budgets struct{ book *toll.Book }

var _ api.Budgets = budgets{}

// Left implements api.Budgets: the tightest guard of the account, or of the whole
// box, that bounds what calls cost.
func (b budgets) Left(account string) (left int64, ok bool) {
	for _, u := range b.book.Uses(time.Now()) {
		if u.Guard && u.MaxSpend > 0 && u.Line == "" && (u.Account == "" || u.Account == account) && (!ok || u.MaxSpend-u.Spend < left) {
			left, ok = u.MaxSpend-u.Spend, true
		}
	}
	return left, ok
}

// tollsCmd lists what was used today.
type tollsCmd struct {
	dataDir
	Output string `short:"o" enum:"table,json" default:"table" help:"table or json."`
}

// Run lists it.
func (c *tollsCmd) Run(ctx context.Context) error {
	cl := c.client()
	defer cl.Close()
	list, err := cl.Tolls(ctx)
	if err != nil {
		return err
	}
	if c.Output == "json" {
		return printJSON(list)
	}
	of := func(used, bound string) string {
		if bound == "" || bound == "0" {
			return used
		}
		return used + " of " + bound
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "ACCOUNT\tLINE\tGUARD\tCALLS UP\tMINUTES TODAY\tTHIS MONTH\tSPENT TODAY\tTEXTS TODAY\tTHIS MONTH")
	minutes := func(seconds float64) string { return strconv.FormatFloat(math.Ceil(seconds/6)/10, 'f', 1, 64) }
	for _, t := range list {
		guard := "-"
		if t.Guard {
			guard = "yes"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", cmp.Or(t.Account, "(all)"), cmp.Or(t.Line, "(all)"), guard,
			of(strconv.Itoa(t.Calls), strconv.Itoa(t.MaxCalls)), of(minutes(t.Seconds), strconv.Itoa(t.MaxMinutes)), of(minutes(t.MonthSeconds), strconv.Itoa(t.MaxMonthMinutes)), of(t.Spend, t.MaxSpend),
			of(strconv.Itoa(t.Texts), strconv.Itoa(t.MaxTexts)), of(strconv.Itoa(t.MonthTexts), strconv.Itoa(t.MaxMonthTexts)))
	}
	return w.Flush()
}
