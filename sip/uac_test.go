package sip

import (
	"fmt"
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
		ack := r.again("ACK")
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
		r.again("INVITE")
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
