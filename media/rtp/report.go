package rtp

import (
	"encoding/base64"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/pion/rtcp"

	"callbox/media"
)

const (
	// reportEvery is the mean interval of reports (RFC 3550 §6.2), each drawn
	// from half to one and a half of it so that reports do not march in step.
	reportEvery = 5 * time.Second
	firstReport = reportEvery / 2
	// maxRTT is the longest round trip that is believed.
	maxRTT = 10 * time.Second
	// ntpOffset is the number of seconds from 1900 to 1970 (RFC 3550 §4).
	ntpOffset = 2208988800
)

// control is the RTCP state of a stream, guarded by the stream's lock.
type control struct {
	conn    packetWriter
	to      netip.AddrPort // where reports came from; invalid: as negotiated
	due     time.Time
	quality Quality // the counters of reports
	far     Stats   // what the far end's reports say: RTT, RemoteLost, RemoteJitter

	sentBefore uint64 // packets at the last report
	lastSR     uint32 // middle of the NTP time of the far end's last sender report
	lastSRAt   time.Time
}

// schedule sets when the next report is due.
func (c *control) schedule(now time.Time, mean time.Duration) {
	c.due = now.Add(mean/2 + rand.N(mean))
}

// newCNAME makes a name for one stream (RFC 7022 §4.2: 96 random bits).
func newCNAME() string {
	var b [12]byte
	binary.NativeEndian.PutUint64(b[:], rand.Uint64())
	binary.NativeEndian.PutUint32(b[8:], rand.Uint32())
	return base64.RawStdEncoding.EncodeToString(b[:])
}

