// Package trace remembers what was said on the lines lately, so that somebody who
// asks why a call failed can be shown it, message by message.
//
// Concepts, in order: a [Ring] keeps the newest [Entry]s of all calls within a
// bound of memory. Entries are signalling messages, filed under the SIP Call-ID
// (or whatever a technology calls its dialogs), and events, filed under the
// call's own id, which also tell what dialogs and children belong to a call.
// [Ring.Call] gives all that is remembered of one call; [Ladder] draws it for
// people, [WritePcapng] writes its messages for protocol analysers. A [Sound] keeps the
// newest packets of sound in the same way, filed under the dialog; a [Capture] writes
// both of one call, while it goes on.
//
// Passwords do not get into a ring: the answers to challenges and the keys of
// protected sound are struck out when a message comes in.
//
// It may import call. It is tested by golden ladders, by reading back what it
// writes, by testing.AllocsPerRun, which must be 0 per packet, and by a fuzz target for what is struck out.
package trace
