package clock

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"callbox/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ticker is a media.Ticker made of functions.
type ticker struct{ collect, deliver func() }

func (t *ticker) Collect() {
	if t.collect != nil {
		t.collect()
	}
}

func (t *ticker) Deliver() {
	if t.deliver != nil {
		t.deliver()
	}
}

// start runs c and gives a function that stops it and waits.
func start(t *testing.T, c *Clock) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

// wait lets d pass in the bubble.
func wait(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestTicksByElapsedTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := New(nil)
		var n atomic.Int64
		c.Add(&ticker{collect: func() { n.Add(1) }})
		stop := start(t, c)
		defer stop()
		wait(19 * time.Millisecond)
		if n.Load() != 0 {
			t.Fatalf("ticked %d times before the first 20 ms", n.Load())
		}
		wait(time.Millisecond)
		if n.Load() != 1 {
			t.Fatalf("ticked %d times at 20 ms, want 1", n.Load())
		}
		wait(time.Minute)
		if n.Load() != 3001 {
			t.Fatalf("ticked %d times, want 3001", n.Load())
		}
		if s := c.Stats(); s.Ticks != 3001 || s.Late != 0 || s.Skipped != 0 || s.Tickers != 1 {
			t.Fatalf("stats %+v", s)
		}
	})
}

func TestAllCollectsComeBeforeTheFirstDeliver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := New(nil)
		var order []string
		for i := range 3 {
			c.Add(&ticker{
				collect: func() { order = append(order, fmt.Sprint("c", i)) },
				deliver: func() { order = append(order, fmt.Sprint("d", i)) },
			})
		}
		stop := start(t, c)
		wait(40 * time.Millisecond)
		stop()
		want := "c0 c1 c2 d0 d1 d2 c0 c1 c2 d0 d1 d2"
		if got := strings.Join(order, " "); got != want {
			t.Fatalf("order %q, want %q", got, want)
		}
	})
}

func TestCatchesUpAtMostFiveTicks(t *testing.T) {
	t.Parallel()
	tests := []struct {
		stall       time.Duration // of the first tick
		late, skips uint64
	}{
		{10 * time.Millisecond, 0, 0},
		{39 * time.Millisecond, 0, 0},    // the second tick is 19 ms late
		{60 * time.Millisecond, 2, 0},    // due at 80 ms: ticks 2 (40 late), 3 (20 late), 4
		{100 * time.Millisecond, 4, 0},   // five due, no loss
		{120 * time.Millisecond, 4, 1},   // six due
		{1000 * time.Millisecond, 4, 45}, // fifty due
	}
	for _, tt := range tests {
		t.Run(tt.stall.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := New(nil)
				var at []time.Duration
				begin := time.Now()
				c.Add(&ticker{collect: func() {
					at = append(at, time.Since(begin))
					if len(at) == 1 {
						<-time.After(tt.stall)
					}
				}})
				stop := start(t, c)
				wait(2*time.Second + 10*time.Millisecond)
				stop()
				s := c.Stats()
				if s.Late != tt.late || s.Skipped != tt.skips {
					t.Errorf("late %d skipped %d, want %d and %d", s.Late, s.Skipped, tt.late, tt.skips)
				}
				if s.Ticks+s.Skipped != 100 {
					t.Errorf("ticks %d + skipped %d, want 100 in 2 s", s.Ticks, s.Skipped)
				}
				if s.Longest != tt.stall {
					t.Errorf("longest %v, want %v", s.Longest, tt.stall)
				}
				// What was due at the end of the stall is done at that very moment.
				resumed := media.FrameDuration + tt.stall
				now := slices.DeleteFunc(slices.Clone(at), func(d time.Duration) bool { return d != resumed })
				if due := min(int(tt.stall/media.FrameDuration), MaxCatchUp); len(now) != due {
					t.Errorf("%d ticks at %v, the end of the stall, want %d; all: %v", len(now), resumed, due, at[:8])
				}
				if last := at[len(at)-1]; last != 2*time.Second {
					t.Errorf("the last tick came at %v: the grid moved", last)
				}
			})
		})
	}
}

func TestAddTwiceTicksOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := New(nil)
		n := 0
		tk := &ticker{collect: func() { n++ }}
		c.Add(tk)
		c.Add(tk)
		stop := start(t, c)
		wait(100 * time.Millisecond)
		c.Remove(tk)
		c.Remove(tk)
		wait(100 * time.Millisecond)
		stop()
		if n != 5 || c.Stats().Tickers != 0 {
			t.Fatalf("ticked %d times, %d on the list", n, c.Stats().Tickers)
		}
	})
}

