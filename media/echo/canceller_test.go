package echo

import (
	"math"
	"testing"
	"time"

	"callbox/media"
)

const (
	sec  = time.Second
	msec = time.Millisecond
)

// G.168 test 2: after one second of speech the echo is 20 dB weaker than it
// came, without the suppressor, and later 30 dB and more with it.
func TestConvergence(t *testing.T) {
	t.Parallel()
	for _, h := range hybrids() {
		for _, loss := range []float64{6, 12, 20} {
			h := h.loss(loss)
			for name, far := range map[string][]float64{
				"composite": composite(1, 6*sec, -15),
				"speech":    speak(t, "en", farText, 6*sec, -15),
			} {
				t.Run(h.name+" "+name, func(t *testing.T) {
					t.Parallel()
					near := add(h.echo(far), noise(5, 6*sec, -72))
					linear := run(must(t, Config{Linear: true}), far, near)
					c := must(t, Config{})
					full := run(c, far, near)
					at := func(out []float64, from, to time.Duration) float64 {
						return level(part(near, from, to)) - level(part(out, from, to))
					}
					first, then, heard := at(linear, sec, 2*sec), at(linear, 3*sec, 6*sec), at(full, sec, 6*sec)
					t.Logf("1–2 s %.1f dB, 3–6 s %.1f dB, with the suppressor %.1f dB; %+v", first, then, heard, c.Stats())
					// The line has noise at −72 dBm0, and what is left may be 14 dB above it.
					if want := min(20, level(near)+72-14); first < want {
						t.Errorf("after 1 s the echo is %.1f dB weaker, want %.1f", first, want)
					}
					if want := min(30, level(near)+72-6); heard < want {
						t.Errorf("with the suppressor the echo is %.1f dB weaker, want %.1f", heard, want)
					}
				})
			}
		}
	}
}
func TestDoubleTalk(t *testing.T) {
	t.Parallel()
	for _, h := range hybrids() {
		h := h.loss(10)
		t.Run(h.name, func(t *testing.T) {
			t.Parallel()
			const all = 16 * sec
			far := speak(t, "en", farText, all, -15)
			mine := speak(t, "de", nearText, all, -17)
			for i := range mine { // near: 4 to 10 s
				if s := i / media.SampleRate; s < 4 || s >= 10 {
					mine[i] = 0
				}
			}
			echo := h.echo(far)
			near := add(add(echo, mine), noise(5, all, -68))
			c := must(t, Config{})
			out := run(c, far, near)
			mine = alone(t, mine)
			spoil := level(part(sub(out, mine), 4*sec, 10*sec))
			said := level(part(mine, 4*sec, 10*sec))
			before := level(part(echo, 4*sec, 10*sec))
			after := level(part(echo, 10500*msec, all)) - level(part(out, 10500*msec, all))
			t.Logf("near %.1f, echo under it %.1f, distortion %.1f dBm0; echo after it −%.1f dB; %+v", said, before, spoil, after, c.Stats())
			if said-spoil < 12 {
				t.Errorf("what the near party says is spoilt: %.1f dB", said-spoil)
			}
			if after < 30 {
				t.Errorf("after double talk the echo is only %.1f dB weaker", after)
			}
			lin := must(t, Config{Linear: true})
			out = run(lin, far, near)
			left := level(part(sub(out, mine), 5*sec, 10*sec))
			t.Logf("linear: echo in double talk −%.1f dB", before-left)
			if before-left < 15 {
				t.Errorf("in double talk the echo is only %.1f dB weaker: the filter has gone astray", before-left)
			}
		})
	}
}

// G.168 test 4 and "return loss change": another hybrid is met within a second.
func TestPathChange(t *testing.T) {
	t.Parallel()
	far := speak(t, "en", farText, 10*sec, -15)
	hs := hybrids()
	for i, h := range hs {
		a, b := h.loss(8), hs[(i+1)%len(hs)].loss(14)
		t.Run(a.name+" to "+b.name, func(t *testing.T) {
			t.Parallel()
			ea, eb := a.echo(far), b.echo(far)
			near := append(append([]float64(nil), part(ea, 0, 5*sec)...), part(eb, 5*sec, 10*sec)...)
			near = add(near, noise(5, 10*sec, -68))
			c := must(t, Config{})
			out := run(c, far, near)
			got := level(part(near, 6*sec, 10*sec)) - level(part(out, 6*sec, 10*sec))
			worst := level(part(out, 5*sec, 6*sec)) - level(part(near, 5*sec, 6*sec))
			t.Logf("1 s after the change %.1f dB, within that second %.1f dB", got, -worst)
			if got < 30 {
				t.Errorf("a second after the change the echo is %.1f dB weaker, want 30", got)
			}
			if worst > 0.5 {
				t.Errorf("after the change what is heard is %.1f dB louder than the echo", worst)
			}
		})
	}
}

