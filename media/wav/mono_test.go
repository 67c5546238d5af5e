package wav

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"
)

// stereoFile is a file of n samples: 10, 20, 30 … on the left, 1 on the right.
func stereoFile(t *testing.T, n int) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "a.wav"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	w, err := NewWriter(f, 2)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if err := w.WriteSamples([]int16{int16(10 * (i + 1)), 1}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestMono(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 2999} {
		m, err := Mono(stereoFile(t, n))
		if err != nil {
			t.Fatal(err)
		}
		all, err := io.ReadAll(m)
		if err != nil || len(all) != headerBytes+2*n {
			t.Fatalf("%d samples: %d bytes, %v", n, len(all), err)
		}
		f, read, err := readHeader(bytes.NewReader(all))
		if err != nil || f.Channels != 1 || max(f.Size, 0) != int64(2*n) || read != headerBytes {
			t.Fatalf("%v %d %v", f, read, err)
		}
		for i := range n {
			if got := int16(binary.LittleEndian.Uint16(all[headerBytes+2*i:])); got != int16(10*(i+1)+1) {
				t.Fatalf("sample %d is %d", i, got)
			}
		}
		// Any part of it, as Range requests ask for.
		r := rand.New(rand.NewPCG(1, 2))
		for range 200 {
			at := r.IntN(len(all) + 1)
			part := make([]byte, r.IntN(len(all)-at+1))
			if _, err := m.Seek(int64(at), io.SeekStart); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(m, part); err != nil || !bytes.Equal(part, all[at:at+len(part)]) {
				t.Fatalf("%d bytes from %d differ: %v", len(part), at, err)
			}
		}
		if _, err := m.Seek(0, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		if err := iotest.TestReader(m, all); err != nil {
			t.Error(err)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestMonoRefuses(t *testing.T) {
	t.Parallel()
	f, err := os.Create(filepath.Join(t.TempDir(), "a.wav"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := NewWriter(f, 1); err != nil {
		t.Fatal(err)
	}
	f.Seek(0, io.SeekStart)
	if _, err := Mono(f); !errors.Is(err, ErrUnsupported) {
		t.Errorf("a file of one channel: %v", err)
	}
}
