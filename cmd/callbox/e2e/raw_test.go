//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// rawCaller is a SIP peer made of bare datagrams, for what no proper user agent
// does. It is one dialog towards the box.
type rawCaller struct {
	t       *testing.T
	g       *gateway
	conn    net.Conn
	id      string
	toTag   string
	rtpPort int
	body    string // of an INVITE, and of the ACK to one without; own: the usual offer
}

// own stands for the offer of a telephone.
const own = "own"

// newRawCaller opens a socket towards the box; rtpPort is where it wants sound.
func newRawCaller(t *testing.T, g *gateway, id string, rtpPort int) *rawCaller {
	t.Helper()
	c, err := net.Dial("udp", g.sip)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &rawCaller{t: t, g: g, conn: c, id: id, rtpPort: rtpPort, body: own}
}

// request makes a request of the dialog.
func (r *rawCaller) request(method, branch string, cseq int) string {
	to := "<sip:+14155550100@" + r.g.sip + ">"
	if r.toTag != "" {
		to += ";tag=" + r.toTag
	}
	body, typ := "", ""
	switch {
	case method != "INVITE" && method != "ACK 200" || r.body == "":
	case r.body != own:
		body, typ = r.body, "Content-Type: application/sdp\r\n"
	case method == "INVITE":
		body = fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio %d RTP/AVP 0 101\r\n"+
			"a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n", r.rtpPort)
		typ = "Content-Type: application/sdp\r\n"
	}
	kind := method
	if method == "ACK 200" {
		method, kind = "ACK", "ACK"
	}
	return fmt.Sprintf("%s sip:+14155550100@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s%s;rport\r\nFrom: <sip:+14155550177@127.0.0.1>;tag=f%s\r\n"+
		"To: %s\r\nCall-ID: %s@127.0.0.1\r\nCSeq: %d %s\r\nContact: <sip:raw@%s>\r\nMax-Forwards: 70\r\n%sContent-Length: %d\r\n\r\n%s",
		method, r.g.sip, r.conn.LocalAddr(), r.id, branch, r.id, to, r.id, cseq, kind, r.conn.LocalAddr(), typ, len(body), body)
}

// send sends a request n times.
func (r *rawCaller) send(message string, n int) {
	r.t.Helper()
	for range n {
		if _, err := r.conn.Write([]byte(message)); err != nil {
			r.t.Fatal(err)
		}
	}
}

// answer waits for a message whose CSeq is this and gives its status, 0 for a
// request; the second value is the whole message. Provisional responses are
// passed over. With d over it gives -1.
func (r *rawCaller) answer(cseq string, d time.Duration) (int, string) {
	r.t.Helper()
	r.conn.SetReadDeadline(time.Now().Add(d))
	buf := make([]byte, 65536)
	for {
		n, err := r.conn.Read(buf)
		if os.IsTimeout(err) {
			return -1, ""
		}
		if err != nil {
			r.t.Fatal(err)
		}
		text := string(buf[:n])
		if !strings.Contains(text, "\r\nCSeq: "+cseq+"\r\n") {
			continue
		}
		if !strings.HasPrefix(text, "SIP/2.0 ") {
			return 0, text
		}
		status, err := strconv.Atoi(text[8:11])
		if err != nil {
			r.t.Fatalf("a response without a status: %s", text)
		}
		if status < 200 {
			continue
		}
		if m := headerParam(text, "To", "tag"); m != "" && status < 300 {
			r.toTag = m
		}
		return status, text
	}
}

// asked waits for a request of the box; others are answered 200.
func (r *rawCaller) asked(method string) string {
	r.t.Helper()
	r.conn.SetReadDeadline(time.Now().Add(patience))
	buf := make([]byte, 65536)
	for {
		n, err := r.conn.Read(buf)
		if err != nil {
			r.t.Fatalf("no %s: %v", method, err)
		}
		text := string(buf[:n])
		switch {
		case strings.HasPrefix(text, "SIP/2.0 "), strings.HasPrefix(text, "ACK "):
		case strings.HasPrefix(text, method+" "):
			return text
		default:
			r.reply(text, "200 OK")
		}
	}
}

// reply answers a request of the box without a body.
func (r *rawCaller) reply(request, status string, extra ...string) {
	r.t.Helper()
	out := "SIP/2.0 " + status + "\r\n"
	for _, l := range strings.Split(request, "\r\n") {
		name, _, _ := strings.Cut(l, ":")
		switch name {
		case "Via", "From", "To", "Call-ID", "CSeq", "Record-Route":
			if name == "To" && !strings.Contains(l, ";tag=") {
				l += ";tag=raw" + r.id
			}
			out += l + "\r\n"
		}
	}
	for _, e := range extra {
		out += e + "\r\n"
	}
	r.send(out+"Contact: <sip:raw@"+r.conn.LocalAddr().String()+">\r\nContent-Length: 0\r\n\r\n", 1)
}

// provisional waits for a provisional response of this status.
func (r *rawCaller) provisional(status int) string {
	r.t.Helper()
	return r.next(fmt.Sprintf("SIP/2.0 %d ", status))
}

