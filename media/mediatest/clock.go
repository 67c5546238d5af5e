// Package mediatest owns what tests of sound share: a media clock for synctest
// bubbles, and golden files of sound. It may import media and media/wav; the tests
// that use it test it.
package mediatest

import (
	"slices"
	"sync"
	"time"

	"callbox/media"
)

// Clock is a media clock that ticks by the time of a bubble. Its methods may be
// called from any goroutine.
type Clock struct {
	mu   sync.Mutex // guards list
	list []media.Ticker

	quit, done chan struct{}
}

var _ media.Scheduler = (*Clock)(nil)

// NewClock starts a clock, which [Clock.Stop] ends.
func NewClock() *Clock {
	k := &Clock{quit: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(k.done)
		t := time.NewTicker(media.FrameDuration)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				k.tick()
			case <-k.quit:
				return
			}
		}
	}()
	return k
}

// Stop ends the clock and waits for its last tick.
func (k *Clock) Stop() { close(k.quit); <-k.done }

func (k *Clock) tick() {
	k.mu.Lock()
	list := slices.Clone(k.list)
	k.mu.Unlock()
	for _, t := range list {
		t.Collect()
	}
	for _, t := range list {
		t.Deliver()
	}
}

// Add puts t on the clock.
func (k *Clock) Add(t media.Ticker) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.list = append(k.list, t)
}

// Remove takes t off the clock.
func (k *Clock) Remove(t media.Ticker) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.list = slices.DeleteFunc(k.list, func(o media.Ticker) bool { return o == t })
}
