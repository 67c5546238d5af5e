package config

import (
	"errors"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"callbox/call"
)

// saved is office as a store gives it back, with passwords everywhere.
func saved() Snapshot {
	s := office()
	s.Applications[0].Script.Main.URL = "https://alice:open%20sesame@hooks.example/voice?x=1"
	s.Applications[0].Script.Fallback = call.Hook{URL: "http://192.0.2.9/fallback", Username: "u", Password: "fallback word"}
	s.Applications[0].Status.Password = "status word"
	s.Applications[0].Status.Events = []call.EventType{call.EventAnswered, call.EventEnded}
	s.Version, s.Changed = 7, time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return s.WithDefaults()
}

// words are the secrets in saved.
var words = []string{strings.Repeat("0f", 16), HashSecret("0123456789abcdef").Reveal(), "open%20sesame", "fallback word", "status word", "correct horse"}

func tell(t *testing.T, what, text string, hidden bool) {
	t.Helper()
	for _, w := range words {
		if strings.Contains(text, w) == hidden {
			t.Errorf("%s: %q is there: %v", what, w, !hidden)
		}
	}
}

func export(t *testing.T, s Snapshot, secrets bool) string {
	t.Helper()
	b, err := s.Export(secrets)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestExportAndImport(t *testing.T) {
	t.Parallel()
	s := saved()
	for _, withSecrets := range []bool{true, false} {
		text := export(t, s, withSecrets)
		tell(t, "export", text, !withSecrets)
		back, err := Import([]byte(text), s)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if back.Version != 0 {
			t.Errorf("version %d", back.Version)
		}
		back.Version, back.Changed = s.Version, s.Changed
		if !reflect.DeepEqual(back, s) {
			t.Errorf("it comes back as\n%+v\nfrom\n%s", back, text)
		}
		if d := Diff(s, back); len(d) != 0 {
			t.Errorf("differences %q", d)
		}
	}
	if text := export(t, s, true); text != export(t, saved(), true) {
		t.Error("two exports of the same differ")
	}
}

// People read it: the order of the fields, and short values.
func TestExportForm(t *testing.T) {
	t.Parallel()
	text := export(t, saved(), false)
	var got []string
	for _, m := range regexp.MustCompile(`(?m)^([a-z_]+):`).FindAllStringSubmatch(text, -1) {
		got = append(got, m[1])
	}
	want := []string{"country", "domains", "accounts", "applications", "trunks", "users", "phones", "routes", "numbers", "tolls", "caller_ids", "credential_lists", "sip_domains", "speech_vendors", "media", "limits", "retention", "webhooks"}
	if !slices.Equal(got, want) {
		t.Errorf("the order is %v", got)
	}
	for _, line := range []string{
		"# Configuration of a Callbox, version 7 of 2026-03-01 12:00:00 UTC.", "  expires: 1h", "  ring_timeout: 10m", "  calls: 400d",
		"  recordings: 90d", "- id: AC1", `  number: "202"`, `  max_channels: 8`, "      url: https://alice:********@hooks.example/voice?x=1", "  recording_bytes: 1073741824",
	} {
		if !slices.Contains(strings.Split(text, "\n"), line) {
			t.Errorf("no line %q in\n%s", line, text)
		}
	}
}

func TestImportErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"trunks:\n- name: p\n  hots: x": `trunks[0].hots: there is no such field; there are name, host, port,`,
		"contry: US":                    "contry: there is no such field",
		"applications: [{id: AP1, status: {hook: {url: x}}}]": "applications[0].status.hook: there is no such field; there are url, method",
		"country: DE\ncountry: FR":                            `[2:1] mapping key "country" already defined at [1:1]`,
		"users: [{name: a, name: b}]":                         `mapping key "name" already defined`,
		"users:\n- number: 202":                               "users[0].number: is not a text; put it in quotes",
		"trunks: [{port: high}]":                              "trunks[0].port: is not a whole number that fits here",
		"trunks: [{port: 99999999999999999999}]":              "trunks[0].port: is not a whole number",
		"limits: {calls: 1.5}":                                "limits.calls: is not a whole number",
		"limits: {ring_timeout: 60}":                          `limits.ring_timeout: "60" is not a length of time such as "30s"`,
		"limits: {ring_timeout: soon}":                        `limits.ring_timeout: "soon" is not a length of time`,
		"limits: 5":                                           `limits: has no fields, such as "calls"`,
		"trunks: {name: p}":                                   "trunks: is not a list",
		"trunks: [{register: 1}]":                             "trunks[0].register: is neither true nor false",
		"- a":                                                 "configuration: has no fields",
		"version: -1":                                         "version: is not a whole number",
		"a: &x 1\nb: *x":                                      "line 2: anchors and aliases",
		"country: DE\n---\ncountry: FR":                       "it has 2 documents",
		"country: \xff":                                       "it is not UTF-8",
		strings.Repeat("[", 1000):                             "nested too deeply",
		strings.Repeat("- ", 1000):                            "nested too deeply",
		strings.Repeat(" ", maxText+1):                        "at most",
		"users: [":                                            "cannot be read: [1:8]",
		"users: [{name: '301', password: '********'}]":        "users[0].password: ******** stands for the present secret, and there is none",
		"accounts: [{id: AC1, token: '********', keys: [{id: SK9, secret: '********'}]}]":              "accounts[0].keys[0].secret: ******** stands for",
		"applications: [{id: AP1, script: {main: {url: 'https://bob:********@hooks.example/voice'}}}]": "applications[0].script.main.url: ******** stands for",
		"country: Germany\ntrunks: [{name: p}]":                                                        `country: "Germany" is not a country code`,
	} {
		_, err := Import([]byte(text), saved())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v\nwant %s", text, err, want)
		}
		if err != nil {
			tell(t, "an error", err.Error(), true)
		}
	}
	var invalid *InvalidError
	if _, err := Import([]byte("a: 1\nb: 2\ntrunks: [{port: x}]"), Snapshot{}); !errors.As(err, &invalid) || len(invalid.Problems) != 3 {
		t.Errorf("all problems at once: %v", err)
	}
	for _, text := range []string{"", "# nothing\n", "users:\ntrunks: []\n"} {
		if s, err := Import([]byte(text), saved()); err != nil || !reflect.DeepEqual(s, Snapshot{}.WithDefaults()) {
			t.Errorf("%q: %+v, %v", text, s, err)
		}
	}
	if s, err := Import([]byte("version: 7\nlimits: {ring_timeout: 1d}"), Snapshot{}); err == nil || s.Version != 7 {
		t.Errorf("version %d, %v", s.Version, err)
	}
}

