package rtp

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"time"

	"callbox/media"
	"callbox/media/codec"
)

// maxReadErrors ends the receive goroutine of a socket that only gives errors.
const maxReadErrors = 1000

// receive is the stream's goroutine: it reads the RTP socket until Close.
func (s *Stream) receive() {
	defer close(s.done)
	s.skipBacklog()
	room := &s.cfg.Pool.room
	for failed := 0; failed < maxReadErrors; {
		b, n, from, err := s.rtp.readLent(room)
		if err != nil {
			if errors.Is(err, net.ErrClosed) || s.isClosing() {
				return
			}
			failed++
			continue
		}
		failed = 0
		s.handle(b[:n], from, time.Now())
		room.give(b)
	}
}

// skipBacklog throws away what arrived between Listen and Start: sound from
// before the answer would only be delay.
func (s *Stream) skipBacklog() {
	room := &s.cfg.Pool.room
	b := room.take()
	defer room.give(b)
	_ = s.ports.rtp.SetReadDeadline(time.Now().Add(time.Millisecond))
	for range 4 * maxPerSweep {
		if _, _, err := s.rtp.ReadFromUDPAddrPort(b[:]); err != nil {
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				continue
			}
			break
		}
	}
	_ = s.ports.rtp.SetReadDeadline(time.Time{})
	if s.isClosing() { // Close's deadline may just have been overwritten
		_ = s.ports.rtp.SetReadDeadline(time.Unix(1, 0))
	}
}

func (s *Stream) isClosing() bool {
	select {
	case <-s.closing:
		return true
	default:
		return false
	}
}

// handle takes one datagram of the RTP socket. b is overwritten.
func (s *Stream) handle(b []byte, from netip.AddrPort, now time.Time) {
	if !isRTP(b) {
		s.escort(b, unmap(from), now)
		return
	}
	if isRTCP(b) { // multiplexed, as with an Escort, or although we did not offer it (RFC 5761 §4)
		s.saw(0, from, b, now)
		s.handleRTCP(b, unmap(from), now)
		return
	}
	s.mu.Lock()
	key := s.accept(b, unmap(from), now)
	s.pkt.Payload = nil // they point into b, which is only lent
	clear(s.pkt.Extensions)
	s.mu.Unlock()
	if key != 0 && s.cfg.OnDigit != nil {
		s.cfg.OnDigit(key)
	}
}

// isRTCP tells RTCP from RTP by the second byte: RTP would have the marker and
// one of the payload types 64 to 95, which are kept free for this.
func isRTCP(b []byte) bool { return len(b) >= 2 && b[1] >= 192 && b[1] <= 223 }

// accept takes one RTP packet and gives the key whose press begins with it, or
// 0. The caller holds s.mu.
func (s *Stream) accept(b []byte, from netip.AddrPort, now time.Time) byte {
	p := &s.pkt
	s.sight.show(0, false, from, b, now)
	b, ok := s.open(b)
	if !ok {
		return 0
	}
	if len(b) == maxDatagram || p.Unmarshal(b) != nil || p.Version != 2 {
		s.count.malformed++
		return 0
	}
	before := s.latch.cur
	if s.closed || s.params.Escort == nil && !s.latch.admit(from, now) {
		return 0
	}
	if s.latch.cur != before {
		s.send.aim(s.latch.cur)
	}
	s.heard = now
	s.count.in++
	arrival := samplesIn(now.Sub(s.epoch))
	v := s.src.track(p.SSRC, p.SequenceNumber)
	if v == duplicate || !s.params.Direction.receives() {
		return 0
	}
	fresh := v == restarted
	if fresh {
		s.events.forget()
	}
	c, isEvent := s.classify(p.PayloadType)
	b = b[:len(b)-int(p.Header.PaddingSize)]
	off := len(b) - len(p.Payload)
	switch {
	case isEvent:
		key := s.events.packet(p.Timestamp, p.Payload, p.Marker)
		if s.relay != nil {
			s.relay.send.forward(s, &p.Header, b, off, codec.Codec{}, fresh, now)
		}
		return key
	case c.IsZero():
		if p.PayloadType != comfortNoise {
			s.count.unknown++
		} else if s.relay == nil && s.reading {
			s.buffer().silence(p.Timestamp, p.Payload, fresh)
		}
		return 0
	}
	s.src.time(p.Timestamp, s.params.ticks(arrival))
	if s.relay != nil {
		s.relay.send.forward(s, &p.Header, b, off, c, fresh, now)
		return 0
	}
	if !s.reading || !c.Decodable() {
		return 0
	}
	jb := s.buffer()
	jb.stalled = s.stalled(now)
	jb.put(p.Timestamp, c, p.Payload, arrival, fresh, p.Marker)
	return 0
}

