package mediatest

import (
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"callbox/media/wav"
)

// GoldenSNR is how far below a golden file its difference from a sound must be, in dB.
const GoldenSNR = 40.0

// Golden gives the sound of a WAV file, at most a minute, and fails unless made is as
// long as it and differs from it by no more than [GoldenSNR] allows. With update it
// writes made into the file first.
func Golden(t testing.TB, path string, made []int16, update bool) []int16 {
	t.Helper()
	if update {
		write(t, path, made)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // it is only read
	golden, err := wav.Decode(f, time.Minute)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if len(made) != len(golden) {
		t.Errorf("%s holds %d samples, %d were made", path, len(golden), len(made))
		return golden
	}
	if r := SNR(golden, made); r < GoldenSNR {
		t.Errorf("what was made differs from %s: %.1f dB of signal to noise, want at least %.0f", path, r, GoldenSNR)
	}
	return golden
}

// SNR is the power of want above that of its difference from got, which is as long, in
// dB; +Inf when there is none.
func SNR(want, got []int16) float64 {
	var signal, noise float64
	for i, v := range want {
		d := float64(got[i]) - float64(v)
		signal += float64(v) * float64(v)
		noise += d * d
	}
	if noise == 0 {
		return math.Inf(1)
	}
	return 10 * math.Log10(signal/noise)
}

func write(t testing.TB, path string, sound []int16) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := wav.NewWriter(f, 1)
	if err == nil {
		err = w.WriteSamples(sound)
	}
	if err == nil {
		err = w.Close()
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatalf("write %s: %v", path, err)
	}
}
