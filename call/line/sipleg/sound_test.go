package sipleg_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"callbox/call"
	"callbox/call/line/linetest"
	"callbox/call/line/sipleg"
	"callbox/call/line/sipleg/siptest"
	"callbox/media"
	"callbox/sip"
	"callbox/sip/sdp"
)

// TestEarlyMedia: sound before the answer, in one piece with the sound after it.
func TestEarlyMedia(t *testing.T) {
	b := newBox(t, siptest.Config{})
	c := b.dial()
	b.must(b.far.WaitRing(b.ctx()))
	b.must(b.far.Early())
	c.until(call.LegEarly)
	if c.Codec() != "PCMU" {
		t.Errorf("codec %q", c.Codec())
	}
	says(t, b.far, c, 0)
	b.must(b.far.Answer(b.ctx()))
	c.until(call.LegAnswered)
	says(t, c, b.far, 1)
	if st := c.MediaStats(); st.PacketsIn == 0 || st.PacketsOut == 0 {
		t.Errorf("media statistics %+v", st)
	}
}

// TestEarlyMediaOut: we send sound before we answer.
func TestEarlyMediaOut(t *testing.T) {
	b := newBox(t, siptest.Config{})
	b.must(b.far.Call(b.ctx(), "100"))
	c := b.arrived()
	b.must(c.Progress(b.ctx(), call.ProgressEarly))
	says(t, c, b.far, 0)
	b.must(c.Answer(b.ctx()))
	c.until(call.LegAnswered)
	says(t, b.far, c, 1)
}

// TestHoldResume: hold, resume and a move to another port by re-INVITE.
func TestHoldResume(t *testing.T) {
	b := newBox(t, siptest.Config{})
	c := b.talk()
	b.must(b.far.Reoffer(b.ctx(), sdp.SendOnly, false))
	c.until(call.LegHeld)
	before := c.MediaStats().PacketsOut
	held := len(c.Heard())
	poll(t, "200 ms on hold", func() bool { return len(c.Heard()) > held+1600 })
	if sent := c.MediaStats().PacketsOut - before; sent > 2 {
		t.Errorf("%d packets were sent to a far end that holds us", sent)
	}
	b.must(b.far.Reoffer(b.ctx(), sdp.SendRecv, true))
	c.until(call.LegResumed)
	says(t, c, b.far, 0)
	says(t, b.far, c, 1)
	b.must(b.far.Reoffer(b.ctx(), sdp.Inactive, false))
	c.until(call.LegHeld)
	b.must(b.far.Hangup(b.ctx()))
	if e := c.until(call.LegEnded); e.Cause.Who != call.Remote || e.Cause.Q850 != call.Q850Normal {
		t.Errorf("cause %+v", e.Cause)
	}
}

// TestOldHold: the 0.0.0.0 of RFC 2543.
func TestOldHold(t *testing.T) {
	b := newBox(t, siptest.Config{})
	c := b.talk()
	answer, err := b.far.ReofferRaw(b.ctx(), []byte("v=0\r\no=- 1 2 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"))
	b.must(err)
	if !strings.Contains(string(answer), "a=recvonly") {
		t.Errorf("answered\n%s", answer)
	}
	c.until(call.LegHeld)
	b.must(b.far.Reoffer(b.ctx(), sdp.SendRecv, false))
	c.until(call.LegResumed)
	says(t, c, b.far, 0)
}

// TestIPv6: the same over IPv6, both ways round.
func TestIPv6(t *testing.T) {
	b := newBox(t, siptest.Config{Host: "::1"})
	c := b.talk()
	says(t, c, b.far, 0)
	says(t, b.far, c, 1)
	if di := b.far.Invites()[0]; !strings.Contains(string(di.Offer), "c=IN IP6 ::1\r\n") {
		t.Errorf("offered\n%s", di.Offer)
	}
	c.Hangup(call.NormalClearing(call.Box))
	c.until(call.LegEnded)
	if _, err := b.far.WaitEnd(b.ctx()); err != nil {
		t.Fatal(err)
	}
	b.must(b.far.Call(b.ctx(), "100"))
	in := b.arrived()
	if in.Info().Codec != "PCMU" {
		t.Errorf("codec %q", in.Info().Codec)
	}
	b.must(in.Answer(b.ctx()))
	says(t, in, b.far, 2)
}

// TestReofferRefused: what cannot be had is refused, and the call goes on as it was.
func TestReofferRefused(t *testing.T) {
	b := newBox(t, siptest.Config{})
	c := b.talk()
	for body, want := range map[string]int{
		"v=0\r\no=- 1 2 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\nm=audio 4000 RTP/AVP 18\r\n":    488,
		"v=0\r\no=- 1 2 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\nm=audio 4000 RTP/SAVP 0\r\n":    488,
		"\r\nv=0\r\no=- 1 2 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n": 400,
	} {
		_, err := b.far.ReofferRaw(b.ctx(), []byte(body))
		var se *sip.StatusError
		if !errors.As(err, &se) || se.Status != want {
			t.Errorf("got %v, want %d for %q", err, want, body)
		}
	}
	says(t, c, b.far, 0)
}

