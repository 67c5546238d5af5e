package media

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
)

// count gives n samples that count up from first.
func count(first, n int) []int16 {
	out := make([]int16, n)
	for i := range out {
		out[i] = int16(first + i)
	}
	return out
}

func TestRingCarriesBlocksOfAnyLength(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	r := NewRing(RingConfig{Frames: 4, Full: Refuse})
	var in, out int // samples so far
	for range 2000 {
		n := rnd.IntN(300)
		kept := r.Push(count(in, n))
		if room := r.Cap() - (in - out); kept != min(n, room) {
			t.Fatalf("kept %d of %d with room for %d", kept, n, room)
		}
		in += kept
		if rnd.IntN(2) == 0 {
			var f Frame
			if !r.ReadFrame(&f) {
				continue
			}
			if !slices.Equal(f[:], count(out, FrameSamples)) {
				t.Fatalf("frame at sample %d is not what was pushed", out)
			}
			out += FrameSamples
			continue
		}
		b := make([]int16, rnd.IntN(300))
		n = r.Pull(b)
		if !slices.Equal(b[:n], count(out, n)) {
			t.Fatalf("block at sample %d is not what was pushed", out)
		}
		out += n
	}
	if s := r.Stats(); s.Pushed != uint64(in) || s.Pulled != uint64(out) || r.Len() != in-out || s.Dropped == 0 {
		t.Fatalf("stats %+v, %d in, %d out, %d held", s, in, out, r.Len())
	}
}

func TestRingDropsTheOldestWholeFrames(t *testing.T) {
	t.Parallel()
	r := NewRing(RingConfig{Frames: 3})
	if n := r.Push(count(0, 480)); n != 480 {
		t.Fatalf("took %d", n)
	}
	if n := r.Push(count(480, 10)); n != 10 { // one frame goes
		t.Fatalf("took %d", n)
	}
	var f Frame
	if !r.ReadFrame(&f) || f[0] != 160 {
		t.Fatalf("the oldest sample is %d, want 160", f[0])
	}
	if s := r.Stats(); s.Dropped != 160 || r.Len() != 170 {
		t.Fatalf("stats %+v, %d held", s, r.Len())
	}
	// More than it can hold: the last 480 stay.
	if n := r.Push(count(490, 1000)); n != 480 {
		t.Fatalf("took %d", n)
	}
	if !r.ReadFrame(&f) || f[0] != 1010 {
		t.Fatalf("the oldest sample is %d, want 1010", f[0])
	}
	if s := r.Stats(); s.Dropped != 160+170+520 {
		t.Fatalf("stats %+v", s)
	}
}

func TestRingPrefillsAndCountsUnderruns(t *testing.T) {
	t.Parallel()
	r := NewRing(RingConfig{Frames: 10, Prefill: 3})
	var f Frame
	for i := range 2 {
		r.WriteFrame(&f)
		if r.ReadFrame(&f) || r.Pull(f[:]) != 0 {
			t.Fatalf("read after %d frames", i+1)
		}
	}
	r.WriteFrame(&f)
	for range 3 {
		if !r.ReadFrame(&f) {
			t.Fatal("not read after the prefill")
		}
	}
	for range 5 {
		if r.ReadFrame(&f) {
			t.Fatal("read from an empty ring")
		}
	}
	if s := r.Stats(); s.Underruns != 1 {
		t.Fatalf("%d underruns, want 1 however long it lasts", s.Underruns)
	}
	r.Push(f[:100])
	r.Push(make([]int16, 2*FrameSamples))
	if r.ReadFrame(&f) {
		t.Fatal("read before the prefill was reached again")
	}
	r.Push(make([]int16, 60))
	b := make([]int16, 1000)
	if n := r.Pull(b); n != 480 || r.Stats().Underruns != 2 {
		t.Fatalf("pulled %d, stats %+v", n, r.Stats())
	}
}

func TestRingReset(t *testing.T) {
	t.Parallel()
	r := NewRing(RingConfig{})
	if r.Cap() != 10*FrameSamples {
		t.Fatalf("capacity %d", r.Cap())
	}
	r.Push(count(0, 500))
	r.Reset()
	var f Frame
	if r.Len() != 0 || r.ReadFrame(&f) || r.Stats().Dropped != 0 || r.Stats().Underruns != 0 {
		t.Fatalf("%d held, stats %+v", r.Len(), r.Stats())
	}
}

func TestRingLimits(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		c       RingConfig
		frames  int
		prefill int
	}{
		{RingConfig{}, 10, 1}, {RingConfig{Frames: -5}, 1, 1}, {RingConfig{Frames: 1 << 30}, maxRingFrames, 1},
		{RingConfig{Frames: 5, Prefill: 9}, 5, 5}, {RingConfig{Prefill: -1}, 10, 1},
	} {
		if r := NewRing(tt.c); r.Cap() != tt.frames*FrameSamples || r.prefill != tt.prefill*FrameSamples {
			t.Errorf("%+v: capacity %d, prefill %d", tt.c, r.Cap(), r.prefill)
		}
	}
}

// One goroutine writes, one reads: nothing is lost or changed between.
func TestRingBetweenGoroutines(t *testing.T) {
	t.Parallel()
	const total = 200 * FrameSamples
	r := NewRing(RingConfig{Frames: 3, Full: Refuse})
	var wg sync.WaitGroup
	wg.Go(func() {
		for sent := 0; sent < total; {
			sent += r.Push(count(sent, min(97, total-sent)))
		}
	})
	var f Frame
	for got := 0; got < total; {
		if !r.ReadFrame(&f) {
			continue
		}
		if !slices.Equal(f[:], count(got, FrameSamples)) {
			t.Fatalf("frame at %d is wrong", got)
		}
		got += FrameSamples
	}
	wg.Wait()
}

func TestRingDoesNotAllocate(t *testing.T) {
	r := NewRing(RingConfig{Frames: 3})
	var f Frame
	b := make([]int16, 333)
	if n := testing.AllocsPerRun(100, func() {
		r.Push(b)
		r.WriteFrame(&f)
		r.ReadFrame(&f)
		r.Pull(b)
	}); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}
