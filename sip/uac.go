package sip

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"

	gosip "github.com/emiago/sipgo/sip"

	"callbox/sip/locate"
	"callbox/sip/wire"
)

// Invite describes an outgoing call.
type Invite struct {
	// Target is the request URI, "sip:+15550100@biloxi.example;transport=tcp".
	Target string
	// Route is the next hop as "sip:host:port;transport=x", "host:port" or "host";
	// empty: Target itself. It gets no Route header unless the URI has ";lr".
	Route string
	// Binding sends the INVITE to a registered phone: its contact is the request
	// URI when Target is empty, its source address and transport are the next hop.
	Binding *Binding
	// From is the user part of the From URI, FromName the display name, FromHost
	// the host part (empty: the local address).
	From, FromName, FromHost string
	// To is the To URI; empty: Target.
	To string
	// Auth answers 401 and 407; nil: those end the dialog.
	Auth *Credentials
	// Headers are added in order; those that the package itself writes are refused.
	Headers []Header
	// ContactUser is the user part of our Contact; empty: From.
	ContactUser string
	// ContactHost is the host part of our Contact; empty: our address.
	ContactHost string
	// SDP is the offer; nil asks the far end for one.
	SDP []byte
	// Offer writes SDP anew when the next server of the target's domain is tried,
	// which may be reached from another address of ours; nil: SDP stays as it is. It
	// must not block.
	Offer func(local, remote netip.Addr) []byte
	// Patience is how long the last of the servers, or the only one, may say nothing
	// at all; 0: 64 T1 (32 s).
	Patience time.Duration
	// Transport is "udp", "tcp" or "tls"; empty: from Route, Target or Binding, else
	// as the records of the domain say, else UDP. UDP means TCP for messages above
	// 1,300 bytes when the peer takes it.
	Transport string
	// Terms are how the call is kept.
	Terms Terms
}

// newDialog makes a dialog that is in no table yet.
func newDialog(s *Stack) *Dialog {
	return &Dialog{s: s, localTag: wire.NewTag(), events: make(chan *DialogEvent, maxEvents), done: make(chan struct{})}
}

// contact is our Contact towards a peer.
func (s *Stack) contact(user, transport string, remote netip.Addr, flow wire.Flow) *gosip.ContactHeader {
	host, port := s.wire.SentBy(transport, remote, flow)
	c := &gosip.ContactHeader{Address: gosip.Uri{Scheme: "sip", User: escapeUser(user), Host: host, Port: int(port)}}
	switch {
	case wire.Web(transport):
		c.Address.UriParams.Add("transport", wire.WS) // of both (RFC 7118 §5.3)
	case transport != wire.UDP:
		c.Address.UriParams.Add("transport", transport)
	}
	return c
}

// recontact is a Contact of ours as another peer, or the same by another
// transport, is shown it.
func (s *Stack) recontact(c *gosip.ContactHeader, transport string, remote netip.Addr, flow wire.Flow) *gosip.ContactHeader {
	out := s.contact("", transport, remote, flow)
	out.Address.User = c.Address.User
	return out
}

// localOf is our address on a flow.
func (s *Stack) localOf(flow wire.Flow) netip.Addr {
	if a := flow.Local.Addr(); a.IsValid() && !a.IsUnspecified() {
		return a
	}
	return s.wire.LocalFor(flow.Remote.Addr(), netip.Addr{})
}

// Invite starts an outgoing dialog. It returns when the INVITE is on its way;
// what follows arrives on Events. Of several servers of the target's domain the
// next is tried when one says nothing for 7 T1 (3.5 s), cannot be reached, or
// answers 503. ctx bounds name look-ups only. A wrong URI or
// header, a name without address and ErrLimit are errors.
func (s *Stack) Invite(ctx context.Context, inv Invite) (*Dialog, error) {
	if err := checkHeaders(inv.Headers); err != nil {
		return nil, err
	}
	target, dest, rest, err := s.aim(ctx, inv)
	if err != nil {
		return nil, err
	}
	d := newDialog(s)
	d.state = dsCalling
	req, err := s.buildInvite(d, inv, target, dest)
	if err != nil {
		return nil, err
	}
	if err := s.admit(d, ""); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.call = &exchange{s: s, req: req, dest: dest, next: rest, creds: inv.Auth, seq: d.nextSeq, on: d.onResponse, late: d.onLate,
		offer: inv.Offer, limit: inv.Patience, silence: func() { d.unheard(inv.Patience) }}
	if err := d.call.start(); err != nil {
		d.call = nil
		d.told = true
		d.leave()
		if errors.Is(err, ErrTransport) {
			err = fmt.Errorf("%w: %s", ErrTransport, trouble(err, d.info.Remote.String()))
		}
		return nil, err
	}
	return d, nil
}

