// Package quality says how good the sound of a leg is.
//
// Concepts, in order: a [Meter] looks at every frame of one direction and knows
// its [Level]: how loud it is now, how loud speech is in it, and whether it is
// clipped. A [Path] is what is known of the way that sound takes: loss, delay,
// codec, echo. [Path.Rate] turns that into the transmission rating factor R of
// the E-model (ITU-T G.107), and [MOS] that into the score, 1 to 4.5, that people
// would give (G.107 annex B).
//
// It may import media only. The E-model is tested against the values that G.107
// and G.113 state; meters are tested with tones of known levels, and with
// testing.AllocsPerRun, which must be 0.
package quality
