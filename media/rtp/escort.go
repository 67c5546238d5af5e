package rtp

import (
	"net/netip"
	"time"
)

// Escort is what finds the way and the keys for a stream on the stream's own
// port: ICE and DTLS (RFC 7983). With one, RTCP travels on the RTP port as well
// (RFC 5761), and where to send is the Escort's business alone: what
// [Params].Security opens is believed wherever it comes from, and moves nothing.
type Escort interface {
	// Take takes a datagram that is neither RTP nor RTCP. It is called on the
	// receiving goroutine, must not block, and does not keep b.
	Take(b []byte, from netip.AddrPort, now time.Time)
}

// isRTP tells RTP and RTCP from all else by the first byte, which has version 2
// in its upper bits (RFC 7983 §7).
func isRTP(b []byte) bool { return len(b) > 0 && b[0] >= 128 && b[0] <= 191 }

// escort takes what is not RTP.
func (s *Stream) escort(b []byte, from netip.AddrPort, now time.Time) {
	s.mu.Lock()
	s.sight.show(0, false, from, b, now)
	e := s.params.Escort
	if e == nil || s.closed {
		s.count.malformed++
		e = nil
	}
	s.mu.Unlock()
	if e != nil {
		e.Take(b, from, now)
	}
}

// Send sends a datagram of an Escort from the stream's port.
func (s *Stream) Send(b []byte, to netip.AddrPort) error { return s.send.beside(b, to) }

// Aim makes everything go to an address from now on: the Escort has chosen it.
func (s *Stream) Aim(to netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	to = unmap(to)
	s.remote.RTP = to
	s.latch.negotiate(to)
	s.send.aim(to)
}

// beside sends what belongs to no packet stream.
func (s *sender) beside(b []byte, to netip.AddrPort) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.conn.WriteToUDPAddrPort(b, to)
	if err == nil {
		s.sight.show(0, true, to, b, time.Now())
	}
	return err
}
