// Package amd tells from the sound of an answered call whether a person, an
// answering machine or a fax answered, and when a machine's greeting is over.
//
// Concepts, in order: a [Detector] is given every 20 ms that the far end says,
// from the answer on, and counts time by them. Inside, [analyser] measures each
// frame (level, noise floor, pitch, tones), a voice meter joins frames to
// utterances and counts syllables, a tone meter joins them to beeps and fax
// tones, and the detector's rules make [Event]s of these: a first verdict
// ([Event].Decision), the beep, the end of the greeting. The last event of a
// call has Final set; nothing follows it.
//
// The thresholds of [Config] are those of the call APIs and keep their meaning:
// a first utterance shorter than Speech with SpeechEnd of silence behind it is a
// person's, a longer one a machine's (call-api.md §4).
//
// It may import media only. It is tested with spoken greetings at several
// levels, with noise, tones and G.711, with the exact limits of its rules, and
// with testing.AllocsPerRun, which must be 0 per frame.
package amd
