package sip

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"callbox/sip/wire"
)

// onOffer handles a re-INVITE or UPDATE; e is where it came from before the answer
// to our INVITE. It is called with mu held.
func (d *Dialog) onOffer(req *gosip.Request, flow wire.Flow, tx *wire.ServerTx, e *early) {
	later := gosip.NewHeader("Retry-After", strconv.Itoa(rand.IntN(10)))
	sdp, ok := sdpOf(req)
	switch {
	case !ok:
		d.reply(tx, req, 415, gosip.NewHeader("Accept", sdpType))
		return
	case d.state == dsEnding:
		d.reply(tx, req, 481)
		return
	case d.mine != nil: // both at once (RFC 3261 §14.2, RFC 3311 §5.2)
		d.reply(tx, req, 491)
		return
	case d.offer != nil, d.ack != nil && req.IsInvite():
		d.reply(tx, req, 500, later)
		return
	case d.session.terms.tooShort(intervalOf(req)):
		d.reply(tx, req, 422, tooShortHeaders()...)
		return
	}
	p := &d.path
	if e != nil {
		p = &e.path
	}
	if cs := contactsOf(req); len(cs) == 1 && !cs[0].Address.Wildcard {
		p.target = cs[0].Address
	}
	p.flow = flow
	d.identified(req)
	if !req.IsInvite() && sdp == nil { // a session timer or target refresh
		res := d.response(req, 200, nil)
		if d.state == dsUp || d.state == dsAnswered {
			d.grantTo(res, req)
		}
		_ = tx.Respond(res)
		return
	}
	if !d.settled(e, req.IsInvite()) {
		d.reply(tx, req, 500, later)
		return
	}
	if req.IsInvite() {
		d.reply(tx, req, 100)
		tx.OnUnacknowledged(d.onNoAck)
		tx.OnCancel(func(*gosip.Request) { d.refuseOffer(tx, 487) })
	}
	d.await(&pendingOffer{req: req, tx: tx, early: e}, sdp)
}

// settled reports whether the first offer has its answer, so that there can be
// another one: in an answered call, or, by UPDATE, when both were exchanged
// reliably before (RFC 3311 §5.2). It is called with mu held.
func (d *Dialog) settled(e *early, invite bool) bool {
	if d.state == dsUp || d.state == dsAnswered {
		return true
	}
	return !invite && (e != nil && e.agreed || d.state == dsInvited && d.arrival.agreed && !d.arrival.answering)
}

// await tells an offer of the far end and waits for our answer. It is called with
// mu held.
func (d *Dialog) await(o *pendingOffer, sdp []byte) {
	d.offer = o
	o.timer = d.s.wire.After(48*d.s.cfg.T1, func() { d.refuseOffer(o.tx, 500) })
	d.emit(DialogEvent{Type: Offer, SDP: sdp})
}

// AcceptOffer answers the outstanding Offer event, or the offer in Answered when
// the INVITE had no SDP.
func (d *Dialog) AcceptOffer(sdp []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.told {
		return ErrEnded
	}
	o := d.offer
	if o == nil {
		return ErrState
	}
	d.offer = nil
	o.timer.Stop()
	d.session.sdp = sdp
	switch {
	case o.tx == nil && o.early != nil:
		o.early.agreed = true
		d.prack(o.early, o.res, sdp)
		return nil
	case o.tx == nil:
		return d.acknowledge(d.call.current(), o.res, sdp)
	case o.early != nil:
		o.early.sdp, _ = sdpOf(o.req)
	}
	res := d.response(o.req, 200, sdp)
	if d.state == dsUp || d.state == dsAnswered {
		d.grantTo(res, o.req)
	}
	if err := o.tx.Respond(res); err != nil && sipError(err) == ErrState {
		return ErrState
	}
	if o.req.IsInvite() {
		d.ack = &pendingAck{tx: o.tx, seq: o.req.CSeq().SeqNo}
	}
	d.proceed()
	return nil
}

// RefuseOffer refuses the outstanding Offer event with status 400…699 (488: not
// acceptable here). The session stays as it was. The offer in Answered cannot
// be refused: hang up.
func (d *Dialog) RefuseOffer(status int) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.told:
		return ErrEnded
	case d.offer == nil || d.offer.tx == nil || status < 400 || status > 699:
		return ErrState
	}
	o := d.offer
	d.offer = nil
	o.timer.Stop()
	d.reply(o.tx, o.req, status)
	d.proceed()
	return nil
}

// refuseOffer refuses the offer of tx if it is still outstanding.
func (d *Dialog) refuseOffer(tx *wire.ServerTx, status int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if o := d.offer; o != nil && o.tx == tx {
		d.offer = nil
		o.timer.Stop()
		d.reply(o.tx, o.req, status)
		d.proceed()
	}
}

// ours is a change of the session that we asked for.
type ours struct {
	method gosip.RequestMethod // INVITE or UPDATE
	sdp    []byte              // nil: it only refreshes
	done   chan<- *reanswer    // of Reinvite and Update; nil: a Reanswered event tells
	spare  bool                // nobody needs it: see Propose
	// refresh only shows that we are there: only a changed answer is told.
	refresh bool
	headers []Header // besides
}

