package wav

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"callbox/media"
	"callbox/media/codec"
)

func TestReadsEveryFormatAndRate(t *testing.T) {
	t.Parallel()
	formats := []spec{
		{encoding: PCM, bits: 8}, {encoding: PCM, bits: 16}, {encoding: PCM, bits: 24}, {encoding: PCM, bits: 32},
		{encoding: ULaw, bits: 8}, {encoding: ALaw, bits: 8},
	}
	for _, f := range formats {
		for _, rate := range []int{8000, 11025, 16000, 22050, 44100, 48000} {
			for channels := 1; channels <= 3; channels++ {
				s := f
				s.rate, s.channels, s.extensible = rate, channels, channels > 1
				name := fmt.Sprintf("%v %d bit %d Hz %d channels", s.encoding, s.bits, rate, channels)
				got, err := Decode(bytes.NewReader(s.file(rate, tone(1000, rate, 0.5))), time.Minute)
				if err != nil {
					t.Errorf("%s: %v", name, err)
					continue
				}
				if len(got) != media.SampleRate {
					t.Errorf("%s: %d samples from one second", name, len(got))
				}
				want := media.FullScaleDBm0 - 6.02
				if l := level(got, 1000); math.Abs(l-want) > 0.15 {
					t.Errorf("%s: level %.2f dBm0, want %.2f", name, l, want)
				}
				// All that is not the tone: quantisation, aliases.
				noise := media.DBm0(got[400:len(got)-400]) - level(got, 1000)
				if noise > 0.05 {
					t.Errorf("%s: %.3f dB more than the tone", name, noise)
				}
			}
		}
	}
}

func TestMixesChannels(t *testing.T) {
	t.Parallel()
	s := spec{encoding: PCM, bits: 16, rate: 8000, channels: 2}
	got, err := Decode(bytes.NewReader(s.file(160, func(c, _ int) float64 { return []float64{0.5, -0.25}[c] })), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range got {
		if v != 4096 {
			t.Fatalf("mean of 0.5 and −0.25 of full scale is %d", v)
		}
	}
}

func TestReaderSkipsChunksAndReadsBrokenSizes(t *testing.T) {
	t.Parallel()
	s := spec{encoding: PCM, bits: 16, rate: 8000, channels: 1}
	data := s.data(1000, tone(500, 8000, 0.5))
	want := samplesOf(data)
	sized := func(n int) []byte { return append(append([]byte("data"), le32(nil, n)...), data...) }
	tests := map[string]struct {
		file []byte
		want []int16
	}{
		"plain":             {riff(s.fmtChunk(), chunk("data", data)), want},
		"odd chunk before":  {riff(chunk("LIST", []byte("abc")), s.fmtChunk(), chunk("fact", []byte("1234")), chunk("data", data)), want},
		"chunk after":       {riff(s.fmtChunk(), chunk("data", data), chunk("LIST", []byte("text"))), want},
		"size 0 of a pipe":  {riff(s.fmtChunk(), sized(0)), want},
		"size −1 of a pipe": {riff(s.fmtChunk(), sized(-1)), want},
		"espeak-ng's size":  {riff(s.fmtChunk(), sized(0x7ffff000)), want},
		"promises too much": {riff(s.fmtChunk(), sized(5000)), want},
		"cut in a sample":   {riff(s.fmtChunk(), sized(2000)[:8+1001]), want[:500]},
		"no sound":          {riff(s.fmtChunk(), chunk("data", nil)), nil},
	}
	for name, tt := range tests {
		for i, r := range []io.Reader{bytes.NewReader(tt.file), iotest.OneByteReader(bytes.NewReader(tt.file)), iotest.DataErrReader(bytes.NewReader(tt.file))} {
			got, err := Decode(r, time.Minute)
			if err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("%s, reader %d: %d samples, want %d: %v", name, i, len(got), len(tt.want), err)
			}
		}
	}
}

// samplesOf reads 16-bit samples.
func samplesOf(b []byte) []int16 {
	var out []int16
	for i := 0; i+1 < len(b); i += 2 {
		out = append(out, int16(uint16(b[i])|uint16(b[i+1])<<8))
	}
	return out
}

