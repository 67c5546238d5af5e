package hook

import (
	"bytes"
	"container/list"
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Bounds of the sounds that are kept.
const (
	defaultSounds = 16 << 20 // bytes of all
	soundShare    = 4        // one takes this part of the room at most
	soundOverhead = 512      // what one costs beside its bytes and its URL
	maxFresh      = 24 * time.Hour
)

// SoundStats are the counters of the sounds that are kept.
type SoundStats struct {
	Hits        uint64 // played without being fetched, as they are or after the server agreed
	Stale       uint64 // of Hits: the server could not be asked
	Misses      uint64
	Evicted     uint64
	Held, Bytes int
}

// sounds keeps what was played last, in memory, up to a number of bytes (RFC 9111):
// for as long as the server said, and else asking it each time whether they have
// changed. What was used longest ago goes first. Its methods may be called from any
// goroutine.
type sounds struct {
	limit int
	now   func() time.Time

	mu      sync.Mutex // guards what follows
	held    map[string]*list.Element
	order   *list.List // of *sound, last used first
	bytes   int        // of the sounds held, and of those that arrive to be kept
	filling map[string]bool
	counts  SoundStats
}

// sound is one that is kept. It is never changed; another takes its place.
type sound struct {
	url      string
	kind     string // content type
	body     []byte
	tag      string // ETag
	modified string // Last-Modified
	until    time.Time
	strict   bool // it must not be played when the server cannot be asked
}

func (s *sound) cost() int { return len(s.body) + len(s.url) + soundOverhead }

func newSounds(limit int) *sounds {
	if limit == 0 {
		limit = defaultSounds
	}
	return &sounds{limit: limit, now: time.Now, held: map[string]*list.Element{}, order: list.New(), filling: map[string]bool{}}
}

// validators are the headers that ask whether a sound has changed.
type validators struct{ tag, modified string }

type validatorsKey struct{}

// set puts them into a request.
func (v validators) set(h http.Header) {
	if v.tag != "" {
		h.Set("If-None-Match", v.tag)
	}
	if v.modified != "" {
		h.Set("If-Modified-Since", v.modified)
	}
}

// find gives the sound of url that is kept, and whether it is fresh; nil: none is.
func (c *sounds) find(url string) (s *sound, fresh bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.held[url]
	if !ok {
		c.counts.Misses++
		return nil, false
	}
	c.order.MoveToFront(e)
	s = e.Value.(*sound) //nolint:forcetypeassert // the list holds nothing else
	return s, c.now().Before(s.until)
}

// ask gives ctx with the headers that ask whether s has changed.
func (s *sound) ask(ctx context.Context) context.Context {
	if s == nil {
		return ctx
	}
	return context.WithValue(ctx, validatorsKey{}, validators{s.tag, s.modified})
}

// play gives a sound that is kept as a stream. stale: the server could not be asked.
func (c *sounds) play(s *sound, stale bool) (io.ReadCloser, string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts.Hits++
	if stale {
		c.counts.Stale++
	}
	return io.NopCloser(bytes.NewReader(s.body)), s.kind, nil
}

// renew notes that the server has said, with these headers, that s is as it was.
func (c *sounds) renew(s *sound, h http.Header) {
	next := *s
	keep, until, strict := c.terms(h)
	next.until, next.strict = until, strict
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.held[s.url]
	switch {
	case !ok || e.Value != s: // another has taken its place
	case !keep && h.Get("Cache-Control") != "":
		c.remove(e)
	default:
		e.Value = &next
	}
}

// terms reads whether an answer may be kept, how long without asking, and whether it
// is worth nothing afterwards (RFC 9111 §5.2.2).
func (c *sounds) terms(h http.Header) (keep bool, until time.Time, strict bool) {
	keep = h.Get("ETag") != "" || h.Get("Last-Modified") != ""
	now := c.now()
	fresh := time.Duration(0)
	if e, err := http.ParseTime(h.Get("Expires")); err == nil {
		fresh = e.Sub(now)
	}
	asks := false
	for _, d := range strings.Split(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(d)), "=")
		switch name {
		case "no-store":
			return false, now, true
		case "no-cache":
			asks, strict = true, true
		case "must-revalidate":
			strict = true
		case "max-age":
			if n, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31); err == nil {
				fresh = time.Duration(n) * time.Second
			}
		}
	}
	if strings.TrimSpace(h.Get("Vary")) == "*" {
		return false, now, true
	}
	if n, err := strconv.ParseUint(h.Get("Age"), 10, 31); err == nil {
		fresh -= time.Duration(n) * time.Second
	}
	if asks {
		fresh = 0
	}
	return keep || fresh > 0, now.Add(max(0, min(fresh, maxFresh))), strict
}

