// Package sip is the SIP technology: one [Stack] on sipgo with listeners,
// message checks, digest, a registrar, outgoing registrations and dialogs. It
// knows nothing of calls: call/line/trunk and call/line/user adapt it.
//
// It owns everything on the wire of RFC 3261; offers and answers are opaque
// bytes here (sip/sdp makes them). sipgo is used nowhere else but here. It may
// import sip/sdp only. It is tested over loopback against itself, with SIPp
// and baresip in cmd/callbox/e2e, and by fuzzing the message check.
package sip
