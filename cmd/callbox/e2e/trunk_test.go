//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// trunked starts a gateway with SIPp's port as its trunk: +1 numbers go there,
// and whatever comes from there runs the application at /in.
func trunked(t *testing.T, a *app, extra string) (g *gateway, port int) {
	t.Helper()
	g = startGateway(t, "")
	port = freePorts(t, 1)
	app := "AP" + strings.Repeat("0", 31) + "1"
	g.configure(fmt.Sprintf(`
trunks:
- name: provider
  host: 127.0.0.1
  port: %d
  inbound: [127.0.0.1]
%s
routes:
- name: long distance
  prefix: "+1"
  lines: [provider]
applications:
- id: %s
  account: %s
  name: front door
  script: {main: {url: "%s/in"}, fallback: {}}
  status: {url: "%s/in-status"}
numbers:
- number: "*"
  line: provider
  application: %s
`, port, extra, app, g.account, a.URL, a.URL, app))
	return g, port
}

const ack = `<recv request="ACK" crlf="true"></recv>` + "\n"

// cancelled is SIPp's side of a CANCEL.
const cancelled = `<recv request="CANCEL" crlf="true"></recv>
<send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:];tag=[pid]T[call_number]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
<send><![CDATA[
SIP/2.0 487 Request Terminated
[last_Via:]
[last_From:]
[last_To:];tag=[pid]T[call_number]
[last_Call-ID:]
CSeq: [last_cseq_number] INVITE
Content-Length: 0

]]></send>
` + ack

// digest is SIPp's challenge.
const digest = `: Digest realm="provider.example", nonce="47364c23432d2e131a5fb210812c", algorithm=MD5, qop="auth"`

// challenged asks for credentials with a 401 and lets SIPp compute whether they
// are right; with wrong ones SIPp stops and the call never gets its answer.
var challenged = recv("INVITE") + reply("401 Unauthorized", "WWW-Authenticate"+digest, "") + ack +
	`<recv request="INVITE" crlf="true"><action>
<verifyauth assign_to="good" username="box" password="s3cret9"/>
</action></recv>
<nop condexec="good" condexec_inverse="true"><action><exec int_cmd="stop_now"/></action></nop>
`

// proxyChallenged is the same with a 407, whose header SIPp cannot verify: the
// digest itself is the 401's, here the header's form counts.
var proxyChallenged = recv("INVITE") + reply("407 Proxy Authentication Required", "Proxy-Authenticate"+digest, "") + ack +
	`<recv request="INVITE" crlf="true"><action>
<ereg regexp="username=.box.*response=.[0-9a-f]{32}" search_in="hdr" header="Proxy-Authorization:" check_it="true" assign_to="proof"/>
<log message="[$proof]"/>
</action></recv>
`

var established = reply("180 Ringing", "", "") + reply("200 OK", "", "sendrecv") + ack

var hungUp = recv("BYE") + replyInDialog("200 OK", "")