func TestChangesFromWithinATick(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := New(nil)
		var a, b, added ticker
		var log []string
		added.collect = func() { log = append(log, "added") }
		a.collect = func() {
			log = append(log, "a")
			c.Add(&added) // from the next tick on
			c.Remove(&b)  // not called any more, not even in this tick
			c.Remove(&a)  // itself: its Deliver does not come either
			c.Remove(&a)
		}
		a.deliver = func() { log = append(log, "a delivered") }
		b.collect = func() { log = append(log, "b") }
		b.deliver = b.collect
		c.Add(&a)
		c.Add(&b)
		stop := start(t, c)
		wait(40 * time.Millisecond)
		stop()
		if got := strings.Join(log, " "); got != "a added" {
			t.Fatalf("calls %q, want %q", got, "a added")
		}
	})
}

func TestRemoveWaitsForTheRunningCall(t *testing.T) {
	t.Parallel()
	// Not in a bubble: there, waiting for a lock would stop the time.
	c := New(nil)
	var tk ticker
	began, release := make(chan bool), make(chan bool)
	var over atomic.Bool
	tk.collect = func() {
		c.Remove(&tk) // Remove waits also when the ticker took itself off the list
		began <- true
		<-release
		over.Store(true)
	}
	c.Add(&tk)
	stop := start(t, c)
	defer stop()
	<-began
	removed := make(chan bool)
	go func() {
		c.Remove(&tk)
		removed <- over.Load()
	}()
	select {
	case <-removed:
		t.Fatal("Remove returned during the call")
	case <-time.After(30 * time.Millisecond):
	}
	close(release)
	if !<-removed {
		t.Fatal("Remove returned before the call was over")
	}
}

func TestRemoveUnderLoad(t *testing.T) {
	t.Parallel()
	c := New(nil)
	stop := start(t, c)
	defer stop()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				var gone, broken atomic.Bool
				check := func() {
					if gone.Load() {
						broken.Store(true)
					}
				}
				tk := &ticker{collect: check, deliver: check}
				c.Add(tk)
				c.Remove(tk)
				gone.Store(true)
				if broken.Load() {
					t.Error("called after Remove returned")
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestPanickingTickerIsRemovedAndTheOthersLive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var buf bytes.Buffer
		c := New(slog.New(slog.NewTextHandler(&buf, nil)))
		n := 0
		bad := &ticker{deliver: func() { panic("broken call") }}
		c.Add(bad)
		c.Add(&ticker{deliver: func() { n++ }})
		stop := start(t, c)
		wait(100 * time.Millisecond)
		stop()
		c.Remove(bad)
		if s := c.Stats(); n != 5 || s.Panics != 1 || s.Tickers != 1 {
			t.Fatalf("the other ticked %d times, stats %+v", n, s)
		}
		if !strings.Contains(buf.String(), "broken call") {
			t.Fatalf("log %q", buf.String())
		}
	})
}

func TestRunCanBeRunAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := New(nil)
		n := 0
		c.Add(&ticker{collect: func() { n++ }})
		start(t, c)()
		wait(time.Second)
		if n != 0 {
			t.Fatalf("ticked %d times while it stood still", n)
		}
		stop := start(t, c)
		wait(40 * time.Millisecond)
		stop()
		if n != 2 || c.Stats().Skipped != 0 {
			t.Fatalf("ticked %d times, stats %+v", n, c.Stats())
		}
	})
}

func TestTickDoesNotAllocate(t *testing.T) {
	c := New(nil)
	var f media.Frame
	for range 100 {
		c.Add(&ticker{collect: func() { f[0]++ }})
	}
	if n := testing.AllocsPerRun(100, c.tick); n != 0 {
		t.Fatalf("%v allocations per tick", n)
	}
}

func TestGoroutineID(t *testing.T) {
	t.Parallel()
	here := goroutineID()
	if here == 0 || here != goroutineID() {
		t.Fatalf("goroutine number %d", here)
	}
	other := make(chan uint64)
	go func() { other <- goroutineID() }()
	if id := <-other; id == 0 || id == here {
		t.Fatalf("another goroutine has number %d, this one %d", id, here)
	}
}

func BenchmarkTick100(b *testing.B) {
	c := New(nil)
	for range 100 {
		c.Add(&ticker{})
	}
	b.ReportAllocs()
	for b.Loop() {
		c.tick()
	}
}
