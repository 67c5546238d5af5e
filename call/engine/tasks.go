package engine

import "sync"

// tasks counts the goroutines of an engine, and its calls from their admission
// on, so that Shutdown can wait for them within a bound. A sync.WaitGroup could
// not: legs may still arrive, and be turned away, while it waits.
type tasks struct {
	mu   sync.Mutex
	n    int
	zero chan struct{} // closed when n falls to 0; nil while nobody waits
}

// Go runs f on a goroutine that is waited for.
func (t *tasks) Go(f func()) {
	t.add()
	go func() {
		defer t.done()
		f()
	}()
}

func (t *tasks) add() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n++
}

func (t *tasks) done() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n--
	if t.n == 0 && t.zero != nil {
		close(t.zero)
		t.zero = nil
	}
}

// idle is closed when nothing is left, for the first time from now on.
func (t *tasks) idle() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n == 0 {
		none := make(chan struct{})
		close(none)
		return none
	}
	if t.zero == nil {
		t.zero = make(chan struct{})
	}
	return t.zero
}
