// Package sip is the SIP technology: one [Stack] with listeners, peers, digest,
// a registrar, outgoing registrations and dialogs. It knows nothing of calls:
// call/line/trunk and call/line/user adapt it.
//
// Concepts, in order: a [Stack] owns the sockets. A [Peer] is somebody it
// answers, a trunk or a user; everybody else gets silence. A user's phones are
// its [Binding]s. A [Dialog] is one call in either direction, made by
// [Stack.Invite] or handed to Peer.Invite, and told as [DialogEvent]s.
// [Stack.Register] makes the box a client of somebody else's registrar. A domain
// may have several servers (sip/locate): one that does not answer is left for the
// next within 4 s, and avoided for a while. Phones of users subscribe to
// [EventPackage]s (RFC 6665), whose documents others write (sip/document).
//
// It owns the user agent's part of RFC 3261; sockets, message checks and
// transactions are in sip/wire, and offers and answers are opaque bytes here
// (sip/sdp makes them). Messages are sipgo's, which is used nowhere else but
// here and in sip/wire. It may import sip/wire, sip/locate and sip/sdp. It is tested over
// loopback against itself and against bare datagrams, with SIPp and baresip in
// cmd/callbox/e2e, and by fuzzing the whole stack.
package sip
