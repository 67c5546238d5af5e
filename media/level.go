package media

import "math"

// Levels. A sine whose peaks touch full scale (±32,767) is +3.14 dBm0, as for
// A-law (ITU-T G.711 §4; µ-law's +3.17 differs by less than anyone hears). dBov
// counts from a full-scale square wave (RFC 6464 §3), so the same sine is
// −3.01 dBov.
const (
	// FullScaleDBm0 is the level of a full-scale sine in dBm0.
	FullScaleDBm0 = 3.14
	// SilenceLevel is what the level functions give for digital silence, in dBm0
	// and in dBov.
	SilenceLevel = -100.0

	fullScale   = 32767.0
	dBovToDBm0  = FullScaleDBm0 + 3.0103 // 10·log10(2): a sine has half a square's power
	minMeanSqre = 1e-3                   // below one least significant bit: silence
)

// Amplitude is the peak value of a sine of this level in dBm0.
func Amplitude(dBm0 float64) float64 {
	return fullScale * math.Pow(10, (dBm0-FullScaleDBm0)/20)
}

// DBov is the level of samples in dBov, SilenceLevel when they are silent or none.
func DBov(samples []int16) float64 {
	if len(samples) == 0 {
		return SilenceLevel
	}
	var sum float64
	for _, s := range samples {
		sum += float64(s) * float64(s)
	}
	return powerDBov(sum / float64(len(samples)))
}

// DBm0 is the level of samples in dBm0, SilenceLevel when they are silent or none.
func DBm0(samples []int16) float64 {
	l := DBov(samples)
	if l == SilenceLevel {
		return l
	}
	return l + dBovToDBm0
}

// ToneLevel is the level in dBm0 of the part of samples that is a sine of hz,
// measured by one bin of a Fourier transform over all of them (Goertzel). Two
// tones are told apart when they differ by more than SampleRate/len(samples) Hz.
func ToneLevel(samples []int16, hz float64) float64 {
	if len(samples) == 0 {
		return SilenceLevel
	}
	coeff := 2 * math.Cos(2*math.Pi*hz/SampleRate)
	var s1, s2 float64
	for _, s := range samples {
		s1, s2 = float64(s)+coeff*s1-s2, s1
	}
	power := s1*s1 + s2*s2 - coeff*s1*s2 // (peak·n/2)²
	n := float64(len(samples))
	l := powerDBov(2 * power / (n * n))
	if l == SilenceLevel {
		return l
	}
	return l + dBovToDBm0
}

// powerDBov turns a mean square of samples into dBov.
func powerDBov(meanSquare float64) float64 {
	if meanSquare < minMeanSqre {
		return SilenceLevel
	}
	return 10 * math.Log10(meanSquare/(fullScale*fullScale))
}
