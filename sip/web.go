package sip

import (
	"net/http"
	"slices"

	gosip "github.com/emiago/sipgo/sip"

	"callbox/sip/wire"
)

// Upgrade makes a browser's connection of an HTTP request (RFC 7118): SIP over a
// websocket of the subprotocol "sip". Pages of every origin may connect, see
// [wire.Layer.Upgrade]; what they send is treated as what comes over TCP is. A
// browser cannot be called back: its registrations end with its connection.
func (s *Stack) Upgrade(w http.ResponseWriter, r *http.Request) { s.wire.Upgrade(w, r) }

// Web reports whether a transport is a browser's.
func Web(transport string) bool { return wire.Web(transport) }

// Web reports whether b is a browser's, here or behind a proxy.
func (b Binding) Web() bool {
	u, err := parseURI(b.Contact)
	return wire.Web(b.Transport) || err == nil && wire.Web(transportOf(u))
}

// InUse implements [wire.Handler]: whether a connection has a registration or a call.
func (s *Stack) InUse(flow wire.Flow) bool { return s.Known(flow) || s.talksTo(flow.Remote) }

// Lost implements [wire.Handler]. A phone can be called at its address when its
// connection has ended, a browser cannot (RFC 5626 §3.2).
func (s *Stack) Lost(flow wire.Flow) {
	if !wire.Web(flow.Transport) {
		return
	}
	for _, p := range s.peersNow() {
		p.reg.lose(flow)
	}
	s.mu.Lock()
	ds := s.live()
	s.mu.Unlock()
	for _, d := range ds {
		d.loseCaller(flow)
	}
}

// lose removes the registrations that came by flow.
func (b *bindings) lose(flow wire.Flow) {
	b.mu.Lock()
	defer b.mu.Unlock()
	left := slices.DeleteFunc(slices.Clone(b.list), func(e *binding) bool { return e.flow.Same(flow) })
	if len(left) == len(b.list) {
		return
	}
	b.set(left)
	b.tell()
}

// loseCaller ends an arriving call whose caller has gone before the answer: no
// CANCEL will come. One that was answered goes on for as long as its sound does:
// the browser may come back.
func (d *Dialog) loseCaller(flow wire.Flow) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.state != dsInvited || !d.path.flow.Same(flow) {
		return
	}
	d.arrival.tx.Drop()
	d.end(DialogEvent{Status: 487, Text: "its connection has ended", By: ByNetwork})
}

// Connected reports whether requests can reach the far end now: not when it is a
// browser whose connection has ended and that has not come back.
func (d *Dialog) Connected() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	flow := d.path.flow
	if !flow.Valid() || !wire.Web(flow.Transport) || flow.Alive() {
		return true
	}
	d.path.flow = d.s.newWay(flow, d.path.target)
	return d.path.flow.Alive()
}

// newWay is the connection by which the browser at contact has registered again,
// or the one that was lost.
func (s *Stack) newWay(lost wire.Flow, contact gosip.Uri) wire.Flow {
	key := contactKey(contact)
	for _, p := range s.peersNow() {
		if flow, ok := p.reg.wayTo(key); ok {
			return flow
		}
	}
	return lost
}

// wayTo is the connection of the registration with the contact of key.
func (b *bindings) wayTo(key string) (wire.Flow, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.list {
		if e.key == key && wire.Web(e.Transport) && e.flow.Alive() {
			return e.flow, true
		}
	}
	return wire.Flow{}, false
}