// control is called by the pool's goroutine: it reads the RTCP socket and
// sends the report when it is due.
func (s *Stream) control(r *rawReader, now time.Time) {
	for range maxPerSweep {
		if !r.read(s.rtcpRaw) {
			break
		}
		if isRTCP(r.buf[:r.n]) {
			at := now.Add(-r.age)
			s.saw(1, r.from, r.buf[:r.n], at)
			s.handleRTCP(r.buf[:r.n], r.from, at)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || now.Before(s.rtcp.due) {
		return
	}
	s.rtcp.schedule(now, reportEvery)
	s.sendReport(now, false)
}

// goodbye sends the last report, with a BYE (RFC 3550 §6.3.7).
func (s *Stream) goodbye(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sendReport(now, true)
}

// sendReport sends one compound packet. The caller holds s.mu.
func (s *Stream) sendReport(now time.Time, bye bool) {
	to := s.rtcpTarget()
	if s.quiet || !to.IsValid() || to.Port() == 0 || to.Addr().IsUnspecified() || s.rtcp.conn == nil {
		return
	}
	b, err := rtcp.Marshal(s.report(now, bye))
	if err != nil {
		return // a report that cannot be written is not worth a call
	}
	if out := s.params.Security.Out; out != nil {
		if b, err = out.SealReport(nil, b); err != nil {
			return
		}
	}
	if s.params.Escort != nil {
		err = s.send.beside(b, to)
	} else {
		if _, err = s.rtcp.conn.WriteToUDPAddrPort(b, to); err == nil {
			s.sight.show(1, true, to, b, now)
		}
	}
	if err == nil {
		s.rtcp.quality.ReportsOut++
	}
}

// rtcpTarget is where reports go: where the sound goes, with an Escort; else to where the far end's came from, else to the
// port above the latched one if that is not what was negotiated, else as
// negotiated. The caller holds s.mu.
func (s *Stream) rtcpTarget() netip.AddrPort {
	switch cur := s.latch.cur; {
	case s.params.Escort != nil:
		return s.latch.target()
	case s.rtcp.to.IsValid():
		return s.rtcp.to
	case cur.IsValid() && cur != s.latch.sdp && cur.Port() < 65535:
		return netip.AddrPortFrom(cur.Addr(), cur.Port()+1)
	}
	return s.remote.RTCP
}

// report makes the packets of a report. The caller holds s.mu.
func (s *Stream) report(now time.Time, bye bool) []rtcp.Packet {
	var blocks []rtcp.ReceptionReport
	if s.src.known {
		blocks = []rtcp.ReceptionReport{s.block(now)}
	}
	ssrc := s.send.ssrc
	s.send.mu.Lock()
	packets, octets, ts := s.send.packets, s.send.octets, s.send.tsAt(now)
	s.send.mu.Unlock()
	out := make([]rtcp.Packet, 0, 3)
	if packets != s.rtcp.sentBefore {
		s.rtcp.sentBefore = packets
		out = append(out, &rtcp.SenderReport{
			SSRC: ssrc, NTPTime: s.ntp(now), RTPTime: ts,
			PacketCount: uint32(packets), OctetCount: uint32(octets), Reports: blocks,
		})
	} else {
		out = append(out, &rtcp.ReceiverReport{SSRC: ssrc, Reports: blocks})
	}
	out = append(out, rtcp.NewCNAMESourceDescription(ssrc, s.cname))
	if bye {
		out = append(out, &rtcp.Goodbye{Sources: []uint32{ssrc}})
	}
	return out
}

// block reports on what was received. The caller holds s.mu.
func (s *Stream) block(now time.Time) rtcp.ReceptionReport {
	b := rtcp.ReceptionReport{
		SSRC: s.src.ssrc, FractionLost: s.src.fraction(), TotalLost: s.src.cumulative(),
		LastSequenceNumber: s.src.cycles | uint32(s.src.top), Jitter: s.src.jitter >> 4,
	}
	if !s.rtcp.lastSRAt.IsZero() {
		b.LastSenderReport = s.rtcp.lastSR
		b.Delay = uint32(now.Sub(s.rtcp.lastSRAt) * 65536 / time.Second)
	}
	return b
}

// ntp is the NTP time of now (RFC 3550 §4). It runs with the monotonic clock
// from when the stream was opened, so that setting the box's clock during a
// call does not upset the round trip.
func (s *Stream) ntp(now time.Time) uint64 {
	wall := s.epoch.UnixNano() + int64(now.Sub(s.epoch))
	sec, frac := uint64(wall/1e9+ntpOffset), uint64(wall%1e9)
	return sec<<32 | frac<<32/1e9
}

// handleRTCP takes one RTCP datagram that arrived at at.
func (s *Stream) handleRTCP(b []byte, from netip.AddrPort, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || !s.params.receivesRTCP() {
		return
	}
	if host := s.latch.target().Addr(); s.params.Escort == nil && from.Addr() != host && from.Addr() != s.remote.RTCP.Addr() {
		s.latch.bad++
		return
	}
	if in := s.params.Security.In; in != nil {
		var err error
		if b, err = in.OpenReport(nil, b); err != nil {
			s.count.forged++
			return
		}
	}
	packets, err := rtcp.Unmarshal(b)
	if err != nil {
		s.count.malformed++
		return
	}
	s.rtcp.to = from
	s.rtcp.quality.ReportsIn++
	for _, p := range packets {
		switch p := p.(type) {
		case *rtcp.SenderReport:
			if !s.src.known || p.SSRC == s.src.ssrc {
				s.rtcp.lastSR, s.rtcp.lastSRAt = uint32(p.NTPTime>>16), at
			}
			s.heardBlocks(p.Reports, at)
		case *rtcp.ReceiverReport:
			s.heardBlocks(p.Reports, at)
		}
	}
}

// receivesRTCP reports whether a Start has been seen; RTCP flows on hold too
// (RFC 3264 §5.1).
func (p Params) receivesRTCP() bool { return !p.Codec.IsZero() }

// heardBlocks takes what the far end says about what we send. The caller holds
// s.mu.
func (s *Stream) heardBlocks(blocks []rtcp.ReceptionReport, at time.Time) {
	for _, b := range blocks {
		if b.SSRC != s.send.ssrc {
			continue
		}
		q := &s.rtcp.far
		q.RemoteLost = uint64(b.TotalLost)
		q.RemoteJitter = time.Duration(b.Jitter) * time.Second / media.SampleRate
		if b.LastSenderReport == 0 {
			continue
		}
		// RFC 3550 §6.4.1: arrival − LSR − DLSR, in 1/65536 s, modulo 2^32.
		rtt := int32(uint32(s.ntp(at)>>16) - b.LastSenderReport - b.Delay)
		if d := time.Duration(rtt) * time.Second / 65536; d > -10*time.Millisecond && d < maxRTT {
			q.RTT = max(d, 0)
		}
	}
}
