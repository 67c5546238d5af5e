package media

import (
	"math"
	"testing"
)

func TestLevels(t *testing.T) {
	t.Parallel()
	for _, want := range []float64{3.14, 0, -10, -13, -30, -50} {
		s := sine(SampleRate, 1000, SampleRate, Amplitude(want))
		if l := DBm0(s); math.Abs(l-want) > 0.05 {
			t.Errorf("a sine of %v dBm0 measures %.2f", want, l)
		}
		if l := ToneLevel(s, 1000); math.Abs(l-want) > 0.05 {
			t.Errorf("a sine of %v dBm0 measures %.2f at its frequency", want, l)
		}
		if l := ToneLevel(s, 1700); l > want-60 && l > -80 {
			t.Errorf("a sine of %v dBm0 measures %.2f at another frequency", want, l)
		}
		if l := DBov(s); math.Abs(l-want+6.15) > 0.05 {
			t.Errorf("a sine of %v dBm0 measures %.2f dBov", want, l)
		}
	}
	square := make([]int16, 160)
	for i := range square {
		square[i] = 32767
		if i%2 == 1 {
			square[i] = -32767
		}
	}
	if l := DBov(square); math.Abs(l) > 1e-9 {
		t.Errorf("a full-scale square wave measures %v dBov", l)
	}
	for _, s := range [][]int16{nil, make([]int16, 160)} {
		if DBov(s) != SilenceLevel || DBm0(s) != SilenceLevel || ToneLevel(s, 1000) != SilenceLevel {
			t.Errorf("%d samples of silence measure %v, %v, %v", len(s), DBov(s), DBm0(s), ToneLevel(s, 1000))
		}
	}
}

func TestOscillatorKeepsItsAmplitude(t *testing.T) {
	t.Parallel()
	for _, hz := range []float64{15, 425, 1633} {
		o := NewOscillator(hz, 1)
		const hour = 3600 * SampleRate
		var peak, first float64
		for i := range hour {
			y := o.Next()
			if i < 8 {
				want := math.Sin(2 * math.Pi * hz * float64(i) / SampleRate)
				first = max(first, math.Abs(y-want))
			}
			if i >= hour-SampleRate {
				peak = max(peak, math.Abs(y))
			}
		}
		if first > 1e-9 {
			t.Errorf("%v Hz begins %v off", hz, first)
		}
		// The highest of a second's samples lies within 10⁻⁴ of a sine's true peak at
		// these frequencies; drift would be seen beyond.
		if peak > 1+1e-6 || peak < 1-1e-4 {
			t.Errorf("%v Hz has the peak %v after an hour", hz, peak)
		}
	}
	var none Oscillator
	if a, b := none.Next(), none.Next(); a != 0 || b != 0 {
		t.Error("the zero oscillator sounds")
	}
}

func TestClamp(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   int32
		want int16
	}{{0, 0}, {32767, 32767}, {32768, 32767}, {1 << 30, 32767}, {-32768, -32768}, {-32769, -32768}, {-1 << 31, -32768}} {
		if got := Clamp(tt.in); got != tt.want {
			t.Errorf("%d: %d", tt.in, got)
		}
	}
}

func TestMixing(t *testing.T) {
	t.Parallel()
	a, b, c := Frame{1000, 30000, -30000}, Frame{-200, 30000, -30000}, Frame{5, -30000, 30000}
	f := a
	f.Add(&b)
	if f[0] != 800 || f[1] != 32767 || f[2] != -32768 {
		t.Errorf("two: %v", f[:3])
	}
	var s Sum
	for _, p := range []*Frame{&a, &b, &c} {
		s.Add(p)
	}
	var out Frame
	s.Mix(&out) // clipped once, at the end
	if out[0] != 805 || out[1] != 30000 || out[2] != -30000 {
		t.Errorf("three: %v", out[:3])
	}
	s.Without(&c, &out)
	if out != f {
		t.Errorf("without the third: %v", out[:3])
	}
	s.Without(&a, &a)
	if a[0] != -195 || a[1] != 0 {
		t.Errorf("in place: %v", a[:3])
	}
	s.Reset()
	s.Mix(&out)
	if out != (Frame{}) {
		t.Error("not silent after Reset")
	}
	f = Frame{1000, -1000, 30000}
	f.Gain(128)
	if f[0] != 500 || f[1] != -500 || f[2] != 15000 {
		t.Errorf("half: %v", f[:3])
	}
	f.Gain(1024)
	if f[0] != 2000 || f[2] != 32767 {
		t.Errorf("four times: %v", f[:3])
	}
	f.Clear()
	if f != (Frame{}) {
		t.Error("not silent after Clear")
	}
}

func TestHelpersDoNotAllocate(t *testing.T) {
	var s Sum
	var f, g Frame
	l := 0.0
	if n := testing.AllocsPerRun(100, func() {
		s.Reset()
		s.Add(&f)
		s.Without(&f, &g)
		f.Add(&g)
		f.Gain(200)
		l += DBm0(f[:]) + ToneLevel(f[:], 1000)
	}); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}
