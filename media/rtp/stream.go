package rtp

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/pion/rtp"

	"callbox/media"
	"callbox/media/codec"
)

// maxDatagram is the longest datagram that is looked at; longer ones are cut
// and refused.
const maxDatagram = 1500

// Direction says which way sound flows, seen from the box (RFC 3264 §5.1).
type Direction uint8

const (
	SendRecv Direction = iota // both ways
	SendOnly                  // the far end is on hold
	RecvOnly                  // we are on hold
	Inactive                  // neither
)

var directionNames = [...]string{"sendrecv", "sendonly", "recvonly", "inactive"}

// String gives the direction as in SDP.
func (d Direction) String() string {
	if int(d) >= len(directionNames) {
		return fmt.Sprintf("direction(%d)", d)
	}
	return directionNames[d]
}

func (d Direction) sends() bool    { return d == SendRecv || d == SendOnly }
func (d Direction) receives() bool { return d == SendRecv || d == RecvOnly }

// Remote is where the far end wants its packets.
type Remote struct {
	// RTP is the address in the SDP, or the one that an Escort has found. An
	// unspecified address (0.0.0.0, an old way to hold) or port 0 sends nothing.
	RTP netip.AddrPort
	// RTCP is the address of a=rtcp; zero: the port above RTP's.
	RTCP netip.AddrPort
	// Local is our address that packets come from, the one in our SDP: on a host
	// with several the system may choose another, which strict far ends refuse.
	// The zero Addr leaves it to the system, and so does one that cannot be used.
	Local netip.Addr
}

// Params are what offer and answer agreed on.
type Params struct {
	Codec codec.Codec
	// PayloadType is the codec's payload type in what is sent.
	PayloadType uint8
	// LocalPT is the one with which it arrives, ours; 0: the same.
	LocalPT uint8
	// EventPT is the payload type with which telephone events are sent, the far
	// end's; 0: none.
	EventPT uint8
	// LocalEventPT is the one with which they arrive, ours; 0: the same.
	LocalEventPT uint8
	// PTime is the length of the packets to send, in ms: 10, 20 … 60; 0: 20. What
	// arrives may have any length up to 120 ms.
	PTime     int
	Direction Direction
	// Security protects the packets; zero: they go in the clear. A re-INVITE that
	// keeps the keys must keep the ciphers, which know how far the packets are.
	Security Security
	// Escort finds the way for the packets and their keys; nil: the way is that of
	// the SDP and of the latch.
	Escort Escort
}

// Security is how a stream's packets are protected (SRTP, RFC 3711). With it
// nothing is taken or sent in the clear.
type Security struct{ In, Out Cipher }

// Cipher protects one direction of a stream, RTP and RTCP; media/srtp has one.
// Both write into dst, which they overwrite and which does not overlap packet.
type Cipher interface {
	Seal(dst, packet []byte) ([]byte, error)
	Open(dst, packet []byte) ([]byte, error)
	SealReport(dst, packet []byte) ([]byte, error)
	OpenReport(dst, packet []byte) ([]byte, error)
}

// Validate reports what is wrong with p.
func (p Params) Validate() error {
	switch {
	case p.Codec.IsZero():
		return errors.New("no codec was negotiated")
	case p.PayloadType > 127 || p.LocalPT > 127 || p.EventPT > 127 || p.LocalEventPT > 127:
		return errors.New("a payload type is above 127")
	case p.EventPT == p.PayloadType && p.EventPT != 0:
		return fmt.Errorf("payload type %d means two things", p.EventPT)
	case p.PTime < 0 || p.PTime > maxPTime || p.PTime%10 != 0:
		return fmt.Errorf("a packet time of %d ms cannot be sent", p.PTime)
	case p.Direction > Inactive:
		return fmt.Errorf("unknown direction %d", p.Direction)
	case (p.Security.In == nil) != (p.Security.Out == nil):
		return errors.New("only one direction is protected")
	case p.Escort != nil && p.Security.In == nil:
		return errors.New("an escorted stream is not protected")
	}
	return nil
}

