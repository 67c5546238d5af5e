package sipleg_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"callbox/call"
	"callbox/call/line/sipleg"
	"callbox/call/line/sipleg/siptest"
	"callbox/media"
	"callbox/sip"
	"callbox/sip/sdp"
)

const (
	asks  = "a=T38MaxBitRate:14400\r\na=T38FaxRateManagement:transferredTCF\r\na=T38FaxUdpEC:t38UDPRedundancy\r\n"
	takes = "a=T38MaxBitRate:9600\r\na=T38FaxRateManagement:transferredTCF\r\na=T38FaxMaxDatagram:400\r\n"
)

// tied are two far ends whose faxes are passed on.
func tied(t *testing.T) (p *pair, part func()) {
	t.Helper()
	p = couple(t, siptest.Config{}, siptest.Config{})
	part, ok := p.a.PassFax(p.b.Leg)
	if !ok {
		t.Fatal("two legs over SIP are not tied")
	}
	t.Cleanup(part)
	return p, part
}

// pages sends datagrams both ways and wants each to arrive as it was.
func pages(t *testing.T, one, other *siptest.Fax) {
	t.Helper()
	r := rand.New(rand.NewPCG(38, 38))
	for i := range 50 {
		for _, way := range [][2]*siptest.Fax{{one, other}, {other, one}} {
			p := []byte{byte(i >> 8), byte(i)} // the number of a UDPTL packet
			for range r.IntN(300) {
				p = append(p, byte(r.Uint32()))
			}
			if err := way[0].Send(p); err != nil {
				t.Fatal(err)
			}
			got, err := way[1].Receive()
			if err != nil || !bytes.Equal(got, p) {
				t.Fatalf("packet %d: %x arrived, want %x, %v", i, got, p, err)
			}
		}
	}
}

// TestFax: a far end that asks for a fax as data gets the other one's answer, the
// datagrams pass unchanged both ways, and both speak again when one of them wants to,
// as often as they like.
func TestFax(t *testing.T) {
	p, _ := tied(t)
	p.talks(0)
	far, err := p.far.TakeFax(takes)
	p.must(err)
	other, err := p.other.AskFax(p.ctx(), asks)
	p.must(err)
	for _, want := range strings.Split(strings.TrimSpace(asks), "\r\n") {
		if !bytes.Contains(far.Body(), []byte(want+"\r\n")) {
			t.Errorf("%q did not reach the far end:\n%s", want, far.Body())
		}
	}
	for _, want := range strings.Split(strings.TrimSpace(takes), "\r\n") {
		if !bytes.Contains(other.Body(), []byte(want+"\r\n")) {
			t.Errorf("%q did not come back:\n%s", want, other.Body())
		}
	}
	if bytes.Count(far.Body(), []byte("m=")) != 1 {
		t.Errorf("the fax is not in the place of the sound:\n%s", far.Body())
	}
	pages(t, far, other)
	if _, err := p.other.AskFax(p.ctx(), asks); err != nil { // as it is refreshed
		t.Fatal(err)
	}
	pages(t, far, other)
	if _, err := p.a.Release(p.ctx(), p.b.Leg); !errors.Is(err, call.ErrWrongState) {
		t.Errorf("released at a fax: %v", err)
	}
	p.must(p.a.Reclaim(p.ctx())) // there is nothing to bring back
	pages(t, far, other)
	p.must(p.other.Reoffer(p.ctx(), sdp.SendRecv, false))
	p.talks(2)
	// Once more, the other way round.
	_, err = p.other.TakeFax(takes)
	p.must(err)
	_, err = p.far.AskFax(p.ctx(), asks)
	p.must(err)
	pages(t, far, other)
	p.must(p.far.Reoffer(p.ctx(), sdp.SendRecv, false))
	p.talks(4)
	poll(t, "the ports are given back", func() bool { return p.ports.Stats().Busy == 2 })
}

