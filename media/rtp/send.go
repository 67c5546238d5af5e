package rtp

import (
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"

	"callbox/media"
	"callbox/media/codec"
)

const (
	headerBytes = 12 // RTP header without CSRC or extension
	// maxPTime is the longest packet that is sent, in ms.
	maxPTime     = 60
	samplesPerMs = media.SampleRate / 1000
	// catchUp is the most that the media clock makes up after a stall.
	catchUp = 5 * media.FrameDuration
	// behindLimit is how far the timestamps may lag behind the time: catchUp.
	// behindPackets is for how long, so that the clock has the time to do so.
	behindLimit   = 5 * media.FrameSamples
	behindPackets = 8
)

// packetWriter is the part of a UDP socket that sending needs.
type packetWriter interface {
	WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error)
	// sendFrom chooses the source address; it is called between writes.
	sendFrom(local netip.Addr)
}

// sender makes one outgoing packet stream with unbroken sequence numbers and
// timestamps, whoever feeds it: the clock, a relay, or a telephone event. Its
// lock is taken last and never while waiting for anything but the socket.
type sender struct {
	conn  packetWriter
	ssrc  uint32
	ticks atomic.Uint32 // clock ticks since the last WriteFrame, counted by ReadFrame

	mu     sync.Mutex // guards what follows
	to     netip.AddrPort
	params Params
	open   bool // negotiated, not held, not closed
	quiet  bool // only what is relayed is sent

	seq     uint16 // of the next packet
	nextTS  uint32 // timestamp of the next audio
	started bool   // a packet was sent
	marker  bool   // the next packet begins a talk spurt
	resync  bool   // the time went on without us: look at it before the next packet
	behind  int    // packets in a row whose timestamps lagged
	// The timestamp that belongs to a moment: anchorTS at anchorAt.
	anchorTS uint32
	anchorAt time.Time

	encoder *codec.Encoder // of params.Codec; nil before it was negotiated

	feed relayMap
	ev   eventOut

	hdr rtp.Header
	// buf has room for a header and the longest packet. Its first waiting bytes
	// behind the header are encoded and wait until the packet is full; they begin at
	// waitTS.
	buf     [headerBytes + maxPTime*samplesPerMs]byte
	waiting int
	waitTS  uint32
	sealed  []byte // room for a protected packet; nil while none is sent
	packets uint64
	octets  uint64 // payload bytes
	errors  uint64

	displaced uint64 // frames that a relay or an event kept from being sent

	sight sight
}

func newSender(conn packetWriter) *sender {
	return &sender{
		conn: conn, ssrc: rand.Uint32(), seq: uint16(rand.Uint32()), nextTS: rand.Uint32(),
		marker: true, hdr: rtp.Header{Version: 2},
	}
}

// negotiate enters what was agreed on. Sequence numbers and timestamps go on.
func (s *sender) negotiate(local netip.Addr, to netip.AddrPort, p Params) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn.sendFrom(local)
	s.sight.at(local)
	wasOpen := s.open
	s.to = to
	if s.encoder == nil || s.encoder.Codec() != p.Codec || s.params.ptime() != p.ptime() {
		s.waiting = 0
	}
	if s.encoder == nil || s.encoder.Codec() != p.Codec {
		s.encoder = p.Codec.NewEncoder()
	}
	s.params = p
	if p.Security.Out != nil && s.sealed == nil {
		s.sealed = make([]byte, 0, maxDatagram)
	}
	s.open = p.Direction.sends() && to.IsValid() && to.Port() != 0 && !to.Addr().IsUnspecified()
	if s.open && !wasOpen {
		s.resync, s.marker = true, true
	}
}

// aim changes where to, after the latch moved.
func (s *sender) aim(to netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.to = to
	if s.params.Direction.sends() && !s.params.Codec.IsZero() {
		s.open = true
	}
}

// close stops sending for good.
func (s *sender) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = false
	s.params = Params{Direction: Inactive}
	s.ev.finish(ErrClosed)
}

// setQuiet says whether nothing but what is relayed is sent.
func (s *sender) setQuiet(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quiet = on
}

// write takes one frame of sound, exactly 20 ms, and sends the packets that are
// full with it.
func (s *sender) write(f *media.Frame, now time.Time) {
	ticks := s.ticks.Swap(0)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.open || s.quiet || !s.params.Codec.Decodable() {
		s.resync, s.waiting = true, 0
		return
	}
	if s.feed.from != nil {
		s.displaced++
		s.waiting = 0
		return
	}
	s.pace(ticks, now)
	if s.ev.active {
		s.flush()
		s.ev.self = false
		s.displaced++
		s.stepEvent(now)
		s.nextTS += media.FrameSamples
		return
	}
	if s.waitTS+uint32(s.waiting) != s.nextTS {
		s.flush() // there is a gap behind what waits
		s.waitTS = s.nextTS
	}
	s.waiting += s.encoder.Frame(s.buf[headerBytes+s.waiting:], f)
	s.nextTS += media.FrameSamples
	for size := s.params.ptime() * samplesPerMs; s.waiting >= size; {
		s.packet(size)
	}
}

// packet sends the first n bytes that wait. The caller holds s.mu.
func (s *sender) packet(n int) {
	s.hdr.Timestamp = s.waitTS
	s.emit(s.buf[:headerBytes+n], s.params.PayloadType, s.marker)
	s.marker = false
	copy(s.buf[headerBytes:], s.buf[headerBytes+n:headerBytes+s.waiting])
	s.waiting -= n
	s.waitTS += uint32(n)
}

// flush sends what waits, as a packet that is shorter than the others. The caller
// holds s.mu.
func (s *sender) flush() {
	if s.waiting > 0 {
		s.packet(s.waiting)
	}
}

