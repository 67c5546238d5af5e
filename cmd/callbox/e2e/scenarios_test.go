//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// checks gives a recv the patterns (POSIX, without the signs of XML) that the message
// must match.
func checks(recv string, patterns ...string) string {
	var b strings.Builder
	var names []string
	for i, p := range patterns {
		n := fmt.Sprintf("seen%d", i)
		fmt.Fprintf(&b, `<ereg regexp="%s" search_in="msg" check_it="true" assign_to="%s"/>`+"\n", p, n)
		names = append(names, "[$"+n+"]")
	}
	return strings.Replace(recv, "></recv>", "><action>\n"+b.String()+`<log message="`+strings.Join(names, " ")+`"/></action></recv>`, 1)
}

// described is the session description of SIPp with these lines from m= on.
func described(lines string) string {
	return "\nv=0\no=sipp 1 [msg_index] IN IP4 [local_ip]\ns=-\nc=IN IP4 [media_ip]\nt=0 0\n" + lines
}

const telephone = "m=audio [media_port] RTP/AVP 0 8\n"

// offers is a call of SIPp with these streams; none: the box makes the offer.
func offers(lines string) string {
	if lines == "" {
		return strings.Replace(strings.Replace(invite, sdpOffer, "", 1), "Content-Type: application/sdp\n", "", 1)
	}
	return strings.Replace(invite, sdpOffer, described(strings.Replace(lines, "AUDIO", strings.TrimSpace(telephone), 1)), 1)
}

// provisionals may come before the answer.
var provisionals = optional(100) + optional(180) + optional(183)

// calls is a whole call of SIPp whose answer matches patterns.
func calls(invite string, patterns ...string) string {
	return invite + provisionals + checks(expect(200), patterns...) + callerRequest("ACK", 1, "[branch]") + pause(300*time.Millisecond) + leaves(2)
}

// leaves is the end of a call by SIPp that called.
func leaves(cseq int) string { return callerRequest("BYE", cseq, "[branch]") + expect(200) }

// withBody gives a request of SIPp a session description.
func withBody(step, lines string) string {
	return strings.Replace(step, "Content-Length: 0\n", "Contact: <sip:sipp@[local_ip]:[local_port]>\nContent-Type: application/sdp\nContent-Length: [len]\n"+described(lines), 1)
}

// renews is a re-INVITE of the calling SIPp and what the answer must match.
func renews(cseq int, lines string, patterns ...string) string {
	return withBody(callerRequest("INVITE", cseq, "[branch]"), lines) + optional(100) + checks(expect(200), patterns...) + callerRequest("ACK", cseq, "[branch]")
}

// answeredBy is a 200 with these streams.
func answeredBy(lines string) string {
	s := reply("200 OK", "", "sendrecv")
	from := strings.Index(s, "\nv=0")
	return s[:from] + described(lines) + "\n]]></send>\n"
}

// changing is a re-INVITE of the called SIPp and what the answer must match.
func changing(cseq int, lines string, patterns ...string) string {
	s := request("INVITE", cseq, "sendrecv")
	from := strings.Index(s, "\nv=0")
	return s[:from] + described(lines) + "\n]]></send>\n" + optional(100) + checks(expect(200), patterns...) + acknowledged(cseq, "[branch]")
}

// parts ends a call that SIPp was called for.
func parts(cseq int) string {
	return pause(300*time.Millisecond) + request("BYE", cseq, "") + expect(200)
}

// crypto is a key of SDES (RFC 4568) for a suite with keys of so many characters.
func crypto(suite string, n int) string {
	return "a=crypto:1 " + suite + " inline:" + strings.Repeat("A", n) + "\n"
}

const (
	aes128 = "AES_CM_128_HMAC_SHA1_80"
	aes256 = "AES_256_CM_HMAC_SHA1_80"
)

// protected is a stream that SDES protects.
const protected = "m=audio [media_port] RTP/SAVP 0\n"

