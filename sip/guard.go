package sip

import (
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Limits of what strangers may do. An address is one IPv4 address, or an IPv6 /64.
const (
	maxSources = 4096 // addresses that are remembered
	maxBans    = 1024 // users at addresses that are remembered for wrong answers
	maxProven  = 512  // users remembered at one address for having answered right
	maxEarlier = 4096 // INVITEs of strangers that wait for their repetition

	failLimit   = 10               // wrong answers for one user from one address, then a ban of that pair
	sourceLimit = 30               // wrong answers from one address, then a ban of whom it has not proven
	failTime    = 10 * time.Minute // in which they count
	pairFirst   = time.Minute      // bans double, up to the most, when they are earned again
	pairMost    = time.Hour
	sourceFirst = 10 * time.Minute
	sourceMost  = 24 * time.Hour
	forgetAfter = 24 * time.Hour

	budget      = 300.0 // what an address may ask for at once without an outcome
	budgetMost  = 6000.0
	budgetRate  = 20.0 // earned back in each second
	priceAsk    = 1.0  // a challenge, a message of a stranger, a malformed one
	priceWrong  = 5.0  // a wrong answer
	earnRight   = 4.0  // a right answer: more than an INVITE that comes twice and the answer have cost
	repeatAfter = 32 * time.Second
)

// guard remembers how addresses have behaved. It counts wrong answers to a
// challenge and never the challenge, which every good phone has to ask for. A
// ban of an address spares the users that have answered right from there, so that a
// guesser among good phones behind one NAT takes nobody's phone away.
type guard struct {
	mu      sync.Mutex // guards the rest
	sources map[netip.Addr]*source
	pairs   map[failure]*strikes
	earlier map[string]time.Time

	total, refused uint64
}

// source is one address.
type source struct {
	tokens  float64
	most    float64 // what tokens may grow to
	at      time.Time
	strikes strikes
	proven  map[string]time.Time // users, and when they last answered right
}

type failure struct {
	addr netip.Addr
	user string
}

// strikes are wrong answers and the ban that they earned.
type strikes struct {
	n      int       // since first
	rights int       // right answers since first
	first  time.Time // the oldest that counts
	last   time.Time
	since  time.Time // of the ban, zero without one
	until  time.Time
	length time.Duration // of the last ban
	missed uint64        // requests that it kept away

	counts  int       // of a pair: what counted for its address
	counted time.Time // since
}

// Ban is an address, or one user at an address, whose requests get no answer.
type Ban struct {
	Addr     netip.Addr // of IPv6, the first of its /64
	User     string     // empty: every user that has not answered right from there
	Since    time.Time
	Until    time.Time
	Failures int    // wrong answers that earned it
	Dropped  uint64 // requests that it kept away
}

func newGuard() *guard {
	return &guard{sources: map[netip.Addr]*source{}, pairs: map[failure]*strikes{}, earlier: map[string]time.Time{}}
}

// sourceOf is what an address counts as.
func sourceOf(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is4() || !a.IsValid() {
		return a
	}
	p, _ := a.Prefix(64) // never fails: 64 is in range
	return p.Addr()
}

// banned reports whether the ban holds at now.
func (s *strikes) banned(now time.Time) bool { return now.Before(s.until) }

// wrong counts a wrong answer and reports whether it earned a ban just now.
func (s *strikes) wrong(now time.Time, limit int, first, most time.Duration) bool {
	if quiet := now.Sub(s.last); quiet > failTime && quiet > 2*s.length {
		s.length = 0
	}
	if !s.banned(now) && (now.Sub(s.first) > failTime || s.n >= limit && s.length > 0) {
		s.n, s.rights, s.first = 0, 0, now
	}
	s.n++
	s.last = now
	if s.banned(now) || s.n < limit || s.n <= s.rights/4 {
		return false
	}
	s.length = min(max(2*s.length, first), most)
	s.since, s.until, s.missed = now, now.Add(s.length), 0
	return true
}

// at gives the state of an address, made when absent. It is called with mu held.
func (g *guard) at(a netip.Addr, now time.Time) *source {
	s := g.sources[a]
	if s == nil {
		if len(g.sources) >= maxSources {
			g.trim(now)
		}
		s = &source{tokens: budget, most: budget, at: now, proven: map[string]time.Time{}}
		g.sources[a] = s
	}
	s.tokens = min(s.most, s.tokens+budgetRate*now.Sub(s.at).Seconds())
	s.at = now
	return s
}

// trim makes room: what is quiet and not banned first, then the longest quiet.
func (g *guard) trim(now time.Time) {
	var oldest netip.Addr
	for a, s := range g.sources {
		quiet := now.Sub(s.at)
		if !s.strikes.banned(now) && (quiet > forgetAfter || len(s.proven) == 0 && quiet > failTime) {
			delete(g.sources, a)
			continue
		}
		if o := g.sources[oldest]; o == nil || s.at.Before(o.at) {
			oldest = a
		}
	}
	if len(g.sources) >= maxSources {
		delete(g.sources, oldest)
	}
}

// spend takes the price of a message from an address and reports whether it had
// that much.
func (g *guard) spend(addr netip.Addr, price float64, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.at(sourceOf(addr), now)
	if s.tokens < price {
		g.refused++
		return false
	}
	s.tokens -= price
	return true
}

// shut reports whether nothing new from an address is even looked at: it is
// banned or has no budget left, and no user of the box has ever proven itself there.
func (g *guard) shut(addr netip.Addr, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.sources[sourceOf(addr)]
	if s == nil || len(s.proven) > 0 {
		return false
	}
	if s.strikes.banned(now) {
		s.strikes.missed++
		return true
	}
	if s.tokens+budgetRate*now.Sub(s.at).Seconds() < priceAsk {
		g.refused++
		return true
	}
	return false
}

// blocks reports whether a ban keeps this user at this address away.
func (g *guard) blocks(f failure, now time.Time) bool {
	f.addr = sourceOf(f.addr)
	g.mu.Lock()
	defer g.mu.Unlock()
	if p := g.pairs[f]; p != nil && p.banned(now) {
		p.missed++
		return true
	}
	s := g.sources[f.addr]
	if s == nil || !s.strikes.banned(now) {
		return false
	}
	if _, ok := s.proven[f.user]; ok {
		return false
	}
	s.strikes.missed++
	return true
}

// wrong counts a wrong answer; pair and whole say which bans it has earned.
func (g *guard) wrong(f failure, now time.Time) (pair, whole bool) {
	f.addr = sourceOf(f.addr)
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.pairs[f]
	if p == nil {
		if len(g.pairs) >= maxBans {
			g.trimPairs(now)
		}
		p = &strikes{first: now}
		g.pairs[f] = p
	}
	s := g.at(f.addr, now)
	s.tokens = max(0, s.tokens-priceWrong)
	if pair = p.wrong(now, failLimit, pairFirst, pairMost); pair {
		g.total++
	}
	// A phone with a wrong password tries for ever: it counts like a few.
	if now.Sub(p.counted) > failTime {
		p.counted, p.counts = now, 0
	}
	if p.counts++; p.counts <= failLimit {
		whole = s.strikes.wrong(now, sourceLimit, sourceFirst, sourceMost)
	}
	if whole {
		g.total++
	}
	return pair, whole
}

// trimPairs makes room for a pair: what is over first, then what is over soonest.
func (g *guard) trimPairs(now time.Time) {
	var first failure
	var soonest *strikes
	for f, p := range g.pairs {
		if !p.banned(now) && now.Sub(p.last) > failTime {
			delete(g.pairs, f)
			continue
		}
		if soonest == nil || p.until.Before(soonest.until) || p.until.Equal(soonest.until) && p.last.Before(soonest.last) {
			first, soonest = f, p
		}
	}
	if len(g.pairs) >= maxBans {
		delete(g.pairs, first)
	}
}

// right notes a right answer: its user is proven, what was wrong before is
// forgiven, and the address may do more.
func (g *guard) right(f failure, now time.Time) {
	f.addr = sourceOf(f.addr)
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.pairs, f)
	s := g.at(f.addr, now)
	if _, ok := s.proven[f.user]; !ok && len(s.proven) >= maxProven {
		for user, t := range s.proven {
			if now.Sub(t) > forgetAfter {
				delete(s.proven, user)
			}
		}
	}
	if _, ok := s.proven[f.user]; ok || len(s.proven) < maxProven {
		s.proven[f.user] = now
	}
	s.strikes.rights++
	s.most = min(s.most+earnRight, budgetMost)
	s.tokens = min(s.most, s.tokens+earnRight)
}

