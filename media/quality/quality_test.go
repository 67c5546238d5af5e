package quality

import (
	"math"
	"testing"
	"time"

	"callbox/media"
	"callbox/media/tone"
)

// Values that follow from G.107 and G.113: the default rating and its score,
// annex B's table, delay, loss.
func TestRating(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		p    Path
		r    float64
	}{
		{"a perfect path", Path{}, 93.2},
		{"delay that nobody notices", Path{Delay: 100 * time.Millisecond}, 93.2},
		{"150 ms", Path{Delay: 150 * time.Millisecond}, 93.2},
		{"400 ms, the limit of G.114", Path{Delay: 400 * time.Millisecond}, 69},
		{"1 % of G.711", Path{Loss: 0.01}, 89.6},
		{"5 % of G.711", Path{Loss: 0.05}, 77.4},
		{"G.729", Path{Codec: "g729"}, 82.2},
		{"G.729, 2 %", Path{Codec: "G729", Loss: 0.02}, 74.2},
		{"all lost", Path{Loss: 2, Delay: time.Hour}, 0},
	} {
		if r := tt.p.Rate(); math.Abs(r-tt.r) > 1 {
			t.Errorf("%s: R is %.1f, want %.1f", tt.name, r, tt.r)
		}
	}
	// G.107 annex B, table B.1.
	for r, mos := range map[float64]float64{90: 4.34, 80: 4.03, 70: 3.60, 60: 3.10, 50: 2.58, 0: 1, -5: 1, 100: 4.5, 120: 4.5, 93.2: 4.41} {
		if got := MOS(r); math.Abs(got-mos) > 0.011 {
			t.Errorf("R of %.1f: MOS is %.3f, want %.2f", r, got, mos)
		}
	}
	last := 5.0
	for loss := 0.0; loss <= 1; loss += 0.01 {
		m := MOS(Path{Loss: loss}.Rate())
		if m > last || m < 1 {
			t.Fatalf("MOS is %.2f at a loss of %.2f, and was %.2f", m, loss, last)
		}
		last = m
	}
}

func TestMeter(t *testing.T) {
	t.Parallel()
	for _, dBm0 := range []float64{-10, -20, -40} {
		var m Meter
		if l := m.Level(); l.Known || l.Speech != media.SilenceLevel {
			t.Errorf("before the first frame: %+v", l)
		}
		var f media.Frame
		for range 100 { // 2 s of silence between two of a tone
			m.WriteFrame(&f)
		}
		g := tone.New(tone.Tone{Steps: []tone.Step{{Hz: []float64{1000}}}}, dBm0)
		for range 400 {
			g.ReadFrame(&f)
			m.WriteFrame(&f)
		}
		want := dBm0 - media.FullScaleDBm0 - 3.01
		l := m.Level()
		if math.Abs(l.Now-want) > 0.2 || math.Abs(l.Speech-want) > 0.1 || l.Clipped != 0 || !l.Known {
			t.Errorf("%v dBm0: %+v, want %.1f dBov", dBm0, l, want)
		}
		f.Clear()
		for range 250 {
			m.WriteFrame(&f)
		}
		if after := m.Level(); after.Now > want-20 || math.Abs(after.Speech-want) > 0.1 {
			t.Errorf("after 5 s of silence: %+v", after)
		}
	}
}

// Clipping is samples in a row at full scale, also across frames; a single peak is
// none.
func TestClipping(t *testing.T) {
	t.Parallel()
	var m Meter
	var f media.Frame
	f[3], f[10], f[11], f[12], f[158], f[159] = 32767, 32767, 32767, 32767, -32124, -32768
	m.WriteFrame(&f)
	if l := m.Level(); l.Clipped != 5 {
		t.Errorf("%d samples are clipped, want 5", l.Clipped)
	}
	f.Clear()
	f[0], f[1], f[2] = -32768, -32768, 0
	m.WriteFrame(&f)
	if l := m.Level(); l.Clipped != 7 {
		t.Errorf("%d samples are clipped, want 7", l.Clipped)
	}
}

func TestMeterNoAllocations(t *testing.T) {
	var m Meter
	var f media.Frame
	if n := testing.AllocsPerRun(100, func() { m.WriteFrame(&f); m.Level() }); n != 0 {
		t.Errorf("%v allocations per frame", n)
	}
}

func BenchmarkMeter(b *testing.B) {
	var m Meter
	var f media.Frame
	for i := range f {
		f[i] = int16(i * 100)
	}
	b.ReportAllocs()
	for b.Loop() {
		m.WriteFrame(&f)
	}
}
