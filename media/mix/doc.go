// Package mix is a room in which many parties hear each other.
//
// Concepts, in order: a [Room] is a ticker on the media clock. A party sits on a
// [Seat], which it enters as it would a bridge: what it says is written to the
// seat while input is collected, and what it hears, everybody but itself, is read
// while output is delivered, both within one tick. A seat can be muted (nobody
// hears it), held (nobody hears it and it hears nobody) and told to speak to
// certain other seats only, who hear it besides all the rest. [Room.Inside] is
// the other way round: a port for a session that belongs to the room, which
// speaks to everybody and hears everything, one tick later: announcements and
// recordings.
//
// Sums are taken in 32 bits and clipped once, at the ear. A tick allocates
// nothing and takes one uncontended lock per seat and phase. A room starts no
// goroutine. It may import media only. It is tested by the sound that each party
// hears, by testing.AllocsPerRun, and by a benchmark of 32 parties.
package mix
