//go:build e2e

package e2e

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
)

// answerWith is a SIPp reply that answers an INVITE with these headers and a
// session.
func answerWith(extra string) string { return reply("200 OK", extra, "sendrecv") }

// updated is a request for a sign of life by UPDATE, which must say this of the
// session, and its answer with that.
func updated(wants, says string) string {
	return fmt.Sprintf(`<recv request="UPDATE" crlf="true"><action>
<ereg regexp=%q search_in="hdr" header="Session-Expires:" check_it="true" assign_to="interval"/>
</action></recv>
<Reference variables="interval"/>
`, wants) + `<send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>
` + says + `
Content-Length: 0

]]></send>
`
}

// TestSessionTimer: SIPp is called, refuses an interval as too short, grants
// another, and is asked for signs of life as long as it answers; when it has lost
// the call, that ends, and the record says why. In the other direction SIPp
// promises signs of life and sends one only.
func TestSessionTimer(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.doc("/voice", `<Response><Pause length="600"/></Response>`)
	a.doc("/in", `<Response><Pause length="0"/><Play>/nothing.wav</Play><Pause length="600"/></Response>`)
	g, port := trunked(t, a, "  session_expires: 90s")

	t.Run("called", func(t *testing.T) {
		t.Parallel()
		s := startSIPp(t, port, 1, recv("INVITE")+
			reply("422 Session Interval Too Small", "Min-SE: 95", "")+ack+
			recv("INVITE")+answerWith("Allow: INVITE, ACK, BYE, UPDATE\nSupported: timer\nRequire: timer\nSession-Expires: 95;refresher=uac")+ack+
			updated(" *95;refresher=uac", "Supported: timer\nRequire: timer\nSession-Expires: 90;refresher=uac")+
			recv("UPDATE")+replyInDialog("481 Call/Transaction Does Not Exist", "")+
			recv("BYE")+replyInDialog("481 Call/Transaction Does Not Exist", ""))
		sid := g.create(url.Values{"To": {"+14155550123"}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"}})
		g.until(sid, "in-progress")
		began := time.Now()
		g.until(sid, "completed")
		s.succeeds(t.Context())
		if d := time.Since(began); d < 90*time.Second {
			t.Errorf("the call ended after %s", d)
		}
		if out := g.run("calls", "-o", "json"); !strings.Contains(out, "the far end has lost the call") {
			t.Errorf("the record does not say why:\n%s", out)
		}
	})

	t.Run("calls", func(t *testing.T) {
		t.Parallel()
		r := newRawCaller(t, g, "timer", freePorts(t, 2))
		with := func(message, headers string) string {
			return strings.Replace(message, "Max-Forwards: 70\r\n", "Max-Forwards: 70\r\n"+headers, 1)
		}
		r.send(with(r.request("INVITE", "a", 1), "Supported: timer\r\nSession-Expires: 60\r\n"), 1)
		if text := r.must("1 INVITE", 422); !strings.Contains(text, "\r\nMin-SE: 90\r\n") {
			t.Errorf("too short an interval is answered\n%s", text)
		}
		r.send(r.request("ACK", "a", 1), 1)
		r.toTag = ""
		r.send(with(r.request("INVITE", "b", 2), "Supported: timer\r\nSession-Expires: 90;refresher=uac\r\n"), 1)
		if text := r.must("2 INVITE", 200); !strings.Contains(text, "\r\nSession-Expires: 90;refresher=uac\r\n") || !strings.Contains(text, "\r\nRequire: timer\r\n") {
			t.Errorf("the interval is answered\n%s", text)
		}
		r.send(r.request("ACK 200", "c", 2), 1)
		pauseFor(30 * time.Second)
		r.send(with(r.request("UPDATE", "d", 3), "Supported: timer\r\nSession-Expires: 90;refresher=uac\r\n"), 1)
		r.must("3 UPDATE", 200)
		began := time.Now()
		bye := r.asked("BYE")
		if d := time.Since(began); d < 59*time.Second {
			t.Errorf("the call was given up %s after the last sign of life", d)
		}
		if !strings.Contains(bye, "session timer expired") {
			t.Errorf("the BYE does not say why:\n%s", bye)
		}
		r.reply(bye, "200 OK")
		a.until("/in-status", 1)
		if out := g.run("calls", "-o", "json"); !strings.Contains(out, "did not refresh the session in time") {
			t.Errorf("the record does not say why:\n%s", out)
		}
	})
}