// checkHeaders refuses headers that would break or change the message.
func checkHeaders(hs []Header) error {
	for _, h := range hs {
		switch {
		case interpreted[strings.ToLower(h.Name)]:
			return fmt.Errorf("sip: header %s cannot be set", h.Name)
		case h.Name == "" || strings.ContainsAny(h.Name, " \t\r\n:\x00<>\"@,;"):
			return fmt.Errorf("sip: %q is not a header name", h.Name)
		case strings.ContainsAny(h.Value, "\r\n\x00"):
			return fmt.Errorf("sip: the value of header %s has a line end", h.Name)
		}
	}
	return nil
}

// aim finds the request URI, the next hop, and those to try after it.
func (s *Stack) aim(ctx context.Context, inv Invite) (target gosip.Uri, dest wire.Dest, rest []locate.Hop, err error) {
	uri := inv.Target
	if uri == "" && inv.Binding != nil {
		uri = inv.Binding.Contact
	}
	if target, err = parseURI(uri); err != nil {
		return target, dest, nil, err
	}
	target.Headers = nil // of the URI: not for the wire (RFC 3261 §19.1.5)
	switch inv.Transport {
	case "", wire.UDP, wire.TCP, wire.TLS:
	default:
		return target, dest, nil, fmt.Errorf("sip: unknown transport %q", inv.Transport)
	}
	if b := inv.Binding; b != nil && inv.Route == "" {
		dest.Flow = b.flow
		dest.Local = b.Local
		dest.Transport, dest.Addrs = b.next()
		return target, dest, nil, nil
	}
	hop := target
	if inv.Route != "" {
		if hop, err = parseURI(inv.Route); err != nil {
			return target, dest, nil, err
		}
	}
	dest.Host = hop.Host
	hops, err := s.resolve(ctx, hop, firstOf(inv.Transport, transportOf(hop), transportOf(target)))
	if err != nil {
		return target, dest, nil, err
	}
	hops = s.shun.last(hops, later*s.cfg.T1)
	return target, dest.Towards(hops[0].Transport, hops[0].Addr), hops[1:], nil
}

// buildInvite fills in the dialog and makes the INVITE.
func (s *Stack) buildInvite(d *Dialog, inv Invite, target gosip.Uri, dest wire.Dest) (*gosip.Request, error) {
	remote, flow := netip.AddrPort{}, dest.Flow
	if flow.Valid() && flow.Alive() {
		remote = flow.Remote
	} else {
		flow, remote = wire.Flow{}, dest.Addrs[0]
		if dest.Local.IsValid() {
			flow.Local = netip.AddrPortFrom(s.wire.LocalFor(remote.Addr(), dest.Local), 0)
		}
	}
	toURI := target
	if inv.To != "" {
		var err error
		if toURI, err = parseURI(inv.To); err != nil {
			return nil, err
		}
	} else {
		toURI.UriParams, toURI.Port = nil, 0 // To names somebody, not a place (RFC 3261 §19.1.1)
	}
	contact := s.contact(firstOf(inv.ContactUser, inv.From), dest.Transport, remote.Addr(), flow)
	if inv.ContactHost != "" {
		contact.Address.Host = inv.ContactHost
	}
	from := gosip.FromHeader{DisplayName: quoteName(inv.FromName), Address: gosip.Uri{Scheme: "sip", User: escapeUser(inv.From), Host: inv.FromHost}}
	if inv.FromHost == "" {
		from.Address.Host = contact.Address.Host
	} else if u, err := parseURI("sip:" + inv.FromHost); err != nil || u.User != "" {
		return nil, fmt.Errorf("sip: %q is not a host", inv.FromHost)
	} else {
		from.Address.Host, from.Address.Port = u.Host, u.Port
	}
	from.Params.Add("tag", d.localTag)
	d.path = path{
		local: from, remote: gosip.FromHeader{Address: toURI}, target: target, dest: dest, contact: contact,
		creds: inv.Auth, localSeq: uint32(rand.IntN(1 << 16)), named: inv.ContactHost != "",
	}
	if inv.Route != "" {
		if hop, err := parseURI(inv.Route); err == nil {
			if _, lr := wire.Param(hop.UriParams, "lr"); lr {
				d.path.routes = []gosip.Uri{hop}
			}
		}
	}
	d.info = DialogInfo{
		CallID: wire.NewTag() + "@" + contact.Address.Host, From: inv.From, FromName: inv.FromName, FromURI: from.Address.String(),
		To: party(toURI), ToURI: toURI.String(), RequestURI: target.String(),
		Remote: remote, Local: s.wire.LocalFor(remote.Addr(), dest.Local), Transport: dest.Transport,
	}
	if flow.Valid() {
		d.info.Local, d.info.Transport = s.localOf(flow), flow.Transport
	}
	d.session.terms, d.session.sdp = inv.Terms, inv.SDP
	req := d.request(gosip.INVITE, 0)
	for _, h := range d.session.wish(true) {
		req.AppendHeader(h)
	}
	for _, h := range inv.Headers {
		req.AppendHeader(gosip.NewHeader(h.Name, h.Value))
	}
	setBody(req, sdpType, inv.SDP)
	return req, nil
}