// A hidden secret goes with the name of its entry, wherever that stands.
func TestHiddenSecretsFollowNames(t *testing.T) {
	t.Parallel()
	s := saved()
	s.Users = append(s.Users, User{Name: "202", Password: "battery staple"})
	s = s.WithDefaults()
	text := export(t, s, false)
	moved, err := Import([]byte(text), s)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(moved.Users)
	text = strings.ReplaceAll(export(t, moved, false), "192.0.2.9/fallback", "192.0.2.9/other")
	back, err := Import([]byte(text), s)
	if err != nil {
		t.Fatal(err)
	}
	if back.Users[0].Password != "battery staple" || back.Users[1].Password != "correct horse" {
		t.Errorf("passwords %q, %q", back.Users[0].Password.Reveal(), back.Users[1].Password.Reveal())
	}
	if f := back.Applications[0].Script.Fallback; f.Password != "fallback word" || f.URL != "http://192.0.2.9/other" {
		t.Errorf("hook %+v", f)
	}
}

func TestDiff(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*Snapshot){
		"country: US → DE":                                              func(s *Snapshot) { s.Country = "DE" },
		"trunks[provider].expires: 1h → 30m":                            func(s *Snapshot) { s.Trunks[0].Expires = Duration(30 * time.Minute) },
		"trunks[provider].port: 0 → 5063":                               func(s *Snapshot) { s.Trunks[0].Port = 5063 },
		"trunks[pbx].codecs: PCMA → PCMU PCMA":                          func(s *Snapshot) { s.Trunks[1].Codecs = []string{"PCMU", "PCMA"} },
		"trunks[provider].inbound: 192.0.2.0/24 198.51.100.7 → nothing": func(s *Snapshot) { s.Trunks[0].Inbound = nil },
		"users[201].password: changed":                                  func(s *Snapshot) { s.Users[0].Password = "battery staple" },
		"users[201].display_name: Alice → nothing":                      func(s *Snapshot) { s.Users[0].DisplayName = "" },
		"users: + 202":                                        func(s *Snapshot) { s.Users = append(s.Users, User{Name: "202", Password: "battery staple"}) },
		"users: - 201":                                        func(s *Snapshot) { s.Users = nil },
		"routes: other order":                                 func(s *Snapshot) { slices.Reverse(s.Routes) },
		"accounts[AC1].token: changed":                        func(s *Snapshot) { s.Accounts[0].Token = "x" },
		"accounts[AC1].keys[SK1].secret: changed":             func(s *Snapshot) { s.Accounts[0].Keys[0].Secret = "x" },
		"numbers[* pbx].target: lobby → 201":                  func(s *Snapshot) { s.Numbers[2].Target = "201" },
		"applications[AP1].script.fallback.password: changed": func(s *Snapshot) { s.Applications[0].Script.Fallback.Password = "x" },
		"applications[AP1].script.main.url: changed": func(s *Snapshot) {
			s.Applications[0].Script.Main.URL = strings.Replace(s.Applications[0].Script.Main.URL, "open%20", "closed", 1)
		},
		"applications[AP1].script.main.url: https://alice:********@hooks.example/voice?x=1 → http://192.0.2.3/": func(s *Snapshot) {
			s.Applications[0].Script.Main.URL = "http://192.0.2.3/"
		},
		"applications[AP1].script.inline: changed":                       func(s *Snapshot) { s.Applications[0].Script.Inline = "<Response/>" },
		"applications[AP1].status.events: answered completed → answered": func(s *Snapshot) { s.Applications[0].Status.Events = []call.EventType{call.EventAnswered} },
	} {
		before, after := saved(), saved()
		change(&after)
		after.Version, after.Changed = 8, time.Time{}
		if got := Diff(before, after); !slices.Equal(got, []string{want}) {
			t.Errorf("%q, want %q", got, want)
		}
		tell(t, want, strings.Join(append(Diff(before, after), Diff(after, before)...), "\n"), true)
	}
	// Everything at once, from nothing and to nothing.
	all := strings.Join(append(Diff(Snapshot{}, saved()), Diff(saved(), Snapshot{})...), "\n")
	tell(t, "all", all, true)
	// In the order of the fields.
	after := saved()
	after.Retention.CallCount, after.Country = 1000, "FR"
	if got := Diff(saved(), after); len(got) != 2 || !strings.HasPrefix(got[0], "country") {
		t.Errorf("order %q", got)
	}
}

