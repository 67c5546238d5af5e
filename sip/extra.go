package sip

import (
	gosip "github.com/emiago/sipgo/sip"
)

// extra are headers of the user's for messages that a dialog sends itself.
type extra struct{ ring, end []Header }

// RingWith puts headers into the provisional responses that follow, in place of
// those that were there before. The error says which header cannot be set.
func (d *Dialog) RingWith(hs []Header) error {
	return d.adorn(hs, func(e *extra) { e.ring = hs })
}

// EndWith puts headers into the BYE, or into the response that refuses an
// arriving INVITE, in place of those that were there before. The error says which
// header cannot be set.
func (d *Dialog) EndWith(hs []Header) error {
	return d.adorn(hs, func(e *extra) { e.end = hs })
}

func (d *Dialog) adorn(hs []Header, set func(*extra)) error {
	if err := checkHeaders(hs); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.told {
		return ErrEnded
	}
	if d.extra == nil {
		d.extra = &extra{}
	}
	set(d.extra)
	return nil
}

// ending are the headers of a message that ends the dialog for r. It is called
// with mu held.
func (d *Dialog) ending(r Reason) []gosip.Header {
	hs := reasonHeaders(r)
	if d.extra != nil {
		for _, h := range d.extra.end {
			hs = append(hs, gosip.NewHeader(h.Name, h.Value))
		}
	}
	return hs
}

// provisional is the response that says how far an arriving INVITE has got. It is
// called with mu held.
func (d *Dialog) provisional(status int, sdp []byte) *gosip.Response {
	res := d.response(d.arrival.req, status, sdp)
	if d.extra != nil {
		for _, h := range d.extra.ring {
			res.AppendHeader(gosip.NewHeader(h.Name, h.Value))
		}
	}
	return res
}
