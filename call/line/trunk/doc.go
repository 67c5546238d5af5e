// Package trunk is the lines to SIP providers and telephone systems.
//
// A [Line] is one trunk: a peer at a fixed address, or one that the box
// registers with. Numbers are dialled at the trunk's host; calls that come
// from the trunk's addresses arrive as legs. A [URILine] is the built-in line
// that dials any "sip:" URI and takes no calls.
//
// Registration, digest and dialogs are in sip; the leg is that of
// call/line/sipleg. It may import call, call/number, media/*, sip, sip/sdp and
// call/line/sipleg. It is tested by call/line/linetest over loopback against
// providers on the same stacks, static and registering.
package trunk