// scenariosIn are calls of SIPp to the box.
var scenariosIn = map[string]string{
	"held":              calls(offers("AUDIO\na=sendonly\n"), "m=audio [1-9][0-9]* RTP/AVP 0", "a=recvonly"),
	"inactive":          calls(offers("AUDIO\na=inactive\n"), "a=inactive"),
	"rejected":          offers("m=audio [media_port] RTP/AVP 3\n") + provisionals + expect(488) + callerRequest("ACK", 1, "[branch-5]"),
	"re-ordered":        calls(offers("m=audio [media_port] RTP/AVP 8 0\n"), "m=audio [1-9][0-9]* RTP/AVP (8|0 8)"),
	"several streams":   calls(offers("m=video 6000 RTP/AVP 31\nAUDIO\nm=application 6002 UDP/BFCP *\n"), "m=video 0 .*m=audio [1-9][0-9]* .*m=application 0 "),
	"late offer":        offers("") + provisionals + checks(expect(200), "m=audio [1-9][0-9]* RTP/AVP 0 8") + withBody(callerRequest("ACK", 1, "[branch]"), telephone) + pause(300*time.Millisecond) + leaves(2),
	"hold and resume":   offers("AUDIO\n") + provisionals + expect(200) + callerRequest("ACK", 1, "[branch]") + renews(2, telephone+"a=sendonly\n", "a=recvonly") + pause(300*time.Millisecond) + renews(3, telephone+"a=sendrecv\n", "a=sendrecv") + leaves(4),
	"a stream more":     offers("AUDIO\n") + provisionals + expect(200) + callerRequest("ACK", 1, "[branch]") + renews(2, telephone+"m=video 6000 RTP/AVP 31\n", "m=audio [1-9][0-9]* .*m=video 0 ") + leaves(3),
	"behind a NAT":      calls(translated(offers("AUDIO\n")), "rport=[1-9]", "received=127.0.0.1"),
	"protected":         calls(offers(protected+crypto(aes128, 40)), "m=audio [1-9][0-9]* RTP/SAVP 0", "a=crypto:1 "+aes128+" inline:"),
	"protected by more": calls(offers(protected+crypto(aes256, 62)+strings.Replace(crypto(aes128, 40), "a=crypto:1", "a=crypto:2", 1)), "a=crypto:[12] AES_(256_)?CM"),
	"unusable keys":     offers(protected+crypto("NULL_HMAC_SHA1_80", 40)) + provisionals + expect(488) + callerRequest("ACK", 1, "[branch-5]"),
	"referred": strings.ReplaceAll(offers("AUDIO\n"), "+14155550100", "+14155550199") + provisionals +
		strings.Replace(expect(200), "></recv>", `><action><ereg regexp=".*" search_in="hdr" header="To:" assign_to="theirs"/></action></recv>`, 1) + callerRequest("ACK", 1, "[branch]") +
		checks(recv("REFER"), "Refer-To: .*sip:desk@biloxi.example") + replyInDialog("202 Accepted", "") + reports("200 OK") + recv("BYE") + replyInDialog("200 OK", ""),
}

// translated is a call from behind an address translator: its Via and Contact name an
// address that nobody can be reached at.
func translated(step string) string {
	step = strings.Replace(step, "[local_ip]:[local_port];branch=[branch]", "192.168.7.10:5062;branch=[branch];rport", 1)
	return strings.Replace(step, "Contact: <sip:sipp@[local_ip]:[local_port]>", "Contact: <sip:sipp@192.168.7.10:5062>", 1)
}

// reports is a NOTIFY of the calling SIPp about its transfer, the last one.
func reports(status string) string {
	s := strings.Replace(callerRequest("NOTIFY", 2, "[branch]"), "[last_To:]", "To:[$theirs]", 1)
	return strings.Replace(s, "Content-Length: 0\n\n", "Event: refer\nSubscription-State: terminated;reason=noresource\nContact: <sip:sipp@[local_ip]:[local_port]>\n"+
		"Content-Type: message/sipfrag;version=2.0\nContent-Length: [len]\n\nSIP/2.0 "+status+"\n", 1) + expect(200)
}

