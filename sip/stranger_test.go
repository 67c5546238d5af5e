package sip

import (
	"bufio"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"
)

func TestStrangersGetSilence(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	in, _ := userPeer(t, s)
	r := newRaw(t, s)
	for _, method := range []string{"OPTIONS", "INVITE", "BYE", "ACK", "CANCEL", "MESSAGE", "SUBSCRIBE", "PRACK", "UPDATE", "FOO"} {
		r.send(r.text(method, "100", "scan"))                                                                           // unknown user
		r.send(r.numbered(method, "100", "scan", 7, "tag"))                                                             // unknown dialog
		r.send(strings.Replace(r.text(method, "100", "scan"), "From: <sip:100@127.0.0.1>;tag=rawtag", "X-No: from", 1)) // malformed
	}
	r.send("INVITE\n\n")
	r.send("GET / HTTP/1.1\nHost: x\n\n")
	r.bytes([]byte{0, 1, 2, 3, 0xff, 0xfe})
	r.bytes([]byte("\r\n\r\n"))
	r.silent()
	eventually(t, "everything looked at", func() bool { return s.Counters().Strangers >= 18 })
	select {
	case d := <-in.ch:
		t.Errorf("a stranger got through: %+v", d.Info())
	default:
	}
	if c := s.Counters(); c.ServerTx != 0 || c.Dialogs != 0 {
		t.Errorf("strangers left something behind: %+v", c)
	}
}

