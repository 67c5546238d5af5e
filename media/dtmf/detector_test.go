package dtmf

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"callbox/media"
	"callbox/media/codec"
)

const ms = time.Millisecond

// everyAlignment calls f with the offsets, in samples, that a press can have to
// the slices and frames, in steps of an odd number.
func everyAlignment(f func(offset time.Duration)) {
	for n := 0; n < media.FrameSamples; n += 7 {
		f(media.DurationOf(n))
	}
}

func TestDetectsEveryKeyOnce(t *testing.T) {
	t.Parallel()
	for _, press := range []time.Duration{50 * ms, 100 * ms, 3 * time.Second} {
		s := (&sound{}).pause(33 * ms)
		for i := range len(keys) {
			s.key(keys[i], press).pause(70 * ms)
		}
		if got := detect(s.samples()); got != keys {
			t.Errorf("presses of %v: got %q, want %q", press, got, keys)
		}
	}
}

func TestSameKeyAgainAndOtherKeyWithoutPause(t *testing.T) {
	t.Parallel()
	s := (&sound{}).key('5', 60*ms).pause(40*ms).key('5', 60*ms).pause(40*ms).key('5', 60*ms)
	if got := detect(s.samples()); got != "555" {
		t.Errorf("thrice the same: got %q", got)
	}
	s = (&sound{}).key('5', 60*ms).key('6', 60*ms).key('5', 60*ms)
	if got := detect(s.samples()); got != "565" {
		t.Errorf("without a pause: got %q", got)
	}
}

// ITU-T Q.24 annex A: 40 ms must be heard, what is shorter than 20…25 ms must
// not; pauses from 40 (NTT 30) ms separate, interruptions below 10 ms do not.
func TestTiming(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		make func(s *sound)
		want string
	}{
		{"40 ms press", func(s *sound) { s.key('7', 40*ms) }, "7"},
		{"23 ms press", func(s *sound) { s.key('7', 23*ms) }, ""},
		{"15 ms press", func(s *sound) { s.key('7', 15*ms) }, ""},
		{"30 ms pause", func(s *sound) { s.key('7', 50*ms).pause(35*ms).key('7', 50*ms) }, "77"},
		{"10 ms interruption", func(s *sound) { s.key('7', 60*ms).pause(10*ms).key('7', 60*ms) }, "7"},
	}
	for _, tt := range tests {
		everyAlignment(func(offset time.Duration) {
			s := (&sound{}).pause(20*ms + offset)
			tt.make(s)
			if got := detect(s.pause(60 * ms).samples()); got != tt.want {
				t.Errorf("%s at offset %v: got %q, want %q", tt.name, offset, got, tt.want)
			}
		})
	}
}

func TestLevelAndTwist(t *testing.T) {
	t.Parallel()
	tests := []struct {
		lo, hi float64 // dBm0
		want   bool
	}{
		{0, 0, true}, {-3, -3, true}, {-10, -10, true}, {-25, -25, true}, {-26, -26, true},
		{-31, -31, false}, {-55, -55, false},
		{-10, -6, true}, {-14, -10, true}, {-20, -16, true}, // high group stronger
		{-6, -14, true}, {-10, -18, true}, {-17, -25, true}, // low group stronger
		{-20, -11, false}, {-6, -19, false},
		{-10, -100, false}, {-100, -10, false},
	}
	for _, tt := range tests {
		for i := range len(keys) {
			row, column, _ := Frequencies(keys[i])
			s := (&sound{}).pause(23*ms).dual(row, column, tt.lo, tt.hi, 60*ms).pause(50 * ms)
			want := ""
			if tt.want {
				want = keys[i : i+1]
			}
			if got := detect(s.samples()); got != want {
				t.Errorf("key %c, low %v high %v dBm0: got %q, want %q", keys[i], tt.lo, tt.hi, got, want)
			}
		}
	}
}

