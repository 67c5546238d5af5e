package sip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"
)

// ring makes s call r, with anything adjusted, and gives the INVITE as it came.
func (r *raw) ring(adjust ...func(*Invite)) (*Dialog, *gosip.Request) {
	r.t.Helper()
	inv := Invite{Target: "sip:bob@" + r.addr(), From: "alice", SDP: []byte(sdpA)}
	for _, f := range adjust {
		f(&inv)
	}
	d, err := r.to.Invite(r.t.Context(), inv)
	if err != nil {
		r.t.Fatal(err)
	}
	return d, r.request("INVITE")
}

func TestInviteAsSent(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	r := newRaw(t, s)
	d, inv := r.ring(func(i *Invite) {
		i.From, i.FromName, i.FromHost, i.To = "+1 555 0100", `Al "x" \ ice`, "atlanta.example", "sip:bob@biloxi.example"
		i.Headers = []Header{{"X-One", "1"}, {"Diversion", "<sip:555@x>"}, {"X-One", "2"}}
		i.ContactUser = "line 1"
	})
	for header, want := range map[string]string{
		"From": `"Al \"x\" \\ ice" <sip:+1%20555%200100@atlanta.example>;tag=`, "To": "<sip:bob@biloxi.example>",
		"Contact": "<sip:line%201@" + s.Addr("udp").String() + ">", "Max-Forwards": "70", "X-One": "1", "Diversion": "<sip:555@x>",
		"Content-Type": "application/sdp", "User-Agent": "callbox", "Allow": allow,
	} {
		if got := headerValue(inv, header); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, want %s", header, got, want)
		}
	}
	if via := headerValue(inv, "Via"); !strings.HasPrefix(via, "SIP/2.0/UDP "+s.Addr("udp").String()+";branch=z9hG4bK") || !strings.HasSuffix(via, ";rport") {
		t.Errorf("Via: %s", via)
	}
	if inv.Recipient.String() != "sip:bob@"+r.addr() || string(inv.Body()) != sdpA {
		t.Errorf("INVITE:\n%s", inv)
	}
	r.answer(inv, 302, "t", "", "")
	if ack := r.request("ACK"); headerValue(ack, "Via") != headerValue(inv, "Via") {
		t.Errorf("the ACK of a refusal has its own Via:\n%s", ack)
	}
	if ev := expectEnd(t, d); ev.Status != 302 {
		t.Errorf("end %+v", ev)
	}
}

func TestWrongInvites(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	for name, inv := range map[string]Invite{
		"no target": {}, "bad target": {Target: "sip:"}, "mailto": {Target: "mailto:bob@example.com@@"},
		"line end": {Target: "sip:bob@127.0.0.1\r\nX: y"}, "header": {Target: "sip:b@127.0.0.1", Headers: []Header{{"Via", "x"}}},
		"header name": {Target: "sip:b@127.0.0.1", Headers: []Header{{"X y", "x"}}}, "header value": {Target: "sip:b@127.0.0.1", Headers: []Header{{"X", "x\r\nY: z"}}},
		"transport": {Target: "sip:b@127.0.0.1", Transport: "sctp"}, "uri transport": {Target: "sip:b@127.0.0.1;transport=ws"},
		"from host": {Target: "sip:b@127.0.0.1", FromHost: "a@b c"}, "name": {Target: "sip:b@does-not-exist.invalid"},
	} {
		if d, err := s.Invite(t.Context(), inv); err == nil {
			t.Errorf("%s: no error", name)
			d.Hangup(Reason{})
		}
	}
	if n := s.Counters().Dialogs; n != 0 {
		t.Errorf("%d dialogs", n)
	}
}

