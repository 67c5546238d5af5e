package sip

import (
	"bufio"
	"fmt"
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
	for _, method := range []string{"OPTIONS", "INVITE", "REGISTER", "BYE", "ACK", "CANCEL", "MESSAGE", "SUBSCRIBE", "PRACK", "UPDATE", "FOO"} {
		r.send(r.text(method, "100", "scan"))                                                                           // unknown user
		r.send(r.numbered(method, "100", "scan", 7, "tag"))                                                             // unknown dialog
		r.send(strings.Replace(r.text(method, "100", "scan"), "From: <sip:100@127.0.0.1>;tag=rawtag", "X-No: from", 1)) // malformed
	}
	r.send("INVITE\n\n")
	r.send("GET / HTTP/1.1\nHost: x\n\n")
	r.bytes([]byte{0, 1, 2, 3, 0xff, 0xfe})
	r.bytes([]byte("\r\n\r\n"))
	r.silent()
	eventually(t, "everything looked at", func() bool { return s.Counters().Strangers >= 20 })
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
		"unknown user": r.text("INVITE", "100", "scan"),
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
	r.send(r.text("SUBSCRIBE", "anybody", "sub"))
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
	if n := s.Counters().Malformed; n != 14 {
		t.Errorf("%d malformed", n)
	}
}

func TestRefusedInvites(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	in := trunkPeer(t, s)
	r := newRaw(t, s)
	r.send(r.invite("bob", "a", "Require: 100rel"))
	if v := headerValue(r.response(420), "Unsupported"); v != "100rel" {
		t.Errorf("Unsupported %q", v)
	}
	r.send(r.text("ACK", "bob", "a"))
	r.send(strings.Replace(r.invite("bob", "b"), "application/sdp", "text/html", 1))
	r.response(415)
	r.send(strings.Replace(r.invite("bob", "c"), "INVITE sip:bob", "INVITE mailto:bob", 1))
	r.response(416)
	// The same call by two ways.
	text := r.invite("bob", "d")
	r.send(text)
	r.response(100)
	r.send(strings.Replace(text, "branch=z9hG4bK", "branch=z9hG4bKother", 1))
	r.response(482)
	in.take(t).Reject(486, Reason{})
}

func TestMultipartOffer(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	in := trunkPeer(t, s)
	r := newRaw(t, s)
	body := "--b1\r\nContent-Type: application/isup\r\n\r\nxx\r\n--b1\r\nContent-Type: application/sdp\r\n\r\n" + sdpA + "\r\n--b1--\r\n"
	r.seq++
	r.bytes(append(crlf(r.numbered("INVITE", "bob", "multi", r.seq, "", "Content-Type: multipart/mixed; boundary=b1", fmt.Sprint("Content-Length: ", len(body)))), body...))
	d := in.take(t)
	if string(d.Info().Offer) != sdpA {
		t.Errorf("offer %q", d.Info().Offer)
	}
	d.Reject(486, Reason{})
}

// TestUnacknowledgedAnswer repeats its 200, then gives up with a BYE.
func TestUnacknowledgedAnswer(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	in := trunkPeer(t, s)
	r := newRaw(t, s)
	r.send(r.invite("bob", "noack"))
	d := in.take(t)
	if err := d.Answer([]byte(sdpB)); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		r.response(200)
	}
	bye := r.request("BYE")
	if v := headerValue(bye, "Reason"); !strings.Contains(v, "cause=102") {
		t.Errorf("reason %q", v)
	}
	r.answer(bye, 200, "", "", "")
	if ev := expectEnd(t, d); ev.By != ByNetwork || ev.Status != 408 {
		t.Errorf("end %+v", ev)
	}
}

// TestHangupBeforeAck waits for the ACK, but not for ever.
func TestHangupBeforeAck(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	in := trunkPeer(t, s)
	for _, ack := range []bool{true, false} {
		r := newRaw(t, s)
		r.send(r.invite("bob", fmt.Sprint("early", ack)))
		d := in.take(t)
		if err := d.Answer([]byte(sdpB)); err != nil {
			t.Fatal(err)
		}
		res := r.response(200)
		started := time.Now()
		d.Hangup(Reason{Q850: 16})
		if ack {
			r.send(r.numbered("ACK", "bob", "earlytrue", 1, toTagOf(t, res)))
		}
		r.answer(r.request("BYE"), 200, "", "", "")
		if ev := expectEnd(t, d); ev.By != ByLocal {
			t.Errorf("end %+v", ev)
		}
		if took := time.Since(started); took > 8*testT1+time.Second {
			t.Errorf("took %v", took)
		}
	}
}

