package wav

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"callbox/media"
)

// mono is a file of two channels as one of one channel. Nothing of it is kept:
// every part is mixed when it is read.
type mono struct {
	src    io.ReadSeekCloser
	header []byte
	data   int64 // where the sound of src begins
	size   int64 // of the whole mixture
	pos    int64
	buf    []byte
}

// Mono gives the mixture of a WAV file of two channels, which a [Writer] made, as
// a WAV file of one. It owns src when the error is nil. It belongs to one
// goroutine.
func Mono(src io.ReadSeekCloser) (io.ReadSeekCloser, error) {
	f, read, err := readHeader(src)
	if err != nil {
		return nil, err
	}
	if f.Encoding != PCM || f.Bits != 16 || f.Rate != media.SampleRate || f.Channels != 2 {
		return nil, fmt.Errorf("%w: cannot mix %v", ErrUnsupported, f)
	}
	end, err := src.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, fmt.Errorf("mix WAV file: %w", err)
	}
	size := end - read
	if f.Size >= 0 {
		size = min(size, f.Size)
	}
	w := Writer{channels: 1, size: size / 4 * sampleBytes}
	return &mono{src: src, header: w.header(), data: read, size: headerBytes + w.size}, nil
}

// Seek moves to a byte of the mixture.
func (m *mono) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += m.pos
	case io.SeekEnd:
		offset += m.size
	}
	if offset < 0 {
		return 0, errors.New("seek before the beginning of a WAV file")
	}
	m.pos = offset
	return offset, nil
}

// Read gives the next bytes.
func (m *mono) Read(b []byte) (int, error) {
	if m.pos >= m.size {
		return 0, io.EOF
	}
	if m.pos < headerBytes {
		n := copy(b, m.header[m.pos:])
		m.pos += int64(n)
		return n, nil
	}
	// Whole samples around what is asked for: the first and last may be halves.
	first := (m.pos - headerBytes) / sampleBytes
	skip := int(m.pos-headerBytes) % sampleBytes
	const most = 16 << 10
	samples := min((skip+min(len(b), most)+1)/sampleBytes, int((m.size-headerBytes)/sampleBytes-first))
	if cap(m.buf) < samples*4 {
		m.buf = make([]byte, samples*4)
	}
	in := m.buf[:samples*4]
	if _, err := m.src.Seek(m.data+first*4, io.SeekStart); err != nil {
		return 0, fmt.Errorf("mix WAV file: %w", err)
	}
	if _, err := io.ReadFull(m.src, in); err != nil {
		return 0, fmt.Errorf("mix WAV file: %w", err)
	}
	for i := range samples { // in place: two bytes for four
		left, right := int16(binary.LittleEndian.Uint16(in[4*i:])), int16(binary.LittleEndian.Uint16(in[4*i+2:]))
		binary.LittleEndian.PutUint16(in[2*i:], uint16(media.Clamp(int32(left)+int32(right))))
	}
	n := copy(b, in[skip:samples*sampleBytes])
	m.pos += int64(n)
	return n, nil
}

// Close closes the file beneath.
func (m *mono) Close() error { return m.src.Close() }
