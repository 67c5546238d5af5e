package hook

import (
	"sort"
	"sync"
	"sync/atomic"
	"time"
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