// pace moves the timestamp over ticks on which nothing was written, and over
// time that passed unseen.
func (s *sender) pace(ticks uint32, now time.Time) {
	if !s.started {
		s.started, s.resync = true, false
		s.anchorTS, s.anchorAt = s.nextTS, now
		return
	}
	if ticks > 1 && !s.resync {
		s.nextTS += (ticks - 1) * media.FrameSamples
		s.marker = true
	}
	lag := int32(s.tsAt(now) - s.nextTS)
	if lag > behindLimit {
		s.behind++
	} else {
		s.behind = 0
	}
	if s.behind < behindPackets && (!s.resync || lag < media.FrameSamples) {
		s.resync = false
		return
	}
	s.nextTS += uint32(lag)
	s.anchorTS, s.anchorAt = s.nextTS, now
	s.resync, s.behind, s.marker = false, 0, true
}

// tsAt is the timestamp that belongs to now. The caller holds s.mu.
func (s *sender) tsAt(now time.Time) uint32 {
	return s.anchorTS + uint32(s.params.ticks(samplesIn(now.Sub(s.anchorAt))))
}

// emit completes the packet in b, whose payload lies behind room for the
// header and whose timestamp is in s.hdr, and sends it. The caller holds s.mu.
func (s *sender) emit(b []byte, pt uint8, marker bool) {
	s.hdr.SequenceNumber = s.seq
	s.seq++
	s.transmit(b, pt, marker)
}

// transmit is emit with the sequence number of s.hdr.
func (s *sender) transmit(b []byte, pt uint8, marker bool) {
	s.hdr.PayloadType, s.hdr.Marker, s.hdr.SSRC = pt, marker, s.ssrc
	if _, err := s.hdr.MarshalTo(b); err != nil {
		s.errors++
		return
	}
	octets := uint64(len(b) - headerBytes)
	if out := s.params.Security.Out; out != nil {
		var err error
		if b, err = out.Seal(s.sealed, b); err != nil {
			s.errors++
			return
		}
	}
	if _, err := s.conn.WriteToUDPAddrPort(b, s.to); err != nil {
		s.errors++ // the network is down or the buffer full: the next packet tries again
		return
	}
	s.sight.show(0, true, s.to, b, time.Now())
	s.packets++
	s.octets += octets
}

// relayMap is how the packets of a relayed source become packets of ours: by a
// constant offset of sequence number and timestamp, so that gaps and silences
// of the source stay visible to the far end.
type relayMap struct {
	from   *Stream // who feeds us; nil: nobody
	valid  bool
	ssrc   uint32
	seqOff uint16
	tsOff  uint32
	oldest uint16 // source sequence numbers before it are not ours to send
}

// relaySpan is how far back a source packet may lie.
const relaySpan = 1000

// feedFrom makes from the one that feeds this sender, nil nobody.
func (s *sender) feedFrom(from *Stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.feed.from == from {
		return
	}
	s.feed = relayMap{from: from}
	s.resync = true
	s.ticks.Store(0)
}

// unfeed ends the feeding if from does it.
func (s *sender) unfeed(from *Stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.feed.from == from {
		s.feed = relayMap{}
		s.resync = true
		s.ticks.Store(0)
	}
}

// forward sends a received packet on. b holds the whole packet, its payload
// from off on; the bytes before the payload are overwritten with our header. c
// is the payload's codec, or none for a telephone event; restart says that the
// source's sequence numbers start anew.
func (s *sender) forward(from *Stream, h *rtp.Header, b []byte, off int, c codec.Codec, restart bool, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.feed.from != from {
		return
	}
	m := &s.feed
	if restart {
		m.valid = false
	}
	if !s.open || s.ev.active {
		m.valid = false
		return
	}
	payload := b[off:]
	pt, samples, lead := s.params.PayloadType, s.params.length(payload), uint32(0)
	if c.IsZero() {
		// The event's timestamp is that of its start.
		pt, samples, lead = s.params.EventPT, 0, eventDuration(payload)
		if pt == 0 {
			return
		}
	} else if !s.params.Codec.Convert(payload, c) {
		return
	}
	marker := h.Marker
	if !m.valid || m.ssrc != h.SSRC {
		s.remap(h, lead, now)
		marker = true
	}
	ahead := int16(h.SequenceNumber - m.oldest)
	if ahead < 0 {
		return // sent before the relay began: its number is taken
	}
	if ahead > 2*relaySpan {
		m.oldest = h.SequenceNumber - relaySpan
	}
	s.hdr.SequenceNumber = h.SequenceNumber + m.seqOff
	s.hdr.Timestamp = h.Timestamp + m.tsOff
	if int16(s.hdr.SequenceNumber+1-s.seq) > 0 {
		s.seq = s.hdr.SequenceNumber + 1
	}
	if end := s.hdr.Timestamp + samples; samples > 0 && int32(end-s.nextTS) > 0 {
		s.nextTS = end
		s.anchorTS, s.anchorAt = s.hdr.Timestamp, now
	}
	s.transmit(b[off-headerBytes:], pt, marker)
}

// remap chooses the offsets so that h becomes our next packet. The caller holds
// s.mu.
func (s *sender) remap(h *rtp.Header, lead uint32, now time.Time) {
	ts := s.nextTS
	if s.started {
		if lag := int32(s.tsAt(now) - ts); lag > 0 {
			ts += uint32(lag)
		}
	}
	s.started, s.marker = true, false
	s.anchorTS, s.anchorAt = ts, now
	s.feed.valid, s.feed.ssrc, s.feed.oldest = true, h.SSRC, h.SequenceNumber
	s.feed.seqOff = s.seq - h.SequenceNumber
	s.feed.tsOff = ts - lead - h.Timestamp
}
