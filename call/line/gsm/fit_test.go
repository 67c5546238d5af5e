package gsm

import (
	"math"
	"testing"

	"callbox/media"
)

func TestStretchKeepsTheSound(t *testing.T) {
	f := newFitter(inLevel)
	in := make([]int16, media.FrameSamples)
	for i := range in {
		in[i] = int16(8000 * math.Sin(2*math.Pi*1000*float64(i)/8000))
	}
	for _, n := range []int{159, 160, 161} {
		out := f.stretch(in, n)
		if len(out) != n || out[0] != in[0] || out[n-1] != in[len(in)-1] {
			t.Errorf("%d samples from %d to %d, want %d from %d to %d", len(out), out[0], out[len(out)-1], n, in[0], in[len(in)-1])
		}
		for i := 1; i < n; i++ {
			if d := int(out[i]) - int(out[i-1]); d > 6500 || d < -6500 {
				t.Fatalf("a step of %d at sample %d of %d", d, i, n)
			}
		}
	}
	if n := testing.AllocsPerRun(100, func() { f.fit(in, 0); f.want(0) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestFitSteers(t *testing.T) {
	for _, c := range []struct{ level, step int }{{0, 1}, {inLevel, 0}, {inLevel + fitSlack, 0}, {inLevel + 2*fitSlack, -1}} {
		f := newFitter(inLevel)
		for range fitFrames {
			f.want(c.level)
		}
		if f.step != c.step {
			t.Errorf("at level %d it adds %d samples, want %d", c.level, f.step, c.step)
		}
	}
}
