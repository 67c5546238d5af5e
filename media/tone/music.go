package tone

import (
	"math"

	"callbox/media"
)

// The music: two voices in C major, slowly, 8 bars of 2 s. Each bar is a chord,
// struck as a broken chord of eight notes over a held low one. The numbers are
// half tones above middle C.
var (
	chords = [...][4]int{
		{-12, 0, 4, 7}, {-15, -3, 0, 4}, {-19, -7, -3, 0}, {-17, -5, -1, 2},
		{-20, -4, 0, 3}, {-19, -7, -3, 0}, {-10, 2, 5, 9}, {-17, -5, -1, 5},
	}
	pattern = [...]int{1, 2, 3, 2, 1, 3, 2, 3}
)

const (
	middleC    = 261.63 // Hz
	barLength  = 2 * media.SampleRate
	noteLength = barLength / len(pattern)
	musicLevel = -24.0 // dBm0 of a single note: soft, and far from clipping when they sound together
)

// Music makes the sound that waiting callers hear: 16 s that go on from their end
// to their beginning. It takes 256 kB and some milliseconds to make; the samples
// can be shared by any number of clips.
func Music() []int16 {
	sum := make([]float64, len(chords)*barLength)
	for bar, chord := range chords {
		pluck(sum, bar*barLength, chord[0], 0.9, 3*barLength/2)
		for i, voice := range pattern {
			pluck(sum, bar*barLength+i*noteLength, chord[voice], 1, barLength)
		}
	}
	out := make([]int16, len(sum))
	for i, v := range sum {
		out[i] = media.Clamp(int32(math.Round(v)))
	}
	return out
}

// pluck adds a note that begins at sample at and dies away within length: a
// fundamental and two overtones that fade faster, as of a string. What is beyond
// the end sounds at the beginning.
func pluck(sum []float64, at, halfTone int, loud float64, length int) {
	const attack = media.SampleRate / 200 // 5 ms: no click
	hz := middleC * math.Pow(2, float64(halfTone)/12)
	for k, share := range [...]float64{1, 0.35, 0.12} {
		osc := media.NewOscillator(hz*float64(k+1), media.Amplitude(musicLevel)*share*loud)
		fade := math.Pow(0.001, float64(k+1)/float64(length)) // 60 dB over length
		gain := 1.0
		for i := range length {
			rise := min(1, float64(i)/attack)
			sum[(at+i)%len(sum)] += osc.Next() * gain * rise
			gain *= fade
		}
	}
}

// Bell is the sound that tells the parties of a conference that somebody comes, a
// rising pair of tones, or goes, a falling one. It lasts 240 ms.
func Bell(enters bool) media.Clip {
	first, second := 587.33, 880.0 // d2, a2
	if !enters {
		first, second = second, first
	}
	const half = 120 // ms
	return Clip(Tone{Steps: []Step{
		{Hz: []float64{first}, Gain: -5, Duration: half * 1e6},
		{Hz: []float64{second}, Gain: -5, Duration: half * 1e6},
	}}, DefaultLevel, 2*half*1e6)
}
