package engine

import (
	"context"
	"errors"

	"callbox/call"
	"callbox/call/script"
)

// owns notes whose call a leg is; nil: nobody's any longer.
func (e *Engine) owns(leg call.Leg, c *live) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if c == nil {
		delete(e.legs, leg)
	} else {
		e.legs[leg] = c
	}
}

// ofLeg gives the call of a leg, nil when it has none.
func (e *Engine) ofLeg(leg call.Leg) *live {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.legs[leg]
}

// Ringing gives the leg of a call whose party has not answered yet, so that another
// one can take its place; nil when there is none.
func (e *Engine) Ringing(id string) call.Leg {
	e.mu.Lock()
	c := e.calls[id]
	var found call.Leg
	for leg, of := range e.legs {
		if c != nil && of == c {
			found = leg
		}
	}
	e.mu.Unlock()
	if found == nil || c.snapshot().State != call.Ringing {
		return nil
	}
	return found
}

// side is a party of a connection as another one sees it.
type side struct {
	party *live
	dial  *dialing // that has made the connection
	first bool     // party is its caller
}

// across gives whom a connected call speaks with; ok is false when it is not
// connected, or not by a Dial.
func (c *live) across() (s side, ok bool) {
	c.do(context.Background(), func() {
		if l := c.link; l != nil && l.b.owner != nil {
			s, ok = side{party: l.b.a, dial: l.b.owner, first: true}, true
			if l.mine {
				s.party, s.first = l.b.b, false
			}
		}
	})
	return s, ok
}

// attend connects the partners of two calls of one far end, which then end.
func (w *wish) attend() *call.Cause {
	e := w.by.e
	other := e.ofLeg(w.Replaces)
	if other == nil || other == w.by || other.account != w.by.account {
		return &call.Cause{Q850: call.Q850Temporary, SIP: 481, Who: call.Box, Text: "the call whose party is meant has ended"}
	}
	if of := w.Replaces.Info(); of.Line != w.leg.Line {
		return &call.Cause{Q850: call.Q850Rejected, SIP: 403, Who: call.Box, Text: "the call whose party is meant is not one of line " + w.leg.Line}
	}
	one, ok := w.by.across()
	two, also := other.across()
	switch {
	case ok && !also:
		return w.succeed(one.party, other, other)
	case also && !ok:
		return w.succeed(two.party, w.by, other)
	case !ok || one.party == two.party:
		return &call.Cause{Q850: call.Q850Rejected, SIP: 603, Who: call.Box, Text: "the two calls do not both connect a party that could speak with the other"}
	}
	text := w.by.name() + " transferred " + one.party.name() + " to " + two.party.name()
	for _, c := range []*live{w.by, other} {
		c.moved(text)
	}
	if err := one.meet(two); err != nil {
		for _, c := range []*live{w.by, other} {
			if errors.Is(err, errApart) {
				c.finish()
			} else {
				c.do(context.Background(), func() { c.gave = nil })
			}
		}
		return &call.Cause{Q850: call.Q850Temporary, SIP: 500, Who: call.Box, Text: "the two could not be connected: " + err.Error()}
	}
	_ = w.Reply.Accept() // whoever has given up has got what it wanted
	w.Reply.Progress(200, "")
	for _, c := range []*live{w.by, other, one.party, two.party} {
		control{c: c}.Tell(call.EventWarning, text)
	}
	w.by.finish()
	other.finish()
	return nil
}

// succeed has the party of one of the far end's calls take its place in what runs on
// at, an application or a conference. Both of the far end's calls then end.
func (w *wish) succeed(party, at, other *live) *call.Cause {
	no := func(text string) *call.Cause {
		return &call.Cause{Q850: call.Q850Rejected, SIP: 603, Who: call.Box, Text: text}
	}
	var verbs []script.Verb
	at.do(context.Background(), func() {
		if at.r.State == call.InProgress && at.watch == nil && at.script != nil && !at.script.replaced {
			verbs = at.script.place.Verbs()
		}
	})
	switch {
	case len(verbs) == 0:
		return no("the two calls do not both connect a party that could speak with the other, or take its place")
	case at.rec.Load().API != party.rec.Load().API:
		return no("the application of the one call speaks another dialect than the other call")
	}
	_ = w.Reply.Accept() // whoever has given up has got what it wanted
	ends := []*live{w.by, other}
	text := w.by.name() + " transferred " + party.name() + " to what it was connected with itself"
	for _, c := range ends {
		c.moved(text)
	}
	// A conference goes on that would end with the far end's leaving.
	stays := false
	_ = at.e.changeParticipant(context.Background(), at, call.ParticipantChange{EndOnExit: &stays}) // it may be in none
	party.runInstead(script.Document{Verbs: verbs})
	w.Reply.Progress(200, "")
	control{c: party}.Tell(call.EventWarning, text)
	for _, c := range ends {
		control{c: c}.Tell(call.EventWarning, text)
		c.finish()
	}
	return nil
}