// TestCancelWaitsForProvisional sends no CANCEL before the far end spoke (RFC
// 3261 §9.1), and ends in time although it never gives a final response.
func TestCancelWaitsForProvisional(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	r := newRaw(t, s)
	d, inv := r.ring()
	started := time.Now()
	d.Hangup(Reason{Q850: 16})
	if m := r.message(testT1 / 2); m != nil {
		if req, ok := m.(*gosip.Request); !ok || req.Method != "INVITE" {
			t.Fatalf("before any response:\n%s", m)
		}
	}
	r.answer(inv, 100, "", "", "")
	cancel := r.request("CANCEL")
	if headerValue(cancel, "Via") != headerValue(inv, "Via") || cancel.CSeq().SeqNo != inv.CSeq().SeqNo || cancel.Recipient.String() != inv.Recipient.String() ||
		!strings.Contains(headerValue(cancel, "Reason"), "Q.850;cause=16") {
		t.Errorf("CANCEL:\n%s", cancel)
	}
	r.answer(cancel, 200, "t", "", "")
	if ev := expectEnd(t, d); ev.By != ByLocal || ev.Status != 487 {
		t.Errorf("end %+v", ev)
	}
	if took := time.Since(started); took > 8*testT1+2*time.Second {
		t.Errorf("took %v", took)
	}
	drained(t, s)
}

// TestAnswerCrossesCancel acknowledges the 200 and hangs up, even after Ended.
func TestAnswerCrossesCancel(t *testing.T) {
	t.Parallel()
	for _, late := range []bool{false, true} {
		s := startStack(t)
		r := newRaw(t, s)
		d, inv := r.ring()
		r.answer(inv, 180, "t", "", "")
		expect(t, d, Ringing)
		d.Hangup(Reason{Q850: 16})
		r.request("CANCEL")
		if late {
			if ev := expectEnd(t, d); ev.By != ByLocal {
				t.Errorf("end %+v", ev)
			}
		}
		r.answer(inv, 200, "t", "", sdpB)
		r.request("ACK")
		r.answer(r.request("BYE"), 200, "", "", "")
		if !late {
			if ev := expectEnd(t, d); ev.By != ByLocal {
				t.Errorf("end %+v", ev)
			}
		}
		drained(t, s)
	}
}

func TestEveryRepeatedAnswerIsAcknowledged(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	r := newRaw(t, s)
	d, inv := r.ring()
	for range 3 {
		r.answer(inv, 200, "t", "", sdpB)
		ack := r.request("ACK")
		if ack.CSeq().SeqNo != inv.CSeq().SeqNo || headerValue(ack, "Via") == headerValue(inv, "Via") || ack.Recipient.String() != "sip:bob@"+r.addr() {
			t.Errorf("ACK:\n%s", ack)
		}
	}
	expect(t, d, Answered)
	// Another branch of a fork is acknowledged and ended.
	r.answer(inv, 200, "other", "", sdpB)
	for _, method := range []gosip.RequestMethod{"ACK", "BYE"} {
		req := r.request(method)
		if !strings.Contains(req.To().String(), "tag=other") {
			t.Errorf("%s of the fork:\n%s", method, req)
		}
	}
	d.Hangup(Reason{})
	for {
		bye := r.request("BYE")
		r.answer(bye, 200, "", "", "")
		if strings.Contains(bye.To().String(), "tag=t") {
			break
		}
	}
	expectEnd(t, d)
	drained(t, s)
}

func TestAnswerWithoutSessionIsRefused(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	r := newRaw(t, s)
	d, inv := r.ring()
	r.answer(inv, 200, "t", "", "")
	r.request("ACK")
	r.answer(r.request("BYE"), 200, "", "", "")
	if ev := expectEnd(t, d); ev.Status != 488 {
		t.Errorf("end %+v", ev)
	}
}

// TestDeadFarEnd gets no answer at all: to INVITE, and to BYE.
func TestDeadFarEnd(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	r := newRaw(t, s)
	d, _ := r.ring()
	for range 3 {
		r.request("INVITE") // repeated
	}
	if ev := expectEnd(t, d); ev.By != ByNetwork || ev.Status != 408 || !strings.Contains(ev.Text, r.addr()) {
		t.Errorf("end %+v", ev)
	}
	d, inv := r.ring()
	for inv.From().String() != headerValueOfDialog(d) { // a late repetition of the first
		inv = r.request("INVITE")
	}
	r.answer(inv, 200, "t", "", sdpB)
	expect(t, d, Answered)
	started := time.Now()
	d.Hangup(Reason{})
	if ev := expectEnd(t, d); ev.By != ByLocal {
		t.Errorf("end %+v", ev)
	}
	if took := time.Since(started); took > 8*testT1+2*time.Second {
		t.Errorf("took %v", took)
	}
	drained(t, s)
}

