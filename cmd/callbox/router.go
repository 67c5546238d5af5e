package main

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"callbox/api"
	"callbox/api/admin"
	"callbox/call"
	"callbox/call/engine"
	"callbox/call/lamp"
	"callbox/call/number"
	"callbox/call/route"
	"callbox/call/script"
	"callbox/call/toll"
	"callbox/storage/config"
)

// router turns destinations into routes by the present configuration.
type router struct {
	table  atomic.Pointer[route.Table]
	prices atomic.Pointer[map[string]int64] // by the route's name, in 1/10,000 USD a minute
	phones atomic.Pointer[map[string]bool]  // the lines that cost nothing
	snap   atomic.Pointer[config.Snapshot]
	used   func(line string) lamp.Use // nil: no line was ever used
}

// set compiles the routes of a configuration and uses them from now on. A route
// to a line that is not in lines is an error when strict.
func (r *router) set(snap config.Snapshot, lines []string, strict bool) error {
	t, err := compileRoutes(snap, lines, strict)
	if err != nil {
		return err
	}
	prices := map[string]int64{}
	for _, x := range snap.Routes {
		prices[x.Name] = int64(x.Price)
	}
	phones := map[string]bool{}
	for _, u := range snap.Users {
		phones[u.Name] = true
	}
	for _, l := range lines {
		if strings.HasPrefix(l, "fxs") {
			phones[l] = true
		}
	}
	r.phones.Store(&phones)
	r.prices.Store(&prices)
	r.snap.Store(&snap)
	r.table.Store(t)
	return nil
}

// PerMinute is what a minute to a party costs by the route it would take; what
// no route decides, such as a call to a phone of the box, is free.
func (r *router) PerMinute(to, line string) int64 {
	d := route.Decide(r.table.Load(), route.Request{To: to, Line: line})
	if d.Emergency {
		return 0
	}
	return (*r.prices.Load())[d.Rule]
}

// compileRoutes makes the route table of a configuration. lines are the ids of
// all lines that exist on this board.
func compileRoutes(snap config.Snapshot, lines []string, strict bool) (*route.Table, error) {
	cfg := route.Config{Country: snap.Country, Names: map[string]string{}, Domains: slices.Clone(snap.Domains)}
	for _, d := range snap.SIPDomains {
		cfg.Domains = append(cfg.Domains, d.Host)
	}
	have := map[string]bool{}
	for _, l := range lines {
		have[l] = true
	}
	for _, g := range snap.Groups {
		if slices.ContainsFunc(g.Lines, func(l string) bool { return have[l] }) {
			have[g.Name] = true
			lines = append(slices.Clip(lines), g.Name)
		}
	}
	if strict {
		cfg.Known = lines
	}
	name := func(n, line string) {
		if n != "" && have[line] {
			cfg.Names[strings.ToLower(n)] = line
		}
	}
	for _, u := range snap.Users {
		name(u.Name, u.Name)
		name(u.Number, u.Name)
	}
	for _, l := range lines {
		if strings.HasPrefix(l, "fxs") {
			name(l, l)
		}
	}
	for _, g := range snap.Groups {
		name(g.Name, g.Name)
		name(g.Number, g.Name)
	}
	for _, p := range snap.Phones {
		name(p.Name, p.Port)
		name(p.Number, p.Port)
	}
	for _, l := range snap.ExchangeLines {
		name(l.Name, l.Port)
	}
	for _, t := range snap.Trunks {
		if t.SIPURIs {
			cfg.URILines = append(cfg.URILines, t.Name)
		}
		if t.Numbers && have[t.Name] && callsOut(t) {
			cfg.OpenLines = append(cfg.OpenLines, t.Name)
		}
	}
	for _, l := range snap.ExchangeLines {
		if l.Numbers && have[l.Port] {
			cfg.OpenLines = append(cfg.OpenLines, l.Port)
		}
	}
	if have[sipLine] {
		cfg.URILines = append(cfg.URILines, sipLine)
	}
	for _, x := range snap.Routes {
		rule := route.Rule{Name: x.Name, Prefix: x.Prefix, Pattern: x.Pattern, Lines: x.Lines,
			Form: route.Form(x.Form), Strip: x.Strip, Add: x.Add, Emergency: x.Emergency}
		for _, f := range x.Failover {
			rule.Failover = append(rule.Failover, route.Condition(f))
		}
		cfg.Rules = append(cfg.Rules, rule)
	}
	t, err := route.Compile(cfg)
	if err != nil {
		return nil, fmt.Errorf("routes: %w", err)
	}
	return t, nil
}

// Route finds the way to a party (engine.Router).
func (r *router) Route(t script.Target, from string) (engine.Route, error) {
	snap := r.snap.Load()
	d, err := r.decide(snap, t, from)
	if err != nil {
		return engine.Route{}, err
	}
	if d.Cause != nil {
		return engine.Route{}, *d.Cause
	}
	var rings []time.Duration
	var grouped []bool
	d.Attempts, rings, grouped = r.hunt(snap, d.Attempts)
	out := engine.Route{Why: d.Summary(), Next: huntNext(d, grouped), Party: toll.Party{
		Name: t.To, Number: d.Number, SIP: d.To.Kind == number.SIP, Emergency: d.Emergency, Price: (*r.prices.Load())[d.Rule]}}
	for i, a := range d.Attempts {
		out.Attempts = append(out.Attempts, engine.Attempt{Line: a.Line, To: a.To, Toll: !(*r.phones.Load())[a.Line], Ring: rings[i]})
	}
	return out, nil
}

// decide finds the lines for a party. The error is a call.Cause.
func (r *router) decide(snap *config.Snapshot, t script.Target, from string) (route.Decision, error) {
	to := t.To
	if _, err := number.ParseAddress(to); t.Kind == script.ToUser || err != nil {
		// What is no number and no SIP address is the name of a user or phone, with
		// or without the API's prefix: "client:bob", "bob", "fxs1".
		to = "client:" + strings.TrimPrefix(to, "client:")
	}
	if line, ok := lineNamed(snap, t.Line); ok {
		t.Line = line
	} else if strings.HasPrefix(t.Line, call.TeamsLine) {
		return route.Decision{}, call.Cause{Q850: call.Q850NoRoute, SIP: 404, Who: call.Box,
			Text: "there is no trunk to Microsoft Teams for this tenant; set one up with the tenant's name"}
	}
	return route.Decide(r.table.Load(), route.Request{To: to, Line: t.Line, Prefer: lineOfNumber(snap, from)}), nil
}

// explain tells the decision in sentences.
func (r *router) explain(to string) []string {
	d := route.Decide(r.table.Load(), route.Request{To: to})
	d.Attempts, _, _ = r.hunt(r.snap.Load(), d.Attempts)
	return strings.Split(strings.TrimSpace(d.Explain()), "\n")
}

// sipLine is the id of the line that dials any SIP URI.
const sipLine = "sip"

var (
	_ engine.Router = (*router)(nil)
	_ api.Prices    = (*router)(nil)
)

// statusOf asks a line how it is.
func statusOf(l call.Line) admin.Line {
	out := admin.Line{ID: l.ID(), Kind: l.Kind()}
	if r, ok := l.(call.Reporter); ok {
		out.Status = r.Status()
	}
	return out
}
