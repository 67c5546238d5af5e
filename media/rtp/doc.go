// Package rtp carries the sound of SIP legs over RTP and RTCP (RFC 3550, RFC
// 3551, RFC 4733).
//
// Concepts, in order: a [PortPool] owns the range of UDP ports and the one
// goroutine that sends and reads RTCP for all streams and drains closed ports.
// A [Stream] is one leg's pair of sockets: [Listen] opens it before the offer
// is sent, [Stream.Start] gives it (again and again) what was negotiated. It is
// a media.Port for the media clock, and a media.Relayer that forwards payloads
// undecoded on arrival.
//
//	socket -> latch -> source (sequence, loss, jitter)
//	   |-> telephone events -> Config.OnDigit
//	   |-> relay:  peer's sender -> peer's socket          (receive goroutine)
//	   `-> decode: jitter buffer -> concealment -> ReadFrame     (media clock)
//	WriteFrame -> encode -> sender -> socket                     (media clock)
//
// The latch rule (symmetric RTP): the first RTP packet decides where we send,
// and later packets from elsewhere are ignored and counted. Three things move
// the latch: a packet from the address in the SDP, which is always believed; a
// new address in the SDP, which clears the latch, and for a second what still
// comes from the old address does not set it; and, when the latched source has
// been silent for 2 s, five packets in a row from one other source.
//
// Each stream has one goroutine, which reads the RTP socket; it is stopped and
// waited for by [Stream.Close]. It may import media and media/codec, and is the
// only user of pion/rtp and pion/rtcp. It is tested without sockets by giving
// the packets and the time as arguments, with real sockets on loopback, with
// audio checked by content, by fuzzing everything that arrives, and by
// testing.AllocsPerRun, which must be 0 on the tick and per relayed packet.
package rtp