// call is an answered and acknowledged call from r to the stack.
func (r *raw) call(in *inbox, callID string) (d *Dialog, toTag string) {
	r.t.Helper()
	r.send(r.invite("bob", callID))
	d = in.take(r.t)
	if err := d.Answer([]byte(sdpB)); err != nil {
		r.t.Fatal(err)
	}
	toTag = toTagOf(r.t, r.response(200))
	r.send(r.numbered("ACK", "bob", callID, r.seq, toTag))
	expect(r.t, d, Confirmed)
	return d, toTag
}

func TestLateRequestsGet481(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	in := newInbox()
	remove, err := s.AddPeer(Peer{Name: "trunk", Addrs: loopback(), Invite: func(d *Dialog) { in.ch <- d }})
	if err != nil {
		t.Fatal(err)
	}
	r := newRaw(t, s)
	d, tag := r.call(in, "late")
	bye := r.numbered("BYE", "bob", "late", 9, tag, `Reason: SIP;cause=200, Q.850;cause=31;text="normal, unspecified"`)
	r.send(bye)
	r.response(200)
	if ev := expectEnd(t, d); ev.Reason != (Reason{Q850: 31, SIP: 200, Text: "normal, unspecified"}) {
		t.Errorf("reason %+v", ev.Reason)
	}
	r.send(bye) // the same again: the transaction answers
	r.response(200)
	remove() // also to somebody who is no peer any more
	r.send(r.numbered("BYE", "bob", "late", 10, tag))
	r.response(481)
	r.send(r.numbered("INFO", "bob", "late", 11, tag))
	r.response(481)
	eventually(t, "the tag is forgotten", func() bool { return !s.remembers(tag) })
	r.send(r.numbered("BYE", "bob", "late", 12, tag))
	r.silent()
}

func TestRequestsOutOfOrder(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	in := trunkPeer(t, s)
	r := newRaw(t, s)
	d, tag := r.call(in, "order")
	r.send(r.numbered("INFO", "bob", "order", 20, tag))
	r.response(200)
	expect(t, d, Info)
	r.send(r.numbered("INFO", "bob", "order", 19, tag))
	r.response(500)
	r.send(r.numbered("OPTIONS", "bob", "order", 21, tag))
	r.response(200)
	r.send(r.numbered("NOTIFY", "bob", "order", 22, tag))
	r.response(405)
	r.send(strings.Replace(r.numbered("BYE", "bob", "order", 23, tag), "tag=rawtag", "tag=forged", 1))
	r.response(481)
	r.send(r.numbered("BYE", "bob", "order", 24, tag))
	r.response(200)
	expectEnd(t, d)
}

func TestCancelOfRawCaller(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	in := trunkPeer(t, s)
	r := newRaw(t, s)
	text := r.invite("bob", "cancel")
	r.send(text)
	d := in.take(t)
	r.response(100)
	if err := d.Ring(180, nil); err != nil {
		t.Fatal(err)
	}
	tag := toTagOf(t, r.response(180))
	branch := "branch=z9hG4bKcancel-" + fmt.Sprint(r.n)
	cancel := r.numbered("CANCEL", "bob", "cancel", r.seq, "", `Reason: SIP;cause=200;text="Call completed elsewhere"`)
	cancel = strings.Replace(cancel, "branch=z9hG4bKcancel-"+fmt.Sprint(r.n), branch, 1)
	r.send(cancel)
	if got := toTagOf(t, r.response(200)); got != tag {
		t.Errorf("200 of CANCEL has tag %s, 180 had %s", got, tag)
	}
	if got := toTagOf(t, r.response(487)); got != tag {
		t.Errorf("487 has tag %s, 180 had %s", got, tag)
	}
	r.response(487) // repeated until the ACK
	ack := strings.Replace(r.numbered("ACK", "bob", "cancel", r.seq, tag), "branch=z9hG4bKcancel-"+fmt.Sprint(r.n), branch, 1)
	r.send(ack)
	if ev := expectEnd(t, d); ev.Reason.SIP != 200 || ev.Status != 487 {
		t.Errorf("end %+v", ev)
	}
}

