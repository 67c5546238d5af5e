package sipleg

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"callbox/call"
	"callbox/media/rtp"
	"callbox/sip"
	"callbox/sip/sdp"
)

const (
	// faxGrace is how long a far end is left at its fax when the other one has ended:
	// most often it ends too, and need not be asked back to sound before.
	faxGrace = 500 * time.Millisecond
	// soundTries bounds how often a far end is asked back to sound, soundPause apart.
	soundTries = 3
	soundPause = 2 * time.Second
)

// errNoFax means that a fax as data cannot come to a far end or from it.
var errNoFax = errors.New("its sound is encrypted, and a fax as data would not be")

// tie is two legs whose far ends may send each other faxes as data (ITU-T T.38).
type tie struct {
	legs [2]*Leg

	mu   sync.Mutex // guards what follows
	fax  *passing   // under way or being arranged; nil: none
	over bool
}

// passing is one fax: from the moment at which a far end has asked for it to that at
// which one of the two goes back to sound, or ends.
type passing struct {
	tie  *tie
	way  *rtp.Crossing
	over chan struct{}
	rest time.Duration // how long the other one is left at it; set before over is closed
	once sync.Once
}

// seat is a leg's part in a fax. It belongs to the leg's goroutine.
type seat struct {
	*passing
	side  int
	shown sdp.Fax // our side of it, as the far end was shown it
}

// PassFax implements call.FaxPasser, for two legs over SIP.
func (l *Leg) PassFax(peer call.Leg) (part func(), ok bool) {
	p, ok := peer.(*Leg)
	if !ok || p == l {
		return nil, false
	}
	t := &tie{legs: [2]*Leg{l, p}}
	l.tie.Store(t)
	p.tie.Store(t)
	return t.cut, true
}

// cut ends the tie, and the fax that there is.
func (t *tie) cut() {
	for _, l := range t.legs {
		l.tie.CompareAndSwap(t, nil)
	}
	t.mu.Lock()
	t.over = true
	fax := t.fax
	t.mu.Unlock()
	if fax != nil {
		fax.end(faxGrace)
	}
}

// begin makes a fax; nil with ErrGlare: there is one already.
func (t *tie) begin() (*passing, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.over:
		return nil, call.ErrLegEnded
	case t.fax != nil:
		return nil, sip.ErrGlare
	}
	way, err := rtp.OpenCrossing(t.legs[0].cfg.Ports, t.legs[1].cfg.Ports)
	if err != nil {
		return nil, err
	}
	t.fax = &passing{tie: t, way: way, over: make(chan struct{})}
	return t.fax, nil
}

// end stops the passing on. rest is how long a far end that is still at it is left so.
func (x *passing) end(rest time.Duration) {
	x.once.Do(func() {
		x.rest = rest
		close(x.over)
		x.way.Close()
		x.tie.mu.Lock()
		defer x.tie.mu.Unlock()
		x.tie.fax = nil
	})
}

// faxOffered is a re-INVITE to fax as data. It is offered to the far end of the leg
// that this one is tied to, and answered as that one does; without one, or when it
// refuses, the sound stays.
func (l *Leg) faxOffered(b *branch, offer *sdp.Description, f sdp.Fax) {
	if s := l.talk.fax; s != nil { // the same once more, or at another address
		answer, err := b.session.AnswerFax(b.local, offer, s.shown)
		if err == nil {
			s.way.Aim(s.side, f.Addr, b.addr)
			err = b.d.AcceptOffer(answer)
		}
		if err != nil {
			l.log.Info("re-INVITE not answered", "err", err)
		}
		return
	}
	t := l.tie.Load()
	if t == nil {
		l.refuseFax(b, errors.New("the other party is not on a SIP line"))
		return
	}
	if err := l.takesFax(); err != nil {
		l.refuseFax(b, err)
		return
	}
	x, err := t.begin()
	if err != nil {
		l.refuseFax(b, err)
		return
	}
	side := 0
	if t.legs[1] == l {
		side = 1
	}
	l.errands.Go(func() { l.bringFax(b, offer, f, seat{passing: x, side: side}) })
}

// refuseFax refuses an offer of fax. Where the two far ends have asked for one at the
// same moment, neither needs to be told that it is impossible.
func (l *Leg) refuseFax(b *branch, why error) {
	status := 488
	if errors.Is(why, sip.ErrGlare) {
		status = 491
	}
	l.log.Info("fax as data refused", "status", status, "err", why)
	if err := b.d.RefuseOffer(status); err != nil {
		l.log.Info("re-INVITE not answered", "err", err)
	}
}

// takesFax says why a fax cannot come to the leg's far end. It runs on the leg's
// goroutine.
func (l *Leg) takesFax() error {
	switch t := &l.talk; {
	case !t.answered:
		return call.ErrWrongState
	case !t.media.Crypto.IsZero() || !t.media.Web.IsZero():
		return errNoFax // it must not be in the clear without anybody's knowing
	}
	return nil
}