// Reinvite offers a changed session in an answered dialog and gives the answer.
// A refusal is a *StatusError and leaves the session as it was; 491 is ErrGlare;
// 408 and 481 end the dialog. When ctx ends first the exchange goes on without
// being waited for.
func (d *Dialog) Reinvite(ctx context.Context, sdp []byte) (answer []byte, err error) {
	return d.change(ctx, gosip.INVITE, sdp)
}

// Update is Reinvite by UPDATE (RFC 3311), which a far end answers without
// asking anybody.
func (d *Dialog) Update(ctx context.Context, sdp []byte) (answer []byte, err error) {
	return d.change(ctx, gosip.UPDATE, sdp)
}

func (d *Dialog) change(ctx context.Context, method gosip.RequestMethod, sdp []byte) ([]byte, error) {
	done := make(chan *reanswer, 2) // the response and the dialog's end
	if err := d.propose(ours{method: method, sdp: sdp, done: done}); err != nil {
		return nil, err
	}
	select {
	case r := <-done:
		return r.sdp, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Reoffer is Reinvite without waiting: a Reanswered event tells how it went, in
// its place among the others.
func (d *Dialog) Reoffer(sdp []byte) error { return d.propose(ours{method: gosip.INVITE, sdp: sdp}) }

// Propose is Reoffer for a change that nobody needs: a far end that does not
// answer it keeps the call, although RFC 3261 §12.2.1.2 would end it.
func (d *Dialog) Propose(sdp []byte) error {
	return d.propose(ours{method: gosip.INVITE, sdp: sdp, spare: true})
}

// Backoff is how long to wait after ErrGlare before asking again (RFC 3261
// §14.1, RFC 3311 §5.3), so that the two sides do not meet again: whoever made
// the call waits longer.
func (d *Dialog) Backoff() time.Duration { return d.backoff() }

func (d *Dialog) backoff() time.Duration {
	t := time.Duration(rand.IntN(200)) * 10 * time.Millisecond
	if !d.info.Inbound {
		t += 2100 * time.Millisecond
	}
	return t * d.s.cfg.T1 / (500 * time.Millisecond)
}

func (d *Dialog) propose(o ours) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(o.sdp) == 0 {
		return ErrState
	}
	return d.ask(o)
}

// ask sends a re-INVITE or UPDATE. It is called with mu held.
func (d *Dialog) ask(o ours) error {
	switch {
	case d.told:
		return ErrEnded
	case d.state != dsUp || d.mine != nil:
		return ErrState
	case d.offer != nil:
		return ErrGlare
	}
	req := d.request(o.method, 0)
	for _, h := range d.session.wish(false) {
		req.AppendHeader(h)
	}
	for _, h := range o.headers {
		req.AppendHeader(gosip.NewHeader(h.Name, h.Value))
	}
	setBody(req, sdpType, o.sdp)
	x := &exchange{s: d.s, req: req, dest: d.dest(), creds: d.path.creds, seq: d.nextSeq}
	x.on = func(res *gosip.Response, flow wire.Flow, err error) {
		if err == nil && res.StatusCode < 200 {
			return
		}
		d.onReanswer(x, res, flow, err)
	}
	if err := x.start(); err != nil {
		return err
	}
	d.mine = &o
	return nil
}

// onReanswer takes the final response to our re-INVITE or UPDATE.
func (d *Dialog) onReanswer(x *exchange, res *gosip.Response, flow wire.Flow, err error) {
	d.mu.Lock()
	o := d.mine
	d.mine = nil
	r := &reanswer{err: err}
	switch {
	case err != nil:
	case res.StatusCode < 300:
		if cs := contactsOf(res); len(cs) == 1 {
			d.path.target = cs[0].Address
		}
		d.path.flow = flow
		if res.CSeq().MethodName == gosip.INVITE {
			_ = d.acknowledge(x.current(), res, nil)
		}
		r.sdp, _ = sdpOf(res)
		d.agreed(o)
		d.granted(res)
	case res.StatusCode == 491:
		r.err = ErrGlare
	default:
		r.err = statusError(res)
	}
	d.report(o, r)
	d.mu.Unlock()
	if o != nil && o.done != nil {
		o.done <- r
	}
	var se *StatusError
	if o != nil && o.spare && !(errors.As(r.err, &se) && se.Status == 481) {
		return
	}
	d.checkGone(r.err)
}

// agreed notes what we said last. It is called with mu held.
func (d *Dialog) agreed(o *ours) {
	if o != nil && len(o.sdp) > 0 {
		d.session.sdp = o.sdp
	}
}

// report tells the user how a change went, unless Reinvite waits for it. It is
// called with mu held.
func (d *Dialog) report(o *ours, r *reanswer) {
	switch {
	case o == nil:
	case o.refresh && r.err != nil:
		d.refused(o, r.err)
	case o.refresh && r.sdp == nil:
	case o.done == nil:
		d.emit(DialogEvent{Type: Reanswered, SDP: r.sdp, Err: r.err})
	}
}