// TestFaxRefused: where the other far end wants no fax, or has no sound any more when
// it is asked for one, or is asked in a way that would undo the encryption, it is 488
// and the sound stays.
func TestFaxRefused(t *testing.T) {
	refused := func(t *testing.T, err error) {
		t.Helper()
		var st *sip.StatusError
		if !errors.As(err, &st) || st.Status != 488 {
			t.Fatalf("answered with %v, want 488", err)
		}
	}
	for name, adjust := range map[string]func(p *pair){
		"by the other far end": func(p *pair) { p.far.RefuseOffers(488) },
		"by a stream that is off": func(p *pair) {
			_, err := p.far.TakeFax(siptest.NoStream)
			p.must(err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, _ := tied(t)
			adjust(p)
			_, err := p.other.AskFax(p.ctx(), asks)
			refused(t, err)
			p.far.RefuseOffers(0)
			p.talks(0)
		})
	}
	t.Run("apart", func(t *testing.T) {
		p, part := tied(t)
		part()
		_, err := p.far.AskFax(p.ctx(), asks)
		refused(t, err)
		p.talks(0)
	})
	t.Run("not of a kind", func(t *testing.T) {
		p, _ := tied(t)
		if _, ok := p.a.PassFax(nil); ok {
			t.Error("tied to nothing")
		}
		if _, ok := p.a.PassFax(p.a.Leg); ok {
			t.Error("tied to itself")
		}
	})
	t.Run("encrypted", func(t *testing.T) {
		one, two := newBox(t, siptest.Config{}, func(c *sipleg.Config) { c.Security = sdp.Mandatory }), newBox(t, siptest.Config{})
		one.must(one.far.CallWith(one.ctx(), "100", fmt.Appendf(nil, "v=0\r\no=- 1 1 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\n"+
			"m=audio 4000 RTP/SAVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:%s\r\n", base64.StdEncoding.EncodeToString(make([]byte, 30)))))
		in := one.arrived()
		one.must(in.Answer(one.ctx()))
		in.until(call.LegAnswered)
		one.must(one.far.WaitUp(one.ctx()))
		if _, ok := in.PassFax(two.talk().Leg); !ok {
			t.Fatal("two legs over SIP are not tied")
		}
		for _, far := range []*siptest.Endpoint{one.far, two.far} {
			_, err := far.TakeFax(takes)
			one.must(err)
			_, err = far.AskFax(one.ctx(), asks)
			refused(t, err)
		}
	})
}

// TestFaxEnds: a far end that is left alone at its fax is brought back to sound, and
// one that does not come is hung up.
func TestFaxEnds(t *testing.T) {
	for _, how := range []string{"the other one hangs up", "they are parted", "it does not come back"} {
		t.Run(how, func(t *testing.T) {
			p, part := tied(t)
			far, err := p.far.TakeFax(takes)
			p.must(err)
			other, err := p.other.AskFax(p.ctx(), asks)
			p.must(err)
			pages(t, far, other)
			if how == "it does not come back" {
				p.far.RefuseOffers(488)
			}
			if how == "they are parted" {
				part()
				p.a.Audio().(media.Relayer).StopRelay()
				p.b.Audio().(media.Relayer).StopRelay()
				says(t, p.b, p.other, 3)
			} else {
				p.must(p.other.Hangup(p.ctx()))
				p.b.until(call.LegEnded)
				part()
			}
			if how == "it does not come back" {
				if e := p.a.until(call.LegEnded); e.Cause.SIP != 488 || !strings.Contains(e.Cause.Text, "did not come back to sound") {
					t.Errorf("ended with %+v", e.Cause)
				}
				return
			}
			says(t, p.a, p.far, 1)
		})
	}
}

// TestFaxBoth: both far ends ask at the same moment; they get to it all the same.
func TestFaxBoth(t *testing.T) {
	p, _ := tied(t)
	far, err := p.far.TakeFax(takes)
	p.must(err)
	other, err := p.other.TakeFax(takes)
	p.must(err)
	both := make(chan error, 2)
	for _, e := range []*siptest.Endpoint{p.far, p.other} {
		go func() {
			_, err := e.AskFax(p.ctx(), asks)
			both <- err
		}()
	}
	fine := 0
	for range 2 {
		err := <-both
		switch {
		case err == nil:
			fine++
		case !errors.Is(err, sip.ErrGlare):
			t.Error(err)
		}
	}
	if fine == 0 {
		t.Fatal(fmt.Errorf("neither came to its fax"))
	}
	pages(t, far, other)
}
