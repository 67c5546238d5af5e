package wav

import (
	"encoding/binary"
	"errors"
	"io"
	"math"
	"testing"

	"go.uber.org/goleak"

	"callbox/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// spec is a WAV file to be made.
type spec struct {
	encoding   Encoding
	bits       int
	rate       int
	channels   int
	extensible bool
}

// le16 and le32 append little-endian numbers.
func le16(b []byte, v int) []byte { return binary.LittleEndian.AppendUint16(b, uint16(v)) }
func le32(b []byte, v int) []byte { return binary.LittleEndian.AppendUint32(b, uint32(v)) }

// chunk is a RIFF chunk with its pad byte.
func chunk(id string, body []byte) []byte {
	b := append([]byte(id), le32(nil, len(body))...)
	b = append(b, body...)
	if len(body)%2 == 1 {
		b = append(b, 0)
	}
	return b
}

// riff wraps chunks.
func riff(chunks ...[]byte) []byte {
	body := []byte("WAVE")
	for _, c := range chunks {
		body = append(body, c...)
	}
	return append(append([]byte("RIFF"), le32(nil, len(body))...), body...)
}

// fmtChunk makes the format chunk.
func (s spec) fmtChunk() []byte {
	tag := map[Encoding]int{PCM: tagPCM, ULaw: tagULaw, ALaw: tagALaw}[s.encoding]
	first := tag
	if s.extensible {
		first = tagExtensible
	}
	block := s.channels * s.bits / 8
	b := le16(nil, first)
	b = le16(b, s.channels)
	b = le32(b, s.rate)
	b = le32(b, s.rate*block)
	b = le16(b, block)
	b = le16(b, s.bits)
	if s.extensible {
		b = le16(b, 22)
		b = le16(b, s.bits)
		b = le32(b, 0)
		b = le16(b, tag)
		b = append(b, guidTail...)
	}
	return chunk("fmt ", b)
}

// data encodes a sound given as −1…1 per channel and time.
func (s spec) data(n int, at func(channel, i int) float64) []byte {
	var b []byte
	for i := range n {
		for c := range s.channels {
			v := at(c, i)
			s16 := int16(math.Round(v * 32767))
			switch {
			case s.encoding == ULaw || s.encoding == ALaw:
				var one [1]byte
				s.encoding.g711().Encode(one[:], []int16{s16})
				b = append(b, one[0])
			case s.bits == 8:
				b = append(b, byte(math.Round(v*127)+128))
			case s.bits == 16:
				b = le16(b, int(s16))
			case s.bits == 24:
				w := int32(math.Round(v * (1<<23 - 1)))
				b = append(b, byte(w), byte(w>>8), byte(w>>16))
			default:
				b = le32(b, int(int32(math.Round(v*(1<<31-1)))))
			}
		}
	}
	return b
}

// file makes a whole file of n samples per channel.
func (s spec) file(n int, at func(channel, i int) float64) []byte {
	return riff(s.fmtChunk(), chunk("data", s.data(n, at)))
}

// tone is a sine of hz at rate with this peak, the same in all channels.
func tone(hz float64, rate int, peak float64) func(channel, i int) float64 {
	return func(_, i int) float64 {
		return peak * math.Sin(2*math.Pi*hz*float64(i)/float64(rate))
	}
}

// memory is an io.ReadWriteSeeker; fail, when set, is what writes give. When full is
// set too, it is what they give above that length, which they fill.
type memory struct {
	b    []byte
	pos  int64
	fail error
	full int
}

func (m *memory) Write(p []byte) (int, error) {
	if m.full > 0 {
		if room := m.full - int(m.pos); len(p) > room {
			n, _ := m.Write(p[:max(room, 0)])
			return n, m.fail
		}
	} else if m.fail != nil {
		return 0, m.fail
	}
	if need := m.pos + int64(len(p)); need > int64(len(m.b)) {
		m.b = append(m.b, make([]byte, need-int64(len(m.b)))...)
	}
	n := copy(m.b[m.pos:], p)
	m.pos += int64(n)
	return n, nil
}

func (m *memory) Read(p []byte) (int, error) {
	if m.pos >= int64(len(m.b)) {
		return 0, io.EOF
	}
	n := copy(p, m.b[m.pos:])
	m.pos += int64(n)
	return n, nil
}

func (m *memory) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekStart:
		m.pos = offset
	case io.SeekCurrent:
		m.pos += offset
	case io.SeekEnd:
		m.pos = int64(len(m.b)) + offset
	}
	if m.pos < 0 {
		return 0, errors.New("seek before the start")
	}
	return m.pos, nil
}

// level of the middle of samples at hz.
func level(samples []int16, hz float64) float64 {
	const edge = 400
	if len(samples) <= 2*edge {
		return media.SilenceLevel
	}
	return media.ToneLevel(samples[edge:len(samples)-edge], hz)
}
