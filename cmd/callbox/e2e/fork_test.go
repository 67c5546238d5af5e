//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"
)

// rawCallee is a far end made of bare datagrams that the box calls.
type rawCallee struct {
	t    *testing.T
	conn *net.UDPConn
	box  net.Addr
}

func newRawCallee(t *testing.T, port int) *rawCallee {
	t.Helper()
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &rawCallee{t: t, conn: c}
}

// next waits for a request of this method; others are passed over.
func (c *rawCallee) next(method string) string {
	c.t.Helper()
	c.conn.SetReadDeadline(time.Now().Add(patience))
	buf := make([]byte, 65536)
	for {
		n, from, err := c.conn.ReadFrom(buf)
		if err != nil {
			c.t.Fatalf("no %s: %v", method, err)
		}
		if text := string(buf[:n]); strings.HasPrefix(text, method+" ") {
			c.box = from
			return text
		}
	}
}

// respond answers a request as the branch with this tag; sound at port 0: without
// a session description. extra are further headers.
func (c *rawCallee) respond(request, status, tag string, port int, extra ...string) {
	c.t.Helper()
	out := "SIP/2.0 " + status + "\r\n"
	for _, l := range strings.Split(request, "\r\n") {
		switch name, _, _ := strings.Cut(l, ":"); name {
		case "To":
			if !strings.Contains(l, ";tag=") {
				l += ";tag=" + tag
			}
			out += l + "\r\n"
		case "Via", "From", "Call-ID", "CSeq":
			out += l + "\r\n"
		}
	}
	body, typ := "", ""
	if port != 0 {
		body = fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio %d RTP/AVP 0\r\n", port)
		typ = "Content-Type: application/sdp\r\n"
	}
	for _, e := range extra {
		typ += e + "\r\n"
	}
	out += fmt.Sprintf("Contact: <sip:%s@%s>\r\n%sContent-Length: %d\r\n\r\n%s", tag, c.conn.LocalAddr(), typ, len(body), body)
	if _, err := c.conn.WriteTo([]byte(out), c.box); err != nil {
		c.t.Fatal(err)
	}
}

// TestForkedCall: a proxy in front of two phones. Both send early media, the second
// one answers, and so does the first one, too late: it gets an ACK and a BYE, and the
// call with the second goes on.
func TestForkedCall(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.doc("/voice", `<Response><Pause length="600"/></Response>`)
	g, port := trunked(t, a, "")
	c := newRawCallee(t, port)
	first, second := freePorts(t, 2), freePorts(t, 2)
	sid := g.create(url.Values{"To": {"+14155550123"}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"}})
	invite := c.next("INVITE")
	c.respond(invite, "183 Session Progress", "carol", first)
	c.respond(invite, "183 Session Progress", "dave", second)
	g.until(sid, "ringing")
	c.respond(invite, "200 OK", "dave", second)
	if ack := c.next("ACK"); headerParam(ack, "To", "tag") != "dave" || !strings.HasPrefix(ack, "ACK sip:dave@") {
		t.Errorf("the answer is acknowledged by\n%s", ack)
	}
	g.until(sid, "in-progress")
	c.respond(invite, "200 OK", "carol", first)
	if ack := c.next("ACK"); headerParam(ack, "To", "tag") != "carol" {
		t.Errorf("the second answer is acknowledged by\n%s", ack)
	}
	bye := c.next("BYE")
	if headerParam(bye, "To", "tag") != "carol" {
		t.Errorf("the second answer is ended by\n%s", bye)
	}
	c.respond(bye, "200 OK", "", 0)
	if _, call := g.get("/Calls/" + sid + ".json"); call["status"] != "in-progress" {
		t.Errorf("the call is %v", call["status"])
	}
	if code, _ := g.post("/Calls/"+sid+".json", url.Values{"Status": {"completed"}}); code != 200 {
		t.Errorf("hang up: %d", code)
	}
	bye = c.next("BYE")
	if headerParam(bye, "To", "tag") != "dave" {
		t.Errorf("the call is ended by\n%s", bye)
	}
	c.respond(bye, "200 OK", "", 0)
	g.until(sid, "completed")
}
