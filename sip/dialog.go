package sip

import (
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"

	gosip "github.com/emiago/sipgo/sip"

	"callbox/sip/wire"
)

// Events wait in a channel of maxEvents. The last keepEvents places are for
// changes of state, of which there are only a few in a row.
const (
	maxEvents  = 32
	keepEvents = 12
)

type dialogState int

const (
	dsInvited  dialogState = iota // arriving, no final response yet
	dsCalling                     // outgoing, no final response yet
	dsAnswered                    // arriving, 200 sent, no ACK yet
	dsUp                          // confirmed
	dsEnding                      // CANCEL or BYE sent
	dsOver
)

// Dialog is one INVITE dialog, arriving or outgoing. All methods may be called
// from any goroutine.
type Dialog struct {
	s        *Stack
	info     DialogInfo
	localTag string
	mergeKey string // of an arriving dialog, in Stack.merged
	events   chan *DialogEvent
	done     chan struct{} // closed with events
	bound    atomic.Pointer[any]

	mu        sync.Mutex // guards the rest
	state     dialogState
	told      bool // Ended was delivered, events is closed
	path      path
	arrival   arrival
	call      *exchange // outgoing INVITE
	ack       *pendingAck
	offer     *pendingOffer // of the far end, outstanding
	mine      *ours         // our re-INVITE or UPDATE, outstanding
	wanted    *Reason       // Hangup came before the ACK
	timer     *wire.Timer   // the one running: ring repetition, offer, end
	ringing   bool          // Ringing was told
	probing   bool          // a Probe is under way
	unreached int           // probes in a row without a way
	extra     *extra        // nil: none
	session   session

	referral *Referral         // the latest of the far end; nil: none
	early    map[string]*early // of our INVITE until its answer, by the far end's tag
}

// path is what requests within the dialog are made of (RFC 3261 §12).
type path struct {
	local, remote gosip.FromHeader // with tags
	target        gosip.Uri        // remote target
	routes        []gosip.Uri
	flow          wire.Flow // by which the far end was last heard
	dest          wire.Dest // of the INVITE, until flow is known
	contact       *gosip.ContactHeader
	creds         *Credentials
	localSeq      uint32
	remoteSeq     uint32
	remoteTag     string
	place         place // where the far end knows us
	named         bool  // contact shows a host that was asked for
}

// pendingAck is a 2xx of ours that waits for its ACK.
type pendingAck struct {
	tx    *wire.ServerTx
	seq   uint32
	first bool // of the first INVITE
	// before is the call's arrival, when a provisional response of ours is still to
	// be acknowledged.
	before arrival
}

// pendingOffer is an offer of the far end that waits for our answer.
type pendingOffer struct {
	req *gosip.Request  // nil for the one in a 200 to our INVITE without SDP
	tx  *wire.ServerTx  // nil likewise
	res *gosip.Response // that 200, or a reliable provisional response

	early *early      // before the answer to our INVITE
	timer *wire.Timer // refuses it
}

// reanswer is how our re-INVITE or UPDATE went.
type reanswer struct {
	sdp []byte
	err error
}

// Info is what was known at the start.
func (d *Dialog) Info() DialogInfo { return d.info }

// Events delivers the dialog's life in order and is closed after Ended. It
// holds 32; when nobody drains it Told and repeated Ringing events are dropped
// and counted, never changes of state. An event is the receiver's.
func (d *Dialog) Events() <-chan *DialogEvent { return d.events }

// emit delivers an event. It is called with mu held and never blocks.
func (d *Dialog) emit(ev DialogEvent) {
	if d.told {
		return
	}
	if len(d.events) >= maxEvents-keepEvents && (ev.Type == Told || ev.Type == Ringing || ev.Type == Progress) || len(d.events) == maxEvents-1 && ev.Type != Ended {
		d.s.count.eventsDropped.Add(1)
		return
	}
	d.events <- &ev
}

// finish tells the end. The dialog may stay in the tables for a while to clean
// up behind it. It is called with mu held.
func (d *Dialog) finish(ev DialogEvent) {
	if d.told {
		return
	}
	ev.Type = Ended
	d.emit(ev)
	d.told = true
	close(d.events)
	close(d.done)
	if d.mine != nil && d.mine.done != nil {
		d.mine.done <- &reanswer{err: ErrEnded}
	}
	d.mine = nil
	d.s.log.Debug("SIP dialog ended", "call", d.info.CallID, "status", ev.Status, "by", string(ev.By))
}

