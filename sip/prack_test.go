package sip

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"
)

// pracks makes a PRACK of r for a reliable response of the box.
func (r *raw) pracks(res *gosip.Response, callID string, seq int, body string) string {
	r.t.Helper()
	extra := []string{fmt.Sprintf("RAck: %s %d INVITE", headerValue(res, "RSeq"), res.CSeq().SeqNo)}
	if body != "" {
		extra = append(extra, "Content-Type: application/sdp", fmt.Sprint("Content-Length: ", len(body)))
	}
	return r.numbered("PRACK", "bob", callID, seq, toTagOf(r.t, res), extra...) + body
}

// rseq is the number of a reliable response, which says that it is one.
func rseq(t *testing.T, res *gosip.Response) int {
	t.Helper()
	n, err := strconv.Atoi(headerValue(res, "RSeq"))
	if err != nil || headerValue(res, "Require") != "100rel" {
		t.Fatalf("not reliable:\n%s", res)
	}
	return n
}

// TestReliableRinging: provisional responses to a caller who requires it are
// repeated until their PRACK, one at a time, and the answer waits for that of its
// early media.
func TestReliableRinging(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, n *memNet) {
		_, r, in := timerTrunk(t, n, Terms{})
		r.send(r.invite("bob", "rel", "Require: 100rel"))
		d := in.take(t)
		if !d.Reliable() {
			t.Error("not reliable")
		}
		if err := d.Ring(180, nil); err != nil {
			t.Fatal(err)
		}
		first := r.response(180)
		one := rseq(t, first)
		if err := d.Ring(183, []byte(sdpB)); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		for i := range 3 { // after 0.5, 1 and 2 s
			if again := r.response(180); rseq(t, again) != one {
				t.Errorf("repetition %d is number %d", i, rseq(t, again))
			}
		}
		if took := time.Since(began); took != 3500*time.Millisecond {
			t.Errorf("three repetitions took %v", took)
		}
		// Others' acknowledgements are no good.
		for i, wrong := range []string{"RAck: 1 1 INVITE", fmt.Sprintf("RAck: %d 2 INVITE", one), fmt.Sprintf("RAck: %d 1 BYE", one), "RAck: x", "X: y"} {
			r.send(r.numbered("PRACK", "bob", "rel", 2+i, toTagOf(t, first), wrong))
			r.responseTo(481, 2+i)
		}
		r.send(r.pracks(first, "rel", 10, ""))
		r.responseTo(200, 10)
		early := r.response(183)
		if rseq(t, early) != one+1 || string(early.Body()) != sdpB {
			t.Errorf("then:\n%s", early)
		}
		// The answer waits.
		if err := d.Answer([]byte(sdpA)); err != nil {
			t.Fatal(err)
		}
		if err := d.Answer(nil); !errors.Is(err, ErrState) {
			t.Errorf("second answer: %v", err)
		}
		if res := r.response(183); rseq(t, res) != one+1 {
			t.Errorf("instead of the repeated 183:\n%s", res)
		}
		r.send(r.pracks(early, "rel", 11, ""))
		r.responseTo(200, 11)
		res := r.responseTo(200, 1)
		if len(res.Body()) != 0 {
			t.Errorf("the 200 has a second answer:\n%s", res)
		}
		r.send(r.numbered("ACK", "bob", "rel", 1, toTagOf(t, res)))
		expect(t, d, Confirmed)
		// A refresh says what was said in the 183.
		go func() { _, _ = d.Reinvite(t.Context(), []byte(sdpB)) }()
		r.answer(r.waits("INVITE", 0), 200, "", "", sdpA)
		r.quit(d)
	})
}

// TestUnacknowledgedRinging: without a PRACK the call is refused after 32 s.
func TestUnacknowledgedRinging(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, n *memNet) {
		_, r, in := timerTrunk(t, n, Terms{Reliable: Always})
		r.send(r.invite("bob", "never", "Supported: 100rel"))
		d := in.take(t)
		began := time.Now()
		if err := d.Ring(180, nil); err != nil {
			t.Fatal(err)
		}
		var ev *DialogEvent
		for e := range d.Events() {
			ev = e
		}
		if ev.By != ByNetwork || ev.Status != 504 || time.Since(began) != 32*time.Second {
			t.Errorf("after %v %+v", time.Since(began), ev)
		}
		r.response(504)
		r.send(r.invite("bob", "unable"))
		if v := headerValue(r.response(421), "Require"); v != "100rel" {
			t.Errorf("Require %q", v)
		}
	})
	inBubble(t, func(t *testing.T, n *memNet) {
		_, r, _ := timerTrunk(t, n, Terms{Reliable: Off})
		r.send(r.invite("bob", "off", "Require: 100rel"))
		if v := headerValue(r.response(420), "Unsupported"); v != "100rel" {
			t.Errorf("Unsupported %q", v)
		}
	})
	inBubble(t, func(t *testing.T, n *memNet) {
		_, r, in := timerTrunk(t, n, Terms{})
		r.send(r.invite("bob", "maybe", "Supported: 100rel"))
		d := in.take(t)
		if err := d.Ring(180, nil); err != nil {
			t.Fatal(err)
		}
		if res := r.response(180); headerValue(res, "Require") != "" {
			t.Errorf("nobody asked for it:\n%s", res)
		}
		d.Reject(486, Reason{})
	})
}