func TestStrangersLoseTheirConnection(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	userPeer(t, s)
	r := newRaw(t, s) // for its texts
	for name, text := range map[string]string{
		"unknown user": r.text("OPTIONS", "100", "scan"),
		"malformed":    strings.Replace(r.text("OPTIONS", "100", "scan"), "CSeq", "X-Seq", 1),
		"no boundary":  strings.Replace(r.text("OPTIONS", "201", "scan"), "Content-Length", "X-Length", 1),
		"not SIP":      "GET / HTTP/1.1\nContent-Length: 0\n\n",
	} {
		c, err := net.Dial("tcp", s.Addr("tcp").String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write(crlf(text)); err != nil {
			t.Fatal(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(patience))
		if n, err := c.Read(make([]byte, 100)); n != 0 || err == nil || strings.Contains(err.Error(), "timeout") {
			t.Errorf("%s: read %d bytes, %v", name, n, err)
		}
		_ = c.Close()
	}
	eventually(t, "connections forgotten", func() bool { return s.Counters().Conns == 0 })
}

func TestOptionsOfKnownPeers(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	trunkPeer(t, s)
	r := newRaw(t, s)
	r.send(r.text("OPTIONS", "anybody", "ping"))
	res := r.response(200)
	if !strings.Contains(headerValue(res, "Allow"), "INVITE") || toTagOf(t, res) == "" {
		t.Errorf("options:\n%s", res)
	}
	if v := headerValue(res, "Via"); !strings.Contains(v, "rport="+strings.Split(r.addr(), ":")[1]) || !strings.Contains(v, "received=127.0.0.1") {
		t.Errorf("Via %s", v)
	}
	r.send(r.text("SUBSCRIBE", "anybody", "sub")) // that is for users
	r.response(403)
	r.send(r.text("PUBLISH", "anybody", "publish"))
	r.response(405)
	r.send(r.text("CANCEL", "anybody", "cancel"))
	r.response(481)
}

// TestMalformedFromKnownPeers gets 400 where a response can be made at all.
func TestMalformedFromKnownPeers(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	in := trunkPeer(t, s)
	r := newRaw(t, s)
	good := func() string { return r.invite("bob", "mal") }
	for name, c := range map[string]struct{ text, old, new string }{
		"CSeq method":     {good(), " INVITE\nMax", " OPTIONS\nMax"},
		"no Max-Forwards": {good(), "Max-Forwards: 70", "X-Forwards: 70"},
		"From tag":        {good(), ";tag=rawtag", ""},
		"two From":        {good(), "Call-ID", "From: <sip:eve@127.0.0.1>;tag=2\nCall-ID"},
		"two contacts":    {good(), "Contact", "Contact: <sip:eve@127.0.0.1>\nContact"},
		"no contact":      {good(), "Contact", "X-Contact"},
		"version":         {good(), " SIP/2.0\nVia", " SIP/7.0\nVia"},
		"URI headers":     {good(), " SIP/2.0\nVia", "?Route=%3Csip:example.com%3E SIP/2.0\nVia"},
	} {
		r.send(strings.Replace(c.text, c.old, c.new, 1))
		limit := time.Now().Add(patience)
		var res *gosip.Response
		for res == nil && time.Now().Before(limit) {
			res, _ = r.message(patience).(*gosip.Response)
		}
		if res == nil || res.StatusCode != 400 {
			t.Errorf("%s: %v", name, res)
		}
	}
	for name, c := range map[string]struct{ text, old, new string }{
		"no From":    {good(), "From: ", "X-From: "},
		"no To":      {good(), "To: ", "X-To: "},
		"no Call-ID": {good(), "Call-ID: ", "X-ID: "},
		"no CSeq":    {good(), "CSeq: ", "X-Seq: "},
		"no Via":     {good(), "Via: ", "X-Via: "},
		"control":    {good(), "Call-ID: mal", "Call-ID: m\x00al"},
	} {
		r.send(strings.Replace(c.text, c.old, c.new, 1))
		if m := r.message(2 * testT1); m != nil {
			t.Errorf("%s was answered:\n%s", name, m)
		}
	}
	select {
	case d := <-in.ch:
		t.Errorf("a malformed INVITE arrived: %+v", d.Info())
	default:
	}
	eventually(t, "14 malformed", func() bool { return s.Counters().Malformed == 14 })
}

// TestTrunksOnOneHost are told apart by source port and by request user.
func TestTrunksOnOneHost(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	r1, r2, r3 := newRaw(t, s), newRaw(t, s), newRaw(t, s)
	got := make(chan string, 8)
	add := func(p Peer) {
		t.Helper()
		p.Invite = func(d *Dialog) { got <- p.Name; d.Reject(486, Reason{}) }
		if _, err := s.AddPeer(p); err != nil {
			t.Fatal(err)
		}
	}
	port := func(r *raw) uint16 { return netip.MustParseAddrPort(r.addr()).Port() }
	add(Peer{Name: "by port", Addrs: loopback(), Port: port(r1)})
	add(Peer{Name: "account a", Addrs: loopback(), Port: port(r2), RequestUsers: []string{"a"}})
	add(Peer{Name: "account b", Addrs: loopback(), Port: port(r2), RequestUsers: []string{"b"}})
	for _, c := range []struct {
		r          *raw
		user, want string
	}{{r1, "x", "by port"}, {r2, "a", "account a"}, {r2, "b", "account b"}, {r2, "c", "account a"}} {
		c.r.send(c.r.invite(c.user, "id"+c.user))
		if name := <-got; name != c.want {
			t.Errorf("%s got to %s, want %s", c.user, name, c.want)
		}
	}
	r3.send(r3.invite("x", "x3"))
	r3.silent()
	for _, bad := range []Peer{{}, {Name: "x"}, {Name: "by port", Addrs: loopback()}, {Name: "u", Username: "u"}, {Name: "r", Addrs: loopback(), Register: true}} {
		if _, err := s.AddPeer(bad); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
}

// TestKeepAliveOverTCP answers a ping and takes messages in any pieces.
func TestKeepAliveOverTCP(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	trunkPeer(t, s)
	r := newRaw(t, s)
	c, err := net.Dial("tcp", s.Addr("tcp").String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write([]byte("\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	rd := bufio.NewReader(c)
	if line, err := rd.ReadString('\n'); err != nil || line != "\r\n" {
		t.Fatalf("pong %q, %v", line, err)
	}
	text := crlf(strings.ReplaceAll(r.text("OPTIONS", "x", "tcp"), "/UDP", "/TCP") + strings.ReplaceAll(r.text("OPTIONS", "x", "tcp"), "/UDP", "/TCP"))
	for i := 0; i < len(text); i += 97 {
		if _, err := c.Write(text[i:min(i+97, len(text))]); err != nil {
			t.Fatal(err)
		}
	}
	for n := 0; n < 2; {
		line, err := rd.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(line, "SIP/2.0 200") {
			n++
		}
	}
}
