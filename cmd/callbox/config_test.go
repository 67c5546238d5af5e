package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"callbox/api/admin"
	"callbox/call"
	"callbox/storage"
	"callbox/storage/config"
)

// newTestApp is a gateway that is built but not run, with one account.
func newTestApp(t *testing.T) *app {
	t.Helper()
	a, err := newApp(context.Background(), appConfig{Data: t.TempDir(), HTTP: "127.0.0.1:0", HTTPS: "127.0.0.1:0", SIP: "127.0.0.1:0",
		Board: "sim", Log: slog.New(slog.DiscardHandler), Out: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		a.lines.close()
		a.close()
	})
	return a
}

const officeText = `
users:
- name: bob
  password: b1o2b3b4o5
  display_name: Bob
  number: "+14155550111"
trunks:
- name: provider
  host: 192.0.2.20
  username: u
  password: open sesame
  expires: 30m
routes:
- name: all
  lines: [provider]
`

// importText imports a configuration and fails the test when that is refused.
func importText(t *testing.T, a *app, text string) []string {
	t.Helper()
	diff, err := gateway{a}.Import(context.Background(), []byte(text), false)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return diff
}

func exportText(t *testing.T, a *app, secrets bool) string {
	t.Helper()
	b, err := gateway{a}.Export(secrets)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestConfigRoundTrip(t *testing.T) {
	t.Parallel()
	a := newTestApp(t)
	diff := importText(t, a, exportText(t, a, true)+officeText)
	if want := []string{"trunks: + provider", "users: + bob", "routes: + all"}; !slices.Equal(diff, want) {
		t.Errorf("diff %q", diff)
	}
	version := a.config().Version
	for _, secrets := range []bool{true, false} {
		text := exportText(t, a, secrets)
		if strings.Contains(text, "open sesame") != secrets || !strings.Contains(text, "\n  expires: 30m\n") {
			t.Errorf("secrets %v:\n%s", secrets, text)
		}
		if d := importText(t, a, text); len(d) != 0 {
			t.Errorf("secrets %v: its own export changes %q", secrets, d)
		}
	}
	stored, err := a.store.LoadConfig()
	if err != nil || stored.Version != version || stored.Trunks[0].Password != "open sesame" || stored.Users[0].Password != "b1o2b3b4o5" {
		t.Errorf("stored %+v, %v", stored, err)
	}
	if lines := a.lines.ids(); !slices.Contains(lines, "bob") || !slices.Contains(lines, "provider") {
		t.Errorf("lines %v", lines)
	}
}

// An import applies: lines come, go and restart, limits count, routes lead.
func TestConfigApplies(t *testing.T) {
	t.Parallel()
	a := newTestApp(t)
	importText(t, a, exportText(t, a, true)+officeText)
	text := exportText(t, a, false)
	text = strings.Replace(text, "name: bob", "name: bobby", 1)
	text = strings.Replace(text, `password: "********"`+"\n  display_name", "password: battery staple\n  display_name", 1)
	text = strings.Replace(text, "  calls: 64", "  calls: 0", 1)
	text = strings.Replace(text, "port_min: 16384", "port_min: 16484", 1)
	diff := importText(t, a, text)
	if want := []string{"users: + bobby", "users: - bob", "media.port_min: 16384 → 16484 (from the next start of the gateway on)"}; !slices.Equal(diff, want) {
		t.Errorf("diff %q", diff)
	}
	if lines := a.lines.ids(); slices.Contains(lines, "bob") || !slices.Contains(lines, "bobby") {
		t.Errorf("lines %v", lines)
	}
	p := a.inbound.Plan(call.LegInfo{Line: "bobby", Kind: call.User, From: "bobby", FromName: "the phone", To: "+14155550100"})
	if p.From != "+14155550111" || p.FromName != "Bob" || p.Refuse != nil {
		t.Errorf("plan %+v", p)
	}
	if p := a.inbound.Plan(call.LegInfo{Line: "provider", Kind: call.Trunk, From: "+14155550122", To: "+14155550100"}); p.From != "" || p.FromName != "" {
		t.Errorf("the plan of a trunk's call %+v", p)
	}
}

func TestConfigDryRun(t *testing.T) {
	t.Parallel()
	a := newTestApp(t)
	diff, err := gateway{a}.Import(context.Background(), []byte(exportText(t, a, false)+officeText), true)
	if err != nil || len(diff) != 3 {
		t.Errorf("diff %q, %v", diff, err)
	}
	if s := a.config(); s.Version != 1 || len(s.Users) != 0 || len(a.lines.ids()) != 0 {
		t.Errorf("it was applied: %+v", s)
	}
}

func TestConfigRefused(t *testing.T) {
	t.Parallel()
	a := newTestApp(t)
	importText(t, a, exportText(t, a, true)+officeText)
	before := exportText(t, a, true)
	for text, want := range map[string]string{
		before + "colour: blue\n":                                                "colour: there is no such field; there are version",
		before + "country: DE\n":                                                 `mapping key "country" already defined`,
		"country: US\n":                                                          "accounts: the last account cannot be removed",
		before + "numbers: [{number: \"*\", target: 5}]\n":                       "numbers[0].target: is not a text",
		strings.Replace(before, "192.0.2.20", "sip:x", 1):                        `trunks[0].host: "sip:x" is not a host name`,
		strings.Replace(before, "open sesame", "********\n  from_user: \"\n", 1): "cannot be read",
		"version: 1\n" + before:                                                  "it was made from version 1 and the present one is 2",
	} {
		_, err := gateway{a}.Import(context.Background(), []byte(text), false)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
		if err != nil && (strings.Contains(err.Error(), "b1o2b3b4o5") || strings.Contains(err.Error(), a.config().Accounts[0].Token.Reveal())) {
			t.Errorf("an error tells a secret: %v", err)
		}
	}
	if exportText(t, a, true) != before {
		t.Error("something was changed")
	}
	if d := importText(t, a, "version: 2\n"+strings.Replace(before, "country: US", "country: DE", 1)); !slices.Equal(d, []string{"country: US → DE"}) {
		t.Errorf("diff %q", d)
	}
}

// Somebody else saved meanwhile: nothing is overwritten.
func TestConfigConflict(t *testing.T) {
	t.Parallel()
	a := newTestApp(t)
	text := exportText(t, a, true)
	other := a.config()
	other.Country = "FR"
	if _, err := a.store.SaveConfig(context.Background(), other); err != nil {
		t.Fatal(err)
	}
	_, err := gateway{a}.Import(context.Background(), []byte(text+officeText), false)
	if conflict := (*admin.ConflictError)(nil); !errors.As(err, &conflict) || !errors.Is(err, storage.ErrConflict) {
		t.Errorf("import: %v", err)
	}
	if s, err := a.store.LoadConfig(); err != nil || s.Country != "FR" || len(s.Users) != 0 {
		t.Errorf("stored %+v, %v", s, err)
	}
	if a.config().Version != 1 {
		t.Error("the refused configuration is in use")
	}
}

// What a first boot makes is a configuration that can be exported and imported.
func TestConfigOfFirstBoot(t *testing.T) {
	t.Parallel()
	a := newTestApp(t)
	s, err := config.Import([]byte(exportText(t, a, true)), config.Snapshot{})
	if err != nil || len(config.Diff(a.config(), s)) != 0 {
		t.Errorf("%v, %q", err, config.Diff(a.config(), s))
	}
}