func headerValueOfDialog(d *Dialog) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.path.local.String()
}

func TestChallengedInvite(t *testing.T) {
	t.Parallel()
	creds := func(i *Invite) { i.Auth = &Credentials{"alice", userPass} }
	const md5 = "Digest realm=\"p\", nonce=\"n%d\", algorithm=MD5, qop=\"auth,auth-int\""
	ask := func(status, n int, more string) string {
		name := "WWW-Authenticate: "
		if status == 407 {
			name = "Proxy-Authenticate: "
		}
		return name + "Digest realm=\"q\", nonce=\"x\", algorithm=AKAv1-MD5\n" + name + fmt.Sprintf(md5, n) + more + "\n"
	}
	for _, status := range []int{401, 407} {
		s := startStack(t)
		r := newRaw(t, s)
		d, inv := r.ring(creds)
		r.answer(inv, status, "t", ask(status, 1, ""), "")
		r.request("ACK")
		again := r.request("INVITE")
		reply := headerValue(again, map[int]string{401: "Authorization", 407: "Proxy-Authorization"}[status])
		if !strings.Contains(reply, `nonce="n1"`) || !strings.Contains(reply, "qop=auth,") || again.CSeq().SeqNo <= inv.CSeq().SeqNo ||
			again.CallID().Value() != inv.CallID().Value() || again.From().String() != inv.From().String() || strings.Contains(again.To().String(), "tag") {
			t.Errorf("%d: second INVITE:\n%s", status, again)
		}
		// A stale nonce is answered once more, a plain second refusal is not.
		r.answer(again, status, "t", ask(status, 2, ", stale=true"), "")
		third := r.request("INVITE")
		for third.CSeq().SeqNo == again.CSeq().SeqNo {
			third = r.request("INVITE")
		}
		r.answer(third, status, "t", ask(status, 3, ""), "")
		if ev := expectEnd(t, d); ev.Status != status || ev.By != ByRemote {
			t.Errorf("%d: end %+v", status, ev)
		}
	}
	// Without credentials it ends at once.
	s := startStack(t)
	r := newRaw(t, s)
	d, inv := r.ring()
	r.answer(inv, 401, "t", ask(401, 1, ""), "")
	if ev := expectEnd(t, d); ev.Status != 401 {
		t.Errorf("end %+v", ev)
	}
}

// TestChallengedBye proves itself within the dialog too.
func TestChallengedBye(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	r := newRaw(t, s)
	d, inv := r.ring(func(i *Invite) { i.Auth = &Credentials{"alice", userPass} })
	r.answer(inv, 200, "t", "", sdpB)
	expect(t, d, Answered)
	d.Hangup(Reason{})
	bye := r.request("BYE")
	r.answer(bye, 407, "", "Proxy-Authenticate: Digest realm=\"p\", nonce=\"n\", algorithm=SHA-256, qop=\"auth\"\n", "")
	again := r.request("BYE")
	for again.CSeq().SeqNo == bye.CSeq().SeqNo {
		again = r.request("BYE")
	}
	if !strings.Contains(headerValue(again, "Proxy-Authorization"), "algorithm=SHA-256") {
		t.Errorf("BYE:\n%s", again)
	}
	r.answer(again, 200, "", "", "")
	expectEnd(t, d)
}

// TestRouteSetOfCall follows the proxies of the 200, the last one first.
func TestRouteSetOfCall(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	r, proxy := newRaw(t, s), newRaw(t, s)
	d, inv := r.ring(func(i *Invite) { i.Route = "sip:" + r.addr() + ";lr"; i.Target = "sip:bob@biloxi.example" })
	if v := headerValue(inv, "Route"); v != "<sip:"+r.addr()+";lr>" || inv.Recipient.String() != "sip:bob@biloxi.example" {
		t.Errorf("INVITE:\n%s", inv)
	}
	r.answer(inv, 200, "t", "Record-Route: <sip:p2.example;lr>\nRecord-Route: <sip:"+proxy.addr()+";lr>\n", sdpB)
	ack := proxy.request("ACK")
	if v := headerValue(ack, "Route"); v != "<sip:"+proxy.addr()+";lr>" || len(ack.GetHeaders("Route")) != 2 || ack.Recipient.String() != "sip:bob@"+r.addr() {
		t.Errorf("ACK:\n%s", ack)
	}
	expect(t, d, Answered)
	d.Hangup(Reason{})
	proxy.answer(proxy.request("BYE"), 200, "", "", "")
	expectEnd(t, d)
}

