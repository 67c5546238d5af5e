// Package session runs the sound of one leg on the media clock: what it hears,
// what it is told, who it is connected to, and who listens.
//
// Concepts, in order: a [Session] ties a media.Port to a media.Scheduler; in
// the first phase of each tick it reads the port, in the second it writes. What
// it writes is the clip being played ([Session.Play]) mixed with what the other
// side of a [Bridge], or the rest of a room ([Session.Enter]), said in the same
// tick and what further sources ([Session.Mix]) give, or silence. Further clips can
// play beside that ([Session.Beside]), what goes out can be made louder or softer
// ([Session.SetLoudness]), and a far end can be muted ([Session.SetMuted]). A tap
// ([Session.Tap]) sees every frame that comes in or goes out; a [Recorder] is a
// tap that hands the frames to its own goroutine, so that the disk is never
// waited for on the tick, and a [Listener] one that hands them to somebody
// else's, a network's.
//
//	        Collect                 Deliver
//	port -> in -> taps(In)   clip + other's in + sources -> taps(Out) -> port
//
// A bridge relays when it can: if both ports are media.Relayers that agree, and
// neither session has a clip, a tap, a source, a mute or another loudness, payloads
// go from socket to socket and the sessions do nothing. The moment one of these
// appears the bridge returns to the decoded path, and within 100 ms of its end to
// the relay.
//
// A playing clip and a recorder have one goroutine each, ended and waited for
// by Session.Close and Recorder.Stop. It may import media and media/codec. It
// is tested in testing/synctest bubbles with a clock of the test's own, with
// the sound checked by content, and by testing.AllocsPerRun, which must be 0
// per tick.
package session
