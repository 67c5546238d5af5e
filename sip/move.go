package sip

import (
	"net/netip"

	"callbox/sip/wire"
)

// place is how the far end of a dialog reaches us.
type place struct {
	remote    netip.Addr // who does
	transport string
	local     netip.Addr // our address towards it
	host      string     // as it is shown
	port      uint16
}

// placeOf is where we are towards the far end of a flow now. Our own address stays
// the one of the flow as long as it is ours and reaches the far end.
func (s *Stack) placeOf(flow wire.Flow) place {
	p := place{remote: flow.Remote.Addr(), transport: flow.Transport}
	if p.local = s.wire.LocalFor(p.remote, flow.Local.Addr()); p.local.IsValid() {
		p.host, p.port = s.wire.SentBy(p.transport, p.remote, wire.Flow{Local: netip.AddrPortFrom(p.local, flow.Local.Port())})
	}
	return p
}

// lookForMoves has each dialog look, every lookAround T1, whether its far end still
// knows where we are.
func (s *Stack) lookForMoves() {
	s.mu.Lock()
	ds := s.live()
	s.mu.Unlock()
	for _, d := range ds {
		d.lookForMove()
		d.callAnew()
	}
	s.wire.After(lookAround*s.cfg.T1, s.lookForMoves)
}

// settle notes where we are when the flow of a dialog is known. It is called with
// mu held.
func (d *Dialog) settle() {
	if p := &d.path; p.flow.Valid() && !wire.Web(p.flow.Transport) { // a browser finds us by itself
		p.place = d.s.placeOf(p.flow)
	}
}

// lookForMove tells the user of the dialog when the box has another address
// towards its far end, or is shown by another one.
func (d *Dialog) lookForMove() {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := &d.path
	if d.told || d.state == dsEnding || d.state == dsOver || !p.flow.Valid() || wire.Web(p.flow.Transport) {
		return
	}
	was, now := p.place, d.s.placeOf(p.flow)
	switch {
	case !now.local.IsValid() || now == was: // no network at all may pass
		return
	case was.remote != now.remote || was.transport != now.transport || !was.local.IsValid():
		p.place = now // the far end has moved
		return
	}
	p.place = now
	d.s.log.Info("our address in a call changed", "call", d.info.CallID, "from", was.local, "to", now.local, "shown", now.host)
	if now.local != was.local {
		d.leaveWay(now.local)
	}
	if !p.named {
		transport := wire.UDP
		if t, ok := wire.Param(p.contact.Address.UriParams, "transport"); ok {
			transport = t
		}
		p.contact = d.s.recontact(p.contact, transport, now.remote, wire.Flow{Local: netip.AddrPortFrom(now.local, 0)})
	}
	d.emit(DialogEvent{Type: Moved, Local: now.local, Remote: now.remote})
}

// callAnew places an outgoing call that nobody has answered yet once more when our
// address towards the far end has changed: its answer would go to the old one.
func (d *Dialog) callAnew() {
	d.mu.Lock()
	x, waits := d.call, d.state == dsCalling && !d.told
	d.mu.Unlock()
	if !waits || x == nil || !x.displaced() {
		return
	}
	d.mu.Lock()
	d.early = nil // they end with the first try
	d.mu.Unlock()
	x.again()
}

// leaveWay has what follows in the dialog come from another address of ours. It is
// called with mu held.
func (d *Dialog) leaveWay(local netip.Addr) {
	p := &d.path
	if !wire.Reliable(p.flow.Transport) {
		p.flow = d.s.wire.From(p.flow, local)
		return
	}
	// A connection from an address that is gone is dead, and nobody tells.
	next := p.target
	if len(p.routes) > 0 {
		next = p.routes[0]
	}
	to := p.flow.Remote
	if addr, literal := hostAddr(next.Host); literal && addr == to.Addr() {
		to = netip.AddrPortFrom(addr, portOf(next, p.flow.Transport))
	}
	p.dest = wire.Dest{Transport: p.flow.Transport, Addrs: []netip.AddrPort{to}, Host: firstOf(p.dest.Host, next.Host)}
	p.flow.Close()
	p.flow = wire.Flow{}
}

// Renew shows the far end of an answered dialog where we are now, by a request that
// changes nothing else; it does not block. Who changes the session, as after Moved,
// need not.
func (d *Dialog) Renew() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.told || d.state != dsUp && d.state != dsAnswered {
		return
	}
	if d.ack != nil || d.ask(d.sameAgain()) != nil { // something else is under way
		d.s.wire.After(4*d.s.cfg.T1, d.Renew)
	}
}
