package event

import (
	"sync"
	"sync/atomic"

	"callbox/call"
)

// Subscription is one subscriber's queue.
type Subscription struct {
	bus    *Bus
	filter Filter
	size   int             // ordinary events fill the channel up to here
	ch     chan call.Event // twice as long: the rest is for final events

	dropped atomic.Uint64

	mu    sync.Mutex // makes sending and closing exclude each other
	ended bool
	err   error
}

// C gives the events in order. It is closed when the subscription ends, after
// what was queued.
func (s *Subscription) C() <-chan call.Event { return s.ch }

// Dropped is the number of events that found the queue full. A gap shows in
// Event.Seq too.
func (s *Subscription) Dropped() uint64 { return s.dropped.Load() }

// Err says why C was closed: nil after Close, else ErrOverrun, ErrBusClosed or
// ErrTooMany. While the subscription lives it is nil.
func (s *Subscription) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Close ends the subscription. It may be called at any time and again.
func (s *Subscription) Close() {
	s.bus.remove(s)
	s.end(nil)
}

// offer queues ev, drops it, or ends the subscription; false says that it has
// ended and should be forgotten.
func (s *Subscription) offer(ev *call.Event) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return false
	}
	// Only senders add to the channel and they hold mu, so its length can only
	// shrink between the look and the send.
	queued := len(s.ch)
	final := Final(ev.Type)
	switch {
	case queued < s.size, final && queued < cap(s.ch):
		s.ch <- *ev
		s.bus.delivered.Add(1)
	case final:
		s.bus.overruns.Add(1)
		s.dropped.Add(1)
		s.ended, s.err = true, ErrOverrun
		close(s.ch)
		return false
	default:
		s.dropped.Add(1)
		s.bus.dropped.Add(1)
	}
	return true
}

func (s *Subscription) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	s.ended, s.err = true, err
	close(s.ch)
}
