package speech

import (
	"container/list"
	"sync"
)

// key is what makes two spoken texts the same.
type key struct {
	voice string
	ssml  bool
	text  string
}

// CacheStats are the counters of the cache since the speaker was made.
type CacheStats struct {
	Hits, Misses uint64
	Evicted      uint64 // entries that made room for others
	Refused      uint64 // sounds too large to keep
	Entries      int
	Bytes        int
}

// cache keeps what was spoken last, up to a number of bytes (least recently used
// goes first).
type cache struct {
	limit int

	mu      sync.Mutex
	entries map[key]*list.Element // mu
	order   *list.List            // mu; of *entry, most recent first
	counts  CacheStats            // mu
}

type entry struct {
	key     key
	samples []int16
}

// overhead is what an entry costs beside its sound and text.
const overhead = 256

// bytes is the cost of an entry.
func (e *entry) bytes() int { return 2*len(e.samples) + len(e.key.text) + overhead }

func newCache(limit int) *cache {
	return &cache{limit: limit, entries: map[key]*list.Element{}, order: list.New()}
}

// get finds a sound and counts.
func (c *cache) get(k key) ([]int16, bool) {
	s, ok := c.peek(k)
	c.mu.Lock()
	defer c.mu.Unlock()
	if ok {
		c.counts.Hits++
	} else {
		c.counts.Misses++
	}
	return s, ok
}

// peek finds a sound without counting.
func (c *cache) peek(k key) ([]int16, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	el, ok := c.entries[k]
	if !ok {
		return nil, false
	}
	c.order.MoveToFront(el)
	return el.Value.(*entry).samples, true //nolint:forcetypeassert // the list holds nothing else
}

// put keeps a sound, unless it takes more than half of the cache alone.
func (c *cache) put(k key, samples []int16) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := &entry{key: k, samples: samples}
	if e.bytes() > c.limit/2 {
		c.counts.Refused++
		return
	}
	if el, ok := c.entries[k]; ok {
		c.remove(el)
	}
	c.entries[k] = c.order.PushFront(e)
	c.counts.Bytes += e.bytes()
	for c.counts.Bytes > c.limit {
		c.remove(c.order.Back())
		c.counts.Evicted++
	}
}

// remove takes an entry out. c.mu is held.
func (c *cache) remove(el *list.Element) {
	e := c.order.Remove(el).(*entry) //nolint:forcetypeassert // the list holds nothing else
	delete(c.entries, e.key)
	c.counts.Bytes -= e.bytes()
}

func (c *cache) stats() CacheStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.counts
	s.Entries = c.order.Len()
	return s
}
