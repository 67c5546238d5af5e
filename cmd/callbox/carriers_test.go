package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"callbox/api"
	"callbox/call"
	"callbox/call/script"
	"callbox/storage/config"
)

// ways written as "line:to line:to".
func (r *router) waysTo(t *testing.T, target script.Target, from string) string {
	t.Helper()
	way, err := r.Route(target, from)
	if err != nil {
		return call.CauseOf(err).Text
	}
	var out []string
	for _, a := range way.Attempts {
		out = append(out, a.Line+":"+a.To)
	}
	return strings.Join(out, " ")
}

// TestCarrierSettings: a carrier and its gateways that a call API has made are lines
// at once, take the numbers that no route decides, and answer calls.
func TestCarrierSettings(t *testing.T) {
	t.Parallel()
	a, ctx := newTestApp(t), context.Background()
	account := a.config().Accounts[0].ID
	carriers := carrierSettings(a)
	mustCreate(t, applicationSettings(a), account, api.Application{ID: "AP1", Name: "sales", Script: hooks})
	made := mustCreate(t, carriers, account, api.Carrier{ID: "C1", Name: "Biloxi Tel & co", Application: "AP1", Username: "box", Password: "secret"})
	if made.Line != "Biloxi-Tel---co" || made.Account != account || made.Password != "" || made.Created.IsZero() {
		t.Errorf("made %+v", made)
	}
	if _, err := carriers.Create(ctx, account, api.Carrier{ID: "C2", Name: "Biloxi Tel + co"}); !errors.Is(err, api.ErrTaken) {
		t.Errorf("the same line again: %v", err)
	}
	number := script.Target{To: "+14155550100"}
	if got := a.router.waysTo(t, number, ""); !strings.Contains(got, "no routes") {
		t.Errorf("without a gateway: %s", got)
	}
	if _, ok := a.lines.Line(made.Line); ok {
		t.Error("a carrier without gateways is a line")
	}
	edit := func(f func(c *api.Carrier)) {
		t.Helper()
		if _, err := carriers.Change(ctx, account, "C1", func(c *api.Carrier) error { f(c); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	edit(func(c *api.Carrier) {
		c.Gateways = []api.Gateway{{ID: "G1", Host: "192.0.2.1", Outbound: true, Inbound: true}}
	})
	if _, ok := a.lines.Line(made.Line); !ok {
		t.Error("a carrier with a gateway is no line")
	}
	if got := a.router.waysTo(t, number, ""); got != "Biloxi-Tel---co:14155550100" {
		t.Errorf("by one gateway: %s", got)
	}
	edit(func(c *api.Carrier) {
		c.Plus, c.Prefix = true, "9"
		c.Gateways = append(c.Gateways, api.Gateway{ID: "G2", Host: "biloxi.example", Port: 5070, Transport: "tcp", Outbound: true},
			api.Gateway{ID: "G3", Host: "192.0.2.3", Outbound: true, Disabled: true}, api.Gateway{ID: "G4", Host: "192.0.2.0", Bits: 24, Inbound: true})
	})
	const both = "Biloxi-Tel---co:sip:9+14155550100@192.0.2.1;transport=udp Biloxi-Tel---co:sip:9+14155550100@biloxi.example:5070;transport=tcp"
	for _, name := range []string{"", "C1", "Biloxi Tel & co", "biloxi tel & CO", made.Line} {
		if got := a.router.waysTo(t, script.Target{To: "+14155550100", Line: name}, ""); got != both {
			t.Errorf("asked for as %q: %s", name, got)
		}
	}
	way, _ := a.router.Route(number, "")
	if next, why := way.Next(0, call.FromSIP(503, call.Network, "")); !next {
		t.Errorf("the second gateway is not tried: %s", why)
	}
	if next, _ := way.Next(0, call.FromSIP(486, call.Remote, "")); next {
		t.Error("the second gateway is tried after a busy tone")
	}
	plan := a.inbound.Plan(call.LegInfo{Line: made.Line, Kind: call.Trunk, To: "+14155550177"})
	if plan.Refuse != nil || plan.Application != "AP1" {
		t.Errorf("a call that no number claims: %+v", plan)
	}
	if d := importText(t, a, exportText(t, a, false)); len(d) != 0 {
		t.Errorf("its own export changes %q", d)
	}
	stored := a.config().Trunks[0]
	if stored.Password.Reveal() != "secret" || stored.Form != "e164" || !stored.Numbers || len(stored.Gateways) != 4 {
		t.Errorf("stored %+v", stored)
	}
	var inUse *api.InUseError
	if err := applicationSettings(a).Delete(ctx, account, "AP1"); !errors.As(err, &inUse) || inUse.By != "carrier Biloxi-Tel---co" {
		t.Errorf("deleting its application: %v", err)
	}
	mustCreate(t, numberSettings(a), account, api.Number{ID: "PN1", Number: "+14155550101", Line: made.Line})
	if err := carriers.Delete(ctx, account, "C1"); !errors.As(err, &inUse) {
		t.Errorf("deleting a carrier that a number belongs to: %v", err)
	}
	edit(func(c *api.Carrier) { c.Disabled = true })
	if _, ok := a.lines.Line(made.Line); ok {
		t.Error("a disabled carrier is a line")
	}
	edit(func(c *api.Carrier) { c.Username = "" })
	if p := a.config().Trunks[0].Password; p != "" {
		t.Error("a password without a user is kept")
	}
	if err := numberSettings(a).Delete(ctx, account, "PN1"); err != nil {
		t.Error(err)
	}
	if err := carriers.Delete(ctx, account, "C1"); err != nil || len(a.config().Trunks) != 0 {
		t.Errorf("deleted: %v", err)
	}
}

// TestCarrierOfNumber: the number that is shown picks its carrier.
func TestCarrierOfNumber(t *testing.T) {
	t.Parallel()
	snap := config.Snapshot{
		Country: "US",
		Trunks: []config.Trunk{
			{Name: "one", Carrier: config.Carrier{Numbers: true, Gateways: []config.Gateway{{Host: "192.0.2.1", Outbound: true}}}},
			{Name: "two", Carrier: config.Carrier{Numbers: true, Gateways: []config.Gateway{{Host: "192.0.2.2", Outbound: true}}}},
			{Name: "in", Carrier: config.Carrier{Numbers: true, Gateways: []config.Gateway{{Host: "192.0.2.3", Inbound: true}}}},
			{Name: "own", Host: "192.0.2.4"},
		},
		Numbers: []config.Number{{Number: "14155550122", Line: "two"}, {Number: "*", Line: "own", Target: "1"}},
	}.WithDefaults()
	r := &router{}
	if err := r.set(snap, []string{"one", "two", "in", "own"}, true); err != nil {
		t.Fatal(err)
	}
	for from, want := range map[string]string{
		"": "one:7000 two:7000", "+14155550122": "two:7000 one:7000", "14155550122": "two:7000 one:7000", "+14155550199": "one:7000 two:7000",
	} {
		if got := r.waysTo(t, script.Target{To: "7000"}, from); got != want {
			t.Errorf("from %q: %s, want %s", from, got, want)
		}
	}
}

// TestTeamsTrunk: a tenant's trunk is asked for by its name or as any, speaks TLS
// with protected sound, and shows the tenant's name.
func TestTeamsTrunk(t *testing.T) {
	t.Parallel()
	teams := keepCarrier("AC1", api.Carrier{ID: "C1", Name: "teams-sbc.biloxi.example", Tenant: "sbc.biloxi.example",
		Gateways: []api.Gateway{{Host: "192.0.2.1", Port: 5061, Transport: "tls", SRTP: true, Inbound: true, Outbound: true}}}, config.Trunk{}, true, now())
	snap := config.Snapshot{Country: "US", Accounts: []config.Account{{ID: "AC1"}}, Trunks: []config.Trunk{{Name: "other", Host: "192.0.2.9"}, teams}}.WithDefaults()
	r := &router{}
	if err := r.set(snap, []string{"other", teams.Name}, true); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"teams/": teams.Name + ":14155550100", "teams/SBC.biloxi.example": teams.Name + ":14155550100",
		"teams/nobody.example": "there is no trunk to Microsoft Teams for this tenant; set one up with the tenant's name",
	} {
		if got := r.waysTo(t, script.Target{To: "+14155550100", Line: line}, ""); got != want {
			t.Errorf("%s: %s", line, got)
		}
	}
	cfg, err := trunkConfig(snap.Trunks[1], snap)
	if err != nil || cfg.Transport != config.TLS || cfg.ContactHost != "sbc.biloxi.example" || cfg.FromHost != "sbc.biloxi.example" || cfg.KeepAlive != teamsPing ||
		cfg.Security != protection(config.SRTPMandatory) || len(cfg.Allow) != 1 {
		t.Errorf("%+v, %v", cfg, err)
	}
}

// TestAccountApplication: it runs the calls of phones and users that have none of
// their own, unless they call each other directly.
func TestAccountApplication(t *testing.T) {
	t.Parallel()
	snap := office()
	snap.Accounts[0].Application = "AP1"
	snap.Users = append(snap.Users, config.User{Name: "carol", Direct: true}, config.User{Name: "dan", Direct: true, Application: "AP2"})
	p := &inbound{api: "twilio"}
	p.snap.Store(&snap)
	for line, want := range map[string]string{
		"alice 201": "AP1", "alice 5550100": "AP1", "bob 201": "AP2", "carol 201": "connected", "carol BOB": "connected", "carol 5550100": "AP1",
		"dan 201": "connected", "dan 5550100": "AP2",
	} {
		from, to, _ := strings.Cut(line, " ")
		plan := p.Plan(call.LegInfo{Line: from, Kind: call.User, To: to})
		got := plan.Application
		if plan.Document != nil {
			got = "connected"
		}
		if got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
	if plan := p.Plan(call.LegInfo{Line: "fxs1", Kind: call.FXS, To: "201"}); plan.Application != "AP1" {
		t.Errorf("a phone port: %+v", plan)
	}
}

// TestDisabledUser: a user that is disabled is no line.
func TestDisabledUser(t *testing.T) {
	t.Parallel()
	a, ctx := newTestApp(t), context.Background()
	account := a.config().Accounts[0].ID
	users := userSettings(a)
	mustCreate(t, users, account, api.User{ID: "U1", Name: "alice", Password: "open sesame"})
	for _, disabled := range []bool{true, false} {
		if _, err := users.Change(ctx, account, "U1", func(u *api.User) error { u.Disabled = disabled; return nil }); err != nil {
			t.Fatal(err)
		}
		if _, ok := a.lines.Line("alice"); ok == disabled {
			t.Errorf("disabled %v: a line %v", disabled, ok)
		}
	}
	setups := setupSettings(a)
	if _, err := setups.Change(ctx, account, account, func(s *api.Setup) error { s.Name = "head office"; return nil }); err != nil {
		t.Error(err)
	}
	if list := setups.List(account); len(list) != 1 || list[0].Name != "head office" {
		t.Errorf("%+v", list)
	}
	if !slices.ContainsFunc(a.accounts.Accounts(), func(x api.Account) bool { return x.ID == account }) {
		t.Error(fmt.Sprint("the account is not among ", len(a.accounts.Accounts())))
	}
}
