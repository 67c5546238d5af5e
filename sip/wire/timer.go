package wire

import (
	"container/heap"
	"sync"
	"time"
)

// timers runs functions at their time, one after the other on one goroutine, so
// that a stack with thousands of waiting transactions has one timer goroutine
// that can be stopped and waited for.
type timers struct {
	mu   sync.Mutex
	heap timerHeap
	wake chan struct{} // holds one token when the first deadline may have changed
}

// Timer is a pending function of [Layer.After].
type Timer struct {
	at    time.Time
	fn    func()
	index int // place in the heap, -1 when not in it; guarded by owner.mu
	owner *timers
}

func newTimers() *timers { return &timers{wake: make(chan struct{}, 1)} }

// after runs fn on the timer goroutine in d. fn must not block.
func (ts *timers) after(d time.Duration, fn func()) *Timer {
	t := &Timer{at: time.Now().Add(d), fn: fn, owner: ts}
	ts.mu.Lock()
	heap.Push(&ts.heap, t)
	first := t.index == 0
	ts.mu.Unlock()
	if first {
		select {
		case ts.wake <- struct{}{}:
		default:
		}
	}
	return t
}

// Stop makes sure that the function does not start any more; it may be running.
// A nil timer is stopped already.
func (t *Timer) Stop() {
	if t == nil {
		return
	}
	t.owner.mu.Lock()
	if t.index >= 0 {
		heap.Remove(&t.owner.heap, t.index)
	}
	t.fn = nil
	t.owner.mu.Unlock()
}

// run works until done is closed. call runs each function (and recovers).
func (ts *timers) run(done <-chan struct{}, call func(func())) {
	sleep := time.NewTimer(time.Hour)
	defer sleep.Stop()
	for {
		wait := time.Hour
		now := time.Now()
		for {
			fn, next, ok := ts.due(now)
			if !ok {
				if next > 0 {
					wait = next
				}
				break
			}
			if fn != nil {
				call(fn)
			}
			now = time.Now()
		}
		sleep.Reset(wait)
		select {
		case <-done:
			return
		case <-ts.wake:
		case <-sleep.C:
		}
	}
}

// due takes the first function whose time has come; otherwise next is the time
// until the first deadline, 0 without any.
func (ts *timers) due(now time.Time) (fn func(), next time.Duration, ok bool) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if len(ts.heap) == 0 {
		return nil, 0, false
	}
	if d := ts.heap[0].at.Sub(now); d > 0 {
		return nil, d, false
	}
	t := heap.Pop(&ts.heap).(*Timer)
	fn, t.fn = t.fn, nil
	return fn, 0, true
}

// drop forgets every pending function.
func (ts *timers) drop() {
	ts.mu.Lock()
	for _, t := range ts.heap {
		t.index, t.fn = -1, nil
	}
	ts.heap = nil
	ts.mu.Unlock()
}

type timerHeap []*Timer

func (h timerHeap) Len() int           { return len(h) }
func (h timerHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *timerHeap) Push(x any) {
	t := x.(*Timer)
	t.index = len(*h)
	*h = append(*h, t)
}

func (h *timerHeap) Pop() any {
	old := *h
	t := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	t.index = -1
	return t
}
