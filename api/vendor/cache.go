package vendor

import (
	"container/list"
	"sync"
)

// spoken is what makes two spoken texts the same.
type spoken struct{ vendor, url, language, voice, text string }

// CacheStats are the counters of the cache.
type CacheStats struct {
	Hits, Misses, Evicted uint64
	Entries, Bytes        int
}

// cache keeps what was spoken last, up to a number of bytes; what was used
// longest ago goes first.
type cache struct {
	limit int

	mu      sync.Mutex // guards what follows
	entries map[spoken]*list.Element
	order   *list.List // of *entry, last used first
	bytes   int
	counts  CacheStats
}

type entry struct {
	key     spoken
	samples []int16
}

// overhead is what an entry costs beside its sound and its texts.
const overhead = 256

func (e *entry) cost() int { return 2*len(e.samples) + len(e.key.text) + overhead }

func newCache(limit int) *cache {
	return &cache{limit: limit, entries: map[spoken]*list.Element{}, order: list.New()}
}

// get finds a sound, and counts.
func (c *cache) get(k spoken) ([]int16, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[k]
	if !ok {
		c.counts.Misses++
		return nil, false
	}
	c.counts.Hits++
	c.order.MoveToFront(e)
	return e.Value.(*entry).samples, true
}

// put keeps a sound, unless it takes more than a quarter of the room.
func (c *cache) put(k spoken, samples []int16) {
	n := &entry{k, samples}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.entries[k]; ok || n.cost() > c.limit/4 {
		return
	}
	c.entries[k] = c.order.PushFront(n)
	for c.bytes += n.cost(); c.bytes > c.limit; {
		old := c.order.Remove(c.order.Back()).(*entry)
		delete(c.entries, old.key)
		c.bytes -= old.cost()
		c.counts.Evicted++
	}
}

func (c *cache) stats() CacheStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.counts
	s.Entries, s.Bytes = len(c.entries), c.bytes
	return s
}
