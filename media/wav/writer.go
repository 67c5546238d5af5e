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
	headerBytes = 44
	// maxDataBytes is the most sound in a file, 18 hours in stereo: a little below
	// what readers take for "unknown".
	maxDataBytes = 0x7FFE_0000
	sampleBytes  = 2
)

// Writer makes a WAV file of 16-bit PCM at 8 kHz. It collects a second of sound,
// writes it at once and then puts the header right, so that whatever is in the
// file can be played at any time. It writes to disk and so is not for the media
// tick; it belongs to one goroutine. It does not sync and does not close the
// file beneath.
type Writer struct {
	w        io.WriteSeeker
	channels int
	buf      []byte // sound not written yet
	full     int    // length of buf that is written out
	size     int64  // bytes of sound in the file
	err      error  // sticky
}

// NewWriter begins a file with 1 or 2 channels; w is empty and at its start.
func NewWriter(w io.WriteSeeker, channels int) (*Writer, error) {
	if channels != 1 && channels != 2 {
		return nil, fmt.Errorf("%w: %d channels", ErrUnsupported, channels)
	}
	full := media.SampleRate * channels * sampleBytes
	wr := &Writer{w: w, channels: channels, buf: make([]byte, 0, full), full: full}
	if _, err := w.Write(wr.header()); err != nil {
		return nil, fmt.Errorf("begin WAV file: %w", err)
	}
	return wr, nil
}

// header is the 44 bytes before the sound, for the size there is.
func (w *Writer) header() []byte {
	block := w.channels * sampleBytes
	b := make([]byte, 0, headerBytes)
	b = append(b, "RIFF"...)
	b = binary.LittleEndian.AppendUint32(b, uint32(headerBytes-8+w.size))
	b = append(b, "WAVEfmt "...)
	b = binary.LittleEndian.AppendUint32(b, 16)
	b = binary.LittleEndian.AppendUint16(b, tagPCM)
	b = binary.LittleEndian.AppendUint16(b, uint16(w.channels))
	b = binary.LittleEndian.AppendUint32(b, media.SampleRate)
	b = binary.LittleEndian.AppendUint32(b, uint32(media.SampleRate*block))
	b = binary.LittleEndian.AppendUint16(b, uint16(block))
	b = binary.LittleEndian.AppendUint16(b, 8*sampleBytes)
	b = append(b, "data"...)
	return binary.LittleEndian.AppendUint32(b, uint32(w.size))
}

// WriteSamples appends samples; with two channels they alternate, and their
// number is even. After 18 hours (stereo) it gives media.ErrTooLong. An error is
// given again by every later call; Duration and Size then tell what is in the file
// all the same, and that can be played.
func (w *Writer) WriteSamples(samples []int16) error {
	if w.err != nil {
		return w.err
	}
	if len(samples)%w.channels != 0 {
		return fmt.Errorf("write WAV file: %d samples for %d channels", len(samples), w.channels)
	}
	if w.size+int64(len(w.buf)+len(samples)*sampleBytes) > maxDataBytes {
		return fmt.Errorf("write WAV file: %w", media.ErrTooLong)
	}
	for _, s := range samples {
		w.buf = binary.LittleEndian.AppendUint16(w.buf, uint16(s))
		if len(w.buf) == w.full {
			if err := w.Flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// Flush writes what is collected and puts the header right.
func (w *Writer) Flush() error {
	if w.err != nil {
		return w.err
	}
	if len(w.buf) == 0 {
		return nil
	}
	if err := w.flush(); err != nil {
		w.err = fmt.Errorf("write WAV file: %w", err)
	}
	return w.err
}

func (w *Writer) flush() error {
	n, err := w.w.Write(w.buf)
	// What did get into the file is sound, also when the disk had no room for all.
	n -= n % (w.channels * sampleBytes)
	w.buf = w.buf[:0]
	if n == 0 {
		return err
	}
	before := w.size
	w.size += int64(n)
	if herr := w.putHeader(); herr != nil {
		w.size = before // what the header says that is there
		return errors.Join(err, herr)
	}
	return err
}

// putHeader puts the header right and goes back to the end of the sound.
func (w *Writer) putHeader() error {
	if _, err := w.w.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if _, err := w.w.Write(w.header()); err != nil {
		return err
	}
	_, err := w.w.Seek(headerBytes+w.size, io.SeekStart)
	return err
}

// Duration is the length of all sound written so far.
func (w *Writer) Duration() time.Duration {
	bytes := w.size + int64(len(w.buf))
	return media.DurationOf(int(bytes / int64(w.channels*sampleBytes)))
}

// Size is the length of the file in bytes once all is flushed.
func (w *Writer) Size() int64 { return headerBytes + w.size + int64(len(w.buf)) }

// Close flushes. Further writes fail; a further Close gives the same error.
func (w *Writer) Close() error {
	err := w.Flush()
	if err == nil {
		w.err = errClosed
		return nil
	}
	if errors.Is(err, errClosed) {
		return nil
	}
	return err
}

var errClosed = errors.New("WAV file is closed")