func (p Params) ptime() int {
	if p.PTime == 0 {
		return 20
	}
	return p.PTime
}

// ticks is a number of samples in units of the codec's RTP clock.
func (p Params) ticks(samples int64) int64 {
	if p.Codec.ClockRate == media.SampleRate || p.Codec.IsZero() {
		return samples
	}
	return samples * int64(p.Codec.ClockRate) / media.SampleRate
}

// length is how long a payload lasts in units of the codec's RTP clock; that of a
// codec that cannot be looked into is taken for 20 ms.
func (p Params) length(payload []byte) uint32 {
	if p.Codec.Decodable() {
		return uint32(len(payload))
	}
	return uint32(p.ticks(media.FrameSamples))
}

// Config is what a stream needs.
type Config struct {
	// Pool gives the ports. Required.
	Pool *PortPool
	// OnDigit is told each key press once, at its start. It is called on the
	// receiving goroutine, without locks, and must not block.
	OnDigit func(key byte)
}

// Stream is the RTP session of one leg. ReadFrame and WriteFrame belong to the
// media clock; all other methods may be called from any goroutine.
type Stream struct {
	cfg     Config
	ports   pair
	rtp     *socket // on ports.rtp
	rtcpRaw syscall.RawConn
	epoch   time.Time // arrival times are counted from here
	cname   string

	send    *sender
	digits  chan struct{} // holds one token while a digit is sent
	closing chan struct{} // closed by Close
	done    chan struct{} // closed when the receive goroutine has ended

	mu      sync.Mutex // guards what follows
	closed  bool
	running bool // the receive goroutine was started
	clear   bool // see SetTransparent
	remote  Remote
	params  Params
	latch   latch
	src     source
	events  eventIn
	jb      *jitterBuffer // nil while nothing is decoded
	reading bool          // ReadFrame is being called
	pulse   time.Time     // when the last ReadFrame was due
	relay   *Stream       // where payloads go undecoded; nil: nowhere
	pkt     rtp.Packet    // reused for every packet
	plain   []byte        // of a protected packet; nil while none came
	heard   time.Time     // last packet that was believed
	quiet   bool          // see SetQuiet
	sight   sight
	count   counters
	past    Stats // of jitter buffers that are gone
	rtcp    control
}

// counters are a stream's own; the rest comes from its parts.
type counters struct {
	in, malformed, unknown, forged uint64
}

var (
	_ media.Port    = (*Stream)(nil)
	_ media.Relayer = (*Stream)(nil)

	_ media.Transparent = (*Stream)(nil)
)

// Listen opens a pair of ports, so that their numbers can be offered. Nothing
// is received or sent before [Stream.Start]. The error is or wraps
// *ExhaustedError when there are no ports.
func Listen(cfg Config) (*Stream, error) {
	if cfg.Pool == nil {
		return nil, errors.New("rtp: Config.Pool is missing")
	}
	ports, err := cfg.Pool.acquire()
	if err != nil {
		return nil, err
	}
	sock, err := newSocket(ports.rtp)
	if err != nil {
		cfg.Pool.release(ports)
		return nil, err
	}
	reports, err := newSocket(ports.rtcp)
	if err != nil {
		cfg.Pool.release(ports)
		return nil, err
	}
	s := newStream(cfg, sock, time.Now())
	s.ports, s.rtp, s.rtcpRaw = ports, sock, reports.raw
	s.sight = newSight(cfg, ports)
	s.send.sight = s.sight
	s.rtcp.conn = reports
	stampArrivals(reports.raw)
	return s, nil
}

// newStream makes a stream that sends to conn; tests give it packets by hand.
func newStream(cfg Config, conn packetWriter, now time.Time) *Stream {
	return &Stream{
		cfg: cfg, epoch: now, cname: newCNAME(), send: newSender(conn),
		digits: make(chan struct{}, 1), closing: make(chan struct{}), done: make(chan struct{}),
	}
}

