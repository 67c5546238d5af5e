package wav

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"callbox/media"
	"callbox/media/codec"
)

// closer is a reader that notes its Close; Read of a hanging one blocks until then.
type closer struct {
	io.Reader
	hang   chan struct{} // nil: does not hang
	closed int
}

func (c *closer) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if n == 0 && c.hang != nil {
		<-c.hang
		return 0, os.ErrClosed
	}
	return n, err
}

func (c *closer) Close() error {
	c.closed++
	if c.hang != nil {
		close(c.hang)
	}
	return nil
}

// play reads a clip at the pace of its decoder, up to a deadline.
func playAll(t *testing.T, c *Clip) []media.Frame {
	t.Helper()
	var out []media.Frame
	pace := time.NewTicker(time.Millisecond)
	defer pace.Stop()
	deadline := time.After(2 * time.Minute)
	for {
		for len(c.frames) == 0 {
			select {
			case <-c.done:
			case <-pace.C:
				continue
			case <-deadline:
				t.Fatal("the clip does not end")
			}
			break
		}
		var f media.Frame
		if !c.ReadFrame(&f) {
			return out
		}
		out = append(out, f)
	}
}

func TestClipPlaysExactFrames(t *testing.T) {
	t.Parallel()
	s := spec{encoding: PCM, bits: 16, rate: 8000, channels: 1}
	for _, n := range []int{0, 1, 159, 160, 161, 1600, 40000, 40001} {
		want := samplesOf(s.data(n, tone(500, 8000, 0.5)))
		src := &closer{Reader: bytes.NewReader(s.file(n, tone(500, 8000, 0.5)))}
		c, err := NewClip(src)
		if err != nil {
			t.Fatal(err)
		}
		var got []int16
		for _, f := range playAll(t, c) {
			got = append(got, f[:]...)
		}
		if len(got) != (n+159)/160*160 || !slices.Equal(got[:n], want) || media.DBm0(got[n:]) != media.SilenceLevel {
			t.Errorf("%d samples: got %d", n, len(got))
		}
		var f media.Frame
		if a, b := c.ReadFrame(&f), c.ReadFrame(&f); a || b {
			t.Errorf("%d samples: more after the end", n)
		}
		if err := errors.Join(c.Close(), c.Close(), c.Err()); err != nil || src.closed != 1 || c.Underruns() != 0 {
			t.Errorf("%d samples: closed %d times, %d underruns, %v", n, src.closed, c.Underruns(), err)
		}
	}
}

func TestClipClosedEarly(t *testing.T) {
	t.Parallel()
	s := spec{encoding: PCM, bits: 16, rate: 8000, channels: 1}
	src := &closer{Reader: bytes.NewReader(s.file(80000, tone(500, 8000, 0.5)))}
	c, err := NewClip(src)
	if err != nil {
		t.Fatal(err)
	}
	var f media.Frame
	if !c.ReadFrame(&f) {
		t.Fatal("no first frame")
	}
	if err := c.Close(); err != nil { // the goroutine waits in a full channel
		t.Fatal(err)
	}
	if len(c.frames) > aheadFrames {
		t.Fatalf("%d frames ahead", len(c.frames))
	}
}

