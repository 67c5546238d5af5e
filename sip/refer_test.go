package sip

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
)

// refer sends a REFER on d and gives the status; the far end has to answer it.
func refer(t testing.TB, d *Dialog, to string, headers ...Header) chan int {
	t.Helper()
	answer := make(chan int, 1)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	go func() {
		defer cancel()
		res, err := d.Tell(ctx, Message{Method: "REFER", Headers: append([]Header{{"Refer-To", to}}, headers...)})
		if err != nil {
			t.Errorf("REFER: %v", err)
		}
		answer <- res.Status
	}()
	return answer
}

// notified takes the next NOTIFY of a referral: its first line and how the
// subscription stands.
func (d *Dialog) notified(t testing.TB) (line, state, event string) {
	t.Helper()
	m := expect(t, d, Told).Message
	if m.Method != "NOTIFY" || !strings.HasPrefix(m.ContentType, "message/sipfrag") {
		t.Fatalf("told %+v", m)
	}
	for _, h := range m.Headers {
		switch h.Name {
		case "Subscription-State":
			state = h.Value
		case "Event":
			event = h.Value
		}
	}
	return strings.TrimSpace(string(m.Body)), state, event
}

// TestReferral: the reports of an accepted REFER come in order and end with the
// final one; another REFER is possible after that.
func TestReferral(t *testing.T) {
	t.Parallel()
	a, b := startStack(t), startStack(t)
	phone, box := answered(t, a, b, trunkPeer(t, b), "udp")
	for round := range 2 {
		status := refer(t, phone, `"Bob" <sip:bob@biloxi.example;transport=tcp?X-A=1>`, Header{"Referred-By", "<sip:alice@atlanta.example>"}, Header{"X-Why", "lunch"})
		r := expect(t, box, Referred).Referral
		if r.User != "bob" || r.Target != "sip:bob@biloxi.example;transport=tcp" || r.By != "sip:alice@atlanta.example" || r.UserAgent == "" {
			t.Errorf("referral %+v", r)
		}
		if attended, _, _ := r.Replaces(); attended {
			t.Error("it replaces something")
		}
		if again := <-refer(t, phone, "sip:carol@biloxi.example"); again != 491 {
			t.Errorf("a second REFER got %d", again)
		}
		if err := r.Accept(); err != nil {
			t.Fatal(err)
		}
		if got := <-status; got != 202 {
			t.Errorf("REFER got %d", got)
		}
		if err := r.Refuse(603); !errors.Is(err, ErrState) {
			t.Errorf("refused after all: %v", err)
		}
		line, state, event := phone.notified(t)
		if line != "SIP/2.0 100 Trying" || !strings.HasPrefix(state, "active;expires=") || !strings.HasPrefix(event, "refer;id=") {
			t.Errorf("first report %q %q %q", line, state, event)
		}
		r.Progress(180, "")
		if line, _, _ := phone.notified(t); line != "SIP/2.0 180 Ringing" {
			t.Errorf("second report %q", line)
		}
		r.Progress(486, "Busy Everywhere I Know")
		r.Progress(200, "") // too late
		if round == 1 {
			box.Hangup(Reason{}) // not before that has been told
		}
		if line, state, _ := phone.notified(t); line != "SIP/2.0 486 Busy Everywhere I Know" || state != "terminated;reason=noresource" {
			t.Errorf("last report %q %q", line, state)
		}
		if round == 1 {
			expectEnd(t, phone)
			expectEnd(t, box)
		}
	}
	drained(t, a)
	drained(t, b)
}

// TestReferralAfterHangup: who hangs up as soon as its wish is accepted is told
// on, and does not disturb by refusing to listen.
func TestReferralAfterHangup(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	in := trunkPeer(t, s)
	r := newRaw(t, s)
	r.send(r.invite("bob", "hup"))
	r.response(100)
	box := in.take(t)
	if err := box.Answer([]byte(sdpB)); err != nil {
		t.Fatal(err)
	}
	tag := toTagOf(t, r.response(200))
	r.send(r.numbered("ACK", "bob", "hup", 1, tag))
	expect(t, box, Confirmed)
	r.send(r.numbered("REFER", "bob", "hup", 2, tag, "Refer-To: <sip:carol@biloxi.example>"))
	ref := expect(t, box, Referred).Referral
	if err := ref.Accept(); err != nil {
		t.Fatal(err)
	}
	n := r.request("NOTIFY")
	r.answer(n, 200, "", "", "")
	r.send(r.numbered("BYE", "bob", "hup", 3, tag))
	expectEnd(t, box)
	ref.Progress(200, "")
	if n := r.request("NOTIFY"); !strings.HasPrefix(string(n.Body()), "SIP/2.0 200 OK") {
		t.Errorf("told %q", n.Body())
	} else {
		r.answer(n, 481, "", "", "")
	}
	drained(t, s)
}

