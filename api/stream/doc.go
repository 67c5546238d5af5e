// Package stream carries the sound of calls to applications over websockets, and
// theirs to the calls.
//
// Concepts: a [Client] meets the application of a call.Stream: it makes the
// connection, under the address policy of whoever gave it its transport, and runs
// one of two languages on it. Media messages (media.go) are JSON that holds pieces
// of 20 ms and, from the application, sound to be played, marks behind it and
// clear. Bare samples (bare.go) are binary messages of linear samples, with
// commands as JSON beside them. Which of them, and what is said first, is the
// dialect's decision ([api.StreamDialect]).
//
// A stream has two goroutines: that of the caller writes, one more reads; both end
// with the connection. What the application is too slow for waits, in a bound, and
// is dropped at the call's end of the stream; the call never waits. A connection
// is made once: an application that was lost would not know what it missed, so its
// stream ends and the call is told.
//
// It may import call, call/script, api, and media with its codecs and WAV files,
// because sound is what it carries. It is tested against a websocket server of the
// tests' own, what is said by golden pairs, what is read by fuzzing.
package stream