// TestTrunkOutgoing calls SIPp in every way a trunk can react.
func TestTrunkOutgoing(t *testing.T) {
	t.Parallel()
	prompt := speak(t, "The office is closed today. Please call again tomorrow after nine.")
	for name, tc := range map[string]struct {
		scenario string
		extra    string            // of the trunk's configuration
		form     map[string]string // more parameters
		cancel   bool              // by the API, once SIPp has the INVITE
		status   string
		callback string // CallStatus of all callbacks
		echo     bool   // the prompt comes back and is recorded
		sipCode  string
	}{
		"answer": {scenario: recv("INVITE") + reply("100 Trying", "", "") + established + hungUp, status: "completed",
			callback: "initiated ringing in-progress completed", echo: true, sipCode: "200"},
		"answer without ringing": {scenario: recv("INVITE") + reply("200 OK", "", "sendrecv") + ack + hungUp, status: "completed",
			callback: "initiated in-progress completed", echo: true, sipCode: "200"},
		"busy": {scenario: recv("INVITE") + reply("486 Busy Here", "Reason: Q.850;cause=17;text=\"User busy\"", "") + ack, status: "busy",
			callback: "initiated busy", sipCode: "486"},
		"no answer": {scenario: recv("INVITE") + reply("180 Ringing", "", "") + cancelled, form: map[string]string{"Timeout": "2"}, status: "no-answer",
			callback: "initiated ringing no-answer"},
		"cancel before ringing": {scenario: recv("INVITE") + reply("100 Trying", "", "") + cancelled, cancel: true, status: "canceled",
			callback: "initiated canceled"},
		"cancel after ringing": {scenario: recv("INVITE") + reply("180 Ringing", "", "") + cancelled, cancel: true, status: "canceled",
			callback: "initiated ringing canceled"},
		"early media": {scenario: recv("INVITE") + reply("183 Session Progress", "", "sendrecv") + pause(time.Second) +
			reply("200 OK", "", "sendrecv") + ack + hungUp, status: "completed",
			callback: "initiated ringing in-progress completed", echo: true, sipCode: "200"},
		"401": {scenario: challenged + established + hungUp,
			extra: "  username: box\n  password: s3cret9", status: "completed", callback: "initiated ringing in-progress completed", echo: true, sipCode: "200"},
		"407": {scenario: proxyChallenged + established + hungUp,
			extra: "  username: box\n  password: s3cret9", status: "completed", callback: "initiated ringing in-progress completed", echo: true, sipCode: "200"},
		"not found": {scenario: recv("INVITE") + reply("404 Not Found", "", "") + ack, status: "failed", callback: "initiated failed", sipCode: "404"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t)
			g, port := trunked(t, a, tc.extra)
			a.wav("/prompt.wav", prompt)
			a.doc("/voice", `<Response><Play>/prompt.wav</Play><Pause length="1"/></Response>`)
			s := startSIPp(t, port, 1, tc.scenario, "-rtp_echo")
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			form := url.Values{"To": {"+14155550123"}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"}, "Record": {"true"},
				"RecordingChannels": {"dual"}, "StatusCallback": {a.URL + "/status"}, "Trim": {"do-not-trim"},
				"StatusCallbackEvent": {"initiated", "ringing", "answered", "completed"}}
			for k, v := range tc.form {
				form.Set(k, v)
			}
			sid := g.create(form)
			if tc.cancel {
				n := len(strings.Fields(tc.callback)) - 1
				poll(t, "the attempt is on its way", func() bool { return len(a.requests("/status")) >= n })
				if code, body := g.post("/Calls/"+sid+".json", url.Values{"Status": {"canceled"}}); code != 200 {
					t.Fatalf("cancel: %d %v", code, body)
				}
			}
			g.until(sid, tc.status)
			s.succeeds(ctx)
			n := len(strings.Fields(tc.callback))
			last := a.until("/status", n)
			if got := strings.Join(a.statuses("/status"), " "); got != tc.callback {
				t.Errorf("callbacks %q, want %q", got, tc.callback)
			}
			if got := last.form.Get("SipResponseCode"); tc.sipCode != "" && got != tc.sipCode {
				t.Errorf("SipResponseCode %q, want %q", got, tc.sipCode)
			}
			if tc.echo {
				rec, ch := g.recording(sid)
				if ch != 2 {
					t.Fatalf("%d channels", ch)
				}
				hears(t, "the box, of its own words in the echo,", channel(rec, 0, 2), prompt)
			}
		})
	}
}

