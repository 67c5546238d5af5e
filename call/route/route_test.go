package route

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"callbox/call"
	"callbox/call/number"
)

// office is a branch in the given country with a user, a phone, two trunks and
// an exchange line.
func office(country string) Config {
	return Config{
		Country: country,
		Names:   map[string]string{"201": "201", "Alice": "201", "fxs1": "fxs1", "202": "fxs1", "+14155550111": "fxs1"},
		Domains: []string{"callbox.example", "192.0.2.1"},
		Known:   []string{"201", "fxs1", "provider", "backup", "exchange"},
		Rules: []Rule{
			{Name: "uk", Prefix: "+44", Lines: []string{"backup"}, Form: Plain},
			{Name: "service", Pattern: `1?(800|888)\d{7}|\+1(800|888)\d{7}`, Lines: []string{"exchange"}, Form: National},
			{Name: "outside", Prefix: "9", Lines: []string{"exchange"}, Form: Dialled, Strip: 1},
			{Name: "codes", Pattern: `\*\d+`, Lines: []string{"exchange"}},
			{Name: "empty", Prefix: "555", Lines: []string{"exchange"}, Strip: 32},
			{Name: "abroad", Prefix: "+", Lines: []string{"provider", "backup", "exchange"}, Strip: 1, Add: "00"},
		},
		URILines: []string{"provider"},
	}
}

