package linetest

import "math"

const rate = 8000

// Tone is n samples of a sine of freq Hz; level 1 is full scale.
func Tone(freq, level float64, n int) []int16 {
	out := make([]int16, n)
	for i := range out {
		out[i] = int16(level * 32767 * math.Sin(2*math.Pi*freq*float64(i)/rate))
	}
	return out
}

// Sweep is n samples of a sine that climbs from one frequency to another (Hz)
// at a quarter of full scale: no two pieces of it are alike, so that
// [ears.Match] can tell where each one belongs.
func Sweep(from, to float64, n int) []int16 {
	out := make([]int16, n)
	phase := 0.0
	for i := range out {
		out[i] = int16(8191 * math.Sin(phase))
		f := from + (to-from)*float64(i)/float64(n)
		phase += 2 * math.Pi * f / rate
	}
	return out
}

// ToneLevel is the share (0…1) of the energy of samples that lies at freq Hz
// (Goertzel's filter); 0 for silence.
func ToneLevel(samples []int16, freq float64) float64 {
	if len(samples) == 0 {
		return 0
	}
	w := 2 * math.Pi * freq / rate
	coef := 2 * math.Cos(w)
	var s1, s2, energy float64
	for _, v := range samples {
		x := float64(v)
		s1, s2 = x+coef*s1-s2, s1
		energy += x * x
	}
	if energy == 0 {
		return 0
	}
	power := s1*s1 + s2*s2 - coef*s1*s2
	return min(2*power/(energy*float64(len(samples))), 1)
}

// RMS is the root mean square of samples.
func RMS(samples []int16) float64 {
	if len(samples) == 0 {
		return 0
	}
	sum := 0.0
	for _, v := range samples {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum / float64(len(samples)))
}
