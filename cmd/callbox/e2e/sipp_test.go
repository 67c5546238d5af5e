//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Scenarios are made of these steps, so that each test reads as the ladder it
// is. The answers copy what the request had, as a user agent does.

const scenarioHead = `<?xml version="1.0" encoding="UTF-8"?>
<scenario name="callbox">
`

const scenarioTail = "</scenario>\n"

// sdpLines is SIPp's offer or answer: PCMU and telephone-event.
const sdpLines = `
v=0
o=sipp 53655765 2353687637 IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 0 101
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=%s
`

func recv(request string) string {
	return fmt.Sprintf("<recv request=%q crlf=\"true\"></recv>\n", request)
}

// reply answers the last request; sdp is empty, or a direction (sendrecv …).
func reply(status, extra, sdp string) string {
	body, typ := "Content-Length: 0\n", ""
	if sdp != "" {
		typ = "Content-Type: application/sdp\n"
		body = "Content-Length: [len]\n" + fmt.Sprintf(sdpLines, sdp)
	}
	if extra != "" {
		extra += "\n"
	}
	return `<send><![CDATA[
SIP/2.0 ` + status + `
[last_Via:]
[last_From:]
[last_To:];tag=[pid]T[call_number]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>
` + extra + typ + body + `
]]></send>
`
}

// replyInDialog answers a request inside the dialog, whose To has a tag already.
func replyInDialog(status, sdp string) string {
	return strings.Replace(reply(status, "", sdp), ";tag=[pid]T[call_number]", "", 1)
}

func pause(d time.Duration) string {
	return fmt.Sprintf("<pause milliseconds=\"%d\"/>\n", d.Milliseconds())
}

// request sends a request of the UAS inside the dialog: From and To change places.
func request(method string, cseq int, sdp string) string {
	body, typ := "Content-Length: 0\n", ""
	if sdp != "" {
		typ = "Content-Type: application/sdp\n"
		body = "Content-Length: [len]\n" + fmt.Sprintf(sdpLines, sdp)
	}
	retrans := ` retrans="500"`
	if method == "ACK" {
		retrans = ""
	}
	return `<send` + retrans + `><![CDATA[
` + method + ` [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: ` + "[$mine]" + `
To: ` + "[$theirs]" + `
[last_Call-ID:]
CSeq: ` + strconv.Itoa(cseq) + ` ` + method + `
Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>
Max-Forwards: 70
` + typ + body + `
]]></send>
`
}

// remember keeps who is who for requests of the UAS; it replaces recv("INVITE").
const remember = `<recv request="INVITE" crlf="true" rrs="true"><action>
<ereg regexp=".*" search_in="hdr" header="From:" assign_to="theirs"/>
<ereg regexp=".*" search_in="hdr" header="To:" assign_to="to"/>
<assignstr assign_to="mine" value="[$to];tag=[pid]T[call_number]"/>
</action></recv>
`

func expect(status int) string {
	return fmt.Sprintf("<recv response=\"%d\" crlf=\"true\"></recv>\n", status)
}

func optional(status int) string {
	return fmt.Sprintf("<recv response=\"%d\" optional=\"true\"></recv>\n", status)
}

// sipp is a running SIPp.
type sipp struct {
	t    *testing.T
	cmd  *exec.Cmd
	dir  string
	port int
	out  *lockedBuffer
	done chan error
}

// startSIPp runs a scenario on 127.0.0.1:port until it has seen calls calls. It says
// OK to OPTIONS, by which the box asks far ends without sound for a sign of life.
func startSIPp(t *testing.T, port, calls int, scenario string, args ...string) *sipp {
	t.Helper()
	return place{}.startSIPp(t, port, calls, scenario, args...)
}

// startSIPp is the same at another place.
func (p place) startSIPp(t *testing.T, port, calls int, scenario string, args ...string) *sipp {
	t.Helper()
	s := &sipp{t: t, dir: t.TempDir(), port: port, out: &lockedBuffer{}, done: make(chan error, 1)}
	file := filepath.Join(s.dir, "scenario.xml")
	if err := os.WriteFile(file, []byte(scenarioHead+scenario+scenarioTail), 0o600); err != nil {
		t.Fatal(err)
	}
	media := 20000 + port
	args = append([]string{"-sf", file, "-i", p.host(), "-p", strconv.Itoa(port), "-mi", p.host(),
		"-mp", strconv.Itoa(media &^ 1), "-m", strconv.Itoa(calls), "-nostdin", "-aa", "-trace_err",
		"-error_file", filepath.Join(s.dir, "errors"), "-timeout", "1200", "-timeout_error"}, args...)
	s.cmd = p.command("sipp", args...)
	s.cmd.Dir = s.dir
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.out
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { s.done <- s.cmd.Wait() }()
	t.Cleanup(func() {
		s.cmd.Process.Kill()
		select {
		case <-s.done:
		case <-time.After(patience):
		}
	})
	return s
}

// succeeds waits until SIPp has seen all its calls go as the scenario says.
func (s *sipp) succeeds(ctx context.Context) {
	s.t.Helper()
	select {
	case err := <-s.done:
		s.done <- err
		if err != nil {
			s.fail(fmt.Sprintf("sipp: %v", err))
		}
	case <-ctx.Done():
		s.fail("sipp did not finish")
	}
}

func (s *sipp) fail(what string) {
	s.t.Helper()
	errors, _ := os.ReadFile(filepath.Join(s.dir, "errors"))
	out := s.out.String()
	s.t.Fatalf("%s\n%s\n%s", what, out[max(0, len(out)-3000):], errors)
}