// TestByeInsteadOfCancel is allowed to callers (RFC 3261 §15).
func TestByeInsteadOfCancel(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	in := trunkPeer(t, s)
	r := newRaw(t, s)
	r.send(r.invite("bob", "bye"))
	d := in.take(t)
	if err := d.Ring(180, nil); err != nil {
		t.Fatal(err)
	}
	tag := toTagOf(t, r.response(180))
	r.send(r.numbered("BYE", "bob", "bye", 5, tag))
	seen := map[int]bool{}
	for !seen[200] || !seen[487] {
		res, ok := r.message(patience).(*gosip.Response)
		if !ok {
			t.Fatalf("only %v", seen)
		}
		seen[res.StatusCode] = true
	}
	expectEnd(t, d)
}

func TestReinvitesOfRawCaller(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	in := trunkPeer(t, s)
	r := newRaw(t, s)
	d, tag := r.call(in, "re")
	sdp := []string{"Content-Type: application/sdp", fmt.Sprint("Content-Length: ", len(sdpA))}
	// An UPDATE without a body is a session timer.
	r.send(r.numbered("UPDATE", "bob", "re", 10, tag))
	r.response(200)
	// With one it is an offer.
	r.send(r.numbered("UPDATE", "bob", "re", 11, tag, sdp...) + sdpA)
	expect(t, d, Offer)
	r.send(r.numbered("INVITE", "bob", "re", 12, tag, sdp...) + sdpA)
	r.response(500) // one at a time
	if err := d.AcceptOffer([]byte(sdpB)); err != nil {
		t.Fatal(err)
	}
	if res := r.response(200); string(res.Body()) != sdpB {
		t.Errorf("answer %q", res.Body())
	}
	// Without a body the box offers.
	r.send(r.numbered("INVITE", "bob", "re", 13, tag))
	if ev := expect(t, d, Offer); ev.SDP != nil {
		t.Errorf("offer %q", ev.SDP)
	}
	if err := d.AcceptOffer([]byte(sdpB)); err != nil {
		t.Fatal(err)
	}
	r.responseTo(200, 13)
	r.send(r.numbered("ACK", "bob", "re", 13, tag, sdp...) + sdpA)
	if ev := expect(t, d, Confirmed); string(ev.SDP) != sdpA {
		t.Errorf("confirmed %q", ev.SDP)
	}
	// Nobody answers an offer: it is refused, and the call goes on.
	r.send(r.numbered("INVITE", "bob", "re", 14, tag, sdp...) + sdpA)
	expect(t, d, Offer)
	r.responseTo(500, 14)
	if err := d.AcceptOffer([]byte(sdpB)); err != ErrState {
		t.Errorf("late answer: %v", err)
	}
	// Both at once.
	asked := make(chan error, 1)
	go func() {
		_, err := d.Reinvite(t.Context(), []byte(sdpA))
		asked <- err
	}()
	ours := r.request("INVITE")
	r.send(r.numbered("INVITE", "bob", "re", 15, tag, sdp...) + sdpA)
	r.responseTo(491, 15)
	r.answer(ours, 491, "", "", "")
	if err := <-asked; err != ErrGlare {
		t.Errorf("glare: %v", err)
	}
	// The far end has lost the call.
	go func() {
		_, err := d.Reinvite(t.Context(), []byte(sdpA))
		asked <- err
	}()
	r.answer(r.request("INVITE"), 481, "", "", "")
	r.answer(r.request("BYE"), 481, "", "", "")
	if ev := expectEnd(t, d); ev.By != ByNetwork || ev.Status != 481 {
		t.Errorf("end %+v", ev)
	}
	<-asked
}

