// Package amd tells from the sound of an answered call whether a person, an
// answering machine or a fax answered, and when a machine's greeting is over.
//
// Concepts, in order: a [Detector] is given every 20 ms that the far end says,
// from the answer on, and counts time by them. Its [Meter] measures: each frame
// (level, noise floor, pitch, pure lines), a voice meter that joins frames to
// speech and pauses and counts syllables, a tone meter that joins them to beeps,
// fax tones and the network's announcements, and a burst meter that knows by its
// evenness what a vocoder has made of a beep. What was measured are [Features]; a
// model, a table of small decision trees (model.go), makes of them how likely a
// machine speaks, and [Limits] say when that is believed. The detector makes
// [Event]s: a first verdict, the beep, the end of the greeting. The last event of a
// call has Final set; nothing follows it.
//
// The thresholds of [Config] are those of the call APIs and keep their meaning
// where they are given: a first utterance shorter than Speech with SpeechEnd of
// silence behind it is a person's, a longer one a machine's (call-api.md §4).
//
// The model is trained by scripts/amd-train.sh on the clips of media/amd/corpus,
// which no verdict is ever printed for; whoever changes what a Meter measures must
// train anew. make bench-amd prints how often it is right.
//
// It may import media only. It is tested with spoken greetings at several
// levels, with noise, tones and G.711, with the exact limits of its rules, and
// with testing.AllocsPerRun, which must be 0 per frame.
package amd
