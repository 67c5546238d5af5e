package clock

import (
	"context"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"callbox/media"
)

// MaxCatchUp is how many ticks are made up in a row after a late wake-up, this
// one included. What is older is skipped.
const MaxCatchUp = 5

// Stats are the counters of a [Clock] since it was made.
type Stats struct {
	Ticks   uint64        // ticks done
	Late    uint64        // ticks begun a whole period or more after their time
	Skipped uint64        // ticks never done because more than MaxCatchUp were due
	Panics  uint64        // tickers removed because they panicked
	Tickers int           // tickers on the list now
	Longest time.Duration // the longest tick, from its first Collect to its last Deliver
	Busy    time.Duration // time spent in all ticks
}

// Clock calls every added [media.Ticker] once per 20 ms while Run runs. All
// methods may be called from any goroutine.
type Clock struct {
	log *slog.Logger

	mu   sync.Mutex // serialises changes of the list
	list atomic.Pointer[[]*entry]
	goid atomic.Uint64 // goroutine of Run, 0 when it does not run
	// current is the entry called last. It is set before removed is looked at, so
	// that a Remove that no longer finds its ticker can still wait for it.
	current atomic.Pointer[entry]

	ticks, late, skipped, panics atomic.Uint64
	longest, busy                atomic.Int64 // ns
}

var _ media.Scheduler = (*Clock)(nil)

// entry is one ticker on the list.
type entry struct {
	t       media.Ticker
	mu      sync.Mutex // held while t is called
	removed atomic.Bool
}

// New makes a clock that stands still until Run. log may be nil.
func New(log *slog.Logger) *Clock {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	c := &Clock{log: log}
	c.list.Store(new([]*entry))
	return c
}

// Add puts t, a pointer, on the list; it is called from the next tick on. A
// ticker that is on the list already is not added again. Add during a tick does
// not wait for it.
func (c *Clock) Add(t media.Ticker) {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := *c.list.Load()
	if slices.ContainsFunc(old, func(e *entry) bool { return e.t == t }) {
		return
	}
	list := append(slices.Clip(slices.Clone(old)), &entry{t: t})
	c.list.Store(&list)
}

// Remove takes t off the list. When it returns, t is not being called and will
// not be called again; it waits for a call of t that is running. Called from
// within a tick (by a ticker, for itself or another) it does not wait, and t is
// not called again either. The caller must not hold a lock that t's Collect or
// Deliver takes. A ticker that is not on the list is ignored.
func (c *Clock) Remove(t media.Ticker) {
	e := c.drop(t)
	if e == nil {
		// Another Remove took it off the list, perhaps from within the call that
		// still runs.
		if e = c.current.Load(); e == nil || e.t != t {
			return
		}
	}
	if id := goroutineID(); id != 0 && c.goid.Load() == id {
		return // in a tick: the only call that can be running is our own caller's
	}
	e.mu.Lock() // waits for the running call; the next one sees removed
	defer e.mu.Unlock()
}

// drop takes t's entry off the list and marks it removed.
func (c *Clock) drop(t media.Ticker) *entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := *c.list.Load()
	i := slices.IndexFunc(old, func(e *entry) bool { return e.t == t })
	if i < 0 {
		return nil
	}
	old[i].removed.Store(true)
	list := make([]*entry, 0, len(old)-1)
	list = append(append(list, old[:i]...), old[i+1:]...)
	c.list.Store(&list)
	return old[i]
}

// Run ticks until ctx ends and returns nil. A clock is run by one goroutine at
// a time.
func (c *Clock) Run(ctx context.Context) error {
	c.goid.Store(goroutineID())
	defer c.goid.Store(0)
	start := time.Now()
	timer := time.NewTimer(media.FrameDuration)
	defer timer.Stop()
	var done int64 // ticks done or skipped since start
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		// What has become due meanwhile is done at once, and what becomes due while
		// that is done too: a timer set to a moment that is almost over would be up
		// to 1 ms late, the grain of the system's wait.
		for ctx.Err() == nil {
			due := int64(time.Since(start) / media.FrameDuration)
			if done >= due {
				break
			}
			if over := due - done - MaxCatchUp; over > 0 {
				c.skipped.Add(uint64(over))
				done += over
			}
			began := time.Now()
			if began.Sub(start) >= time.Duration(done+2)*media.FrameDuration {
				c.late.Add(1)
			}
			c.tick()
			c.account(time.Since(began))
			done++
		}
		timer.Reset(time.Until(start.Add(time.Duration(done+1) * media.FrameDuration)))
	}
}

// account notes one tick that took d.
func (c *Clock) account(d time.Duration) {
	c.ticks.Add(1)
	c.busy.Add(int64(d))
	if int64(d) > c.longest.Load() { // only Run's goroutine writes
		c.longest.Store(int64(d))
	}
}

// tick does both phases for the list as it is now.
func (c *Clock) tick() {
	list := *c.list.Load()
	for _, e := range list {
		c.call(e, true)
	}
	for _, e := range list {
		c.call(e, false)
	}
}

// call runs one phase of one ticker, unless it was removed. A ticker that
// panics is removed, so that one broken call does not end the others.
func (c *Clock) call(e *entry, collect bool) {
	if e.removed.Load() {
		return
	}
	e.mu.Lock()
	defer c.after(e)
	c.current.Store(e)
	if e.removed.Load() {
		return
	}
	if collect {
		e.t.Collect()
	} else {
		e.t.Deliver()
	}
}

// after ends a call: it is deferred, so that recover sees a panic of the ticker.
func (c *Clock) after(e *entry) {
	v := recover()
	e.mu.Unlock()
	if v == nil {
		return
	}
	c.panics.Add(1)
	c.drop(e.t)
	c.log.Error("media ticker panicked and was removed", "err", v, "stack", string(debug.Stack()))
}

// Stats gives the counters.
func (c *Clock) Stats() Stats {
	return Stats{
		Ticks:   c.ticks.Load(),
		Late:    c.late.Load(),
		Skipped: c.skipped.Load(),
		Panics:  c.panics.Load(),
		Tickers: len(*c.list.Load()),
		Longest: time.Duration(c.longest.Load()),
		Busy:    time.Duration(c.busy.Load()),
	}
}