func mustCompile(t *testing.T, c Config) *Table {
	t.Helper()
	table, err := Compile(c)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// attempts writes a decision's attempts as "line:to line:to".
func attempts(d Decision) string {
	var out []string
	for _, a := range d.Attempts {
		out = append(out, a.Line+":"+a.To)
	}
	return strings.Join(out, " ")
}

func TestDecide(t *testing.T) {
	t.Parallel()
	table := mustCompile(t, office("US"))
	withEmergency := office("US")
	withEmergency.Rules = append(withEmergency.Rules,
		Rule{Name: "emergency", Emergency: true, Lines: []string{"exchange", "provider"}},
		Rule{Name: "security", Emergency: true, Prefix: "5555", Lines: []string{"fxs1"}},
		Rule{Name: "greedy", Emergency: true, Prefix: "933", Strip: 3, Lines: []string{"exchange"}},
	)
	emergency := mustCompile(t, withEmergency)
	empty := mustCompile(t, Config{Country: "US"})
	tests := []struct {
		name     string
		table    *Table
		req      Request
		attempts string
		rule     string
		says     string // part of Explain
		sip      int    // of the cause, when there is no route
	}{
		{"user by number", table, Request{To: "201"}, "201:201", "", "201 is a user or phone of this box.", 0},
		{"user by name", table, Request{To: "client:alice"}, "201:alice", "", "alice is a user", 0},
		{"phone by port", table, Request{To: "client:fxs1"}, "fxs1:fxs1", "", "", 0},
		{"phone by its public number", table, Request{To: "415-555-0111"}, "fxs1:+14155550111", "", "4155550111 is +14155550111. +14155550111 is a user or phone", 0},
		{"unknown name", table, Request{To: "client:carol"}, "", "", `No user or phone is named "carol".`, 404},
		{"own SIP address", table, Request{To: "sip:ALICE@callbox.example"}, "201:ALICE", "", "callbox.example is this box", 0},
		{"own address by number", table, Request{To: "sip:201@192.0.2.1:5060"}, "201:201", "", "", 0},
		{"own address, mapped", table, Request{To: "sip:201@[::ffff:192.0.2.1]"}, "201:201", "", "", 0},
		{"own address, unknown user", table, Request{To: "sip:carol@callbox.example"}, "", "", `no user or phone is named "carol"`, 404},
		{"foreign SIP address", table, Request{To: "sip:bob@biloxi.example;transport=tcp?X-A=1"}, "provider:sip:bob@biloxi.example;transport=tcp", "", "SIP address of another host", 0},
		{"foreign SIP address, no line", empty, Request{To: "sip:bob@biloxi.example"}, "", "", "no line may call SIP addresses", 404},
		{"by E.164 prefix", table, Request{To: "011 44 20 7946 0018"}, "backup:442079460018", "uk", "Rule uk: +442079460018 starts with +44.", 0},
		{"by pattern, dialled", table, Request{To: "8005550100"}, "exchange:18005550100", "service", "", 0},
		{"strip and dialled form", table, Request{To: "9 5550100"}, "exchange:5550100", "outside", "", 0},
		{"feature code", table, Request{To: "*67"}, "exchange:*67", "codes", "", 0},
		{"pattern must match all of it", table, Request{To: "*67#"}, "", "", "no rule matches", 404},
		{"strip and add", table, Request{To: "+33199001234"}, "provider:0033199001234 backup:0033199001234 exchange:0033199001234", "abroad", "First line provider is called", 0},
		{"nothing left to dial", table, Request{To: "5550100"}, "", "", "leaves no digits to dial. No route to 5550100: no rule matches it.", 404},
		{"no rules", empty, Request{To: "+14155550100"}, "", "", "there are no routes", 404},
		{"not a number", table, Request{To: "hello"}, "", "", `"hello" cannot be called: not a telephone number`, 484},
		{"impossible number", table, Request{To: "+1415"}, "", "", "cannot be called", 484},
		{"no number", table, Request{}, "", "", "cannot be called", 484},
		{"named line", table, Request{To: "(415) 555-0100", Line: "backup"}, "backup:+14155550100", "", "Line backup was asked for.", 0},
		{"named line, SIP", table, Request{To: "sip:bob@biloxi.example", Line: "backup"}, "backup:sip:bob@biloxi.example", "", "", 0},
		{"named line, client", table, Request{To: "client:bob", Line: "backup"}, "backup:bob", "", "", 0},
		{"named line is unknown", table, Request{To: "+14155550100", Line: "nowhere"}, "", "", `Line "nowhere" was asked for and does not exist.`, 404},

		{"emergency rule", emergency, Request{To: "911"}, "exchange:911 provider:911", "emergency", "911 is an emergency number", 0},
		{"emergency rule with its own prefix", emergency, Request{To: "5555"}, "fxs1:5555", "security", "", 0},
		{"emergency rule that would eat the number", emergency, Request{To: "933"}, "exchange:933", "greedy", "", 0},
		{"emergency, line asked for", emergency, Request{To: "911", Line: "backup"}, "backup:911 exchange:911 provider:911", "emergency", "Line backup was asked for, so it is tried first.", 0},
		{"emergency, unknown line asked for", emergency, Request{To: "911", Line: "nowhere"}, "exchange:911 provider:911", "emergency", "", 0},
		{"emergency without a rule", table, Request{To: "911"}, "backup:911 exchange:911 provider:911", "", "no rule is for emergencies", 0},
		{"emergency without any line", empty, Request{To: "911"}, "", "", "No route to the emergency number 911", 404},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := Decide(tt.table, tt.req)
			if got := attempts(d); got != tt.attempts {
				t.Errorf("attempts %q, want %q (%s)", got, tt.attempts, d.Explain())
			}
			if d.Rule != tt.rule {
				t.Errorf("rule %q, want %q", d.Rule, tt.rule)
			}
			if !strings.Contains(d.Explain(), tt.says) {
				t.Errorf("it says %q, want %q in it", d.Explain(), tt.says)
			}
			if (d.Cause != nil) != (len(d.Attempts) == 0) {
				t.Fatalf("cause %v with %d attempts", d.Cause, len(d.Attempts))
			}
			if d.Cause != nil && (d.Cause.SIP != tt.sip || d.Cause.Who != call.Box || d.Cause.Text != d.Summary()) {
				t.Errorf("cause %+v, want SIP %d", d.Cause, tt.sip)
			}
			if d.Summary() == "" {
				t.Error("no summary")
			}
		})
	}
}