func TestClipIsSilentWhileItsSourceHangs(t *testing.T) {
	t.Parallel()
	s := spec{encoding: PCM, bits: 16, rate: 8000, channels: 1}
	src := &closer{Reader: bytes.NewReader(s.file(80000, tone(500, 8000, 0.5))[:44+2*160*firstFrames]), hang: make(chan struct{})}
	c, err := NewClip(src)
	if err != nil {
		t.Fatal(err)
	}
	var f media.Frame
	for i := range firstFrames + 5 {
		if !c.ReadFrame(&f) {
			t.Fatalf("frame %d: the clip ended", i)
		}
		if silent := media.DBm0(f[:]) == media.SilenceLevel; silent != (i >= firstFrames) {
			t.Fatalf("frame %d: silent %v", i, silent)
		}
	}
	if c.Underruns() != 5 {
		t.Fatalf("%d underruns, want 5", c.Underruns())
	}
	if err := c.Close(); err != nil { // ends the hanging read
		t.Fatal(err)
	}
	if !errors.Is(c.Err(), os.ErrClosed) {
		t.Fatalf("Err: %v", c.Err())
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	good := filepath.Join(dir, "good.wav")
	bad := filepath.Join(dir, "bad.wav")
	s := spec{encoding: ALaw, bits: 8, rate: 16000, channels: 2}
	if err := errors.Join(
		os.WriteFile(good, s.file(16000, tone(1000, 16000, 0.5)), 0o600),
		os.WriteFile(bad, []byte("no sound"), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	c, err := Open(good)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(playAll(t, c)); n != 50 {
		t.Errorf("a second has %d frames", n)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if _, err := Open(bad); !errors.Is(err, ErrNotWAV) {
		t.Errorf("bad: %v", err)
	}
	if _, err := Open(filepath.Join(dir, "none.wav")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("none: %v", err)
	}
	src := &closer{Reader: bytes.NewReader([]byte("no sound"))}
	if _, err := NewClip(src); !errors.Is(err, ErrNotWAV) || src.closed != 1 {
		t.Errorf("closed %d times, %v", src.closed, err)
	}
}

func TestULawClip(t *testing.T) {
	t.Parallel()
	coded := bytes.Repeat([]byte{codec.PCMU.Silence()}, 8000)
	c := NewULawClip(io.NopCloser(bytes.NewReader(coded)))
	if n := len(playAll(t, c)); n != 50 {
		t.Errorf("%d frames", n)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func TestClipReadDoesNotAllocate(t *testing.T) {
	s := spec{encoding: PCM, bits: 16, rate: 8000, channels: 1}
	c, err := NewClip(io.NopCloser(bytes.NewReader(s.file(160*firstFrames, tone(500, 8000, 0.5)))))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var f media.Frame
	if n := testing.AllocsPerRun(firstFrames*2, func() { c.ReadFrame(&f) }); n != 0 {
		t.Fatalf("%v allocations per frame", n)
	}
}

func TestClipSkip(t *testing.T) {
	t.Parallel()
	s := spec{encoding: PCM, bits: 16, rate: 8000, channels: 1}
	const n = 40000
	want := samplesOf(s.data(n, tone(500, 8000, 0.5)))
	c, err := NewClip(io.NopCloser(bytes.NewReader(s.file(n, tone(500, 8000, 0.5)))))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.Skip(t.Context(), 200)
	var got []int16
	for _, f := range playAll(t, c) {
		got = append(got, f[:]...)
	}
	if !slices.Equal(got, want[200*160:]) {
		t.Errorf("%d samples are left of %d", len(got), n)
	}
	c.Skip(t.Context(), 1) // behind the end
	hangs := &closer{Reader: bytes.NewReader(s.file(n, tone(500, 8000, 0.5))[:20000]), hang: make(chan struct{})}
	if c, err = NewClip(hangs); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	c.Skip(ctx, 200)
	c.Close()
}

// endless is a sound file that begins once and whose sound comes again and again.
type endless struct {
	head, sound []byte
	left        []byte
}

func (e *endless) Read(p []byte) (int, error) {
	if len(e.left) == 0 {
		e.left, e.head = e.head, nil
		if len(e.left) == 0 {
			e.left = e.sound
		}
	}
	n := copy(p, e.left)
	e.left = e.left[n:]
	return n, nil
}

func (*endless) Close() error { return nil }

// BenchmarkClip is 20 ms of a sound file that plays: read, decoded and brought to
// 8 kHz by the clip's goroutine, and handed over.
func BenchmarkClip(b *testing.B) {
	for name, s := range map[string]spec{
		"pcm-8000": {PCM, 16, 8000, 1, false}, "ulaw-8000": {ULaw, 8, 8000, 1, false}, "pcm-stereo-44100": {PCM, 16, 44100, 2, false},
	} {
		b.Run(name, func(b *testing.B) {
			head := riff(s.fmtChunk(), append([]byte("data"), le32(nil, -1)...))
			c, err := NewClip(&endless{head: head, sound: s.data(s.rate, tone(500, s.rate, 0.5))})
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			c.Skip(b.Context(), 2*aheadFrames) // what it had decoded ahead, and a time to grow
			b.ReportAllocs()
			for b.Loop() {
				c.Skip(b.Context(), 1) // waits for the frame, which ReadFrame would not
			}
			if err := c.Err(); err != nil {
				b.Fatal(err)
			}
		})
	}
}