// TestLateOffer: an INVITE without an offer gets ours in the 200.
func TestLateOffer(t *testing.T) {
	b := newBox(t, siptest.Config{})
	b.must(b.far.CallWithoutOffer(b.ctx(), "100"))
	c := b.arrived()
	b.must(c.Progress(b.ctx(), call.ProgressEarly)) // there is nothing to answer yet: it only rings
	b.must(c.Answer(b.ctx()))
	c.until(call.LegAnswered)
	says(t, c, b.far, 0)
	says(t, b.far, c, 1)
}

// TestSilence: an answered far end that sends no RTP is asked whether it still has
// the call. One that answers keeps it, for as long as it likes.
func TestSilence(t *testing.T) {
	b := newBox(t, siptest.Config{}, func(c *sipleg.Config) { c.Silence = 200 * time.Millisecond })
	c := b.talk()
	says(t, c, b.far, 0)
	b.far.Mute(true)
	asked := b.far.Stack.Counters().Received
	heard := len(c.Heard())
	poll(t, "1 s", func() bool { return len(c.Heard()) > heard+8000 })
	if n := b.far.Stack.Counters().Received - asked; n < 2 || n > 8 {
		t.Errorf("%d requests in a second of silence", n)
	}
	select {
	case e := <-c.Events():
		t.Fatalf("%v although the far end answers", e)
	default:
	}
	b.far.Mute(false)
	says(t, b.far, c, 1)
}

// TestSilenceOfTheDead: a far end that neither sends nor answers has lost its call.
func TestSilenceOfTheDead(t *testing.T) {
	t.Parallel()
	b := newBox(t, siptest.Config{}, func(c *sipleg.Config) { c.Silence = 200 * time.Millisecond })
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 9)})
	b.must(err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		answerOnce(conn)
	}()
	t.Cleanup(func() { _ = conn.Close(); <-done })
	leg, err := b.group.Dial(b.ctx(), b.stack, b.outgoing("sip:x@"+conn.LocalAddr().String()))
	b.must(err)
	c := b.clock(leg)
	c.until(call.LegAnswered)
	got := c.until(call.LegEnded).Cause
	if got.Who != call.Network || got.SIP != 408 || !strings.Contains(got.Text, "was lost (no answer from "+conn.LocalAddr().String()+")") {
		t.Errorf("cause %+v", got)
	}
}

// answerOnce answers every INVITE with 200, and says nothing else.
func answerOnce(conn *net.UDPConn) {
	buf := make([]byte, 65536)
	for {
		n, from, err := conn.ReadFromUDP(buf)
		if err != nil {
			return
		}
		text := string(buf[:n])
		if !strings.HasPrefix(text, "INVITE ") {
			continue
		}
		var res strings.Builder
		res.WriteString("SIP/2.0 200 OK\r\n")
		for line := range strings.SplitSeq(text, "\r\n") {
			name, _, _ := strings.Cut(line, ":")
			switch name {
			case "To":
				line += ";tag=once"
				fallthrough
			case "Via", "From", "Call-ID", "CSeq":
				res.WriteString(line + "\r\n")
			}
		}
		body := "v=0\r\no=- 1 1 IN IP4 127.0.0.9\r\ns=-\r\nc=IN IP4 127.0.0.9\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n"
		fmt.Fprintf(&res, "Contact: <sip:x@%s>\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s", conn.LocalAddr(), len(body), body)
		_, _ = conn.WriteToUDP([]byte(res.String()), from)
	}
}

