package api

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// Limits of failed logins per source address (an IPv6 source is its /64).
const (
	// FailureBurst failures in a row are looked at, then one per FailurePace.
	FailureBurst = 10
	FailurePace  = 6 * time.Second
	// maxSources bounds the table. When it is full, the source that is nearest to
	// a clean slate is forgotten.
	maxSources = 1024
)

// failures counts failed logins per source: a bucket of FailureBurst tokens, of
// which a failure takes one and FailurePace gives one back.
type failures struct {
	mu      sync.Mutex
	sources map[netip.Prefix]bucket // mu
	dropped uint64                  // mu; sources forgotten because the table was full
}

// bucket is full again at fullAt; every missing token is FailurePace of waiting.
type bucket struct{ fullAt time.Time }

// wait is how long src must wait before its next attempt is looked at; 0: not
// at all.
func (f *failures) wait(src netip.Prefix, now time.Time) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	left := max(f.sources[src].fullAt.Sub(now), 0) // of an unknown source: a saturated negative
	return max(left-(FailureBurst-1)*FailurePace, 0)
}

// fail counts a failure of src.
func (f *failures) fail(src netip.Prefix, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b, known := f.sources[src]
	if !known && len(f.sources) >= maxSources {
		f.makeRoom(now)
	}
	if b.fullAt.Before(now) {
		b.fullAt = now
	}
	b.fullAt = b.fullAt.Add(FailurePace)
	if limit := now.Add(FailureBurst * FailurePace); b.fullAt.After(limit) {
		b.fullAt = limit
	}
	if f.sources == nil {
		f.sources = make(map[netip.Prefix]bucket)
	}
	f.sources[src] = b
}

// makeRoom forgets the sources with a clean slate, or the one nearest to it.
// The caller holds mu.
func (f *failures) makeRoom(now time.Time) {
	var nearest netip.Prefix
	var at time.Time
	for src, b := range f.sources {
		if !b.fullAt.After(now) {
			delete(f.sources, src)
			continue
		}
		if at.IsZero() || b.fullAt.Before(at) {
			nearest, at = src, b.fullAt
		}
	}
	if len(f.sources) >= maxSources {
		delete(f.sources, nearest)
		f.dropped++
	}
}

// sourceOf is the key of a remote address; the zero Prefix for what is not an
// IP address, such as a unix socket's peer.
func sourceOf(remote string) netip.Prefix {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return netip.Prefix{}
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Prefix{}
	}
	addr = addr.Unmap().WithZone("")
	bits := 32
	if addr.Is6() {
		bits = 64
	}
	p, err := addr.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}
