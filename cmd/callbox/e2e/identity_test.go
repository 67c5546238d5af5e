//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestIdentityProfiles has SIPp see the headers that each kind of provider is
// sent, and send those that providers send: a caller who does not want to be known
// stays unknown all the way. SIPp takes no brackets in its expressions.
func TestIdentityProfiles(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.doc("/voice", `<Response><Hangup/></Response>`)
	ports := map[string]int{"plain": freePorts(t, 1), "account": freePorts(t, 1), "carrier": freePorts(t, 1), "in": freePorts(t, 1)}
	g := startGateway(t, fmt.Sprintf(`
trunks:
- {name: plain, host: 127.0.0.31, port: %d, identity: {headers: [pai, rpid], form: plain}}
- {name: account, host: 127.0.0.32, port: %d, from_user: branch, from_domain: biloxi.example, identity: {headers: [ppi]}}
- {name: carrier, host: 127.0.0.33, port: %d, from_user: "+14155550100", identity: {headers: [pai], form: e164, diversion: true}}
- {name: in, host: 127.0.0.1, port: %d, identity: {inbound_form: plain}}
routes:
- {name: plain, prefix: "+1312", lines: [plain]}
- {name: account, prefix: "+1313", lines: [account]}
- {name: carrier, prefix: "+1314", lines: [carrier]}
numbers:
- {number: "+14155550100", line: in, target: "+13145550123"}
`, ports["plain"], ports["account"], ports["carrier"], ports["in"]))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for name, tc := range map[string]struct {
		at, to string
		want   []string
	}{
		"plain": {"127.0.0.31", "+13125550123", []string{"From", ".sip:14155550100@", "P-Asserted-Identity", "^ *.sip:14155550100@127.0.0.31.$",
			"Remote-Party-ID", "^ *.sip:14155550100@127.0.0.31.;party=calling;screen=yes;privacy=off$"}},
		"account": {"127.0.0.32", "+13135550123", []string{"From", ".sip:branch@biloxi.example.", "P-Preferred-Identity", "^ *.sip:[+]14155550100@biloxi.example.$"}},
	} {
		s := place{addr: tc.at}.startSIPp(t, ports[name], 1, carried(tc.want...)+established+hungUp)
		sid := g.create(url.Values{"To": {tc.to}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"}})
		g.until(sid, "completed")
		s.succeeds(ctx)
	}
	for name, tc := range map[string]struct {
		send string
		want []string
		from string
	}{
		"known": {"P-Asserted-Identity: <sip:14155550142@x>", []string{"From", ".sip:[+]14155550100@", "P-Asserted-Identity", "^ *.sip:[+]14155550142@127.0.0.33.$",
			"Diversion", "^ *.sip:[+]14155550100@127.0.0.33.;reason=unconditional$"}, "+14155550142"},
		"unknown": {"P-Asserted-Identity: <sip:14155550142@x>\nPrivacy: id", []string{"From", `Anonymous.* .sip:anonymous@anonymous.invalid.`, "Privacy", "^ *id$",
			"P-Asserted-Identity", "^ *.sip:[+]14155550100@127.0.0.33.$", "Diversion", "^ *.sip:[+]14155550100@127.0.0.33.;reason=unconditional$"}, "anonymous"},
	} {
		t.Run(name, func(t *testing.T) {
			out := place{addr: "127.0.0.33"}.startSIPp(t, ports["carrier"], 1, carried(tc.want...)+established+hungUp)
			dials := strings.Replace(strings.ReplaceAll(invite, "sip:+14155550100@", "sip:14155550100@"), "Max-Forwards: 70", "Max-Forwards: 70\n"+tc.send, 1)
			in := place{addr: "127.0.0.1"}.startSIPp(t, ports["in"], 1, dials+optional(100)+optional(180)+optional(183)+expect(200)+callerRequest("ACK", 1, "[branch]")+
				pause(time.Second)+callerRequest("BYE", 2, "[branch]")+expect(200), g.sip)
			in.succeeds(ctx)
			out.succeeds(ctx)
			_, list := g.get("/Calls.json?To=" + url.QueryEscape("+14155550100"))
			calls, _ := list["calls"].([]any)
			if len(calls) == 0 || calls[0].(map[string]any)["from"] != tc.from {
				t.Errorf("records %v, want a call from %s", calls, tc.from)
			}
		})
	}
}

// TestForwardedIdentity dials on for a caller whose provider vouches for a number
// other than the one in From: with forwardPAI, which is usual, the next provider is
// told both, and what the caller wants kept private; without it, only From.
func TestForwardedIdentity(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	in, out := freePorts(t, 1), freePorts(t, 1)
	g := startGateway(t, "")
	id := "AP" + strings.Repeat("0", 31) + "1"
	g.configure(fmt.Sprintf(`
applications:
- {id: %s, account: %s, api: jambonz, name: forwards, script: {main: {url: "%s/voice"}, fallback: {}}}
trunks:
- {name: in, host: 127.0.0.1, port: %d}
- {name: out, host: 127.0.0.34, port: %d, identity: {headers: [pai]}}
routes:
- {name: out, prefix: "+1314", lines: [out]}
numbers:
- {number: "+14155550100", line: in, application: %s}
`, id, g.account, a.URL, in, out, id))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, tc := range []struct {
		property string
		want     []string
	}{
		{"", []string{"P-Asserted-Identity", "^ *.sip:[+]14155550142@127.0.0.34.$", "Privacy", "^ *id$"}},
		{`"forwardPAI":false,`, []string{"P-Asserted-Identity", "^ *.sip:[+]14155550123@127.0.0.34.$"}},
	} {
		a.handle("/voice", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `[{"verb":"dial","callerId":"+14155550123",%s"target":[{"type":"phone","number":"+13145550123"}]}]`, tc.property)
		})
		callee := place{addr: "127.0.0.34"}.startSIPp(t, out, 1, carried(tc.want...)+established+hungUp)
		dials := strings.Replace(invite, "Max-Forwards: 70", "Max-Forwards: 70\nP-Asserted-Identity: <sip:+14155550142@x>\nPrivacy: id", 1)
		caller := place{addr: "127.0.0.1"}.startSIPp(t, in, 1, dials+optional(100)+optional(180)+optional(183)+expect(200)+callerRequest("ACK", 1, "[branch]")+
			pause(time.Second)+callerRequest("BYE", 2, "[branch]")+expect(200), g.sip)
		caller.succeeds(ctx)
		callee.succeeds(ctx)
	}
}