// leave takes the dialog out of the tables and drops what it holds. It is
// called with mu held.
func (d *Dialog) leave() {
	d.state = dsOver
	d.timer.Stop()
	d.session.stop()
	d.arrival.stop()
	if d.call != nil {
		d.call.current().Detach()
	}
	if o := d.offer; o != nil {
		o.timer.Stop()
		if o.tx != nil {
			d.reply(o.tx, o.req, 487)
		}
	}
	if r := d.referral; r != nil && r.tx != nil {
		r.refuse(487)
	}
	d.call, d.ack, d.offer, d.wanted, d.timer, d.early = nil, nil, nil, nil, nil, nil
	d.arrival = arrival{}
	d.s.forget(d)
}

// end is finish and leave.
func (d *Dialog) end(ev DialogEvent) {
	d.finish(ev)
	d.leave()
}

// abandon ends the dialog when the stack has stopped.
func (d *Dialog) abandon() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.end(DialogEvent{Status: 503, Text: "the gateway has stopped", By: ByLocal})
}

// reply sends a response without a body within the dialog.
func (d *Dialog) reply(tx *wire.ServerTx, req *gosip.Request, status int, headers ...gosip.Header) {
	d.s.respond(tx, req, status, d.localTag, headers...)
}

// response builds a response with everything a dialog-forming one has.
func (d *Dialog) response(req *gosip.Request, status int, sdp []byte) *gosip.Response {
	res := wire.NewResponse(req, status, phrase(status), d.localTag)
	res.AppendHeader(gosip.HeaderClone(d.path.contact))
	res.AppendHeader(gosip.NewHeader("Allow", allow))
	res.AppendHeader(gosip.NewHeader("Supported", d.session.terms.supported()))
	res.AppendHeader(gosip.NewHeader("Server", d.s.cfg.UserAgent))
	setBody(res, sdpType, sdp)
	return res
}

func setBody(m gosip.Message, contentType string, body []byte) {
	if len(body) > 0 {
		ct := gosip.ContentTypeHeader(contentType)
		m.AppendHeader(&ct)
	} else {
		body = nil
	}
	m.SetBody(body)
}

// request builds a request within the dialog (RFC 3261 §12.2.1.1). seq 0 takes
// the next number; ACK gets that of its INVITE.
func (d *Dialog) request(method gosip.RequestMethod, seq uint32) *gosip.Request {
	p := &d.path
	if seq == 0 {
		p.localSeq++
		seq = p.localSeq
	}
	target, routes := p.target, p.routes
	if len(routes) > 0 {
		if _, lr := wire.Param(routes[0].UriParams, "lr"); !lr { // a strict router (§12.2.1.1)
			routes = append(append([]gosip.Uri{}, routes[1:]...), target)
			target = p.routes[0]
		}
	}
	req := gosip.NewRequest(method, target)
	for _, r := range routes {
		req.AppendHeader(&gosip.RouteHeader{Address: r})
	}
	hops := gosip.MaxForwardsHeader(70)
	callID := gosip.CallIDHeader(d.info.CallID)
	req.AppendHeader(&hops)
	req.AppendHeader(gosip.HeaderClone(&p.local))
	to := p.remote.AsTo()
	req.AppendHeader(&to)
	req.AppendHeader(&callID)
	req.AppendHeader(&gosip.CSeqHeader{SeqNo: seq, MethodName: method})
	if method == gosip.INVITE || method == gosip.UPDATE {
		req.AppendHeader(gosip.HeaderClone(p.contact))
		req.AppendHeader(gosip.NewHeader("Allow", allow))
		req.AppendHeader(gosip.NewHeader("Supported", d.session.terms.supported()))
	}
	req.AppendHeader(gosip.NewHeader("User-Agent", d.s.cfg.UserAgent))
	return req
}