var (
	// errBusyMoving says that a connection cannot be changed now.
	errBusyMoving = errors.New("a connection is being changed or has ended")
	// errApart says that a connection has ended for one that did not come about.
	errApart = errors.New("the connection is lost")
)

// meet connects the parties of two connections with each other. A Dial whose
// caller one of them is goes on; where both are, one waits for the other.
func (s side) meet(t side) error {
	if !s.first && t.first {
		s, t = t, s
	}
	if s.first {
		if !t.first {
			return s.dial.adopt(t.party, t.dial.news, nil)
		}
		until := t.dial.lend()
		if until == nil {
			return errBusyMoving
		}
		if err := s.dial.adopt(t.party, nil, until); err != nil {
			close(until)
			return errors.Join(errApart, err)
		}
		return nil
	}
	// Both were called: one becomes the caller of the other.
	x, err := t.over(control{c: s.party}, &s.dial.d)
	if err != nil {
		return err
	}
	ok := false
	s.party.do(context.Background(), func() {
		if ok = !s.party.r.State.Final() && s.party.watch == s.dial.news; ok {
			s.party.leave()
			s.party.follow(successor{
				run:  func(ctx context.Context, _ *script.Env) { x.keep(ctx, t.party) },
				drop: func() { x.release(t.party, call.NormalClearing(call.Peer)) },
			})
		}
	})
	if !ok {
		x.release(t.party, call.NormalClearing(call.Peer))
		return errors.Join(errApart, errCalleeGone)
	}
	return nil
}

// over gives the party, which was called, to a new Dial of k that is like another.
func (s side) over(k control, like *script.Dial) (*dialing, error) {
	x := k.dialing(&script.Dial{Tag: like.Tag, TimeLimit: like.TimeLimit, OnHold: like.OnHold, Path: like.Path,
		Record: like.Record, Transcribe: like.Transcribe, Transfers: like.Transfers, MayIgnore: like.MayIgnore})
	ok := false
	s.party.do(context.Background(), func() {
		if ok = !s.party.r.State.Final() && s.party.watch == s.dial.news; ok {
			s.party.watch, s.party.away = x.news, false
		}
	})
	if !ok {
		return nil, errCalleeGone
	}
	return x, nil
}

// keep connects the caller with a party until one of them ends.
func (w *dialing) keep(ctx context.Context, party *live) {
	_, _ = w.connect(ctx, party) // an error is that of the call's end, or of what took it over
	w.hearNoMore()
	w.stopRecording()
}

// replacing takes a leg that is to take the place of another (RFC 3891).
func (e *Engine) replacing(leg call.Leg, info call.LegInfo) {
	old := e.ofLeg(info.Replaces)
	no := func(sip int, text string) { e.turnAway(leg, call.FromSIP(sip, call.Box, text)) }
	if old == nil {
		no(481, "the call that is to be replaced has ended")
		return
	}
	rec := old.snapshot()
	if e.cfg.Transfers == nil {
		no(403, "no call may take the place of another")
		return
	}
	if err := e.cfg.Transfers.Replace(info, info.Replaces.Info(), rec.Answered != nil); err != nil {
		e.turnAway(leg, call.CauseOf(err))
		return
	}
	c := e.arriving(info, Plan{Account: rec.Account, API: rec.API, Application: rec.Application, Session: rec.Session,
		Why: info.From + " takes the place of " + old.name()})
	c.instead = old
	e.receive(leg, c)
}

// takePlace is the script of a call that takes the place of c.instead.
func (c *live) takePlace(ctx context.Context, env *script.Env) {
	old := c.instead
	refuse := func(text string) {
		env.Hangup(call.Cause{Q850: call.Q850Rejected, SIP: 603, Who: call.Box, Text: text})
	}
	var rings *news // of the Dial for which the other one rings
	old.do(ctx, func() {
		if old.watch != nil && old.r.State < call.InProgress {
			rings = old.watch
		}
	})
	s, connected := old.across()
	if rings == nil && !connected {
		refuse(old.name() + " has nobody whom another phone could take over")
		return
	}
	if err := env.Answer(ctx); err != nil {
		return // the call has ended
	}
	text := c.name() + " took the call over from " + old.name()
	env.Tell(call.EventWarning, text)
	if rings == nil {
		old.moved(text)
	}
	switch {
	case rings != nil:
		c.do(ctx, func() {
			switch {
			case c.r.State.Final():
			case rings.tell(c, standing{stage: childTakes, instead: old}):
				c.watch, c.ready = rings, true
			default:
				c.end(tooLate())
			}
		})
	case s.first:
		if err := s.dial.adopt(c, nil, nil); err != nil {
			refuse("nobody is left to speak with: " + err.Error())
			return
		}
		control{c: s.party}.Tell(call.EventWarning, text)
		old.finish()
	default:
		x, err := s.over(control{c: c}, &s.dial.d)
		if err != nil {
			refuse("nobody is left to speak with: " + err.Error())
			return
		}
		control{c: s.party}.Tell(call.EventWarning, text)
		old.finish()
		x.keep(ctx, s.party)
	}
}