// No configuration can take an emergency number away from the emergency rule.
func TestEmergencyComesFirst(t *testing.T) {
	t.Parallel()
	for _, country := range number.Countries() {
		for _, digits := range number.Emergency(country) {
			c := Config{
				Country: country,
				Names:   map[string]string{digits: "phone"},
				Rules: []Rule{
					{Name: "all", Lines: []string{"cheap"}, Strip: 1, Add: "9"},
					{Name: "same", Prefix: digits, Lines: []string{"cheap"}},
					{Name: "help", Emergency: true, Lines: []string{"exchange"}},
				},
			}
			d := Decide(mustCompile(t, c), Request{To: digits})
			if got := attempts(d); got != "exchange:"+digits || !d.Emergency {
				t.Errorf("%s in %s goes to %q: %s", digits, country, got, d.Explain())
			}
		}
	}
}

func TestNext(t *testing.T) {
	t.Parallel()
	busy := call.FromSIP(486, call.Remote, "")
	unavailable := call.FromSIP(503, call.Network, "trunk provider: 503 Service Unavailable")
	cancel := call.Cause{Q850: call.Q850Normal, Who: call.API}
	noAnswer := call.Cause{Q850: call.Q850NoAnswer, SIP: 487, Who: call.Box}
	noCircuit := call.Cause{Q850: call.Q850NoCircuit, Who: call.Box, Text: "all channels are in use"}
	tests := []struct {
		failover []Condition
		cause    call.Cause
		want     bool
	}{
		{nil, unavailable, true},
		{nil, noCircuit, true},
		{nil, busy, false},
		{nil, noAnswer, false},
		{nil, call.FromSIP(404, call.Network, ""), false},
		{nil, call.FromSIP(403, call.Network, ""), true},
		{nil, call.FromSIP(603, call.Remote, ""), false},
		{nil, cancel, false},
		{[]Condition{OnNone}, unavailable, false},
		{[]Condition{OnAny}, busy, true},
		{[]Condition{OnAny}, cancel, false},
		{[]Condition{OnBusy}, busy, true},
		{[]Condition{OnBusy}, unavailable, false},
		{[]Condition{OnBusy, OnDefault}, unavailable, true},
		{[]Condition{OnNoAnswer}, noAnswer, true},
		{[]Condition{"sip:404"}, call.FromSIP(404, call.Network, ""), true},
		{[]Condition{"sip:404"}, call.FromSIP(405, call.Network, ""), false},
		{[]Condition{"sip:5xx"}, unavailable, true},
		{[]Condition{"sip:4xx"}, unavailable, false},
		{[]Condition{"q850:34"}, noCircuit, true},
		{[]Condition{"q850:35"}, noCircuit, false},
	}
	for _, tt := range tests {
		table := mustCompile(t, Config{Country: "US", Rules: []Rule{{Name: "r", Lines: []string{"a", "b"}, Failover: tt.failover}}})
		d := Decide(table, Request{To: "+14155550100"})
		got, why := d.Next(0, tt.cause)
		if got != tt.want || !strings.HasSuffix(why, ".") {
			t.Errorf("failover %v after %+v: %v (%s), want %v", tt.failover, tt.cause, got, why, tt.want)
		}
		if last, why := d.Next(1, tt.cause); last || why == "" {
			t.Errorf("an attempt after the last one: %s", why)
		}
		if out, _ := d.Next(7, tt.cause); out {
			t.Error("an attempt that does not exist is followed by another")
		}
	}

	// An emergency call goes on after everything but the caller's own hang-up.
	d := Decide(mustCompile(t, Config{Country: "US", Rules: []Rule{{Name: "r", Lines: []string{"a", "b"}, Emergency: true, Failover: []Condition{OnNone}}}}), Request{To: "911"})
	for _, c := range []call.Cause{busy, noAnswer, unavailable} {
		if ok, why := d.Next(0, c); !ok {
			t.Error(why)
		}
	}
	if ok, _ := d.Next(0, cancel); ok {
		t.Error("a cancelled emergency call goes on")
	}
}