// keep gives a stream that keeps what is read of s, when that is all of it.
func (c *sounds) keep(url, kind string, s *stream) io.ReadCloser {
	h := s.x.resp.Header
	may, until, strict := c.terms(h)
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.held[url]; ok { // it has changed
		c.remove(e)
	}
	if !may || c.filling[url] || s.x.resp.StatusCode != http.StatusOK || s.x.resp.ContentLength > int64(c.limit/soundShare) {
		return s
	}
	c.filling[url] = true
	return &kept{stream: s, sounds: c, sound: sound{url: url, kind: kind, tag: h.Get("ETag"), modified: h.Get("Last-Modified"), until: until, strict: strict}}
}

// remove takes a sound out; mu is held.
func (c *sounds) remove(e *list.Element) {
	s := c.order.Remove(e).(*sound) //nolint:forcetypeassert // the list holds nothing else
	delete(c.held, s.url)
	c.bytes -= s.cost()
}

// room makes room for n more bytes, and reports whether there is any; mu is held.
func (c *sounds) room(n int) bool {
	for c.bytes+n > c.limit && c.order.Len() > 0 {
		c.remove(c.order.Back())
		c.counts.Evicted++
	}
	return c.bytes+n <= c.limit
}

func (c *sounds) stats() SoundStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.counts
	s.Held, s.Bytes = c.order.Len(), c.bytes
	return s
}

// kept is an open sound that is kept when all of it was read. It may be closed while
// it is read.
type kept struct {
	*stream
	sounds *sounds
	sound  sound // as far as it was read; the cache's lock
	over   bool  // likewise
}

// Read gives what has arrived.
func (k *kept) Read(p []byte) (int, error) {
	n, err := k.stream.Read(p)
	c := k.sounds
	c.mu.Lock()
	defer c.mu.Unlock()
	if k.over {
		return n, err
	}
	if len(k.sound.body)+n+soundOverhead > c.limit/soundShare || !c.room(n) {
		k.drop()
		return n, err
	}
	c.bytes += n
	k.sound.body = append(k.sound.body, p[:n]...)
	switch {
	case err == io.EOF:
		k.done()
	case err != nil:
		k.drop()
	}
	return n, err
}

// done keeps the sound; the cache's lock is held.
func (k *kept) done() {
	c := k.sounds
	s := k.sound
	s.body = bytes.Clone(s.body) // without the room that was left
	k.drop()
	if _, ok := c.held[s.url]; ok || !c.room(s.cost()) {
		return
	}
	c.bytes += s.cost()
	c.held[s.url] = c.order.PushFront(&s)
}

// drop forgets what was read; the cache's lock is held.
func (k *kept) drop() {
	if k.over {
		return
	}
	k.over = true
	k.sounds.bytes -= len(k.sound.body)
	k.sound.body = nil
	delete(k.sounds.filling, k.sound.url)
}

// Close ends the stream.
func (k *kept) Close() error {
	k.sounds.mu.Lock()
	k.drop()
	k.sounds.mu.Unlock()
	return k.stream.Close()
}