// TestTrunkHold puts the box on hold and takes it back by re-INVITE.
func TestTrunkHold(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	g, port := trunked(t, a, "")
	a.doc("/voice", `<Response><Pause length="30"/></Response>`)
	answer := func(direction string) string {
		return fmt.Sprintf(`<recv response="200" crlf="true"><action>
<ereg regexp="a=%s" search_in="body" check_it="true" assign_to="d%s"/><log message="[$d%s]"/>
</action></recv>
`, direction, direction, direction)
	}
	s := startSIPp(t, port, 1, remember+reply("200 OK", "", "sendrecv")+ack+pause(500*time.Millisecond)+
		request("INVITE", 1, "sendonly")+optional(100)+answer("recvonly")+request("ACK", 1, "")+pause(time.Second)+
		request("INVITE", 2, "sendrecv")+optional(100)+answer("sendrecv")+request("ACK", 2, "")+pause(500*time.Millisecond)+
		request("BYE", 3, "")+expect(200)+
		// A BYE that comes late finds no dialog.
		request("BYE", 4, "")+expect(481))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	sid := g.create(url.Values{"To": {"+14155550123"}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"}})
	s.succeeds(ctx)
	rec := g.until(sid, "completed")
	if rec["duration"] == nil {
		t.Errorf("record %v", rec)
	}
}

// invite is SIPp's INVITE as a caller from the trunk.
const invite = `<send retrans="500"><![CDATA[
INVITE sip:+14155550100@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: "Biloxi" <sip:+14155550177@[local_ip]:[local_port]>;tag=[pid]F[call_number]
To: <sip:+14155550100@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:sipp@[local_ip]:[local_port]>
Max-Forwards: 70
X-Ticket: 4711
Content-Type: application/sdp
Content-Length: [len]
` + sdpOffer + `
]]></send>
`

const sdpOffer = `
v=0
o=sipp 1 1 IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 0 101
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
`

// callerRequest is a request of the calling SIPp.
func callerRequest(method string, cseq int, branch string) string {
	retrans := ` retrans="500"`
	if method == "ACK" {
		retrans = ""
	}
	to := "[last_To:]"
	if method == "CANCEL" {
		to = "To: <sip:+14155550100@[remote_ip]:[remote_port]>"
	}
	return fmt.Sprintf(`<send%s><![CDATA[
%s sip:+14155550100@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=%s
From: "Biloxi" <sip:+14155550177@[local_ip]:[local_port]>;tag=[pid]F[call_number]
%s
Call-ID: [call_id]
CSeq: %d %s
Max-Forwards: 70
Content-Length: 0

]]></send>
`, retrans, method, branch, to, cseq, method)
}

// TestTrunkIncoming lets SIPp call the box.
func TestTrunkIncoming(t *testing.T) {
	t.Parallel()
	prompt := speak(t, "Welcome. You have reached the gateway of the branch office in Biloxi.")
	for name, tc := range map[string]struct{ doc, scenario, status string }{
		"answered, caller hangs up": {`<Response><Play>/prompt.wav</Play><Pause length="20"/></Response>`,
			invite + optional(100) + optional(180) + optional(183) + expect(200) + callerRequest("ACK", 1, "[branch]") +
				pause(time.Duration(len(prompt))*time.Second/rate+time.Second) + callerRequest("BYE", 2, "[branch]") + expect(200), "completed"},
		"answered, box hangs up": {`<Response><Pause length="0"/><Play>/prompt.wav</Play></Response>`,
			invite + optional(100) + optional(180) + optional(183) + expect(200) + callerRequest("ACK", 1, "[branch]") + recv("BYE") + replyInDialog("200 OK", ""), "completed"},
		"rejected as busy": {`<Response><Reject reason="busy"/></Response>`,
			invite + optional(100) + optional(180) + expect(486) + callerRequest("ACK", 1, "[branch-4]"), "busy"},
		"caller gives up": {`<Response><Pause length="20"/><Play>/prompt.wav</Play></Response>`,
			invite + optional(100) + expect(180) + pause(time.Second) + callerRequest("CANCEL", 1, "[branch-4]") + expect(200) + expect(487) + callerRequest("ACK", 1, "[branch-7]"), "no-answer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t)
			g, port := trunked(t, a, "")
			a.wav("/prompt.wav", prompt)
			a.doc("/in", tc.doc)
			s := startSIPp(t, port, 1, tc.scenario, g.sip, "-rtp_echo")
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			s.succeeds(ctx)
			in := a.until("/in", 1)
			if in.form.Get("From") != "+14155550177" || in.form.Get("To") != "+14155550100" || in.form.Get("SipHeader_X-Ticket") != "4711" {
				t.Errorf("the application was told %v", in.form)
			}
			last := a.until("/in-status", 1)
			if got := last.form.Get("CallStatus"); got != tc.status {
				t.Errorf("final status %q, want %q", got, tc.status)
			}
		})
	}
}

// TestHundredCalls runs 100 calls at 10 a second with sound, checks what was
// recorded of every one, and then that nothing is left: calls, goroutines,
// ports, memory.
func TestHundredCalls(t *testing.T) {
	a := newApp(t)
	g, port := trunked(t, a, "")
	a.doc("/in", `<Response><Record maxLength="3" playBeep="false" trim="do-not-trim" timeout="0" finishOnKey="" action="/recorded"/></Response>`)
	a.doc("/recorded", `<Response><Hangup/></Response>`)
	said := speak(t, "One hundred callers say this sentence at the same time.")
	sound := filepath.Join(t.TempDir(), "said.ul")
	wav := filepath.Join(t.TempDir(), "said.wav")
	writeWAV(t, wav, append(said, make([]int16, 4*rate)...))
	command(t, "sox", wav, "-t", "ul", sound)
	g.settled()
	before := g.metrics()
	s := startSIPp(t, port, 100, strings.Replace(invite, "[media_port]", "[rtpstream_audio_port]", 1)+optional(100)+optional(180)+optional(183)+`<recv response="200" crlf="true" rtd="true"></recv>`+callerRequest("ACK", 1, "[branch]")+
		`<nop><action><exec rtp_stream="`+sound+`,1,0"/></action></nop>`+recv("BYE")+replyInDialog("200 OK", ""),
		g.sip, "-r", "10")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s.succeeds(ctx)
	poll(t, "every final callback", func() bool { return len(a.requests("/in-status")) >= 100 })
	if n := len(a.requests("/in-status")); n != 100 {
		t.Errorf("%d final callbacks for 100 calls", n)
	}
	bad := 0
	for _, r := range a.requests("/recorded") {
		file := filepath.Join(g.dir, "recordings", r.form.Get("RecordingSid")+".wav")
		got, _ := readWAV(t, file)
		if c := similarity(got, said[:min(len(said), 2*rate)]); c < 0.9 {
			bad++
			t.Logf("recording of call %s: similarity %.2f", r.form.Get("CallSid"), c)
		}
	}
	if n := len(a.requests("/recorded")); n != 100 || bad > 0 {
		t.Errorf("%d recordings, %d of them wrong", n, bad)
	}
	var after map[string]float64
	poll(t, "nothing is left", func() bool {
		after = g.metrics()
		return after["callbox_calls"] == 0 && after["callbox_rtp_ports_busy"] == 0 && after["callbox_rtp_ports_draining"] == 0 &&
			after["go_goroutines"] <= before["go_goroutines"]+5
	})
	t.Logf("RSS %.1f MiB before, %.1f MiB after; goroutines %v, %v", before["process_resident_memory_bytes"]/1048576,
		after["process_resident_memory_bytes"]/1048576, before["go_goroutines"], after["go_goroutines"])
	if grown := after["process_resident_memory_bytes"] - before["process_resident_memory_bytes"]; grown > 48<<20 {
		t.Errorf("the gateway has grown by %.1f MiB", grown/1048576)
	}
}

// TestStrangers: nobody unknown gets an answer on UDP, and no datagram ends the
// process.
func TestStrangers(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	c, err := net.Dial("udp", g.sip)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	head := " sip:100@" + g.sip + " SIP/2.0\r\nVia: SIP/2.0/UDP " + c.LocalAddr().String() + ";branch=z9hG4bK1\r\n"
	rest := "Call-ID: 1\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
	from := "From: <sip:100@192.0.2.1>;tag=1\r\nTo: <sip:100@192.0.2.1>\r\n"
	for _, m := range []string{
		"OPTIONS" + head + from + "CSeq: 1 OPTIONS\r\n" + rest,
		"INVITE" + head + from + "CSeq: 1 INVITE\r\n" + rest,
		"SUBSCRIBE" + head + from + "CSeq: 1 SUBSCRIBE\r\n" + rest,
		"INVITE" + head + "To: <sip:bob@192.0.2.1>\r\nCSeq: 1 INVITE\r\n" + rest, // no From
		"INVITE" + head, "\r\n\r\n", "\x00\x01\x02", strings.Repeat("A", 60000),
		"INVITE" + head + "From: <sip:bob@192.0.2.1>;tag=1\r\nTo: <sip:bob@192.0.2.1>\r\nCSeq: 1 INVITE\r\nCall-ID: 2\r\nMax-Forwards: 70\r\nContent-Type: application/sdp\r\nContent-Length: 2\r\n\r\n\r\n",
	} {
		if _, err := c.Write([]byte(m)); err != nil {
			t.Fatal(err)
		}
	}
	c.SetReadDeadline(time.Now().Add(2 * time.Second))
	buf := make([]byte, 2000)
	for {
		n, err := c.Read(buf)
		if os.IsTimeout(err) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Errorf("a stranger was answered: %s", buf[:n])
	}
	if m := g.metrics(); m["go_goroutines"] == 0 {
		t.Error("the gateway is gone")
	}
}
