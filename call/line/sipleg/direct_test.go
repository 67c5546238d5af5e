package sipleg_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"callbox/call"
	"callbox/call/line/sipleg"
	"callbox/call/line/sipleg/siptest"
	"callbox/media"
	"callbox/sip/sdp"
)

// pair is two far ends that the box has connected, each with its leg.
type pair struct {
	*box
	other *siptest.Endpoint
	a, b  *clocked // of far and of other
}

// couple calls both far ends and relays their sound.
func couple(t *testing.T, first, second siptest.Config, adjust ...func(*sipleg.Config)) *pair {
	t.Helper()
	p := &pair{box: newBox(t, first, adjust...)}
	second.Host, second.Box, second.User = "127.0.0.3", p.stack.Addr("udp"), "+15550143"
	p.other = siptest.NewEndpoint(t, second)
	p.a = p.talk()
	leg, err := p.group.Dial(p.ctx(), p.stack, p.outgoing("sip:+15550101@"+p.other.Addr().String()))
	p.must(err)
	p.b = p.clock(leg)
	p.must(p.other.WaitRing(p.ctx()))
	p.must(p.other.Answer(p.ctx()))
	p.b.until(call.LegAnswered)
	p.relay()
	return p
}

// relay has the legs pass on what comes.
func (p *pair) relay() {
	p.t.Helper()
	poll(p.t, "the legs relay", func() bool {
		return p.a.Leg.Audio().(media.Relayer).RelayTo(p.b.Leg.Audio()) && p.b.Leg.Audio().(media.Relayer).RelayTo(p.a.Leg.Audio())
	})
}

// counts are the packets that came and went.
func (p *pair) counts() [4]uint64 {
	a, b := p.a.MediaStats(), p.b.MediaStats()
	return [4]uint64{a.PacketsIn, a.PacketsOut, b.PacketsIn, b.PacketsOut}
}

// talks has each far end hear the other.
func (p *pair) talks(n int) {
	p.t.Helper()
	says(p.t, p.far, p.other, n)
	says(p.t, p.other, p.far, n+1)
}

// TestRelease: the far ends hear each other without a packet through the box, keys
// go by INFO, and the sound comes back when it is reclaimed.
func TestRelease(t *testing.T) {
	p := couple(t, siptest.Config{}, siptest.Config{})
	p.talks(0)
	over, err := p.a.Release(p.ctx(), p.b.Leg)
	p.must(err)
	before := p.counts()
	p.talks(2)
	p.talks(4)
	// A packet that was on its way may have come late.
	if now := p.counts(); now[0]-before[0] > 5 || now[1]-before[1] > 5 || now[2]-before[2] > 5 || now[3]-before[3] > 5 {
		t.Errorf("packets before %v, after %v", before, now)
	}
	if _, err := p.a.Release(p.ctx(), p.b.Leg); !errors.Is(err, call.ErrWrongState) {
		t.Errorf("released twice: %v", err)
	}
	for _, k := range []byte("7*D#") {
		p.must(p.a.SendDigit(p.ctx(), k, 100*time.Millisecond))
	}
	poll(t, "the digits arrive", func() bool { return p.far.Digits() == "7*D#" })
	select {
	case <-over:
		t.Error("over while nobody has changed anything")
	default:
	}
	for range 2 { // the second time there is nothing to do
		p.must(p.a.Reclaim(p.ctx()))
		p.must(p.b.Reclaim(p.ctx()))
	}
	before = p.counts()
	p.talks(0)
	if now := p.counts(); now[0] == before[0] || now[1] == before[1] || now[2] == before[2] || now[3] == before[3] {
		t.Errorf("packets before %v, after %v", before, now)
	}
	<-over
	// Once more, the other way round; a far end's end ends it.
	over, err = p.b.Release(p.ctx(), p.a.Leg)
	p.must(err)
	p.talks(2)
	p.must(p.far.Hangup(p.ctx()))
	<-over
	p.a.until(call.LegEnded)
	p.must(p.b.Reclaim(p.ctx()))
	says(t, p.b, p.other, 5)
}

// TestReleasedHold: a far end that puts the other one on hold comes back to the box
// for it.
func TestReleasedHold(t *testing.T) {
	p := couple(t, siptest.Config{}, siptest.Config{})
	over, err := p.a.Release(p.ctx(), p.b.Leg)
	p.must(err)
	p.must(p.far.Reoffer(p.ctx(), sdp.SendOnly, false))
	p.a.until(call.LegHeld)
	<-over
	p.must(p.b.Reclaim(p.ctx()))
	p.a.Audio().(media.Relayer).StopRelay()
	says(t, p.b, p.other, 0)
	if _, err := p.a.Release(p.ctx(), p.b.Leg); !errors.Is(err, sdp.ErrNotDirect) {
		t.Errorf("released on hold: %v", err)
	}
	p.must(p.far.Reoffer(p.ctx(), sdp.SendRecv, false))
	p.a.until(call.LegResumed)
	if _, err = p.a.Release(p.ctx(), p.b.Leg); err != nil {
		t.Fatal(err)
	}
	p.relay()
	p.talks(1)
}

// TestReleaseIgnored: far ends that agree and go on sending their sound to the box are
// taken as having turned to it; they hear each other all the time.
func TestReleaseIgnored(t *testing.T) {
	p := couple(t, siptest.Config{Stay: true}, siptest.Config{Stay: true}, func(c *sipleg.Config) { c.Silence = time.Minute })
	over, err := p.a.Release(p.ctx(), p.b.Leg)
	p.must(err)
	says(t, p.far, p.other, 0)
	select {
	case <-over:
	case <-p.ctx().Done():
		t.Fatal("its sound goes through the box, which does not see it")
	}
	p.must(p.a.Reclaim(p.ctx()))
	p.must(p.b.Reclaim(p.ctx()))
	p.talks(1)
}

