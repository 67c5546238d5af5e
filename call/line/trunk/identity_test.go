package trunk_test

import (
	"fmt"
	"strings"
	"testing"

	"callbox/call"
	"callbox/call/line/sipleg/siptest"
	"callbox/call/line/trunk"
	"callbox/sip"
)

// TestProfiles: the headers of an outgoing call as each kind of provider wants them.
func TestProfiles(t *testing.T) {
	t.Parallel()
	stack, ports := newBox(t)
	a := siptest.NewEndpoint(t, siptest.Config{Host: "127.0.0.13", Box: stack.Addr("udp")})
	all := []trunk.Header{trunk.Asserted, trunk.Preferred, trunk.RemoteParty}
	for _, tc := range []struct {
		cfg  trunk.Config
		d    call.Dial
		want map[string]string
	}{
		{trunk.Config{Identity: trunk.Identity{Send: all, Form: trunk.Plain, Country: "US"}}, call.Dial{From: "+14155550123", FromName: "Alice"}, map[string]string{
			"From": "Alice sip:14155550123@127.0.0.1", "P-Asserted-Identity": "<sip:14155550123@127.0.0.13>", "P-Preferred-Identity": "<sip:14155550123@127.0.0.13>",
			"Remote-Party-ID": "<sip:14155550123@127.0.0.13>;party=calling;screen=yes;privacy=off"}},
		{trunk.Config{Identity: trunk.Identity{Form: trunk.National, Country: "DE"}}, call.Dial{From: "+493012345678"}, map[string]string{"From": " sip:03012345678@127.0.0.1"}},
		{trunk.Config{Identity: trunk.Identity{Form: trunk.E164, Country: "DE"}}, call.Dial{From: "03012345678"}, map[string]string{"From": " sip:+493012345678@127.0.0.1"}},
		{trunk.Config{Identity: trunk.Identity{Form: trunk.E164, Country: "US"}}, call.Dial{From: "201"}, map[string]string{"From": " sip:201@127.0.0.1"}},
		{trunk.Config{FromUser: "branch", FromHost: "biloxi.example", Identity: trunk.Identity{Send: all[1:2]}}, call.Dial{From: "+14155550123"}, map[string]string{
			"From": " sip:branch@biloxi.example", "P-Preferred-Identity": "<sip:+14155550123@biloxi.example>"}},
		{trunk.Config{FromUser: "branch", Identity: trunk.Identity{Send: all}}, call.Dial{From: "anonymous", FromName: "Alice"}, map[string]string{
			"From": "Anonymous sip:anonymous@anonymous.invalid", "Privacy": "id", "P-Asserted-Identity": "<sip:branch@127.0.0.13>", "P-Preferred-Identity": "<sip:branch@127.0.0.13>",
			"Remote-Party-ID": "<sip:branch@127.0.0.13>;party=calling;screen=yes;privacy=full"}},
		{trunk.Config{Identity: trunk.Identity{Send: all, Anonymous: trunk.ByFrom}}, call.Dial{From: "Anonymous"}, map[string]string{"From": "Anonymous sip:anonymous@127.0.0.1"}},
		{trunk.Config{Identity: trunk.Identity{Diversion: true, Form: trunk.Plain, Country: "US"}}, call.Dial{From: "+14155550123", Forwarded: "+14155550188"}, map[string]string{
			"From": " sip:14155550123@127.0.0.1", "Diversion": "<sip:14155550188@127.0.0.13>;reason=unconditional"}},
		{trunk.Config{}, call.Dial{From: "+14155550123", Forwarded: "+14155550188"}, map[string]string{"From": " sip:+14155550123@127.0.0.1"}},
		// Passed on: to a network that is trusted with it, as it came; else not at all.
		{trunk.Config{Identity: trunk.Identity{Send: all[:2], Form: trunk.Plain, Country: "US"}}, call.Dial{From: "+14155550199", Asserted: "+14155550142"}, map[string]string{
			"From": " sip:14155550199@127.0.0.1", "P-Asserted-Identity": "<sip:14155550142@127.0.0.13>", "P-Preferred-Identity": "<sip:14155550199@127.0.0.13>"}},
		{trunk.Config{Identity: trunk.Identity{Send: all[:1]}}, call.Dial{From: "+14155550199", Asserted: "+14155550142", Private: true}, map[string]string{
			"From": " sip:+14155550199@127.0.0.1", "P-Asserted-Identity": "<sip:+14155550142@127.0.0.13>", "Privacy": "id"}},
		{trunk.Config{FromUser: "branch", Identity: trunk.Identity{Send: all[:1]}}, call.Dial{From: "anonymous", Asserted: "+14155550142", Private: true}, map[string]string{
			"From": "Anonymous sip:anonymous@anonymous.invalid", "Privacy": "id", "P-Asserted-Identity": "<sip:+14155550142@127.0.0.13>"}},
		{trunk.Config{Identity: trunk.Identity{Send: all[1:2]}}, call.Dial{From: "+14155550199", Asserted: "+14155550142", Private: true}, map[string]string{
			"From": " sip:+14155550199@127.0.0.1", "P-Preferred-Identity": "<sip:+14155550199@127.0.0.13>"}},
		{trunk.Config{Identity: trunk.Identity{Send: all[:1], Anonymous: trunk.ByFrom}}, call.Dial{From: "anonymous", Asserted: "+14155550142", Private: true}, map[string]string{
			"From": "Anonymous sip:anonymous@127.0.0.1"}},
		{trunk.Config{Identity: trunk.Identity{Send: all[:1]}}, call.Dial{From: "+14155550123", Headers: []call.Header{{Name: "P-Asserted-Identity", Value: "<sip:own@x>"}}}, map[string]string{
			"From": " sip:+14155550123@127.0.0.1", "P-Asserted-Identity": "<sip:own@x>"}},
	} {
		tc.cfg.ID, tc.cfg.Host, tc.d.To = "provider", a.Addr().String(), "5550100"
		t.Run(fmt.Sprintf("%+v", tc.cfg.Identity), func(t *testing.T) {
			line, err := trunk.New(tc.cfg, stack, ports, nil)
			if err != nil {
				t.Fatal(err)
			}
			serve(t, line)
			di := asked(t, line, a, tc.d)
			got := map[string]string{"From": di.FromName + " " + di.FromURI}
			for _, h := range di.Headers {
				switch h.Name {
				case "P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID", "Privacy", "Diversion":
					if _, twice := got[h.Name]; twice {
						t.Errorf("%s is there twice", h.Name)
					}
					got[h.Name] = h.Value
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

// TestBelieved: who calls, by what a provider says.
func TestBelieved(t *testing.T) {
	t.Parallel()
	stack, ports := newBox(t)
	a := siptest.NewEndpoint(t, siptest.Config{Host: "127.0.0.14", Box: stack.Addr("udp")})
	header := func(name, value string) sip.Header { return sip.Header{Name: name, Value: value} }
	asserted, party := header("P-Asserted-Identity", "<sip:14155550142@x>"), header("Remote-Party-ID", `"B" <sip:14155550143@x>;privacy=off`)
	for i, tc := range []struct {
		id      trunk.Identity
		headers []sip.Header
		from    string
		private bool
	}{
		{trunk.Identity{}, []sip.Header{asserted, party}, "14155550142", false},
		{trunk.Identity{}, []sip.Header{party}, "14155550143", false},
		{trunk.Identity{Believe: []trunk.Header{trunk.RemoteParty, trunk.Asserted}}, []sip.Header{asserted, party}, "14155550143", false},
		{trunk.Identity{FromOnly: true}, []sip.Header{asserted, party}, "14155550123", false},
		{trunk.Identity{Arriving: trunk.Plain, Country: "US"}, []sip.Header{asserted}, "+14155550142", false},
		{trunk.Identity{}, []sip.Header{asserted, header("Privacy", "id;critical")}, "anonymous", true},
		{trunk.Identity{}, []sip.Header{asserted, header("Privacy", "none")}, "14155550142", false},
		{trunk.Identity{}, []sip.Header{header("Remote-Party-ID", "<sip:14155550143@x>;privacy=full")}, "anonymous", true},
	} {
		line, err := trunk.New(trunk.Config{ID: "provider", Host: a.Addr().String(), Identity: tc.id}, stack, ports, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			in := serve(t, line)
			d, err := a.Stack.Invite(bounded(t), sip.Invite{Target: "sip:14155550188@" + stack.Addr("udp").String(), From: "14155550123", FromName: "Bob", Headers: tc.headers})
			if err != nil {
				t.Fatal(err)
			}
			leg := <-in
			got := leg.Info()
			to := "14155550188"
			if tc.id.Arriving == trunk.Plain {
				to = "+" + to
			}
			if tc.headers[0] == asserted && !tc.id.FromOnly && !strings.HasSuffix(got.Asserted, "14155550142") || tc.id.FromOnly && got.Asserted != "" {
				t.Errorf("vouched for is %q", got.Asserted)
			}
			if got.From != tc.from || got.Private != tc.private || got.To != to || strings.Contains(got.FromName, "Bob") == tc.private {
				t.Errorf("arrived %+v", got)
			}
			leg.Hangup(call.Cause{Q850: call.Q850Rejected, Who: call.Script})
			until(t, leg, call.LegEnded)
			for range d.Events() { //nolint:revive // until it has ended
			}
		})
	}
}
