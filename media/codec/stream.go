package codec

import (
	"github.com/gotranspile/g722"

	"callbox/media"
)

// rate722 is the bit rate of G.722 on the network, in bit/s.
const rate722 = 64000

// Encoder writes one stream of sound. It belongs to one goroutine.
type Encoder struct {
	codec Codec
	g722  *g722.Encoder
}

// NewEncoder makes an encoder at the beginning of a stream; the zero codec's
// writes nothing.
func (c Codec) NewEncoder() *Encoder {
	e := &Encoder{codec: c}
	if c.coding == subBand {
		e.g722 = g722.NewEncoder(rate722, g722.FlagSampleRate8000)
	}
	return e
}

// Codec is the one that the encoder writes.
func (e *Encoder) Codec() Codec { return e.codec }

// Frame writes the encoded frame to dst, which has room for FrameBytes, and gives
// the number of bytes written. It does not allocate.
func (e *Encoder) Frame(dst []byte, f *media.Frame) int {
	if e.g722 == nil {
		return e.codec.Encode(dst, f[:])
	}
	return e.g722.Encode(dst[:min(len(dst), len(f))], f[:min(len(dst), len(f))])
}

// Decoder reads one stream of sound, in the order in which it was written as far
// as possible: after a gap the sound of a codec that remembers is a little wrong
// for some milliseconds. It belongs to one goroutine.
type Decoder struct {
	codec Codec
	g722  *g722.Decoder
}

// NewDecoder makes a decoder at the beginning of a stream; the zero codec's reads
// nothing.
func (c Codec) NewDecoder() *Decoder {
	d := &Decoder{codec: c}
	if c.coding == subBand {
		d.g722 = g722.NewDecoder(rate722, g722.FlagSampleRate8000)
	}
	return d
}

// Codec is the one that the decoder reads.
func (d *Decoder) Codec() Codec { return d.codec }

// Decode writes src decoded to dst and gives the number of samples written: as
// many as both have room for. It does not allocate.
func (d *Decoder) Decode(dst []int16, src []byte) int {
	if d.g722 == nil {
		return d.codec.Decode(dst, src)
	}
	n := min(len(dst), len(src))
	return d.g722.Decode(dst[:n], src[:n])
}
