// Package linetest is the suite that every call.Line passes.
//
// Concepts, in order: a [Fixture] is a line and the party at its other end,
// made anew for each case. A [FarEnd] is what that party can do with its
// hands (pick up, put down, call) and a [Voice] what it can do with its mouth
// and ears; the line's own tests write both. [Run] plays every case of [Cases]
// on a fixture: the suite serves the line, drives the leg's sound with a media
// clock of its own, and looks at events, causes, digits and at the content of
// the sound, never at packet counts. [Match] and [ToneLevel] are its ears and
// may be used by other tests.
//
// Cases take real time (about a second each with sound). They use timers,
// channels and contexts only, so a fixture without sockets can run each case
// inside a testing/synctest bubble: range over Cases instead of calling Run.
// Leaks are found by comparing goroutines, so nothing else may start or end
// goroutines meanwhile: the calling test is not parallel.
//
// It may import call, media and media/clock. It is tested by an in-memory line that passes,
// and by tables of sounds and event sequences that its ears and rules must
// tell apart.
package linetest
