package rtp

import (
	"net/netip"
	"time"
)

const (
	// relatchSilence is how long the latched source must have been silent before
	// another may take its place. Senders with silence suppression still send a
	// comfort noise packet or a keep-alive now and then, but not within this time,
	// so the other must also prove itself.
	relatchSilence = 2 * time.Second
	// relatchPackets is how many packets in a row the other must send.
	relatchPackets = 5
)

// latch decides whose packets are believed, and so where we send. See the
// package comment for the rule. It is guarded by its stream's lock.
type latch struct {
	sdp  netip.AddrPort // what was negotiated; may be unspecified
	cur  netip.AddrPort // the source we listen to; invalid before the first packet
	last time.Time      // last packet of cur
	cand netip.AddrPort // another source that sends
	n    int            // packets of cand in a row
	bad  uint64         // packets of strangers
}

// negotiate enters the address of an SDP; a new one clears the latch.
func (l *latch) negotiate(a netip.AddrPort) {
	if a == l.sdp {
		return
	}
	*l = latch{sdp: a, last: l.last, bad: l.bad}
}

// target is where to send; it may be invalid.
func (l *latch) target() netip.AddrPort {
	if l.cur.IsValid() {
		return l.cur
	}
	return l.sdp
}

// admit reports whether a packet from a is believed.
func (l *latch) admit(a netip.AddrPort, now time.Time) bool {
	switch {
	case a == l.cur:
	case !l.cur.IsValid() || a == l.sdp:
		l.cur = a
	default:
		if a != l.cand || now.Sub(l.last) < relatchSilence {
			l.cand, l.n = a, 0
		}
		l.n++
		if l.n < relatchPackets || now.Sub(l.last) < relatchSilence {
			l.bad++
			return false
		}
		l.cur = a
	}
	l.last, l.n = now, 0
	return true
}
