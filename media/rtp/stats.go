package rtp

import "time"

// Stats are a stream's counters since it was opened. Its fields are those of
// call.MediaStats in the same order, so that one converts to the other.
type Stats struct {
	PacketsIn, PacketsOut   uint64
	Lost, Late, Duplicates  uint64        // packets
	Concealed               uint64        // frames made up by loss concealment
	Dropped                 uint64        // frames thrown away because a queue was full
	Jitter, MaxBufferLength time.Duration // RFC 3550 inter-arrival jitter; longest jitter buffer
	// What the far end's reports say (RFC 3550 §6.4): the last round trip, what it
	// has lost of what was sent, and its jitter; 0 when it has sent none.
	RTT          time.Duration
	RemoteLost   uint64
	RemoteJitter time.Duration
	Refused      uint64 // packets that could not be opened: other keys, in the clear, repeated
}

// Quality is what else is known about a stream: the far end's view, and what
// was refused.
type Quality struct {
	Reordered  uint64 // packets that came after a later one
	Strangers  uint64 // packets from an address that is not the latched one
	Malformed  uint64 // datagrams that are neither RTP nor RTCP
	Unknown    uint64 // packets with a payload type that was not negotiated
	SendErrors uint64 // packets that the system refused to send
	Displaced  uint64 // frames not sent because a relay or a digit had the stream
	ReportsIn  uint64 // RTCP packets accepted
	ReportsOut uint64 // RTCP packets sent
	// Buffer is the present length of the jitter buffer, Target what the
	// measured jitter asks for; both 0 while nothing is decoded.
	Buffer, Target time.Duration
}

// PoolStats say how a port pool is used, in pairs of ports.
type PoolStats struct {
	Total    int    // 0 when the system chooses the ports
	Busy     int    // held by streams
	Draining int    // waiting for late packets to pass
	Forced   uint64 // drains ended by the time limit, with packets still arriving
}