// ITU-T Q.24: ±(1.5 % + 2 Hz) must be heard, beyond ±3.5 % must not.
func TestFrequencyTolerance(t *testing.T) {
	t.Parallel()
	offsets := []func(hz float64) float64{
		func(hz float64) float64 { return hz },
		func(hz float64) float64 { return hz*1.015 + 2 },
		func(hz float64) float64 { return hz*0.985 - 2 },
	}
	for i := range len(keys) {
		row, column, _ := Frequencies(keys[i])
		for a, lo := range offsets {
			for b, hi := range offsets {
				for _, press := range []time.Duration{40 * ms, 60 * ms} {
					s := (&sound{}).pause(27*ms).dual(lo(row), hi(column), -12, -10, press).pause(50 * ms)
					if got := detect(s.samples()); got != keys[i:i+1] {
						t.Errorf("key %c, offsets %d and %d, %v: got %q", keys[i], a, b, press, got)
					}
				}
			}
		}
		for _, off := range [][2]float64{{1.035, 1}, {0.965, 1}, {1, 1.035}, {1, 0.965}, {1.035, 1.035}, {0.965, 0.965}} {
			s := (&sound{}).pause(27*ms).dual(row*off[0], column*off[1], -12, -10, 100*ms).pause(50 * ms)
			if got := detect(s.samples()); got != "" {
				t.Errorf("key %c at %v of its frequencies: got %q", keys[i], off, got)
			}
		}
	}
}

func TestNoise(t *testing.T) {
	t.Parallel()
	digits := strings.Repeat(keys, 10)
	for _, tt := range []struct {
		snr    float64 // dB, dual tone (−7 dBm0) over white noise
		missed int     // of 160, at most
	}{{24, 0}, {18, 0}, {14, 1}} {
		s := (&sound{}).pause(31 * ms)
		for i := range len(digits) {
			s.key(digits[i], 50*ms).pause(50 * ms)
		}
		got := detect(s.noise(-7-tt.snr, 42).samples())
		if len(got) < len(digits)-tt.missed || len(got) > len(digits) {
			t.Errorf("SNR %v dB: heard %d of %d presses", tt.snr, len(got), len(digits))
		}
		if tt.missed == 0 && got != digits {
			t.Errorf("SNR %v dB: wrong digits %q", tt.snr, got)
		}
	}
	for _, level := range []float64{-40, -20, -10, -3} {
		quiet := (&sound{}).pause(60*time.Second).noise(level, 7)
		if got := detect(quiet.samples()); got != "" {
			t.Errorf("a minute of noise at %v dBm0: got %q", level, got)
		}
	}
}

// 2,400 presses of all keys, 50 ms each, at random levels and twists within Q.24,
// detuned by up to 1.5 %, in noise 15 dB below them: 99.9 % are heard, none is
// taken for another.
func TestValidDigitsInNoise(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(15, 99))
	const rounds, batch = 150, 16
	heard, all := 0, 0
	for round := range rounds {
		s := (&sound{}).pause(media.DurationOf(r.IntN(160)))
		base := -20 + 14*r.Float64() // of the weaker tone, one level to a batch: the noise has one
		for i := range batch {
			row, column, _ := Frequencies(keys[i])
			lo, hi := base, base
			if twist := 8*r.Float64() - 4; twist > 0 {
				hi += min(twist, 4)
			} else {
				lo -= twist
			}
			tune := func() float64 { return 1 + 0.03*(r.Float64()-0.5) }
			s.dual(row*tune(), column*tune(), lo, hi, 50*ms).pause(50*ms + media.DurationOf(r.IntN(160)))
		}
		got := detect(s.noise(base+3-15, uint64(round)).samples())
		all += batch
		heard += matching(got, keys)
		if len(got) > batch {
			t.Errorf("round %d: heard %q of %q", round, got, keys)
		}
	}
	share := 100 * float64(heard) / float64(all)
	t.Logf("%d of %d digits heard, %.2f %%", heard, all, share)
	if share < 99.9 {
		t.Errorf("%.2f %% of the digits were heard, want 99.9", share)
	}
}

// matching is how many letters got and want have in common in their order.
func matching(got, want string) int {
	n := 0
	for i := range len(want) {
		if at := strings.IndexByte(got, want[i]); at >= 0 {
			n++
			got = got[at+1:]
		}
	}
	return n
}

