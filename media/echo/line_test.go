package echo

import (
	"math"
	"testing"
	"time"

	"callbox/media"
)

// answerTone is 2,100 Hz at dBm0, its phase turned by 180° each period; 0: never.
func answerTone(d, period time.Duration, hz, dBm0 float64) []float64 {
	out := make([]float64, media.SamplesIn(d))
	flip := media.SamplesIn(period)
	for i := range out {
		out[i] = media.Amplitude(dBm0) * math.Sin(2*math.Pi*hz*float64(i)/media.SampleRate)
		if flip > 0 && i/flip%2 == 1 {
			out[i] = -out[i]
		}
	}
	return out
}

// G.168 §7: 2,100 Hz with phase reversals takes the canceller out of the line
// within two reversals, whichever side sends it; silence puts it back.
func TestToneDisabler(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		hz, lvl float64
		period  time.Duration
		off     bool
	}{
		{"as prescribed", 2100, -15, 450 * msec, true},
		{"low and slow", 2079, -30, 470 * msec, true},
		{"high and fast", 2121, -6, 430 * msec, true},
		{"without reversals", 2100, -15, 0, false},
		{"too soft", 2100, -38, 450 * msec, false},
		{"another tone", 2225, -15, 450 * msec, false},
		{"reversals too often", 2100, -15, 100 * msec, false},
	} {
		for _, fromFar := range []bool{true, false} {
			c := must(t, Config{})
			tone := add(answerTone(3*sec, tt.period, tt.hz, tt.lvl), noise(3, 3*sec, -65))
			h := hybrids()[0].loss(10)
			far, near := tone, h.echo(tone)
			if !fromFar {
				far, near = make([]float64, len(tone)), tone
			}
			run(c, far, near)
			if got := c.Stats().Disabled > 0; got != tt.off {
				t.Errorf("%s, from the far side %v: switched off %v", tt.name, fromFar, got)
				continue
			}
			if !tt.off {
				continue
			}
			if at := 150 - int(c.Stats().Disabled); at*20 > 1250 {
				t.Errorf("%s: switched off after %d ms", tt.name, at*20)
			}
			before := c.Stats().Disabled
			quiet := noise(4, sec, -60)
			run(c, quiet, quiet)
			if on := c.Stats().Disabled - before; on < 5 || on > 20 {
				t.Errorf("%s: back in the line %d ms after the tone, want 100 to 400", tt.name, on*20)
			}
		}
	}
}

// Speech never switches it off.
func TestSpeechIsNoTone(t *testing.T) {
	t.Parallel()
	c := must(t, Config{})
	far, near := speak(t, "en", farText, 30*sec, -10), speak(t, "de", nearText, 30*sec, -10)
	run(c, far, near)
	if c.Stats().Disabled > 0 || c.tones.state != toneNone {
		t.Errorf("speech switched it off: %+v", c.Stats())
	}
}

func TestReference(t *testing.T) {
	t.Parallel()
	var r Reference
	r.Begin(3000)
	s := make([]int16, 300)
	for n := 3000; n < 20000; n += len(s) {
		for i := range s {
			s[i] = int16(n + i)
		}
		r.Push(s)
	}
	if r.Len() != 20100 {
		t.Fatalf("%d samples", r.Len())
	}
	var f media.Frame
	for _, first := range []int64{15000, 20100 - 160, 20100 - referenceSamples} {
		if r.At(&f, first); f[0] != int16(first) || f[159] != int16(first+159) {
			t.Errorf("from %d: %d … %d", first, f[0], f[159])
		}
	}
	r.At(&f, 20100-80)
	if f[79] != 20099 || f[80] != 0 {
		t.Error("what is not there yet is not silence")
	}
	r.At(&f, -50)
	if f != (media.Frame{}) {
		t.Error("what is long gone is not silence")
	}
}

func TestNoAllocations(t *testing.T) {
	c := must(t, Config{Tail: MaxTail})
	var r Reference
	far, near := noise(1, sec, -15), noise(2, sec, -30)
	var f, n media.Frame
	for i := range f {
		f[i], n[i] = int16(far[i]), int16(near[i])
	}
	if n := testing.AllocsPerRun(200, func() {
		r.Push(f[:])
		r.At(&f, r.Len()-160)
		c.Process(&f, &n)
	}); n != 0 {
		t.Errorf("%v allocations per frame", n)
	}
}

// FuzzCanceller: whatever is heard, it goes on working.
func FuzzCanceller(f *testing.F) {
	f.Add([]byte{0, 1, 2, 255, 128, 127}, true)
	f.Add([]byte{255, 127, 0, 128}, false)
	f.Fuzz(func(t *testing.T, b []byte, same bool) {
		c := must(t, Config{Tail: MinTail})
		var far, near media.Frame
		for k := range 20 {
			for i := range far {
				if len(b) > 1 {
					at := (k*160 + i) * 2 % (len(b) - 1)
					far[i] = int16(b[at]) | int16(b[at+1])<<8
				}
				if near[i] = far[159-i]; same {
					near[i] = far[i]
				}
			}
			c.Process(&far, &near)
		}
		for _, v := range c.fore {
			if v != v {
				t.Fatal("a tap is no number")
			}
		}
	})
}
