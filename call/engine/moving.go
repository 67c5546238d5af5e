package engine

import (
	"context"
	"fmt"
	"strings"

	"callbox/call"
	"callbox/call/script"
	"callbox/media/session"
)

// connection is a Dial's while it has connected two parties. It belongs to the
// goroutine of the Dial, which others reach with during.
type connection struct {
	asks   chan func(hold context.Context)
	parted chan struct{} // closed when the connection has ended

	b      *bridge
	child  *live         // the other party; nil: the caller is lent
	guest  chan struct{} // the other party has a Dial of its own, which waits for this to be closed; nil: it has none
	lent   chan struct{} // another Dial has connected the caller, until this is closed; nil: none has
	shown  *live         // the child that the result is of
	hold   heldBy        // as last told
	moving *moving       // a transfer that keeps the two apart; nil: none
	alone  bool          // the other party has gone
}

func newConnection() connection {
	return connection{asks: make(chan func(context.Context)), parted: make(chan struct{})}
}

// during runs f on the Dial's goroutine while it connects two parties; false: it
// no longer does, and f did not run.
func (w *dialing) during(f func(hold context.Context)) bool {
	done := make(chan struct{})
	select {
	case w.asks <- func(hold context.Context) { f(hold); close(done) }:
		<-done
		return true
	case <-w.parted:
		return false
	}
}

// link connects the caller with child.
func (w *dialing) link(ctx context.Context, child *live) error {
	b, err := w.join(ctx, child, &w.d, func() bool { return child.watch == w.news }, w) // else it was redirected
	if err != nil {
		return err
	}
	w.b, w.child, w.alone, w.hold = b, child, false, heldBy{}
	if w.guest == nil {
		w.shown = child
	}
	return nil
}

// part ends the connection. err says why talk ended.
func (w *dialing) part(err error) {
	close(w.parted)
	w.b.close()
	if m := w.moving; m != nil && m.first {
		m.cancel()
		<-m.done
	} else if m != nil && (err == nil || w.c.snapshot().State == call.InProgress) {
		m.partner.do(context.Background(), func() { m.partner.away = false })
	}
	if w.lent != nil { // what took the caller has to let go
		w.c.do(context.Background(), func() {
			if w.c.watch != nil {
				w.c.tellParent(childLeft)
				w.c.leave()
			}
		})
	}
	w.letGo()
	w.b.home()
}

// letGo lets the other party go: it is hung up, or goes on with its own document.
func (w *dialing) letGo() {
	child := w.child
	switch {
	case child == nil:
	case w.guest != nil:
		child.do(context.Background(), func() {
			if child.watch == w.news {
				child.leave()
			}
		})
		close(w.guest)
	default:
		w.release(child, call.NormalClearing(call.Peer))
	}
	w.child, w.guest = nil, nil
}

// apart separates the two for a transfer.
func (w *dialing) apart(m *moving) bool {
	if w.moving != nil || w.alone || w.child == nil || w.b != m.link.b {
		return false
	}
	w.unhold()
	w.b.sa.Unbridge()
	w.moving = m
	return true
}

// together connects the two again after a transfer that failed.
func (w *dialing) together(hold context.Context) {
	w.moving = nil
	if w.alone {
		return
	}
	if err := session.Bridge(w.b.sa, w.b.sb); err != nil {
		w.alone = true // one of them has ended, and says so in a moment
		return
	}
	w.b.path.Load().stir()
	w.held(hold, w.b, w.hold)
}