func TestCompileErrors(t *testing.T) {
	t.Parallel()
	ok := func(change func(*Rule)) Config {
		r := Rule{Name: "r", Prefix: "+1", Lines: []string{"a"}}
		change(&r)
		return Config{Country: "US", Rules: []Rule{r}, Known: []string{"a", "b"}}
	}
	many := Config{Rules: make([]Rule, MaxRules+1)}
	tests := []struct {
		c     Config
		field string
	}{
		{ok(func(r *Rule) { r.Name = "" }), "rules[0].name"},
		{Config{Rules: []Rule{{Name: "x", Lines: []string{"a"}}, {Name: "x", Lines: []string{"a"}}}}, "rules[1].name"},
		{ok(func(r *Rule) { r.Pattern = "1" }), "rules[0].pattern"},
		{ok(func(r *Rule) { r.Prefix, r.Pattern = "", "(" }), "rules[0].pattern"},
		{ok(func(r *Rule) { r.Prefix, r.Pattern = "", strings.Repeat("1", MaxPattern+1) }), "rules[0].pattern"},
		{ok(func(r *Rule) { r.Prefix = "1+" }), "rules[0].prefix"},
		{ok(func(r *Rule) { r.Prefix = "abc" }), "rules[0].prefix"},
		{ok(func(r *Rule) { r.Lines = nil }), "rules[0].lines"},
		{ok(func(r *Rule) { r.Lines = []string{"a", "a"} }), "rules[0].lines"},
		{ok(func(r *Rule) { r.Lines = make([]string, MaxLines+1) }), "rules[0].lines"},
		{ok(func(r *Rule) { r.Lines = []string{"a", "c"} }), "rules[0].lines[1]"},
		{ok(func(r *Rule) { r.Lines = []string{""} }), "rules[0].lines[0]"},
		{ok(func(r *Rule) { r.Strip = -1 }), "rules[0].strip"},
		{ok(func(r *Rule) { r.Strip = MaxStrip + 1 }), "rules[0].strip"},
		{ok(func(r *Rule) { r.Add = "x" }), "rules[0].add"},
		{ok(func(r *Rule) { r.Add = strings.Repeat("1", MaxAdd+1) }), "rules[0].add"},
		{ok(func(r *Rule) { r.Form = "odd" }), "rules[0].form"},
		{ok(func(r *Rule) { r.Failover = []Condition{"sometimes"} }), "rules[0].failover"},
		{ok(func(r *Rule) { r.Failover = []Condition{"sip:200"} }), "rules[0].failover"},
		{ok(func(r *Rule) { r.Failover = []Condition{"sip:9xx"} }), "rules[0].failover"},
		{ok(func(r *Rule) { r.Failover = []Condition{"q850:128"} }), "rules[0].failover"},
		{ok(func(r *Rule) { r.Failover = []Condition{OnNone, OnBusy} }), "rules[0].failover"},
		{Config{Names: map[string]string{"x": "c"}, Known: []string{"a"}}, "names[x]"},
		{Config{URILines: []string{"c"}, Known: []string{"a"}}, "uri_lines"},
		{many, "rules"},
	}
	for _, tt := range tests {
		_, err := Compile(tt.c)
		var ce *ConfigError
		if !errors.As(err, &ce) || ce.Field != tt.field {
			t.Errorf("%v, want an error in %s", err, tt.field)
		}
	}
	if _, err := Compile(ok(func(*Rule) {})); err != nil {
		t.Error(err)
	}
}

// A table does not change when the configuration that it was made of does.
func TestTableIsItsOwn(t *testing.T) {
	t.Parallel()
	c := office("US")
	table := mustCompile(t, c)
	before := Decide(table, Request{To: "+33199001234"}).Explain()
	c.Rules[5].Lines[0] = "changed"
	c.Names["201"] = "changed"
	c.URILines[0] = "changed"
	if after := Decide(table, Request{To: "+33199001234"}).Explain(); after != before {
		t.Errorf("it was %q and is %q", before, after)
	}
}

func TestExplainIsReadable(t *testing.T) {
	t.Parallel()
	d := Decide(mustCompile(t, office("US")), Request{To: "011 33 1 99 00 12 34"})
	want := `01133199001234 is +33199001234. Rule abroad: +33199001234 starts with +. ` +
		`First line provider is called with "0033199001234". Then line backup is called with "0033199001234". Then line exchange is called with "0033199001234".`
	if d.Explain() != want {
		t.Errorf("it says\n%s\nwant\n%s", d.Explain(), want)
	}
}

