package sipleg

import (
	"fmt"

	"callbox/call"
	"callbox/sip"
)

// RingWith implements call.Adorner: the headers of 180 and 183.
func (l *Leg) RingWith(h []call.Header) error { return l.adorn(h, (*sip.Dialog).RingWith) }

// EndWith implements call.Adorner: those of BYE, and of the response that refuses
// a call.
func (l *Leg) EndWith(h []call.Header) error { return l.adorn(h, (*sip.Dialog).EndWith) }

// adorn gives headers to the leg's dialog: the one that was answered, or the one
// that arrived. A leg that still rings has none to give them to.
func (l *Leg) adorn(h []call.Header, set func(*sip.Dialog, []sip.Header) error) error {
	d := l.line.Load()
	if d == nil {
		d = l.arrived
	}
	if d == nil {
		return fmt.Errorf("headers before the answer: %w", call.ErrWrongState)
	}
	out := make([]sip.Header, 0, len(h))
	for _, x := range h {
		out = append(out, sip.Header(x))
	}
	return ended(set(d, out))
}
