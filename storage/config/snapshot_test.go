package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"callbox/call"
)

// office is a configuration that uses everything.
func office() Snapshot {
	return Snapshot{
		Country: "US", Domains: []string{"callbox.example", "192.0.2.1", "2001:db8::1"},
		Accounts: []Account{{ID: "AC1", Name: "Main", Token: Secret(strings.Repeat("0f", 16)), Keys: []Key{{ID: "SK1", Secret: "0123456789abcdef"}}}},
		Applications: []Application{{
			ID: "AP1", Account: "AC1", Name: "menu",
			Script: call.ScriptSource{Main: call.Hook{URL: "http://192.0.2.9:8080/voice", Method: "GET"}},
			Status: call.StatusHook{Hook: call.Hook{URL: "https://hooks.example/status"}},
		}},
		Trunks: []Trunk{
			{Name: "provider", Host: "sip.provider.example", Transport: TLS, Username: "u", Password: "p", Register: true, Proxy: "sip:proxy.example", FromDomain: "provider.example", Inbound: []string{"192.0.2.0/24", "198.51.100.7"}, MaxChannels: 8, SIPURIs: true, SRTP: SRTPMandatory},
			{Name: "pbx", Host: "192.0.2.20", Codecs: []string{"PCMA"}},
		},
		Users:  []User{{Name: "201", Password: "correct horse", DisplayName: "Alice", Number: "+14155550111", Application: "AP1"}},
		Phones: []Phone{{Port: "fxs1", Name: "lobby", Number: "202", CallerName: "Lobby", EchoTail: 48}},
		Routes: []Route{
			{Name: "emergency", Lines: []string{"provider", "pbx"}, Emergency: true},
			{Name: "inside", Pattern: `2\d\d`, Lines: []string{"fxs1"}, Form: "dialled", Failover: []string{"none"}},
			{Name: "all", Prefix: "+", Lines: []string{"provider"}, Strip: 1, Failover: []string{"default", "busy", "sip:404", "sip:5xx", "q850:127"}},
		},
		Numbers: []Number{{Number: "+14155550111", Application: "AP1"}, {Number: "+1415555*", Target: "201"}, {Number: "*", Line: "pbx", Target: "lobby"}},
		Tolls: []Toll{{Calls: 20, Deny: []string{"+1900"}}, {Account: "AC1", Minutes: 600, Spend: 250_000, Allow: []string{"US", "sip", "+4420"}},
			{Account: "AC1", Line: "201", Hours: "07:00-19:30", MonthMinutes: 900, Messages: 50, MonthMessages: 500}},
		SpeechVendors:   []SpeechVendor{{Name: "vosk", STTURL: "ws://speech.lan:2700/stt", TTSURL: "http://speech.lan/tts", Key: "a-long-secret", Default: true}},
		CallerIDs:       []CallerID{{Number: "+14155550177", Name: "desk", Account: "AC1"}},
		CredentialLists: []CredentialList{{ID: "CL1", Account: "AC1", Name: "phones"}},
		SIPDomains: []SIPDomain{{
			ID: "SD1", Account: "AC1", Host: "office.sip.example", Name: "office", Script: call.ScriptSource{Main: call.Hook{URL: "http://192.0.2.9:8080/voice"}},
			Register: true, Registrations: []string{"CL1"}, Calls: []string{"CL1"},
		}},
		Media: Media{External: "203.0.113.5"},
		Webhooks: Believed{Trust: []Authority{{Name: "office", Certificate: officeCA}},
			Pins: []Pin{{Host: "app.biloxi.example:8443", SHA256: strings.Repeat("A1:", 31) + "b2"}}},
	}
}