// TestRouteSetOfArrival sends BYE through the proxies that recorded themselves.
func TestRouteSetOfArrival(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	in := trunkPeer(t, s)
	r, proxy := newRaw(t, s), newRaw(t, s)
	r.send(strings.Replace(r.invite("bob", "rr", "Record-Route: <sip:"+proxy.addr()+";lr>, <sip:p2.example;lr>"), "Contact: <sip:bob@"+r.addr()+">", "Contact: <sip:alice@192.0.2.7:5062>", 1))
	d := in.take(t)
	if err := d.Answer([]byte(sdpB)); err != nil {
		t.Fatal(err)
	}
	res := r.response(200)
	if n := len(res.GetHeaders("Record-Route")); n != 2 {
		t.Errorf("%d Record-Route in the 200", n)
	}
	r.send(r.numbered("ACK", "bob", "rr", r.seq, toTagOf(t, res)))
	expect(t, d, Confirmed)
	d.Hangup(Reason{})
	bye := proxy.request("BYE")
	if bye.Recipient.String() != "sip:alice@192.0.2.7:5062" || len(bye.GetHeaders("Route")) != 2 {
		t.Errorf("BYE:\n%s", bye)
	}
	proxy.answer(bye, 200, "", "", "")
	expectEnd(t, d)
}

// TestNATedContact answers back to where the INVITE came from when the contact
// is a private address that cannot be the sender's.
func TestNATedContact(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	in := trunkPeer(t, s)
	r := newRaw(t, s)
	r.send(strings.Replace(r.invite("bob", "nat"), "Contact: <sip:bob@"+r.addr()+">", "Contact: <sip:alice@192.168.77.5:5062>", 1))
	d := in.take(t)
	if err := d.Answer([]byte(sdpB)); err != nil {
		t.Fatal(err)
	}
	r.send(r.numbered("ACK", "bob", "nat", r.seq, toTagOf(t, r.response(200))))
	expect(t, d, Confirmed)
	d.Hangup(Reason{})
	r.answer(r.request("BYE"), 200, "", "", "")
	expectEnd(t, d)
}

// TestWildcardListener is a multi-homed host: every address of 127/8 is ours.
func TestWildcardListener(t *testing.T) {
	t.Parallel()
	s := startStack(t, func(c *Config) { c.UDP, c.TCP = []string{":0"}, []string{":0"} })
	in := trunkPeer(t, s)
	port := s.Addr("udp").Port()
	pc, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 7)})
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	box := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.9"), port)
	text := strings.Join([]string{
		"INVITE sip:bob@" + box.String() + " SIP/2.0", "Via: SIP/2.0/UDP " + pc.LocalAddr().String() + ";branch=z9hG4bKw;rport",
		"From: <sip:a@127.0.0.7>;tag=x", "To: <sip:bob@127.0.0.9>", "Call-ID: wild", "CSeq: 1 INVITE", "Max-Forwards: 70",
		"Contact: <sip:a@" + pc.LocalAddr().String() + ">", "Content-Length: 0", "", "",
	}, "\r\n")
	if _, err := pc.WriteToUDPAddrPort([]byte(text), box); err != nil {
		t.Fatal(err)
	}
	d := in.take(t)
	if got := d.Info().Local.String(); got != "127.0.0.9" {
		t.Errorf("local address %s", got)
	}
	d.Reject(486, Reason{})
	buf := make([]byte, 4096)
	_ = pc.SetReadDeadline(time.Now().Add(patience))
	_, from, err := pc.ReadFromUDPAddrPort(buf)
	if err != nil || from != box {
		t.Errorf("answered from %v, %v", from, err)
	}
	// Outgoing: Via and Contact show the address that the peer will see.
	r := newRaw(t, s)
	if _, err := s.Invite(t.Context(), Invite{Target: "sip:x@" + r.addr(), From: "box"}); err != nil {
		t.Fatal(err)
	}
	inv := r.request("INVITE")
	want := fmt.Sprintf("127.0.0.1:%d", port)
	if !strings.Contains(headerValue(inv, "Via"), want) || headerValue(inv, "Contact") != "<sip:box@"+want+">" || inv.From().Address.Host != "127.0.0.1" {
		t.Errorf("INVITE:\n%s", inv)
	}
	r.answer(inv, 486, "t", "", "")
	if got := s.LocalFor("127.0.0.1:5060").String(); got != "127.0.0.1" {
		t.Errorf("LocalFor %s", got)
	}
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
