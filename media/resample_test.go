package media

import (
	"errors"
	"fmt"
	"math"
	"testing"
)

// sine makes n samples of a sine of hz at rate with this peak.
func sine(n int, hz, rate, peak float64) []int16 {
	out := make([]int16, n)
	for i := range out {
		out[i] = int16(math.Round(peak * math.Sin(2*math.Pi*hz*float64(i)/rate)))
	}
	return out
}

// worst is the largest difference to a sine at 8 kHz, away from the ends.
func worst(got []int16, hz, peak float64) float64 {
	var w float64
	want := sine(len(got), hz, SampleRate, peak)
	for i := 400; i < len(got)-400; i++ {
		w = max(w, math.Abs(float64(got[i])-float64(want[i])))
	}
	return w
}

func TestResampleKeepsWhatFits(t *testing.T) {
	t.Parallel()
	for _, rate := range []int{6000, 8000, 11025, 16000, 22050, 24000, 32000, 44100, 44101, 48000, 96000, 192000} {
		for _, hz := range []float64{50, 440, 1000, 2500, 3400} {
			if hz > 0.85*float64(rate)/2 {
				continue
			}
			const peak = 20000
			got, err := Resample(sine(rate, hz, float64(rate), peak), rate, SampleRate)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != SampleRate {
				t.Errorf("%d Hz: a second became %d samples", rate, len(got))
			}
			// 0.4 % of the peak is −48 dB; rates with an odd ratio are a little worse.
			if w := worst(got, hz, peak); w > 0.004*peak {
				t.Errorf("%d Hz: a sine of %v Hz is off by %.1f of %d", rate, hz, w, peak)
			}
		}
	}
}

func TestResampleStopsWhatWouldAlias(t *testing.T) {
	t.Parallel()
	for _, rate := range []int{11025, 16000, 22050, 44100, 48000} {
		for _, hz := range []float64{4050, 4500, 5000, 7000, 10000, 15000} {
			if hz >= float64(rate)/2 {
				continue
			}
			got, err := Resample(sine(rate, hz, float64(rate), 30000), rate, SampleRate)
			if err != nil {
				t.Fatal(err)
			}
			if l := DBov(got[400 : len(got)-400]); l > -68 {
				t.Errorf("%d Hz: a sine of %v Hz comes out at %.1f dBov", rate, hz, l)
			}
		}
	}
}

func TestResampleUp(t *testing.T) {
	t.Parallel()
	for _, rate := range []int{16000, 44100, 48000} {
		got, err := Resample(sine(SampleRate, 1000, SampleRate, 10000), SampleRate, rate)
		if err != nil {
			t.Fatal(err)
		}
		want := sine(rate, 1000, float64(rate), 10000)
		if len(got) != len(want) {
			t.Fatalf("%d samples, want %d", len(got), len(want))
		}
		for i := 3000; i < len(got)-3000; i++ {
			if d := math.Abs(float64(got[i]) - float64(want[i])); d > 20 {
				t.Fatalf("%d Hz: sample %d is off by %v", rate, i, d)
			}
		}
	}
}

func TestResamplerInPiecesIsTheSame(t *testing.T) {
	t.Parallel()
	in := sine(22050, 700, 22050, 9000)
	want, err := Resample(in, 22050, SampleRate)
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewResampler(22050, SampleRate)
	if err != nil {
		t.Fatal(err)
	}
	for round := range 2 { // Flush makes it ready for another stream
		var got []int16
		for i, n := 0, 1; i < len(in); i, n = i+n, n*3%701 {
			got = r.Write(got, in[i:min(i+n, len(in))])
		}
		got = r.Flush(got)
		if len(got) != len(want) {
			t.Fatalf("round %d: %d samples, want %d", round, len(got), len(want))
		}
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("round %d: sample %d differs", round, i)
			}
		}
	}
}

func TestResampleShortAndNone(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 2, 5, 100} {
		got, err := Resample(make([]int16, n), 44100, SampleRate)
		if want := (n*80 + 440) / 441; err != nil || len(got) != want {
			t.Errorf("%d samples became %d, want %d: %v", n, len(got), want, err)
		}
	}
}

func TestResamplerRefusesRates(t *testing.T) {
	t.Parallel()
	for _, r := range [][2]int{{0, 8000}, {-8000, 8000}, {8000, 999}, {192001, 8000}, {1 << 30, 8000}} {
		if _, err := NewResampler(r[0], r[1]); !errors.Is(err, ErrRate) {
			t.Errorf("%v: %v", r, err)
		}
	}
}

// BenchmarkResample is 20 ms on their way from another rate to ours, and back.
func BenchmarkResample(b *testing.B) {
	for _, rate := range []int{16000, 22050, 44100, 48000} {
		for _, down := range []bool{true, false} {
			from, to := rate, SampleRate
			if !down {
				from, to = to, from
			}
			b.Run(fmt.Sprintf("%d-%d", from, to), func(b *testing.B) {
				in := sine(from/50, 700, float64(from), 9000)
				r, err := NewResampler(from, to)
				if err != nil {
					b.Fatal(err)
				}
				out := make([]int16, 0, 2*to/50)
				b.ReportAllocs()
				for b.Loop() {
					out = r.Write(out[:0], in)
				}
			})
		}
	}
}
