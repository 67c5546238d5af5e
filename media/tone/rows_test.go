package tone

import (
	"regexp"
	"slices"
	"testing"
	"time"

	"callbox/media"
)

// Every row can be read, says where it is from, and makes tones that can be told
// apart by a person and played.
func TestRows(t *testing.T) {
	t.Parallel()
	const sound = `(\d+(\+\d+){0,2}|\d+\*\d+|0)`
	shape := regexp.MustCompile(`^` + sound + `(/\d+)?(,` + sound + `/\d+)*$`)
	for _, r := range rows {
		if len(r.code) != 2 || r.name == "" || r.source == "" || !regexp.MustCompile(`^d?r?b?c?$`).MatchString(r.assumed) {
			t.Errorf("row %+v", r)
		}
		for _, text := range []string{r.dial, r.ringback, r.busy, r.congestion} {
			if !shape.MatchString(text) {
				t.Errorf("%s: %q cannot be read", r.code, text)
			}
		}
		c := r.country()
		for name, tn := range map[string]Tone{"ringback": c.Ringback, "busy": c.Busy, "congestion": c.Congestion} {
			if len(tn.Steps)%2 != 0 || tn.Period() < 200*time.Millisecond {
				t.Errorf("%s: %s has %d steps in %v", r.code, name, len(tn.Steps), tn.Period())
			}
			for i, s := range tn.Steps {
				if (len(s.Hz) > 0) != (i%2 == 0) || s.Duration < 40*time.Millisecond {
					t.Errorf("%s: %s step %d: %+v", r.code, name, i, s)
				}
				for _, hz := range s.Hz {
					if hz < 300 || hz > 1000 {
						t.Errorf("%s: %s at %v Hz", r.code, name, hz)
					}
				}
			}
		}
		if c.Ringback.Period() < 2*c.Busy.Period() && r.code != "LA" && r.code != "EG" { // theirs are so
			t.Errorf("%s: ringback of %v is taken for busy of %v", r.code, c.Ringback.Period(), c.Busy.Period())
		}
	}
}

// Every country has a source, and a ring that a port can make.
func TestCountries(t *testing.T) {
	t.Parallel()
	for _, code := range Codes() {
		c, ok := ByCountry(code)
		if !ok || c.Source == "" || c.Information.IsZero() || c.Howler.IsZero() || c.CallWaiting.IsZero() {
			t.Errorf("%s: %+v", code, c)
		}
		var on, total time.Duration
		for i, d := range c.Ring.OnOff {
			if total += d; i%2 == 0 {
				on += d
			}
			if d < 100*time.Millisecond || d > 10*time.Second {
				t.Errorf("%s: a ring step of %v", code, d)
			}
		}
		if n := len(c.Ring.OnOff); n < 2 || n > 8 || n%2 != 0 || 3*on > total || on > 2*time.Second {
			t.Errorf("%s: rings %v of %v in %d steps", code, on, total, n)
		}
	}
	if c, _ := ByCountry("dz"); !slices.Equal(c.Assumed, []string{"dial", "ringback", "congestion"}) {
		t.Errorf("of Algeria %v is assumed", c.Assumed)
	}
}

// The levels are exact: each tone of each country within a tenth of a decibel
// over its first sounding second.
func TestLevelsAreExact(t *testing.T) {
	t.Parallel()
	for _, code := range Codes() {
		c, _ := ByCountry(code)
		for _, tn := range []Tone{c.Dial, c.Ringback, c.Busy, c.Congestion} {
			g := New(Tone{Steps: []Step{{Hz: tn.Steps[0].Hz, AM: tn.Steps[0].AM}}}, -20)
			s := make([]int16, 0, 2*media.SampleRate)
			var f media.Frame
			for len(s) < cap(s) {
				g.ReadFrame(&f)
				s = append(s, f[:]...)
			}
			if l := media.DBm0(s); l < -20.1 || l > -19.9 {
				t.Errorf("%s: %v at %.2f dBm0, want -20", code, tn.Steps[0].Hz, l)
			}
		}
	}
}
