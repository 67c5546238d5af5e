package media

import (
	"errors"
	"slices"
	"testing"
	"time"
)

// closing counts its closes and gives an error.
type closing struct {
	*Samples
	n   int
	err error
}

func (c *closing) Close() error { c.n++; return c.err }

// all reads a source to its end.
func all(t *testing.T, s Source) []int16 {
	t.Helper()
	out, err := ReadAll(s, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestClipOf(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 159, 160, 161, 480} {
		c := ClipOf(count(1, n))
		for range 2 {
			got := all(t, c)
			if len(got) != (n+159)/160*160 || !slices.Equal(got[:n], count(1, n)) {
				t.Errorf("%d samples gave %d", n, len(got))
			}
			if slices.ContainsFunc(got[n:], func(v int16) bool { return v != 0 }) {
				t.Errorf("%d samples: the last frame is not filled up with silence", n)
			}
			c.Rewind()
		}
		if c.Duration() != time.Duration(n)*125*time.Microsecond {
			t.Errorf("%d samples last %v", n, c.Duration())
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestClipEndIsFinal(t *testing.T) {
	t.Parallel()
	var f Frame
	for name, c := range map[string]Clip{
		"samples": ClipOf(count(0, 100)),
		"concat":  Concat(ClipOf(count(0, 100)), ClipOf(nil)),
		"loop":    Loop(ClipOf(count(0, 100)), 2),
		"limit":   Limit(ClipOf(count(0, 1000)), 20*time.Millisecond),
		"pause":   Pause(20 * time.Millisecond),
	} {
		for c.ReadFrame(&f) {
		}
		for range 3 {
			if c.ReadFrame(&f) {
				t.Errorf("%s: more after the end", name)
			}
		}
	}
}

func TestConcat(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	a, b := &closing{Samples: ClipOf(count(0, 160))}, &closing{Samples: ClipOf(count(500, 320)), err: broken}
	c := Concat(a, ClipOf(nil), b)
	if got := all(t, c); !slices.Equal(got, append(count(0, 160), count(500, 320)...)) {
		t.Errorf("%d samples", len(got))
	}
	if err := c.Close(); !errors.Is(err, broken) || a.n != 1 || b.n != 1 {
		t.Errorf("closed %d and %d times: %v", a.n, b.n, err)
	}
	if got := all(t, Concat()); len(got) != 0 {
		t.Errorf("nothing gave %d samples", len(got))
	}
}

func TestLoop(t *testing.T) {
	t.Parallel()
	one := count(7, 160)
	if got := all(t, Loop(ClipOf(one), 3)); !slices.Equal(got, slices.Concat(one, one, one)) {
		t.Errorf("thrice: %d samples", len(got))
	}
	if got := all(t, Loop(ClipOf(one), 1)); !slices.Equal(got, one) {
		t.Errorf("once: %d samples", len(got))
	}
	for _, times := range []int{0, 5} {
		if got := all(t, Loop(ClipOf(nil), times)); len(got) != 0 {
			t.Errorf("nothing %d times: %d samples", times, len(got))
		}
	}
	if _, err := ReadAll(Loop(ClipOf(one), 0), time.Minute); !errors.Is(err, ErrTooLong) {
		t.Errorf("without end: %v", err)
	}
	c := &closing{Samples: ClipOf(one)}
	if err := Loop(c, 2).Close(); err != nil || c.n != 1 {
		t.Errorf("closed %d times: %v", c.n, err)
	}
}

func TestLimitAndPause(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		d    time.Duration
		want int
	}{{0, 0}, {-time.Second, 0}, {time.Millisecond, 1}, {20 * time.Millisecond, 1}, {21 * time.Millisecond, 2}, {time.Second, 50}} {
		if got := all(t, Pause(tt.d)); len(got) != tt.want*FrameSamples || DBov(got) != SilenceLevel {
			t.Errorf("a pause of %v: %d samples", tt.d, len(got))
		}
	}
	c := &closing{Samples: ClipOf(count(0, 320))}
	l := Limit(c, time.Minute)
	if got := all(t, l); len(got) != 320 {
		t.Errorf("a short clip: %d samples", len(got))
	}
	if err := l.Close(); err != nil || c.n != 1 {
		t.Errorf("closed %d times: %v", c.n, err)
	}
	if err := Limit(NewRing(RingConfig{}), time.Second).Close(); err != nil {
		t.Errorf("of a source that cannot be closed: %v", err)
	}
}

func TestReadAllIsBounded(t *testing.T) {
	t.Parallel()
	if got, err := ReadAll(ClipOf(make([]int16, 8000)), time.Second); err != nil || len(got) != 8000 {
		t.Errorf("exactly: %d samples, %v", len(got), err)
	}
	got, err := ReadAll(ClipOf(make([]int16, 8001)), time.Second)
	if !errors.Is(err, ErrTooLong) || len(got) != 8000 {
		t.Errorf("too long: %d samples, %v", len(got), err)
	}
}

func TestClipsDoNotAllocate(t *testing.T) {
	c := Concat(ClipOf(make([]int16, 1000)), Loop(ClipOf(make([]int16, 320)), 0))
	var f Frame
	if n := testing.AllocsPerRun(100, func() { c.ReadFrame(&f) }); n != 0 {
		t.Fatalf("%v allocations per frame", n)
	}
}
