package ice

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	// maxProven bounds the addresses of one far end that have passed a check: its
	// networks, seen through their NATs.
	maxProven = 16
	// keepNominated is how long a nominated address that is nominated no more keeps
	// its place against one of lower priority. Browsers repeat it each 2.5 s.
	keepNominated = 3 * time.Second
)

// Credentials are the user fragment and the password of one side (RFC 8445 §5.3).
type Credentials struct{ Ufrag, Password string }

// NewCredentials makes random ones: 48 bits of user fragment, 144 of password.
func NewCredentials() Credentials {
	var b [24]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	text := base64.RawStdEncoding.EncodeToString(b[:])
	return Credentials{Ufrag: text[:8], Password: text[8:]}
}

// String names the user fragment; the password stays out of logs.
func (c Credentials) String() string { return c.Ufrag }

// GoString is String, for %#v.
func (c Credentials) GoString() string { return c.Ufrag }

// Agent answers the checks of one far end. The zero value answers none. Its
// methods may be called from any goroutine.
type Agent struct {
	mu       sync.Mutex // guards what follows
	local    Credentials
	before   Credentials // ours until the last restart, which checks may still use
	remote   string      // the far end's user fragment; empty: not known yet
	proven   []netip.AddrPort
	selected netip.AddrPort
	priority uint32    // of selected
	named    time.Time // when selected was nominated last
	heard    time.Time
	stats    Stats
}

// Stats count what an agent was asked.
type Stats struct {
	Answered uint64 // checks
	Refused  uint64 // signed requests that could not be granted
	Ignored  uint64 // messages that nobody was entitled to
}

// NewAgent makes one with credentials of its own.
func NewAgent() *Agent { return &Agent{local: NewCredentials()} }

// Local are our credentials, for the session description.
func (a *Agent) Local() Credentials {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.local
}

// Remote tells the agent the far end's user fragment, and whether it is a new
// one: then the far end has started anew (RFC 8445 §9) and so do we, with new
// credentials of ours. The chosen address stays until there is a new one.
func (a *Agent) Remote(ufrag string) (restarted bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if ufrag == a.remote {
		return false
	}
	restarted = a.remote != ""
	a.remote = ufrag
	if restarted {
		a.before, a.local = a.local, NewCredentials()
		a.priority, a.named = 0, time.Time{}
	}
	return restarted
}

// Selected is the address that the far end has nominated; invalid: none yet.
func (a *Agent) Selected() netip.AddrPort {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.selected
}

// Heard is when the last good check came; zero: never.
func (a *Agent) Heard() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.heard
}

// Proven reports whether a check came from an address.
func (a *Agent) Proven(addr netip.AddrPort) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Contains(a.proven, addr)
}

// Stats gives the counters.
func (a *Agent) Stats() Stats {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.stats
}

// Is reports whether a datagram is STUN by its first byte (RFC 7983 §7).
func Is(b []byte) bool { return len(b) > 0 && b[0] <= 3 }

// Take answers a datagram that came from an address. The answer goes back there;
// nil: there is none. chosen says that Selected has changed. b is not kept.
func (a *Agent) Take(b []byte, from netip.AddrPort, now time.Time) (answer []byte, chosen bool) {
	c, err := parse(b)
	a.mu.Lock()
	defer a.mu.Unlock()
	var password string
	if err == nil {
		password, err = a.entitled(&c)
	}
	if err != nil {
		a.stats.Ignored++
		return nil, false
	}
	switch {
	case len(c.unknown) > 0: // RFC 8489 §6.3.1
		a.stats.Refused++
		r := newReply(errorReply, c.id)
		r.refuse(420, "Unknown Attribute")
		list := make([]byte, 0, 16)
		for _, kind := range c.unknown {
			list = binary.BigEndian.AppendUint16(list, kind)
		}
		r.add(attrUnknown, list)
		return r.finish(password), false
	case c.controlled: // a lite agent never controls (RFC 8445 §6.1.1)
		a.stats.Refused++
		r := newReply(errorReply, c.id)
		r.refuse(487, "Role Conflict")
		return r.finish(password), false
	}
	a.stats.Answered++
	a.heard = now
	if !slices.Contains(a.proven, from) {
		if len(a.proven) == maxProven {
			a.proven = slices.Delete(a.proven, 0, 1)
		}
		a.proven = append(a.proven, from)
	}
	if c.nominates {
		chosen = a.nominate(from, c.priority, now)
	}
	r := newReply(success, c.id)
	r.address(from)
	return r.finish(password), chosen
}

// entitled gives the password that a check was signed with. The caller holds a.mu.
func (a *Agent) entitled(c *check) (string, error) {
	ours, theirs, _ := bytes.Cut(c.username, []byte(":"))
	if a.remote != "" && string(theirs) != a.remote && a.before.Ufrag == "" {
		return "", errSignature
	}
	for _, own := range []Credentials{a.local, a.before} {
		if own.Ufrag != "" && string(ours) == own.Ufrag && c.signedBy(own.Password) {
			return own.Password, nil
		}
	}
	return "", errSignature
}

// nominate enters an address that the far end would use and reports whether it
// is now the chosen one. Of several that are nominated at once the one with the
// highest priority counts (RFC 8445 §8.1.1); one that is nominated no more gives
// way. The caller holds a.mu.
func (a *Agent) nominate(from netip.AddrPort, priority uint32, now time.Time) bool {
	if from == a.selected {
		a.priority, a.named = priority, now
		return false
	}
	if a.selected.IsValid() && priority < a.priority && now.Sub(a.named) < keepNominated {
		return false
	}
	a.selected, a.priority, a.named = from, priority, now
	return true
}

// Text is a candidate line's value (RFC 8839 §5.1) for one of our addresses,
// the n-th from 0, best first.
func Text(n int, addr netip.AddrPort) string {
	// RFC 8445 §5.1.2.1: type preference 126 for host candidates, then the order
	// among ours, then component 1.
	priority := 126<<24 | (65535-n)<<8 | 255
	return fmt.Sprintf("%d 1 udp %d %s %d typ host", n+1, priority, addr.Addr().Unmap().WithZone(""), addr.Port())
}