func TestReaderRefuses(t *testing.T) {
	t.Parallel()
	good := spec{encoding: PCM, bits: 16, rate: 8000, channels: 1}
	with := func(f func(s *spec)) []byte {
		s := good
		f(&s)
		return riff(s.fmtChunk(), chunk("data", make([]byte, 64)))
	}
	badBlock := with(func(*spec) {})
	badBlock[12+8+12] = 7
	badTag := with(func(*spec) {})
	badTag[12+8] = 2
	badGUID := with(func(s *spec) { s.extensible = true })
	badGUID[12+8+30] = 9
	many := [][]byte{}
	for range maxChunks + 1 {
		many = append(many, chunk("junk", nil))
	}
	tests := map[string]struct {
		file []byte
		want error
	}{
		"empty":             {nil, ErrNotWAV},
		"text":              {[]byte("<html>not found</html>"), ErrNotWAV},
		"big endian":        {append([]byte("RIFX"), badTag[4:]...), ErrNotWAV},
		"other RIFF":        {append([]byte("RIFF0000AVI "), badTag[12:]...), ErrNotWAV},
		"only the header":   {badTag[:12], ErrNotWAV},
		"cut in the format": {badTag[:30], ErrNotWAV},
		"no data chunk":     {riff(good.fmtChunk()), ErrNotWAV},
		"data first":        {riff(chunk("data", make([]byte, 8))), ErrNotWAV},
		"short format":      {riff(chunk("fmt ", make([]byte, 14))), ErrNotWAV},
		"long format":       {riff(chunk("fmt ", make([]byte, 300))), ErrNotWAV},
		"wrong block":       {badBlock, ErrNotWAV},
		"ADPCM":             {badTag, ErrUnsupported},
		"unknown GUID":      {badGUID, ErrUnsupported},
		"no channel":        {with(func(s *spec) { s.channels = 0 }), ErrUnsupported},
		"1,000 channels":    {with(func(s *spec) { s.channels = 1000 }), ErrUnsupported},
		"rate 0":            {with(func(s *spec) { s.rate = 0 }), ErrUnsupported},
		"rate 4 GHz":        {with(func(s *spec) { s.rate = -1 }), ErrUnsupported},
		"12 bit":            {with(func(s *spec) { s.bits = 12 }), ErrUnsupported},
		"µ-law with 16 bit": {with(func(s *spec) { s.encoding = ULaw }), ErrUnsupported},
		"huge chunk":        {riff([]byte("LIST\xff\xff\xff\x7f")), ErrUnsupported},
		"endless chunks":    {riff(many...), ErrUnsupported},
	}
	for name, tt := range tests {
		if _, err := NewReader(bytes.NewReader(tt.file)); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}

func TestReaderKeepsReadErrors(t *testing.T) {
	t.Parallel()
	file := (spec{encoding: PCM, bits: 16, rate: 8000, channels: 1}).file(8000, tone(500, 8000, 0.5))
	broken := errors.New("disk is gone")
	for _, n := range []int{3, 20, 40, 44, 5000} {
		r := io.MultiReader(bytes.NewReader(file[:n]), iotest.ErrReader(broken))
		if _, err := Decode(r, time.Minute); !errors.Is(err, broken) || errors.Is(err, ErrNotWAV) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
}

func TestDecodeIsBounded(t *testing.T) {
	t.Parallel()
	file := (spec{encoding: PCM, bits: 16, rate: 8000, channels: 1}).file(8000, tone(500, 8000, 0.5))
	if got, err := Decode(bytes.NewReader(file), time.Second); err != nil || len(got) != 8000 {
		t.Errorf("a second of a second: %d samples, %v", len(got), err)
	}
	if _, err := Decode(bytes.NewReader(file), 999*time.Millisecond); !errors.Is(err, media.ErrTooLong) {
		t.Errorf("too long: %v", err)
	}
}

func TestULawReader(t *testing.T) {
	t.Parallel()
	want := samplesOf((spec{encoding: PCM, bits: 16, rate: 8000, channels: 1}).data(8000, tone(800, 8000, 0.5)))
	coded := make([]byte, len(want))
	codec.PCMU.Encode(coded, want)
	codec.PCMU.Decode(want, coded)
	got, err := NewULawReader(bytes.NewReader(coded)).all(time.Minute)
	if err != nil || !slices.Equal(got, want) {
		t.Fatalf("%d samples, want %d: %v", len(got), len(want), err)
	}
}

func TestInspect(t *testing.T) {
	t.Parallel()
	s := spec{encoding: PCM, bits: 24, rate: 44100, channels: 2}
	file := s.file(22050, tone(500, 44100, 0.5))
	f, d, err := Inspect(bytes.NewReader(file))
	if err != nil || d != 500*time.Millisecond || f.Rate != 44100 || f.Channels != 2 || f.Bits != 24 || f.Encoding != PCM {
		t.Errorf("%v %v %v", f, d, err)
	}
	if !strings.Contains(f.String(), "PCM 24 bit, 44100 Hz, 2 channels") {
		t.Errorf("format reads %q", f)
	}
	if _, d, err = Inspect(bytes.NewReader(file[:44+22050*3])); err != nil || d != 250*time.Millisecond {
		t.Errorf("cut in half: %v %v", d, err)
	}
	if _, _, err = Inspect(strings.NewReader("no sound")); !errors.Is(err, ErrNotWAV) {
		t.Errorf("text: %v", err)
	}
}

func FuzzReader(f *testing.F) {
	for _, s := range []spec{
		{PCM, 8, 8000, 1, false}, {PCM, 16, 22050, 2, true}, {PCM, 24, 44100, 3, true}, {PCM, 32, 1000, 8, false},
		{ULaw, 8, 8000, 1, false}, {ALaw, 8, 192000, 1, true},
	} {
		f.Add(s.file(200, tone(500, s.rate, 0.9)))
	}
	f.Add(riff(chunk("LIST", []byte("abc"))))
	f.Fuzz(func(t *testing.T, b []byte) {
		const limit = 10 * time.Second
		got, err := Decode(bytes.NewReader(b), limit)
		if err == nil && len(got) > media.SamplesIn(limit) {
			t.Fatalf("%d samples", len(got))
		}
		if _, d, err := Inspect(bytes.NewReader(b)); err == nil && d < 0 {
			t.Fatalf("length %v", d)
		}
		if _, err := Trim(&memory{}, bytes.NewReader(b)); err != nil && err.Error() == "" {
			t.Fatal("an error without text")
		}
	})
}
