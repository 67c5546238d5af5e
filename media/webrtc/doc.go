// Package webrtc keys the sound of a leg as browsers want it: ICE finds the way
// (RFC 8445, package media/ice), DTLS agrees on the keys of SRTP (RFC 5763, RFC
// 5764), and both travel on the leg's RTP port beside the sound (RFC 7983).
//
// Concepts, in order: an [Identity] is the certificate of the box, made anew at
// each start; its fingerprint in our session description is what the far end
// checks it by. A [Peer] is one far end: it takes what is not RTP from the port,
// answers checks, shakes hands when the far end's certificate has the fingerprint
// of its session description, and is the leg's cipher from then on.
//
//	port -> STUN -> ice.Agent -> answer, and where to send from now on
//	     -> DTLS, from proven addresses only -> handshake -> keys
//	     -> SRTP -> Open                                       (receive goroutine)
//	           Seal -> port                                    (media clock, relay)
//
// Until there are keys Open and Seal refuse everything, so that nothing is taken
// or sent in the clear. A Peer has two goroutines once the far end speaks DTLS,
// which Close ends and waits for; nothing of the handshake runs on the media
// clock. It may import media/ice and media/srtp, and is the only user of
// pion/dtls. It is tested against pion's client over a wire in memory, with
// datagrams lost, forged and repeated, and by browsers in the end-to-end tests.
package webrtc
