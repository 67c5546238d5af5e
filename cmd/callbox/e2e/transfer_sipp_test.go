//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// withHeaders adds headers to a request or response of a scenario.
func withHeaders(step string, headers ...string) string {
	return strings.Replace(step, "Max-Forwards: 70\n", "Max-Forwards: 70\n"+strings.Join(headers, "\n")+"\n", 1)
}

// transferNumber are the numbers of the three SIPps: the party, whoever wants it
// transferred, and the target.
const (
	partyNumber  = "+14155550101"
	deskNumber   = "+14155550102"
	targetNumber = "+14155550103"
)

// refer is a REFER of the UAS with a Refer-To, in the present dialog.
func refer(cseq int, to string, headers ...string) string {
	return withHeaders(request("REFER", cseq, ""), append([]string{"Refer-To: <" + to + ">", "Referred-By: <sip:desk@127.0.0.1>"}, headers...)...)
}

// notified takes a NOTIFY with a status in its body, and the state of the
// subscription.
func notified(status, state string) string {
	return fmt.Sprintf(`<recv request="NOTIFY" crlf="true"><action>
<ereg regexp="SIP/2.0 %s" search_in="body" check_it="true" assign_to="frag"/>
<ereg regexp="%s" search_in="hdr" header="Subscription-State:" check_it="true" assign_to="state"/>
<ereg regexp="refer" search_in="hdr" header="Event:" check_it="true" assign_to="event"/>
<log message="[$frag] [$state] [$event]"/>
</action></recv>
`, status, state) + replyInDialog("200 OK", "")
}

// transferTrunks starts a gateway with three SIPps as trunks.
func transferTrunks(t *testing.T, deskMay bool) (g *gateway, party, desk, target int) {
	t.Helper()
	g = startGateway(t, "")
	party, desk, target = freePorts(t, 1), freePorts(t, 1), freePorts(t, 1)
	g.configure(fmt.Sprintf(`
trunks:
- {name: party, host: 127.0.0.1, port: %d, transfers: true}
- {name: desk, host: 127.0.0.1, port: %d, transfers: %v}
- {name: target, host: 127.0.0.1, port: %d}
routes:
- {name: party, prefix: "%s", lines: [party]}
- {name: desk, prefix: "%s", lines: [desk]}
- {name: target, prefix: "%s", lines: [target]}
`, party, desk, deskMay, target, partyNumber, deskNumber, targetNumber))
	return g, party, desk, target
}

// TestReferScenarios: SIPp wants its partner transferred, as the party that was
// called and as the one that the call began with, and is told what becomes of it.
func TestReferScenarios(t *testing.T) {
	t.Parallel()
	to := "sip:" + targetNumber + "@BOX" // its address is known when it runs
	rings := recv("INVITE") + reply("180 Ringing", "", "") + pause(300*time.Millisecond)
	answers := rings + reply("200 OK", "", "sendrecv") + ack + hungUp
	busy := rings + reply("486 Busy Here", "", "") + ack
	wants := remember + reply("180 Ringing", "", "") + reply("200 OK", "", "sendrecv") + ack + pause(500*time.Millisecond)
	goes := hungUp // the box ends the call
	stays := pause(2*time.Second) + request("BYE", 2, "") + expect(200)
	for name, tc := range map[string]struct {
		desk   string // from its REFER on
		target string // empty: it is not called
		denied bool
	}{
		"blind":                             {refer(1, to) + expect(202) + notified("100 Trying", "active;expires=") + notified("180 Ringing", "active") + notified("200 OK", "terminated;reason=noresource") + goes, answers, false},
		"busy":                              {refer(1, to) + expect(202) + notified("100", "active") + notified("180", "active") + notified("486 Busy Here", "terminated;reason=noresource") + stays, busy, false},
		"unknown target":                    {refer(1, "sip:+19999999999@127.0.0.1") + expect(202) + notified("100", "active") + notified("404", "terminated") + stays, "", false},
		"replaces a call that is not there": {refer(1, to+"?Replaces=nobody%40here%3Bto-tag%3D1%3Bfrom-tag%3D2") + expect(202) + notified("100", "active") + notified("481", "terminated") + stays, "", false},
		"without reports": {refer(1, to, "Refer-Sub: false") +
			`<recv response="202"><action><ereg regexp="false" search_in="hdr" header="Refer-Sub:" check_it="true" assign_to="frag"/><log message="[$frag]"/></action></recv>` + goes, answers, false},
		"hangs up at once": {refer(1, to) + expect(202) + notified("100", "active") + request("BYE", 2, "") + expect(200) + notified("180", "active") + notified("200", "terminated"), strings.Replace(answers, rings, recv("INVITE")+pause(time.Second)+reply("180 Ringing", "", "")+pause(300*time.Millisecond), 1), false},
		"not allowed":      {refer(1, to) + expect(603) + stays, "", true},
		"no address":       {refer(1, "mailto:bob@biloxi.example") + expect(416) + stays, "", false},
	} {
		for _, by := range []string{"callee", "caller"} {
			if by == "caller" && tc.denied {
				continue // it is the other trunk that may not
			}
			t.Run(name+" by the "+by, func(t *testing.T) {
				t.Parallel()
				g, party, desk, target := transferTrunks(t, !tc.denied)
				// The one that wants the transfer is the Dial's callee, or its caller.
				first, second := partyNumber, deskNumber
				if by == "caller" {
					first, second = deskNumber, partyNumber
				}
				waits := startSIPp(t, party, 1, recv("INVITE")+reply("200 OK", "", "sendrecv")+ack+hungUp, "-rtp_echo")
				asks := startSIPp(t, desk, 1, wants+strings.ReplaceAll(tc.desk, "BOX", g.sip))
				var called *sipp
				if tc.target != "" {
					called = startSIPp(t, target, 1, tc.target, "-rtp_echo")
				}
				sid := g.create(url.Values{"To": {first}, "From": {"+14155550100"}, "Twiml": {"<Response><Dial><Number>" + second + "</Number></Dial></Response>"}})
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				defer cancel()
				asks.succeeds(ctx)
				if called != nil && strings.HasSuffix(tc.target, hungUp) {
					// The transferred party and the target talk until somebody ends it.
					left := sid
					if by == "caller" {
						left = g.childOf(sid, partyNumber)
					}
					g.do("POST", "/Calls/"+left+".json", url.Values{"Status": {"completed"}})
				}
				if called != nil {
					called.succeeds(ctx)
				}
				waits.succeeds(ctx)
				g.idle()
			})
		}
	}
}