// TestReleaseRefused: a far end that does not want to talk to the other one goes on
// talking to the box, and the one that had been told comes back.
func TestReleaseRefused(t *testing.T) {
	for _, status := range []int{488, 408, 603} {
		for _, first := range []bool{true, false} {
			p := couple(t, siptest.Config{}, siptest.Config{})
			refuser := p.other
			if first {
				refuser = p.far
			}
			refuser.RefuseOffers(status)
			if _, err := p.a.Release(p.ctx(), p.b.Leg); err == nil || !strings.Contains(err.Error(), "cannot go past the box") {
				t.Fatalf("%d: %v", status, err)
			}
			refuser.RefuseOffers(0)
			p.must(p.a.Reclaim(p.ctx()))
			p.must(p.b.Reclaim(p.ctx()))
			p.talks(0)
		}
	}
}

// TestNotReleased: what cannot go past the box is known without asking anybody.
func TestNotReleased(t *testing.T) {
	p := couple(t, siptest.Config{}, siptest.Config{})
	for name, peer := range map[string]call.Leg{"itself": p.a.Leg, "no leg": nil} {
		if _, err := p.a.Release(p.ctx(), peer); !errors.Is(err, sdp.ErrNotDirect) {
			t.Errorf("with %s: %v", name, err)
		}
	}
	c := p.dial()
	if _, err := p.b.Release(p.ctx(), c.Leg); err == nil {
		t.Error("with a leg that is not answered")
	}
	c.Hangup(call.NormalClearing(call.Box))
	p.must(p.other.Hangup(p.ctx()))
	p.b.until(call.LegEnded)
	if _, err := p.a.Release(p.ctx(), p.b.Leg); !errors.Is(err, call.ErrLegEnded) {
		t.Errorf("with one that has ended: %v", err)
	}
}

// TestReleaseGlare: the far end changes its session at the same moment; both come
// about.
func TestReleaseGlare(t *testing.T) {
	p := couple(t, siptest.Config{}, siptest.Config{})
	for range 3 {
		far := make(chan error, 1)
		go func() { far <- p.far.ReofferPatiently(p.ctx()) }()
		_, err := p.a.Release(p.ctx(), p.b.Leg)
		p.must(<-far)
		if err != nil {
			t.Log("not released: ", err) // it had turned to the box in between
		}
		p.must(p.a.Reclaim(p.ctx()))
		p.must(p.b.Reclaim(p.ctx()))
		p.talks(0)
	}
}

// TestForeignPassed: two far ends that speak a codec which the box does not know use
// it with each other, and another one when the box must listen.
func TestForeignPassed(t *testing.T) {
	b := newBox(t, siptest.Config{Codecs: []string{"opus useinbandfec=1", "G729", "PCMA"}},
		func(c *sipleg.Config) { c.Codecs = []string{"opus", "G729", "PCMA"} })
	b.must(b.far.Call(b.ctx(), "100"))
	in := b.arrived()
	offered := in.Offered()
	if strings.Join(offered, ",") != "opus useinbandfec=1,G729,PCMA" {
		t.Fatalf("offered %q", offered)
	}
	for pass, want := range map[bool]string{
		true:  "RTP/AVP 107 18 8 101\r\na=rtpmap:107 opus/48000/2\r\na=fmtp:107 useinbandfec=1\r\n",
		false: "RTP/AVP 8 101\r\n",
	} {
		o := b.outgoing("sip:+15550100@" + b.far.Addr().String())
		o.Codecs, o.Pass = offered, pass
		before := len(b.far.Invites())
		leg, err := b.group.Dial(b.ctx(), b.stack, o)
		b.must(err)
		poll(t, "the INVITE arrives", func() bool { return len(b.far.Invites()) > before })
		invites := b.far.Invites()
		if offer := string(invites[len(invites)-1].Offer); !strings.Contains(offer, want) {
			t.Errorf("pass %v: offered\n%s", pass, offer)
		}
		leg.Hangup(call.NormalClearing(call.Box))
		b.clock(leg).until(call.LegEnded)
	}
	in.Prefer([]string{"iLBC", "opus stereo=1"})
	b.must(in.Answer(b.ctx()))
	in.until(call.LegAnswered)
	if got := in.Offered(); in.Codec() != "opus" || len(got) != 1 || got[0] != "opus useinbandfec=1" {
		t.Errorf("in use: %s, %q", in.Codec(), got)
	}
	b.must(in.Reclaim(b.ctx()))
	if in.Codec() != "PCMA" {
		t.Errorf("after the box needed the sound: %s", in.Codec())
	}
	says(t, b.far, in, 1)
}

// TestForeignRefused: a caller who speaks nothing that the box decodes is told why
// nothing here can answer.
func TestForeignRefused(t *testing.T) {
	b := newBox(t, siptest.Config{}, func(c *sipleg.Config) { c.Codecs = []string{"PCMU", "G729"} })
	b.must(b.far.CallWith(b.ctx(), "100", []byte("v=0\r\no=- 1 1 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\nm=audio 4000 RTP/AVP 18\r\n")))
	in := b.arrived()
	if err := in.Answer(b.ctx()); !errors.Is(err, sdp.ErrForeign) {
		t.Errorf("answered: %v", err)
	}
	e := in.until(call.LegEnded)
	if e.Cause.SIP != 488 || !strings.Contains(e.Cause.Text, "passes Opus and G729 on") {
		t.Errorf("cause %+v", e.Cause)
	}
	if c, err := b.far.WaitEnd(b.ctx()); err != nil || c.SIP != 488 {
		t.Errorf("the caller was told %+v, %v", c, err)
	}
}
