// Package siptest is the far end of the SIP lines in tests: an [Endpoint] is a SIP
// phone or a provider, on a stack of its own on a loopback address, that does
// what a test tells it.
//
// It is written on sip, sip/sdp and media/rtp directly and not on
// call/line/sipleg, so that a mistake of the leg does not meet itself. It
// implements linetest.FarEnd and linetest.Voice. It may import call, media/*,
// sip, sip/sdp and call/line/linetest. It is tested by its use in the tests of
// call/line/sipleg, trunk and user.
package siptest
