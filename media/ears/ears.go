package ears

import "math"

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
	best := 0
	// A piece of little sound may be found by accident far from its place, when the
	// beginning was cut off: then the next one says where said began.
	for first := 0; first <= pieces/4 && best < pieces*9/10; first++ {
		if first < pieces {
			best = max(best, follow(heard, said, first))
		}
	}
	return float64(best) / float64(max(pieces, 1))
}

// follow counts the pieces that are found when piece number first says where said
// began; none when that one is not there.
func follow(heard, said []int16, first int) int {
	at := find(heard, said[first*piece:][:piece])
	if at < 0 {
		return 0
	}
	found, place := 1, at-first*piece
	for p := first + 1; p < len(said)/piece; p++ {
		from, to := max(place+p*piece-slack, 0), min(place+(p+1)*piece+slack, len(heard))
		if from > to {
			break
		}
		if at := find(heard[from:to], said[p*piece:][:piece]); at >= 0 {
			found++
			place = from + at - p*piece
		}
	}
	return found
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