// Whatever stands in a text comes back as it was.
func FuzzExport(f *testing.F) {
	for _, s := range []string{"", "a", "202", "+14155550100", "0x1f", "1e3", "NO", "null", "~", "true", " x ", "# x", "a: b", "- a", "a\nb", "a\n\nb\n", "\n", "a\r\nb", "\ta",
		"'", `"`, `\`, "{a", "[", "*a", "&a", "!a", "%a", "@a", "|", ">", "? a", "---", "...", "<Response>\n  <Say>Hi</Say>\n</Response>\n", "  indented\nx", "é ü 漢 😀", "\u2028", "\x00", "\x7f", "<<", "=", ".inf", "2026-03-01", "1:30", "a #b", "a\n# b\n", "a\n  \nb  \n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		in := Snapshot{Accounts: []Account{{ID: "AC1", Token: Secret(strings.Repeat("0f", 16))}},
			Applications: []Application{{ID: "AP1", Account: "AC1", Name: s, Script: call.ScriptSource{Inline: s + "x"}}},
		}.WithDefaults()
		want, err := in.clone() // JSON replaces what is not UTF-8
		if err != nil {
			t.Fatal(err)
		}
		text, err := in.Export(true)
		if err != nil {
			t.Fatal(err)
		}
		back, err := Import(text, Snapshot{})
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if !reflect.DeepEqual(back, want) {
			t.Errorf("%q and %q come back as %q and %q from\n%s", s, s+"x", back.Applications[0].Name, back.Applications[0].Script.Inline, text)
		}
	})
}

// FuzzImport holds that no text does harm.
func FuzzImport(f *testing.F) {
	b, err := saved().Export(false)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(b))
	for _, s := range []string{"country: DE", "a: &x [1]\nb: *x", "users: [{name: a}]", "[{", "- - -", "? a\n: b", "a: |\n  b", "{}", "<<: {country: DE}"} {
		f.Add(s)
	}
	present := saved()
	f.Fuzz(func(t *testing.T, s string) {
		got, err := Import([]byte(s), present)
		if err != nil {
			return
		}
		text, err := got.Export(true)
		if err != nil {
			t.Fatal(err)
		}
		back, err := Import(text, Snapshot{})
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		got.Version, got.Changed = 0, time.Time{}
		if !reflect.DeepEqual(back, got) {
			t.Errorf("%+v comes back as %+v from\n%s", got, back, text)
		}
	})
}
