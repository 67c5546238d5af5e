package mp3

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/hajimehoshi/go-mp3"
)

// ErrSound says that a sound is no MP3 that can be decoded.
var ErrSound = errors.New("not an MP3 sound that can be decoded")

// Sniff is how many bytes Is wants to see.
const Sniff = 3

// Is reports whether a sound that begins so is MP3: with an ID3v2 tag, or with
// the sync word of an MPEG frame of layer III (ISO 11172-3 §2.4.2.3).
func Is(begin []byte) bool {
	return bytes.HasPrefix(begin, []byte("ID3")) || len(begin) >= 2 && begin[0] == 0xff && begin[1]&0xe6 == 0xe2
}

// Reader gives an MP3 sound as a WAV file.
type Reader struct {
	src    io.Closer
	dec    *mp3.Decoder
	header []byte // of the WAV file, not read yet
}

// badRate is the one at which the decoder takes padded frames of MPEG-2 (ISO 13818-3)
// for a byte too short, and gives noise from the second on: whether there are any shows
// late. The other half rates have no padded frames and are right; the quarter rates of
// MPEG-2.5 it refuses itself.
const badRate = 22050

// headerSize is the size of a WAV file's header with nothing but what must be.
const headerSize = 44

// NewReader reads the sound's first frame from src, which it owns from then on,
// also when it fails with an error that wraps ErrSound.
func NewReader(src io.ReadCloser) (r *Reader, err error) {
	defer func() {
		// A damaged frame must not end the gateway.
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrSound, p)
		}
		if err != nil {
			src.Close()
		}
	}()
	dec, err := mp3.NewDecoder(io.MultiReader(src)) // hides a Seeker: no look at the end
	if err != nil {
		return nil, fmt.Errorf("%w (MPEG-1, or MPEG-2 of 16000 or 24000 samples a second; or use WAV): %w", ErrSound, err)
	}
	rate := uint32(dec.SampleRate())
	if rate == badRate {
		return nil, fmt.Errorf("%w: it has %d samples a second, at which the decoder makes noise of some; use 16000, 24000, 32000, 44100 or 48000, or WAV", ErrSound, rate)
	}
	h := append(make([]byte, 0, headerSize), "RIFF\xff\xff\xff\xffWAVEfmt "...)
	h = binary.LittleEndian.AppendUint32(h, 16)     // bytes of the format
	h = binary.LittleEndian.AppendUint16(h, 1)      // PCM
	h = binary.LittleEndian.AppendUint16(h, 2)      // channels
	h = binary.LittleEndian.AppendUint32(h, rate)   // samples per second
	h = binary.LittleEndian.AppendUint32(h, rate*4) // bytes per second
	h = binary.LittleEndian.AppendUint16(h, 4)      // bytes of both channels
	h = binary.LittleEndian.AppendUint16(h, 16)     // bits
	return &Reader{src: src, dec: dec, header: append(h, "data\xff\xff\xff\xff"...)}, nil
}

// Read gives the next bytes of the WAV file.
func (r *Reader) Read(p []byte) (n int, err error) {
	if len(r.header) > 0 {
		n = copy(p, r.header)
		r.header = r.header[n:]
		return n, nil
	}
	defer func() {
		if x := recover(); x != nil {
			n, err = 0, fmt.Errorf("%w: %v", ErrSound, x)
		}
	}()
	return r.dec.Read(p)
}

// Close closes the source.
func (r *Reader) Close() error { return r.src.Close() }