// scenariosOut are calls of the box to SIPp; srtp is of the trunk.
var scenariosOut = map[string]struct{ srtp, scenario, status string }{
	"held":            {"off", remember + reply("200 OK", "", "sendonly") + ack + parts(1), "completed"},
	"inactive":        {"off", remember + reply("200 OK", "", "inactive") + ack + parts(1), "completed"},
	"re-ordered":      {"off", remember + answeredBy("m=audio [media_port] RTP/AVP 8 0\n") + ack + parts(1), "completed"},
	"rejected":        {"off", recv("INVITE") + answeredBy("m=audio 0 RTP/AVP 0\n") + ack + recv("BYE") + replyInDialog("200 OK", ""), "failed"},
	"unknown codec":   {"off", recv("INVITE") + reply("488 Not Acceptable Here", "", "") + ack, "failed"},
	"hold and resume": {"off", remember + reply("200 OK", "", "sendrecv") + ack + changing(1, telephone+"a=sendonly\n", "a=recvonly") + pause(300*time.Millisecond) + changing(2, telephone+"a=sendrecv\n", "a=sendrecv") + parts(3), "completed"},
	"a stream more":   {"off", remember + reply("200 OK", "", "sendrecv") + ack + changing(1, telephone+"m=video 6000 RTP/AVP 31\n", "m=audio [1-9][0-9]* .*m=video 0 ") + parts(2), "completed"},
	"late offer": {"off", remember + reply("200 OK", "", "sendrecv") + ack + request("INVITE", 1, "") + optional(100) + checks(expect(200), "m=audio [1-9][0-9]* RTP/AVP 0 8") +
		withBody(acknowledged(1, "[branch]"), telephone) + parts(2), "completed"},
	"behind a NAT": {"off", checks(recv("INVITE"), ";rport") + translated(reply("200 OK", "", "sendrecv")) + ack + recv("BYE") + replyInDialog("200 OK", ""), "completed"},
	"protected": {"mandatory", checks(recv("INVITE"), "m=audio [1-9][0-9]* RTP/SAVP 0 8", "a=crypto:[0-9] "+aes128+" inline:[A-Za-z0-9+/]{40}") +
		answeredBy(protected+crypto(aes128, 40)) + ack + recv("BYE") + replyInDialog("200 OK", ""), "completed"},
	"answered in the clear": {"mandatory", recv("INVITE") + answeredBy(telephone) + ack + recv("BYE") + replyInDialog("200 OK", ""), "failed"},
	"referred": {"off", remember + reply("200 OK", "", "sendrecv") + ack + checks(recv("REFER"), "Refer-To: .*sip:desk@biloxi.example") + replyInDialog("202 Accepted", "") +
		strings.Replace(request("NOTIFY", 1, ""), "Content-Length: 0\n", "Event: refer\nSubscription-State: terminated;reason=noresource\nContent-Type: message/sipfrag;version=2.0\nContent-Length: [len]\n\nSIP/2.0 200 OK\n", 1) +
		expect(200) + recv("BYE") + replyInDialog("200 OK", ""), "completed"},
}

// TestArrivingScenarios: what far ends offer, ask and refuse in a call that they place.
func TestArrivingScenarios(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.doc("/in", `<Response><Play>/nothing.wav</Play><Pause length="60"/></Response>`)
	a.doc("/refer", `<Response><Play>/nothing.wav</Play>`+referring+`</Response>`)
	g := startGateway(t, "")
	app := "AP" + strings.Repeat("0", 31)
	g.configure(fmt.Sprintf(`
trunks:
- {name: provider, host: 127.0.0.1, port: %d, inbound: [127.0.0.1], srtp: optional}
applications:
- {id: %[2]s1, account: %[3]s, name: in, script: {main: {url: %[4]s/in}, fallback: {}}}
- {id: %[2]s2, account: %[3]s, name: refer, script: {main: {url: %[4]s/refer}, fallback: {}}}
numbers:
- {number: "+14155550199", line: provider, application: %[2]s2}
- {number: "*", line: provider, application: %[2]s1}
`, freePorts(t, 1), app, g.account, a.URL))
	for name, scenario := range scenariosIn {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			startSIPp(t, freePorts(t, 1), 1, scenario, g.sip).succeeds(ctx)
		})
	}
}