// G.168 test 7: tones must not make the filter forget what it knows, nor louder
// what comes back.
func TestNarrowBand(t *testing.T) {
	t.Parallel()
	h := hybrids()[1].loss(8)
	speech := speak(t, "en", farText, 4*sec, -15)
	for _, hz := range [][]float64{{400}, {697, 1209}, {350, 440}, {1000}, {3000}} {
		far := append([]float64(nil), speech...)
		for i := range 60 * media.SampleRate {
			var v float64
			for _, f := range hz {
				v += media.Amplitude(-13) / math.Sqrt(float64(len(hz))) * math.Sin(2*math.Pi*f*float64(i)/media.SampleRate)
			}
			far = append(far, v)
		}
		far = append(far, speak(t, "en", farText, 4*sec, -15)...)
		near := add(h.echo(far), noise(5, 68*sec, -68))
		out := run(must(t, Config{Linear: true}), far, near)
		tone := level(part(near, 10*sec, 64*sec)) - level(part(out, 10*sec, 64*sec))
		at := 64*sec + 40*msec
		then := level(part(near, at, 65*sec)) - level(part(out, at, 65*sec))
		t.Logf("%v Hz: tone −%.1f dB, speech after it −%.1f dB", hz, tone, then)
		if tone < 10 || then < 20 {
			t.Errorf("%v Hz: the tone is %.1f dB weaker (want 10), the speech after it %.1f (want 20)", hz, tone, then)
		}
	}
}

// With no echo at all nothing is made worse; and the near party alone is untouched.
func TestNothingToCancel(t *testing.T) {
	t.Parallel()
	far := speak(t, "en", farText, 6*sec, -15)
	near := noise(5, 6*sec, -60)
	out := run(must(t, Config{Linear: true}), far, near)
	if l := level(part(out, sec, 6*sec)); l > level(near)+1 {
		t.Errorf("a line at %.1f dBm0 without echo comes out at %.1f", level(near), l)
	}
	mine := add(speak(t, "de", nearText, 6*sec, -17), noise(5, 6*sec, -60))
	out = run(must(t, Config{}), make([]float64, len(mine)), mine)
	if d := level(sub(out, alone(t, mine))); d > level(mine)-40 {
		t.Errorf("what the near party says alone is changed: %.1f dBm0 of %.1f", d, level(mine))
	}
}

// G.168 tests 9: the comfort noise is as loud as the line's own, within 3 dB.
func TestComfortNoise(t *testing.T) {
	t.Parallel()
	for _, l := range []float64{-40, -50, -60} {
		h := hybrids()[0].loss(12)
		far := speak(t, "en", farText, 10*sec, -15)
		clear(far[:3*media.SampleRate])
		clear(far[9*media.SampleRate:])
		own := noise(6, 10*sec, l)
		c := must(t, Config{})
		out := run(c, far, add(h.echo(far), own))
		before, during, after := level(part(out, sec, 3*sec)), level(part(out, 4*sec, 9*sec)), level(part(out, 9500*msec, 10*sec))
		t.Logf("noise of %.0f dBm0: %.1f before, %.1f during, %.1f after the far party spoke", l, before, during, after)
		if math.Abs(during-before) > 3 || math.Abs(after-before) > 2 {
			t.Errorf("noise of %.0f dBm0 is heard at %.1f while the far party speaks", l, during)
		}
	}
}

// Longer tails take longer echoes.
func TestTails(t *testing.T) {
	t.Parallel()
	for _, tail := range []time.Duration{MinTail, DefaultTail, 48 * msec, MaxTail} {
		n := media.SamplesIn(tail) - 60
		h := hybrid{"late", ring(40, 9, damp{n, 0.3, 1, 0.6})}.loss(10)
		far := speak(t, "en", farText, 5*sec, -15)
		near := add(h.echo(far), noise(5, 5*sec, -68))
		out := run(must(t, Config{Tail: tail, Linear: true}), far, near)
		got := level(part(near, sec, 5*sec)) - level(part(out, sec, 5*sec))
		t.Logf("tail %v: %.1f dB", tail, got)
		if got < 20 {
			t.Errorf("tail %v: %.1f dB", tail, got)
		}
	}
	if New, err := New(Config{Tail: 5 * msec}); err == nil || New != nil {
		t.Error("a tail of 5 ms was accepted")
	}
}