// dest is where requests within the dialog go: the first route or the remote
// target when that is an address we can trust to be reachable, else back where
// the far end was heard. Behind a NAT, and for names (which would take a
// look-up, and which named the one we hear anyway), the path of the last
// message is right.
func (d *Dialog) dest() wire.Dest {
	p := &d.path
	next := p.target
	if len(p.routes) > 0 {
		next = p.routes[0]
	}
	if !p.flow.Valid() {
		return p.dest
	}
	if wire.Web(p.flow.Transport) { // there is no other way to a browser
		if !p.flow.Alive() {
			p.flow = d.s.newWay(p.flow, p.target)
		}
		return wire.Dest{Flow: p.flow}
	}
	transport := firstOf(transportOf(next), p.flow.Transport)
	addr, literal := hostAddr(next.Host)
	heard := p.flow.Remote.Addr().WithZone("")
	natted := literal && addr != heard && addr.IsPrivate() && len(p.routes) == 0
	if !literal || natted || (wire.Reliable(p.flow.Transport) && p.flow.Alive() && (addr == heard || len(p.routes) == 0)) {
		return wire.Dest{Flow: p.flow}
	}
	to := netip.AddrPortFrom(addr, portOf(next, transport))
	if transport == p.flow.Transport && to == p.flow.Remote {
		return wire.Dest{Flow: p.flow}
	}
	return wire.Dest{Transport: transport, Addrs: []netip.AddrPort{to}, Local: p.flow.Local.Addr(), Host: firstOf(p.dest.Host, next.Host)}
}

// follows moves the dialog to a flow when it was on that of a registration that
// has moved there.
func (d *Dialog) follows(old Binding, flow wire.Flow) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if p := &d.path; p.flow.Valid() && p.flow.Transport == old.Transport && p.flow.Remote == old.Source {
		p.flow = flow
	}
}

// send starts a request within the dialog. It is called with mu held.
func (d *Dialog) send(req *gosip.Request, on wire.OnResponse) error {
	x := &exchange{s: d.s, req: req, dest: d.dest(), creds: d.path.creds, seq: d.nextSeq, on: on}
	return x.start()
}

func (d *Dialog) nextSeq() uint32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.path.localSeq++
	return d.path.localSeq
}

// bye sends a BYE and ends the dialog with ev when it is answered, or after 4 T1
// without. It is called with mu held.
func (d *Dialog) bye(r Reason, ev DialogEvent) {
	d.state = dsEnding
	d.session.stop()
	req := d.request(gosip.BYE, 0)
	for _, h := range d.ending(r) {
		req.AppendHeader(h)
	}
	req.SetBody(nil)
	d.ack = nil
	d.timer.Stop()
	err := d.send(req, func(res *gosip.Response, _ wire.Flow, err error) {
		if err == nil && res.StatusCode < 200 {
			return
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		d.end(ev)
	})
	if err != nil {
		d.end(ev)
		return
	}
	// The repetitions of the BYE go on without the dialog.
	d.timer = d.s.wire.After(4*d.s.cfg.T1, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.end(ev)
	})
}

// Hangup ends the dialog in whatever state it is: CANCEL, BYE or a final
// response with r. It does not block. Ended follows within 8 T1 (4 s) even if
// the far end is dead; repeated calls do nothing. A 200 that crosses the CANCEL
// is acknowledged and ended with BYE by the dialog itself.
func (d *Dialog) Hangup(r Reason) {
	d.mu.Lock()
	defer d.mu.Unlock()
	ev := DialogEvent{Status: 200, Reason: r, By: ByLocal}
	switch d.state {
	case dsInvited:
		d.refuse(statusFor(r), r)
	case dsCalling:
		d.cancel(r)
	case dsAnswered: // no BYE before the ACK (RFC 3261 §15)
		if d.wanted != nil {
			return
		}
		d.wanted = &r
		d.timer.Stop()
		d.timer = d.s.wire.After(4*d.s.cfg.T1, func() {
			d.mu.Lock()
			defer d.mu.Unlock()
			if d.state == dsAnswered {
				d.ack.tx.Acknowledged() // nobody listens: stop repeating the 200
				d.bye(r, ev)
			}
		})
	case dsUp:
		d.acknowledgeLate()
		if !d.byeAfterReport(r) {
			d.bye(r, ev)
		}
	}
}

// statusFor is the final response that says r to a caller.
func statusFor(r Reason) int {
	if r.SIP >= 300 && r.SIP < 700 {
		return r.SIP
	}
	switch r.Q850 {
	case 1:
		return 404
	case 17:
		return 486
	case 21:
		return 603
	case 88:
		return 488
	}
	return 480
}