// referring has the far end call somebody else.
const referring = `<Refer><Sip>sip:desk@biloxi.example</Sip></Refer>`

// TestCalledScenarios: what far ends answer, ask and refuse in a call that they are
// called for.
func TestCalledScenarios(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.doc("/refer", `<Response><Play>/nothing.wav</Play>`+referring+`</Response>`)
	a.doc("/voice", `<Response><Pause length="60"/></Response>`)
	g := startGateway(t, "")
	ports, numbers := map[string]int{}, map[string]string{}
	trunks, routes := "trunks:\n", "routes:\n"
	for name, tc := range scenariosOut {
		ports[name], numbers[name] = freePorts(t, 1), fmt.Sprintf("+1415555%04d", 100+len(numbers))
		trunks += fmt.Sprintf("- {name: out%d, host: 127.0.0.1, port: %d, srtp: %s}\n", len(numbers), ports[name], tc.srtp)
		routes += fmt.Sprintf("- {name: out%d, prefix: %q, lines: [out%d]}\n", len(numbers), numbers[name], len(numbers))
	}
	g.configure(trunks + routes)
	for name, tc := range scenariosOut {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			s := startSIPp(t, ports[name], 1, tc.scenario)
			doc := "/voice"
			if name == "referred" {
				doc = "/refer"
			}
			sid := g.create(url.Values{"To": {numbers[name]}, "From": {"+14155550100"}, "Url": {a.URL + doc}})
			if strings.HasSuffix(tc.scenario, hungUp) && tc.status == "completed" && doc == "/voice" {
				g.until(sid, "in-progress")
				g.post("/Calls/"+sid+".json", url.Values{"Status": {"completed"}})
			}
			s.succeeds(ctx)
			g.until(sid, tc.status)
		})
	}
}

// reinvited is a re-INVITE of the box whose session description names a port, with
// what its answer needs remembered.
func reinvited(port int) string {
	return fmt.Sprintf(`<recv request="INVITE" crlf="true"><action>
<ereg regexp="m=audio %d RTP" search_in="body" check_it="true" assign_to="port"/><log message="[$port]"/>
<ereg regexp=".*" search_in="hdr" header="Via:" assign_to="via"/>
<ereg regexp=".*" search_in="hdr" header="CSeq:" assign_to="cseq"/>
</action></recv>
`, port)
}

// answersLater answers the re-INVITE that reinvited remembers.
func answersLater(status string) string {
	s := reply(status, "", "")
	s = strings.Replace(s, "[last_Via:]", "Via:[$via]", 1)
	s = strings.Replace(s, "[last_From:]", "From:[$theirs]", 1)
	s = strings.Replace(s, "[last_To:];tag=[pid]T[call_number]", "To:[$mine]", 1)
	return strings.Replace(s, "[last_CSeq:]", "CSeq:[$cseq]", 1)
}

