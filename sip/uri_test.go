package sip

import (
	"strings"
	"testing"

	gosip "github.com/emiago/sipgo/sip"
)

func TestReasonRoundTrip(t *testing.T) {
	t.Parallel()
	for _, r := range []Reason{{}, {Q850: 16}, {SIP: 486}, {Q850: 127, SIP: 699, Text: `a "b\", c; d=e`}, {Q850: 1, Text: "über"}} {
		res := gosip.NewResponse(486, "Busy Here")
		for _, h := range reasonHeaders(r) {
			res.AppendHeader(h)
		}
		if got := reasonOf(res); got != r {
			t.Errorf("%+v became %+v", r, got)
		}
	}
	if n := len(reasonHeaders(Reason{Q850: 128, SIP: 100})); n != 0 {
		t.Errorf("%d headers for numbers out of range", n)
	}
}

func TestWarningOf(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		`307 isi.edu "Session parameter 'foo' not understood"`:             `307 Session parameter 'foo' not understood`,
		`301 isi.edu "Incompatible network address type 'E.164'"`:          `301 Incompatible network address type 'E.164'`,
		`x, 370 biloxi.example:5060 "Not \"enough\", sorry", 399 b "more"`: `370 Not "enough", sorry`,
		`399  biloxi.example  bare words`:                                  `399 bare words`,
		`399`:                                                              "", `399 biloxi.example`: "", `399 biloxi.example ""`: "", `4711 biloxi.example "x"`: "", ``: "",
	} {
		res := gosip.NewResponse(488, "Not Acceptable Here")
		res.AppendHeader(gosip.NewHeader("Warning", value))
		if got := warningOf(res); got != want {
			t.Errorf("%s became %q, want %q", value, got, want)
		}
	}
	if got := warningOf(gosip.NewResponse(488, "Not Acceptable Here")); got != "" {
		t.Errorf("no header became %q", got)
	}
}

func TestReasonOfTheWild(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]Reason{
		"Q.850;cause=16": {Q850: 16},
		"q.850 ; cause = 17 ; text = \"busy, very\"":  {Q850: 17, Text: "busy, very"},
		"SIP;cause=200;text=elsewhere,Q.850;cause=26": {SIP: 200, Q850: 26, Text: "elsewhere"},
		"X.25;cause=1;text=\"no\"":                    {},
		"Q.850;cause=x":                               {},
		"Q.850;cause=500":                             {},
		"":                                            {},
		";;;,,,":                                      {},
		"Q.850;cause=16;text=\"":                      {Q850: 16, Text: "\""},
	} {
		res := gosip.NewResponse(200, "OK")
		res.AppendHeader(gosip.NewHeader("Reason", value))
		if got := reasonOf(res); got != want {
			t.Errorf("%q gave %+v, want %+v", value, got, want)
		}
	}
}

func FuzzReason(f *testing.F) {
	f.Add(`Q.850;cause=16;text="a\"b", SIP;cause=1`)
	f.Fuzz(func(t *testing.T, v string) {
		res := gosip.NewResponse(200, "OK")
		res.AppendHeader(gosip.NewHeader("Reason", v))
		r := reasonOf(res)
		again := gosip.NewResponse(200, "OK")
		for _, h := range reasonHeaders(r) {
			if strings.ContainsAny(h.Value(), "\r\n\x00") {
				t.Fatalf("control character in %q", h.Value())
			}
			again.AppendHeader(h)
		}
		if got := reasonOf(again); got.Q850 != r.Q850 || got.SIP != r.SIP {
			t.Fatalf("%+v became %+v", r, got)
		}
	})
}

func TestParties(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		"sip:alice@atlanta.example":                           "alice",
		"sip:+15550100;phone-context=x@gw.example;user=phone": "+15550100",
		"tel:+15550100;isub=1":                                "+15550100",
		"sip:gw.example":                                      "sip:gw.example",
		"sip:a%20b@x.example":                                 "a b",
		"sip:%ff%fe@x.example":                                "\uFFFD",
	} {
		var u gosip.Uri
		if err := gosip.ParseUri(uri, &u); err != nil {
			t.Fatal(err)
		}
		if got := party(u); got != want {
			t.Errorf("%s is %q, want %q", uri, got, want)
		}
	}
	for _, name := range []string{"", "Alice", `a"b\c`, "tab\there", "Jürgen"} {
		if got := unquoteName(quoteName(name)); got != strings.ReplaceAll(name, "\t", "") {
			t.Errorf("%q became %q", name, got)
		}
	}
	if got := unquoteName("BEL\\\a ESC\\\x1b\\\""); got != "BEL ESC\"" {
		t.Errorf("control characters became %q", got)
	}
}

func TestParseURI(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"sip:a@b": "sip:a@b", "b": "sip:b", "b:5070": "sip:b:5070", "<sip:a@b;transport=tcp>": "sip:a@b;transport=tcp", "sips:x": "sips:x", "SIP:a@b": "sip:a@b",
		"sip:a@[2001:db8::1]:5070": "sip:a@[2001:db8::1]:5070",
	} {
		u, err := parseURI(in)
		if err != nil || u.String() != want {
			t.Errorf("%s gave %s, %v", in, u.String(), err)
		}
	}
	for _, in := range []string{"", "sip:", "sip:a b@c", "sip:a@b:99999", "sip:a@b:x", "*", "sip:*", "sip:a@b\r\nX: y"} {
		if u, err := parseURI(in); err == nil {
			t.Errorf("%q was taken as %s", in, u.String())
		}
	}
}
