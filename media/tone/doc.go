// Package tone makes the call-progress tones of the telephone network: dial
// tone, ringback, busy, congestion and a few more, per country, as data.
//
// Concepts, in order: a [Step] is a sound or a pause of a certain length, a
// [Tone] is steps in a loop, a [Country] is the tones and the ring cadence of
// one national network ([ByCountry]), with its source, a [Generator] plays a tone as
// an endless [media.Source]. A [Detector] hears in a call's sound which tone of a
// country it is, a [FaxDetector] whether a fax machine is there. [Beep] is the sound
// before a recording.
//
// It may import media only. The sound of every country is tested for frequency,
// level and cadence as it is measured back from the samples; the detector's misses
// are counted over all tones of all countries in noise, its mistakes over minutes
// of synthetic speech; frames are tested with testing.AllocsPerRun, which must be 0.
package tone