// next reads datagrams until one begins with start.
func (r *rawCaller) next(start string) string {
	r.t.Helper()
	r.conn.SetReadDeadline(time.Now().Add(patience))
	buf := make([]byte, 65536)
	for {
		n, err := r.conn.Read(buf)
		if err != nil {
			r.t.Fatalf("no %s: %v", start, err)
		}
		if text := string(buf[:n]); strings.HasPrefix(text, start) {
			return text
		}
	}
}

// header is a header of a message.
func header(message, name string) string {
	for _, l := range strings.Split(message, "\r\n") {
		if v, ok := strings.CutPrefix(l, name+": "); ok {
			return v
		}
	}
	return ""
}

// headerParam is a parameter of a header of a message.
func headerParam(message, header, param string) string {
	for _, l := range strings.Split(message, "\r\n") {
		if rest, ok := strings.CutPrefix(l, header+": "); ok {
			if _, v, ok := strings.Cut(rest, ";"+param+"="); ok {
				v, _, _ = strings.Cut(v, ";")
				return v
			}
		}
	}
	return ""
}

// must fails the test unless the next answer has this status.
func (r *rawCaller) must(cseq string, want int) string {
	r.t.Helper()
	got, text := r.answer(cseq, patience)
	if got != want {
		r.t.Fatalf("answer to %s: %d, want %d\n%s", cseq, got, want, text)
	}
	return text
}

// TestDatagramDisorder: a network that repeats, loses and reorders SIP messages
// makes one call of one INVITE and ends it when it is told to.
func TestDatagramDisorder(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	g, _ := trunked(t, a, "")
	a.doc("/in", `<Response><Pause length="0"/><Play>/nothing.wav</Play><Pause length="60"/></Response>`)
	calls := func() int {
		_, list := g.get("/Calls.json")
		return len(list["calls"].([]any))
	}
	rtp := freePorts(t, 2)

	r := newRawCaller(t, g, "repeated", rtp)
	invite := r.request("INVITE", "a", 1)
	r.send(invite, 3) // one INVITE, three datagrams
	r.must("1 INVITE", 200)
	merged := newRawCaller(t, g, "repeated", rtp)
	merged.send(merged.request("INVITE", "b", 1), 1) // the same, by another way (RFC 3261 §8.2.2.2)
	merged.must("1 INVITE", 482)
	r.send(invite, 1) // late
	r.must("1 INVITE", 200)
	// The ACK gets lost: the 200 comes again, with growing pauses.
	began := time.Now()
	r.must("1 INVITE", 200)
	r.must("1 INVITE", 200)
	if d := time.Since(began); d < 400*time.Millisecond || d > 15*time.Second {
		t.Errorf("two repetitions of the 200 took %s", d)
	}
	r.send(r.request("ACK", "c", 1), 2)
	for status, _ := r.answer("1 INVITE", 100*time.Millisecond); status == 200; status, _ = r.answer("1 INVITE", 100*time.Millisecond) {
	}
	if status, _ := r.answer("1 INVITE", 4500*time.Millisecond); status == 200 {
		t.Error("the 200 comes again although it was acknowledged")
	}
	if n, m := calls(), len(a.requests("/in")); n != 1 || m != 1 {
		t.Errorf("%d calls, %d requests for a document, want 1", n, m)
	}

	// A request that is older than the last one is refused and changes nothing.
	r.send(r.request("BYE", "d", 1), 1)
	r.must("1 BYE", 500)
	r.send(r.request("OPTIONS", "e", 7), 1)
	r.must("7 OPTIONS", 200)
	r.send(r.request("BYE", "f", 5), 1)
	r.must("5 BYE", 500)
	if g.metrics()["callbox_calls"] != 1 {
		t.Fatal("a request out of order has ended the call")
	}
	// CANCEL is too late for an answered call, and wrong for one that never was.
	cancel := r.request("CANCEL", "a", 1)
	r.send(strings.Replace(cancel, ";tag="+r.toTag, "", 1), 1)
	if status, text := r.answer("1 CANCEL", patience); status != 200 && status != 481 {
		t.Errorf("late CANCEL: %d\n%s", status, text)
	}
	other := newRawCaller(t, g, "nobody", rtp)
	other.send(other.request("CANCEL", "x", 1), 1)
	other.must("1 CANCEL", 481)
	other.toTag = "none"
	other.send(other.request("ACK", "y", 1), 1)
	other.send(other.request("BYE", "z", 2), 1)
	other.must("2 BYE", 481)
	if g.metrics()["callbox_calls"] != 1 {
		t.Fatal("requests outside the call have ended it")
	}

	bye := r.request("BYE", "g", 9)
	r.send(bye, 1)
	r.must("9 BYE", 200)
	r.send(bye, 1)
	r.must("9 BYE", 200) // repeated: the same answer
	r.send(r.request("BYE", "h", 10), 1)
	r.must("10 BYE", 481)
	last := a.until("/in-status", 1)
	if last.form.Get("CallStatus") != "completed" {
		t.Errorf("final callback %v", last.form)
	}
	r.send(invite, 1) // hours late: it must not ring anybody
	pauseFor(500 * time.Millisecond)
	if n := calls(); n != 1 {
		t.Errorf("%d calls in the list, want 1", n)
	}
}
