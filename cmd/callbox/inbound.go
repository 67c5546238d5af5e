package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"callbox/call"
	"callbox/call/engine"
	"callbox/call/number"
	"callbox/call/script"
	"callbox/storage/config"
)

// inbound decides what happens to arriving calls by the present configuration.
//
// The order: an entry of Numbers that fits the called number and the line; the
// application of the phone or user that calls; a direct connection by the
// routes, for phones and users of the box only. A trunk reaches nothing that
// Numbers does not name, so that nobody outside can call out through the box.
type inbound struct {
	snap atomic.Pointer[config.Snapshot]
	api  string // dialect of calls whose application names none
}

// Plan implements engine.Inbound.
func (p *inbound) Plan(info call.LegInfo) engine.Plan {
	snap := p.snap.Load()
	plan := p.plan(snap, info)
	for _, a := range snap.Accounts {
		if a.ID == plan.Account && a.Suspended && !plan.Script.IsZero() && plan.Refuse == nil {
			plan.Refuse = &call.Cause{Q850: call.Q850Rejected, SIP: 403, Who: call.Box, Text: plan.Why + " of account " + a.ID + ", which is suspended; let it in again (accounts)"}
		}
	}
	return plan
}

// plan is Plan, whether the account is suspended or not.
func (p *inbound) plan(snap *config.Snapshot, info call.LegInfo) engine.Plan {
	plan := engine.Plan{API: p.api}
	if len(snap.Accounts) > 0 {
		plan.Account = snap.Accounts[0].ID
	}
	if info.Kind == call.User {
		plan.From, plan.FromName = shownAs(snap, info.Line)
		if info.Private {
			plan.From, plan.FromName = "anonymous", "Anonymous"
		}
	}
	if info.Kind == call.FXS && info.Private {
		plan.From, plan.FromName = "anonymous", "Anonymous"
	}
	for _, n := range snap.Numbers {
		if n.Line != "" && n.Line != info.Line || !fits(n.Number, info.To, snap.Country) {
			continue
		}
		if n.Application != "" {
			return runApplication(plan, snap, n.Application, "number "+n.Number)
		}
		if n.Target == "" {
			return runNumber(plan, snap, n)
		}
		plan.Why = fmt.Sprintf("number %s goes to %s", n.Number, n.Target)
		plan.Document = connect(n.Target)
		return plan
	}
	if info.Kind == call.Trunk {
		for _, t := range snap.Trunks {
			if t.Name == info.Line && t.Application != "" {
				return runApplication(plan, snap, t.Application, "carrier "+cmp.Or(t.Title, t.Name))
			}
		}
	}
	if info.Kind == call.FXO {
		for _, l := range snap.ExchangeLines {
			if l.Port == info.Line && l.Application != "" {
				return runApplication(plan, snap, l.Application, "exchange line "+cmp.Or(l.Name, l.Port))
			}
		}
	}
	if app := ownApplication(snap, info); app != "" && !direct(snap, info) {
		return runApplication(plan, snap, app, "the application of "+info.Line)
	}
	if u, ok := userOf(snap, info); ok && u.List != "" {
		if _, at := snap.Joined(u); at == nil {
			plan.Refuse = &call.Cause{Q850: call.Q850Rejected, SIP: 403, Who: call.Box,
				Text: fmt.Sprintf("the credential list of user %s may not call at any SIP domain; map it for calls", u.Name)}
			return plan
		} else if !at.Script.IsZero() {
			plan.Account, plan.Script, plan.Status = at.Account, at.Script, at.Status
			plan.API, plan.Why = cmp.Or(at.API, plan.API), "SIP domain "+at.Host+" of "+u.Name
			return plan
		}
	}
	if info.Kind == call.FXS || info.Kind == call.User {
		plan.Why = info.Line + " dialled it"
		plan.Document = connect(info.To)
		return plan
	}
	plan.Refuse = &call.Cause{Q850: call.Q850Unallocated, SIP: 404, Who: call.Box,
		Text: fmt.Sprintf("no number is configured for calls to %s from line %s; add it to numbers", info.To, info.Line)}
	return plan
}

// shownAs is what the called see of a user of the box: its own number and name,
// where it has them. What its phone says of itself proves nothing.
func shownAs(snap *config.Snapshot, user string) (number, name string) {
	for _, u := range snap.Users {
		if u.Name == user {
			return u.Number, u.DisplayName
		}
	}
	return "", ""
}