// bringFax offers a fax to the other far end and answers with what that one says. It
// is one of the leg's errands.
func (l *Leg) bringFax(b *branch, offer *sdp.Description, f sdp.Fax, s seat) {
	peer := s.tie.legs[1-s.side]
	theirs, err := peer.joinFax(l.life, seat{passing: s.passing, side: 1 - s.side}, f)
	if err == nil {
		err = l.onLoop(l.life, func() error {
			own := s.own(theirs)
			answer, err := b.session.AnswerFax(b.local, offer, own)
			if err != nil {
				return err
			}
			l.sit(b, s, own, f)
			return b.d.AcceptOffer(answer)
		})
	}
	if err == nil {
		l.log.Info("a fax passes as data", "remote", f.Addr)
		return
	}
	s.end(0)
	_ = l.onLoop(l.life, func() error { // a leg that has ended has nothing to refuse
		l.refuseFax(b, fmt.Errorf("the other far end: %w", err))
		return nil
	})
}

// own is our side of a fax as the far end is shown it, with what the other one wrote.
func (s seat) own(theirs sdp.Fax) sdp.Fax {
	return sdp.Fax{Addr: netip.AddrPortFrom(netip.Addr{}, s.way.Port(s.side)), Attributes: theirs.Attributes}
}

// joinFax asks the leg's far end to go on with a fax, and gives its side of it.
func (l *Leg) joinFax(ctx context.Context, s seat, f sdp.Fax) (theirs sdp.Fax, err error) {
	if err := l.onLoop(ctx, l.takesFax); err != nil {
		return sdp.Fax{}, err
	}
	own := s.own(f)
	err = l.Reoffer(ctx, Reoffer{
		Spare:  true,
		Change: func(o *sdp.Local) { o.Far, o.Fax = nil, &own },
		// It has switched the sound off, and nothing on.
		Odd: func() { l.errands.Go(func() { l.speakAgain(nil) }) },
		Take: func(m sdp.Media) error {
			theirs = m.Fax
			l.sit(l.talk.chosen, s, own, theirs)
			return nil
		},
	})
	return theirs, err
}

// sit has the leg's far end at a fax from now on, until that is over. It runs on the
// leg's goroutine.
func (l *Leg) sit(b *branch, s seat, own, theirs sdp.Fax) {
	l.come()
	s.shown = own
	l.talk.fax = &s
	b.local.Fax = &own
	s.way.Aim(s.side, theirs.Addr, b.addr)
	l.audio.stream.SetQuiet(true)
	l.errands.Go(func() { l.leaveFax(s.passing) })
}

// leaveFax brings the far end back to sound when the fax is over. It is one of the
// leg's errands.
func (l *Leg) leaveFax(x *passing) {
	select {
	case <-x.over:
	case <-l.over:
		return
	}
	t := time.NewTimer(x.rest)
	defer t.Stop()
	select {
	case <-t.C:
		l.speakAgain(x)
	case <-l.over:
	}
}

// speakAgain offers sound to a far end that is at the fax x; nil: that has nothing at
// all. One that does not take it cannot stay in the call.
func (l *Leg) speakAgain(x *passing) {
	for tries := 1; ; tries++ {
		err := l.Reoffer(l.life, Reoffer{
			Needless: func() bool { return x != nil && (l.talk.fax == nil || l.talk.fax.passing != x) },
			Change:   l.spoken,
		})
		switch {
		case err == nil, errors.Is(err, call.ErrLegEnded), l.life.Err() != nil:
			return
		case tries == soundTries:
			l.Hangup(call.Cause{
				Q850: call.Q850Incompatible, SIP: 488, Who: call.Box,
				Text: fmt.Sprintf("%s did not come back to sound after a fax: %v", l.party(), err),
			})
			return
		}
		t := time.NewTimer(soundPause)
		select {
		case <-t.C:
		case <-l.over:
		}
		t.Stop()
	}
}

// leftFax notes that the leg's far end speaks again. It runs on the leg's goroutine.
func (l *Leg) leftFax() {
	s := l.talk.fax
	if s == nil {
		return
	}
	l.talk.fax = nil
	l.talk.chosen.local.Fax = nil
	l.audio.stream.SetQuiet(l.talk.released != nil)
	l.log.Info("the sound is back after a fax")
	s.end(0)
}

// arrivals counts what has come from the far end: packets of sound, and of a fax.
func (l *Leg) arrivals() uint64 {
	n := l.audio.stream.Stats().PacketsIn
	if s := l.talk.fax; s != nil {
		passed, _ := s.way.Passed(s.side)
		n += passed
	}
	return n
}
