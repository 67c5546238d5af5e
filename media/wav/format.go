package wav

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"callbox/media"
	"callbox/media/codec"
)

// Errors that callers branch on.
var (
	// ErrNotWAV means that the file is not RIFF/WAVE or is cut off before its sound.
	ErrNotWAV = errors.New("not a WAV file")
	// ErrUnsupported means that it is WAV in a format that the box does not play.
	ErrUnsupported = errors.New("unsupported WAV format")
)

// Encoding is how a sample is written.
type Encoding int

// The encodings that a Reader understands.
const (
	PCM  Encoding = iota + 1 // integers, 8 (unsigned), 16, 24 or 32 bit
	ULaw                     // G.711 µ-law
	ALaw                     // G.711 A-law
)

// String gives the encoding's name.
func (e Encoding) String() string {
	switch e {
	case PCM:
		return "PCM"
	case ULaw:
		return "µ-law"
	case ALaw:
		return "A-law"
	}
	return fmt.Sprintf("encoding(%d)", int(e))
}

// Format is how the sound in a file is written.
type Format struct {
	Encoding Encoding
	Channels int   // 1…8
	Rate     int   // Hz, media.MinRate…media.MaxRate
	Bits     int   // per sample: 8, 16, 24, 32
	Size     int64 // bytes of sound by the header, -1 when it does not say
}

// String describes the format for logs and errors.
func (f Format) String() string {
	return fmt.Sprintf("%v %d bit, %d Hz, %d channels", f.Encoding, f.Bits, f.Rate, f.Channels)
}

// block is the number of bytes of one sample of all channels.
func (f Format) block() int { return f.Channels * f.Bits / 8 }

// durationOf is the length of n bytes of sound.
func (f Format) durationOf(n int64) time.Duration {
	samples := n / int64(f.block())
	return time.Duration(samples/int64(f.Rate))*time.Second +
		time.Duration(samples%int64(f.Rate))*time.Second/time.Duration(f.Rate)
}

// Limits of a header.
const (
	maxChannels   = 8
	maxChunks     = 64      // before the sound
	maxChunkBytes = 1 << 20 // that is skipped before the sound (cover pictures, cue lists)
	maxFmtBytes   = 256
)

// Format tags (mmreg.h).
const (
	tagPCM        = 0x0001
	tagALaw       = 0x0006
	tagULaw       = 0x0007
	tagExtensible = 0xFFFE
)

// guidTail is what follows the format tag in a sub-format GUID (ksmedia.h,
// KSDATAFORMAT_SUBTYPE_WAVEFORMATEX).
const guidTail = "\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71"

// readHeader reads up to the first byte of sound:
//
//	RIFF size WAVE { fmt_ size …} { other size … } { data size | sound
//
// and gives the format and the number of bytes read.
func readHeader(r io.Reader) (Format, int64, error) {
	var b [12]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return Format{}, 0, notWAV(err)
	}
	if string(b[:4]) != "RIFF" || string(b[8:]) != "WAVE" {
		return Format{}, 0, ErrNotWAV
	}
	read := int64(len(b))
	var f Format
	for range maxChunks {
		if _, err := io.ReadFull(r, b[:8]); err != nil {
			return Format{}, 0, notWAV(err)
		}
		read += 8
		size := int64(binary.LittleEndian.Uint32(b[4:8]))
		switch string(b[:4]) {
		case "fmt ":
			if size < 16 || size > maxFmtBytes {
				return Format{}, 0, fmt.Errorf("%w: format chunk of %d bytes", ErrNotWAV, size)
			}
			var chunk [maxFmtBytes + 1]byte
			n := size + size%2
			if _, err := io.ReadFull(r, chunk[:n]); err != nil {
				return Format{}, 0, notWAV(err)
			}
			var err error
			if f, err = parseFormat(chunk[:size]); err != nil {
				return Format{}, 0, err
			}
			read += n
		case "data":
			if f.Encoding == 0 {
				return Format{}, 0, fmt.Errorf("%w: sound before its format", ErrNotWAV)
			}
			f.Size = dataSize(size)
			return f, read, nil
		default:
			n := size + size%2
			if n > maxChunkBytes {
				return Format{}, 0, fmt.Errorf("%w: a chunk of %d bytes before the sound", ErrUnsupported, size)
			}
			if _, err := io.CopyN(io.Discard, r, n); err != nil {
				return Format{}, 0, notWAV(err)
			}
			read += n
		}
	}
	return Format{}, 0, fmt.Errorf("%w: more than %d chunks before the sound", ErrUnsupported, maxChunks)
}