// buffer is the jitter buffer, made when it is needed. The caller holds s.mu.
func (s *Stream) buffer() *jitterBuffer {
	if s.jb == nil {
		if s.jb = newJitterBuffer(s.params.Codec, &s.cfg.Pool.sounds); s.clear {
			s.jb.fix()
		}
	}
	return s.jb
}

// open takes the protection off a packet. What cannot be opened is counted and
// moves nothing, not even the latch. The caller holds s.mu.
func (s *Stream) open(b []byte) ([]byte, bool) {
	in := s.params.Security.In
	if in == nil {
		return b, true
	}
	if s.plain == nil {
		s.plain = make([]byte, 0, maxDatagram)
	}
	plain, err := in.Open(s.plain, b)
	if err != nil {
		s.count.forged++
		return nil, false
	}
	return plain, true
}

// classify says what a payload type carries: a codec, or an event, or neither.
// Both laws are taken whatever was negotiated: an answer may name both, and
// then the far end may change between them at any time (RFC 3264 §7).
func (s *Stream) classify(pt uint8) (c codec.Codec, event bool) {
	switch {
	case pt == s.params.LocalPT || pt == s.params.PayloadType:
		return s.params.Codec, false
	case pt != 0 && (pt == s.params.LocalEventPT || pt == s.params.EventPT):
		return codec.Codec{}, true
	}
	if c, _ = codec.ByPayloadType(pt); !c.Decodable() {
		return codec.Codec{}, false // nobody agreed on it
	}
	return c, false
}

// Holder is a port that wraps a stream; RelayTo looks through it.
type Holder interface {
	RTPStream() *Stream
}

// RelayTo forwards every payload received from now on to peer, another stream
// or a [Holder] of one, on arrival and undecoded, and reports true. It reports
// false, and changes nothing, when peer is of another kind or the two have not
// negotiated the same codec, packet time and event format. Repeated calls with
// the same peer only check whether that still holds.
func (s *Stream) RelayTo(peer media.Port) bool {
	p, ok := peer.(*Stream)
	if !ok {
		h, isHolder := peer.(Holder)
		if !isHolder {
			return false
		}
		p = h.RTPStream()
	}
	if p == nil || p == s {
		return false
	}
	p.mu.Lock()
	theirs, closed := p.params, p.closed
	p.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || closed || !s.params.agrees(theirs) {
		return false
	}
	if s.relay == p {
		return true
	}
	if s.relay != nil {
		s.relay.send.unfeed(s)
	}
	s.relay, s.reading = p, false
	s.dropBuffer()
	p.send.feedFrom(s)
	return true
}

// agrees reports whether payloads of p can be sent as they are where q was
// negotiated. Those of a foreign codec can only be sent as they are.
func (p Params) agrees(q Params) bool {
	return !p.Codec.IsZero() && p.Codec == q.Codec && (p.ptime() == q.ptime() || !p.Codec.Decodable()) && (p.EventPT == 0) == (q.EventPT == 0)
}

// StopRelay returns to the decoded path. When it returns, nothing more is
// forwarded. Without a relay it does nothing.
func (s *Stream) StopRelay() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.relay != nil {
		s.relay.send.unfeed(s)
		s.relay = nil
	}
}
