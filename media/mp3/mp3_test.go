package mp3_test

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"testing"
	"time"

	"callbox/media"
	"callbox/media/mp3"
	"callbox/media/wav"
)

func music(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/music.mp3")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestSentence compares a decoded sentence with its original: MPEG-1, and MPEG-2 of the
// two rates that the decoder has right.
func TestSentence(t *testing.T) {
	f, err := os.Open("testdata/music.wav")
	if err != nil {
		t.Fatal(err)
	}
	want, err := wav.Decode(f, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for name, least := range map[string]float64{"music.mp3": 0.9, "music16.mp3": 0.9, "music24.mp3": 0.9} {
		b, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		r, err := mp3.NewReader(io.NopCloser(bytes.NewReader(b)))
		if err != nil {
			t.Fatal(err)
		}
		got, err := wav.Decode(r, time.Minute)
		if err != nil || r.Close() != nil {
			t.Fatal(err)
		}
		// The whole of it but the end, where a wrong frame would have spoiled the rest.
		best := 0.0
		for offset := 0; offset < 2000; offset++ { // an encoder begins with silence
			if c := alike(got[min(offset, len(got)):], want[:16000]); c > best {
				best = c
			}
		}
		if best < least {
			t.Errorf("%s is like the original by %.2f only", name, best)
		}
	}
}

// alike is the correlation of two sounds.
func alike(a, b []int16) float64 {
	n := min(len(a), len(b))
	var ab, aa, bb float64
	for i := range n {
		x, y := float64(a[i]), float64(b[i])
		ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
	}
	return ab / math.Sqrt(aa*bb+1)
}

func TestIs(t *testing.T) {
	for begin, want := range map[string]bool{"ID3\x04": true, "\xff\xfb\x90": true, "\xff\xf3\x90": true, "RIFF": false, "\xff": false, "": false, "\xff\xf9\x90": false} {
		if mp3.Is([]byte(begin)) != want {
			t.Errorf("%q", begin)
		}
	}
	if !mp3.Is(music(t)[:mp3.Sniff]) {
		t.Error("the sound is not known")
	}
}

type closer struct {
	io.Reader
	closed bool
}

func (c *closer) Close() error { c.closed = true; return nil }

func TestBroken(t *testing.T) {
	low, err := os.ReadFile("testdata/low.mp3")
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range [][]byte{nil, low, []byte("ID3"), bytes.Repeat([]byte("no sound "), 1000)} {
		src := &closer{Reader: bytes.NewReader(b)}
		if _, err := mp3.NewReader(src); !errors.Is(err, mp3.ErrSound) || !src.closed {
			t.Errorf("%d bytes: %v, closed %v", len(b), err, src.closed)
		}
	}
}

// FuzzReader: no sound panics or goes on for ever.
func FuzzReader(f *testing.F) {
	b := music(f)
	f.Add(b[:2000])
	f.Add(append([]byte("ID3\x04\x00\x00\x00\x00\x00\x00"), b[:1000]...))
	f.Add(b[500:1500])
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := mp3.NewReader(io.NopCloser(bytes.NewReader(b)))
		if err != nil {
			return
		}
		// 26 ms take 24 bytes at least (8 kbit/s): 4,608 bytes of samples.
		n, _ := io.Copy(io.Discard, r)
		if n > int64(headerBytes+len(b)*4608/20+2*4608) {
			t.Errorf("%d bytes became %d", len(b), n)
		}
	})
}

// repeated plays a sound again and again, as it is for a call.
type repeated struct {
	file []byte
	r    *wav.Reader
}

// frame reads 20 ms.
func (p *repeated) frame(f *media.Frame) error {
	for n := 0; n < len(f); {
		if p.r == nil {
			dec, err := mp3.NewReader(io.NopCloser(bytes.NewReader(p.file)))
			if err != nil {
				return err
			}
			if p.r, err = wav.NewReader(dec); err != nil {
				return err
			}
		}
		k, err := p.r.Read(f[n:])
		n += k
		switch {
		case errors.Is(err, io.EOF):
			p.r = nil
		case err != nil:
			return err
		}
	}
	return nil
}

// BenchmarkReader is 20 ms of a sound that plays: decoded and brought to 8 kHz. It is
// opened anew every three seconds.
func BenchmarkReader(b *testing.B) {
	for _, name := range []string{"music.mp3", "music16.mp3"} {
		b.Run(name, func(b *testing.B) {
			file, err := os.ReadFile("testdata/" + name)
			if err != nil {
				b.Fatal(err)
			}
			p := &repeated{file: file}
			var f media.Frame
			b.ReportAllocs()
			for b.Loop() {
				if err := p.frame(&f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

const headerBytes = 44