func TestSnapshotIsValid(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]Snapshot{"empty": {}, "office": office()} {
		s = s.WithDefaults()
		if err := s.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var back Snapshot
		if err := json.Unmarshal(b, &back); err != nil || !reflect.DeepEqual(back, s) {
			t.Errorf("%s: it comes back as %+v, %v", name, back, err)
		}
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	given := office()
	s := given.WithDefaults()
	if s.Trunks[0].Port != 0 || s.Trunks[1].Transport != Auto || s.Trunks[0].Expires.Std() != time.Hour {
		t.Errorf("trunks %+v", s.Trunks)
	}
	if !slices.Equal(s.Trunks[0].Codecs, []string{"PCMU", "PCMA"}) || !slices.Equal(s.Trunks[1].Codecs, []string{"PCMA"}) {
		t.Errorf("codecs %v, %v", s.Trunks[0].Codecs, s.Trunks[1].Codecs)
	}
	if s.Accounts[0].Keys[0].Secret != HashSecret("0123456789abcdef") || given.Accounts[0].Keys[0].Secret != "0123456789abcdef" {
		t.Errorf("the secret of a key is kept as %s", s.Accounts[0].Keys[0].Secret.Reveal())
	}
	if given.Trunks[1].Port != 0 || given.Users[0].Codecs != nil {
		t.Error("the given snapshot was changed")
	}
	if !reflect.DeepEqual(s.WithDefaults(), s) {
		t.Error("defaults are filled in twice differently")
	}
	if m := (Snapshot{Media: Media{PortMin: 40000}}).WithDefaults().Media; m.PortMax != 40999 {
		t.Errorf("ports %+v", m)
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		field string
		spoil func(*Snapshot)
	}{
		{"country", func(s *Snapshot) { s.Country = "us" }},
		{"domains[0]", func(s *Snapshot) { s.Domains[0] = "two words" }},
		{"accounts[0].id", func(s *Snapshot) { s.Accounts[0].ID = "" }},
		{"accounts[1].id", func(s *Snapshot) { s.Accounts = append(s.Accounts, s.Accounts[0]) }},
		{"accounts[0].project", func(s *Snapshot) { s.Accounts[0].Project = "0F0F0F0F-0000-8000-8000-000000000000" }},
		{"accounts[1].project", func(s *Snapshot) {
			s.Accounts = append(s.Accounts, s.Accounts[0])
			s.Accounts[1].ID, s.Accounts[1].Keys = "AC2", nil
		}},
		{"accounts[0].token", func(s *Snapshot) { s.Accounts[0].Token = "ABCDEF" }},
		{"accounts[0].keys[0].id", func(s *Snapshot) { s.Accounts[0].Keys[0].ID = "AC1" }},
		{"accounts[0].keys[0].secret", func(s *Snapshot) { s.Accounts[0].Keys[0].Secret = "short" }},
		{"applications[0].id", func(s *Snapshot) { s.Applications[0].ID = "a b" }},
		{"applications[0].account", func(s *Snapshot) { s.Applications[0].Account = "AC2" }},
		{"applications[0].env", func(s *Snapshot) { s.Applications[0].Env = "[1]" }},
		{"applications[0].env", func(s *Snapshot) { s.Applications[0].Env = "{" }},
		{"accounts[0].application", func(s *Snapshot) { s.Accounts[0].Application = "AP9" }},
		{"trunks[0].host", func(s *Snapshot) { s.Trunks[0].Host = "" }},
		{"trunks[0].gateways[0].host", func(s *Snapshot) { s.Trunks[0].Gateways = []Gateway{{Host: "a b"}} }},
		{"trunks[0].gateways[0].port", func(s *Snapshot) { s.Trunks[0].Gateways = []Gateway{{Host: "a.example", Port: 70000}} }},
		{"trunks[0].gateways[0].bits", func(s *Snapshot) { s.Trunks[0].Gateways = []Gateway{{Host: "a.example", Bits: 24}} }},
		{"trunks[0].gateways[0].bits", func(s *Snapshot) { s.Trunks[0].Gateways = []Gateway{{Host: "192.0.2.0", Bits: 4}} }},
		{"trunks[0].gateways[0].bits", func(s *Snapshot) { s.Trunks[0].Gateways = []Gateway{{Host: "192.0.2.0", Bits: 33}} }},
		{"trunks[0].gateways[0].outbound", func(s *Snapshot) {
			s.Trunks[0].Gateways = []Gateway{{Host: "192.0.2.0", Bits: 24, Outbound: true}}
		}},
		{"trunks[0].gateways[0].transport", func(s *Snapshot) { s.Trunks[0].Gateways = []Gateway{{Host: "a.example", Transport: "sctp"}} }},
		{"trunks[0].gateways[1].id", func(s *Snapshot) {
			s.Trunks[0].Gateways = []Gateway{{Host: "a.example", ID: "G1"}, {Host: "b.example", ID: "G1"}}
		}},
		{"trunks[0].gateways", func(s *Snapshot) { s.Trunks[0].Gateways = make([]Gateway, maxGateways+1) }},
		{"trunks[0].form", func(s *Snapshot) { s.Trunks[0].Form = "national" }},
		{"trunks[0].prefix", func(s *Snapshot) { s.Trunks[0].Prefix = "x" }},
		{"trunks[0].diversion", func(s *Snapshot) { s.Trunks[0].Diversion = "bob" }},
		{"trunks[0].realm", func(s *Snapshot) { s.Trunks[0].Realm = "a b" }},
		{"trunks[0].tenant", func(s *Snapshot) { s.Trunks[0].Tenant = "a b" }},
		{"trunks[0].application", func(s *Snapshot) { s.Trunks[0].Application = "AP9" }},
		{"trunks[0].title", func(s *Snapshot) { s.Trunks[0].Title = "a\nb" }},
		{"trunks[0].account", func(s *Snapshot) { s.Trunks[0].Account = "AC9" }},
		{"applications[0].api", func(s *Snapshot) { s.Applications[0].API = "sip" }},
		{"applications[0].message.url", func(s *Snapshot) { s.Applications[0].Message.URL = "x" }},
		{"applications[0].script.main.url", func(s *Snapshot) { s.Applications[0].Script.Main.URL = "/voice" }},
		{"applications[0].script.main.method", func(s *Snapshot) { s.Applications[0].Script.Main.Method = "PUT" }},
		{"applications[0].status.url", func(s *Snapshot) { s.Applications[0].Status.URL = "ftp://x.example" }},
		{"applications[0].status.events[0]", func(s *Snapshot) { s.Applications[0].Status.Events = []call.EventType{"finished"} }},
		{"trunks[0].name", func(s *Snapshot) { s.Trunks[0].Name = "a b" }},
		{"users[0].name", func(s *Snapshot) { s.Users[0].Name = "PBX" }},
		{"trunks[0].host", func(s *Snapshot) { s.Trunks[0].Host = "sip:x" }},
		{"trunks[0].port", func(s *Snapshot) { s.Trunks[0].Port = 70000 }},
		{"trunks[0].identity.headers[0]", func(s *Snapshot) { s.Trunks[0].Identity.Headers = []string{"x"} }},
		{"trunks[0].identity.believe[1]", func(s *Snapshot) { s.Trunks[0].Identity.Believe = []string{"pai", "from"} }},
		{"trunks[0].identity.form", func(s *Snapshot) { s.Trunks[0].Identity.Form = "x" }},
		{"trunks[0].identity.inbound_form", func(s *Snapshot) { s.Trunks[0].Identity.InboundForm = "x" }},
		{"trunks[0].identity.anonymous", func(s *Snapshot) { s.Trunks[0].Identity.Anonymous = "x" }},
		{"trunks[0].keep_alive", func(s *Snapshot) { s.Trunks[0].KeepAlive = 1 }},
		{"trunks[0].max_inbound", func(s *Snapshot) { s.Trunks[0].MaxInbound = -1 }},
		{"trunks[0].max_outbound", func(s *Snapshot) { s.Trunks[0].MaxOutbound = -1 }},
		{"trunks[0].inbound_password", func(s *Snapshot) { s.Trunks[0].InboundUsername = "pbx" }},
		{"trunks[0].inbound_username", func(s *Snapshot) { s.Trunks[0].InboundPassword = "0123456789" }},
		{"trunks[0].inbound_username", func(s *Snapshot) {
			s.Trunks[0].InboundUsername, s.Trunks[0].InboundPassword = s.Users[0].Name, "0123456789"
		}},
		{"trunks[0].host", func(s *Snapshot) { s.Trunks[0].Host = "" }},
		{"trunks[0].transport", func(s *Snapshot) { s.Trunks[0].Transport = "ws" }},
		{"trunks[0].username", func(s *Snapshot) { s.Trunks[0].Username = "" }},
		{"trunks[0].expires", func(s *Snapshot) { s.Trunks[0].Expires = Duration(time.Second) }},
		{"trunks[0].proxy", func(s *Snapshot) { s.Trunks[0].Proxy = "proxy.example" }},
		{"trunks[0].from_domain", func(s *Snapshot) { s.Trunks[0].FromDomain = "@" }},
		{"trunks[0].inbound[1]", func(s *Snapshot) { s.Trunks[0].Inbound[1] = "provider.example" }},
		{"trunks[0].srtp", func(s *Snapshot) { s.Trunks[0].SRTP = "yes" }},
		{"trunks[0].session_timer", func(s *Snapshot) { s.Trunks[0].SessionTimer = "always" }},
		{"trunks[0].session_expires", func(s *Snapshot) { s.Trunks[0].SessionExpires = Duration(time.Minute) }},
		{"trunks[0].redirects", func(s *Snapshot) { s.Trunks[0].Redirects = "no" }},
		{"users[0].hold_music", func(s *Snapshot) { s.Users[0].HoldMusic = "music.wav" }},
		{"accounts[0].hold_music", func(s *Snapshot) { s.Accounts[0].HoldMusic = "http://user:pass@music.example/" }},
		{"users[0].reliable", func(s *Snapshot) { s.Users[0].Reliable = "yes" }},
		{"users[0].srtp", func(s *Snapshot) { s.Users[0].SRTP = "sdes" }},
		{"trunks[0].codecs", func(s *Snapshot) { s.Trunks[0].Codecs = []string{"G729"} }},
		{"trunks[0].codecs", func(s *Snapshot) { s.Trunks[0].Codecs = []string{"iLBC", "PCMU"} }},
		{"trunks[0].max_channels", func(s *Snapshot) { s.Trunks[0].MaxChannels = -1 }},
		{"users[0].password", func(s *Snapshot) { s.Users[0].Password = "201" }},
		{"users[0].password", func(s *Snapshot) { s.Users[0].Name, s.Users[0].Password = "aliceatwork", "AliceAtWork" }},
		{"users[0].number", func(s *Snapshot) { s.Users[0].Number = "x" }},
		{"users[0].codecs", func(s *Snapshot) { s.Users[0].Codecs = []string{"PCMU", "PCMU"} }},
		{"users[0].application", func(s *Snapshot) { s.Users[0].Application = "AP2" }},
		{"users[0].display_name", func(s *Snapshot) { s.Users[0].DisplayName = "a\r\nb" }},
		{"phones[0].port", func(s *Snapshot) { s.Phones[0].Port = "" }},
		{"phones[0].name", func(s *Snapshot) { s.Phones[0].Name = "201" }},
		{"phones[0].caller_name", func(s *Snapshot) { s.Phones[0].CallerName = `"` }},
		{"phones[0].echo_tail_ms", func(s *Snapshot) { s.Phones[0].EchoTail = 8 }},
		{"phones[0].echo_tail_ms", func(s *Snapshot) { s.Phones[0].EchoTail = -2 }},
		{"phones[0].hot_line_delay", func(s *Snapshot) { s.Phones[0].HotDelay = 1 }},
		{"phones[0].rings[0].caller", func(s *Snapshot) { s.Phones[0].Rings = []Ring{{"", []int{1000, 4000}}} }},
		{"phones[0].rings[0].rhythm", func(s *Snapshot) { s.Phones[0].Rings = []Ring{{"*", []int{1000, 1000}}} }},
		{"phones[0].rings[0].rhythm[1]", func(s *Snapshot) { s.Phones[0].Rings = []Ring{{"*", []int{1000, 40000}}} }},
		{"dialling.map[0]", func(s *Snapshot) { s.Dialling.Map = []string{"[2"} }},
		{"dialling.first_digit", func(s *Snapshot) { s.Dialling.FirstDigit = 1 }},
		{"dialling.inter_digit", func(s *Snapshot) { s.Dialling.InterDigit = 1 }},
		{"dialling.no_answer", func(s *Snapshot) { s.Dialling.NoAnswer = 1 }},
		{"dialling.codes[0].code", func(s *Snapshot) { s.Dialling.Codes = []Code{{"78", "dnd-on"}} }},
		{"dialling.codes[0].does", func(s *Snapshot) { s.Dialling.Codes = []Code{{"*78", "dance"}} }},
		{"phones[0].caller_id", func(s *Snapshot) { s.Phones[0].CallerID = "smoke" }},
		{"groups[0].name", func(s *Snapshot) { s.Groups = []Group{{Name: s.Users[0].Name, Lines: []string{"pbx"}}} }},
		{"groups[0].number", func(s *Snapshot) { s.Groups = []Group{{Name: "desk", Number: "x", Lines: []string{"pbx"}}} }},
		{"groups[0].lines", func(s *Snapshot) { s.Groups = []Group{{Name: "desk"}} }},
		{"groups[0].lines", func(s *Snapshot) { s.Groups = []Group{{Name: "desk", Lines: []string{"pbx", "pbx"}}} }},
		{"groups[0].lines[0]", func(s *Snapshot) { s.Groups = []Group{{Name: "desk", Lines: []string{"x"}}} }},
		{"groups[0].lines[0]", func(s *Snapshot) {
			s.Groups = []Group{{Name: "desk", Lines: []string{"hall"}}, {Name: "hall", Lines: []string{"pbx"}}}
		}},
		{"groups[0].hunt", func(s *Snapshot) { s.Groups = []Group{{Name: "desk", Lines: []string{"pbx"}, Hunt: "wild"}} }},
		{"groups[0].ring", func(s *Snapshot) { s.Groups = []Group{{Name: "desk", Lines: []string{"pbx"}, Ring: 1}} }},
		{"routes[1].name", func(s *Snapshot) { s.Routes[1].Name = "emergency" }},
		{"routes[0].prefix", func(s *Snapshot) { s.Routes[0].Prefix = "x" }},
		{"routes[2].pattern", func(s *Snapshot) { s.Routes[2].Pattern = ".*" }},
		{"routes[1].pattern", func(s *Snapshot) { s.Routes[1].Pattern = "(" }},
		{"routes[0].lines", func(s *Snapshot) { s.Routes[0].Lines = nil }},
		{"routes[0].lines", func(s *Snapshot) { s.Routes[0].Lines = []string{"pbx", "pbx"} }},
		{"routes[0].lines[0]", func(s *Snapshot) { s.Routes[0].Lines[0] = "lobby" }}, // a name, not a port
		{"routes[0].form", func(s *Snapshot) { s.Routes[0].Form = "x" }},
		{"routes[0].strip", func(s *Snapshot) { s.Routes[0].Strip = -1 }},
		{"routes[0].add", func(s *Snapshot) { s.Routes[0].Add = strings.Repeat("1", 33) }},
		{"routes[2].failover[0]", func(s *Snapshot) { s.Routes[2].Failover[0] = "sip:200" }},
		{"routes[2].failover[4]", func(s *Snapshot) { s.Routes[2].Failover[4] = "q850:128" }},
		{"numbers[0].number", func(s *Snapshot) { s.Numbers[0].Number = "" }},
		{"numbers[1].number", func(s *Snapshot) { s.Numbers[1].Number = "*1*x" }},
		{"numbers[0].application", func(s *Snapshot) { s.Numbers[0].Target = "201" }},
		{"numbers[0].application", func(s *Snapshot) { s.Numbers[0].Application = "AP2" }},
		{"numbers[0].application", func(s *Snapshot) { s.Numbers[0].Script.Inline = "<Response/>" }},
		{"numbers[1].application", func(s *Snapshot) { s.Numbers[1].Application, s.Numbers[1].Target = "", "" }},
		{"numbers[0].account", func(s *Snapshot) { s.Numbers[0].Account = "AC2" }},
		{"users[0].id", func(s *Snapshot) { s.Users[0].ID = "a b" }},
		{"users[0].account", func(s *Snapshot) { s.Users[0].Account = "AC2" }},
		{"numbers[0].id", func(s *Snapshot) { s.Numbers[0].ID = "a b" }},
		{"numbers[1].id", func(s *Snapshot) { s.Numbers[0].ID, s.Numbers[1].ID = "PN1", "PN1" }},
		{"numbers[0].api", func(s *Snapshot) { s.Numbers[0].API = "sip" }},
		{"numbers[0].name", func(s *Snapshot) { s.Numbers[0].Name = "a\nb" }},
		{"numbers[0].script.fallback.url", func(s *Snapshot) { s.Numbers[0].Script.Fallback.URL = "x" }},
		{"numbers[0].status.url", func(s *Snapshot) { s.Numbers[0].Status.URL = "x" }},
		{"numbers[0].message_status.url", func(s *Snapshot) { s.Numbers[0].MessageStatus.URL = "x" }},
		{"tolls[1].account", func(s *Snapshot) { s.Tolls[1].Account = "AC2" }},
		{"tolls[2].line", func(s *Snapshot) { s.Tolls[2].Line = "x" }},
		{"tolls[1]", func(s *Snapshot) { s.Tolls[1].Account = "" }},
		{"tolls[1].month_minutes", func(s *Snapshot) { s.Tolls[1].MonthMinutes = -1 }},
		{"tolls[1].messages", func(s *Snapshot) { s.Tolls[1].Messages = -1 }},
		{"tolls[1].month_messages", func(s *Snapshot) { s.Tolls[1].MonthMessages = -1 }},
		{"tolls[0].calls", func(s *Snapshot) { s.Tolls[0].Calls = -1 }},
		{"tolls[1].minutes", func(s *Snapshot) { s.Tolls[1].Minutes = -1 }},
		{"tolls[1].allow[1]", func(s *Snapshot) { s.Tolls[1].Allow[1] = "us" }},
		{"tolls[0].deny[0]", func(s *Snapshot) { s.Tolls[0].Deny[0] = "++1" }},
		{"tolls[2].hours", func(s *Snapshot) { s.Tolls[2].Hours = "7-19" }},
		{"tolls[2].hours", func(s *Snapshot) { s.Tolls[2].Hours = "07:00-24:30" }},
		{"tolls[2].hours", func(s *Snapshot) { s.Tolls[2].Hours = "24:00-07:00" }},
		{"tolls[2].hours", func(s *Snapshot) { s.Tolls[2].Hours = "07:00-07:00" }},
		{"numbers[2].line", func(s *Snapshot) { s.Numbers[2].Line = "x" }},
		{"speech_vendors[0].name", func(s *Snapshot) { s.SpeechVendors[0].Name = "default" }},
		{"speech_vendors[1].name", func(s *Snapshot) {
			s.SpeechVendors = append(s.SpeechVendors, SpeechVendor{Name: "VOSK", STTURL: "ws://a/"})
		}},
		{"speech_vendors[0].tts_url", func(s *Snapshot) { s.SpeechVendors[0].TTSURL, s.SpeechVendors[0].STTURL = "", "" }},
		{"speech_vendors[0].tts_url", func(s *Snapshot) { s.SpeechVendors[0].TTSURL = "ws://speech.lan/" }},
		{"speech_vendors[0].stt_url", func(s *Snapshot) { s.SpeechVendors[0].STTURL = "wss://u:p@speech.lan/" }},
		{"speech_vendors[1].default", func(s *Snapshot) {
			s.SpeechVendors = append(s.SpeechVendors, SpeechVendor{Name: "b", TTSURL: "http://a/", Default: true})
		}},
		{"caller_ids[0].number", func(s *Snapshot) { s.CallerIDs[0].Number = "" }},
		{"caller_ids[1].number", func(s *Snapshot) { s.CallerIDs = append(s.CallerIDs, s.CallerIDs[0]) }},
		{"caller_ids[0].account", func(s *Snapshot) { s.CallerIDs[0].Account = "AC2" }},
		{"caller_ids[0].name", func(s *Snapshot) { s.CallerIDs[0].Name = "a\nb" }},
		{"credential_lists[0].id", func(s *Snapshot) { s.CredentialLists[0].ID = "" }},
		{"credential_lists[0].account", func(s *Snapshot) { s.CredentialLists[0].Account = "" }},
		{"users[0].list", func(s *Snapshot) { s.Users[0].List = "CL2" }},
		{"sip_domains[0].id", func(s *Snapshot) { s.SIPDomains[0].ID = "CL1" }},
		{"sip_domains[0].host", func(s *Snapshot) { s.SIPDomains[0].Host = "" }},
		{"sip_domains[1].host", func(s *Snapshot) {
			s.SIPDomains = append(s.SIPDomains, s.SIPDomains[0])
			s.SIPDomains[1].Host = "OFFICE.sip.example"
		}},
		{"sip_domains[0].script.main.url", func(s *Snapshot) { s.SIPDomains[0].Script.Main.URL = "x" }},
		{"sip_domains[0].status.url", func(s *Snapshot) { s.SIPDomains[0].Status.URL = "x" }},
		{"sip_domains[0].registrations[0]", func(s *Snapshot) { s.SIPDomains[0].Registrations[0] = "CL2" }},
		{"sip_domains[0].calls[1]", func(s *Snapshot) { s.SIPDomains[0].Calls = []string{"CL1", "CL1"} }},
		{"media.port_min", func(s *Snapshot) { s.Media.PortMin = 80 }},
		{"media.port_max", func(s *Snapshot) { s.Media.PortMax = s.Media.PortMin }},
		{"media.external", func(s *Snapshot) { s.Media.External = "callbox.example" }},
		{"limits.calls", func(s *Snapshot) { s.Limits.Calls = -1 }},
		{"limits.ring_timeout", func(s *Snapshot) { s.Limits.RingTimeout = Duration(day) }},
		{"limits.time_limit", func(s *Snapshot) { s.Limits.TimeLimit = -1 }},
		{"limits.recording_max", func(s *Snapshot) { s.Limits.RecordingMax = 1 }},
		{"retention.calls", func(s *Snapshot) { s.Retention.Calls = Duration(time.Hour) }},
		{"retention.call_count", func(s *Snapshot) { s.Retention.CallCount = 1 }},
		{"retention.recordings", func(s *Snapshot) { s.Retention.Recordings = 1 }},
		{"retention.recording_bytes", func(s *Snapshot) { s.Retention.RecordingBytes = 1 }},
		{"numbers", func(s *Snapshot) { s.Numbers = slices.Repeat(s.Numbers[:1], maxEntries+1) }},
	}
	for _, tt := range tests {
		s := office().WithDefaults()
		tt.spoil(&s)
		var invalid *InvalidError
		if err := s.Validate(); !errors.As(err, &invalid) {
			t.Errorf("%s: %v", tt.field, err)
			continue
		}
		if !slices.ContainsFunc(invalid.Problems, func(p Problem) bool { return p.Field == tt.field && len(p.Text) > 10 }) {
			t.Errorf("%s is not named: %v", tt.field, invalid)
		}
		if strings.Contains(invalid.Error(), "correct horse") {
			t.Errorf("a password is told: %v", invalid)
		}
	}
}

