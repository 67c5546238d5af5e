package sipleg

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"callbox/call"
	"callbox/sip"
	"callbox/sip/sdp"
)

// start begins the leg's life with its branches. The usual single branch is
// read by the leg's goroutine itself; several are gathered by one each.
func (l *Leg) start(branches ...*branch) {
	l.talk.branches, l.talk.live = branches, len(branches)
	l.audio.stream.SetName(l.info.CallID)
	if len(branches) == 1 {
		go l.run(branches[0].d.Events())
		return
	}
	for _, b := range branches {
		go l.follow(b)
	}
	go l.run(nil)
}

// follow hands a branch's events to the leg's goroutine, which takes them until
// every branch is closed: a dialog ends within seconds of its Hangup.
func (l *Leg) follow(b *branch) {
	for e := range b.d.Events() {
		l.sigs <- branchEvent{b: b, e: e}
	}
	l.sigs <- branchEvent{b: b}
}

// run is the leg's goroutine. only are the events of a single branch.
func (l *Leg) run(only <-chan *sip.DialogEvent) {
	defer func() {
		l.errands.Wait()
		l.group.left(l)
	}()
	watch, stop := l.watch()
	defer stop()
	for l.talk.live > 0 || !l.talk.ended {
		select {
		case e, ok := <-only:
			if !ok {
				only = nil
			}
			l.signal(branchEvent{b: l.talk.branches[0], e: e})
		case s := <-l.sigs:
			l.signal(s)
		case c := <-l.hang:
			l.hangup(c)
		case a := <-l.asks:
			a.reply <- l.do(a)
		case d := <-l.keys:
			l.events.digit(d, false)
		case err := <-l.keyed:
			l.gotKeys(err)
		case <-watch:
			l.supervise()
		}
		l.events.hold(l.talk.answered && l.talk.media.Held())
	}
}

// watch ticks for the supervision, when there is one.
func (l *Leg) watch() (<-chan time.Time, func()) {
	every := time.Second
	switch {
	case l.cfg.Silence > 0:
		every = max(min(l.cfg.Silence/4, time.Second), 10*time.Millisecond)
	case !l.browsing():
		return nil, func() {}
	}
	t := time.NewTicker(every)
	return t.C, t.Stop
}

// supervise asks an answered far end that should send and does not whether it
// still has the call, and ends the leg when it has not.
func (l *Leg) supervise() {
	t := &l.talk
	now := time.Now()
	if l.superviseBrowser(now); l.cfg.Silence <= 0 {
		return
	}
	in := l.arrivals()
	if t.released != nil && !t.ended {
		l.superviseAway(in, now)
		return
	}
	if !t.answered || t.ended || in != t.packets || !t.media.Direction.Sends() {
		t.packets, t.heard = in, now
		return
	}
	if now.Sub(t.heard) >= l.cfg.Silence {
		t.heard = now // the next question in as much time
		t.chosen.d.Probe()
	}
}

// do answers an ask.
func (l *Leg) do(a ask) error {
	t := &l.talk
	switch {
	case t.ended, (a.f != nil || a.reoffer != nil) && len(l.hang) > 0: // it is about to be
		return call.ErrLegEnded
	case a.f != nil:
		return a.f()
	case a.reoffer != nil:
		return l.reoffer(a.reoffer)
	case t.answered, t.waiting:
		return nil
	case !l.info.Inbound:
		return fmt.Errorf("answer an outgoing leg: %w", call.ErrWrongState)
	case a.answer:
		return l.pickUp()
	}
	return l.progress(a.progress)
}

// hangup ends the leg from our side.
func (l *Leg) hangup(c call.Cause) {
	t := &l.talk
	if t.ended {
		return
	}
	r := reason(c)
	for _, b := range t.branches {
		switch {
		case b.ended:
		case l.info.Inbound && !t.answered:
			b.d.Reject(c.SIPStatus(), r)
		default:
			b.d.Hangup(r)
		}
	}
	l.end(c)
}

// end closes the sound and tells the end.
func (l *Leg) end(c call.Cause) {
	t := &l.talk
	if t.ended {
		return
	}
	t.ended = true
	if t.released != nil {
		t.released.end()
	}
	if t.fax != nil {
		t.fax.end(faxGrace)
	}
	for _, b := range t.branches {
		if b.web != nil {
			b.web.Close()
		}
	}
	l.audio.close()
	l.events.end(c, t.onward)
	l.log.Info("leg ended", "cause", c.Q850, "sip", c.SIP, "who", string(c.Who), "text", c.Text)
	close(l.over)
	l.die()
	// What retransmissions need is the dialog's; the leg keeps nothing of it.
	t.offer, t.answer = nil, nil
	for _, b := range t.branches {
		b.session = nil
	}
	l.group.released(l.info.Inbound)
}

