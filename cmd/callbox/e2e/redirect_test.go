//go:build e2e

package e2e

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestRedirect: a provider sends calls on (302): to the best of several places by
// the routes, not where the guards forbid it, and not in circles; the records say so.
// A trunk that refuses it fails.
func TestRedirect(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.doc("/voice", `<Response><Pause length="1"/></Response>`)
	g, port := trunked(t, a, "")
	g.configure(fmt.Sprintf("tolls:\n- account: %s\n  deny: [\"+1900\"]\n", g.account))
	moved := func(contacts string) string {
		const own = "Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>\n"
		return strings.Replace(reply("302 Moved Temporarily", contacts, ""), own, "", 1) + ack
	}
	dial := func() string {
		return g.create(url.Values{"To": {"+14155550123"}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"}})
	}
	t.Run("followed", func(t *testing.T) {
		s := startSIPp(t, port, 1, recv("INVITE")+moved("Contact: <sip:+14155550177@127.0.0.1>;q=0.1, <sip:+14155550188@127.0.0.1>;q=0.9"))
		sid := dial()
		s.succeeds(t.Context())
		next := startSIPp(t, port, 1, `<recv request="INVITE" crlf="true"><action>
<ereg regexp="sip:\+14155550188@" search_in="msg" check_it="true" assign_to="number"/>
</action></recv>
<Reference variables="number"/>
`+established+hungUp)
		g.until(sid, "completed")
		next.succeeds(t.Context())
		if out := g.run("calls", "-o", "json"); !strings.Contains(out, "sent the call on to +14155550188, +14155550177; +14155550188 is called") {
			t.Errorf("the record does not say so:\n%s", out)
		}
	})
	for name, tc := range map[string]struct{ contact, sentence string }{
		"forbidden":  {"Contact: <sip:+19005550100@127.0.0.1>", "may not be called: +1900 is denied"},
		"in circles": {"Contact: <sip:+14155550123@127.0.0.1>", "where it has been before"},
	} {
		t.Run(name, func(t *testing.T) {
			s := startSIPp(t, port, 1, recv("INVITE")+moved(tc.contact))
			sid := dial()
			g.until(sid, "failed")
			s.succeeds(t.Context())
			if out := g.run("calls", "-o", "json"); !strings.Contains(out, tc.sentence) {
				t.Errorf("the record does not say why:\n%s", out)
			}
		})
	}
	t.Run("refused", func(t *testing.T) {
		g.change("- name: provider\n", "- name: provider\n  redirects: refuse\n")
		s := startSIPp(t, port, 1, recv("INVITE")+moved("Contact: <sip:+14155550188@127.0.0.1>"))
		g.until(dial(), "failed")
		s.succeeds(t.Context())
	})
}

// TestPhoneSendsCallsOn: a phone whose user is away sends calls on (302), to a
// colleague by name or number, who is heard; one that sends them in a circle fails the
// call.
func TestPhoneSendsCallsOn(t *testing.T) {
	t.Parallel()
	g := startGateway(t, `
users:
- {name: alice, password: a1l2i3c4e5, number: "201"}
- {name: bob, password: b1o2b3b4o5, number: "202"}
- {name: carol, password: c1a2r3o4l5, number: "203"}
- {name: dave, password: d1a2v3e4d5, number: "204"}
- {name: erin, password: e1r2i3n4e5, number: "205"}
`)
	said := map[string][]int16{"alice": speak(t, "Alice here, I was looking for somebody."), "carol": speak(t, "This is Carol, who is in today.", "-v", "en-us")}
	alice := startBaresip(t, phone{name: "alice", password: "a1l2i3c4e5", registrar: g.sip, answer: "auto", says: again(said["alice"])})
	carol := startBaresip(t, phone{name: "carol", password: "c1a2r3o4l5", registrar: g.sip, answer: "auto", says: again(said["carol"])})
	for name, p := range map[string]struct{ password, to string }{"bob": {"b1o2b3b4o5", "carol"}, "dave": {"d1a2v3e4d5", "203"}, "erin": {"e1r2i3n4e5", "205"}} {
		newPanel(t, g, name, p.password, "sip:"+p.to+"@"+g.sip).register()
	}
	for _, away := range []string{"bob", "204"} {
		alice.do("dial", "sip:"+away+"@"+g.sip)
		alice.wait("CALL_ESTABLISHED")
		carol.wait("CALL_ESTABLISHED")
		pauseFor(8 * time.Second)
		alice.do("hangup", "")
		carol.wait("CALL_CLOSED")
		hearsOnce(t, "carol", carol.heard(), said["alice"])
		hearsOnce(t, "alice", alice.heard(), said["carol"])
	}
	alice.do("dial", "sip:erin@"+g.sip)
	alice.wait("CALL_CLOSED")
	g.idle()
	if out := g.run("calls", "-o", "json"); !strings.Contains(out, "sent the call on to") || !strings.Contains(out, "where it has been before") {
		t.Errorf("the records do not say why:\n%s", out)
	}
}
