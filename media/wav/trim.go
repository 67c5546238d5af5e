package wav

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"callbox/media"
)

const (
	// SilenceBelow is the level in dBm0 below which a frame counts as silence:
	// well over the noise of an analogue line, well below a soft voice.
	SilenceBelow = -45.0
	// trimMargin is kept on both sides of the sound, so that soft beginnings and
	// ends of words stay.
	trimMargin = 5 // frames, 100 ms
	// loudFrames in a row are sound; fewer are a click.
	loudFrames = 2
)

// Trim copies the WAV file src, which a [Writer] made, to dst without the
// silence at its beginning and end (100 ms of it stays), and gives the length of
// the copy: 0 when all is silent. With two channels both must be silent. src is
// at its beginning and is read twice.
func Trim(dst io.WriteSeeker, src io.ReadSeeker) (time.Duration, error) {
	f, read, err := readHeader(src)
	if err != nil {
		return 0, err
	}
	if f.Encoding != PCM || f.Bits != 16 || f.Rate != media.SampleRate || f.Channels > 2 {
		return 0, fmt.Errorf("%w: cannot trim %v", ErrUnsupported, f)
	}
	w, err := NewWriter(dst, f.Channels)
	if err != nil {
		return 0, err
	}
	first, last, err := voiced(frames(src, f))
	if err != nil {
		return 0, err
	}
	if first < 0 {
		return 0, w.Close()
	}
	from := max(first-trimMargin, 0)
	frameBytes := int64(media.FrameSamples * f.block())
	if _, err := src.Seek(read+from*frameBytes, io.SeekStart); err != nil {
		return 0, fmt.Errorf("trim WAV file: %w", err)
	}
	if f.Size >= 0 {
		f.Size -= from * frameBytes
	}
	next := frames(src, f)
	for range last + trimMargin + 1 - from {
		samples, err := next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, err
		}
		if err := w.WriteSamples(samples); err != nil {
			return 0, err
		}
	}
	d := w.Duration()
	return d, w.Close()
}

// frames gives a function that reads the file's next 20 ms, all channels in
// turn; the last may be shorter, then comes io.EOF.
func frames(r io.Reader, f Format) func() ([]int16, error) {
	if f.Size >= 0 {
		r = io.LimitReader(r, f.Size)
	}
	b := make([]byte, media.FrameSamples*f.block())
	samples := make([]int16, media.FrameSamples*f.Channels)
	return func() ([]int16, error) {
		n, err := io.ReadFull(r, b)
		n = n / f.block() * f.Channels
		if n == 0 && err == nil || errors.Is(err, io.ErrUnexpectedEOF) && n == 0 {
			return nil, io.EOF
		}
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, err
		}
		for i := range n {
			samples[i] = int16(binary.LittleEndian.Uint16(b[2*i:]))
		}
		return samples[:n], nil
	}
}

// voiced gives the numbers of the first and the last frame that belong to
// sound, −1 when there is none.
func voiced(next func() ([]int16, error)) (first, last int64, err error) {
	first, last = -1, -1
	run := 0
	for n := int64(0); ; n++ {
		samples, err := next()
		if errors.Is(err, io.EOF) {
			return first, last, nil
		}
		if err != nil {
			return 0, 0, fmt.Errorf("trim WAV file: %w", err)
		}
		if media.DBm0(samples) < SilenceBelow {
			run = 0
			continue
		}
		if run++; run < loudFrames {
			continue
		}
		if first < 0 {
			first = n - int64(run) + 1
		}
		last = n
	}
}
