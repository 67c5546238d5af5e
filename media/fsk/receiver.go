package fsk

import (
	"math"
	"math/cmplx"

	"callbox/media"
)

const (
	window   = 7  // samples of one bit, nearly: what a correlator looks at
	minMark  = 30 // bits of mark before the first byte
	minPower = 60 // of both frequencies together, as an amplitude: about −50 dBm0
)

// Receiver finds messages in sound, of either standard: they are 100 Hz apart, and
// it listens between them. It belongs to one goroutine. Make it with NewReceiver.
type Receiver struct {
	// Of mark and space: the frequency, how it turns from sample to sample, and what
	// the sound has in common with it within the window.
	osc, step [2]complex128
	last      [2][window]complex128
	sum       [2]complex128
	pos       int

	marks float64 // bits of mark without a break
	bits  int     // of the byte that arrives; −1: none
	left  float64 // samples until the middle of the next bit
	value byte
	heard bool // a message is arriving
	buf   [maxData + 3]byte
	n     int
	ready int // length of the message in buf that was not taken yet

	errs uint64
}

// NewReceiver makes a receiver.
func NewReceiver() *Receiver {
	r := &Receiver{bits: -1}
	for i, hz := range [2]float64{(Bell202.Mark + V23.Mark) / 2, (Bell202.Space + V23.Space) / 2} {
		r.osc[i], r.step[i] = 1, cmplx.Rect(1, 2*math.Pi*hz/media.SampleRate)
	}
	return r
}

// Errors counts messages whose checksum was wrong, or that broke off.
func (r *Receiver) Errors() uint64 { return r.errs }

// Write takes the next samples. When a whole message with a right checksum has
// arrived it returns its bytes, which are good until the next Write.
func (r *Receiver) Write(samples []int16) []byte {
	r.ready = 0
	for _, v := range samples {
		r.sample(float64(v))
	}
	if r.ready == 0 {
		return nil
	}
	return r.buf[:r.ready]
}

// sample takes one sample.
func (r *Receiver) sample(v float64) {
	var power [2]float64
	for i := range r.osc {
		x := complex(v, 0) * r.osc[i]
		r.osc[i] *= r.step[i]
		r.sum[i] += x - r.last[i][r.pos]
		r.last[i][r.pos] = x
		power[i] = real(r.sum[i])*real(r.sum[i]) + imag(r.sum[i])*imag(r.sum[i])
	}
	if r.pos++; r.pos == window {
		r.pos = 0
		r.settle()
	}
	mark := power[0] > power[1]
	if power[0]+power[1] < minPower*minPower*window*window/4 {
		r.abandon()
		r.marks = 0
		return
	}
	r.line(mark)
}

// settle takes the sums anew, so that rounding never adds up.
func (r *Receiver) settle() {
	for i := range r.sum {
		r.sum[i] = 0
		for _, x := range r.last[i] {
			r.sum[i] += x
		}
		r.osc[i] /= complex(cmplx.Abs(r.osc[i]), 0)
	}
}

// line takes what the line shows at one sample.
func (r *Receiver) line(mark bool) {
	const bit = float64(media.SampleRate) / Baud
	if r.bits < 0 {
		if mark {
			r.marks += 1 / bit
			if r.heard && r.marks > 40 {
				r.abandon()
			}
			return
		}
		if r.heard || r.marks >= minMark {
			r.bits, r.left, r.value = 0, bit*1.5-1, 0
			if r.heard = true; r.n == 0 {
				r.marks = 0
			}
		}
		r.marks = 0
		return
	}
	if r.left--; r.left > 0 {
		return
	}
	r.left += bit
	if r.bits++; r.bits <= 8 {
		if mark {
			r.value |= 1 << (r.bits - 1)
		}
		return
	}
	r.bits = -1
	if !mark {
		r.abandon() // no stop bit
		return
	}
	r.take(r.value)
}

// take takes a byte of the message.
func (r *Receiver) take(b byte) {
	r.buf[r.n] = b
	r.n++
	if r.n < 2 || r.n < int(r.buf[1])+3 {
		return
	}
	sum := byte(0)
	for _, v := range r.buf[:r.n] {
		sum += v
	}
	if sum == 0 {
		r.ready = r.n
	} else {
		r.errs++
	}
	r.n, r.heard = 0, false
}

// abandon gives up what was arriving.
func (r *Receiver) abandon() {
	if r.n > 0 {
		r.errs++
	}
	r.bits, r.n, r.heard = -1, 0, false
}
