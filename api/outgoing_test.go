package api_test

import (
	"testing"

	"callbox/api"
)

func TestWireURL(t *testing.T) {
	params := []api.Param{{Name: "To", Value: "+1555"}, {Name: "a b", Value: "é&"}}
	const encoded = "To=%2B1555&a+b=%C3%A9%26"
	for _, tc := range []struct{ url, method, want string }{
		{"http://pbx.lan/voice#rc=2", "POST", "http://pbx.lan/voice"},
		{"http://pbx.lan/voice#rc=2", "GET", "http://pbx.lan/voice?" + encoded},
		{"http://pbx.lan/voice?tenant=7", "GET", "http://pbx.lan/voice?tenant=7&" + encoded},
		{"http://pbx.lan/voice?", "GET", "http://pbx.lan/voice?" + encoded},
		{"http://pbx.lan/voice?x=1&", "GET", "http://pbx.lan/voice?x=1&" + encoded},
		{"http://pbx.lan/voice?tenant=7", "POST", "http://pbx.lan/voice?tenant=7"},
	} {
		if got := (api.Outgoing{URL: tc.url, Method: tc.method, Params: params}).WireURL(); got != tc.want {
			t.Errorf("%s %s: got %s, want %s", tc.method, tc.url, got, tc.want)
		}
	}
	if got := (api.Outgoing{URL: "http://pbx.lan/#x", Method: "GET"}).WireURL(); got != "http://pbx.lan/" {
		t.Errorf("without parameters: %s", got)
	}
}