func TestThroughG711(t *testing.T) {
	t.Parallel()
	for _, c := range codec.All() {
		for _, level := range []float64{0, -10, -25} {
			s := (&sound{}).pause(21 * ms)
			for i := range len(keys) {
				row, column, _ := Frequencies(keys[i])
				s.dual(row, column, level, level, 45*ms).pause(45 * ms)
			}
			samples := s.samples()
			coded := make([]byte, len(samples))
			c.Encode(coded, samples)
			c.Decode(samples, coded)
			if got := detect(samples); got != keys {
				t.Errorf("%v at %v dBm0: got %q", c, level, got)
			}
		}
	}
}

// Tones of the network and single tones are not presses.
func TestOtherTones(t *testing.T) {
	t.Parallel()
	for _, hz := range [][2]float64{{350, 440}, {440, 480}, {480, 620}, {425, 425}, {2130, 2750}, {697, 770}, {1209, 1336}, {1400, 2060}, {700, 1900}} {
		s := (&sound{}).dual(hz[0], hz[1], -10, -10, time.Second)
		if got := detect(s.samples()); got != "" {
			t.Errorf("tones %v: got %q", hz, got)
		}
	}
	// A slow sweep of two tones in a fixed ratio crosses every row and column, never
	// both at once.
	s := &sound{}
	for hz := 300.0; hz < 2500; hz += 2 {
		s.dual(hz, hz*1.2, -10, -10, 20*ms)
	}
	if got := detect(s.samples()); got != "" {
		t.Errorf("sweep: got %q", got)
	}
}

func TestDialToneBehindTheKeys(t *testing.T) {
	t.Parallel()
	s := (&sound{}).pause(20 * ms)
	for i := range len(keys) {
		s.key(keys[i], 60*ms).pause(60 * ms)
	}
	tone := (&sound{}).dual(350, 440, -26, -26, media.DurationOf(len(s.x)))
	for i := range s.x {
		s.x[i] += tone.x[i]
	}
	if got := detect(s.samples()); got != keys {
		t.Errorf("got %q", got)
	}
}

func TestDownAndReset(t *testing.T) {
	t.Parallel()
	d := NewDetector()
	var f media.Frame
	clip := media.ClipOf((&sound{}).key('#', 200*ms).samples())
	var at int
	for n := 1; clip.ReadFrame(&f); n++ {
		if digit, ok := d.Write(&f); ok {
			if digit != '#' || at != 0 {
				t.Fatalf("digit %q in frame %d, first in %d", digit, n, at)
			}
			at = n
		}
	}
	if at == 0 || at > 3 {
		t.Fatalf("heard in frame %d, want at most 3 (60 ms)", at)
	}
	if d.Down() != '#' {
		t.Fatalf("down is %q", d.Down())
	}
	for range 3 {
		f.Clear()
		d.Write(&f)
	}
	if d.Down() != 0 {
		t.Fatalf("down is %q after 60 ms of silence", d.Down())
	}
	d.Reset()
	if *d != (Detector{}) {
		t.Fatal("Reset left something")
	}
}

func TestDetectorDoesNotAllocate(t *testing.T) {
	d := NewDetector()
	c, err := New("123456789", Config{})
	if err != nil {
		t.Fatal(err)
	}
	var f media.Frame
	if n := testing.AllocsPerRun(200, func() {
		if !c.ReadFrame(&f) {
			c.Rewind()
		}
		d.Write(&f)
	}); n != 0 {
		t.Fatalf("%v allocations per frame", n)
	}
}

func FuzzDetector(f *testing.F) {
	for i := range len(keys) {
		samples := (&sound{}).key(keys[i], 50*ms).samples()
		b := make([]byte, 2*len(samples))
		for k, v := range samples {
			b[2*k], b[2*k+1] = byte(v), byte(v>>8)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		samples := make([]int16, len(b)/2)
		for i := range samples {
			samples[i] = int16(b[2*i]) | int16(b[2*i+1])<<8
		}
		for _, digit := range []byte(detect(samples)) {
			if !Valid(digit) {
				t.Fatalf("%q is no key", digit)
			}
		}
	})
}

func BenchmarkDetector(b *testing.B) {
	d := NewDetector()
	var f media.Frame
	for i := range f {
		f[i] = int16(i * 100)
	}
	b.ReportAllocs()
	for b.Loop() {
		d.Write(&f)
	}
}
