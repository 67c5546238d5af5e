package number

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestParseAddress(t *testing.T) {
	t.Parallel()
	tests := []struct {
		raw  string
		want Address
		text string
	}{
		{"+1 415 555 0100", Address{Kind: Phone, User: "+14155550100"}, "+14155550100"},
		{"tel:911", Address{Kind: Phone, User: "911"}, "911"},
		{"*67", Address{Kind: Phone, User: "*67"}, "*67"},
		{"sip:alice@biloxi.example", Address{Kind: SIP, User: "alice", Host: "biloxi.example"}, "sip:alice@biloxi.example"},
		{" SIP:alice@Biloxi.Example ", Address{Kind: SIP, User: "alice", Host: "biloxi.example"}, "sip:alice@biloxi.example"},
		{"sips:alice@192.0.2.7:5061", Address{Kind: SIP, User: "alice", Host: "192.0.2.7", Port: 5061, Secure: true}, "sips:alice@192.0.2.7:5061"},
		{"sip:192.0.2.7", Address{Kind: SIP, Host: "192.0.2.7"}, "sip:192.0.2.7"},
		{"sip:201@[2001:DB8::1]:5070", Address{Kind: SIP, User: "201", Host: "2001:db8::1", Port: 5070}, "sip:201@[2001:db8::1]:5070"},
		{"sip:201@[2001:db8::1]", Address{Kind: SIP, User: "201", Host: "2001:db8::1"}, "sip:201@[2001:db8::1]"},
		{"sip:alice@voice_gw", Address{Kind: SIP, User: "alice", Host: "voice_gw"}, "sip:alice@voice_gw"},
		{
			"sip:+14155550100;phone-context=x@biloxi.example;Transport=TCP;lr",
			Address{Kind: SIP, User: "+14155550100;phone-context=x", Host: "biloxi.example", Params: []Param{{"transport", "TCP"}, {"lr", ""}}},
			"sip:+14155550100;phone-context=x@biloxi.example;transport=TCP;lr",
		},
		{
			"sip:alice@biloxi.example?X-Order=7&x-name=Al%20ice&User-to-User=ab",
			Address{Kind: SIP, User: "alice", Host: "biloxi.example", Headers: []Param{{"X-Order", "7"}, {"x-name", "Al ice"}, {"User-to-User", "ab"}}},
			"sip:alice@biloxi.example",
		},
		{"sip:alice@biloxi.example?", Address{Kind: SIP, User: "alice", Host: "biloxi.example"}, "sip:alice@biloxi.example"},
		{"sip:al%69ce%40home@biloxi.example", Address{Kind: SIP, User: "alice@home", Host: "biloxi.example"}, "sip:alice%40home@biloxi.example"},
		{"sip:alice:secret@biloxi.example", Address{Kind: SIP, User: "alice", Host: "biloxi.example"}, "sip:alice@biloxi.example"},
		{"client:bob", Address{Kind: Client, User: "bob"}, "client:bob"},
		{"Client:bob.smith%20jr?order=7&x=", Address{Kind: Client, User: "bob.smith jr", Headers: []Param{{"order", "7"}, {"x", ""}}}, "client:bob.smith jr"},
	}
	for _, tt := range tests {
		a, err := ParseAddress(tt.raw)
		if err != nil {
			t.Errorf("%q: %v", tt.raw, err)
			continue
		}
		if !reflect.DeepEqual(a, tt.want) {
			t.Errorf("%q gives %+v, want %+v", tt.raw, a, tt.want)
		}
		if a.String() != tt.text {
			t.Errorf("%q is written %q, want %q", tt.raw, a.String(), tt.text)
		}
	}
	a, _ := ParseAddress("sip:alice@biloxi.example;transport=tls")
	if v, ok := a.Param("transport"); v != "tls" || !ok {
		t.Error("Param does not find transport")
	}
	if _, ok := a.Param("maddr"); ok {
		t.Error("Param finds maddr")
	}
}

func TestParseAddressErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		raw  string
		want error
	}{
		{"", ErrEmpty},
		{"alice", ErrSyntax},
		{"http://biloxi.example/", ErrSyntax},
		{"sip:", ErrURI},
		{"sip:@biloxi.example", ErrURI},
		{"sip:alice@", ErrURI},
		{"sip:alice@bilo xi", ErrURI},
		{"sip:alice@-biloxi", ErrURI},
		{"sip:alice@biloxi..example", ErrURI},
		{"sip:a@b@biloxi.example", ErrURI},
		{"sip:alice@biloxi.example:0", ErrURI},
		{"sip:alice@biloxi.example:65536", ErrURI},
		{"sip:alice@biloxi.example:", ErrURI},
		{"sip:alice@biloxi.example:+5060", ErrURI},
		{"sip:alice@[2001:db8::1", ErrURI},
		{"sip:alice@[192.0.2.7]", ErrURI},
		{"sip:alice@[fe80::1%eth0]", ErrURI},
		{"sip:alice@[2001:db8::1]5060", ErrURI},
		{"sip:al%zzce@biloxi.example", ErrURI},
		{"sip:al%4", ErrURI},
		{"sip:al%0d%0aice@biloxi.example", ErrURI},
		{"sip:al%ffice@biloxi.example", ErrURI},
		{"sip:alice@biloxi.example;=x", ErrURI},
		{"sip:alice@biloxi.example;a=%0a", ErrURI},
		{"sip:alice@biloxi.example" + strings.Repeat(";a", 40), ErrURI},
		{"sip:" + strings.Repeat("a", 3000), ErrURI},
		{"sip:alice@" + strings.Repeat("a", 64), ErrURI},
		{"sip:alice@biloxi.example?X-A=" + strings.Repeat("a", 1024), ErrHeadersLength},
		{"sip:alice@biloxi.example?" + strings.Repeat("X-A=1&", 40), ErrHeadersLength},
		{"sip:alice@biloxi.example?From=mallory", ErrHeaderName},
		{"sip:alice@biloxi.example?X-=1", ErrHeaderName},
		{"sip:alice@biloxi.example?X%20A=1", ErrHeaderName},
		{"sip:alice@biloxi.example?=1", ErrHeaderName},
		{"sip:alice@biloxi.example?X-A=1%0d%0aVia:x", ErrHeaderValue},
		{"sip:alice@biloxi.example?X-A=%f", ErrHeaderValue},
		{"client:", ErrName},
		{"client:bob@biloxi.example", ErrName},
		{"client:bo%00b", ErrName},
		{"client:" + strings.Repeat("b", 122), ErrName},
		{"client:bob?a b=1", ErrHeaderName},
	}
	for _, tt := range tests {
		a, err := ParseAddress(tt.raw)
		if !errors.Is(err, tt.want) {
			t.Errorf("%q gives %+v, %v, want %v", tt.raw, a, err, tt.want)
		}
	}
}

// What was read is written back so that it reads the same, and never carries a
// line end into a message.
func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{
		"+14155550100", "tel:911;x=y", "sip:alice@biloxi.example:5060;transport=tcp?X-A=1", "sips:[2001:db8::1]",
		"client:bob?x=1", "sip:%61%40@h", "sip:a;b=c@h;d", "*21#", "sip:a:b@c", "client:%e2%82%ac",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAddress(s)
		if err != nil {
			return
		}
		text := a.String()
		if strings.ContainsAny(text, "\r\n\x00") {
			t.Fatalf("%q is written with a line end: %q", s, text)
		}
		for _, h := range a.Headers {
			if strings.ContainsAny(h.Name+h.Value, "\r\n\x00") {
				t.Fatalf("%q has a header with a line end: %q", s, h)
			}
		}
		if a.Kind == Client {
			return // its text is for people
		}
		b, err := ParseAddress(text)
		if err != nil {
			t.Fatalf("%q is written %q, which is %v", s, text, err)
		}
		a.Headers, b.Headers = nil, nil
		if !reflect.DeepEqual(a, b) {
			t.Fatalf("%q is written %q, which reads %+v instead of %+v", s, text, b, a)
		}
		_ = Mask(s)
	})
}

func FuzzParse(f *testing.F) {
	f.Add("+14155550100", "US")
	f.Add("0044(0)20 7946 0018", "GB")
	f.Add("000", "AU")
	f.Add("0015 1 415 555 0100", "BR")
	f.Fuzz(func(t *testing.T, raw, iso string) {
		n, err := Parse(raw, iso)
		if err != nil {
			return
		}
		if n.Dialled == "" || n.Local == "" || (n.Kind == E164) != (n.E164 != "") {
			t.Fatalf("Parse(%q, %q) = %+v", raw, iso, n)
		}
		if n.Kind == E164 {
			if len(n.E164) > maxE164+1 || n.E164[0] != '+' || strings.Trim(n.E164[1:], "0123456789") != "" {
				t.Fatalf("Parse(%q, %q) = %+v", raw, iso, n)
			}
			again, err := Parse(n.E164, iso)
			if err != nil || again.E164 != n.E164 {
				t.Fatalf("Parse(%q, %q) = %+v, which reads %+v, %v", raw, iso, n, again, err)
			}
		}
		if n.Format(iso) == "" {
			t.Fatalf("%+v has no text", n)
		}
	})
}
