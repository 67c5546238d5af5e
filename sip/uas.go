package sip

import (
	"strconv"

	gosip "github.com/emiago/sipgo/sip"

	"callbox/sip/wire"
)

// arrive makes a dialog of an authorized INVITE, on the reader.
func (s *Stack) arrive(p *peer, req *gosip.Request, flow wire.Flow, tx *wire.ServerTx) {
	if p.Invite == nil {
		s.respond(tx, req, 403, "")
		return
	}
	sdp, ok := sdpOf(req)
	if !ok {
		s.respond(tx, req, 415, "", gosip.NewHeader("Accept", sdpType))
		return
	}
	if !accepts(req, sdpType) { // no answer could be understood
		s.respond(tx, req, 406, "", gosip.NewHeader("Accept", sdpType))
		return
	}
	if p.Terms.tooShort(intervalOf(req)) {
		s.respond(tx, req, 422, "", tooShortHeaders()...)
		return
	}
	replaces, status := s.replacing(req)
	if status != 0 {
		s.respond(tx, req, status, "")
		return
	}
	reliable := hasToken(tokens(req, "Require"), "100rel")
	if p.Terms.Reliable == Always && !reliable {
		if reliable = supports(req, "100rel"); !reliable {
			s.respond(tx, req, 421, "", gosip.NewHeader("Require", "100rel"))
			return
		}
	}
	from, _ := wire.Param(req.From().Params, "tag")
	key := req.CallID().Value() + " " + from + " " + strconv.Itoa(int(req.CSeq().SeqNo))
	s.mu.Lock()
	twin := s.merged[key]
	s.mu.Unlock()
	if twin != nil { // the same call by another way (RFC 3261 §8.2.2.2)
		s.respond(tx, req, 482, "")
		return
	}
	d := s.arriving(p, req, flow, sdp)
	d.info.Replaces = replaces
	d.arrival = arrival{req: req, tx: tx, reliable: reliable}
	d.mergeKey = key
	if err := s.admit(d, key); err != nil {
		s.respond(tx, req, 503, "", gosip.NewHeader("Retry-After", "5"))
		return
	}
	d.reply(tx, req, 100)
	tx.OnUnacknowledged(d.onNoAck)
	tx.OnCancel(d.onCancel)
	if !s.spawn(func() { p.Invite(d) }) {
		d.Reject(503, Reason{})
	}
}

// arriving fills in a dialog from its INVITE.
func (s *Stack) arriving(p *peer, req *gosip.Request, flow wire.Flow, sdp []byte) *Dialog {
	d := newDialog(s)
	d.state = dsInvited
	d.session.terms = p.Terms
	from, to := req.From(), req.To()
	d.info = DialogInfo{
		CallID: req.CallID().Value(), Inbound: true, Peer: p.Name,
		From: party(from.Address), FromName: unquoteName(from.DisplayName), FromURI: clean(from.Address.String()),
		To: party(to.Address), ToURI: clean(to.Address.String()), RequestURI: clean(req.Recipient.String()),
		Remote: flow.Remote, Local: s.localOf(flow), Transport: flow.Transport, Headers: headersOf(req), Offer: sdp,
	}
	local := to.AsFrom()
	local.Params.Remove("tag")
	local.Params.Add("tag", d.localTag)
	d.path = path{
		local: local, remote: *gosip.HeaderClone(from).(*gosip.FromHeader), target: contactsOf(req)[0].Address,
		flow: flow, remoteSeq: req.CSeq().SeqNo, contact: s.contact(userOf(req.Recipient), flow.Transport, flow.Remote.Addr(), flow),
	}
	d.path.remoteTag, _ = wire.Param(from.Params, "tag")
	d.settle()
	for _, h := range req.GetHeaders("Record-Route") {
		if r, ok := h.(*gosip.RecordRouteHeader); ok {
			d.path.routes = append(d.path.routes, r.Address)
		}
	}
	return d
}

// Ring sends a provisional response 180…183 to an arriving INVITE, with sdp for
// early media or nil. One that is acknowledged (see Reliable) waits for the
// acknowledgement of the one before; of those that wait only the last is sent. It
// repeats the last one each minute, as RFC 3261
// §13.3.1.1 wants.
func (d *Dialog) Ring(status int, sdp []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.told {
		return ErrEnded
	}
	if d.state != dsInvited || d.arrival.answering || status < 180 || status > 183 {
		return ErrState
	}
	return d.ring(status, sdp)
}

// ring is called with mu held.
func (d *Dialog) ring(status int, sdp []byte) error {
	d.timer.Stop()
	d.timer = d.s.wire.After(120*d.s.cfg.T1, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.state == dsInvited {
			_ = d.ring(status, sdp)
		}
	})
	a := &d.arrival
	switch {
	case !a.reliable:
		return sipError(a.tx.Respond(d.provisional(status, sdp)))
	case a.sent != nil || d.offer != nil:
		a.next = &step{status, sdp}
		return nil
	}
	return d.promise(step{status, sdp})
}

// Answer sends the 200 with sdp to an arriving INVITE and repeats it until the
// ACK, which is the Confirmed event. It waits for the acknowledgement of early
// media (RFC 3262 §3), whose description counts instead of sdp. Without an ACK in 64 T1 the dialog ends
// with a BYE, By network.
func (d *Dialog) Answer(sdp []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.told {
		return ErrEnded
	}
	a := &d.arrival
	switch {
	case d.state != dsInvited || a.answering:
		return ErrState
	case d.offer != nil || a.sent != nil && a.sent.sdp != nil:
		a.answering, a.answer = true, sdp
		return nil
	}
	return d.answer(sdp)
}

// answer sends the 200. It is called with mu held.
func (d *Dialog) answer(sdp []byte) error {
	a := d.arrival
	if a.agreed {
		sdp = nil
	} else {
		d.session.sdp = sdp
	}
	res := d.response(a.req, 200, sdp)
	d.grantTo(res, a.req)
	if err := a.tx.Respond(res); err != nil && sipError(err) == ErrState {
		return ErrState
	}
	// A lost 200 is sent again like any other.
	d.timer.Stop()
	a.stop()
	d.state = dsAnswered
	d.ack = &pendingAck{tx: a.tx, seq: a.req.CSeq().SeqNo, first: true}
	if a.sent != nil {
		d.ack.before = a
	}
	d.arrival = arrival{}
	return nil
}

// Reject refuses an arriving INVITE with a status 300…699; r becomes Reason
// headers. Ended follows at once. In any other state it is Hangup.
func (d *Dialog) Reject(status int, r Reason) {
	d.mu.Lock()
	if d.state == dsInvited && status >= 300 && status < 700 {
		d.refuse(status, r)
		d.mu.Unlock()
		return
	}
	d.mu.Unlock()
	d.Hangup(r)
}

// refuse is called with mu held, in dsInvited.
func (d *Dialog) refuse(status int, r Reason) {
	d.reply(d.arrival.tx, d.arrival.req, status, d.ending(r)...)
	d.end(DialogEvent{Status: status, Reason: r, By: ByLocal})
}

// onCancel ends a dialog that the caller gave up.
func (d *Dialog) onCancel(cancel *gosip.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.state != dsInvited {
		return // answered already: the caller will send BYE (RFC 3261 §9.2)
	}
	d.reply(d.arrival.tx, d.arrival.req, 487)
	d.end(DialogEvent{Status: 487, Text: phrase(487), Reason: reasonOf(cancel), By: ByRemote})
}
