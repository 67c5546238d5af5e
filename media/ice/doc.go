// Package ice is ICE (RFC 8445) for a box that browsers call: a lite agent,
// which checks nothing itself and answers the checks of the far end.
//
// Concepts, in order: [Credentials] go into our session description, and whoever
// knows them is the far end. An [Agent] takes the STUN messages (RFC 8489) of one
// port, answers the checks that are signed with them, and remembers which
// addresses have passed one and which of them the far end has nominated. Its
// answers are the consent by which a browser goes on sending (RFC 7675), and its
// questions are how the box knows that the browser is there.
//
// Nobody else gets an answer: not even the error that RFC 8489 §9.1.3 has for
// wrong credentials, which would tell a stranger that there is a call on the port.
//
// It imports nothing of ours. It is tested with the vectors of RFC 5769, with
// checks written by hand, by fuzzing everything that arrives, and by browsers in
// the end-to-end tests.
package ice
