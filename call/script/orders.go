package script

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"callbox/call"
)

// Way is how the verbs of an [Order] are run.
type Way int

const (
	Instead Way = iota // in place of what runs and of what waits
	After              // behind all of that
	Beside             // at once, while the rest goes on; for verbs that take no time
)

// Order is what an application that stays connected to a call wants done.
type Order struct {
	Way      Way
	Document Document
}

// Orders brings the orders of such an application. A script that has come to its
// end waits for them instead of hanging up.
type Orders interface {
	// Next waits for the next order. ErrNoMore says that the application has taken
	// its leave; any other error, but that of ctx, that it was lost.
	Next(ctx context.Context) (Order, error)
}

// ErrNoMore says that an application gives no further orders: the script ends
// with its verbs.
var ErrNoMore = errors.New("the application takes no further part in the call")

// MaxWaiting is how many verbs may wait behind those of a document; an order
// that would add more is dropped with a warning.
const MaxWaiting = 200

// feed takes the orders of one run. They come in on a goroutine of its own, which
// is stopped and waited for by close.
type feed struct {
	from   Orders
	cancel context.CancelFunc
	done   chan struct{}
	more   chan struct{} // holds one token while something may have changed

	mu      sync.Mutex // guards what follows
	instead *Document  // to run next
	after   []Verb     // to run when the document has come to its end
	err     error      // why there are no more orders
	stop    func()     // ends the verb that runs; nil between verbs
}

// follow takes the orders of o from now on.
func (r *run) follow(ctx context.Context, o Orders) {
	if o == nil || r.feed != nil && r.feed.from == o {
		return
	}
	r.deafen()
	ctx, cancel := context.WithCancel(ctx)
	f := &feed{from: o, cancel: cancel, done: make(chan struct{}), more: make(chan struct{}, 1)}
	r.feed = f
	go func() { // ended by cancel, waited for through done
		defer close(f.done)
		r.take(ctx, f)
	}()
}

// deafen takes no more orders.
func (r *run) deafen() {
	if r.feed != nil {
		r.feed.cancel()
		<-r.feed.done
		r.feed = nil
	}
}

// take is the goroutine of a feed.
func (r *run) take(ctx context.Context, f *feed) {
	for {
		o, err := f.from.Next(ctx)
		if err != nil {
			f.change(func() { f.err = err })
			return
		}
		r.learn(o.Document)
		switch o.Way {
		case Instead:
			f.change(func() {
				f.instead, f.after = &o.Document, nil
				if f.stop != nil {
					f.stop()
				}
			})
		case After:
			f.change(func() {
				if n := len(f.after) + len(o.Document.Verbs); n > MaxWaiting {
					err = fmt.Errorf("%d verbs would wait to be run, at most %d may: the last order was dropped", n, MaxWaiting)
					return
				}
				f.after = append(f.after, o.Document.Verbs...)
			})
			if err != nil {
				r.env.Tell(call.EventWarning, err.Error())
			}
		case Beside:
			for _, v := range o.Document.Verbs {
				if _, err := v.Run(ctx, r.env); err != nil && !over(ctx, err) {
					r.env.Tell(call.EventWarning, v.Name()+" was not done: "+err.Error())
				}
			}
		}
	}
}

// change does f under the lock and says that something has changed.
func (f *feed) change(do func()) {
	f.mu.Lock()
	do()
	f.mu.Unlock()
	select {
	case f.more <- struct{}{}:
	default:
	}
}

// interruptible gives the context of the next verbs, which ends when an order
// replaces them. end must be called when they have run.
func (r *run) interruptible(ctx context.Context) (verbs context.Context, end func()) {
	f := r.feed
	if f == nil {
		return ctx, func() {}
	}
	verbs, stop := context.WithCancel(ctx)
	f.change(func() {
		if f.stop = stop; f.instead != nil {
			stop()
		}
	})
	return verbs, func() {
		f.change(func() { f.stop = nil })
		stop()
	}
}

// replaced gives the verbs of an order that takes the place of the document.
func (r *run) replaced() (verbs []Verb, ok bool) {
	if r.feed == nil {
		return nil, false
	}
	r.feed.change(func() {
		if d := r.feed.instead; d != nil {
			verbs, ok = d.Verbs, true
			r.feed.instead = nil
		}
	})
	return verbs, ok
}

// waiting is how many verbs wait.
func (r *run) waiting() (n int) {
	if r.feed != nil {
		r.feed.change(func() { n = len(r.feed.after) })
	}
	return n
}

// dropWaiting forgets the first n verbs that wait: another document takes the
// place of theirs. Those that came while it was asked for belong to it.
func (r *run) dropWaiting(n int) {
	if r.feed != nil {
		r.feed.change(func() { r.feed.after = r.feed.after[min(n, len(r.feed.after)):] })
	}
}

// await waits for verbs at the end of a document; ok is false when none will come.
func (r *run) await(ctx context.Context) (verbs []Verb, ok bool, err error) {
	f := r.feed
	if f == nil {
		return nil, false, nil
	}
	interrupted := r.attend(ctx)
	for {
		f.mu.Lock()
		switch {
		case f.instead != nil:
			verbs, ok = f.instead.Verbs, true
			f.instead = nil
		case len(f.after) > 0:
			verbs, ok = f.after, true
			f.after = nil
		case f.err != nil:
			if err = f.err; errors.Is(err, ErrNoMore) {
				err = nil
			}
			f.mu.Unlock()
			return nil, false, err
		}
		f.mu.Unlock()
		if ok {
			return verbs, true, nil
		}
		select {
		case <-f.more:
		case <-interrupted:
			return []Verb{Pause{}}, true, nil // which is interrupted at once
		case <-ctx.Done():
			return nil, false, ctx.Err()
		}
	}
}