// TestReferralRefused: what is no transfer, and what nobody answers.
func TestReferralRefused(t *testing.T) {
	t.Parallel()
	a, b := startStack(t), startStack(t)
	phone, box := answered(t, a, b, trunkPeer(t, b), "udp")
	for _, tc := range []struct {
		to   string
		more []Header
		want int
	}{
		{"mailto:bob@biloxi.example", nil, 416},
		{"<sip:>", nil, 400},
		{"<sip:bob@biloxi.example;method=BYE>", nil, 501},
		{"sip:bob@biloxi.example", []Header{{"Refer-To", "sip:carol@biloxi.example"}}, 400},
		{"sip:bob@biloxi.example", []Header{{"Replaces", "x;to-tag=1;from-tag=2"}}, 400},
	} {
		if got := <-refer(t, phone, tc.to, tc.more...); got != tc.want {
			t.Errorf("Refer-To %s got %d, want %d", tc.to, got, tc.want)
		}
	}
	status := refer(t, phone, "sip:bob@biloxi.example")
	if err := expect(t, box, Referred).Referral.Refuse(603); err != nil {
		t.Error(err)
	}
	if got := <-status; got != 603 {
		t.Errorf("declined with %d", got)
	}
	status = refer(t, phone, "sip:bob@biloxi.example")
	forgotten := expect(t, box, Referred).Referral
	if got := <-status; got != 480 {
		t.Errorf("what nobody answered got %d", got)
	}
	if err := forgotten.Accept(); !errors.Is(err, ErrState) {
		t.Errorf("accepted too late: %v", err)
	}
	status = refer(t, phone, "sip:bob@biloxi.example", Header{"Refer-Sub", "false"})
	quiet := expect(t, box, Referred).Referral
	if !quiet.Silent() {
		t.Error("it wants reports")
	}
	if err := quiet.Accept(); err != nil {
		t.Error(err)
	}
	if got := <-status; got != 202 {
		t.Errorf("without reports: %d", got)
	}
	quiet.Progress(200, "")
	phone.Hangup(Reason{})
	expectEnd(t, phone) // no NOTIFY came before
	expectEnd(t, box)
}

// TestReferralExpires: reports that take too long end with the subscription, and
// whoever asked may end it before or ask for the present one.
func TestReferralExpires(t *testing.T) {
	t.Parallel()
	a, b := startStack(t), startStack(t)
	phone, box := answered(t, a, b, trunkPeer(t, b), "udp")
	accept := func() *Referral {
		status := refer(t, phone, "sip:bob@biloxi.example")
		r := expect(t, box, Referred).Referral
		if err := r.Accept(); err != nil {
			t.Fatal(err)
		}
		<-status
		phone.notified(t)
		return r
	}
	subscribe := func(hs ...Header) int {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		res, err := phone.Tell(ctx, Message{Method: "SUBSCRIBE", Headers: hs})
		if err != nil {
			t.Error(err)
		}
		return res.Status
	}
	accept().Progress(180, "")
	phone.notified(t)
	if got := subscribe(Header{"Event", "presence"}); got != 489 {
		t.Errorf("another event got %d", got)
	}
	if got := subscribe(Header{"Event", "refer"}, Header{"Expires", "60"}); got != 200 {
		t.Errorf("a refresh got %d", got)
	}
	if line, state, _ := phone.notified(t); line != "SIP/2.0 180 Ringing" || !strings.HasPrefix(state, "active") {
		t.Errorf("after the refresh: %q %q", line, state)
	}
	if got := subscribe(Header{"Event", "refer"}, Header{"Expires", "0"}); got != 200 {
		t.Errorf("the end of the subscription got %d", got)
	}
	if _, state, _ := phone.notified(t); state != "terminated;reason=timeout" {
		t.Errorf("after the end: %q", state)
	}
	r := accept() // and now nothing happens for long
	if line, state, _ := phone.notified(t); line != "SIP/2.0 100 Trying" || state != "terminated;reason=timeout" {
		t.Errorf("after a long time: %q %q", line, state)
	}
	r.Progress(200, "")
	phone.Hangup(Reason{})
	expectEnd(t, phone)
	expectEnd(t, box)
}

