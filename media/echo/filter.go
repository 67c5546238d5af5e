package echo

import "callbox/media"

// dot is the sum of the products; x is at least as long as w, whose length is a
// multiple of 8.
func dot(w, x []float32) float32 {
	var a, b, c, d float32
	x = x[:len(w)]
	for len(w) >= 8 && len(x) >= 8 {
		a += w[0]*x[0] + w[4]*x[4]
		b += w[1]*x[1] + w[5]*x[5]
		c += w[2]*x[2] + w[6]*x[6]
		d += w[3]*x[3] + w[7]*x[7]
		w, x = w[8:], x[8:]
	}
	return (a + b) + (c + d)
}

// axpy adds k times x to w, whose length is a multiple of 8.
func axpy(w, x []float32, k float32) {
	x = x[:len(w)]
	for len(w) >= 8 && len(x) >= 8 {
		w[0] += k * x[0]
		w[1] += k * x[1]
		w[2] += k * x[2]
		w[3] += k * x[3]
		w[4] += k * x[4]
		w[5] += k * x[5]
		w[6] += k * x[6]
		w[7] += k * x[7]
		w, x = w[8:], x[8:]
	}
}

// dcFilter takes away what is below the voice.
type dcFilter struct{ x, y float32 }

func (f *dcFilter) next(x float32) float32 {
	f.y = x - f.x + highPass*f.y
	f.x = x
	if f.y < 1e-10 && f.y > -1e-10 {
		f.y = 0 // numbers too small for the processor's fast path
	}
	return f.y
}

// history is the far sound under the filters, the newest frame last, and its
// power in blocks.
//
//	raw   |order| taps                    | frame |
//	white       | taps                    | frame |
type history struct {
	raw, white []float32
	pow        []float32 // mean square per block, oldest first; the last are of the newest frame
}

func (h *history) init(taps int) {
	h.raw = make([]float32, lpcOrder+taps+media.FrameSamples)
	h.white = make([]float32, taps+media.FrameSamples)
	h.pow = make([]float32, taps/blockSamples+1+blocks)
}

func (h *history) clear() {
	clear(h.raw)
	clear(h.white)
	clear(h.pow)
}

func (h *history) shift() { copy(h.raw, h.raw[media.FrameSamples:]) }

func (h *history) newest() []float32 { return h.raw[len(h.raw)-media.FrameSamples:] }

// measure enters the power of the newest frame.
func (h *history) measure() {
	copy(h.pow, h.pow[blocks:])
	in := h.newest()
	for b := range blocks {
		s := in[b*blockSamples:][:blockSamples]
		h.pow[len(h.pow)-blocks+b] = dot(s, s) / blockSamples
	}
}

// power is that of block b of the newest frame.
func (h *history) power(b int) float32 { return h.pow[len(h.pow)-blocks+b] }

// loudest is the highest power under the filter during block b.
func (h *history) loudest(b int) float32 {
	var m float32
	for _, p := range h.pow[b : len(h.pow)-blocks+b+1] {
		m = max(m, p)
	}
	return m
}

// loud reports whether the far party speaks.
func (h *history) loud() bool {
	for _, p := range h.pow {
		if p > farFloor {
			return true
		}
	}
	return false
}

// sums are the powers of one block: near, echo, left in the sound, foreLeft and
// backLeft in the whitened sound.
type sums struct{ far, near, echo, left, foreLeft, backLeft float32 }

// powers are mean squares, over about 8 ms, with the peaks that a tail later may
// still be heard.
type powers struct {
	near, echo, left float32
	echoPeak         float32 // falls by half in 8 ms
	farPeak          float32 // loudest under the filter
	over             int     // blocks in a row that were louder than the echo
}

func (p *powers) add(s *sums, farPeak float32) {
	p.near += (s.near/blockSamples - p.near) / 2
	p.left += (s.left/blockSamples - p.left) / 2
	p.echo += (s.echo/blockSamples - p.echo) / 2
	p.echoPeak = max(p.echo, 0.7*p.echoPeak)
	p.farPeak = farPeak
}

// verdict compares the background filter with the foreground.
type verdict int

const (
	alike verdict = iota
	better
	worse
)

// fit holds the errors of both filters, smoothed over 32 ms.
type fit struct {
	fore, back float32
	good, bad  int // blocks in a row
}

// compare takes the errors of a block. While somebody talks at the near end a
// filter can be better by chance: then it must be much better for longer.
func (f *fit) compare(fore, back float32, talk bool) verdict {
	f.fore += (fore - f.fore) / 8
	f.back += (back - f.back) / 8
	margin, need := float32(0.8), 3
	if talk {
		margin, need = 0.25, 12
	}
	if f.back < margin*f.fore {
		f.good++
	} else {
		f.good = 0
	}
	if f.back > 4*f.fore {
		f.bad++
	} else {
		f.bad = 0
	}
	switch {
	case f.good >= need:
		f.good, f.fore = 0, f.back
		return better
	case f.bad >= 12:
		f.bad, f.back = 0, f.fore
		return worse
	}
	return alike
}
