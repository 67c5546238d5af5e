package hook

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"sort"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"callbox/api"
)

// Stats are the deliverer's counters since it was made, and its present state.
type Stats struct {
	Delivered  uint64 // answered 2xx
	Repeated   uint64 // attempts that failed and are repeated
	Refused    uint64 // answered otherwise, not repeated
	GivenUp    uint64 // too old
	Unreadable uint64 // not a notice of this package
	Oversize   uint64 // dropped by Render
	Outbox     uint64 // failures of the outbox
	Loaded     int    // notices in memory
	InFlight   int    // requests under way
	Down       []Down // receivers that do not answer, by name
}

// Down is a receiver that does not answer.
type Down struct {
	Receiver string    // "http://192.0.2.7:8080"
	Since    time.Time // of the first failure in a row
	Fails    int
	Next     time.Time // when it is tried again
	Error    string    // of the last failure
}

// counters are shared by the goroutines of a Deliverer.
type counters struct {
	delivered, repeated, refused, givenUp, unreadable, oversize, outbox atomic.Uint64

	mu             sync.Mutex // guards what follows
	loaded, flying int
	down           map[string]Down
}

func (c *counters) setLoad(loaded, flying int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.loaded, c.flying = loaded, flying
}

func (c *counters) setDown(origin string, w wait, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down == nil {
		c.down = make(map[string]Down)
	}
	c.down[origin] = Down{Receiver: origin, Since: w.since, Fails: w.fails, Next: w.next, Error: err.Error()}
}

func (c *counters) setUp(origin string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.down, origin)
}

// Stats gives the counters now.
func (d *Deliverer) Stats() Stats {
	c := &d.counters
	c.mu.Lock()
	defer c.mu.Unlock()
	s := Stats{
		Delivered: c.delivered.Load(), Repeated: c.repeated.Load(), Refused: c.refused.Load(),
		GivenUp: c.givenUp.Load(), Unreadable: c.unreadable.Load(), Oversize: c.oversize.Load(),
		Outbox: c.outbox.Load(), Loaded: c.loaded, InFlight: c.flying,
	}
	for _, w := range c.down {
		s.Down = append(s.Down, w)
	}
	sort.Slice(s.Down, func(i, j int) bool { return s.Down[i].Receiver < s.Down[j].Receiver })
	return s
}

// backOff starts the next wait of w, of at least atLeast.
func (d *Deliverer) backOff(w *wait, now time.Time, atLeast time.Duration) {
	if w.fails == 0 {
		w.since = now
	}
	delay := LongestWait
	if w.fails < 10 { // 1 s << 10 is more than the longest
		delay = min(FirstRetry<<w.fails, LongestWait)
	}
	w.fails++
	w.next = now.Add(max(d.jitter(delay), min(atLeast, LongestWait)))
}

// jitter spreads d by ±20 %.
func jitter(d time.Duration) time.Duration {
	return d - d/5 + rand.N(2*d/5+1)
}

// tell sends a status callback once. The answer's content is not looked at.
func (c *Client) tell(ctx context.Context, o api.Outgoing) error {
	_, fragment := splitFragment(o.URL)
	t := tuned(fragment)
	ctx, cancel := context.WithTimeoutCause(ctx, t.total, errTotalTime)
	defer cancel()
	x, err := c.begin(ctx, o, t, nil)
	if err != nil {
		return err
	}
	defer x.end()
	if s := x.resp.StatusCode; s/100 != 2 {
		return &repeatError{statusError{s}, retryAfter(x.resp.Header)}
	}
	return nil
}

// repeatError is a statusError with the receiver's wish.
type repeatError struct {
	statusError
	after time.Duration
}

func (e *repeatError) Unwrap() error { return &e.statusError }

// retryAfter reads the seconds of a Retry-After header (RFC 9110 §10.2.3); 0
// when there is none, or a date.
func retryAfter(h http.Header) time.Duration {
	n, err := strconv.ParseUint(h.Get("Retry-After"), 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second
}

// statusOf gives the HTTP status that err tells of, 0 when none, and the wish.
func statusOf(err error) (int, time.Duration) {
	var r *repeatError
	if errors.As(err, &r) {
		return r.status, r.after
	}
	var s *statusError
	if errors.As(err, &s) {
		return s.status, 0
	}
	return 0, 0
}
