package sipleg_test

import (
	"errors"
	"strings"
	"testing"

	"callbox/call"
	"callbox/call/line/sipleg"
	"callbox/call/line/sipleg/siptest"
	"callbox/media/codec"
	"callbox/sip/sdp"
)

func reoffer(change func(*sdp.Local)) sipleg.Reoffer { return sipleg.Reoffer{Change: change} }

// TestReoffer: the box changes the session of a call, of either direction, to
// another codec and to a hold and back, and sound flows as agreed.
func TestReoffer(t *testing.T) {
	t.Parallel()
	for _, inbound := range []bool{false, true} {
		b := newBox(t, siptest.Config{})
		var c *clocked
		if inbound {
			b.must(b.far.Call(b.ctx(), "100"))
			c = b.arrived()
			b.must(c.Answer(b.ctx()))
			c.until(call.LegAnswered)
			b.must(b.far.WaitUp(b.ctx()))
		} else {
			c = b.talk()
		}
		b.must(c.Reoffer(b.ctx(), reoffer(func(l *sdp.Local) { l.Codecs = []codec.Codec{codec.PCMA} })))
		if c.Codec() != "PCMA" {
			t.Errorf("codec %s after the change", c.Codec())
		}
		says(t, b.far, c, 0)
		b.must(c.Reoffer(b.ctx(), reoffer(func(l *sdp.Local) { l.Direction = sdp.SendOnly })))
		says(t, c, b.far, 1)
		b.must(c.Reoffer(b.ctx(), reoffer(func(l *sdp.Local) { l.Direction = sdp.SendRecv })))
		says(t, b.far, c, 2)
		c.Hangup(call.NormalClearing(call.Box))
		if err := c.Leg.Reoffer(b.ctx(), reoffer(func(*sdp.Local) {})); !errors.Is(err, call.ErrLegEnded) {
			t.Errorf("after the end: %v", err)
		}
	}
}

// TestReofferTaken: who changes a session may take the answer himself, and one
// that is refused leaves everything as it was.
func TestReofferTaken(t *testing.T) {
	t.Parallel()
	b := newBox(t, siptest.Config{})
	c := b.dial()
	if err := c.Reoffer(b.ctx(), reoffer(func(*sdp.Local) {})); !errors.Is(err, call.ErrWrongState) {
		t.Errorf("before the answer: %v", err)
	}
	b.must(b.far.WaitRing(b.ctx()))
	b.must(b.far.Answer(b.ctx()))
	c.until(call.LegAnswered)
	var got sdp.Media
	r := reoffer(func(l *sdp.Local) { l.Direction, l.Codecs = sdp.Inactive, []codec.Codec{codec.PCMA} })
	r.Take = func(m sdp.Media) error { got = m; return nil }
	b.must(c.Reoffer(b.ctx(), r))
	if got.Direction != sdp.Inactive || got.Codec != codec.PCMA || !got.Addr.IsValid() || c.Codec() != "PCMU" {
		t.Errorf("taken %+v, the leg has %s", got, c.Codec())
	}
	b.far.RefuseOffers(488)
	if err := c.Reoffer(b.ctx(), reoffer(func(l *sdp.Local) { l.Codecs = []codec.Codec{codec.PCMA} })); err == nil || !strings.Contains(err.Error(), "488") {
		t.Errorf("refused with %v", err)
	}
	b.far.RefuseOffers(0)
	b.must(c.Reoffer(b.ctx(), reoffer(func(l *sdp.Local) { l.Direction, l.Codecs = sdp.SendRecv, nil })))
	says(t, b.far, c, 0)
}

// TestReofferGlare: both sides change the session at once, again and again, and
// both changes come about.
func TestReofferGlare(t *testing.T) {
	t.Parallel()
	b := newBox(t, siptest.Config{})
	c := b.talk()
	for i := range 4 {
		far := make(chan error, 1)
		go func() { far <- b.far.ReofferPatiently(b.ctx()) }()
		b.must(c.Reoffer(b.ctx(), reoffer(func(l *sdp.Local) { l.Codecs = []codec.Codec{[]codec.Codec{codec.PCMA, codec.PCMU}[i%2]} })))
		b.must(<-far)
	}
	says(t, b.far, c, 0)
	says(t, c, b.far, 1)
}