// TestTonesBothWays: digits as sound, where telephone events are not negotiated.
func TestTonesBothWays(t *testing.T) {
	b := newBox(t, siptest.Config{Keys: siptest.Tones})
	c := b.talk()
	for _, k := range []byte("159D*0#") {
		b.must(b.far.Press(b.ctx(), k))
		if e := c.until(call.LegDigit); e.Digit != k {
			t.Errorf("heard %q, want %q", e.Digit, k)
		}
	}
	// What is reported as a digit does not stay in the sound: a bridge would let
	// its other side hear it twice. Until a key is certain it is heard, 50 ms.
	before := len(c.Heard())
	b.must(b.far.Press(b.ctx(), '5'))
	c.until(call.LegDigit)
	after := len(c.Heard()) + 1600
	poll(t, "the sound after the key", func() bool { return len(c.Heard()) > after })
	loud := 0
	for heard := c.Heard()[before:]; len(heard) >= 160; heard = heard[160:] {
		if linetest.RMS(heard[:160]) > 500 {
			loud++
		}
	}
	if loud > 4 {
		t.Errorf("%d frames of the key stay in the sound", loud)
	}
	if c.Audio().(media.Relayer).RelayTo(c.Audio()) {
		t.Error("a leg that must be listened to is relayed")
	}
	b.must(c.SendDigit(b.ctx(), '5', 200*time.Millisecond))
	poll(t, "the far end hears the tones of 5", func() bool {
		heard := b.far.Heard()
		for at := 0; at+800 <= len(heard); at += 400 {
			w := heard[at : at+800]
			if linetest.RMS(w) > 500 && linetest.ToneLevel(w, 770) > 0.25 && linetest.ToneLevel(w, 1336) > 0.25 {
				return true
			}
		}
		return false
	})
	// Without a clock nobody sends the tone: an error, not a hang.
	c.stop()
	ctx, cancel := context.WithTimeout(b.ctx(), 300*time.Millisecond)
	defer cancel()
	if err := c.SendDigit(ctx, '5', 100*time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a tone without a clock: %v", err)
	}
}

// TestFaxOverT38IsRefused: a far end that wants to go on as fax over UDP is told 488
// and stays in the call with its sound (ITU-T T.38 annex D), which a fax machine
// then uses.
func TestFaxOverT38IsRefused(t *testing.T) {
	b := newBox(t, siptest.Config{})
	c := b.talk()
	says(t, b.far, c, 0)
	_, err := b.far.ReofferRaw(b.ctx(), []byte("v=0\r\no=- 1 2 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\n"+
		"m=image 4004 udptl t38\r\na=T38FaxVersion:0\r\na=T38MaxBitRate:14400\r\na=T38FaxRateManagement:transferredTCF\r\na=T38FaxUdpEC:t38UDPRedundancy\r\n"))
	var refused *sip.StatusError
	if !errors.As(err, &refused) || refused.Status != 488 {
		t.Fatalf("T.38 was answered with %v, want 488", err)
	}
	says(t, b.far, c, 1)
	says(t, c, b.far, 2)
}

// TestKeysInTwoWays: a phone that says its keys as tones and tells them by INFO as
// well presses each of them once.
func TestKeysInTwoWays(t *testing.T) {
	b := newBox(t, siptest.Config{Keys: siptest.Tones})
	c := b.talk()
	const keys = "1225#"
	for _, k := range []byte(keys) {
		b.must(b.far.Press(b.ctx(), k))
		_, err := b.far.Tell(b.ctx(), sip.Message{Method: "INFO", ContentType: "application/dtmf-relay", Body: fmt.Appendf(nil, "Signal=%c\r\nDuration=100\r\n", k)})
		b.must(err)
	}
	_, err := b.far.Tell(b.ctx(), sip.Message{Method: "INFO", ContentType: "text/plain", Body: []byte("done")})
	b.must(err)
	got := ""
	for {
		e := <-c.Events()
		switch e.Type {
		case call.LegDigit:
			got += string(e.Digit)
		case call.LegMessage:
			if got != keys {
				t.Errorf("keys %q, want %q", got, keys)
			}
			return
		default:
			t.Fatalf("event %v", e.Type)
		}
	}
}

// TestRelay: the sound of two legs passes undecoded from one to the other, and
// back on the decoded path afterwards.
func TestRelay(t *testing.T) {
	one, two := newBox(t, siptest.Config{}), newBox(t, siptest.Config{})
	c, d := one.talk(), two.talk()
	relay, ok := c.Audio().(media.Relayer)
	if !ok {
		t.Fatal("the sound of a SIP leg is no Relayer")
	}
	if !relay.RelayTo(d.Audio()) || !d.Audio().(media.Relayer).RelayTo(c.Audio()) {
		t.Fatal("two legs with the same codec are not relayed")
	}
	says(t, one.far, two.far, 0)
	says(t, two.far, one.far, 1)
	relay.StopRelay()
	d.Audio().(media.Relayer).StopRelay()
	says(t, one.far, c, 2)
}

// TestNoGarbage: nothing is allocated on the media tick, also with a tone
// going out and the detector listening.
func TestNoGarbage(t *testing.T) {
	b := newBox(t, siptest.Config{Keys: siptest.Tones})
	c := b.talk()
	c.stop()
	var f media.Frame
	port := c.Audio()
	for range 10 {
		port.ReadFrame(&f)
		port.WriteFrame(&f)
	}
	if n := testing.AllocsPerRun(100, func() {
		port.ReadFrame(&f)
		port.WriteFrame(&f)
	}); n >= 1 {
		t.Errorf("%.1f allocations per tick", n)
	}
}