// runApplication completes the plan with an application.
func runApplication(plan engine.Plan, snap *config.Snapshot, id, why string) engine.Plan {
	for _, a := range snap.Applications {
		if a.ID == id {
			plan.Account, plan.Application = a.Account, a.ID
			if a.API != "" {
				plan.API = a.API
			}
			plan.Script, plan.Status = a.Script, a.Status
			plan.Session = call.Session{Speech: a.Speech, Env: a.Env}
			if a.Script.IsZero() {
				plan.Refuse = &call.Cause{Q850: call.Q850OutOfOrder, SIP: 500, Who: call.Box,
					Text: fmt.Sprintf("%s runs application %s, which has no script; give it an address", why, a.Name)}
			}
			plan.Why = fmt.Sprintf("%s runs application %s", why, a.Name)
			return plan
		}
	}
	plan.Refuse = &call.Cause{Q850: call.Q850OutOfOrder, SIP: 500, Who: call.Box,
		Text: fmt.Sprintf("%s names the application %s, which does not exist", why, id)}
	return plan
}

// runNumber completes the plan with a number's own script.
func runNumber(plan engine.Plan, snap *config.Snapshot, n config.Number) engine.Plan {
	plan.Account = ownerOf(snap, n)
	if n.API != "" {
		plan.API = n.API
	}
	if n.Script.IsZero() {
		plan.Refuse = &call.Cause{Q850: call.Q850Unallocated, SIP: 404, Who: call.Box,
			Text: fmt.Sprintf("number %s has neither an application nor an address of its own; give it one", n.Number)}
		return plan
	}
	plan.Script, plan.Status, plan.Why = n.Script, n.Status, fmt.Sprintf("number %s has a script of its own", n.Number)
	return plan
}

// ownApplication is what the calling phone or user runs, empty when nothing.
func ownApplication(snap *config.Snapshot, info call.LegInfo) string {
	if u, ok := userOf(snap, info); ok {
		if u.List != "" { // what is not its own is its SIP domain's
			return u.Application
		}
		return cmp.Or(u.Application, accountApplication(snap, u.Account))
	}
	if info.Kind == call.GSM {
		return modemApplication(snap, info.Line)
	}
	if info.Kind == call.FXS {
		for _, f := range snap.Phones {
			if f.Port == info.Line && f.Application != "" {
				return f.Application
			}
		}
		return accountApplication(snap, "")
	}
	return ""
}

// accountApplication is what an account's users and phones run, empty when nothing.
// The empty account is the first.
func accountApplication(snap *config.Snapshot, account string) string {
	for _, a := range snap.Accounts {
		if account == "" || a.ID == account {
			return a.Application
		}
	}
	return ""
}

// direct reports whether a user calls another user with whom it is to be connected
// whatever application runs its other calls.
func direct(snap *config.Snapshot, info call.LegInfo) bool {
	u, ok := userOf(snap, info)
	return ok && u.Direct && slices.ContainsFunc(snap.Users, func(o config.User) bool {
		return strings.EqualFold(o.Name, info.To) || o.Number != "" && o.Number == info.To
	})
}

// userOf is the user of the box who calls.
func userOf(snap *config.Snapshot, info call.LegInfo) (config.User, bool) {
	for _, u := range snap.Users {
		if info.Kind == call.User && u.Name == info.Line {
			return u, true
		}
	}
	return config.User{}, false
}

// connect is the document that puts a call straight through.
func connect(to string) *script.Document {
	t := script.Target{Kind: script.ToNumber, To: to}
	if a, err := number.ParseAddress(to); err == nil && a.Kind == number.SIP {
		t.Kind = script.ToSIP
	}
	return &script.Document{Verbs: []script.Verb{&script.DialVerb{Dial: script.Dial{
		Targets: []script.Target{t}, AnswerOnBridge: true,
	}}}}
}

// fits reports whether a called number is meant by an entry: equal, the same
// number written otherwise, or behind the prefix before a star.
func fits(entry, called, country string) bool {
	if entry == "*" || strings.TrimPrefix(entry, "+") == strings.TrimPrefix(called, "+") { // some providers leave the plus out
		return true
	}
	e164 := called
	if n, err := number.Parse(called, country); err == nil && n.E164 != "" {
		e164 = n.E164
	}
	if prefix, ok := strings.CutSuffix(entry, "*"); ok {
		return strings.HasPrefix(called, prefix) || strings.HasPrefix(e164, prefix)
	}
	if n, err := number.Parse(entry, country); err == nil && n.E164 != "" {
		return n.E164 == e164
	}
	return false
}

var _ engine.Inbound = (*inbound)(nil)