// childOf gives the call that another has dialled.
func (g *gateway) childOf(sid, to string) string {
	g.t.Helper()
	for _, c := range g.calls() {
		if c["parent_call_sid"] == sid && c["to"] == to {
			return c["sid"].(string)
		}
	}
	g.t.Fatalf("%s has not dialled %s", sid, to)
	return ""
}

// outside is a REFER outside of any call.
const outside = `<send retrans="500"><![CDATA[
REFER sip:+14155550100@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:desk@[local_ip]:[local_port]>;tag=[pid]F[call_number]
To: <sip:+14155550100@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 REFER
Contact: <sip:desk@[local_ip]:[local_port]>
Max-Forwards: 70
Refer-To: <sip:+14155550103@[remote_ip]:[remote_port]>
Content-Length: 0

]]></send>
`

// replacing is a call of SIPp that wants to take the place of another.
func replacing(header string) string {
	return strings.Replace(invite, "Max-Forwards: 70\n", "Max-Forwards: 70\nRequire: replaces\nReplaces: "+header+"\n", 1)
}

// TestReplacesScenarios: the answers to a Replaces header, a REFER outside of a
// call, and a phone that rings being picked up by another one.
func TestReplacesScenarios(t *testing.T) {
	t.Parallel()
	g, _, desk, _ := transferTrunks(t, true)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for status, step := range map[int]string{
		481: replacing("nobody@here;to-tag=1;from-tag=2") + optional(100) + expect(481) + callerRequest("ACK", 1, "[branch-3]"),
		400: replacing("nobody@here;to-tag=1") + optional(100) + expect(400) + callerRequest("ACK", 1, "[branch-3]"),
		403: outside + expect(403),
	} {
		t.Logf("status %d", status)
		startSIPp(t, desk, 1, step, g.sip).succeeds(ctx)
	}
	// A call that has been answered is busy for who wants it only while it rings.
	said := speak(t, "Is anybody there who could pick this up?")
	g.configure(twoUsers)
	alice := startBaresip(t, phone{name: "alice", password: "a1l2i3c4e5", registrar: g.sip, answer: "auto", says: again(said)})
	dialog := `<nop><action><log message="DIALOG [call_id];to-tag=[$theirs];from-tag=[pid]T[call_number]. ours [$mine]"/></action></nop>` + "\n"
	replaced := func(s *sipp) string {
		var m []string
		poll(t, "SIPp tells its dialog", func() bool {
			logs, _ := filepath.Glob(filepath.Join(s.dir, "*_logs.log"))
			for _, f := range logs {
				b, _ := os.ReadFile(f)
				m = regexp.MustCompile(`DIALOG (\S+?);to-tag=.*;tag=([^;\s]+).*;from-tag=(\S+?)\. `).FindStringSubmatch(string(b))
			}
			return m != nil
		})
		return m[1] + ";to-tag=" + m[2] + ";from-tag=" + m[3]
	}
	rings := startSIPp(t, desk, 1, remember+reply("180 Ringing", "", "")+dialog+cancelled, "-trace_logs")
	alice.do("dial", "sip:"+deskNumber+"@"+g.sip)
	header := replaced(rings)
	takes := startSIPp(t, freePorts(t, 1), 1, replacing(header+";early-only")+optional(100)+optional(180)+expect(200)+callerRequest("ACK", 1, "[branch]")+
		recv("BYE")+replyInDialog("200 OK", ""), g.sip, "-rtp_echo")
	alice.wait("CALL_ESTABLISHED")
	rings.succeeds(ctx)
	pauseFor(8 * time.Second)
	alice.do("hangup", "")
	takes.succeeds(ctx)
	hearsOnce(t, "alice hears her echo from who picked up", alice.heard(), said)
	// And one that has been answered.
	talks := startSIPp(t, desk, 1, remember+reply("200 OK", "", "sendrecv")+ack+dialog+recv("BYE")+replyInDialog("200 OK", ""), "-trace_logs")
	alice.do("dial", "sip:"+deskNumber+"@"+g.sip)
	header = replaced(talks)
	startSIPp(t, freePorts(t, 1), 1, replacing(header+";early-only")+optional(100)+expect(486)+callerRequest("ACK", 1, "[branch-3]"), g.sip).succeeds(ctx)
	takes = startSIPp(t, freePorts(t, 1), 1, replacing(header)+optional(100)+optional(180)+expect(200)+callerRequest("ACK", 1, "[branch]")+
		recv("BYE")+replyInDialog("200 OK", ""), g.sip, "-rtp_echo")
	talks.succeeds(ctx)
	pauseFor(8 * time.Second)
	alice.do("hangup", "")
	takes.succeeds(ctx)
	hearsOnce(t, "alice hears her echo from who took over", alice.heard(), said)
	g.idle()
}