// TestReliableOffer: to an INVITE without an offer the first reliable response
// makes one, and the PRACK answers it; another PRACK, or an UPDATE, may offer more.
func TestReliableOffer(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, n *memNet) {
		_, r, in := timerTrunk(t, n, Terms{})
		r.seq++
		r.send(r.numbered("INVITE", "bob", "late", r.seq, "", "Require: 100rel"))
		d := in.take(t)
		if err := d.Ring(180, []byte(sdpB)); err != nil {
			t.Fatal(err)
		}
		ring := r.response(180)
		sdp := []string{"Content-Type: application/sdp", fmt.Sprint("Content-Length: ", len(sdpA))}
		r.send(r.numbered("UPDATE", "bob", "late", 5, toTagOf(t, ring), sdp...) + sdpA) // not now
		if v := headerValue(r.responseTo(500, 5), "Retry-After"); v == "" {
			t.Error("no Retry-After")
		}
		r.send(r.pracks(ring, "late", 10, sdpA))
		r.responseTo(200, 10)
		if ev := expect(t, d, Confirmed); string(ev.SDP) != sdpA {
			t.Errorf("confirmed %+v", ev)
		}
		r.send(r.numbered("UPDATE", "bob", "late", 11, toTagOf(t, ring), sdp...) + sdpA)
		if ev := expect(t, d, Offer); string(ev.SDP) != sdpA {
			t.Errorf("offer %+v", ev)
		}
		if err := d.AcceptOffer([]byte(sdpB)); err != nil {
			t.Fatal(err)
		}
		if res := r.responseTo(200, 11); string(res.Body()) != sdpB {
			t.Errorf("the UPDATE is answered\n%s", res)
		}
		if err := d.Ring(183, nil); err != nil {
			t.Fatal(err)
		}
		r.send(r.pracks(r.response(183), "late", 12, sdpA))
		expect(t, d, Offer)
		if err := d.Answer(nil); err != nil { // it waits for the offer's answer
			t.Fatal(err)
		}
		if err := d.AcceptOffer([]byte(sdpB)); err != nil {
			t.Fatal(err)
		}
		if res := r.responseTo(200, 12); string(res.Body()) != sdpB {
			t.Errorf("the PRACK is answered\n%s", res)
		}
		if res := r.responseTo(200, 1); len(res.Body()) != 0 {
			t.Errorf("the INVITE is answered\n%s", res)
		}
	})
}

// TestPrackOfOutgoing: the box acknowledges reliable responses of several branches
// once each, in order, and takes the early media's description as the answer.
func TestPrackOfOutgoing(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, n *memNet) {
		s := n.stack(t)
		r := n.raw(t, s)
		d, err := s.Invite(t.Context(), Invite{Target: "sip:bob@" + r.addr(), From: "alice", SDP: []byte(sdpA), Terms: Terms{Reliable: Always}})
		if err != nil {
			t.Fatal(err)
		}
		inv := r.waits("INVITE", 0)
		if v := headerValue(inv, "Require"); v != "100rel" {
			t.Errorf("Require %q", v)
		}
		reliable := func(status int, tag string, seq int, sdp string) {
			r.answer(inv, status, tag, fmt.Sprintf("Require: 100rel\nRSeq: %d\n", seq), sdp)
		}
		acknowledged := func(tag string, seq int) {
			t.Helper()
			p := r.waits("PRACK", 0)
			if got := p.To().Params; headerValue(p, "RAck") != fmt.Sprintf("%d %d INVITE", seq, inv.CSeq().SeqNo) || !strings.Contains(got.ToString(';'), "tag="+tag) {
				t.Errorf("PRACK for %s %d:\n%s", tag, seq, p)
			}
			r.answer(p, 200, "", "", "")
		}
		reliable(180, "carol", 7, "")
		expect(t, d, Ringing)
		acknowledged("carol", 7)
		reliable(183, "carol", 9, sdpB) // 8 got lost
		reliable(180, "carol", 7, "")   // repeated
		if m := r.message(time.Second); m != nil {
			t.Errorf("out of order, and answered:\n%s", m)
		}
		reliable(183, "carol", 8, sdpB)
		if ev := expect(t, d, Progress); string(ev.SDP) != sdpB {
			t.Errorf("progress %+v", ev)
		}
		acknowledged("carol", 8)
		third := strings.Replace(sdpB, "4000", "4002", 1)
		reliable(183, "dave", 100, third)
		expect(t, d, Progress)
		acknowledged("dave", 100)
		// An early change by carol, and one by somebody who was never heard of.
		sdp := []string{"Content-Type: application/sdp", fmt.Sprint("Content-Length: ", len(sdpA))}
		ours, _ := inv.From().Params.Get("tag")
		update := func(tag string, seq int) string {
			text := r.numbered("UPDATE", "alice", inv.CallID().Value(), seq, ours, sdp...)
			return strings.Replace(text, "tag=rawtag", "tag="+tag, 1) + sdpA
		}
		r.send(update("carol", 1))
		expect(t, d, Offer)
		if err := d.AcceptOffer([]byte(sdpB)); err != nil {
			t.Fatal(err)
		}
		r.responseTo(200, 1)
		r.send(update("erin", 2))
		r.responseTo(481, 2)
		// Dave answers; his early media's description was the answer.
		r.answer(inv, 200, "dave", "", sdpB)
		if ev := expect(t, d, Answered); string(ev.SDP) != third {
			t.Errorf("answered %+v", ev)
		}
		r.waits("ACK", 0)
		// Carol answers too, too late.
		r.answer(inv, 200, "carol", "", sdpB)
		ack, bye := r.waits("ACK", 0), r.waits("BYE", 0)
		for _, m := range []*gosip.Request{ack, bye} {
			if !strings.Contains(m.To().String(), "tag=carol") {
				t.Errorf("to whom:\n%s", m)
			}
		}
		r.answer(bye, 200, "", "", "")
		r.quit(d)
	})
}

