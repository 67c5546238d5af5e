package sipleg

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"callbox/call"
	"callbox/sip/sdp"
)

// errAddress means that a far end's sound does not come from where it wants it sent.
var errAddress = errors.New("its sound comes from another address than it names, as behind an address translator")

// passage is the direct way between the far ends of two legs.
type passage struct {
	over chan struct{}
	once sync.Once
}

func (p *passage) end() { p.once.Do(func() { close(p.over) }) }

// maxRounds bounds how often the far ends are told of each other: one that was
// told may answer with another address.
const maxRounds = 3

// Release implements call.Releaser, for two legs over SIP, by RFC 3725's way of
// putting one far end's description into an offer to the other one. What the far
// ends send meanwhile is still passed on.
func (l *Leg) Release(ctx context.Context, peer call.Leg) (<-chan struct{}, error) {
	p, ok := peer.(*Leg)
	if !ok || p == l {
		return nil, fmt.Errorf("%w: the other party is not on a SIP line", sdp.ErrNotDirect)
	}
	mine, err := l.far(ctx)
	if err != nil {
		return nil, l.notDirect(err)
	}
	theirs, err := p.far(ctx)
	if err != nil {
		return nil, p.notDirect(err)
	}
	if a, b := mine.Addr().Addr(), theirs.Addr().Addr(); reach(a) != reach(b) {
		return nil, fmt.Errorf("%w: %v and %v are in networks that may not reach each other", sdp.ErrNotDirect, a, b)
	}
	way := &passage{over: make(chan struct{})}
	for range maxRounds {
		if mine, err = l.send(way, theirs); err != nil {
			return nil, l.notDirect(err)
		}
		now, err := p.send(way, mine)
		if err != nil {
			return nil, p.notDirect(err)
		}
		if !theirs.Serves(now) {
			theirs = now
			continue
		}
		for _, x := range []*Leg{l, p} {
			if err := x.leave(way); err != nil {
				return nil, x.notDirect(err)
			}
		}
		return way.over, nil
	}
	return nil, fmt.Errorf("%w: %s names a new address whenever it is asked", sdp.ErrNotDirect, p.party())
}

func (l *Leg) notDirect(err error) error {
	return fmt.Errorf("the sound of %s cannot go past the box: %w", l.party(), err)
}

// far is the far end as the other one can be offered it.
func (l *Leg) far(ctx context.Context) (f sdp.Far, err error) {
	err = l.onLoop(ctx, func() error {
		t := &l.talk
		switch {
		case !t.answered || t.released != nil || t.fax != nil:
			return call.ErrWrongState
		case !t.media.Crypto.IsZero() || !t.media.Web.IsZero():
			return errors.New("it is encrypted with a key that only the box and this party have")
		}
		if l.audio.stream.Stats().PacketsIn > 0 && l.audio.stream.RemoteAddr() != t.media.Addr {
			return errAddress
		}
		f, err = t.chosen.session.Far(t.chosen.local)
		return err
	})
	return f, err
}

// reach is the kind of network of an address. Of two far ends with different ones,
// the box can reach both; they cannot be relied on to reach each other.
func reach(a netip.Addr) string {
	kind := "global"
	switch {
	case a.IsLoopback():
		kind = "loopback"
	case a.IsLinkLocalUnicast():
		kind = "link-local"
	case a.IsPrivate() || netip.MustParsePrefix("100.64.0.0/10").Contains(a):
		kind = "private"
	}
	if a.Is6() {
		kind += " IPv6"
	}
	return kind
}

// send has the far end exchange its sound with f, and gives how it is to be
// offered to f. It waits for the far end alone: what comes of the offer must be
// known.
func (l *Leg) send(way *passage, f sdp.Far) (own sdp.Far, err error) {
	gone := func() { l.talk.released = way }
	err = l.Reoffer(context.Background(), Reoffer{
		Spare:  true,
		Change: func(o *sdp.Local) { o.Far, o.Codecs = &f, everything() },
		Odd:    gone,
		Take: func(sdp.Media) error {
			gone()
			var err error
			own, err = l.talk.chosen.session.Far(sdp.Local{Codecs: everything()})
			return err
		},
	})
	return own, err
}

// leave takes the box out of the way.
func (l *Leg) leave(way *passage) error {
	return l.onLoop(context.Background(), func() error {
		if l.talk.released != way {
			return errors.New("it has turned to the box again")
		}
		l.audio.stream.SetQuiet(true)
		l.away.Store(true)
		l.talk.packets, l.talk.heard = l.audio.stream.Stats().PacketsIn, time.Now()
		return nil
	})
}

const (
	// partTime is how long the far ends may take to find each other.
	partTime = 2 * time.Second
	// partPackets is how many packets of a far end that has found the other one may
	// still come in as much time: comfort noise, or a keep-alive.
	partPackets = 20
)

// superviseAway looks whether the far end really exchanges its sound with the other
// one. One that goes on sending it here, because it answers whoever it hears, is
// taken as having turned to us.
func (l *Leg) superviseAway(in uint64, now time.Time) {
	t := &l.talk
	if !l.away.Load() || now.Sub(t.heard) < partTime {
		return
	}
	if in-t.packets > partPackets {
		t.released.end()
	}
	t.packets, t.heard = in, now
}

// come notes that the far end talks to us again.
func (l *Leg) come() {
	t := &l.talk
	if t.released == nil {
		return
	}
	t.released.end()
	t.released = nil
	l.away.Store(false)
	l.spoken(&t.chosen.local)
	l.audio.stream.SetQuiet(false)
}

// Reclaim implements call.Releaser.
func (l *Leg) Reclaim(ctx context.Context) error {
	here := false
	fine := func() bool { // a far end at a fax does not speak at all
		t := &l.talk
		return t.released == nil && (!t.answered || t.fax != nil || t.media.Codec.Decodable())
	}
	err := l.onLoop(ctx, func() error {
		here = fine()
		return nil
	})
	if err != nil || here {
		return err
	}
	return l.Reoffer(ctx, Reoffer{
		Needless: fine,
		Change:   l.spoken,
		Take: func(m sdp.Media) error {
			l.come()
			return l.agree(l.talk.chosen, m)
		},
	})
}

// onLoop runs f, which must not block, on the leg's goroutine.
func (l *Leg) onLoop(ctx context.Context, f func() error) error { return l.ask(ctx, ask{f: f}) }