// LocalPort is the RTP port; RTCP is the one above it.
func (s *Stream) LocalPort() uint16 { return s.ports.port }

// Start begins, or after a re-INVITE changes, what is received and sent: the
// remote address, the codec, hold and resume. Sequence numbers and timestamps
// go on. A changed remote address clears the latch. It may be called as often
// as needed. The error is ErrClosed or one that says what is wrong with p.
func (s *Stream) Start(remote Remote, p Params) error {
	if err := p.Validate(); err != nil {
		return err
	}
	if p.LocalEventPT == 0 {
		p.LocalEventPT = p.EventPT
	}
	if p.LocalPT == 0 {
		p.LocalPT = p.PayloadType
	}
	remote.RTP, remote.RTCP = unmap(remote.RTP), unmap(remote.RTCP)
	if !remote.RTCP.IsValid() && remote.RTP.Port() != 0 {
		remote.RTCP = netip.AddrPortFrom(remote.RTP.Addr(), remote.RTP.Port()+1)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	if s.params.Codec != p.Codec {
		s.dropBuffer()
		s.src.timed = false // the clock may be another
	}
	if p.Escort != nil && p.Escort == s.params.Escort {
		remote.RTP = s.remote.RTP // as it said last
	}
	if remote != s.remote {
		s.rtcp.to = netip.AddrPort{}
	}
	s.remote, s.params = remote, p
	s.sight.at(remote.Local)
	s.latch.negotiate(remote.RTP)
	s.send.negotiate(remote.Local, s.latch.target(), p)
	if s.rtcp.conn != nil {
		s.rtcp.conn.sendFrom(remote.Local)
	}
	if !s.running && s.ports.rtp != nil {
		s.running = true
		s.rtcp.schedule(time.Now(), firstReport)
		s.cfg.Pool.add(s)
		go s.receive()
	}
	return nil
}

// Close says goodbye by RTCP, stops the receiving goroutine, waits for it, and
// gives the ports back to the pool. Repeated calls do nothing.
func (s *Stream) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	running, peer := s.running, s.relay
	s.relay = nil
	s.mu.Unlock()
	if peer != nil {
		peer.send.unfeed(s)
	}
	close(s.closing)
	if running {
		s.cfg.Pool.remove(s)
		s.goodbye(time.Now())
	}
	s.send.close()
	if running {
		_ = s.ports.rtp.SetReadDeadline(time.Unix(1, 0)) // wakes the receive goroutine
		<-s.done
		_ = s.ports.rtp.SetReadDeadline(time.Time{})
	}
	s.mu.Lock()
	s.dropBuffer()
	s.mu.Unlock()
	if s.ports.rtp != nil {
		s.cfg.Pool.release(s.ports)
	}
	return nil
}

// dropBuffer gives the jitter buffer up and keeps its counters. The caller
// holds s.mu.
func (s *Stream) dropBuffer() {
	if s.jb == nil {
		return
	}
	s.past = s.jb.addTo(s.past)
	s.jb = nil
}

// ReadFrame gives the next 20 ms of what the far end said, false when there is
// nothing. Losses are concealed.
func (s *Stream) ReadFrame(f *media.Frame) bool { return s.read(f, time.Now()) }

func (s *Stream) read(f *media.Frame, now time.Time) bool {
	s.send.ticks.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	skipped := s.tick(now)
	if s.jb == nil {
		return false
	}
	if skipped > 0 {
		s.jb.skip(int64(skipped) * media.FrameSamples)
	}
	return s.jb.read(f)
}

// tick follows the media clock and gives the number of ticks that were skipped
// before this one, because the clock makes up catchUp at most. The caller holds
// s.mu.
func (s *Stream) tick(now time.Time) (skipped int) {
	if !s.reading {
		s.reading, s.pulse = true, now
		return 0
	}
	s.pulse = s.pulse.Add(media.FrameDuration)
	lag := now.Sub(s.pulse)
	if lag < 0 {
		s.pulse = now // the ticks before were late by a little
	}
	if lag > catchUp {
		skipped = int(lag/media.FrameDuration) + 1 - int(catchUp/media.FrameDuration)
		s.pulse = s.pulse.Add(time.Duration(skipped) * media.FrameDuration)
	}
	return skipped
}

