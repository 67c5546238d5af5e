//go:build e2e

package e2e

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

// replyInvite answers the INVITE that rememberInvite took, after other
// transactions: its Via and CSeq are not the last ones any more.
func replyInvite(status, extra, sdp string) string {
	r := strings.NewReplacer("[last_Via:]", "[$via]", "[last_From:]", "From:[$theirs]", "[last_To:];tag=[pid]T[call_number]", "To:[$mine]", "[last_CSeq:]", "CSeq:[$cseq]")
	return r.Replace(reply(status, extra, sdp))
}

// reliably is a provisional response of SIPp that must be acknowledged, and its
// PRACK, which must name it.
func reliably(status, rseq, sdp string) string {
	return replyInvite(status, "Require: 100rel\nRSeq: "+rseq, sdp) + `<recv request="PRACK" crlf="true"><action>
<ereg regexp=" *` + rseq + ` [0-9]+ INVITE" search_in="hdr" header="RAck:" check_it="true" assign_to="rack` + rseq + `"/>
</action></recv>
<Reference variables="rack` + rseq + `"/>
` + replyInDialog("200 OK", "")
}

const rememberInvite = `<recv request="INVITE" crlf="true"><action>
<ereg regexp=".*" search_in="hdr" header="From:" assign_to="theirs"/>
<ereg regexp=".*" search_in="hdr" header="To:" assign_to="to"/>
<ereg regexp=".*" search_in="hdr" header="CSeq:" assign_to="cseq"/>
<ereg regexp="Via: [^\r]*" search_in="msg" assign_to="via"/>
<assignstr assign_to="mine" value="[$to];tag=[pid]T[call_number]"/>
</action></recv>
<Reference variables="theirs,mine,to,cseq,via"/>
`

// TestReliableProvisional: SIPp rings and sends early media reliably, whose
// description is the answer: its 200 has none. In the other direction a caller
// requires it of the box, loses the first 180, and gets another one until it
// acknowledges it.
func TestReliableProvisional(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.doc("/voice", `<Response><Pause length="1"/></Response>`)
	a.doc("/in", `<Response><Dial answerOnBridge="true"><Number>+14155550123</Number></Dial></Response>`)
	g, port := trunked(t, a, "  reliable: required")
	t.Run("called", func(t *testing.T) {
		s := startSIPp(t, port, 1, rememberInvite+reliably("180 Ringing", "1", "")+reliably("183 Session Progress", "2", "sendrecv")+
			replyInvite("200 OK", "", "")+ack+recv("BYE")+replyInDialog("200 OK", ""))
		sid := g.create(url.Values{"To": {"+14155550123"}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"}})
		s.succeeds(t.Context())
		g.until(sid, "completed")
	})
	t.Run("calls", func(t *testing.T) {
		s := startSIPp(t, port, 1, rememberInvite+reliably("180 Ringing", "1", "")+recv("CANCEL")+replyInDialog("200 OK", "")+replyInvite("487 Request Terminated", "", "")+ack)
		r := newRawCaller(t, g, "rel", freePorts(t, 2))
		invite := r.request("INVITE", "a", 1)
		r.send(invite, 1)
		if text := r.must("1 INVITE", 421); !strings.Contains(text, "\r\nRequire: 100rel\r\n") {
			t.Errorf("a caller who cannot is answered\n%s", text)
		}
		r.send(r.request("ACK", "a", 1), 1)
		r.toTag = ""
		r.send(strings.Replace(r.request("INVITE", "b", 2), "Max-Forwards: 70\r\n", "Max-Forwards: 70\r\nRequire: 100rel\r\n", 1), 1)
		first := r.provisional(180)
		if again := r.provisional(180); again != first {
			t.Errorf("repeated as\n%s", again)
		}
		r.toTag = headerParam(first, "To", "tag")
		rseq := header(first, "RSeq")
		r.send(strings.Replace(r.request("PRACK", "c", 3), "Max-Forwards: 70\r\n", "Max-Forwards: 70\r\nRAck: "+rseq+"1 2 INVITE\r\n", 1), 1)
		r.must("3 PRACK", 481)
		r.send(strings.Replace(r.request("PRACK", "d", 4), "Max-Forwards: 70\r\n", "Max-Forwards: 70\r\nRAck: "+rseq+" 2 INVITE\r\n", 1), 1)
		r.must("4 PRACK", 200)
		pauseFor(3 * time.Second) // SIPp rings and has its PRACK
		tag := r.toTag
		r.toTag = ""
		r.send(r.request("CANCEL", "b", 2), 1)
		r.toTag = tag
		r.must("2 INVITE", 487)
		r.send(r.request("ACK", "b", 2), 1)
		s.succeeds(t.Context())
	})
}
