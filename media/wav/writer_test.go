package wav

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"callbox/media"
)

func TestWriterRoundTrip(t *testing.T) {
	t.Parallel()
	for channels := 1; channels <= 2; channels++ {
		s := spec{encoding: PCM, bits: 16, rate: 8000, channels: channels}
		const n = 20000
		want := s.file(n, tone(500, 8000, 0.5))
		var m memory
		w, err := NewWriter(&m, channels)
		if err != nil {
			t.Fatal(err)
		}
		samples := samplesOf(want[44:])
		for part := range slices.Chunk(samples, 320) {
			if err := w.WriteSamples(part); err != nil {
				t.Fatal(err)
			}
		}
		if w.Duration() != 2500*time.Millisecond || w.Size() != int64(len(want)) {
			t.Errorf("%d channels: %v, %d bytes", channels, w.Duration(), w.Size())
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(m.b, want) {
			t.Errorf("%d channels: the file differs from one made by hand", channels)
		}
		if err := w.Close(); err != nil {
			t.Errorf("second Close: %v", err)
		}
		if w.WriteSamples(samples[:2]) == nil {
			t.Error("write after Close")
		}
	}
}

// Whatever moment the power goes, what is on the disk is a file that plays and
// lacks at most a second.
func TestFileIsPlayableAtAnyTime(t *testing.T) {
	t.Parallel()
	var m memory
	w, err := NewWriter(&m, 2)
	if err != nil {
		t.Fatal(err)
	}
	frame := make([]int16, 2*media.FrameSamples)
	for i := range 250 {
		_, d, err := Inspect(bytes.NewReader(m.b))
		if err != nil {
			t.Fatalf("frame %d: %v", i, err)
		}
		if lost := w.Duration() - d; lost < 0 || lost >= time.Second {
			t.Fatalf("frame %d: %v lost", i, lost)
		}
		if f, _, err := readHeader(bytes.NewReader(m.b)); err != nil || f.Size >= 0 && f.Size != int64(len(m.b)-44) {
			t.Fatalf("frame %d: header says %d bytes of %d: %v", i, f.Size, len(m.b)-44, err)
		}
		if err := w.WriteSamples(frame); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWriterRefuses(t *testing.T) {
	t.Parallel()
	for _, channels := range []int{-1, 0, 3} {
		if _, err := NewWriter(&memory{}, channels); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%d channels: %v", channels, err)
		}
	}
	w, err := NewWriter(&memory{}, 2)
	if err != nil {
		t.Fatal(err)
	}
	if w.WriteSamples(make([]int16, 3)) == nil {
		t.Error("three samples for two channels")
	}
	w.size = maxDataBytes - 4
	if err := w.WriteSamples(make([]int16, 2)); err != nil {
		t.Error(err)
	}
	if err := w.WriteSamples(make([]int16, 2)); !errors.Is(err, media.ErrTooLong) {
		t.Errorf("over the limit: %v", err)
	}
}

func TestWriterKeepsItsError(t *testing.T) {
	t.Parallel()
	full := errors.New("no space left on device")
	if _, err := NewWriter(&memory{fail: full}, 1); !errors.Is(err, full) {
		t.Errorf("NewWriter: %v", err)
	}
	var m memory
	w, err := NewWriter(&m, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.WriteSamples(make([]int16, 8000)); err != nil {
		t.Fatal(err)
	}
	m.fail = full
	if err := w.WriteSamples(make([]int16, 8000)); !errors.Is(err, full) {
		t.Errorf("WriteSamples: %v", err)
	}
	m.fail = nil
	if err := w.Close(); !errors.Is(err, full) {
		t.Errorf("Close: %v", err)
	}
	if _, d, err := Inspect(bytes.NewReader(m.b)); err != nil || d != time.Second {
		t.Errorf("what was written before: %v %v", d, err)
	}
}

// TestWriterOnAFullDisk: what had room is in the file, to the sample, also where the
// room ends inside one, and the writer knows how long it is.
func TestWriterOnAFullDisk(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ channels, room, want int }{
		{1, 16000, 8000}, {1, 16001, 8000}, {1, 31998, 15999}, {2, 32003, 8000}, {2, 40000, 10000},
	} {
		full := errors.New("no space left on device")
		m := memory{fail: full, full: headerBytes + tt.room}
		w, err := NewWriter(&m, tt.channels)
		if err != nil {
			t.Fatal(err)
		}
		samples := make([]int16, 3*media.SampleRate*tt.channels)
		for i := range samples {
			samples[i] = int16(i)
		}
		if err := w.WriteSamples(samples); !errors.Is(err, full) {
			t.Errorf("%+v: WriteSamples: %v", tt, err)
		}
		if err := w.WriteSamples(samples); !errors.Is(err, full) {
			t.Errorf("%+v: again: %v", tt, err)
		}
		if err := w.Close(); !errors.Is(err, full) {
			t.Errorf("%+v: Close: %v", tt, err)
		}
		long := media.DurationOf(tt.want)
		if _, d, err := Inspect(bytes.NewReader(m.b)); err != nil || d != long || w.Duration() != long || w.Size() != int64(headerBytes+2*tt.channels*tt.want) {
			t.Errorf("%+v: %v in the file (%v), the writer says %v in %d bytes", tt, d, err, w.Duration(), w.Size())
		}
		if tt.channels == 1 {
			got, err := Decode(bytes.NewReader(m.b), time.Minute)
			if err != nil || len(got) < tt.want || !slices.Equal(got[:tt.want], samples[:tt.want]) {
				t.Errorf("%+v: other samples, %d of them (%v)", tt, len(got), err)
			}
		}
	}
}

func TestTrim(t *testing.T) {
	t.Parallel()
	const frame = media.FrameSamples
	talk := func(from, to int) func(c, i int) float64 {
		return func(_, i int) float64 {
			if i >= from*frame && i < to*frame {
				return tone(500, 8000, 0.3)(0, i)
			}
			return tone(60, 8000, 0.001)(0, i) // hum
		}
	}
	click := func(c, i int) float64 {
		if i == 5*frame+10 {
			return 0.9
		}
		return talk(50, 100)(c, i)
	}
	secondOnly := func(c, i int) float64 {
		if c == 0 {
			return 0
		}
		return talk(50, 100)(c, i)
	}
	tests := map[string]struct {
		channels int
		at       func(c, i int) float64
		frames   int // of the copy
	}{
		"in the middle":         {1, talk(50, 100), 60},
		"from the start":        {1, talk(0, 100), 105},
		"to the end":            {1, talk(50, 200), 155},
		"all of it":             {1, talk(0, 200), 200},
		"silence":               {1, talk(0, 0), 0},
		"one frame is a click":  {1, talk(50, 51), 0},
		"after a click":         {1, click, 60},
		"two channels":          {2, talk(50, 100), 60},
		"one talks, one is off": {2, secondOnly, 60},
	}
	for name, tt := range tests {
		s := spec{encoding: PCM, bits: 16, rate: 8000, channels: tt.channels}
		var m memory
		d, err := Trim(&m, bytes.NewReader(s.file(200*frame, tt.at)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if want := time.Duration(tt.frames) * media.FrameDuration; d != want {
			t.Errorf("%s: %v left, want %v", name, d, want)
		}
		if _, have, err := Inspect(bytes.NewReader(m.b)); err != nil || have != d {
			t.Errorf("%s: the copy has %v, %v", name, have, err)
		}
	}
}

func TestTrimKeepsTheSamples(t *testing.T) {
	t.Parallel()
	s := spec{encoding: PCM, bits: 16, rate: 8000, channels: 2}
	at := func(c, i int) float64 {
		if i < 3200 || i >= 9677 {
			return 0
		}
		return 0.3 * float64((i*7+c*13)%100-50) / 50
	}
	file := append(s.file(16003, at), chunk("LIST", []byte("not sound"))...)
	var m memory
	d, err := Trim(&m, bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	from := 3200 - trimMargin*media.FrameSamples
	n := int(d / (time.Second / media.SampleRate))
	if !bytes.Equal(m.b[44:], file[44+4*from:44+4*(from+n)]) {
		t.Fatal("the copy's samples are not the original's")
	}
}

func TestTrimRefuses(t *testing.T) {
	t.Parallel()
	for _, s := range []spec{{PCM, 8, 8000, 1, false}, {PCM, 16, 16000, 1, false}, {PCM, 16, 8000, 3, false}, {ULaw, 8, 8000, 1, false}} {
		if _, err := Trim(&memory{}, bytes.NewReader(s.file(100, tone(500, 8000, 0.5)))); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%+v: %v", s, err)
		}
	}
	full := errors.New("no space left on device")
	s := spec{encoding: PCM, bits: 16, rate: 8000, channels: 1}
	if _, err := Trim(&memory{fail: full}, bytes.NewReader(s.file(100, tone(500, 8000, 0.5)))); !errors.Is(err, full) {
		t.Errorf("disk full: %v", err)
	}
}

// FuzzTrim gives any samples to Trim: the copy is as long as it says, no longer than
// the original, and a part of it.
func FuzzTrim(f *testing.F) {
	s := spec{encoding: PCM, bits: 16, rate: 8000, channels: 1}
	f.Add([]byte{}, false, uint8(0))
	f.Add(s.data(1600, tone(500, 8000, 0.5)), false, uint8(0))
	f.Add(s.data(1603, tone(500, 8000, 0.5)), true, uint8(12))
	f.Add([]byte{0xff, 0x7f, 0, 0x80, 1}, true, uint8(255))
	f.Fuzz(func(t *testing.T, b []byte, stereo bool, quiet uint8) {
		s := spec{encoding: PCM, bits: 16, rate: 8000, channels: 1}
		if stereo {
			s.channels = 2
		}
		silence := make([]byte, int(quiet)*media.FrameSamples*2)
		samples := slices.Concat(silence, b, silence)
		samples = samples[:len(samples)/(2*s.channels)*2*s.channels]
		var m memory
		d, err := Trim(&m, bytes.NewReader(riff(s.fmtChunk(), chunk("data", samples))))
		if err != nil {
			t.Fatal(err)
		}
		if _, have, err := Inspect(bytes.NewReader(m.b)); err != nil || have != d {
			t.Fatalf("the copy of %v has %v, %v", d, have, err)
		}
		if len(m.b) > 44+len(samples) || !bytes.Contains(samples, m.b[44:]) {
			t.Fatalf("%d bytes are no part of the original's %d", len(m.b)-44, len(samples))
		}
	})
}

var _ io.ReadWriteSeeker = (*memory)(nil)

// BenchmarkWriter is 20 ms of a recording in stereo on its way into a file, once a
// second the file's own writing.
func BenchmarkWriter(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "a.wav"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	w, err := NewWriter(f, 2)
	if err != nil {
		b.Fatal(err)
	}
	frame := make([]int16, 2*media.FrameSamples)
	for i := range frame {
		frame[i] = int16(i * 50)
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if n++; n%(50*60) == 0 { // a minute is enough for the disk
			w.size = 0
		}
		if err := w.WriteSamples(frame); err != nil {
			b.Fatal(err)
		}
	}
}
