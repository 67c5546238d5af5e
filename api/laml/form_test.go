package laml

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"callbox/call"
)

var testTable = []Param{
	{Name: "Name", Kind: Text, Max: 3, Code: 1, Long: 2, Required: 3},
	{Name: "Url", Kind: Link, Code: 4},
	{Name: "N", Kind: Integer, Min: -1, Max: 10, Code: 5},
	{Name: "Flag", Kind: Bool, Code: 6},
	{Name: "One", Kind: Choice, Enum: []string{"a", "b"}, Code: 7},
	{Name: "Many", Kind: Choices, Enum: []string{"a", "b", "c"}, Code: 8},
	{Name: "When", Kind: Day, Code: 9},
	{Name: "Method", Kind: Verb},
	{Name: "Old", Kind: Ignored},
}

func TestReadValues(t *testing.T) {
	form := func(s string) url.Values {
		v, err := parseForm(s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	v, unknown, err := readValues(form("Name=%C3%A9%C3%A9%C3%A9&Url=http://h/&N=-1&Flag=True&One=B&Many=c+a,b&Many=c&Many=&Method=get&Old=x&Zed=1&Alpha=2&When=2026-01-02"), testTable)
	if err != nil {
		t.Fatal(err)
	}
	if v.Text("Name") != "ééé" || v.Int("N", 7) != -1 || !v.Bool("Flag") || v.Text("One") != "b" || v.method("Method") != "GET" ||
		strings.Join(v.List("Many"), " ") != "c a b" || strings.Join(unknown, " ") != "Alpha Zed" || !v.Has("Old") || v.Has("Nope") {
		t.Errorf("read %+v, unknown %v", v, unknown)
	}
	if v.Int("Nope", 7) != 7 || v.method("Nope") != "POST" || v.Bool("Nope") {
		t.Error("defaults")
	}
	for s, code := range map[string]Code{
		"": 3, "Name=": 3, "Name=abcd": 2, "Name=a&Name=b": 1, "Name=a&Url=h": 4, "Name=a&N=11": 5, "Name=a&N=1x": 5, "Name=a&N=": 0,
		"Name=a&Flag=1": 6, "Name=a&One=c": 7, "Name=a&Many=a+d": 8, "Name=a&When=2026": 9, "Name=a&Method=PUT": CodeHTTPMethod,
		"Name=a&One=a&One=a": 7, "Name=a&Many=a&Many=a": 0,
	} {
		_, _, err := readValues(form(s), testTable)
		var p *Problem
		if errors.As(err, &p) != (code != 0) || p != nil && (p.Code != code || p.Message == "") {
			t.Errorf("%q: %v, want code %d", s, err, code)
		}
	}
}

func TestParseFormBounds(t *testing.T) {
	for _, s := range []string{"a=%", "a=%ff", "%ff=a", "a=%00", "a=%1b", "a;b=1", strings.Repeat("a&", 256), "a=\x7f"} {
		if v, err := parseForm(s); err == nil {
			t.Errorf("%.20q was read as %v", s, v)
		}
	}
	if v, err := parseForm("a=1%0d%0a%09x"); err != nil || v.Get("a") != "1\r\n\tx" {
		t.Errorf("white space: %v, %v", v, err)
	}
}

func TestParseEndpoint(t *testing.T) {
	for in, want := range map[string]endpoint{
		"+15550100199":           {kind: numberEndpoint, value: "+15550100199"},
		" 15550100199":           {kind: numberEndpoint, value: "+15550100199"},
		"+1 (555) 010-0199":      {kind: numberEndpoint, value: "+15550100199"},
		"+1/555.010.0199":        {kind: numberEndpoint, value: "+15550100199"},
		"201":                    {kind: numberEndpoint, value: "201"},
		"*#06#":                  {kind: numberEndpoint, value: "*#06#"},
		"+1*":                    {},
		"+":                      {},
		"+1":                     {},
		"1+1":                    {kind: nameEndpoint, value: "1+1"},
		"":                       {},
		"SIP:alice@b.example":    {kind: sipEndpoint, value: "sip:alice@b.example"},
		"sips:b.example:5061":    {kind: sipEndpoint, value: "sips:b.example:5061"},
		"sip:a:b@c.example;lr":   {kind: sipEndpoint, value: "sip:a:b@c.example;lr"},
		"sip:a@[2001:db8::1]":    {kind: sipEndpoint, value: "sip:a@[2001:db8::1]"},
		"sip:a@[2001:db8::1]:0":  {},
		"sip:a@[x]":              {},
		"sip:@b":                 {},
		"sip:a@b c":              {},
		"sip:a@b\r\nVia: x":      {},
		"sip:a@b>":               {},
		"sip:é@b":                {},
		"client:alice.b-c_d":     {kind: clientEndpoint, value: "client:alice.b-c_d"},
		"client:a b":             {},
		"client:":                {},
		"alice":                  {kind: nameEndpoint, value: "alice"},
		"alice@b.example":        {kind: nameEndpoint, value: "alice@b.example"},
		"alice@":                 {},
		"tel:+15550100199":       {},
		"http://b.example":       {},
		strings.Repeat("1", 33):  {kind: nameEndpoint, value: strings.Repeat("1", 33)},
		strings.Repeat("a", 122): {},
	} {
		got, problem := parseEndpoint(in)
		if problem != nil || got.kind != want.kind || got.value != want.value {
			t.Errorf("%q: %+v %v, want %+v", in, got, problem, want)
		}
	}
	got, problem := parseEndpoint("sip:a@b.example;x=y?X-A=1%202&user-to-user=q&X-B=")
	if problem != nil || len(got.headers) != 3 || got.headers[0] != (call.Header{Name: "X-A", Value: "1 2"}) || got.value != "sip:a@b.example;x=y" {
		t.Errorf("headers: %+v %v", got, problem)
	}
}

func TestFormatted(t *testing.T) {
	for in, want := range map[string]string{
		"+15550100199": "(555) 010-0199", "+33123456789": "+33123456789", "+1555": "+1555", "sip:a@b": "sip:a@b", "": "", "+1555010019x": "+1555010019x",
	} {
		if got := Formatted(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func FuzzForm(f *testing.F) {
	for _, s := range []string{
		"To=%2B15550100199&From=201&Url=http://h/", "StatusCallbackEvent=a&StatusCallbackEvent=b", "a=%zz", "=&=&", "a;b",
		"Name=a&N=99999999999999999999&When=2026-01-02T10:00:00+02:00&Many=a,b c", "To=sip:a@b?X-A=%0d",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		form, err := parseForm(s)
		var p *Problem
		if err != nil {
			if !errors.As(err, &p) || p.Message == "" {
				t.Fatalf("%v is no problem", err)
			}
			return
		}
		v, _, err := readValues(form, testTable)
		if err != nil && (!errors.As(err, &p) || !utf8.ValidString(p.Message)) {
			t.Fatalf("%v is no problem", err)
		}
		if n := v.Int("N", 0); n < -1 || n > 10 {
			t.Fatalf("N is %d", n)
		}
		for name := range form {
			e, problem := parseEndpoint(form.Get(name))
			if problem == nil && strings.ContainsAny(e.value, "\r\n<>\"") {
				t.Fatalf("%q would break a message", e.value)
			}
			for _, h := range e.headers {
				if strings.ContainsAny(h.Name+h.Value, "\r\n") {
					t.Fatalf("header %+v would break a message", h)
				}
			}
		}
	})
}
