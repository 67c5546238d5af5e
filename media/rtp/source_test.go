package rtp

import "testing"

func TestSourceSequence(t *testing.T) {
	t.Parallel()
	var s source
	for _, c := range []struct {
		seq  uint16
		want verdict
		lost uint64
	}{
		{65533, restarted, 0},
		{65534, fresh, 0},
		{65534, duplicate, 0},
		{0, fresh, 1},         // 65535 is missing
		{65535, reordered, 0}, // and comes
		{65535, duplicate, 0},
		{1, fresh, 0},
		{10, fresh, 8},
		{5, reordered, 7},
		{5, duplicate, 7},
		{80, fresh, 76},
		{9, duplicate, 76}, // too long ago to know
		{5000, restarted, 76},
		{5001, fresh, 76},
		{5003, fresh, 77},
	} {
		if got := s.track(7, c.seq); got != c.want || s.lost() != c.lost {
			t.Fatalf("sequence %d: verdict %d, %d lost; want %d, %d", c.seq, got, s.lost(), c.want, c.lost)
		}
	}
	if s.track(8, 5004) != restarted {
		t.Error("a new source was not noticed")
	}
	if s.lost() != 77 {
		t.Errorf("the loss of the old source was forgotten: %d", s.lost())
	}
	if s.cycles != 0 || s.expected() != 1 {
		t.Errorf("new source: cycles %d, expected %d", s.cycles, s.expected())
	}
}

func TestSourceCycles(t *testing.T) {
	t.Parallel()
	var s source
	for i := range 200_000 {
		if v := s.track(1, uint16(i)); i > 0 && v != fresh {
			t.Fatalf("packet %d: verdict %d", i, v)
		}
	}
	if s.cycles != 3<<16 || s.expected() != 200_000 || s.lost() != 0 {
		t.Errorf("cycles %d, expected %d, lost %d", s.cycles>>16, s.expected(), s.lost())
	}
}

func TestSourceFraction(t *testing.T) {
	t.Parallel()
	var s source
	if s.fraction() != 0 || s.cumulative() != 0 {
		t.Error("loss before the first packet")
	}
	for i := range 100 {
		if i%4 != 3 {
			s.track(1, uint16(i))
		}
	}
	s.track(1, 100)
	if f := s.fraction(); f < 60 || f > 66 { // a quarter of 256
		t.Errorf("fraction %d", f)
	}
	if s.cumulative() != 25 {
		t.Errorf("cumulative %d", s.cumulative())
	}
	s.track(1, 101)
	if f := s.fraction(); f != 0 {
		t.Errorf("fraction %d without loss", f)
	}
	s.track(1, 99) // comes late: more received than expected
	if f := s.fraction(); f != 0 {
		t.Errorf("fraction %d with a gain", f)
	}
}

// TestSourceJitter holds the estimate against the definition: an arrival that
// alternates by ±d from the regular one gives a mean difference of 2d.
func TestSourceJitter(t *testing.T) {
	t.Parallel()
	var s source
	s.restart(1, 0)
	for i := range 1000 {
		arrival := int64(i)*160 + int64(i%2)*80
		s.time(uint32(i)*160+0xFFFF0000, arrival) // the timestamp wraps
	}
	if j := s.jitter >> 4; j < 72 || j > 84 {
		t.Errorf("jitter %d samples, want about 80", j)
	}
	before := s.jitter
	s.time(12345, 160_000+8000*100) // a jump of the timestamps
	if s.jitter != before {
		t.Error("a jump of the timestamps counts as jitter")
	}
}
