package vendor

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"callbox/call"
	"callbox/call/script"
)

// Vendor is one speech vendor.
type Vendor struct {
	Name    string // as documents name it, also behind "custom:"
	Speaks  string // URL that turns text into sound, http or https; empty: it does not
	Hears   string // URL that turns sound into text, ws or wss; empty: it does not
	Key     string // sent as a bearer token; empty: none
	Default bool   // used where no vendor is named, or one that is not set up
}

// Config is what a [Set] needs.
type Config struct {
	// Transport makes the connections, under the box's policy of addresses.
	Transport http.RoundTripper
	UserAgent string
	// CacheBytes bounds the memory of spoken texts; 0: 8 MiB.
	CacheBytes int
	Log        *slog.Logger // nil: no log
}

// Set are the speech vendors. Its methods may be called from any goroutine.
type Set struct {
	cfg     Config
	vendors atomic.Pointer[[]Vendor]
	cache   *cache

	mu     sync.Mutex // guards closed, and adding to tasks
	closed bool
	tasks  sync.WaitGroup // the goroutines of recognitions
	count  struct{ spoken, heard, failed, dropped atomic.Uint64 }
}

// Stats are the counters of a set since it was made.
type Stats struct {
	Spoken  uint64 // texts that vendors spoke
	Heard   uint64 // recognitions begun
	Failed  uint64 // of both
	Dropped uint64 // frames of 20 ms that a recogniser did not take in time
	Cache   CacheStats
}

// New makes a set without vendors. Close ends it.
func New(c Config) *Set {
	if c.CacheBytes == 0 {
		c.CacheBytes = 8 << 20
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &Set{cfg: c, cache: newCache(c.CacheBytes)}
	s.vendors.Store(&[]Vendor{})
	return s
}

// Use replaces the vendors. What is being spoken or heard goes on.
func (s *Set) Use(list []Vendor) { s.vendors.Store(&list) }

// Stats gives the counters.
func (s *Set) Stats() Stats {
	return Stats{Spoken: s.count.spoken.Load(), Heard: s.count.heard.Load(), Failed: s.count.failed.Load(),
		Dropped: s.count.dropped.Load(), Cache: s.cache.stats()}
}

// Close waits for the ends of the recognitions, which their users close.
func (s *Set) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.tasks.Wait()
}

// find gives the vendor of this name, else the default one, that can do what has
// gives an address for.
func (s *Set) find(name string, has func(Vendor) string) (v Vendor, ok bool) {
	name = strings.TrimPrefix(name, "custom:")
	for _, x := range *s.vendors.Load() {
		switch {
		case has(x) == "":
		case strings.EqualFold(x.Name, name):
			return x, true
		case x.Default:
			v, ok = x, true
		}
	}
	return v, ok
}

func speaks(v Vendor) string { return v.Speaks }
func hears(v Vendor) string  { return v.Hears }

// Speaks reports whether a vendor of this name, or the default one, turns text
// into sound.
func (s *Set) Speaks(name string) bool { _, ok := s.find(name, speaks); return ok }

// missing is the error of a vendor that is not set up.
func missing(err error, name, does string) error {
	if name == "" {
		return fmt.Errorf("%w: none is set up that %s; add one to speech_vendors", err, does)
	}
	return fmt.Errorf("%w: none with the name %q is set up that %s; add it to speech_vendors", err, name, does)
}

var (
	errSpeech = script.ErrNoSpeech
	errHear   = call.ErrNoRecogniser
)

// language is what a text or a voice is in.
func language(l string) string { return cmp.Or(l, "en-US") }
