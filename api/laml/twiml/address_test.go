package twiml

import (
	"strings"
	"testing"

	"callbox/call"
)

func TestParseAddress(t *testing.T) {
	for in, want := range map[string]Address{
		"+15550100199":           {Kind: NumberAddress, Value: "+15550100199"},
		" 15550100199":           {Kind: NumberAddress, Value: "+15550100199"},
		"+1 (555) 010-0199":      {Kind: NumberAddress, Value: "+15550100199"},
		"+1/555.010.0199":        {Kind: NumberAddress, Value: "+15550100199"},
		"201":                    {Kind: NumberAddress, Value: "201"},
		"*#06#":                  {Kind: NumberAddress, Value: "*#06#"},
		"+1*":                    {},
		"+":                      {},
		"+1":                     {},
		"1+1":                    {Kind: NameAddress, Value: "1+1"},
		"":                       {},
		"SIP:alice@b.example":    {Kind: SIPAddress, Value: "sip:alice@b.example"},
		"sips:b.example:5061":    {Kind: SIPAddress, Value: "sips:b.example:5061"},
		"sip:a:b@c.example;lr":   {Kind: SIPAddress, Value: "sip:a:b@c.example;lr"},
		"sip:a@[2001:db8::1]":    {Kind: SIPAddress, Value: "sip:a@[2001:db8::1]"},
		"sip:a@[2001:db8::1]:0":  {},
		"sip:a@[x]":              {},
		"sip:@b":                 {},
		"sip:a@b c":              {},
		"sip:a@b\r\nVia: x":      {},
		"sip:a@b>":               {},
		"sip:é@b":                {},
		"client:alice.b-c_d":     {Kind: ClientAddress, Value: "client:alice.b-c_d"},
		"client:a b":             {},
		"client:":                {},
		"alice":                  {Kind: NameAddress, Value: "alice"},
		"alice@b.example":        {Kind: NameAddress, Value: "alice@b.example"},
		"alice@":                 {},
		"tel:+15550100199":       {},
		"http://b.example":       {},
		strings.Repeat("1", 33):  {Kind: NameAddress, Value: strings.Repeat("1", 33)},
		strings.Repeat("a", 122): {},
	} {
		got, problem := ParseAddress(in)
		if problem != nil || got.Kind != want.Kind || got.Value != want.Value {
			t.Errorf("%q: %+v %v, want %+v", in, got, problem, want)
		}
	}
	got, problem := ParseAddress("sip:a@b.example;x=y?X-A=1%202&user-to-user=q&X-B=")
	if problem != nil || len(got.Headers) != 3 || got.Headers[0] != (call.Header{Name: "X-A", Value: "1 2"}) || got.Value != "sip:a@b.example;x=y" {
		t.Errorf("headers: %+v %v", got, problem)
	}
}

func FuzzAddress(f *testing.F) {
	for _, s := range []string{
		"+15550100199", "sip:alice@biloxi.example;transport=tcp?X-A=1&User-to-User=q", "client:alice?k=v", "sips:[2001:db8::1]:5061",
		"sip:a@b?X-A=%0d", "alice@biloxi.example", "*21#", "sip:a@b?Via=x",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, problem := ParseAddress(s)
		if problem == nil && strings.ContainsAny(e.Value, "\r\n<>\"") {
			t.Fatalf("%q would break a message", e.Value)
		}
		for _, h := range e.Headers {
			if strings.ContainsAny(h.Name+h.Value, "\r\n") {
				t.Fatalf("header %+v would break a message", h)
			}
		}
	})
}
