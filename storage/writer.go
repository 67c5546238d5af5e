package storage

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"callbox/call"
)

const (
	firstRetry = 100 * time.Millisecond
	lastRetry  = 5 * time.Second
	// maxTaken bounds one transaction, however long the backlog is.
	maxTaken = 1000
)

// writerState is what the writer finds on disk at the start.
type writerState struct {
	lastNotice uint64
	notices    int
	log        logState
}

// writer is the one goroutine that writes. Others hand it accepted writes.
type writer struct {
	s       *Store
	kick    chan struct{} // holds one token when the queue has changed
	stopped chan struct{} // closed when run has returned

	mu         sync.Mutex
	queue      []*accepted   // in order of acceptance; the first ones may be flying
	logged     []*accepted   // on disk in the log, not yet in the database; changed by the goroutine only
	pending    []call.Notice // of logged, in order
	closing    bool
	seq        uint64
	lastNotice uint64
	attempt    chan struct{}   // closed when the present attempt is over; nil: none
	overlay    overlay         // accepted, not yet in the database
	doneSoon   map[uint64]bool // notices whose removal is accepted, not yet in the database
	lastErr    error           // of the last attempt
	failing    time.Time       // since when attempts fail; zero: they do not
	changed    time.Time       // when health last changed
	stats      Stats

	// Owned by the goroutine.
	lastFlush time.Time
	settleAt  time.Time // when what is logged goes into the database; zero: nothing is
	settleErr error     // of the last time that failed
	log       logState
	notices   int // in the outbox in the database

	// fault is for tests: an error here is one of the log or, settling, of the
	// database.
	fault func(settling bool) error
}

// faulty gives the error that a test wants.
func (w *writer) faulty(settling bool) error {
	if w.fault == nil {
		return nil
	}
	return w.fault(settling)
}

func newWriter(s *Store, st writerState) *writer {
	return &writer{
		s: s, kick: make(chan struct{}, 1), stopped: make(chan struct{}),
		lastNotice: st.lastNotice, log: st.log, notices: st.notices, stats: Stats{Notices: st.notices},
		overlay: newOverlay(), doneSoon: map[uint64]bool{}, changed: s.cfg.Now(),
	}
}

// accept puts a at the end of the queue.
func (w *writer) accept(a *accepted) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.closing:
		return ErrClosed
	case len(w.queue) >= w.s.cfg.MaxBacklog:
		w.stats.Refused++
		return fmt.Errorf("%w: %d", ErrBacklog, len(w.queue))
	}
	last, err := a.number(w.lastNotice)
	if err != nil {
		return err
	}
	w.lastNotice = last
	w.seq++
	a.seq, a.since = w.seq, time.Now()
	w.queue = append(w.queue, a)
	w.overlay.add(a)
	for _, id := range a.delNotices {
		w.doneSoon[id] = true
	}
	select {
	case w.kick <- struct{}{}:
	default:
	}
	return nil
}

// run writes until close is called and the queue is empty, or cannot be emptied.
func (w *writer) run() {
	defer close(w.stopped)
	retry := time.Duration(0)
	for {
		wait, end := w.due(retry)
		if end {
			return
		}
		if wait > 0 {
			w.sleep(wait)
			continue
		}
		if w.flush() {
			retry = 0
			continue
		}
		if w.isClosing() {
			return
		}
		retry = min(max(2*retry, firstRetry), lastRetry)
	}
}

// due says how long to wait before the next transaction: 0 is now. The wait is
// cut short by changes of the queue. end says that there is nothing left to do.
func (w *writer) due(retry time.Duration) (wait time.Duration, end bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	cfg := &w.s.cfg
	if w.closing {
		return 0, len(w.queue) == 0 && len(w.logged) == 0
	}
	if retry > 0 {
		// At the moment of a failure lastFlush was set: wait from there.
		return max(retry-time.Since(w.lastFlush), 0), false
	}
	if len(w.queue) >= cfg.MaxBatch {
		return 0, false
	}
	const forever = time.Hour
	wait = forever
	if !w.settleAt.IsZero() {
		wait = time.Until(w.settleAt)
	}
	for _, a := range w.queue {
		var at time.Time
		switch {
		case a.done != nil:
			// Somebody waits: at once if the disk had its rest, so that a lone call is
			// not slowed; else with everybody else when it had.
			at = w.lastFlush.Add(cfg.MaxDelay)
		default:
			at = a.since.Add(max(a.linger, cfg.MaxDelay))
		}
		wait = min(wait, time.Until(at))
	}
	return max(wait, 0), false
}