// Whatever is configured and dialled, a decision has attempts on known lines
// with something to dial, or a cause with a sentence.
func FuzzDecide(f *testing.F) {
	f.Add("+1", "", "e164", 1, "00", "+14155550100", "")
	f.Add("", `\+?1?(\d{3})\d+`, "national", 0, "", "sip:bob@biloxi.example", "a")
	f.Add("", `(a|a)*$`, "plain", 3, "+1", "911", "")
	f.Add("9", "", "dialled", 1, "", "client:alice", "b")
	f.Fuzz(func(t *testing.T, prefix, pattern, form string, strip int, add, to, line string) {
		c := Config{
			Country: "US", Known: []string{"a", "b"}, Names: map[string]string{"alice": "a"}, Domains: []string{"callbox.example"}, URILines: []string{"b"},
			Rules: []Rule{{Name: "r", Prefix: prefix, Pattern: pattern, Form: Form(form), Strip: strip, Add: add, Lines: []string{"a", "b"}}},
		}
		table, err := Compile(c)
		if err != nil {
			return
		}
		d := Decide(table, Request{To: to, Line: line})
		if (d.Cause == nil) == (len(d.Attempts) == 0) {
			t.Fatalf("cause %v with attempts %v", d.Cause, d.Attempts)
		}
		if d.Cause != nil && d.Cause.Text == "" {
			t.Fatal("a refusal without a sentence")
		}
		for _, a := range d.Attempts {
			if !slices.Contains(c.Known, a.Line) || a.To == "" {
				t.Fatalf("attempt %+v", a)
			}
		}
		if d.Emergency && d.Attempts[0].To != d.Number.Dialled && line == "" {
			t.Fatalf("the emergency number became %q", d.Attempts[0].To)
		}
		if d.Explain() == "" || strings.ContainsAny(d.Explain(), "\r\n") {
			t.Fatalf("it says %q", d.Explain())
		}
	})
}

func BenchmarkDecide(b *testing.B) {
	c := Config{Country: "US"}
	for i := range MaxRules {
		c.Rules = append(c.Rules, Rule{Name: fmt.Sprint(i), Pattern: fmt.Sprintf(`\+%d\d{5,}`, 200+i), Lines: []string{"a"}})
	}
	table, err := Compile(c)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		Decide(table, Request{To: "+14155550100"})
	}
}

// TestOpenLines: numbers that no rule matches go out by the open lines, the
// preferred one first, as E.164 where they have that form.
func TestOpenLines(t *testing.T) {
	t.Parallel()
	c := office("US")
	c.OpenLines = []string{"provider", "backup"}
	table := mustCompile(t, c)
	for _, tt := range []struct {
		req  Request
		want string
		says string
	}{
		{Request{To: "4155550100"}, "provider:00", ""}, // the rule for numbers abroad matches
		{Request{To: "7000"}, "provider:7000 backup:7000", "No rule matches 7000, so it goes out by the carriers."},
		{Request{To: "7000", Prefer: "backup"}, "backup:7000 provider:7000", "Line backup is that of the number that is shown."},
		{Request{To: "7000", Prefer: "exchange"}, "provider:7000 backup:7000", ""},
		{Request{To: "7000", Line: "exchange", Prefer: "backup"}, "exchange:7000", ""},
	} {
		d := Decide(table, tt.req)
		if got := attempts(d); !strings.HasPrefix(got, tt.want) || !strings.Contains(d.Explain(), tt.says) {
			t.Errorf("%+v: %s; %s", tt.req, got, d.Explain())
		}
	}
	plain := mustCompile(t, Config{Country: "US", OpenLines: []string{"provider"}})
	if got := attempts(Decide(plain, Request{To: "415-555-0100"})); got != "provider:+14155550100" {
		t.Errorf("without rules: %s", got)
	}
	if got := attempts(Decide(plain, Request{To: "911"})); got != "provider:911" {
		t.Errorf("an emergency: %s", got)
	}
	c.OpenLines = []string{"nobody"}
	if _, err := Compile(c); err == nil {
		t.Error("an open line that does not exist was accepted")
	}
}
