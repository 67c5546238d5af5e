// Package user is the line of a SIP phone that registers with the box.
//
// A [Line] is one user name with its password. Calling it rings every phone
// that is registered under the name; the first to answer gets the call and the
// others stop ringing. A call from one of the phones arrives as a leg with the
// line's name as caller.
//
// The registrar, digest and dialogs are in sip; the leg is that of
// call/line/sipleg. It may import call, media/*, sip, sip/sdp and
// call/line/sipleg. It is tested by call/line/linetest over loopback against
// phones on the same stacks, and with several phones at once.
package user