// onResponse takes what comes back for our INVITE.
func (d *Dialog) onResponse(res *gosip.Response, flow wire.Flow, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case err != nil:
		d.callFailed(err)
	case res.StatusCode < 200:
		d.onProvisional(res, flow)
	case res.StatusCode < 300:
		d.onAnswer(res, flow)
	case d.state == dsCalling:
		d.end(DialogEvent{Status: res.StatusCode, Text: clean(res.Reason), Reason: reasonOf(res), Warning: warningOf(res), By: ByRemote, Places: placesOf(res)})
	case d.state == dsEnding: // 487 to our CANCEL, as a rule
		d.end(DialogEvent{Status: res.StatusCode, Text: clean(res.Reason), Reason: d.reasonWanted(), By: ByLocal})
	}
}

// onLate takes a 2xx from a server that had been given up for another one.
func (d *Dialog) onLate(res *gosip.Response, flow wire.Flow) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if tag, ok := wire.Param(res.To().Params, "tag"); ok && tag != d.path.remoteTag {
		d.dismiss(res, flow, tag)
	}
}

func (d *Dialog) reasonWanted() Reason {
	if d.wanted != nil {
		return *d.wanted
	}
	return Reason{}
}

func (d *Dialog) callFailed(err error) {
	ev := DialogEvent{Status: 503, Text: trouble(err, d.info.Remote.String()), By: ByNetwork}
	switch {
	case d.state == dsEnding:
		ev = DialogEvent{Status: 487, Text: phrase(487), Reason: d.reasonWanted(), By: ByLocal}
	case errors.Is(err, ErrTimeout):
		ev.Status, ev.Text = 408, "no answer from "+d.info.Remote.String()
	}
	d.end(ev)
}

// unheard gives an outgoing call up whose far end has said nothing for so long.
// What it may say later is dealt with in the back.
func (d *Dialog) unheard(patience time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.state != dsCalling {
		return
	}
	d.state = dsEnding
	d.call.abort()
	who := d.info.Remote.String()
	if _, remote := d.call.server(); remote.IsValid() {
		who = remote.String()
	}
	d.finish(DialogEvent{Status: 408, Text: fmt.Sprintf("no answer from %s within %v", who, patience), By: ByNetwork})
}