// dataSize gives the size of the sound, or -1 for the values that writers to a
// pipe leave in place because they cannot go back: 0 and about 2³¹ or 2³².
func dataSize(size int64) int64 {
	if size == 0 || size >= 0x7FFF_0000 {
		return -1
	}
	return size
}

// notWAV turns the end of the input into ErrNotWAV and keeps other errors.
func notWAV(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it ends before the sound", ErrNotWAV)
	}
	return fmt.Errorf("read WAV header: %w", err)
}

// parseFormat reads a format chunk of 16 bytes or more:
//
//	0 tag, 2 channels, 4 rate, 8 bytes/s, 12 block, 14 bits,
//	16 extra size, 18 valid bits, 20 speakers, 24 GUID (tag and tail)
func parseFormat(b []byte) (Format, error) {
	tag := binary.LittleEndian.Uint16(b)
	f := Format{
		Channels: int(binary.LittleEndian.Uint16(b[2:])),
		Bits:     int(binary.LittleEndian.Uint16(b[14:])),
		Size:     -1,
	}
	rate := binary.LittleEndian.Uint32(b[4:])
	block := int(binary.LittleEndian.Uint16(b[12:]))
	if tag == tagExtensible {
		if len(b) < 40 || string(b[26:40]) != guidTail {
			return Format{}, fmt.Errorf("%w: unknown sub-format", ErrUnsupported)
		}
		tag = binary.LittleEndian.Uint16(b[24:])
	}
	bitsFit := f.Bits == 8
	switch tag {
	case tagPCM:
		f.Encoding = PCM
		bitsFit = f.Bits == 8 || f.Bits == 16 || f.Bits == 24 || f.Bits == 32
	case tagULaw:
		f.Encoding = ULaw
	case tagALaw:
		f.Encoding = ALaw
	default:
		return Format{}, fmt.Errorf("%w: format tag 0x%04x", ErrUnsupported, tag)
	}
	switch {
	case f.Channels < 1 || f.Channels > maxChannels:
		return Format{}, fmt.Errorf("%w: %d channels", ErrUnsupported, f.Channels)
	case rate < media.MinRate || rate > media.MaxRate:
		return Format{}, fmt.Errorf("%w: %d Hz", ErrUnsupported, rate)
	case !bitsFit:
		return Format{}, fmt.Errorf("%w: %v with %d bit", ErrUnsupported, f.Encoding, f.Bits)
	case block != f.block():
		return Format{}, fmt.Errorf("%w: blocks of %d bytes, want %d", ErrNotWAV, block, f.block())
	}
	f.Rate = int(rate)
	return f, nil
}

// Inspect tells the format and the length of the WAV file r, which is at its
// beginning. When the header does not tell the length, or promises more than
// there is, the file's size does.
func Inspect(r io.ReadSeeker) (Format, time.Duration, error) {
	f, read, err := readHeader(r)
	if err != nil {
		return Format{}, 0, err
	}
	end, err := r.Seek(0, io.SeekEnd)
	if err != nil {
		return Format{}, 0, fmt.Errorf("find the end of a WAV file: %w", err)
	}
	have := max(end-read, 0)
	if f.Size >= 0 {
		have = min(have, f.Size)
	}
	return f, f.durationOf(have), nil
}

// g711 is the codec of an encoding, none for PCM.
func (e Encoding) g711() codec.Codec {
	switch e {
	case ULaw:
		return codec.PCMU
	case ALaw:
		return codec.PCMA
	case PCM:
	}
	return codec.Codec{}
}
