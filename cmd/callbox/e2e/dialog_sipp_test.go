//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
)

// changed is a request of the UAS with an offer of its own; codec is that of its only
// format.
func changed(method string, cseq int, format, codec, direction string) string {
	s := request(method, cseq, direction)
	s = strings.Replace(s, "RTP/AVP 0 101\na=rtpmap:0 PCMU/8000\n", "RTP/AVP "+format+" 101\na=rtpmap:"+format+" "+codec+"\n", 1)
	return s
}

// acknowledged is the ACK of the UAS for a re-INVITE of its own.
func acknowledged(cseq int, branch string) string {
	return strings.Replace(request("ACK", cseq, ""), "branch=[branch]", "branch="+branch, 1)
}

// TestDialogScenarios: what far ends may do within a call that they were called for:
// re-INVITE and UPDATE with holds, other codecs and none that can be used, at once and
// out of order, with requests that only ask; and two branches of a fork.
func TestDialogScenarios(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.doc("/voice", `<Response><Pause length="600"/></Response>`)
	a.doc("/in", `<Response><Reject/></Response>`)
	up := remember + reply("200 OK", "", "sendrecv") + ack
	branch := func(step, tag string) string { return strings.ReplaceAll(step, "[pid]T[call_number]", tag) }
	for name, scenario := range map[string]string{
		"changes": up +
			changed("INVITE", 1, "0", "PCMU/8000", "sendonly") + optional(100) + expect(200) + acknowledged(1, "[branch]") +
			changed("UPDATE", 2, "8", "PCMA/8000", "sendrecv") + expect(200) +
			changed("INVITE", 3, "18", "G729/8000", "sendrecv") + optional(100) + expect(488) + acknowledged(3, "[branch-2]") +
			changed("UPDATE", 4, "18", "G729/8000", "sendrecv") + expect(488) +
			changed("INVITE", 5, "0", "PCMU/8000", "inactive") + optional(100) + expect(200) + acknowledged(5, "[branch]") +
			changed("INVITE", 6, "0", "PCMU/8000", "sendrecv") + optional(100) + expect(200) + acknowledged(6, "[branch]") +
			recv("BYE") + replyInDialog("200 OK", ""),
		"questions": up +
			request("OPTIONS", 1, "") + expect(200) +
			request("INFO", 2, "") + expect(200) +
			request("MESSAGE", 3, "") + expect(200) +
			request("PUBLISH", 4, "") + expect(405) +
			request("UPDATE", 5, "") + expect(200) +
			request("OPTIONS", 3, "") + expect(500) + // out of order (RFC 3261 §12.2.2)
			withHeaders(request("UPDATE", 6, ""), "Require: colours") + expect(420) +
			recv("BYE") + replyInDialog("200 OK", ""),
		"the far end hangs up": up + pause(3*time.Second) + request("BYE", 1, "") + expect(200),
		"a fork": recv("INVITE") + branch(reply("180 Ringing", "", ""), "one") + branch(reply("183 Session Progress", "", "sendrecv"), "two") +
			branch(reply("200 OK", "", "sendrecv"), "two") + ack + recv("BYE") + replyInDialog("200 OK", ""),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, port := trunked(t, a, "")
			s := startSIPp(t, port, 1, scenario)
			sid := g.create(url.Values{"To": {"+14155550123"}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"}})
			g.until(sid, "in-progress")
			if name != "the far end hangs up" {
				pauseFor(6 * time.Second) // its changes are through
				g.post("/Calls/"+sid+".json", url.Values{"Status": {"completed"}})
			}
			g.until(sid, "completed")
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			s.succeeds(ctx)
		})
	}
}

// asks is a request of SIPp as the phone of alice, without proof and then with one. It
// gives itself out for a phone that knows MD5 only, as SIPp does.
func asks(method, whom string, cseq int, headers ...string) string {
	step := func(cseq int, proof string) string {
		return fmt.Sprintf(`<send retrans="500"><![CDATA[
%[1]s sip:%[2]s SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch];rport
From: <sip:alice@[remote_ip]:[remote_port]>;tag=[pid]%[1]s
To: <sip:%[3]s>
Call-ID: [call_id]
CSeq: %[4]d %[1]s
Contact: <sip:alice@[local_ip]:[local_port]>
Max-Forwards: 70
User-Agent: baresip v1.0.0
%[5]s%[6]sContent-Length: 0

]]></send>
`, method, map[bool]string{true: "[remote_ip]:[remote_port]", false: whom + "@[remote_ip]:[remote_port]"}[method == "REGISTER"],
			whom+"@[remote_ip]:[remote_port]", cseq, strings.Join(append(headers, ""), "\n"), proof)
	}
	return step(cseq, "") + `<recv response="401" auth="true"></recv>` + "\n" +
		step(cseq+1, "[authentication username=alice password=a1l2i3c4e5]\n") + expect(200)
}

// TestPhoneScenarios: SIPp is a phone: it registers with digest, watches a colleague
// and its messages, is called, and leaves.
func TestPhoneScenarios(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	port := freePorts(t, 1)
	run := func(uri, steps string) *sipp {
		t.Helper()
		return startSIPp(t, port, 1, steps, "-auth_uri", uri, g.sip)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	run(g.sip, asks("REGISTER", "alice", 1, "Expires: 600")).succeeds(ctx)
	if ready, text := g.status("alice"); !ready {
		t.Fatalf("not registered: %s", text)
	}
	s := startSIPp(t, port, 1, recv("INVITE")+established+hungUp)
	sid := g.create(url.Values{"To": {"client:alice"}, "From": {"+14155550100"}, "Twiml": {"<Response><Pause length=\"2\"/></Response>"}})
	g.until(sid, "completed")
	s.succeeds(ctx)
	notified := func(event string) string {
		return fmt.Sprintf(`<recv request="NOTIFY" crlf="true"><action>
<ereg regexp="%s" search_in="hdr" header="Event:" check_it="true" assign_to="event"/>
<ereg regexp="active" search_in="hdr" header="Subscription-State:" check_it="true" assign_to="state"/>
</action></recv>
<Reference variables="event,state"/>
`, event) + replyInDialog("200 OK", "")
	}
	run("bob@"+g.sip, asks("SUBSCRIBE", "bob", 1, "Event: dialog", "Expires: 120")+notified("dialog")).succeeds(ctx)
	run("alice@"+g.sip, asks("SUBSCRIBE", "alice", 1, "Event: message-summary", "Expires: 120")+notified("message-summary")).succeeds(ctx)
	run(g.sip, asks("REGISTER", "alice", 1, "Expires: 0")).succeeds(ctx)
	if ready, text := g.status("alice"); ready {
		t.Errorf("still registered: %s", text)
	}
}
