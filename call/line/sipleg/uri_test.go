package sipleg

import (
	"strings"
	"testing"
	"time"

	"callbox/call"
	"callbox/sip"
)

func TestUserAndHost(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ in, user, host string }{
		{"sip:bob@biloxi.example", "bob", "biloxi.example"},
		{"sips:bob:secret@biloxi.example:5061;transport=tcp", "bob", "biloxi.example:5061"},
		{"sip:+15550100;phone-context=x@biloxi.example", "+15550100", "biloxi.example"},
		{`"Bob <sip:eve@evil.example>" <sip:bob@biloxi.example>;tag=1`, "bob", "biloxi.example"},
		{`"a\"<b" <sip:%23%32@[2001:db8::1]:5060?X-A=1>`, "#2", "[2001:db8::1]:5060"},
		{"<sip:+15550100@192.0.2.1>;reason=no-answer", "+15550100", "192.0.2.1"},
		{"tel:+1-555-(01)00;phone-context=x", "+15550100", ""},
		{"sip:biloxi.example", "", "biloxi.example"},
		{"SIP:%00%0d%zz%4@x", "%00%0d%zz%4", "x"},
		{"bob", "", ""}, {"", "", ""}, {`"`, "", ""}, {"<", "", ""}, {"mailto:bob@x", "", ""},
	} {
		if got := UserOf(tt.in); got != tt.user {
			t.Errorf("UserOf(%q) = %q, want %q", tt.in, got, tt.user)
		}
		if got := HostOf(tt.in); got != tt.host {
			t.Errorf("HostOf(%q) = %q, want %q", tt.in, got, tt.host)
		}
	}
}

func TestEscapeUser(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"+15550100": "+15550100", "*72#": "*72%23", "a b@c": "a%20b%40c", "é": "%C3%A9", "\r\n": "%0D%0A",
	} {
		if got := EscapeUser(in); got != want {
			t.Errorf("EscapeUser(%q) = %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{"": "anonymous", "sip:alice@atlanta.example": "alice", "+15550100": "+15550100"} {
		if got := Caller(in); got != want {
			t.Errorf("Caller(%q) = %q, want %q", in, got, want)
		}
	}
}

// FuzzURI: nothing makes the readers panic, and what is escaped reads back.
func FuzzURI(f *testing.F) {
	f.Add(`"x" <sip:a%20b@c;d?e>`)
	f.Add("tel:1")
	f.Fuzz(func(t *testing.T, s string) {
		_ = HostOf(s)
		_ = UserOf(s)
		for _, r := range []byte(s) {
			if r < ' ' {
				return // stays escaped
			}
		}
		if got := UserOf("sip:" + EscapeUser(s) + "@h"); got != s {
			t.Errorf("%q was escaped and read back as %q", s, got)
		}
	})
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	got, err := Headers(call.Dial{Headers: []call.Header{{Name: "X-A", Value: "1"}}, Reason: "rent\r\ndue"})
	if err != nil || len(got) != 2 || got[0] != (sip.Header{Name: "X-A", Value: "1"}) || got[1] != (sip.Header{Name: "Subject", Value: "rentdue"}) {
		t.Errorf("got %v, %v", got, err)
	}
	for _, h := range []call.Header{{Name: "", Value: "1"}, {Name: "X A", Value: "1"}, {Name: "X-A", Value: "1\r\nRoute: <sip:evil.example>"}, {Name: "X:", Value: ""}} {
		if _, err := Headers(call.Dial{Headers: []call.Header{h}}); call.CauseOf(err).SIP != 400 {
			t.Errorf("header %q: %v", h, err)
		}
	}
	in := []sip.Header{{Name: "Diversion", Value: "<sip:1@x>"}, {Name: "x-b", Value: "2"}, {Name: "diversion", Value: "no"}}
	if Header(in, "DIVERSION") != "<sip:1@x>" || Header(in, "X-C") != "" {
		t.Error("Header finds the wrong one")
	}
	if x := Extensions(in); len(x) != 1 || x[0] != (call.Header{Name: "x-b", Value: "2"}) {
		t.Errorf("Extensions = %v", x)
	}
	if Credentials(nil) != nil || *Credentials(&call.Credentials{Username: "u", Password: "p"}) != (sip.Credentials{Username: "u", Password: "p"}) {
		t.Error("Credentials")
	}
}

func TestDTMFRelay(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		contentType, body string
		want              byte
	}{
		{"application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", '5'},
		{"Application/DTMF-Relay; charset=utf-8", "Duration=160\r\n signal = #\r\n", '#'},
		{"application/dtmf-relay", "Signal=10", '*'},
		{"application/dtmf-relay", "Signal=15", 'D'},
		{"application/dtmf", " a\r\n", 'A'},
		{"application/dtmf", "", 0},
		{"application/dtmf", "16", 0},
		{"application/dtmf", "hello", 0},
		{"application/dtmf-relay", "Duration=5", 0},
		{"application/dtmf-relay", "Signal=", 0},
		{"text/plain", "5", 0},
	} {
		got, held, ok := dtmfRelay(tt.contentType, []byte(tt.body))
		if strings.Contains(tt.body, "160") && held != 160*time.Millisecond {
			t.Errorf("dtmfRelay(%q, %q) was held for %v", tt.contentType, tt.body, held)
		}
		if got != tt.want && (ok || tt.want != 0) || ok != (tt.want != 0) {
			t.Errorf("dtmfRelay(%q, %q) = %q, %v, want %q", tt.contentType, tt.body, got, ok, tt.want)
		}
	}
}

// FuzzDTMFRelay: whatever the body, there is one of the sixteen keys or none.
func FuzzDTMFRelay(f *testing.F) {
	f.Add("application/dtmf-relay", []byte("Signal=5\r\nDuration=160"))
	f.Add("application/dtmf", []byte("#"))
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		if d, held, ok := dtmfRelay(contentType, body); held < 0 || ok && !validDigit(d) {
			t.Errorf("%q is no key", d)
		}
	})
}
