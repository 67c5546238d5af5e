package media

import (
	"errors"
	"fmt"
	"math"
)

// Limits of a [Resampler].
const (
	MinRate = 1000
	MaxRate = 192000
)

// ErrRate means that a sampling rate is outside MinRate…MaxRate.
var ErrRate = errors.New("sampling rate out of range")

// Resampler turns a stream of one sampling rate into another, band-limited: a
// polyphase windowed-sinc filter that passes up to 85 % of the lower of the two
// half rates (3,400 Hz for telephony) and stops what would alias by 70 dB or
// more. The output is aligned with the input: output sample n is the sound at
// the time n/to. It is for device and file goroutines, allocates only what
// Write returns, and belongs to one goroutine.
//
//	in    x[0]      x[1]      x[2]      x[3]         rate from
//	         \____taps around the output's time____/
//	out        y[0]   y[1]   y[2]   y[3]   y[4]      rate to
type Resampler struct {
	from, to int // reduced by their common divisor
	phases   int // rows of the table
	taps     int // per phase
	table    []float32

	hist []float32 // input from index base on
	base int64     // index of hist[0] in the input, negative before the start
	next int64     // index of the next output
	in   int64     // input samples taken
}

const (
	passShare  = 0.85 // of the lower half rate
	stopDB     = 74.0 // Kaiser design value
	maxPhases  = 1024 // rates with an odd ratio use the nearest of so many
	kaiserBeta = 0.1102 * (stopDB - 8.7)
)

// NewResampler makes a resampler between two rates in Hz, each
// MinRate…MaxRate; else the error wraps ErrRate.
func NewResampler(from, to int) (*Resampler, error) {
	for _, r := range [2]int{from, to} {
		if r < MinRate || r > MaxRate {
			return nil, fmt.Errorf("%w: %d Hz", ErrRate, r)
		}
	}
	g := gcd(from, to)
	r := &Resampler{from: from / g, to: to / g}
	if r.from == r.to {
		return r, nil
	}
	r.design(float64(from), float64(to))
	r.hist = make([]float32, r.taps/2)
	r.base = -int64(r.taps / 2)
	return r, nil
}

// design fills the table: row p is the filter for an output that lies p/phases
// of an input period after an input sample.
func (r *Resampler) design(from, to float64) {
	half := min(from, to) / 2
	transition := half * (1 - passShare)
	width := 2 * math.Pi * transition / from // rad per input sample
	r.taps = int(math.Ceil((stopDB-8)/(2.285*width)))&^1 + 2
	r.phases = min(r.to, maxPhases)
	cut := 2 * (half - transition/2) / from // of the input's half rate
	r.table = make([]float32, r.phases*r.taps)
	row := make([]float64, r.taps)
	for p := range r.phases {
		var sum float64
		for k := range row {
			t := float64(k+1-r.taps/2) - float64(p)/float64(r.phases)
			row[k] = cut * sinc(cut*t) * kaiser(t/(float64(r.taps)/2))
			sum += row[k]
		}
		for k := range row { // each row has a gain of exactly 1 at 0 Hz
			r.table[p*r.taps+k] = float32(row[k] / sum)
		}
	}
}

// Write takes the next input samples and appends the output that they complete
// to out, which it returns.
func (r *Resampler) Write(out, in []int16) []int16 {
	r.in += int64(len(in))
	if r.from == r.to {
		r.next += int64(len(in))
		return append(out, in...)
	}
	r.forget()
	for _, s := range in {
		r.hist = append(r.hist, float32(s))
	}
	return r.drain(out)
}

// Flush appends the rest of the output, as if silence followed, so that all of
// it is ⌈input·to/from⌉ samples, and makes the resampler ready for another stream.
func (r *Resampler) Flush(out []int16) []int16 {
	if r.from != r.to {
		total := (r.in*int64(r.to) + int64(r.from) - 1) / int64(r.from)
		if missing := total - r.next; missing > 0 {
			r.forget()
			r.hist = append(r.hist, make([]float32, r.taps)...)
			n := len(out)
			out = r.drain(out)
			out = out[:min(len(out), n+int(missing))]
		}
		r.hist = r.hist[:r.taps/2]
		clear(r.hist)
		r.base = -int64(r.taps / 2)
	}
	r.next, r.in = 0, 0
	return out
}

// drain appends every output whose taps are all in the history.
func (r *Resampler) drain(out []int16) []int16 {
	for {
		pos := r.next * int64(r.from)
		i := pos / int64(r.to) // input sample at or before the output's time
		p := int(pos % int64(r.to))
		if r.phases != r.to {
			p = p * r.phases / r.to
		}
		start := int(i + 1 - int64(r.taps/2) - r.base)
		if start+r.taps > len(r.hist) {
			return out
		}
		var sum float32
		x := r.hist[start : start+r.taps]
		h := r.table[p*r.taps : p*r.taps+r.taps]
		for k, c := range h {
			sum += c * x[k]
		}
		out = append(out, Clamp(int32(math.Round(float64(sum)))))
		r.next++
	}
}

// forget drops the history that no later output needs.
func (r *Resampler) forget() {
	first := r.next*int64(r.from)/int64(r.to) - int64(r.taps/2)
	if k := min(int(first-r.base), len(r.hist)); k > 0 {
		r.hist = r.hist[:copy(r.hist, r.hist[k:])]
		r.base += int64(k)
	}
}

// Resample turns a whole sound from one rate into another.
func Resample(in []int16, from, to int) ([]int16, error) {
	r, err := NewResampler(from, to)
	if err != nil {
		return nil, err
	}
	out := make([]int16, 0, int64(len(in))*int64(to)/int64(from)+1)
	return r.Flush(r.Write(out, in)), nil
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// sinc is sin(πx)/(πx).
func sinc(x float64) float64 {
	if math.Abs(x) < 1e-9 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

// kaiser is the Kaiser window at x, −1…1, and 0 outside, but for a constant factor.
func kaiser(x float64) float64 {
	if x <= -1 || x >= 1 {
		return 0
	}
	return bessel(kaiserBeta * math.Sqrt(1-x*x))
}

// bessel is the modified Bessel function of the first kind, order 0.
func bessel(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1.0; term > sum*1e-12; k++ {
		term *= (x / (2 * k)) * (x / (2 * k))
		sum += term
	}
	return sum
}
