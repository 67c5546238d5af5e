package wal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

const owner = 7

func open(t testing.TB, path string, size int64) *Log {
	t.Helper()
	l, err := Open(path, size)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func add(t testing.TB, l *Log, texts ...string) {
	t.Helper()
	for _, s := range texts {
		if _, _, err := l.Append([]byte(s)); err != nil {
			t.Fatal(err)
		}
	}
}

// texts gives the entries as "number text".
func texts(t testing.TB, l *Log) []string {
	t.Helper()
	list, err := l.Entries(owner, false)
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, e := range list {
		out = append(out, fmt.Sprintf("%d %s", e.Number, e.Data))
	}
	return out
}

func equal(t *testing.T, l *Log, want ...string) {
	t.Helper()
	if got := texts(t, l); !slices.Equal(got, want) {
		t.Errorf("it holds %q, want %q", got, want)
	}
}

func TestAppendAndRead(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	l := open(t, path, 8*BlockSize)
	equal(t, l)
	l.Rewind(owner, 0)
	long := string(bytes.Repeat([]byte("x"), BlockSize))
	add(t, l, "a", "", long)
	if l.Used() != 4*BlockSize {
		t.Errorf("%d bytes used", l.Used())
	}
	equal(t, l, "1 a", "2 ", "3 "+long)
	equal(t, open(t, path, 0), "1 a", "2 ", "3 "+long)
	if e, err := l.Entries(8, false); err != nil || len(e) != 0 {
		t.Errorf("of another owner: %v, %v", e, err)
	}
	if e, err := l.Entries(8, true); err != nil || len(e) != 3 {
		t.Errorf("of anybody: %v, %v", e, err)
	}
	if n, size, err := l.Append([]byte("b")); n != 4 || size != BlockSize || err != nil {
		t.Errorf("number %d, %d bytes, %v", n, size, err)
	}
}

func TestFullAndRewind(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	l := open(t, path, 3*BlockSize)
	l.Rewind(owner, 41)
	add(t, l, "a", "b", "c")
	if _, _, err := l.Append(nil); !errors.Is(err, ErrFull) {
		t.Errorf("append to a full log: %v", err)
	}
	equal(t, l, "42 a", "43 b", "44 c")
	l.Rewind(owner, 43)
	equal(t, l, "42 a", "43 b", "44 c") // nothing is given up before it is replaced
	add(t, l, "d")
	equal(t, l, "45 d")
	add(t, l, "e")
	equal(t, open(t, path, 0), "45 d", "46 e")
	info, err := os.Stat(path)
	if err != nil || info.Size() != 3*BlockSize || info.Mode().Perm() != 0o600 {
		t.Errorf("file %v, %v", info, err)
	}
	if _, _, err := l.Append(make([]byte, 3*BlockSize)); !errors.Is(err, ErrFull) {
		t.Errorf("an entry larger than the log: %v", err)
	}
}

// Whatever byte of the file changes, what comes before it is there and nothing
// wrong comes after it.
func TestDamage(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	l := open(t, path, 4*BlockSize)
	l.Rewind(owner, 0)
	add(t, l, "alpha", "beta", "gamma")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	all := texts(t, l)
	bad := filepath.Join(t.TempDir(), "bad")
	for block := range 3 {
		for at := range headerSize + 5 {
			data := slices.Clone(whole)
			data[block*BlockSize+at] ^= 0x10
			if err := os.WriteFile(bad, data, 0o600); err != nil {
				t.Fatal(err)
			}
			d := open(t, bad, 0)
			want := all[:block]
			if block == 1 && at == headerSize+4 {
				want = all // behind "beta"
			}
			if got := texts(t, d); !slices.Equal(got, want) {
				t.Errorf("byte %d of block %d: %q", at, block, got)
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for size := range int64(len(whole)/512) + 1 {
		if err := os.WriteFile(bad, whole[:size*512], 0o600); err != nil {
			t.Fatal(err)
		}
		d := open(t, bad, 0)
		if got, n := texts(t, d), min(int(size*512/BlockSize), 3); n >= minBlocks && !slices.Equal(got, all[:n]) {
			t.Errorf("cut to %d bytes: %q", size*512, got)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := Open(filepath.Join(dir, "none", "log"), 0); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("in no folder: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "log.new"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	equal(t, open(t, filepath.Join(dir, "log"), 0))
	if _, err := os.Stat(filepath.Join(dir, "log.new")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what was left behind: %v", err)
	}
	l := open(t, filepath.Join(dir, "log"), 0)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := l.Append(nil); !errors.Is(err, os.ErrClosed) {
		t.Errorf("append to a closed log: %v", err)
	}
	if _, err := l.Entries(owner, false); !errors.Is(err, os.ErrClosed) {
		t.Errorf("entries of a closed log: %v", err)
	}
}

// FuzzEntries reads files with anything in them.
func FuzzEntries(f *testing.F) {
	path := filepath.Join(f.TempDir(), "log")
	l := open(f, path, 3*BlockSize)
	l.Rewind(owner, 0)
	add(f, l, "alpha", "beta")
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:BlockSize+10])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		l := open(t, path, 0)
		for _, anybody := range []bool{false, true} {
			list, err := l.Entries(owner, anybody)
			if err != nil {
				t.Fatal(err)
			}
			for i, e := range list {
				if len(e.Data) > len(data) || (i > 0 && e.Number != list[i-1].Number+1) {
					t.Errorf("entry %d of %d bytes", e.Number, len(e.Data))
				}
			}
		}
	})
}
