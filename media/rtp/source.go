package rtp

import (
	"net/netip"
	"time"
)

// verdict is what the sequence number says about a packet.
type verdict uint8

const (
	fresh     verdict = iota // later than all before
	reordered                // older than the latest, not seen before
	duplicate                // seen before
	restarted                // a new source, or the old one jumped
)

// maxDropout is the jump of the sequence number that is taken as a restart of
// the source and not as loss (RFC 3550 appendix A.1 uses 3,000).
const maxDropout = 3000

// source follows the sequence numbers and the jitter of the far end (RFC 3550
// appendix A.1, A.3, A.8). It is guarded by its stream's lock.
type source struct {
	known  bool
	ssrc   uint32
	top    uint16 // highest sequence number
	cycles uint32 // wraps of top, times 65,536
	base   uint16 // first sequence number
	seen   uint64 // bit n: top-n was received

	received, expectedBefore, receivedBefore uint32

	transit int64  // of the last packet, in samples
	timed   bool   // transit is set
	jitter  uint32 // in samples, times 16

	lostBefore uint64 // of earlier sources
	dups       uint64
	late       uint64 // reordered
}

// track enters a packet and says what it is.
func (s *source) track(ssrc uint32, seq uint16) verdict {
	if !s.known || ssrc != s.ssrc {
		s.restart(ssrc, seq)
		return restarted
	}
	switch delta := int16(seq - s.top); {
	case delta > maxDropout || delta < -maxDropout:
		s.restart(ssrc, seq)
		return restarted
	case delta > 0:
		if seq < s.top {
			s.cycles += 1 << 16
		}
		s.seen = s.seen<<min(uint(delta), 64) | 1
		s.top = seq
		s.received++
		return fresh
	case delta <= -64: // too old to know
		s.dups++
		return duplicate
	default:
		bit := uint64(1) << uint(-delta)
		if s.seen&bit != 0 {
			s.dups++
			return duplicate
		}
		s.seen |= bit
		s.received++
		s.late++
		return reordered
	}
}

func (s *source) restart(ssrc uint32, seq uint16) {
	s.lostBefore = s.lost()
	s.known, s.ssrc, s.top, s.base, s.cycles, s.seen = true, ssrc, seq, seq, 0, 1
	s.received, s.expectedBefore, s.receivedBefore = 1, 0, 0
	s.timed = false
}

// time enters the arrival of an audio packet, both in samples (RFC 3550
// appendix A.8).
func (s *source) time(ts uint32, arrival int64) {
	transit := arrival - int64(ts)
	if s.timed {
		// The timestamp wraps; the difference of two transits does not.
		d := int64(int32(uint32(transit - s.transit)))
		if d < 0 {
			d = -d
		}
		if d < 8000*60 { // else the timestamps jumped
			s.jitter += uint32(d) - (s.jitter+8)>>4
		}
	}
	s.transit, s.timed = transit, true
}

// expected is the number of packets of the present source that should have come.
func (s *source) expected() uint32 {
	if !s.known {
		return 0
	}
	return s.cycles + uint32(s.top) - uint32(s.base) + 1
}

// lost is the number of packets that did not come, of all sources so far.
func (s *source) lost() uint64 {
	if e := s.expected(); e > s.received {
		return s.lostBefore + uint64(e-s.received)
	}
	return s.lostBefore
}

// fraction is the loss since the last call in 1/256 (RFC 3550 appendix A.3).
func (s *source) fraction() uint8 {
	e, r := s.expected()-s.expectedBefore, s.received-s.receivedBefore
	s.expectedBefore, s.receivedBefore = s.expected(), s.received
	if e == 0 || r >= e {
		return 0
	}
	return uint8(min(uint64(e-r)<<8/uint64(e), 255))
}

// cumulative is the loss of the present source in 24 bits.
func (s *source) cumulative() uint32 {
	if e := s.expected(); e > s.received {
		return min(e-s.received, 0x7FFFFF)
	}
	return 0
}

const (
	// relatchSilence is how long the latched source must have been silent before
	// another may take its place. Senders with silence suppression still send a
	// comfort noise packet or a keep-alive now and then, but not within this time,
	// so the other must also prove itself.
	relatchSilence = 2 * time.Second
	// relatchPackets is how many packets in a row the other must send.
	relatchPackets = 5
	// oldWay is how long after a new address in the SDP the source heard before is
	// still believed, but does not draw the sound to itself.
	oldWay = time.Second
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
	old  netip.AddrPort // where the sound went before the SDP changed
	gone time.Time      // first packet of old since then
}

// negotiate enters the address of an SDP; a new one clears the latch. What is still
// under way from the old one must not set it again: where a server takes itself out
// of the path of two symmetric parties, both would stay with the server.
func (l *latch) negotiate(a netip.AddrPort) {
	if a == l.sdp {
		return
	}
	*l = latch{sdp: a, last: l.last, bad: l.bad, old: l.target()}
}

// leaving reports whether the old source may still be under way.
func (l *latch) leaving(now time.Time) bool {
	if l.gone.IsZero() {
		l.gone = now
	}
	return now.Sub(l.gone) < oldWay
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
	case !l.cur.IsValid() && a == l.old && a != l.sdp && l.leaving(now):
	case !l.cur.IsValid() || a == l.sdp:
		l.cur = a
	default:
		silent := now.Sub(l.last) >= relatchSilence
		if a != l.cand || !silent {
			l.cand, l.n = a, 0
		}
		if silent {
			l.n++
		}
		if l.n < relatchPackets {
			l.bad++
			return false
		}
		l.cur = a
	}
	l.last, l.n = now, 0
	return true
}
