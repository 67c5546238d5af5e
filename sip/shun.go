package sip

import (
	"net/netip"
	"slices"
	"sync"
	"time"

	"callbox/sip/locate"
	"callbox/sip/wire"
)

// How servers that fail are treated, in T1 (0.5 s).
const (
	// giveUp is how long a server may say nothing while there is another one to try:
	// three repetitions, and the change is made within 4 s.
	giveUp = 7
	// avoid is how long one that failed comes last.
	avoid = 120
	// later is how much longer calls avoid it than registrations and keep-alives,
	// which find out first: no caller waits for a server that is still away.
	later = 60
)

const (
	// maxAvoid bounds how long a server may ask to be avoided.
	maxAvoid = 10 * time.Minute
	// maxShunned bounds the memory of failed servers.
	maxShunned = 256
)

// shunned are the servers that failed lately.
type shunned struct {
	mu    sync.Mutex // guards until
	until map[locate.Hop]time.Time
}

func (s *shunned) add(d wire.Dest, span time.Duration) {
	h, ok := hopOf(d)
	if !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if len(s.until) >= maxShunned {
		for o, t := range s.until {
			if !now.Before(t) {
				delete(s.until, o)
			}
		}
	}
	if len(s.until) < maxShunned {
		s.until[h] = now.Add(span)
	}
}

func (s *shunned) remove(d wire.Dest) {
	if h, ok := hopOf(d); ok {
		s.mu.Lock()
		delete(s.until, h)
		s.mu.Unlock()
	}
}

func hopOf(d wire.Dest) (locate.Hop, bool) {
	if len(d.Addrs) != 1 {
		return locate.Hop{}, false
	}
	return locate.Hop{Transport: d.Transport, Addr: d.Addrs[0]}, true
}

// last puts servers that failed lately, or whose time to be avoided is over for
// less than grace, behind the others, each part in its order.
func (s *shunned) last(hops []locate.Hop, grace time.Duration) []locate.Hop {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	good := make([]locate.Hop, 0, len(hops))
	var bad []locate.Hop
	for _, h := range hops {
		if t, ok := s.until[h]; ok && now.Before(t.Add(grace)) {
			bad = append(bad, h)
		} else {
			good = append(good, h)
		}
	}
	return append(good, bad...)
}

// soonest is when the first of hops that is avoided may be tried again; the zero
// time when none is.
func (s *shunned) soonest(hops []locate.Hop) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	var at time.Time
	for _, h := range hops {
		if t, ok := s.until[h]; ok && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	return at
}

// addrsOf are the addresses of hops, each once.
func addrsOf(hops []locate.Hop) []netip.AddrPort {
	out := make([]netip.AddrPort, 0, len(hops))
	for _, h := range hops {
		if !slices.Contains(out, h.Addr) {
			out = append(out, h.Addr)
		}
	}
	return out
}