// adopt makes c, which belongs to the Dial of from, the other party, in place of
// the one that there was. guest is closed when the connection ends, where c has a
// Dial of its own; nil: it has none, and is hung up then. On an error guest stays
// the caller's to close.
func (w *dialing) adopt(c *live, from *news, guest chan struct{}) error {
	err := errCalleeGone
	w.during(func(context.Context) {
		if w.lent != nil { // its caller speaks with somebody else meanwhile
			return
		}
		moved := false
		c.do(context.Background(), func() {
			if moved = !c.r.State.Final() && c.watch == from; moved {
				c.watch, c.away = w.news, false
				c.ready = c.ready || guest == nil
			}
		})
		if !moved {
			return
		}
		w.unhold()
		w.b.close()
		w.b.home()
		w.moving, w.guest = nil, guest
		if err = w.link(context.Background(), c); err != nil {
			w.child, w.guest, w.alone = c, nil, true
			if guest != nil { // it has a Dial of its own, which goes on to its end
				w.child = nil
			}
		}
	})
	return err
}

// lend gives the caller to another Dial; what is given is closed by that one. Nil:
// there is no connection, or it is being changed.
func (w *dialing) lend() (until chan struct{}) {
	w.during(func(context.Context) {
		if w.moving != nil || w.lent != nil || w.alone || w.child == nil {
			return
		}
		w.unhold()
		w.b.close()
		w.b.home()
		until = make(chan struct{})
		w.lent, w.child = until, nil
	})
	return until
}

// moving is a transfer under way: somebody else is being called for one of two
// parties, who are apart meanwhile.
type moving struct {
	*wish
	w       *dialing // the Dial that has connected them
	partner *live    // the party that is transferred
	first   bool     // it is the caller of that Dial
	cancel  context.CancelFunc
	done    chan struct{} // closed when it has landed or failed; where first
}

// move transfers the partner as plan says; the zero Plan says to the target.
func (w *wish) move(plan Plan) *call.Cause {
	m := &moving{wish: w, w: w.link.b.owner, partner: w.partner(), first: !w.link.mine, done: make(chan struct{})}
	if !plan.Script.IsZero() || m.w == nil { // a connection out of a queue has no Dial to come back to
		return m.hand(plan)
	}
	ctx, cancel := context.WithCancel(context.Background())
	m.cancel = cancel
	apart := false
	m.w.during(func(context.Context) { apart = m.w.apart(m) })
	if !apart {
		cancel()
		return &call.Cause{Q850: call.Q850Temporary, SIP: 491, Who: call.Box, Text: "the connection is being changed or has ended"}
	}
	_ = m.Reply.Accept() // whoever has given up is transferred all the same
	targets := m.targets(plan)
	if m.first {
		defer close(m.done)
		defer cancel()
		m.run(ctx, control{m.partner, m.w.s}, targets)
		return nil
	}
	cancel()
	began := false
	m.partner.do(context.Background(), func() {
		if began = !m.partner.r.State.Final() && m.partner.watch == m.w.news; began {
			m.partner.away = true
			m.partner.follow(successor{
				run: func(ctx context.Context, _ *script.Env) { m.run(ctx, control{c: m.partner}, targets) },
				drop: func() {
					m.failed(call.Cause{Q850: call.Q850Normal, SIP: 487, Who: call.Peer, Text: m.partner.name() + " did not wait for it"})
				},
			})
		}
	})
	if !began {
		m.w.during(m.w.together)
		m.report(call.Cause{Q850: call.Q850Normal, SIP: 487, Who: call.Peer})
	}
	return nil
}

// hand gives the partner to the script that answers calls to the target, or has it
// call the target by itself.
func (m *moving) hand(plan Plan) *call.Cause {
	if plan.Script.IsZero() {
		plan.Document = &script.Document{Verbs: []script.Verb{&script.DialVerb{Dial: script.Dial{Targets: m.targets(plan)}}}}
	} else if plan.API != m.partner.rec.Load().API {
		return &call.Cause{Q850: call.Q850Rejected, SIP: 603, Who: call.Box,
			Text: "the application of " + m.target() + " speaks another dialect than that of the call"}
	}
	_ = m.Reply.Accept()
	m.tell(m.by, m.partner)
	m.by.moved(m.by.name() + " transferred the call to " + m.target())
	m.partner.do(context.Background(), func() {
		if !m.partner.r.State.Final() {
			m.partner.take(successor{src: plan.Script, doc: plan.Document})
		}
	})
	m.Reply.Progress(200, "")
	m.by.finish()
	return nil
}