// TestReferOutsideOfACall: nobody has us call anybody else.
func TestReferOutsideOfACall(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	trunkPeer(t, s)
	r := newRaw(t, s)
	r.send(r.text("REFER", "bob", "out", "Refer-To: sip:carol@biloxi.example"))
	r.response(403)
	r.send(r.invite("bob", "needs", "Require: replaces, time-travel"))
	if got := headerValue(r.response(420), "Unsupported"); got != "time-travel" {
		t.Errorf("unsupported is %q", got)
	}
	r.send(r.invite("bob", "known", "Require: replaces", "Replaces: nobody;to-tag=1;from-tag=2"))
	r.response(481)
}

// TestReplaces walks the cases of RFC 3891 §3.
func TestReplaces(t *testing.T) {
	t.Parallel()
	a, b := startStack(t), startStack(t, func(c *Config) {
		c.Elsewhere = func(callID string) any {
			if callID == "call1@port" {
				return "a phone"
			}
			return nil
		}
	})
	inA, inB := trunkPeer(t, a), trunkPeer(t, b)
	value := func(d *Dialog) string { // as the far end would write it
		d.mu.Lock()
		defer d.mu.Unlock()
		tag := d.path.remoteTag
		for early := range d.early {
			tag = early
		}
		return d.info.CallID + ";to-tag=" + d.localTag + ";from-tag=" + tag
	}
	try := func(header string) (*Dialog, int) {
		out, err := a.Invite(t.Context(), Invite{Target: uriOf(b, "bob", "udp"), From: "carol", SDP: []byte(sdpA), Headers: []Header{{"Replaces", header}}})
		if err != nil {
			t.Fatal(err)
		}
		select {
		case d := <-inB.ch:
			d.Reject(486, Reason{})
			expectEnd(t, out)
			return d.Info().Replaces, 0
		case ev := <-out.Events():
			return nil, ev.Status
		}
	}
	want := func(what string, header string, status int, replaced *Dialog) {
		t.Helper()
		if d, got := try(header); got != status || d != replaced {
			t.Errorf("%s: %d and %v, want %d and %v", what, got, d, status, replaced)
		}
	}
	_, up := answered(t, a, b, inB, "udp")
	want("an answered call", value(up), 0, up)
	want("an answered call, only if it rings", value(up)+";early-only", 486, nil)
	want("an answered call of another far end", strings.Replace(value(up), "from-tag=", "from-tag=x", 1), 481, nil)
	want("another Call-ID", "x"+value(up), 481, nil)
	want("nothing", "nobody;to-tag=1;from-tag=2", 481, nil)
	want("half a header", "nobody;to-tag=1", 400, nil)
	// One that rings at our request, and one that rings at ours.
	rings, there := callPair(t, b, a, inA, "udp")
	if err := there.Ring(180, nil); err != nil {
		t.Fatal(err)
	}
	expect(t, rings, Ringing)
	want("a phone that rings", value(rings)+";early-only", 0, rings)
	_, arriving := callPair(t, a, b, inB, "udp")
	if err := arriving.Ring(180, nil); err != nil {
		t.Fatal(err)
	}
	want("a call that arrives", value(arriving), 481, nil)
	over := value(up)
	up.Hangup(Reason{})
	expectEnd(t, up)
	want("a call that is over", over, 603, nil)
	rings.Hangup(Reason{})
	arriving.Hangup(Reason{})
	// What rings elsewhere than on SIP.
	if d, status := try("call1@port;to-tag=box;from-tag=phone;early-only"); status != 0 || d == nil || d.Bound() != "a phone" {
		t.Errorf("a call of another kind: %v, status %d", d, status)
	}
	want("another call of that kind", "call2@port;to-tag=box;from-tag=phone", 481, nil)
	// The same from a REFER.
	phone, box := answered(t, a, b, inB, "tcp")
	consulted, second := answered(t, a, b, inB, "tcp")
	_ = consulted
	status := refer(t, phone, "<sip:bob@biloxi.example?Replaces="+url.QueryEscape(value(second))+">")
	r := expect(t, box, Referred).Referral
	if attended, d, refused := r.Replaces(); !attended || d != second || refused != 0 {
		t.Errorf("attended %v, %v, refused with %d", attended, d, refused)
	}
	second.Bind(7)
	if second.Bound() != 7 || box.Bound() != nil {
		t.Error("what was left with the dialog is lost")
	}
	_ = r.Refuse(603)
	<-status
}