// onAnswer takes a 2xx to our INVITE.
func (d *Dialog) onAnswer(res *gosip.Response, flow wire.Flow) {
	tag, _ := wire.Param(res.To().Params, "tag")
	if d.path.remoteTag != "" {
		if tag != d.path.remoteTag {
			d.dismiss(res, flow, tag) // another branch of a fork answered too (RFC 3261 §13.2.2.4)
		}
		return
	}
	if d.state != dsCalling && d.state != dsEnding {
		return
	}
	sdp, ok := sdpOf(res)
	e, offered := d.early[tag], d.call.offered()
	d.early = nil
	d.follow(res, flow, tag)
	agreed := e != nil && e.agreed
	if e != nil {
		d.path.remoteSeq = e.path.remoteSeq
		if offered && (agreed || sdp == nil) { // the answer came before, and what follows says nothing new (RFC 3261 §13.2.1)
			sdp = e.sdp
		}
	}
	switch {
	case d.state == dsEnding: // the answer crossed our CANCEL
		_ = d.acknowledge(d.call.current(), res, nil)
		d.bye(d.reasonWanted(), DialogEvent{Status: 487, Text: phrase(487), Reason: d.reasonWanted(), By: ByLocal})
		return
	case !ok || (sdp == nil && offered):
		_ = d.acknowledge(d.call.current(), res, nil)
		d.state = dsUp
		r := Reason{Q850: 88, SIP: 488}
		d.bye(r, DialogEvent{Status: 488, Text: "the answer has no session description", Reason: r, By: ByLocal})
		return
	}
	d.state = dsUp
	d.granted(res)
	switch {
	case offered:
		_ = d.acknowledge(d.call.current(), res, nil)
	case agreed: // by PRACK
		sdp = nil
		_ = d.acknowledge(d.call.current(), res, nil)
	default:
		d.offer = &pendingOffer{res: res}
	}
	if body := d.call.rewritten(); body != nil {
		d.session.sdp = body
	}
	ev := DialogEvent{Type: Answered, Status: res.StatusCode, Text: clean(res.Reason), SDP: sdp}
	ev.Local, ev.Remote = d.call.server()
	d.emit(ev)
}

// follow takes tag, target and routes of the dialog from a 2xx (RFC 3261 §12.1.2).
func (d *Dialog) follow(res *gosip.Response, flow wire.Flow, tag string) {
	p := &d.path
	p.remoteTag = tag
	p.remote.Params.Add("tag", tag)
	p.flow = flow
	if d.call != nil && d.call.moved() {
		p.contact = d.s.recontact(p.contact, flow.Transport, flow.Remote.Addr(), flow)
	}
	if cs := contactsOf(res); len(cs) > 0 && cs[0].Address.Host != "" && !cs[0].Address.Wildcard {
		p.target = cs[0].Address
	}
	d.settle()
	rrs := res.GetHeaders("Record-Route")
	p.routes = nil
	for i := len(rrs) - 1; i >= 0; i-- {
		if r, ok := rrs[i].(*gosip.RecordRouteHeader); ok {
			p.routes = append(p.routes, r.Address)
		}
	}
}

// acknowledge sends the ACK of a 2xx. It is called with mu held.
func (d *Dialog) acknowledge(tx *wire.ClientTx, res *gosip.Response, sdp []byte) error {
	req := d.request(gosip.ACK, res.CSeq().SeqNo)
	setBody(req, sdpType, sdp)
	return sipError(tx.Ack(req, d.dest(), d.path.remoteTag))
}

// acknowledgeLate sends the ACK that AcceptOffer would have sent.
func (d *Dialog) acknowledgeLate() {
	if o := d.offer; o != nil && o.tx == nil {
		d.offer = nil
		_ = d.acknowledge(d.call.current(), o.res, nil)
	}
}

// dismiss acknowledges and ends the dialog of another branch.
func (d *Dialog) dismiss(res *gosip.Response, flow wire.Flow, tag string) {
	fork := &Dialog{s: d.s, info: d.info, path: d.path}
	fork.path.remote = gosip.FromHeader{Address: d.path.remote.Address}
	fork.follow(res, flow, tag)
	ack := fork.request(gosip.ACK, res.CSeq().SeqNo)
	ack.SetBody(nil)
	_ = d.s.wire.Write(ack, fork.dest())
	bye := fork.request(gosip.BYE, 0)
	bye.SetBody(nil)
	_, _ = d.s.wire.Send(bye, fork.dest(), func(*gosip.Response, wire.Flow, error) {})
}

// cancel gives an unanswered outgoing call up. It is called with mu held.
func (d *Dialog) cancel(r Reason) {
	d.state = dsEnding
	d.wanted = &r
	d.call.abort(reasonHeaders(r)...)
	d.timer.Stop()
	d.timer = d.s.wire.After(8*d.s.cfg.T1, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		// The transaction goes on until its final response; a late 200 gets ACK and BYE.
		d.finish(DialogEvent{Status: 487, Text: phrase(487), Reason: r, By: ByLocal})
	})
}
