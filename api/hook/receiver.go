package hook

import (
	"math/rand/v2"
	"net/url"
	"time"
)

// wait is a back-off.
type wait struct {
	fails int
	since time.Time // of the first failure
	next  time.Time
}

// receiver is one scheme, host and port.
type receiver struct {
	loaded, flying int
	wait           // fails is 0 while it answers
}

// sweep forgets, when the outbox has been read to its end, the back-offs for
// which no notice waits.
func (s *dispatcher) sweep() {
	for o, r := range s.receivers {
		if r.loaded > 0 || r.flying > 0 || s.passedOrigin[o] {
			continue
		}
		if r.fails > 0 {
			s.d.counters.setUp(o)
		}
		delete(s.receivers, o)
	}
	for l := range s.waits {
		if !s.passedOver[l] && !s.passedOrigin[l.origin] && len(s.lanes[l]) == 0 {
			delete(s.waits, l)
		}
	}
}

// receiver gives the state of a receiver, in place of an idle one when there
// are too many.
func (s *dispatcher) receiver(origin string) *receiver {
	r, ok := s.receivers[origin]
	if ok {
		return r
	}
	if len(s.receivers) >= maxWaits {
		for o, idle := range s.receivers {
			if idle.loaded == 0 && idle.flying == 0 {
				delete(s.receivers, o)
				s.d.counters.setUp(o)
				break
			}
		}
	}
	r = &receiver{}
	s.receivers[origin] = r
	return r
}

// waiting gives the back-off of a receiver, nil when it is not known.
func (s *dispatcher) waiting(origin string) *wait {
	if r, ok := s.receivers[origin]; ok {
		return &r.wait
	}
	return nil
}

// tidy forgets a receiver of which there is nothing to know.
func (s *dispatcher) tidy(origin string, r *receiver) {
	if r.loaded == 0 && r.flying == 0 && r.fails == 0 && s.receivers[origin] == r {
		delete(s.receivers, origin)
	}
}

// evict makes room for one more lane in back-off.
func (s *dispatcher) evict() {
	if len(s.waits) < maxWaits {
		return
	}
	var first lane
	var at time.Time
	for l, w := range s.waits {
		if at.IsZero() || w.next.Before(at) {
			first, at = l, w.next
		}
	}
	delete(s.waits, first)
}

// blocked reports whether the back-off is running; a nil one never is.
func (w *wait) blocked(now time.Time) bool { return w != nil && w.fails > 0 && now.Before(w.next) }

// dead reports whether a notice made at created is to be given up.
func (w *wait) dead(now, created time.Time) bool {
	return w != nil && w.fails >= GiveUpTries && now.Sub(created) >= GiveUpAge
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

// share is how many notices of the receiver are kept in memory, and width how
// many may fly: one of each while it is not known to answer.
func (r *receiver) share() int {
	if r.fails > 0 {
		return 1
	}
	return share
}

func (r *receiver) width() int {
	if r.fails > 0 {
		return 1
	}
	return PerReceiver
}

// originOf names the receiver of a URL.
func originOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "(unreadable URL)"
	}
	return u.Scheme + "://" + u.Host
}
