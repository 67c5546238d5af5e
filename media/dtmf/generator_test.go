package dtmf

import (
	"errors"
	"flag"
	"math"
	"strings"
	"testing"
	"time"

	"callbox/media"
	"callbox/media/mediatest"
)

var update = flag.Bool("update", false, "write the golden sounds of testdata anew")

func TestFrequencies(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		digit       byte
		row, column float64
	}{{'1', 697, 1209}, {'3', 697, 1477}, {'A', 697, 1633}, {'5', 770, 1336}, {'9', 852, 1477}, {'*', 941, 1209}, {'0', 941, 1336}, {'#', 941, 1477}, {'D', 941, 1633}} {
		row, column, ok := Frequencies(tt.digit)
		if !ok || row != tt.row || column != tt.column {
			t.Errorf("%c: %v %v %v", tt.digit, row, column, ok)
		}
	}
	for _, digit := range []byte("EwW a+ \x00") {
		if _, _, ok := Frequencies(digit); ok || Valid(digit) {
			t.Errorf("%q is no key", digit)
		}
	}
}

func TestClipHasExactLevelsAndTimes(t *testing.T) {
	t.Parallel()
	for i := range len(keys) {
		c, err := New(keys[i:i+1]+"5", Config{On: 80 * ms, Off: 45 * ms, Low: -11, High: -9})
		if err != nil {
			t.Fatal(err)
		}
		if c.Duration() != 250*ms {
			t.Fatalf("duration %v", c.Duration())
		}
		got := readAll(t, c)
		if len(got) != 13*media.FrameSamples { // 250 ms, the last frame is filled up
			t.Fatalf("%d samples", len(got))
		}
		on, off := media.SamplesIn(80*ms), media.SamplesIn(45*ms)
		row, column, _ := Frequencies(keys[i])
		if l := media.ToneLevel(got[:on], row); math.Abs(l+11) > 0.3 {
			t.Errorf("key %c: low tone at %.2f dBm0, want -11", keys[i], l)
		}
		if l := media.ToneLevel(got[:on], column); math.Abs(l+9) > 0.3 {
			t.Errorf("key %c: high tone at %.2f dBm0, want -9", keys[i], l)
		}
		if l := media.DBm0(got[:on]); math.Abs(l+6.88) > 0.2 {
			t.Errorf("key %c: both at %.2f dBm0, want -6.88", keys[i], l)
		}
		if l := media.DBm0(got[on : on+off]); l != media.SilenceLevel {
			t.Errorf("key %c: pause at %.2f dBm0", keys[i], l)
		}
		if got[on-1] == 0 && got[on-2] == 0 || got[on+off+1] == 0 {
			t.Errorf("key %c: the tone does not fill its time", keys[i])
		}
	}
}

func TestClipPauses(t *testing.T) {
	t.Parallel()
	c, err := New("w1Wd", Config{})
	if err != nil {
		t.Fatal(err)
	}
	if c.Duration() != 1900*ms {
		t.Fatalf("duration %v", c.Duration())
	}
	got := readAll(t, c)
	for _, part := range []struct {
		from, to time.Duration
		sounds   bool
	}{{0, 500 * ms, false}, {500 * ms, 600 * ms, true}, {600 * ms, 1700 * ms, false}, {1700 * ms, 1800 * ms, true}, {1800 * ms, 1900 * ms, false}} {
		l := media.DBm0(got[media.SamplesIn(part.from):media.SamplesIn(part.to)])
		if part.sounds != (l > -10) || !part.sounds && l != media.SilenceLevel {
			t.Errorf("from %v to %v: %.1f dBm0", part.from, part.to, l)
		}
	}
	if found := detect(got); found != "1D" {
		t.Errorf("detected %q", found)
	}
}

func TestClipRewindsAndEnds(t *testing.T) {
	t.Parallel()
	c, err := New("12", Config{})
	if err != nil {
		t.Fatal(err)
	}
	var f media.Frame
	for range 3 {
		first := readAll(t, c)
		if c.ReadFrame(&f) {
			t.Fatal("more after the end")
		}
		c.Rewind()
		if second := readAll(t, c); len(first) != len(second) || detect(second) != "12" {
			t.Fatalf("%d samples, then %d", len(first), len(second))
		}
		c.Rewind()
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for _, digits := range []string{"", "12x", "1 2", "e", "é", strings.Repeat("1", MaxDigits+1)} {
		if _, err := New(digits, Config{}); !errors.Is(err, ErrDigits) {
			t.Errorf("%q: %v", digits, err)
		}
	}
	for _, c := range []Config{{On: ms}, {On: time.Minute}, {Off: -1}, {Off: time.Minute}, {Low: 1}, {High: -70}} {
		if _, err := New("1", c); err == nil || errors.Is(err, ErrDigits) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// What the generator sends by default is heard through the whole keypad.
func TestGeneratorToDetector(t *testing.T) {
	t.Parallel()
	for _, c := range []Config{{}, {On: 50 * ms, Off: 50 * ms}, {On: 40 * ms, Off: 40 * ms, Low: -22, High: -20}} {
		clip, err := New(keys, c)
		if err != nil {
			t.Fatal(err)
		}
		if got := detect(readAll(t, clip)); got != keys {
			t.Errorf("%+v: got %q", c, got)
		}
	}
}

// TestGoldenKeys: the keys sound as they did, and what is kept of that sound is heard as
// the keys, with the two frequencies of each at their levels.
func TestGoldenKeys(t *testing.T) {
	t.Parallel()
	clip, err := New(keys, Config{On: 50 * ms, Off: 50 * ms})
	if err != nil {
		t.Fatal(err)
	}
	golden := mediatest.Golden(t, "testdata/keys.wav", readAll(t, clip), *update)
	if got := detect(golden); got != keys {
		t.Errorf("the file is heard as %q, want %q", got, keys)
	}
	for i := range len(keys) {
		at := golden[media.SamplesIn(time.Duration(i)*100*ms):][:media.SamplesIn(50*ms)]
		row, column, _ := Frequencies(keys[i])
		low, high := media.ToneLevel(at, row), media.ToneLevel(at, column)
		if math.Abs(low-defaultLow) > 0.4 || math.Abs(high-defaultHigh) > 0.4 {
			t.Errorf("key %c of the file: %.1f and %.1f dBm0", keys[i], low, high)
		}
	}
}

func TestClipDoesNotAllocate(t *testing.T) {
	c, err := New("1w2W3", Config{})
	if err != nil {
		t.Fatal(err)
	}
	var f media.Frame
	if n := testing.AllocsPerRun(200, func() {
		if !c.ReadFrame(&f) {
			c.Rewind()
		}
	}); n != 0 {
		t.Fatalf("%v allocations per frame", n)
	}
}

func BenchmarkClip(b *testing.B) {
	c, err := New("1234567890*#ABCD", Config{})
	if err != nil {
		b.Fatal(err)
	}
	var f media.Frame
	b.ReportAllocs()
	for b.Loop() {
		if !c.ReadFrame(&f) {
			c.Rewind()
		}
	}
}
