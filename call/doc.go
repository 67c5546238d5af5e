// Package call is the contract in which everything about a call meets, free of
// any technology and of any API dialect.
//
// Concepts, in order: a [Line] is something that calls can be placed on or
// arrive from (a SIP trunk, a registered SIP user, an analogue phone …). It
// yields a [Leg]: one party, with its signalling, its sound ([media.Port]) and,
// at the end, a [Cause]. A leg under control is a call: created by a [Request],
// changed by a [Change], moving through the pure state table [Next], told to
// the world as [Event]s, and remembered as a [Record].
//
// It owns those types and the state table; it may import media only. The state
// table is tested for every pair of state and input; causes by table.
package call
