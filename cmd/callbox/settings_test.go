package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"testing"

	"callbox/api"
	"callbox/call"
	"callbox/call/script"
	"callbox/storage/config"
)

var hooks = call.ScriptSource{Main: call.Hook{URL: "http://pbx.lan/voice", Method: "GET"}}

func mustCreate[T any](t *testing.T, s api.Settings[T], account string, x T) T {
	t.Helper()
	made, err := s.Create(context.Background(), account, x)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// What the call APIs set up is kept in the configuration and counts at once.
func TestSettings(t *testing.T) {
	t.Parallel()
	a, ctx := newTestApp(t), context.Background()
	account := a.config().Accounts[0].ID
	apps, numbers := applicationSettings(a), numberSettings(a)

	app := mustCreate(t, apps, account, api.Application{ID: "AP1", Name: "sales", Script: hooks, Speech: call.Speech{Voice: "x"}, API: "restcomm"})
	if app.Created.IsZero() || !app.Created.Equal(app.Updated) || app.Account != account || app.Speech.Voice != "x" {
		t.Errorf("made %+v", app)
	}
	mustCreate(t, numbers, account, api.Number{ID: "PN1", Number: "+14155550101", Application: "AP1"})
	plan := func(to string) (string, string, bool) {
		p := a.inbound.Plan(call.LegInfo{Line: "provider", Kind: call.Trunk, From: "+14155550122", To: to})
		return p.API, p.Script.Main.URL, p.Refuse == nil
	}
	if api, url, ok := plan("+14155550101"); api != "restcomm" || url != "http://pbx.lan/voice" || !ok {
		t.Errorf("a call to its number runs %s %q %v", api, url, ok)
	}
	if _, err := numbers.Create(ctx, account, api.Number{ID: "PN2", Number: "+14155550101"}); !errors.Is(err, api.ErrTaken) {
		t.Errorf("the same number again: %v", err)
	}
	var inUse *api.InUseError
	if err := apps.Delete(ctx, account, "AP1"); !errors.As(err, &inUse) || inUse.By != "number +14155550101" {
		t.Errorf("deleting an application that a number runs: %v", err)
	}
	bad := errors.New("no")
	if _, err := apps.Change(ctx, account, "AP1", func(x *api.Application) error { x.Name = "y"; return bad }); !errors.Is(err, bad) {
		t.Errorf("a change that is given up: %v", err)
	}
	var invalid *api.InvalidError
	if _, err := apps.Change(ctx, account, "AP1", func(x *api.Application) error { x.Script.Main.URL = "/voice"; return nil }); !errors.As(err, &invalid) {
		t.Errorf("a relative address: %v", err)
	}
	if got := apps.List(account); len(got) != 1 || got[0].Name != "sales" || got[0].Script != hooks {
		t.Errorf("after refused changes: %+v", got)
	}
	if _, err := numbers.Change(ctx, account, "PN1", func(x *api.Number) error {
		x.Application, x.Script = "", call.ScriptSource{Main: call.Hook{URL: "http://pbx.lan/own"}}
		return nil
	}); err != nil {
		t.Error(err)
	}
	if api, url, ok := plan("+14155550101"); api != "twilio" || url != "http://pbx.lan/own" || !ok {
		t.Errorf("a call to the changed number runs %s %q %v", api, url, ok)
	}
	stored, err := a.store.LoadConfig()
	if err != nil || len(stored.Numbers) != 1 || stored.Numbers[0].Script.Main.URL != "http://pbx.lan/own" || stored.Applications[0].Speech.Voice != "x" {
		t.Errorf("stored %+v, %v", stored, err)
	}
	if d := importText(t, a, exportText(t, a, false)); len(d) != 0 {
		t.Errorf("its own export changes %q", d)
	}
	for _, err := range []error{apps.Delete(ctx, account, "AP1"), numbers.Delete(ctx, account, "PN1")} {
		if err != nil {
			t.Error(err)
		}
	}
	if err := apps.Delete(ctx, account, "AP1"); !errors.Is(err, call.ErrNotFound) {
		t.Errorf("deleted twice: %v", err)
	}
	if _, _, ok := plan("+14155550101"); ok {
		t.Error("a deleted number answers")
	}
}

// A number that nobody answers is kept, and its calls are refused with a reason.
func TestNumberWithoutScript(t *testing.T) {
	t.Parallel()
	a := newTestApp(t)
	account := a.config().Accounts[0].ID
	mustCreate(t, numberSettings(a), account, api.Number{ID: "PN1", Number: "+14155550101"})
	mustCreate(t, applicationSettings(a), account, api.Application{ID: "AP1", Name: "empty"})
	mustCreate(t, numberSettings(a), account, api.Number{ID: "PN2", Number: "+14155550102", Application: "AP1"})
	for to, want := range map[string]string{"+14155550101": "neither an application nor an address", "+14155550102": "has no script"} {
		p := a.inbound.Plan(call.LegInfo{Line: "provider", Kind: call.Trunk, From: "+14155550122", To: to})
		if p.Refuse == nil || !strings.Contains(p.Refuse.Text, want) {
			t.Errorf("%s: %+v", to, p)
		}
	}
}

// The secret of a key is told once and opens the account at once; it is kept
// nowhere.
func TestKeySettings(t *testing.T) {
	t.Parallel()
	a, ctx := newTestApp(t), context.Background()
	account, secret := a.config().Accounts[0].ID, strings.Repeat("0123456789abcdef", 2)
	keys := keySettings(a)
	if made := mustCreate(t, keys, account, api.Key{ID: "SK1", Name: "laptop", Secret: secret}); made.Secret != secret || made.Created.IsZero() {
		t.Errorf("made %+v", made)
	}
	opens := func() bool {
		x, _ := a.accounts.Account(account)
		return x.Keys["SK1"] == sha256.Sum256([]byte(secret))
	}
	if !opens() {
		t.Error("the key does not open the account")
	}
	if x, err := keys.Change(ctx, account, "SK1", func(x *api.Key) error { x.Name, x.Secret = "desk", "else"; return nil }); err != nil || x.Secret != "" || x.Name != "desk" || !opens() {
		t.Errorf("changed %+v, %v", x, err)
	}
	if got := keys.List(account); len(got) != 1 || got[0].Secret != "" {
		t.Errorf("list %+v", got)
	}
	if text := exportText(t, a, true); strings.Contains(text, secret) || !strings.Contains(text, config.HashSecret(secret).Reveal()) {
		t.Errorf("kept as\n%s", text)
	}
	if d := importText(t, a, exportText(t, a, true)); len(d) != 0 || !opens() {
		t.Errorf("its own export changes %q", d)
	}
	if err := keys.Delete(ctx, account, "SK1"); err != nil || opens() {
		t.Errorf("deleted: %v", err)
	}
	if keys.List("AC2") != nil {
		t.Error("an account that does not exist has keys")
	}
	if _, err := keys.Create(ctx, "AC2", api.Key{ID: "SK2", Secret: secret}); !errors.Is(err, call.ErrNotFound) {
		t.Errorf("a key of no account: %v", err)
	}
}

// A user becomes a line at once.
func TestUserSettings(t *testing.T) {
	t.Parallel()
	a, ctx := newTestApp(t), context.Background()
	importText(t, a, exportText(t, a, true)+officeText)
	account, users := a.config().Accounts[0].ID, userSettings(a)
	if got := users.List(account); len(got) != 1 || got[0].Name != "bob" || got[0].ID != api.DerivedID("CR", "user bob") || got[0].Password != "" {
		t.Errorf("those of the configuration: %+v", got)
	}
	made := mustCreate(t, users, account, api.User{ID: "CR1", Name: "alice", Password: "a correct horse", Number: "+14155550112"})
	if made.Password != "" || made.Account != account {
		t.Errorf("made %+v", made)
	}
	if !slices.Contains(a.lines.ids(), "alice") {
		t.Errorf("lines %v", a.lines.ids())
	}
	line, _ := a.lines.Line("alice")
	if _, err := users.Change(ctx, account, "CR1", func(x *api.User) error { x.DisplayName = "Alice"; return nil }); err != nil {
		t.Error(err)
	}
	if after, _ := a.lines.Line("alice"); after != line {
		t.Error("another name on the display took the phone's registration away")
	}
	if _, err := users.Change(ctx, account, "CR1", func(x *api.User) error { x.Password = "another horse"; return nil }); err != nil {
		t.Error(err)
	}
	if after, _ := a.lines.Line("alice"); after == line || a.config().Users[1].Password != "another horse" || a.config().Users[1].DisplayName != "Alice" {
		t.Errorf("changed %+v", a.config().Users[1])
	}
	for _, name := range []string{"BOB", "provider", "alice"} {
		if _, err := users.Create(ctx, account, api.User{ID: "CR2", Name: name, Password: "a correct horse"}); !errors.Is(err, api.ErrTaken) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var invalid *api.InvalidError
	if _, err := users.Create(ctx, account, api.User{ID: "CR2", Name: "carol", Password: "short"}); !errors.As(err, &invalid) || strings.Contains(err.Error(), "short") {
		t.Errorf("a short password: %v", err)
	}
	mustCreate(t, numberSettings(a), account, api.Number{ID: "PN1", Number: "+14155550101", Target: "alice"})
	var inUse *api.InUseError
	if err := users.Delete(ctx, account, "CR1"); !errors.As(err, &inUse) {
		t.Errorf("a user whom a number reaches: %v", err)
	}
	if err := errors.Join(numberSettings(a).Delete(ctx, account, "PN1"), users.Delete(ctx, account, "CR1")); err != nil {
		t.Error(err)
	}
	if slices.Contains(a.lines.ids(), "alice") {
		t.Errorf("lines %v", a.lines.ids())
	}
}

// A user of a credential list registers and calls as far as a SIP domain lets
// it.
func TestSIPDomainSettings(t *testing.T) {
	t.Parallel()
	a, ctx := newTestApp(t), context.Background()
	account, lists, domains, users := a.config().Accounts[0].ID, listSettings(a), domainSettings(a), userSettings(a)
	mustCreate(t, lists, account, api.CredentialList{ID: "CL1", Name: "phones"})
	mustCreate(t, users, account, api.User{ID: "CR1", Name: "alice", Password: "IWasAtSignal2018", List: "CL1"})
	if slices.Contains(a.lines.ids(), "alice") {
		t.Error("a user registers whose list no domain names")
	}
	domain := mustCreate(t, domains, account, api.SIPDomain{ID: "SD1", Host: "office.sip.example", Name: "office", Script: hooks, Registrations: []string{"CL1"}})
	if slices.Contains(a.lines.ids(), "alice") {
		t.Error("a user registers at a domain without registration")
	}
	change := func(f func(*api.SIPDomain)) {
		t.Helper()
		if _, err := domains.Change(ctx, account, domain.ID, func(d *api.SIPDomain) error { f(d); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	change(func(d *api.SIPDomain) { d.Register = true })
	if !slices.Contains(a.lines.ids(), "alice") {
		t.Errorf("lines %v", a.lines.ids())
	}
	from := call.LegInfo{Line: "alice", Kind: call.User, From: "alice", To: "+14155550100"}
	if p := a.inbound.Plan(from); p.Refuse == nil || p.Refuse.SIP != 403 || !strings.Contains(p.Refuse.Text, "may not call") {
		t.Errorf("a call without a mapping for calls: %+v", p)
	}
	change(func(d *api.SIPDomain) { d.Calls = []string{"CL1"} })
	if p := a.inbound.Plan(from); p.Refuse != nil || p.Script != hooks || p.Account != account {
		t.Errorf("a call: %+v", p)
	}
	change(func(d *api.SIPDomain) { d.Script = call.ScriptSource{} })
	if p := a.inbound.Plan(from); p.Refuse != nil || p.Document == nil {
		t.Errorf("a call at a domain without a script: %+v", p)
	}
	if r, err := a.router.Route(script.Target{Kind: script.ToSIP, To: "sip:alice@office.sip.example"}, ""); err != nil || r.Attempts[0].Line != "alice" {
		t.Errorf("a call to the user at the domain: %+v, %v", r, err)
	}
	if _, err := domains.Create(ctx, account, api.SIPDomain{ID: "SD2", Host: "OFFICE.sip.example"}); !errors.Is(err, api.ErrTaken) {
		t.Errorf("the same name again: %v", err)
	}
	var inUse *api.InUseError
	if err := lists.Delete(ctx, account, "CL1"); !errors.As(err, &inUse) || inUse.By != "SIP domain office.sip.example" {
		t.Errorf("deleting a list that a domain names: %v", err)
	}
	if d := importText(t, a, exportText(t, a, false)); len(d) != 0 {
		t.Errorf("its own export changes %q", d)
	}
	if err := errors.Join(domains.Delete(ctx, account, "SD1"), lists.Delete(ctx, account, "CL1")); err != nil {
		t.Error(err)
	}
	if s := a.config(); len(s.Users) != 0 || slices.Contains(a.lines.ids(), "alice") {
		t.Errorf("the users of a deleted list stay: %+v", s.Users)
	}
}

func TestCallerIDSettings(t *testing.T) {
	t.Parallel()
	a, ctx := newTestApp(t), context.Background()
	account, ids := a.config().Accounts[0].ID, callerIDSettings(a)
	importText(t, a, exportText(t, a, true)+"caller_ids:\n- number: \"+14155550177\"\n")
	got := ids.List(account)
	if len(got) != 1 || got[0].Number != "+14155550177" || got[0].Name != "+14155550177" || !strings.HasPrefix(got[0].ID, "PN") {
		t.Fatalf("%+v", got)
	}
	if _, err := ids.Create(ctx, account, api.CallerID{ID: "PN9", Number: "+14155550177"}); !errors.Is(err, api.ErrTaken) {
		t.Errorf("the same again: %v", err)
	}
	if x, err := ids.Change(ctx, account, got[0].ID, func(c *api.CallerID) error { c.Name = "desk"; return nil }); err != nil || x.Name != "desk" || x.ID != got[0].ID {
		t.Errorf("changed %+v, %v", x, err)
	}
	if err := ids.Delete(ctx, account, got[0].ID); err != nil || len(ids.List(account)) != 0 {
		t.Error(err)
	}
}