// repeated reports whether an INVITE with this key has come before: a caller
// repeats what gets no answer (RFC 3261 §17.1.1.2), a scanner does not.
func (g *guard) repeated(key string, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if t, ok := g.earlier[key]; ok && now.Sub(t) < repeatAfter {
		return true
	}
	if len(g.earlier) >= maxEarlier {
		for k, t := range g.earlier {
			if now.Sub(t) >= repeatAfter {
				delete(g.earlier, k)
			}
		}
		if len(g.earlier) >= maxEarlier {
			clear(g.earlier) // callers repeat up to six times more
		}
	}
	g.earlier[key] = now
	return false
}

// Bans lists the bans that hold now, the newest first.
func (s *Stack) Bans() []Ban {
	g, now := s.guard, time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []Ban
	add := func(a netip.Addr, user string, k *strikes) {
		if k.banned(now) {
			out = append(out, Ban{Addr: a, User: user, Since: k.since, Until: k.until, Failures: k.n, Dropped: k.missed})
		}
	}
	for a, src := range g.sources {
		add(a, "", &src.strikes)
	}
	for f, k := range g.pairs {
		add(f.addr, f.user, k)
	}
	slices.SortFunc(out, func(a, b Ban) int { return b.Since.Compare(a.Since) })
	return out
}

// Unban lifts every ban of an address, and of the users there, and forgets what
// earned them. It reports how many there were.
func (s *Stack) Unban(addr netip.Addr) int {
	g, now := s.guard, time.Now()
	addr = sourceOf(addr)
	g.mu.Lock()
	defer g.mu.Unlock()
	n := 0
	if src := g.sources[addr]; src != nil {
		if src.strikes.banned(now) {
			n++
		}
		src.strikes, src.tokens = strikes{first: now}, src.most
	}
	for f, k := range g.pairs {
		if f.addr == addr {
			if k.banned(now) {
				n++
			}
			delete(g.pairs, f)
		}
	}
	return n
}

// counts gives the totals since the start: bans, and messages beyond the budget.
func (g *guard) counts() (bans, refused uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.total, g.refused
}
