package config

import "testing"

func TestSTUNServer(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		host string
		port uint16
		ok   bool
	}{
		"stun.biloxi.example":      {"stun.biloxi.example", 0, true},
		"stun.biloxi.example:3479": {"stun.biloxi.example", 3479, true},
		"[2001:db8::1]:3478":       {"2001:db8::1", 3478, true},
		"2001:db8::1":              {"2001:db8::1", 0, true},
		"192.0.2.1:0":              {"192.0.2.1", 0, false},
		"192.0.2.1:y":              {"192.0.2.1", 0, false},
		"":                         {"", 0, true},
	} {
		if host, port, ok := (Media{STUN: text}).STUNServer(); host != want.host || port != want.port || ok != want.ok {
			t.Errorf("%q: %q, %d, %v", text, host, port, ok)
		}
	}
}