func TestStrictRouter(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	r := newRaw(t, s)
	d, inv := r.ring()
	r.answer(inv, 200, "t", "Record-Route: <sip:"+r.addr()+">\n", sdpB)
	ack := r.request("ACK")
	if ack.Recipient.String() != "sip:"+r.addr() || headerValue(ack, "Route") != "<sip:bob@"+r.addr()+">" {
		t.Errorf("ACK:\n%s", ack)
	}
	expect(t, d, Answered)
	d.Hangup(Reason{})
	r.answer(r.request("BYE"), 200, "", "", "")
	expectEnd(t, d)
}

// TestBigInvitePrefersTCP, and takes UDP where there is no TCP.
func TestBigInvitePrefersTCP(t *testing.T) {
	t.Parallel()
	big := sdpA + strings.Repeat("a=x-filler:0123456789\r\n", 80)
	s, b := startStack(t), startStack(t, func(c *Config) { c.TCP = []string{"127.0.0.1:0"} })
	in := trunkPeer(t, b)
	// b has TCP at another port than UDP, so the same port refuses.
	for range 2 {
		out, err := s.Invite(t.Context(), Invite{Target: uriOf(b, "bob", "udp"), From: "alice", SDP: []byte(big)})
		if err != nil {
			t.Fatal(err)
		}
		arrived := in.take(t)
		if got := arrived.Info(); got.Transport != "udp" || string(got.Offer) != big {
			t.Errorf("arrived by %s, %d bytes", got.Transport, len(got.Offer))
		}
		arrived.Reject(486, Reason{})
		expectEnd(t, out)
	}
	both := startStack(t, func(c *Config) { c.UDP, c.TCP = samePort(t) })
	in = trunkPeer(t, both)
	c := startStack(t)
	out, err := c.Invite(t.Context(), Invite{Target: uriOf(both, "bob", "udp"), From: "alice", SDP: []byte(big)})
	if err != nil {
		t.Fatal(err)
	}
	arrived := in.take(t)
	if got := arrived.Info().Transport; got != "tcp" {
		t.Errorf("arrived by %s", got)
	}
	if err := arrived.Answer([]byte(sdpB)); err != nil {
		t.Fatal(err)
	}
	expect(t, out, Answered)
	out.Hangup(Reason{})
	expectEnd(t, arrived)
}

// samePort finds a port that is free for UDP and TCP.
func samePort(t testing.TB) (udp, tcp []string) {
	t.Helper()
	for range 50 {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := ln.Addr().String()
		pc, err := net.ListenPacket("udp", addr)
		_ = ln.Close()
		if err == nil {
			_ = pc.Close()
			return []string{addr}, []string{addr}
		}
	}
	t.Fatal("no port is free for both")
	return nil, nil
}

// TestLostConnections: nobody listens; the far end dies while ringing; and
// while a BYE is due.
func TestLostConnections(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	_ = ln.Close()
	d, err := s.Invite(t.Context(), Invite{Target: "sip:bob@" + addr + ";transport=tcp", SDP: []byte(sdpA)})
	if err != nil {
		t.Fatal(err)
	}
	if ev := expectEnd(t, d); ev.By != ByNetwork || ev.Status != 503 {
		t.Errorf("nobody listens: %+v", ev)
	}
	for _, up := range []bool{false, true} {
		b, err := New(Config{TCP: []string{"127.0.0.1:0"}, T1: testT1})
		if err != nil {
			t.Fatal(err)
		}
		ctx, kill := context.WithCancel(t.Context())
		dead := make(chan struct{})
		go func() { _ = b.Serve(ctx); close(dead) }()
		in := trunkPeer(t, b)
		out, arrived := callPair(t, s, b, in, "tcp")
		_ = arrived.Ring(180, nil)
		expect(t, out, Ringing)
		if up {
			_ = arrived.Answer([]byte(sdpB))
			expect(t, out, Answered)
			expect(t, arrived, Confirmed)
		}
		forgetDialogs(b) // as if killed: it says nothing
		kill()
		<-dead
		if up {
			out.Hangup(Reason{})
		}
		want := ByNetwork
		if up {
			want = ByLocal
		}
		if ev := expectEnd(t, out); ev.By != want {
			t.Errorf("answered %v: %+v", up, ev)
		}
	}
	drained(t, s)
}