// TestPathScenarios: two SIPps that an application connects with exitMediaPath are
// told each other's ports by re-INVITE. One meets that of the box with its own: both
// are refused with 491 (RFC 3261 §14.1), and the box comes again.
func TestPathScenarios(t *testing.T) {
	t.Parallel()
	g := startGateway(t, "")
	first, second := freePorts(t, 1), freePorts(t, 1)
	g.configure(fmt.Sprintf(`
trunks:
- {name: first, host: 127.0.0.1, port: %d}
- {name: second, host: 127.0.0.1, port: %d}
routes:
- {name: first, prefix: "+14155550101", lines: [first]}
- {name: second, prefix: "+14155550102", lines: [second]}
`, first, second))
	a := newApp(t)
	h := serveJSON(t, a, map[string]string{
		"/first": `[{"verb":"dial","target":[{"type":"phone","number":"+14155550102"}],"exitMediaPath":true,"actionHook":"/done"}]`,
		"/done":  `[{"verb":"hangup"}]`,
	})
	media := func(port int) int { return (20000 + port) &^ 1 }
	up := remember + reply("200 OK", "", "sendrecv") + ack
	moved := func(port int) string {
		return checks(recv("INVITE"), fmt.Sprintf("m=audio %d RTP", port)) + replyInDialog("200 OK", "sendrecv") + ack
	}
	meets := reinvited(media(second)) + request("INVITE", 1, "sendrecv") + optional(100) + expect(491) + acknowledged(1, "[branch-3]") + answersLater("491 Request Pending") + ack
	one := startSIPp(t, first, 1, up+meets+moved(media(second))+pause(time.Second)+request("BYE", 2, "")+expect(200), "-rtp_echo")
	// It is led back while the other one does not agree, and before the end.
	more := `<label id="1"/><recv request="BYE" optional="true" next="2"/><recv request="ACK" optional="true" next="1"/>` + recv("INVITE") +
		strings.Replace(replyInDialog("200 OK", "sendrecv"), "<send>", `<send next="1">`, 1) + `<label id="2"/>`
	two := startSIPp(t, second, 1, strings.Replace(up, remember, recv("INVITE"), 1)+moved(media(first))+more+replyInDialog("200 OK", ""), "-rtp_echo")
	code, body := g.askJSON(http.MethodPost, "/Calls", fmt.Sprintf(`{"from":"1","to":{"type":"phone","number":"+14155550101"},"call_hook":%q}`, h.base+"/first"))
	if code != http.StatusCreated {
		t.Fatalf("create: %d %v", code, body)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	one.succeeds(ctx)
	two.succeeds(ctx)
	g.idle()
}

// TestPhoneMoreScenarios: SIPp is a telephone: it calls with digest, holds and takes
// back, in the call that it placed and in one that it is called for; its proof is good
// once; and it picks up what the lamp of a colleague shows.
func TestPhoneMoreScenarios(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers+"- name: carol\n  password: c1a2r3o4l5\n")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	port := freePorts(t, 1)
	startSIPp(t, port, 1, asks("REGISTER", "alice", 1, "Expires: 600"), "-auth_uri", g.sip, g.sip).succeeds(ctx)

	// It is called, holds and takes back.
	s := startSIPp(t, port, 1, remember+reply("200 OK", "", "sendrecv")+ack+changing(1, telephone+"a=sendonly\n", "a=recvonly")+pause(300*time.Millisecond)+
		changing(2, telephone+"a=sendrecv\n", "a=sendrecv")+parts(3))
	sid := g.create(url.Values{"To": {"client:alice"}, "From": {"+14155550100"}, "Twiml": {`<Response><Pause length="60"/></Response>`}})
	s.succeeds(ctx)
	g.until(sid, "completed")

	// It calls bob, who is another SIPp, and does the same.
	bobs := freePorts(t, 1)
	as := func(user string, step string) string {
		return strings.NewReplacer("sip:alice@", "sip:"+user+"@", "username=alice", "username="+user, "a1l2i3c4e5", map[string]string{"bob": "b1o2b3b4o5", "carol": "c1a2r3o4l5"}[user]).Replace(step)
	}
	startSIPp(t, bobs, 1, as("bob", asks("REGISTER", "bob", 1, "Expires: 600")), "-auth_uri", g.sip, g.sip).succeeds(ctx)
	bob := startSIPp(t, bobs, 1, recv("INVITE")+established+hungUp, "-rtp_echo")
	own := func(step string) string { // a request of alice to bob
		step = strings.ReplaceAll(step, `"Biloxi" <sip:+14155550177@[local_ip]:[local_port]>`, "<sip:alice@[remote_ip]:[remote_port]>")
		return strings.ReplaceAll(step, "+14155550100@", "bob@")
	}
	call := own(offers("AUDIO\n"))
	proven := withProof(call, "alice", "a1l2i3c4e5")
	calling := knows(call) + optional(100) + `<recv response="401" auth="true"></recv>` + "\n" + own(callerRequest("ACK", 1, "[branch-3]")) +
		knows(proven) + provisionals + expect(200) + own(callerRequest("ACK", 2, "[branch]"))
	startSIPp(t, port, 1, calling+own(renews(3, telephone+"a=sendonly\n", "a=recvonly")+pause(300*time.Millisecond)+renews(4, telephone+"a=sendrecv\n", "a=sendrecv")+leaves(5)),
		"-auth_uri", "bob@"+g.sip, g.sip).succeeds(ctx)
	bob.succeeds(ctx)

	// The proof that has been taken once is an old one.
	proves := func(header string, status int, more ...string) string {
		return fmt.Sprintf(`<send retrans="500"><![CDATA[
REGISTER sip:box.example SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch];rport
From: <sip:alice@box.example>;tag=[pid]R
To: <sip:alice@box.example>
Call-ID: [call_id]
CSeq: 1 REGISTER
Contact: <sip:alice@[local_ip]:[local_port]>
Max-Forwards: 70
%sContent-Length: 0

]]></send>
`, strings.ReplaceAll(header, "\r", "")) + checks(expect(status), more...)
	}
	challenge := startSIPp(t, port, 1, proves("", 401, "nonce=[^,]*"), g.sip, "-trace_logs")
	challenge.succeeds(ctx)
	p := proof{user: "alice", password: "a1l2i3c4e5", nonce: logged(t, challenge, `nonce="([^"]+)"`)[1], algorithm: "MD5", count: 1, uri: "sip:box.example"}
	startSIPp(t, port, 1, proves(p.String(), 200), g.sip).succeeds(ctx)
	startSIPp(t, port, 1, proves(p.String(), 401, "stale=true"), g.sip).succeeds(ctx)

	// Carol's lamp shows that bob rings; she takes the call.
	watcher := freePorts(t, 1)
	var alice *sipp
	for _, step := range []string{"REGISTER", "SUBSCRIBE"} {
		lamp, uri := as("carol", asks("REGISTER", "carol", 1, "Expires: 600")), g.sip
		if step == "SUBSCRIBE" {
			rings := startSIPp(t, bobs, 1, recv("INVITE")+reply("180 Ringing", "", "")+cancelled)
			alice = startSIPp(t, port, 1, calling+own(recv("BYE")+replyInDialog("200 OK", "")), "-auth_uri", "bob@"+g.sip, "-rtp_echo", g.sip)
			poll(t, "bob rings", func() bool { return g.metrics()["callbox_calls"] == 2 })
			defer rings.succeeds(ctx)
			uri = "bob@" + g.sip
			lamp = as("carol", asks(step, "bob", 1, "Event: dialog", "Expires: 120")) + checks(recv("NOTIFY"), "call-id=.*early") + replyInDialog("200 OK", "")
		}
		s = startSIPp(t, watcher, 1, lamp, "-auth_uri", uri, "-trace_logs", g.sip)
		s.succeeds(ctx)
	}
	m := logged(t, s, `call-id="([^"]+)" local-tag="([^"]+)" remote-tag="([^"]+)"`)
	taking := strings.NewReplacer("sip:alice@", "sip:carol@", "username=alice", "username=carol", "a1l2i3c4e5", "c1a2r3o4l5")
	takes := strings.ReplaceAll(knows(call), "Max-Forwards", "Replaces: "+m[1]+";to-tag="+m[3]+";from-tag="+m[2]+";early-only\nMax-Forwards")
	again := strings.ReplaceAll(knows(proven), "Max-Forwards", "Replaces: "+m[1]+";to-tag="+m[3]+";from-tag="+m[2]+";early-only\nMax-Forwards")
	startSIPp(t, watcher, 1, taking.Replace(takes+optional(100)+`<recv response="401" auth="true"></recv>`+"\n"+own(callerRequest("ACK", 1, "[branch-3]"))+
		again+provisionals+expect(200)+own(callerRequest("ACK", 2, "[branch]")+pause(300*time.Millisecond)+leaves(3))), "-auth_uri", "bob@"+g.sip, g.sip).succeeds(ctx)
	alice.succeeds(ctx)
	g.idle()
}

// logged finds what SIPp has logged.
func logged(t *testing.T, s *sipp, pattern string) (m []string) {
	t.Helper()
	poll(t, "SIPp has logged "+pattern, func() bool {
		logs, _ := filepath.Glob(filepath.Join(s.dir, "*_logs.log"))
		for _, f := range logs {
			b, _ := os.ReadFile(f)
			m = regexp.MustCompile(pattern).FindStringSubmatch(string(b))
		}
		return m != nil
	})
	return m
}
