package event

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"callbox/call"
)

// Limits of a bus.
const (
	// DefaultSize is the queue of a subscription that does not choose one.
	DefaultSize = 64
	// MaxSize is the largest queue that can be chosen.
	MaxSize = 65536
	// MaxSubscriptions can exist on a bus at the same time.
	MaxSubscriptions = 1024
)

// Why a subscription ended, see [Subscription.Err].
var (
	// ErrOverrun: the subscriber was too slow even for the reserve.
	ErrOverrun = errors.New("subscriber was too slow and has been cut off")
	// ErrBusClosed: the bus was closed.
	ErrBusClosed = errors.New("event bus is closed")
	// ErrTooMany: the bus had MaxSubscriptions already.
	ErrTooMany = errors.New("too many subscriptions")
)

// Filter selects events. The zero value selects all.
type Filter struct {
	Account string           // only of this account
	Call    string           // only of the call with this Record.ID
	Parent  string           // only of calls with this Record.Parent
	Types   []call.EventType // only these
}

// Wants reports whether f selects ev.
func (f *Filter) Wants(ev *call.Event) bool {
	return (f.Account == "" || f.Account == ev.Record.Account) &&
		(f.Call == "" || f.Call == ev.Record.ID) &&
		(f.Parent == "" || f.Parent == ev.Record.Parent) &&
		(len(f.Types) == 0 || slices.Contains(f.Types, ev.Type))
}

// Final reports whether t is the last word on a call, a recording or a conference,
// which a full queue does not drop.
func Final(t call.EventType) bool {
	return t == call.EventEnded || t == call.EventConferenceEnd || t == call.EventRecordingDone || t == call.EventRecordingAbsent
}

// Stats are a bus's counters since it was made.
type Stats struct {
	Published     uint64 // events
	Delivered     uint64 // events put into a subscriber's queue
	Dropped       uint64 // ordinary events that found a queue full
	Overruns      uint64 // subscribers cut off
	Refused       uint64 // subscriptions above MaxSubscriptions
	Subscriptions int    // now
}

// Bus hands events to subscribers. Make it with [NewBus]; all methods may be
// called concurrently.
type Bus struct {
	// subs is replaced as a whole under mu and read without it.
	subs   atomic.Pointer[[]*Subscription]
	mu     sync.Mutex // guards changes of subs, and closed
	closed bool

	published, delivered, dropped, overruns, refused atomic.Uint64
}

// NewBus makes a bus without subscribers.
func NewBus() *Bus {
	b := &Bus{}
	b.subs.Store(&[]*Subscription{})
	return b
}

// Publish hands ev to every subscription that wants it. It does not block.
// Events that one goroutine publishes are received in that order. After Close
// it does nothing.
func (b *Bus) Publish(ev call.Event) {
	b.published.Add(1)
	for _, s := range *b.subs.Load() {
		if s.filter.Wants(&ev) && !s.offer(&ev) {
			b.remove(s)
		}
	}
}

// Subscribe starts a subscription that queues up to size events, and as many
// final ones again; size is 1…MaxSize, 0 is DefaultSize. It always gives a
// subscription; on a closed or full bus one that has already ended, with its
// Err set. The owner calls Close.
func (b *Bus) Subscribe(f Filter, size int) *Subscription {
	if size <= 0 {
		size = DefaultSize
	}
	size = min(size, MaxSize)
	f.Types = slices.Clone(f.Types)
	s := &Subscription{bus: b, filter: f, size: size, ch: make(chan call.Event, 2*size)}
	b.mu.Lock()
	defer b.mu.Unlock()
	old := *b.subs.Load()
	switch {
	case b.closed:
		s.end(ErrBusClosed)
	case len(old) >= MaxSubscriptions:
		b.refused.Add(1)
		s.end(ErrTooMany)
	default:
		subs := append(slices.Clone(old), s)
		b.subs.Store(&subs)
	}
	return s
}

// Close ends every subscription; what they have queued can still be received.
// Later events go nowhere. It may be called again.
func (b *Bus) Close() {
	b.mu.Lock()
	b.closed = true
	old := *b.subs.Load()
	b.subs.Store(&[]*Subscription{})
	b.mu.Unlock()
	for _, s := range old {
		s.end(ErrBusClosed)
	}
}

// Stats gives the counters.
func (b *Bus) Stats() Stats {
	return Stats{
		Published: b.published.Load(), Delivered: b.delivered.Load(), Dropped: b.dropped.Load(),
		Overruns: b.overruns.Load(), Refused: b.refused.Load(), Subscriptions: len(*b.subs.Load()),
	}
}

func (b *Bus) remove(s *Subscription) {
	b.mu.Lock()
	defer b.mu.Unlock()
	old := *b.subs.Load()
	i := slices.Index(old, s)
	if i < 0 {
		return
	}
	subs := slices.Delete(slices.Clone(old), i, i+1)
	b.subs.Store(&subs)
}