// The list of problems has an end.
func TestManyProblems(t *testing.T) {
	t.Parallel()
	s := Snapshot{Users: make([]User, maxEntries)}.WithDefaults()
	var invalid *InvalidError
	if err := s.Validate(); !errors.As(err, &invalid) || len(invalid.Problems) != 100 {
		t.Errorf("%d problems", len(invalid.Problems))
	}
}

func TestSecret(t *testing.T) {
	t.Parallel()
	const plain = "correct horse"
	u := User{Name: "201", Password: plain}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("saved", "password", u.Password)
	for _, s := range []string{
		fmt.Sprint(u), fmt.Sprintf("%+v", u), fmt.Sprintf("%#v", u), fmt.Sprintf("%s %q %x", u.Password, u.Password, u.Password),
		fmt.Sprintf("%v", []Secret{plain}), log.String(), u.Password.String(),
	} {
		if strings.Contains(s, plain) || strings.Contains(s, fmt.Sprintf("%x", plain)) {
			t.Errorf("told: %s", s)
		}
	}
	if Secret("").String() != "(none)" || u.Password.Reveal() != plain {
		t.Error("a secret is not what it was")
	}
	if b, err := json.Marshal(u); err != nil || !bytes.Contains(b, []byte(plain)) {
		t.Errorf("it is not stored: %s, %v", b, err)
	}
}

// A user of a list joins the first domain that names the list.
func TestJoined(t *testing.T) {
	t.Parallel()
	s := office().WithDefaults()
	s.SIPDomains = append([]SIPDomain{{ID: "SD0", Registrations: []string{"CL1"}, Calls: []string{"CL2"}}}, s.SIPDomains...)
	registers, calls := s.Joined(User{List: "CL1"})
	if registers == nil || registers.ID != "SD1" || calls == nil || calls.ID != "SD1" {
		t.Errorf("%+v, %+v", registers, calls)
	}
	if registers, calls = s.Joined(User{List: "CL2"}); registers != nil || calls == nil || calls.ID != "SD0" {
		t.Errorf("calls only: %+v, %+v", registers, calls)
	}
	if registers, calls = s.Joined(User{}); registers != nil || calls != nil {
		t.Errorf("of no list: %+v, %+v", registers, calls)
	}
}