// targets are whom a plan calls.
func (m *moving) targets(plan Plan) []script.Target {
	list := []script.Target{{Kind: script.ToNumber, To: m.To}}
	if m.To == "" {
		list = []script.Target{{Kind: script.ToSIP, To: m.URI}}
	}
	if plan.Document != nil {
		for _, v := range plan.Document.Verbs {
			if d, ok := v.(*script.DialVerb); ok {
				list = append([]script.Target(nil), d.Dial.Targets...)
			}
		}
	}
	for i := range list {
		t := &list[i]
		if m.partner.rec.Load().Direction == call.OutboundDial { // the one that was called is shown, not its caller
			t.From = strings.TrimPrefix(m.partner.rec.Load().To, "client:")
		}
		for _, h := range m.Headers {
			if h.Name == "Referred-By" {
				t.Headers = append(t.Headers, h)
			}
		}
	}
	return list
}

// run calls the targets for the partner and connects it, or gives it back.
func (m *moving) run(ctx context.Context, k control, targets []script.Target) {
	old := &m.w.d
	d := script.Dial{Targets: targets, Tag: old.Tag, SameStatus: old.SameStatus, Timeout: old.Timeout, TimeLimit: old.TimeLimit,
		RingTone: old.RingTone, OnHold: old.OnHold, Path: old.Path, Transfers: old.Transfers, MayIgnore: old.MayIgnore}
	if !m.first { // whom the Dial's own recording and transcription leave with
		d.Record, d.Transcribe = old.Record, old.Transcribe
	}
	x := k.dialing(&d)
	defer x.hearNoMore()
	x.origin = m.leg.Line
	x.why = "Transferred by " + m.by.name() + ". "
	x.step = func(s standing) {
		switch s.stage {
		case childRinging:
			m.Reply.Progress(180, "")
		case childEarly:
			m.Reply.Progress(183, "")
		}
	}
	x.try(len(targets))
	winner, err := x.ring(ctx)
	x.quiet()
	if winner == nil {
		cause := call.Cause{Q850: call.Q850Normal, SIP: 487, Who: call.Peer, Text: m.partner.name() + " did not wait for it"}
		x.dropTrying(cause)
		if err == nil {
			cause = x.failed().Cause
		}
		m.failed(cause)
		return
	}
	x.dropTrying(call.Cause{Q850: 26, SIP: 487, Who: call.Peer, Text: "another phone answered"})
	m.land(ctx, x, winner)
}

// failed connects the two again, where both are still there.
func (m *moving) failed(cause call.Cause) {
	m.partner.do(context.Background(), func() {
		if m.partner.away && m.partner.watch != nil {
			m.partner.away = false
		}
	})
	back := m.w.during(m.w.together)
	m.refuse(cause)
	if !back && !m.first { // who has called it has gone meanwhile
		m.partner.do(context.Background(), func() {
			if m.partner.watch == nil && m.partner.next == nil {
				m.partner.end(call.Cause{Q850: call.Q850Normal, Who: call.Peer, Text: "the transfer to " + m.target() + " failed: " + cause.Error()})
			}
		})
	}
}

// land connects the partner with the winner and ends the one that wanted it.
func (m *moving) land(ctx context.Context, x *dialing, winner *live) {
	m.tell(m.by, m.partner)
	m.by.moved(m.by.name() + " transferred the call to " + m.target())
	if m.first {
		if err := m.w.adopt(winner, x.news, nil); err != nil {
			x.release(winner, call.NormalClearing(call.Peer))
			m.failed(call.Cause{Q850: call.Q850Temporary, SIP: 500, Who: call.Box, Text: fmt.Sprintf("nobody was connected: %v", err)})
			return
		}
		m.Reply.Progress(200, "")
		m.by.finish()
		return
	}
	m.partner.do(context.Background(), m.partner.leave)
	m.Reply.Progress(200, "")
	m.by.finish()
	x.keep(ctx, winner)
}
