// Package srtp protects the sound of a leg on its way over the network (RFC
// 3711): encryption, authentication and protection against replays.
//
// Concepts, in order: a [Suite] is a set of algorithms by its name in SDP. [Keys]
// are a suite with its master key and salt, fresh from [NewKeys] or read from an
// a=crypto line (RFC 4568) by [ParseKeys]; they never appear in a log. A [Cipher]
// works on one direction of one stream: it seals what is sent or opens what
// arrives, RTP and RTCP, follows the roll-over of sequence numbers, and counts
// what it refuses.
//
// It may import media and media/codec, and is the only user of pion/srtp. It is
// tested with the vectors of RFC 3711, RFC 6188 and RFC 7714, with every suite
// against itself over lost, late, repeated, forged and rolled-over packets, with
// the parser's fuzz target, and with testing.AllocsPerRun.
package srtp
