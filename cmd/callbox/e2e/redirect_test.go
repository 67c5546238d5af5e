//go:build e2e

package e2e

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
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
