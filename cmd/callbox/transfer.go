package main

import (
	"cmp"
	"fmt"

	"callbox/call"
	"callbox/call/engine"
	"callbox/storage/config"
)

var _ engine.Transfers = (*inbound)(nil)

// Target implements engine.Transfers: a transfer goes where its target would if the
// far end had dialled it. A number that runs an application runs it, whoever
// calls; what applications run of phones' own calls is not asked.
func (p *inbound) Target(by call.LegInfo, t *call.Transfer) engine.Plan {
	snap := p.snap.Load()
	plan := engine.Plan{API: p.api}
	if len(snap.Accounts) > 0 {
		plan.Account = snap.Accounts[0].ID
	}
	to := cmp.Or(t.To, t.URI)
	for _, n := range snap.Numbers {
		if n.Line != "" && n.Line != by.Line || !fits(n.Number, to, snap.Country) {
			continue
		}
		switch {
		case n.Application != "":
			return runApplication(plan, snap, n.Application, "number "+n.Number)
		case n.Target == "":
			return runNumber(plan, snap, n)
		}
		plan.Why = fmt.Sprintf("number %s goes to %s", n.Number, n.Target)
		plan.Document = connect(n.Target)
		return plan
	}
	plan.Document = connect(to)
	return plan
}

// Replace implements engine.Transfers: a line may take over its own calls, and a
// user pick up what rings at the other phones of its account, and an analogue phone
// what rings at another one. Trunks may only where they may transfer too.
func (p *inbound) Replace(by, of call.LegInfo, answered bool) error {
	snap := p.snap.Load()
	no := func(format string, args ...any) error {
		return call.Cause{Q850: call.Q850Rejected, SIP: 403, Who: call.Box, Text: fmt.Sprintf(format, args...)}
	}
	if by.Kind == call.Trunk {
		for _, t := range snap.Trunks {
			if t.Name == by.Line && t.Transfers && by.Line == of.Line {
				return nil
			}
		}
		return no("trunk %s may not replace calls; allow it transfers in its configuration", by.Line)
	}
	if by.Line == of.Line {
		return nil
	}
	if by.Kind == call.FXS && of.Kind == call.FXS && !answered { // one group
		return nil
	}
	u, ok := userOf(snap, by)
	if !ok {
		return no("%s may not replace the calls of %s", by.Line, of.Line)
	}
	if answered {
		return no("user %s may not take over answered calls of %s", by.Line, of.Line)
	}
	account := func(a string) string {
		if a == "" && len(snap.Accounts) > 0 {
			return snap.Accounts[0].ID
		}
		return a
	}
	other, ok := userOf(snap, call.LegInfo{Kind: call.User, Line: of.Line})
	if of.Kind == call.FXS {
		other, ok = config.User{}, true
	}
	if !ok || account(u.Account) != account(other.Account) {
		return no("user %s may pick up calls for the phones of its own account only, not for %s", by.Line, of.Line)
	}
	return nil
}