// signal handles a branch's event.
func (l *Leg) signal(s branchEvent) {
	t := &l.talk
	if s.e == nil {
		t.live--
		if !s.b.ended { // the stack was closed under us
			s.b.ended = true
			l.branchEnded(s.b, &sip.DialogEvent{Type: sip.Ended, Status: 503, By: sip.ByNetwork, Text: "the SIP stack has stopped"})
		}
		return
	}
	if s.e.Type == sip.Ended {
		s.b.ended = true
		l.branchEnded(s.b, s.e)
		return
	}
	if t.ended || t.chosen != nil && t.chosen != s.b {
		return // told to end already
	}
	if s.e.Local.IsValid() { // another server, perhaps by another way
		s.b.addr = s.e.Local
		s.b.local.Addr = netip.AddrPortFrom(l.cfg.shown(s.e.Local, s.e.Remote), s.b.local.Addr.Port())
	}
	switch s.e.Type {
	case sip.Ringing:
		l.events.once(call.LegRinging)
	case sip.Progress:
		l.early(s.b, s.e.SDP)
	case sip.Answered:
		l.farAnswered(s.b, s.e.SDP)
	case sip.Offer:
		l.reoffered(s.b, s.e.SDP)
	case sip.Confirmed:
		l.confirmed(s.b, s.e.SDP)
	case sip.Reanswered:
		l.reanswered(s.b, s.e.SDP, s.e.Err)
	case sip.Identified:
		l.identified(s.e.Message)
	case sip.Moved:
		l.moved(s.b)
	case sip.Referred:
		l.transfer(s.e.Referral)
	case sip.Told:
		l.inform(s.e.Message)
	}
}

// branchEnded ends the leg when its last or its chosen branch has ended.
func (l *Leg) branchEnded(b *branch, e *sip.DialogEvent) {
	t := &l.talk
	if t.ended || t.chosen != nil && t.chosen != b {
		return
	}
	n := ending{line: l.cfg.Title, party: l.party(), kind: l.cfg.Kind, inbound: l.info.Inbound, answered: t.answered}
	if l.cfg.Direct {
		n.line = n.party
	}
	c := n.cause(e)
	if len(e.Places) > 0 && l.cfg.Onward && len(t.onward) == 0 {
		if t.onward = onward(b.d.Info(), e.Places); len(t.onward) > 0 {
			c.Text = fmt.Sprintf("%s sent the call on to %s", n.party, strings.Join(t.onward, ", "))
			t.worst = c
		}
	}
	if len(t.onward) == 0 && (t.worst.Q850 == 0 || rank(c) > rank(t.worst)) {
		t.worst = c
	}
	for _, other := range t.branches {
		if t.chosen == nil && !other.ended {
			return // it may still be answered
		}
	}
	l.end(t.worst)
}

// party is whom sentences are about.
func (l *Leg) party() string {
	switch {
	case l.cfg.Kind == call.User:
		return l.cfg.Title
	case l.cfg.Direct:
		return l.info.To
	case l.info.Inbound:
		return l.info.From + " on " + l.cfg.Title
	}
	return l.info.To + " on " + l.cfg.Title
}

// agree takes a stream newly agreed with a branch into use.
func (l *Leg) agree(b *branch, m sdp.Media) error {
	if m.Fax.Addr.IsValid() { // the session was only refreshed
		if s := l.talk.fax; s != nil {
			s.way.Aim(s.side, m.Addr, b.addr)
		}
		return nil
	}
	security, way, err := l.secure(b, m)
	if err != nil {
		return err
	}
	if err := l.audio.start(b.addr, m, security, way); err != nil {
		return err
	}
	l.talk.media = m
	l.leftFax()
	if l.talk.answered {
		l.audio.answered(m)
	}
	if old := l.code.Load(); old == nil || *old != m.Codec {
		c := m.Codec
		l.code.Store(&c)
	}
	return nil
}

// connect makes the leg answered.
func (l *Leg) connect() {
	t := &l.talk
	if t.up.IsZero() {
		t.up = time.Now()
	}
	if l.waits() {
		return
	}
	t.answered, t.heard = true, time.Now()
	l.line.Store(t.chosen.d)
	l.audio.answered(t.media)
	l.events.once(call.LegAnswered)
	l.log.Info("leg answered", "codec", l.Codec(), "remote", l.info.Remote)
}

// fail ends an answered or answering leg whose session cannot be had.
func (l *Leg) fail(what string, err error) {
	l.hangup(call.Cause{
		Q850: call.Q850Incompatible, SIP: 488, Who: call.Box,
		Text: fmt.Sprintf("%s: %v", what, err),
	})
}
