package corpus

import (
	"math"

	"callbox/media"
)

const rate = media.SampleRate

// loudness is the RMS of what is loud in x: the active speech level of ITU-T
// P.56, roughly.
func loudness(x []float64) float64 {
	const block = rate / 50
	var top float64
	for i := 0; i+block <= len(x); i += block {
		top = max(top, power(x[i:i+block]))
	}
	var sum float64
	n := 0
	for i := 0; i+block <= len(x); i += block {
		if p := power(x[i : i+block]); p > top/200 { // 23 dB below the loudest
			sum += p
			n++
		}
	}
	if n == 0 {
		return 1
	}
	return math.Sqrt(sum / float64(n))
}

func power(x []float64) float64 {
	var sum float64
	for _, v := range x {
		sum += v * v
	}
	return sum / float64(len(x))
}

func scale(x []float64, gain float64) {
	for i := range x {
		x[i] *= gain
	}
}

// add mixes a source into all there is so far.
func (s *scene) add(source func() float64, gain float64) {
	for i := range s.x {
		s.x[i] += gain * source()
	}
}

// tone adds sines of equal strength with an RMS of gain in sum, with soft ends.
func (s *scene) tone(seconds, gain float64, hz ...float64) {
	n := int(seconds * rate)
	const edge = rate / 200
	amp := gain * math.Sqrt(2/float64(len(hz)))
	for i := range n {
		var v float64
		for _, f := range hz {
			v += amp * math.Sin(2*math.Pi*f*float64(i)/rate)
		}
		s.x = append(s.x, v*min(1, float64(i)/edge, float64(n-i)/edge))
	}
}

// pink is noise that falls by 3 dB an octave, RMS about 1.
func (s *scene) pink() func() float64 {
	var a, b, c float64
	return func() float64 {
		w := s.r.NormFloat64()
		a = 0.99765*a + w*0.0990460
		b = 0.96300*b + w*0.2965164
		c = 0.57000*c + w*1.0526913
		return (a + b + c + w*0.1848) / 2.1
	}
}

// rumble is a car from inside: low noise, RMS about 1.
func (s *scene) rumble() func() float64 {
	var a, b float64
	return func() float64 {
		a += 0.12 * (s.r.NormFloat64() - a)
		b += 0.12 * (a - b)
		return 6 * b
	}
}

// street is traffic that passes: pink noise that swells and fades, and a horn now
// and then.
func (s *scene) street() func() float64 {
	noise := s.pink()
	n, swell, hornFrom, hornHz := 0, s.between(0, 6), s.between(0.5, 9), s.between(350, 500)
	return func() float64 {
		t := float64(n) / rate
		n++
		v := noise() * (0.7 + 0.5*math.Sin(2*math.Pi*t/4+swell))
		if t > hornFrom && t < hornFrom+0.4 {
			v += math.Sin(2*math.Pi*hornHz*t) + 0.7*math.Sin(2*math.Pi*1.25*hornHz*t)
		}
		return v
	}
}

// music is a simple tune: chords of struck strings with a beat, RMS about 1.
func (s *scene) music() func() float64 {
	beat := s.between(0.25, 0.6)
	base := s.between(130, 260)
	steps := []float64{0, 2, 4, 5, 7, 9, 11, 12}
	var hz [3]float64
	n, next, began := 0, 0, 0
	return func() float64 {
		if n == next {
			root := s.r.IntN(5)
			for i := range hz {
				hz[i] = base * math.Pow(2, steps[root+i]/12) * float64(1+i/2)
			}
			began = n
			next = n + int(beat*rate)
		}
		t := float64(n) / rate
		fall := math.Exp(-2 * float64(n-began) / rate)
		n++
		var v float64
		for _, f := range hz {
			v += math.Sin(2*math.Pi*f*t) + 0.5*math.Sin(4*math.Pi*f*t) + 0.25*math.Sin(6*math.Pi*f*t)
		}
		return v * fall * 0.75
	}
}
