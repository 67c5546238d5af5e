package sip

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"callbox/sip/wire"
)

// arrival is the INVITE of an arriving dialog until its final response.
type arrival struct {
	req *gosip.Request
	tx  *wire.ServerTx

	reliable  bool     // provisional responses are acknowledged (RFC 3262)
	rseq      uint32   // of the last one
	sent      *promise // the one that waits for its PRACK
	next      *step    // what is to be told when that has come
	agreed    bool     // the session was agreed on with them
	answering bool     // Answer waits for the PRACK
	answer    []byte
}

// step is one call of Ring.
type step struct {
	status int
	sdp    []byte
}

// promise is a reliable provisional response on its way.
type promise struct {
	step
	res   *gosip.Response
	timer *wire.Timer
	wait  time.Duration // before it is said again
	left  time.Duration // before the call is refused
}

// Reliable reports whether provisional responses to an arriving call are
// acknowledged. Then, to an INVITE without an offer, the first of them makes one,
// which Confirmed answers.
func (d *Dialog) Reliable() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.arrival.reliable
}

// promise sends a provisional response that the caller has to acknowledge. It is
// called with mu held.
func (d *Dialog) promise(r step) error {
	a := &d.arrival
	if a.agreed {
		r.sdp = nil // the session is agreed on
	}
	if a.rseq == 0 {
		a.rseq = rand.Uint32N(1 << 30) // RFC 3262 §3: from 1 to 2^31-1
	}
	a.rseq++
	p := &promise{step: r, res: d.provisional(r.status, r.sdp), wait: d.s.cfg.T1, left: 64 * d.s.cfg.T1}
	p.res.AppendHeader(gosip.NewHeader("Require", "100rel"))
	p.res.AppendHeader(gosip.NewHeader("RSeq", strconv.Itoa(int(a.rseq))))
	if r.sdp != nil {
		d.session.sdp = r.sdp
	}
	a.sent, a.next = p, nil
	d.remind(p)
	return sipError(a.tx.Respond(p.res))
}

// remind repeats a reliable response until its PRACK has come, and refuses the
// call when it does not (RFC 3262 §3).
func (d *Dialog) remind(p *promise) {
	p.timer = d.s.wire.After(min(p.wait, p.left), func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.state != dsInvited || d.arrival.sent != p {
			return
		}
		if p.left -= p.wait; p.left <= 0 {
			d.reply(d.arrival.tx, d.arrival.req, 504)
			d.end(DialogEvent{Status: 504, Text: "the caller never acknowledged how far the call had got", By: ByNetwork})
			return
		}
		p.wait *= 2
		_ = d.arrival.tx.Respond(p.res)
		d.remind(p)
	})
}

// onPrack takes the acknowledgement of a reliable response. It is called with mu
// held.
func (d *Dialog) onPrack(req *gosip.Request, tx *wire.ServerTx) {
	if d.ack != nil && d.ack.before.rack(req) { // it crossed our final response
		d.ack.before.sent = nil
		d.reply(tx, req, 200)
		return
	}
	a := &d.arrival
	p := a.sent
	if d.state != dsInvited || !a.rack(req) {
		d.reply(tx, req, 481)
		return
	}
	sdp, ok := sdpOf(req)
	answers := p.sdp != nil && d.info.Offer == nil && !a.agreed // ours was an offer
	agreed := a.agreed || p.sdp != nil && d.info.Offer != nil
	switch {
	case !ok:
		d.reply(tx, req, 415, gosip.NewHeader("Accept", sdpType))
		return
	case sdp != nil && !answers && !agreed: // nothing was offered to be answered, or answered to be changed
		d.reply(tx, req, 488)
		return
	}
	p.timer.Stop()
	a.sent, a.agreed = nil, agreed || answers && sdp != nil
	switch {
	case sdp == nil:
		d.reply(tx, req, 200)
	case answers:
		d.reply(tx, req, 200)
		d.emit(DialogEvent{Type: Confirmed, SDP: sdp})
	default:
		d.await(&pendingOffer{req: req, tx: tx}, sdp)
	}
	d.proceed()
}

// rack reports whether a PRACK names the response that waits for it.
func (a *arrival) rack(req *gosip.Request) bool {
	hs := req.GetHeaders("RAck")
	if a.sent == nil || len(hs) != 1 {
		return false
	}
	f := strings.Fields(hs[0].Value())
	return len(f) == 3 && f[0] == strconv.Itoa(int(a.rseq)) && f[1] == strconv.Itoa(int(a.req.CSeq().SeqNo)) && f[2] == string(gosip.INVITE)
}

// proceed does what waited for a PRACK, or for the answer to an offer in it. It is
// called with mu held.
func (d *Dialog) proceed() {
	a := &d.arrival
	switch {
	case d.state != dsInvited || a.sent != nil || d.offer != nil:
	case a.answering:
		_ = d.answer(a.answer)
	case a.next != nil:
		_ = d.ring(a.next.status, a.next.sdp)
	}
}

// stop ends the repetitions.
func (a *arrival) stop() {
	if a.sent != nil {
		a.sent.timer.Stop()
	}
}
