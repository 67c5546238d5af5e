package sipleg_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"callbox/call"
	"callbox/call/line/linetest"
	"callbox/call/line/sipleg"
	"callbox/call/line/sipleg/siptest"
	"callbox/media"
	"callbox/media/clock"
	"callbox/media/rtp"
	"callbox/sip"
	"callbox/sip/sdp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 10 * time.Second

// box is the gateway's side: a group of legs on a stack, with one far end.
type box struct {
	t     *testing.T
	host  string
	stack *sip.Stack
	ports *rtp.PortPool
	group *sipleg.Group
	far   *siptest.Agent
	in    chan *sipleg.Leg
	bad   chan error // arriving calls that were refused
}

func newBox(t *testing.T, far siptest.Config, adjust ...func(*sipleg.Config)) *box {
	t.Helper()
	b := &box{t: t, in: make(chan *sipleg.Leg, 4), bad: make(chan error, 4)}
	b.host = "127.0.0.1"
	if far.Host == "::1" {
		b.host = far.Host
	}
	b.stack, b.ports = siptest.NewStack(t, b.host), siptest.NewPorts(t, b.host)
	cfg := sipleg.Config{Line: "provider", Kind: call.Trunk, Title: "trunk provider", Ports: b.ports}
	for _, f := range adjust {
		f(&cfg)
	}
	b.group = sipleg.NewGroup(cfg)
	b.group.Open()
	t.Cleanup(func() { b.group.Close(call.NormalClearing(call.Box)) })
	if far.Host == "" {
		far.Host = "127.0.0.2"
	}
	far.Box, far.User = b.stack.Addr("udp"), "+15550142"
	b.far = siptest.NewAgent(t, far)
	_, err := b.stack.AddPeer(sip.Peer{
		Name: "provider", Addrs: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32"), netip.MustParsePrefix("::1/128")},
		Invite: func(d *sip.Dialog) {
			leg, err := b.group.Incoming(d, call.LegInfo{From: d.Info().From, To: sipleg.UserOf(d.Info().RequestURI)})
			if err != nil {
				b.bad <- err
				return
			}
			b.in <- leg
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *box) ctx() context.Context {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	b.t.Cleanup(cancel)
	return ctx
}

func (b *box) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *box) outgoing(target string) sipleg.Outgoing {
	return sipleg.Outgoing{
		To: "+15550100", From: "+15550123",
		Invites: []sipleg.Invite{{Local: netip.MustParseAddr(b.host), Invite: sip.Invite{Target: target, From: "+15550123"}}},
	}
}

// dial calls the far end.
func (b *box) dial() *clocked {
	b.t.Helper()
	leg, err := b.group.Dial(b.ctx(), b.stack, b.outgoing("sip:+15550100@"+b.far.Addr().String()))
	b.must(err)
	return b.clock(leg)
}

// talk calls the far end and has it answer.
func (b *box) talk() *clocked {
	b.t.Helper()
	c := b.dial()
	b.must(b.far.WaitRing(b.ctx()))
	b.must(b.far.Answer(b.ctx()))
	c.until(call.LegAnswered)
	return c
}

// arrived waits for a call of the far end.
func (b *box) arrived() *clocked {
	b.t.Helper()
	select {
	case leg := <-b.in:
		return b.clock(leg)
	case err := <-b.bad:
		b.t.Fatalf("refused: %v", err)
	case <-b.ctx().Done():
		b.t.Fatal("no call arrived")
	}
	return nil
}

// clocked is a leg whose sound is read and written by a media clock.
type clocked struct {
	*sipleg.Leg
	t    *testing.T
	stop func()
	in   media.Frame // the clock's

	mu    sync.Mutex // guards say and heard
	say   []int16
	heard []int16
}

func (b *box) clock(leg *sipleg.Leg) *clocked {
	c := &clocked{Leg: leg, t: b.t}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	c.stop = func() { cancel(); <-done }
	k := clock.New(nil)
	k.Add(c)
	go func() {
		defer close(done)
		_ = k.Run(ctx) // ends with ctx
	}()
	b.t.Cleanup(c.stop)
	return c
}

// Collect implements media.Ticker.
func (c *clocked) Collect() {
	if !c.Audio().ReadFrame(&c.in) {
		clear(c.in[:])
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heard = append(c.heard, c.in[:]...)
}

// Deliver implements media.Ticker.
func (c *clocked) Deliver() {
	var out media.Frame
	c.mu.Lock()
	c.say = c.say[copy(out[:], c.say):]
	c.mu.Unlock()
	c.Audio().WriteFrame(&out)
}

func (c *clocked) Say(s []int16) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.say = append(c.say, s...)
}

func (c *clocked) Heard() []int16 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]int16(nil), c.heard...)
}

// until waits for an event.
func (c *clocked) until(typ call.LegEventType) call.LegEvent {
	c.t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		select {
		case e, ok := <-c.Events():
			if !ok {
				c.t.Fatalf("the leg ended before %v", typ)
			}
			if e.Type == typ {
				return e
			}
			if e.Type == call.LegEnded {
				c.t.Fatalf("the leg ended with %+v before %v", e.Cause, typ)
			}
		case <-timeout.C:
			c.t.Fatalf("no %v within %v", typ, patience)
		}
	}
}

func poll(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// talker is either side's mouth and ears.
type talker interface {
	Say(samples []int16)
	Heard() []int16
}

// says has one side say the n-th sweep until the other has heard most of it: on
// a machine that stalls, what is said once may be lost.
func says(t *testing.T, mouth, ears talker, n int) {
	t.Helper()
	said, from := sweep(n), len(ears.Heard())
	next := time.Now()
	poll(t, fmt.Sprintf("sweep %d is heard", n), func() bool {
		if time.Now().After(next) {
			mouth.Say(said)
			next = time.Now().Add(1500 * time.Millisecond)
		}
		return linetest.Match(ears.Heard()[from:], said) >= 0.7
	})
}

// sweep is half a second that can be recognised; n makes several different ones.
func sweep(n int) []int16 {
	return linetest.Sweep(400+float64(n)*300, 1500+float64(n)*300, 4000)
}

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

// TestSilence: an answered call without RTP is ended when that is asked for,
// but not while the far end holds us.
func TestSilence(t *testing.T) {
	b := newBox(t, siptest.Config{}, func(c *sipleg.Config) { c.Silence = 400 * time.Millisecond })
	c := b.talk()
	says(t, c, b.far, 0)
	b.must(b.far.Reoffer(b.ctx(), sdp.RecvOnly, false))
	b.far.Mute(true)
	heard := len(c.Heard())
	poll(t, "800 ms", func() bool { return len(c.Heard()) > heard+6400 })
	select {
	case <-c.Events():
		t.Fatal("ended although the far end need not send")
	default:
	}
	b.must(b.far.Reoffer(b.ctx(), sdp.SendRecv, false))
	if e := c.until(call.LegEnded); e.Cause.Who != call.Network || !strings.Contains(e.Cause.Text, "sent no sound for 400ms") {
		t.Errorf("cause %+v", e.Cause)
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
