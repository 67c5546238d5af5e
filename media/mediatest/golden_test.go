package mediatest

import (
	"math"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
)

// judge is a test that is judged instead of failing.
type judge struct {
	testing.TB
	failed bool
}

func (j *judge) Helper()               {}
func (j *judge) Errorf(string, ...any) { j.failed = true }
func (j *judge) Fatal(...any)          { j.failed = true; runtime.Goexit() }
func (j *judge) Fatalf(string, ...any) { j.failed = true; runtime.Goexit() }

// TestGolden: a sound passes as itself and with a difference 46 dB below it, but not
// with one 34 dB below it, shorter, or without a file.
func TestGolden(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sounds", "a.wav")
	sound := make([]int16, 4000)
	for i := range sound {
		sound[i] = int16(8000 * math.Sin(float64(i)/3))
	}
	off := func(dB float64) []int16 {
		s := slices.Clone(sound)
		for i := range s {
			s[i] += int16(math.Round(8000 * math.Pow(10, -dB/20) * math.Cos(float64(i)/3)))
		}
		return s
	}
	for _, tt := range []struct {
		name         string
		made         []int16
		update, fail bool
	}{
		{"no file", sound, false, true},
		{"written", sound, true, false},
		{"the same", sound, false, false},
		{"46 dB", off(46), false, false},
		{"34 dB", off(34), false, true},
		{"shorter", sound[1:], false, true},
	} {
		j := &judge{TB: t}
		var got []int16
		done := make(chan struct{})
		go func() { // Fatal ends it
			defer close(done)
			got = Golden(j, path, tt.made, tt.update)
		}()
		<-done
		if j.failed != tt.fail {
			t.Errorf("%s: failed %v, want %v", tt.name, j.failed, tt.fail)
		}
		if tt.name != "no file" && !slices.Equal(got, sound) {
			t.Errorf("%s: %d samples are not those of the file", tt.name, len(got))
		}
	}
}