func (w *writer) sleep(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-w.kick:
	}
}

func (w *writer) isClosing() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.closing
}

// flush makes durable what is queued, or brings what is logged into the database
// when that is due. It reports whether that worked; if not, everything stays
// queued.
func (w *writer) flush() bool {
	w.mu.Lock()
	batch := append([]*accepted(nil), w.queue[:min(len(w.queue), maxTaken)]...)
	switch settle := !w.settleAt.IsZero() && !time.Now().Before(w.settleAt); {
	case settle && !w.closing:
		batch = nil // it goes into the log right afterwards
	case len(batch) == 0 && !w.closing:
		w.mu.Unlock()
		return true // everything was withdrawn meanwhile
	}
	for _, a := range batch {
		a.flying = true
	}
	w.attempt = make(chan struct{})
	w.mu.Unlock()

	done, err := w.persist(batch)
	w.lastFlush = time.Now()

	w.mu.Lock()
	close(w.attempt)
	w.attempt = nil
	for _, a := range batch {
		a.flying = false
	}
	w.report(errors.Join(err, w.settleErr))
	if err != nil {
		w.stats.Failures++
		w.mu.Unlock()
		return false
	}
	w.queue = append([]*accepted(nil), w.queue[len(batch):]...)
	told := w.landed(batch, done)
	w.mu.Unlock()

	if done.givenUp > 0 {
		w.s.cfg.Logger.Warn("the outbox is full, the oldest messages were given up", "count", done.givenUp)
	}
	for _, a := range batch {
		if a.done != nil {
			a.done <- nil
		}
	}
	if len(told) > 0 {
		w.s.cfg.Committed(told)
	}
	return true
}

// landed notes, under mu, that batch is durable, and gives its notices.
func (w *writer) landed(batch []*accepted, p persisted) (told []call.Notice) {
	if len(batch) == 0 && !p.settled {
		return nil // that failed, and will be tried again
	}
	for _, a := range batch {
		for _, n := range a.notices {
			told = append(told, n.notice)
		}
		w.stats.Writes++
	}
	w.stats.Transactions++
	w.stats.Bytes += uint64(p.size)
	w.stats.GivenUp += uint64(p.givenUp)
	w.logged = append(w.logged, batch...)
	if !p.settled {
		for _, a := range batch {
			a.logged()
		}
		w.pending = append(w.pending, told...)
		if w.settleAt.IsZero() {
			w.settleAt = time.Now().Add(w.s.cfg.SettleAfter)
		}
		return told
	}
	for _, a := range w.logged {
		w.overlay.remove(a)
		for _, id := range a.delNotices {
			delete(w.doneSoon, id)
		}
	}
	w.logged, w.pending, w.settleAt = nil, nil, time.Time{}
	w.notices, w.stats.Notices = p.left, p.left
	w.stats.Settled++
	return told
}

// report keeps the health, under mu, and logs its changes.
func (w *writer) report(err error) {
	now := w.s.cfg.Now()
	switch {
	case err != nil && w.failing.IsZero():
		w.failing, w.changed = now, now
		w.s.cfg.Logger.Error("the disk does not take writes, they wait in memory", "err", err)
	case err == nil && !w.failing.IsZero():
		w.failing, w.changed = time.Time{}, now
		w.s.cfg.Logger.Info("the disk takes writes again", "backlog", len(w.queue))
	}
	w.lastErr = err
}

// close stops accepting, writes what is queued, and waits for the goroutine.
func (w *writer) close() error {
	w.mu.Lock()
	if w.closing {
		w.mu.Unlock()
		return ErrClosed
	}
	w.closing = true
	w.mu.Unlock()
	select {
	case w.kick <- struct{}{}:
	default:
	}
	<-w.stopped
	w.mu.Lock()
	lost, err := w.queue, w.lastErr
	w.queue = nil
	w.mu.Unlock()
	if len(lost) == 0 {
		return nil
	}
	for _, a := range lost {
		if a.done != nil {
			a.done <- errors.Join(ErrClosed, err)
		}
	}
	return fmt.Errorf("%d accepted writes were lost: %w", len(lost), err)
}
