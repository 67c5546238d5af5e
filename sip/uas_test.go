package sip

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"
)

func TestRefusedInvites(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	in := trunkPeer(t, s)
	r := newRaw(t, s)
	r.send(r.invite("bob", "a", "Require: timer, sec-agree"))
	if v := headerValue(r.response(420), "Unsupported"); v != "sec-agree" {
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
	expect(t, d, Told)
	r.send(r.numbered("INFO", "bob", "order", 19, tag))
	r.response(500)
	r.send(r.numbered("OPTIONS", "bob", "order", 21, tag))
	r.response(200)
	r.send(r.numbered("PUBLISH", "bob", "order", 22, tag))
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
	r.responseTo(500, 12) // one at a time
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
