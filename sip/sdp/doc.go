// Package sdp is session descriptions (RFC 8866) and the offer/answer model
// (RFC 3264) for the one kind of session the box has: one stream of audio with
// telephone events.
//
// Concepts, in order: a [Description] is what a far end sent, checked and
// bounded. [Description.Choose] finds the audio stream in it that both sides
// can do and gives a [Media]: address, codec, event format, direction. A
// [Session] is our side: it writes offers and answers, and raises the version
// whenever their content changes; streams keep their places. A [Far] is a far end's
// stream as another far end can be offered it, so that the two exchange their sound
// without us. A [Fax] is fax as data, which can take the place of the sound.
//
// Nothing here touches a socket or a clock. ICE, BUNDLE and best-effort
// encryption attributes are ignored, which RFC 3264 §6 lets an answerer do;
// streams that are encrypted by profile (RTP/SAVP) are refused.
//
// It may import media/codec only. It is tested by golden pairs in testdata, by
// tables, and by fuzzing: no input makes it panic, and everything it accepts it
// can answer.
package sdp
