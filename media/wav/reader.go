package wav

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"callbox/media"
)

// inputBytes is how much of a file is decoded at once, at most.
const inputBytes = 8192

// Reader decodes a sound file to 8 kHz mono. It is for file goroutines, not for
// the media tick, and belongs to one goroutine.
type Reader struct {
	r      io.Reader
	format Format
	left   int64 // bytes of sound not read yet, -1 when the end is the end of r
	rs     *media.Resampler

	in    []byte  // undecoded bytes, less than a block between reads
	mono  []int16 // decoded input of one round
	out   []int16 // resampled, not taken yet
	taken int     // samples of out that were taken
	err   error   // sticky
}

// NewReader reads the header of a WAV file. The error is or wraps ErrNotWAV,
// ErrUnsupported or an error of r.
func NewReader(r io.Reader) (*Reader, error) {
	f, _, err := readHeader(r)
	if err != nil {
		return nil, err
	}
	return newReader(r, f)
}

// NewULawReader reads bare µ-law at 8 kHz (".ulaw", audio/basic without header).
func NewULawReader(r io.Reader) *Reader {
	rd, err := newReader(r, Format{Encoding: ULaw, Channels: 1, Rate: media.SampleRate, Bits: 8, Size: -1})
	if err != nil {
		return &Reader{err: err} // cannot be: the format is ours
	}
	return rd
}

func newReader(r io.Reader, f Format) (*Reader, error) {
	rs, err := media.NewResampler(f.Rate, media.SampleRate)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	return &Reader{r: r, format: f, left: f.Size, rs: rs, in: make([]byte, 0, inputBytes)}, nil
}

// Format tells how the file is written.
func (r *Reader) Format() Format { return r.format }

// Read decodes up to len(dst) samples. At the end of the sound it gives 0 and
// io.EOF; a file that is cut off ends where it is cut.
func (r *Reader) Read(dst []int16) (int, error) {
	for r.taken == len(r.out) {
		if r.err != nil {
			return 0, r.err
		}
		r.out, r.taken = r.out[:0], 0
		r.fill()
	}
	n := copy(dst, r.out[r.taken:])
	r.taken += n
	return n, nil
}

// maxTail is how much may lie behind the sound of a file: titles, cue points.
const maxTail = 64 << 10

// finish reads what lies behind the sound, so that a source knows that all of it was
// taken.
func (r *Reader) finish() {
	if r.err == io.EOF && r.left == 0 && r.r != nil {
		_, _ = io.CopyN(io.Discard, r.r, maxTail) // nobody wants it
	}
}

// fill reads, decodes and resamples the next piece.
func (r *Reader) fill() {
	room := cap(r.in) - len(r.in)
	if r.left >= 0 {
		room = int(min(int64(room), r.left))
	}
	err := io.EOF
	if room > 0 {
		var n int
		n, err = io.ReadAtLeast(r.r, r.in[len(r.in):len(r.in)+room], 1)
		r.in = r.in[:len(r.in)+n]
		if r.left >= 0 {
			r.left -= int64(n)
		}
	}
	block := r.format.block()
	whole := len(r.in) / block * block
	r.mono = r.format.decode(r.mono[:0], r.in[:whole])
	r.in = r.in[:copy(r.in, r.in[whole:])]
	r.out = r.rs.Write(r.out, r.mono)
	switch {
	case err == nil:
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		r.out = r.rs.Flush(r.out)
		r.err = io.EOF
	default:
		r.err = fmt.Errorf("read WAV file: %w", err)
	}
}

// decode appends whole blocks as mono samples: the mean of the channels.
func (f Format) decode(out []int16, b []byte) []int16 {
	var one [1]int16
	size := f.Bits / 8
	c := f.Encoding.g711()
	for len(b) > 0 {
		var sum int32
		for range f.Channels {
			switch {
			case f.Encoding != PCM:
				c.Decode(one[:], b[:1])
				sum += int32(one[0])
			case size == 1:
				sum += (int32(b[0]) - 128) << 8
			default: // the two upper bytes of a little-endian integer
				sum += int32(int16(binary.LittleEndian.Uint16(b[size-2:])))
			}
			b = b[size:]
		}
		out = append(out, int16(sum/int32(f.Channels)))
	}
	return out
}

// Decode takes a whole WAV file of at most limit into memory; longer ones give
// media.ErrTooLong.
func Decode(r io.Reader, limit time.Duration) ([]int16, error) {
	rd, err := NewReader(r)
	if err != nil {
		return nil, err
	}
	return rd.all(limit)
}

// all reads to the end.
func (r *Reader) all(limit time.Duration) ([]int16, error) {
	var out []int16
	var buf [4096]int16
	for {
		n, err := r.Read(buf[:])
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		if len(out)+n > media.SamplesIn(limit) {
			return nil, fmt.Errorf("%w: more than %v", media.ErrTooLong, limit)
		}
		out = append(out, buf[:n]...)
	}
}
