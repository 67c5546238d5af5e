package sipleg_test

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"callbox/call"
	"callbox/call/line/sipleg"
	"callbox/call/line/sipleg/siptest"
	"callbox/sip"
)

// TestBadAnswer: an answer that cannot be used ends the leg with the reason.
func TestBadAnswer(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"first line empty": "\r\nv=0\r\n",
		"another codec":    "v=0\r\no=- 1 1 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\nm=audio 4000 RTP/AVP 18\r\n",
		"refused":          "v=0\r\no=- 1 1 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\nm=audio 0 RTP/AVP 0\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, siptest.Config{})
			b.far.AnswerWith([]byte(body))
			c := b.dial()
			b.must(b.far.WaitRing(b.ctx()))
			b.must(b.far.Answer(b.ctx()))
			e := c.until(call.LegEnded)
			if e.Cause.SIP != 488 || e.Cause.Who != call.Box || !strings.Contains(e.Cause.Text, "sound cannot be agreed on") {
				t.Errorf("cause %+v", e.Cause)
			}
			if _, err := b.far.WaitEnd(b.ctx()); err != nil {
				t.Errorf("the far end was not told: %v", err)
			}
		})
	}
}

// TestBadOffer: calls whose sound cannot be had are refused, with the status
// that says why, and leave nothing behind.
func TestBadOffer(t *testing.T) {
	t.Parallel()
	b := newBox(t, siptest.Config{})
	const head = "v=0\r\no=- 1 1 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\n"
	for body, want := range map[string]int{
		head + "m=audio 4000 RTP/AVP 18\r\n":           488,
		head + "m=audio 4000 RTP/SAVP 0\r\n":           488,
		head + "m=video 4000 RTP/AVP 31\r\n":           488,
		"\r\n" + head + "m=audio 4000 RTP/AVP 0\r\n":   400,
		"not a session description":                    400,
		strings.Repeat("v=0\r\n", 400):                 400,
		head + strings.Repeat("m=audio 1 x 1\r\n", 20): 400,
	} {
		b.must(b.far.CallWith(b.ctx(), "100", []byte(body)))
		select {
		case err := <-b.bad:
			if c := call.CauseOf(err); c.SIP != want || c.Text == "" {
				t.Errorf("cause %+v, want SIP %d for %q", c, want, body)
			}
		case <-b.in:
			t.Errorf("accepted: %q", body)
		case <-b.ctx().Done():
			t.Fatal("nothing arrived")
		}
		if c, err := b.far.WaitEnd(b.ctx()); err != nil || c.SIP != want {
			t.Errorf("the caller was told %+v (%v), want %d", c, err, want)
		}
	}
	if b.group.Busy() != 0 || b.ports.Stats().Busy != 0 {
		t.Errorf("%d channels and %+v ports in use after refusals", b.group.Busy(), b.ports.Stats())
	}
}

// TestRefusals: the far end's status and Reason become the cause.
func TestRefusals(t *testing.T) {
	t.Parallel()
	b := newBox(t, siptest.Config{})
	for _, tt := range []struct {
		status  int
		reason  sip.Reason
		q850    int
		who     call.Who
		outcome call.State
		text    string
	}{
		{486, sip.Reason{}, 17, call.Remote, call.Busy, "+15550100 on trunk provider is busy"},
		{404, sip.Reason{Q850: 1, Text: "Unallocated number"}, 1, call.Network, call.Failed, "Unallocated number"},
		{503, sip.Reason{Q850: 34}, 34, call.Network, call.Failed, "trunk provider is overloaded"},
		{480, sip.Reason{}, 18, call.Remote, call.NoAnswer, "not available"},
	} {
		b.far.Refuse(tt.status, tt.reason)
		c := b.dial().until(call.LegEnded).Cause
		if c.SIP != tt.status || c.Q850 != tt.q850 || c.Who != tt.who || c.Outcome() != tt.outcome || !strings.Contains(c.Text, tt.text) {
			t.Errorf("%d: %+v (%v)", tt.status, c, c.Outcome())
		}
	}
}

// TestHangupTellsWhy: our cause travels as status and Reason header.
func TestHangupTellsWhy(t *testing.T) {
	t.Parallel()
	b := newBox(t, siptest.Config{})
	c := b.talk()
	c.Hangup(call.Cause{Q850: call.Q850NoCircuit, SIP: 503, Who: call.Peer, Text: "no circuit"})
	c.until(call.LegEnded)
	if told, err := b.far.WaitEnd(b.ctx()); err != nil || told.Q850 != call.Q850NoCircuit {
		t.Errorf("BYE told %+v, %v", told, err)
	}
	b.must(b.far.Call(b.ctx(), "100"))
	in := b.arrived()
	in.Hangup(call.Cause{Q850: call.Q850Unallocated, Who: call.Script, Text: "no such extension"})
	in.until(call.LegEnded)
	told, err := b.far.WaitEnd(b.ctx())
	if err != nil || told.Q850 != call.Q850Unallocated || told.SIP != 404 {
		t.Errorf("the refusal told %+v, %v", told, err)
	}
}