// onRequest handles a request within the dialog, on the reader.
func (d *Dialog) onRequest(req *gosip.Request, flow wire.Flow, tx *wire.ServerTx) {
	d.mu.Lock()
	defer d.mu.Unlock()
	from, _ := wire.Param(req.From().Params, "tag")
	seq := req.CSeq().SeqNo
	p, branch := &d.path, d.early[from]
	if branch != nil { // before the answer to our INVITE
		p = &branch.path
	}
	switch {
	case d.state == dsOver || (p.remoteTag != "" && from != p.remoteTag) || d.state == dsCalling && branch == nil:
		d.reply(tx, req, 481)
		return
	case p.remoteSeq != 0 && seq <= p.remoteSeq:
		d.reply(tx, req, 500) // out of order (RFC 3261 §12.2.2)
		return
	}
	p.remoteSeq = seq
	if missing := d.session.terms.unsupported(req); missing != "" {
		d.reply(tx, req, 420, gosip.NewHeader("Unsupported", missing))
		return
	}
	switch req.Method {
	case gosip.BYE:
		d.onBye(req, tx)
	case gosip.INVITE, gosip.UPDATE:
		d.onOffer(req, flow, tx, branch)
	case gosip.INFO, gosip.MESSAGE, gosip.NOTIFY:
		d.onMessage(req, tx)
	case gosip.REFER:
		d.onRefer(req, tx)
	case gosip.SUBSCRIBE:
		d.onSubscribe(req, tx)
	case gosip.OPTIONS:
		d.reply(tx, req, 200, gosip.NewHeader("Allow", allow), gosip.NewHeader("Supported", d.session.terms.supported()), gosip.NewHeader("Accept", sdpType))
	case gosip.PRACK:
		d.onPrack(req, tx)
	case gosip.CANCEL:
		d.reply(tx, req, 481)
	default:
		d.reply(tx, req, 405, gosip.NewHeader("Allow", allow))
	}
}

func (d *Dialog) onBye(req *gosip.Request, tx *wire.ServerTx) {
	d.reply(tx, req, 200)
	if d.state == dsInvited { // allowed instead of CANCEL (RFC 3261 §15)
		d.reply(d.arrival.tx, d.arrival.req, 487)
	}
	if d.ack != nil {
		d.ack.tx.Acknowledged() // no ACK will come any more
	}
	if d.state == dsCalling { // a BYE of the callee before its answer: we still need a final response
		d.call.abort()
	}
	d.end(DialogEvent{Status: 200, Reason: reasonOf(req), By: ByRemote})
}

// onAck takes the ACK of a 2xx of ours.
func (d *Dialog) onAck(req *gosip.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	a := d.ack
	from, _ := wire.Param(req.From().Params, "tag")
	if a == nil || req.CSeq().SeqNo != a.seq || from != d.path.remoteTag {
		return
	}
	d.ack = nil
	a.tx.Acknowledged()
	sdp, _ := sdpOf(req)
	if a.first && d.state == dsAnswered {
		d.state = dsUp
	}
	if a.first || sdp != nil {
		d.emit(DialogEvent{Type: Confirmed, SDP: sdp})
	}
	if w := d.wanted; w != nil && d.state == dsUp {
		d.wanted = nil
		d.bye(*w, DialogEvent{Status: 200, Reason: *w, By: ByLocal})
	}
}

// onNoAck is called when a 2xx of ours was never acknowledged (RFC 3261 §13.3.1.4).
func (d *Dialog) onNoAck() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.state != dsAnswered && d.state != dsUp {
		return
	}
	r := Reason{Q850: 102, Text: "no ACK"}
	d.bye(r, DialogEvent{Status: 408, Text: "the far end never acknowledged the answer", Reason: r, By: ByNetwork})
}

// checkGone ends the dialog when a request within it shows that the far end has
// lost it (RFC 3261 §12.2.1.2).
func (d *Dialog) checkGone(err error) {
	var se *StatusError
	lost := errors.As(err, &se) && (se.Status == 481 || se.Status == 408) || errors.Is(err, ErrTimeout)
	if !lost {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.state != dsUp {
		return
	}
	ev := DialogEvent{Status: 408, Text: "no answer from " + d.info.Remote.String(), By: ByNetwork}
	if se != nil {
		ev.Status, ev.Text = se.Status, "the far end has lost the call"
	}
	d.bye(Reason{Q850: 102}, ev)
}
