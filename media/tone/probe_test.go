package tone

import (
	"testing"

	"callbox/media"
)

// A probe knows its tones in every country, and no others.
func TestProbe(t *testing.T) {
	for _, code := range Codes() {
		c, _ := ByCountry(code)
		p, other := NewProbe(c.Ringback), NewProbe(steady(1004))
		g := New(c.Ringback, DefaultLevel)
		var f media.Frame
		loud, has := 0, 0
		for range 500 {
			g.ReadFrame(&f)
			if media.DBm0(f[:]) > -18 {
				loud++
				if p.Has(&f) {
					has++
				}
				if other.Has(&f) {
					t.Fatalf("%s: 1,004 Hz is heard in the ringback tone", code)
				}
			} else if media.DBm0(f[:]) < -60 && p.Has(&f) {
				t.Fatalf("%s: the pause is taken for the tone", code)
			}
		}
		if has < loud*9/10 {
			t.Errorf("%s: heard in %d of %d frames", code, has, loud)
		}
	}
	p := NewProbe(steady(425))
	var f media.Frame
	if n := testing.AllocsPerRun(100, func() { p.Has(&f) }); n != 0 {
		t.Errorf("%v allocations per frame", n)
	}
}
