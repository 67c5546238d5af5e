package sip

import (
	"context"
	"math/rand/v2"
	"strconv"

	gosip "github.com/emiago/sipgo/sip"

	"callbox/sip/wire"
)

// onOffer handles a re-INVITE or UPDATE. It is called with mu held.
func (d *Dialog) onOffer(req *gosip.Request, flow wire.Flow, tx *wire.ServerTx) {
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
	}
	if cs := contactsOf(req); len(cs) == 1 && !cs[0].Address.Wildcard {
		d.path.target = cs[0].Address
	}
	d.path.flow = flow
	if !req.IsInvite() && sdp == nil { // a session timer or target refresh
		_ = tx.Respond(d.response(req, 200, nil))
		return
	}
	if d.state != dsUp && d.state != dsAnswered { // no offer before the first answer is out
		d.reply(tx, req, 500, later)
		return
	}
	if req.IsInvite() {
		d.reply(tx, req, 100)
		tx.OnUnacknowledged(d.onNoAck)
		tx.OnCancel(func(*gosip.Request) { d.refuseOffer(tx, 487) })
	}
	d.offer = &pendingOffer{req: req, tx: tx}
	d.timer.Stop()
	d.timer = d.s.wire.After(48*d.s.cfg.T1, func() { d.refuseOffer(tx, 500) })
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
	d.timer.Stop()
	if o.tx == nil {
		return d.acknowledge(d.call.current(), o.res, sdp)
	}
	if err := o.tx.Respond(d.response(o.req, 200, sdp)); err != nil && sipError(err) == ErrState {
		return ErrState
	}
	if o.req.IsInvite() {
		d.ack = &pendingAck{tx: o.tx, seq: o.req.CSeq().SeqNo}
	}
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
	d.timer.Stop()
	d.reply(o.tx, o.req, status)
	return nil
}

// refuseOffer refuses the offer of tx if it is still outstanding.
func (d *Dialog) refuseOffer(tx *wire.ServerTx, status int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if o := d.offer; o != nil && o.tx == tx {
		d.offer = nil
		d.timer.Stop()
		d.reply(o.tx, o.req, status)
	}
}

// Reinvite offers a changed session in an answered dialog and gives the answer.
// A refusal is a *StatusError and leaves the session as it was; 491 is ErrGlare;
// 408 and 481 end the dialog. When ctx ends first the exchange goes on without
// being waited for.
func (d *Dialog) Reinvite(ctx context.Context, sdp []byte) (answer []byte, err error) {
	result := make(chan *reanswer, 2) // the response and the dialog's end
	if err := d.reinvite(sdp, result); err != nil {
		return nil, err
	}
	select {
	case r := <-result:
		return r.sdp, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (d *Dialog) reinvite(sdp []byte, result chan *reanswer) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.told:
		return ErrEnded
	case d.state != dsUp || d.mine != nil || len(sdp) == 0:
		return ErrState
	case d.offer != nil:
		return ErrGlare
	}
	req := d.request(gosip.INVITE, 0)
	setBody(req, sdpType, sdp)
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
	d.mine = result
	return nil
}

// onReanswer takes the final response to our re-INVITE.
func (d *Dialog) onReanswer(x *exchange, res *gosip.Response, flow wire.Flow, err error) {
	d.mu.Lock()
	result := d.mine
	d.mine = nil
	r := &reanswer{err: err}
	switch {
	case err != nil:
	case res.StatusCode < 300:
		if cs := contactsOf(res); len(cs) == 1 {
			d.path.target = cs[0].Address
		}
		d.path.flow = flow
		_ = d.acknowledge(x.current(), res, nil)
		r.sdp, _ = sdpOf(res)
	case res.StatusCode == 491:
		r.err = ErrGlare
	default:
		r.err = statusError(res)
	}
	d.mu.Unlock()
	if result != nil {
		result <- r
	}
	d.checkGone(r.err)
}
