// Package vendor speaks with the speech vendors of the box: programs and services
// that turn text into sound and sound into text.
//
// Concepts: a [Set] knows the vendors that are set up. [Set.Speak] has a text
// spoken by an HTTP POST that is answered with a sound (WAV, MP3 or bare samples),
// and keeps what was spoken last. [Set.Hear] opens a websocket, sends the sound of
// a call over it as it comes, and gives what the vendor makes of it. Both have the
// shape of the custom speech vendors of jambonz, so that what was written for
// those works here.
//
// Everything is bounded: texts, sounds, messages, the memory of the cache, and the
// sound that waits to be sent; of that the oldest is dropped and counted when the
// vendor is slower than the speaker.
//
// It may import call, call/script and media, and the decoders media/wav and
// media/mp3. It is tested against servers of the tests' own that speak both
// protocols, and by fuzzing the messages.
package vendor
