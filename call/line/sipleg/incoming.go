package sipleg

import (
	"errors"
	"fmt"
	"time"

	"callbox/call"
	"callbox/sip"
	"callbox/sip/sdp"
)

// Incoming makes a leg of an arriving dialog. info says who calls whom; Line,
// Kind, Inbound, CallID, Remote and Started are filled in here. When the call
// cannot be taken, the dialog has been refused and the error is a call.Cause.
func (g *Group) Incoming(d *sip.Dialog, info call.LegInfo) (*Leg, error) {
	l, err := g.incoming(d, info)
	if err != nil {
		c := call.CauseOf(err)
		g.cfg.logger().Info("call refused", "leg", d.Info().CallID, "sip", c.SIP, "text", c.Text)
		d.Reject(c.SIPStatus(), reason(c))
		for range d.Events() { //nolint:revive // it has been refused: Ended follows at once
		}
		return nil, c
	}
	return l, nil
}

func (g *Group) incoming(d *sip.Dialog, info call.LegInfo) (*Leg, error) {
	di := d.Info()
	info.Line, info.Kind, info.Inbound = g.cfg.Line, g.cfg.Kind, true
	info.CallID, info.Remote, info.Started = di.CallID, di.Remote.String(), time.Now()
	if di.Replaces != nil {
		if info.Replaces = legOf(di.Replaces); info.Replaces == nil {
			return nil, call.Cause{Q850: call.Q850Temporary, SIP: 481, Who: call.Box, Text: "the call that is to be replaced is no call of a line"}
		}
	}
	var offer *sdp.Description
	web := sip.Web(di.Transport) // which an offer may tell better
	if len(di.Offer) > 0 {
		var err error
		var m sdp.Media
		if offer, err = sdp.Parse(di.Offer); err == nil {
			m, _, err = offer.Choose(g.cfg.look())
		}
		web = !m.Web.IsZero()
		if err != nil {
			return nil, badOffer(err)
		}
		info.Codec = m.Codec.Name
	}
	if err := g.reserve(true); err != nil {
		return nil, err
	}
	l, err := newLeg(g, info)
	if err != nil {
		g.released(true)
		return nil, err
	}
	if err := g.joined(l); err != nil {
		l.audio.close()
		g.released(true)
		return nil, err
	}
	l.talk.offer = offer
	l.log = l.log.With("leg", di.CallID)
	l.log.Info("leg arrived", "from", masked(info.From), "to", masked(info.To), "remote", info.Remote)
	b := l.newBranch(di.Local, di.Remote.Addr(), nil, false)
	b.d, l.arrived = d, d
	if web && g.cfg.Identity != nil {
		l.browse(b)
	}
	d.Bind(l)
	l.start(b)
	return l, nil
}

// badOffer is the cause of a call whose session cannot be had.
func badOffer(err error) call.Cause {
	c := call.Cause{Q850: call.Q850Incompatible, SIP: 488, Who: call.Box, Text: fmt.Sprintf("the caller's sound cannot be used: %v", err)}
	if errors.Is(err, sdp.ErrMalformed) {
		c.SIP = 400
	}
	return c
}

// describe makes our session description for an arriving INVITE, once: the 183
// and the 200 must carry the same (RFC 3261 §13.2.1). With an offer it is the
// answer and the sound starts; without one it is our offer, which the ACK
// answers.
func (l *Leg) describe() ([]byte, error) {
	t := &l.talk
	b := t.branches[0]
	if t.answer != nil {
		return t.answer, nil
	}
	if t.offer == nil {
		body, err := b.session.Offer(b.local)
		t.answer = body
		return body, err
	}
	body, m, err := b.answer(t.offer)
	if err != nil {
		return nil, err
	}
	if err := l.agree(b, m); err != nil {
		return nil, err
	}
	t.answer = body
	return body, nil
}

// progress sends 180, or 183 with sound.
func (l *Leg) progress(p call.Progress) error {
	t := &l.talk
	d := t.branches[0].d
	// Without an offer there is nothing to answer before the 200, unless we offer
	// before: the first response that is acknowledged has to (RFC 3262 §5).
	offers := t.offer == nil && d.Reliable()
	if !offers && (p != call.ProgressEarly || t.offer == nil) {
		return ended(d.Ring(180, nil))
	}
	body, err := l.describe()
	if err != nil {
		return fmt.Errorf("early media: %w", err)
	}
	if p != call.ProgressEarly {
		return ended(d.Ring(180, body))
	}
	return ended(d.Ring(183, body))
}

// pickUp sends the 200.
func (l *Leg) pickUp() error {
	t := &l.talk
	b := t.branches[0]
	body, err := l.describe()
	if err != nil {
		l.fail("the call cannot be answered", err)
		return fmt.Errorf("answer: %w", err)
	}
	if err := b.d.Answer(body); err != nil {
		return ended(err)
	}
	t.chosen = b
	l.connect()
	return nil
}

// confirmed is the ACK. It carries the answer when we made the offer.
func (l *Leg) confirmed(b *branch, body []byte) {
	t := &l.talk
	if t.media.Codec.IsZero() && len(body) == 0 {
		l.fail("the caller has agreed to no sound", sdp.ErrNoAudio)
		return
	}
	if len(body) == 0 {
		return
	}
	m, err := b.session.Accept(b.local, body)
	if err == nil {
		err = l.agree(b, m)
	}
	if err != nil {
		l.fail("the caller's sound cannot be used", err)
	}
}

// reoffered is a re-INVITE or UPDATE: hold, resume, another address or codec.
// A refusal leaves everything as it was (RFC 3261 §14.2).
func (l *Leg) reoffered(b *branch, body []byte) {
	if l.refreshed(b, body) {
		return
	}
	offer, err := sdp.Parse(body)
	if err == nil {
		if f, err := offer.Fax(); err == nil {
			l.faxOffered(b, offer, f) // who is refused a fax goes on as before
			return
		}
	}
	// Whatever else it wants now, it wants of us: a far end that was sent to another
	// one comes back by asking.
	l.come()
	if len(body) == 0 {
		offer, err := b.session.Offer(b.local)
		if err == nil {
			err = b.d.AcceptOffer(offer)
		}
		if err != nil {
			l.log.Info("re-INVITE not answered", "err", err)
		}
		return
	}
	var answer []byte
	var m sdp.Media
	if err == nil {
		answer, m, err = b.answer(offer)
	}
	if err == nil {
		err = l.agree(b, m)
	}
	if err != nil {
		status := 488
		if errors.Is(err, sdp.ErrMalformed) {
			status = 400
		}
		l.log.Info("re-INVITE refused", "status", status, "err", err)
		err = b.d.RefuseOffer(status)
	} else {
		err = b.d.AcceptOffer(answer)
	}
	if err != nil {
		l.log.Info("re-INVITE not answered", "err", err)
	}
}

// refreshed answers a re-INVITE that changes nothing (RFC 4028 §7.4) by what we
// said last, and reports whether it was one.
func (l *Leg) refreshed(b *branch, body []byte) bool {
	if l.talk.released == nil || len(body) == 0 {
		return false
	}
	offer, err := sdp.Parse(body)
	if err != nil {
		return false
	}
	last, again := b.session.Again(offer)
	if again {
		if err := b.d.AcceptOffer(last); err != nil {
			l.log.Info("re-INVITE not answered", "err", err)
		}
	}
	return again
}

// ended maps the dialog's errors to the contract's.
func ended(err error) error {
	if errors.Is(err, sip.ErrEnded) {
		return call.ErrLegEnded
	}
	return err
}