// TestOfferInReliableResponse: an INVITE without an offer is offered a session
// before the answer, and the PRACK carries ours.
func TestOfferInReliableResponse(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, n *memNet) {
		s := n.stack(t)
		r := n.raw(t, s)
		d, err := s.Invite(t.Context(), Invite{Target: "sip:bob@" + r.addr(), From: "alice"})
		if err != nil {
			t.Fatal(err)
		}
		inv := r.waits("INVITE", 0)
		r.answer(inv, 183, "bob", "Require: 100rel\nRSeq: 1\n", sdpB)
		expect(t, d, Progress)
		if err := d.AcceptOffer([]byte(sdpA)); err != nil {
			t.Fatal(err)
		}
		p := r.waits("PRACK", 0)
		if string(p.Body()) != sdpA {
			t.Errorf("PRACK\n%s", p)
		}
		r.answer(p, 200, "", "", "")
		r.answer(inv, 200, "bob", "", "")
		if ev := expect(t, d, Answered); ev.SDP != nil {
			t.Errorf("answered %+v", ev)
		}
		if ack := r.waits("ACK", 0); len(ack.Body()) != 0 {
			t.Errorf("ACK\n%s", ack)
		}
		r.quit(d)
	})
}

// TestForkedEarlyDialogs: two branches ring without reliability, the second one
// answers without a description of its own.
func TestForkedEarlyDialogs(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, n *memNet) {
		s := n.stack(t)
		r := n.raw(t, s)
		d, err := s.Invite(t.Context(), Invite{Target: "sip:bob@" + r.addr(), From: "alice", SDP: []byte(sdpA)})
		if err != nil {
			t.Fatal(err)
		}
		inv := r.waits("INVITE", 0)
		other := strings.Replace(sdpB, "4000", "4002", 1)
		r.answer(inv, 183, "carol", "", sdpB)
		expect(t, d, Progress)
		r.answer(inv, 183, "dave", "", other)
		expect(t, d, Progress)
		r.answer(inv, 183, "carol", "", sdpB) // once more
		r.answer(inv, 200, "dave", "", "")
		if ev := expect(t, d, Answered); string(ev.SDP) != other {
			t.Errorf("answered %+v", ev)
		}
		if ack := r.waits("ACK", 0); !strings.Contains(ack.To().String(), "tag=dave") {
			t.Errorf("ACK\n%s", ack)
		}
		r.quit(d)
	})
}

// TestPrackCrossesAnswer: a PRACK that comes after the answer is taken.
func TestPrackCrossesAnswer(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, n *memNet) {
		_, r, in := timerTrunk(t, n, Terms{})
		r.send(r.invite("bob", "cross", "Require: 100rel"))
		d := in.take(t)
		if err := d.Ring(180, nil); err != nil {
			t.Fatal(err)
		}
		ring := r.response(180)
		if err := d.Answer([]byte(sdpB)); err != nil {
			t.Fatal(err)
		}
		if res := r.responseTo(200, 1); string(res.Body()) != sdpB {
			t.Errorf("answered\n%s", res)
		}
		r.send(r.pracks(ring, "cross", 2, ""))
		r.responseTo(200, 2)
		r.send(r.pracks(ring, "cross", 3, ""))
		r.responseTo(481, 3)
		r.send(r.numbered("ACK", "bob", "cross", 1, toTagOf(t, ring)))
		expect(t, d, Confirmed)
		r.quit(d)
	})
}