// stalled reports whether the clock should have read long ago, so that what
// arrives now says nothing about the network. The caller holds s.mu.
func (s *Stream) stalled(now time.Time) bool {
	return s.reading && now.Sub(s.pulse) > 2*media.FrameDuration
}

// WriteFrame sends f, or drops it while nothing may be sent or a relay feeds
// the stream. A tick without WriteFrame sends nothing.
func (s *Stream) WriteFrame(f *media.Frame) { s.send.write(f, time.Now()) }

// SetTransparent implements [media.Transparent]: the jitter buffer keeps its delay,
// and nothing is made up in place of what is lost.
func (s *Stream) SetTransparent() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear = true
	if s.jb != nil {
		s.jb.fix()
	}
}

// SetQuiet says whether the stream sends nothing of its own, neither sound nor
// reports, because the far end exchanges its sound with somebody else. What a relay
// feeds it is still sent, so that nothing gets lost while the far ends change over.
func (s *Stream) SetQuiet(on bool) {
	s.mu.Lock()
	s.quiet = on
	s.mu.Unlock()
	s.send.setQuiet(on)
}

// LastPacket is when the last RTP packet of the far end arrived; zero: never.
// It supervises calls whose far end has vanished.
func (s *Stream) LastPacket() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.heard
}

// RemoteAddr is where packets are sent now: the latched source, or before it
// was heard the address in the SDP.
func (s *Stream) RemoteAddr() netip.AddrPort {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.latch.target()
}

// Params are those of the last Start.
func (s *Stream) Params() Params {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.params
}

// Stats gives the counters since Listen; also after Close.
func (s *Stream) Stats() Stats {
	s.mu.Lock()
	st := s.past
	if s.jb != nil {
		st = s.jb.addTo(st)
	}
	st.PacketsIn, st.Lost, st.Duplicates = s.count.in, s.src.lost(), s.src.dups
	st.Jitter = media.DurationOf(int(s.src.jitter >> 4))
	if rate := s.params.Codec.ClockRate; rate > media.SampleRate {
		st.Jitter = st.Jitter * media.SampleRate / time.Duration(rate)
	}
	st.RTT, st.RemoteLost, st.RemoteJitter = s.rtcp.far.RTT, s.rtcp.far.RemoteLost, s.rtcp.far.RemoteJitter
	st.Refused = s.count.forged
	s.mu.Unlock()
	s.send.mu.Lock()
	defer s.send.mu.Unlock()
	st.PacketsOut = s.send.packets
	return st
}

// Quality tells what Stats does not.
func (s *Stream) Quality() Quality {
	s.mu.Lock()
	q := s.rtcp.quality
	q.Reordered, q.Strangers = s.src.late, s.latch.bad
	q.Malformed, q.Unknown = s.count.malformed, s.count.unknown
	if s.jb != nil && s.jb.started {
		q.Buffer = media.DurationOf(int(s.jb.level()))
		q.Target = media.DurationOf(int(s.jb.target()))
	}
	s.mu.Unlock()
	s.send.mu.Lock()
	defer s.send.mu.Unlock()
	q.SendErrors, q.Displaced = s.send.errors, s.send.displaced
	return q
}

// addTo adds the buffer's counters to st.
func (j *jitterBuffer) addTo(st Stats) Stats {
	st.Late += j.late
	st.Concealed += j.concealed / media.FrameSamples
	st.Dropped += j.dropped
	st.MaxBufferLength = max(st.MaxBufferLength, media.DurationOf(int(j.maxLevel)))
	return st
}

// samplesIn is d in samples, any sign; media.SamplesIn is for lengths.
func samplesIn(d time.Duration) int64 {
	return int64(d) / int64(time.Second/media.SampleRate)
}

func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}