// forgetDialogs makes a stack die without a word to anybody.
func forgetDialogs(s *Stack) {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.dialogs)
}

// TestStalledConnection is a TCP peer that takes bytes and never speaks: the
// request times out and the connection is given up.
func TestStalledConnection(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	d, err := s.Invite(t.Context(), Invite{Target: "sip:bob@" + ln.Addr().String() + ";transport=tcp", SDP: []byte(sdpA)})
	if err != nil {
		t.Fatal(err)
	}
	if ev := expectEnd(t, d); ev.Status != 408 || ev.By != ByNetwork {
		t.Errorf("end %+v", ev)
	}
	eventually(t, "the connection is closed", func() bool { return s.Counters().Conns == 0 })
}

// TestUntrustedCertificate is refused on the way out.
func TestUntrustedCertificate(t *testing.T) {
	t.Parallel()
	b := startStack(t, withTLS(t))
	trunkPeer(t, b)
	s := startStack(t) // trusts the system's authorities only
	d, err := s.Invite(t.Context(), Invite{Target: uriOf(b, "bob", "tls"), SDP: []byte(sdpA)})
	if err != nil {
		t.Fatal(err)
	}
	if ev := expectEnd(t, d); ev.Status != 503 || !strings.Contains(ev.Text, "certificate") {
		t.Errorf("end %+v", ev)
	}
}

func TestUndrainedEventsNeverBlock(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	r := newRaw(t, s)
	d, inv := r.ring()
	for range 2 * maxEvents {
		r.answer(inv, 183, "t", "", sdpB)
	}
	r.answer(inv, 200, "t", "", sdpB)
	r.request("ACK")
	d.Hangup(Reason{})
	r.answer(r.request("BYE"), 200, "", "", "")
	eventually(t, "the dialog is gone", func() bool { return s.Counters().Dialogs == 0 })
	seen := map[EventType]int{}
	for ev := range d.Events() {
		seen[ev.Type]++
	}
	if seen[Answered] != 1 || seen[Ended] != 1 || s.Counters().EventsDropped == 0 {
		t.Errorf("seen %v, dropped %d", seen, s.Counters().EventsDropped)
	}
}

func TestReinviteEndsWithContextAndDialog(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	r := newRaw(t, s)
	d, inv := r.ring()
	if _, err := d.Reinvite(t.Context(), []byte(sdpA)); !errors.Is(err, ErrState) {
		t.Errorf("before the answer: %v", err)
	}
	r.answer(inv, 200, "t", "", sdpB)
	expect(t, d, Answered)
	ctx, cancel := context.WithTimeout(t.Context(), testT1)
	defer cancel()
	if _, err := d.Reinvite(ctx, []byte(sdpA)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with a deadline: %v", err)
	}
	if _, err := d.Reinvite(t.Context(), []byte(sdpA)); !errors.Is(err, ErrState) {
		t.Errorf("a second one: %v", err)
	}
	re := r.request("INVITE")
	for re.CSeq().SeqNo == inv.CSeq().SeqNo {
		re = r.request("INVITE")
	}
	r.answer(re, 200, "", "", sdpB)
	for r.request("ACK").CSeq().SeqNo != re.CSeq().SeqNo {
	}
	got := make(chan error, 1)
	go func() {
		_, err := d.Reinvite(t.Context(), []byte(sdpA))
		got <- err
	}()
	r.request("INVITE")
	d.Hangup(Reason{})
	r.answer(r.request("BYE"), 200, "", "", "")
	if err := <-got; !errors.Is(err, ErrEnded) {
		t.Errorf("after the end: %v", err)
	}
	expectEnd(t, d)
}
