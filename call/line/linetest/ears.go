package linetest

import (
	"math"
)

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
// at a quarter of full scale: no two pieces of it are alike, so that [Match]
// can tell where each one belongs.
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

const (
	// piece is the length of what Match looks for at once: 50 ms, a few frames.
	piece = 400
	// slack is how far from its expected place a piece is looked for: 300 ms, more
	// than any jitter buffer moves.
	slack = 2400
)

// Match is the share (0…1) of the 50 ms pieces of said that are found in heard,
// in their order and near their places, with a normalised correlation of at
// least 0.9. A change of level or a delay does not matter; a gap costs the piece
// or two that it falls in.
func Match(heard, said []int16) float64 {
	pieces := len(said) / piece
	found, place := 0, -1 // place is where said began, by the last piece found
	for p := range pieces {
		want := said[p*piece : (p+1)*piece]
		from, to := 0, len(heard)
		if place >= 0 {
			from = max(place+p*piece-slack, 0)
			to = min(place+(p+1)*piece+slack, len(heard))
		}
		if from > to {
			break
		}
		if at := find(heard[from:to], want); at >= 0 {
			found++
			place = from + at - p*piece
		} else if place < 0 && p >= pieces/4 {
			break // the beginning is not there, nor will the rest be
		}
	}
	return float64(found) / float64(max(pieces, 1))
}

// find is where want begins in heard, -1 when it is not there.
func find(heard, want []int16) int {
	n := len(want)
	if len(heard) < n {
		return -1
	}
	wantEnergy, energy := 0.0, 0.0
	for i, v := range want {
		wantEnergy += float64(v) * float64(v)
		energy += float64(heard[i]) * float64(heard[i])
	}
	if wantEnergy == 0 {
		return -1
	}
	best, bestAt := 0.0, -1
	for at := 0; ; at++ {
		// Where it is quiet there is nothing to compare.
		if energy > wantEnergy/1000 {
			dot := int64(0)
			h := heard[at : at+n]
			for i, v := range want {
				dot += int64(v) * int64(h[i])
			}
			if c := float64(dot) / math.Sqrt(wantEnergy*energy); c > best {
				best, bestAt = c, at
			}
		}
		if at+n >= len(heard) {
			break
		}
		out, in := float64(heard[at]), float64(heard[at+n])
		energy += in*in - out*out
	}
	if best < 0.9 {
		return -1
	}
	return bestAt
}