// TestDeadFarEnd: a far end that never says anything costs no time.
func TestDeadFarEnd(t *testing.T) {
	t.Parallel()
	b := newBox(t, siptest.Config{})
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 9)})
	b.must(err)
	t.Cleanup(func() { _ = conn.Close() })
	leg, err := b.group.Dial(b.ctx(), b.stack, b.outgoing("sip:x@"+conn.LocalAddr().String()))
	b.must(err)
	start := time.Now()
	leg.Hangup(call.Cause{Q850: call.Q850Normal, SIP: 487, Who: call.API})
	b.clock(leg).until(call.LegEnded)
	if took := time.Since(start); took > time.Second {
		t.Errorf("the leg ended after %v", took)
	}
	b.group.Close(call.NormalClearing(call.Box))
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("the group closed after %v", took)
	}
}

// TestNoResponse: without a hang-up the transaction's timer ends it.
func TestNoResponse(t *testing.T) {
	t.Parallel()
	b := newBox(t, siptest.Config{})
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 9)})
	b.must(err)
	t.Cleanup(func() { _ = conn.Close() })
	leg, err := b.group.Dial(b.ctx(), b.stack, b.outgoing("sip:x@"+conn.LocalAddr().String()))
	b.must(err)
	if c := b.clock(leg).until(call.LegEnded).Cause; c.Who != call.Network || c.SIP != 408 || !strings.Contains(c.Text, "cannot be reached") {
		t.Errorf("cause %+v", c)
	}
}

// TestSendDigitErrors: bad digits, lengths and moments.
func TestSendDigitErrors(t *testing.T) {
	t.Parallel()
	b := newBox(t, siptest.Config{})
	c := b.dial()
	if err := c.SendDigit(b.ctx(), '1', 100*time.Millisecond); !errors.Is(err, call.ErrWrongState) {
		t.Errorf("before there is sound: %v", err)
	}
	if err := c.Answer(b.ctx()); !errors.Is(err, call.ErrWrongState) {
		t.Errorf("Answer on an outgoing leg: %v", err)
	}
	for _, bad := range []struct {
		digit byte
		d     time.Duration
	}{{'x', 100 * time.Millisecond}, {'1', 10 * time.Millisecond}, {'1', 9 * time.Second}} {
		if c.SendDigit(b.ctx(), bad.digit, bad.d) == nil {
			t.Errorf("%q for %v was sent", bad.digit, bad.d)
		}
	}
	c.Hangup(call.NormalClearing(call.Box))
	c.until(call.LegEnded)
	if err := c.SendDigit(b.ctx(), '1', 100*time.Millisecond); !errors.Is(err, call.ErrLegEnded) {
		t.Errorf("after the end: %v", err)
	}
}

// TestLimits: channels and ports are limits with a sentence.
func TestLimits(t *testing.T) {
	t.Parallel()
	b := newBox(t, siptest.Config{}, func(c *sipleg.Config) { c.Channels = 1 })
	c := b.talk()
	_, err := b.group.Dial(b.ctx(), b.stack, b.outgoing("sip:1@127.0.0.2"))
	if cause := call.CauseOf(err); cause.Q850 != call.Q850NoCircuit || !strings.Contains(cause.Text, "all 1 channels") {
		t.Errorf("second call: %v", err)
	}
	c.Hangup(call.NormalClearing(call.Box))
	c.until(call.LegEnded)
	if _, err := b.far.WaitEnd(b.ctx()); err != nil {
		t.Fatal(err)
	}
	b.talk().Hangup(call.NormalClearing(call.Box))

	for _, bad := range []string{"", "nonsense", "sip:"} {
		if _, err := b.group.Dial(b.ctx(), b.stack, b.outgoing(bad)); call.CauseOf(err).Text == "" || err == nil {
			t.Errorf("target %q: %v", bad, err)
		}
	}
	b.group.Close(call.NormalClearing(call.Box))
	if _, err := b.group.Dial(b.ctx(), b.stack, b.outgoing("sip:1@127.0.0.2")); call.CauseOf(err).Q850 != call.Q850OutOfOrder {
		t.Errorf("after Close: %v", err)
	}
	if b.group.Busy() != 0 {
		t.Errorf("%d channels in use", b.group.Busy())
	}
}
