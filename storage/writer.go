package storage

import (
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"callbox/call"

	"go.etcd.io/bbolt"
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
}

// writer is the one goroutine that writes. Others hand it accepted writes.
type writer struct {
	s       *Store
	kick    chan struct{} // holds one token when the queue has changed
	stopped chan struct{} // closed when run has returned

	mu         sync.Mutex
	queue      []*accepted // in order of acceptance; the first ones may be flying
	closing    bool
	seq        uint64
	lastNotice uint64
	attempt    chan struct{}   // closed when the present attempt is over; nil: none
	overlay    overlay         // accepted, not yet on disk
	doneSoon   map[uint64]bool // notices whose removal is accepted, not yet on disk
	lastErr    error           // of the last attempt
	failing    time.Time       // since when attempts fail; zero: they do not
	changed    time.Time       // when health last changed
	stats      Stats

	// Owned by the goroutine.
	lastFlush time.Time
	notices   int // in the outbox on disk

	// fault is for tests: an error here is one of the transaction.
	fault func() error
}

func newWriter(s *Store, st writerState) *writer {
	return &writer{
		s: s, kick: make(chan struct{}, 1), stopped: make(chan struct{}),
		lastNotice: st.lastNotice, notices: st.notices, stats: Stats{Notices: st.notices},
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
		return 0, len(w.queue) == 0
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

// flush writes what is queued in one transaction. It reports whether that
// worked; if not, everything stays queued.
func (w *writer) flush() bool {
	w.mu.Lock()
	batch := append([]*accepted(nil), w.queue[:min(len(w.queue), maxTaken)]...)
	for _, a := range batch {
		a.flying = true
	}
	w.attempt = make(chan struct{})
	w.mu.Unlock()

	left, givenUp, size, err := w.write(batch)
	w.lastFlush = time.Now()

	w.mu.Lock()
	close(w.attempt)
	w.attempt = nil
	for _, a := range batch {
		a.flying = false
	}
	w.report(err)
	if err != nil {
		w.stats.Failures++
		w.mu.Unlock()
		return false
	}
	w.queue = append([]*accepted(nil), w.queue[len(batch):]...)
	var told []call.Notice
	for _, a := range batch {
		w.overlay.remove(a)
		for _, id := range a.delNotices {
			delete(w.doneSoon, id)
		}
		for _, n := range a.notices {
			told = append(told, n.notice)
		}
		w.stats.Writes++
	}
	w.notices = left
	w.stats.Transactions++
	w.stats.Bytes += uint64(size)
	w.stats.Notices = left
	w.stats.GivenUp += uint64(givenUp)
	w.mu.Unlock()

	if givenUp > 0 {
		w.s.cfg.Logger.Warn("the outbox is full, the oldest messages were given up", "count", givenUp)
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

// write does one transaction. left is the size of the outbox afterwards, size
// the bytes written.
func (w *writer) write(batch []*accepted) (left, givenUp, size int, err error) {
	var used *bbolt.Tx
	err = w.s.update(func(tx *bbolt.Tx) error {
		used = tx
		left, givenUp = w.notices, 0
		// Of several versions of a record only the last one is written, unless
		// something is deleted between them.
		last := newest(batch)
		for _, a := range batch {
			if err := w.apply(tx, a, last, &left); err != nil {
				return err
			}
		}
		var err error
		givenUp, err = trimNotices(tx, left-w.s.cfg.MaxNotices)
		left -= givenUp
		if err == nil && w.fault != nil {
			err = w.fault()
		}
		return err
	})
	if err != nil {
		return 0, 0, 0, fmt.Errorf("writing the database: %w", err)
	}
	st := used.Stats()
	return left, givenUp, int(st.GetPageAlloc()) + pageSize, nil // and the meta page
}

// newest maps the ids of calls to the place in the batch of their last version;
// nil when a call is deleted in the batch.
func newest(batch []*accepted) map[string]uint64 {
	last := make(map[string]uint64, len(batch))
	for _, a := range batch {
		if len(a.delCalls) > 0 {
			return nil
		}
		for _, o := range a.calls {
			last[o.rec.ID] = a.seq
		}
	}
	return last
}

func (w *writer) apply(tx *bbolt.Tx, a *accepted, last map[string]uint64, left *int) error {
	for i, o := range a.calls {
		// The first version decides the record's place and its claims, so a new
		// record is always put.
		if last != nil && last[o.rec.ID] > a.seq && tx.Bucket(bucketCallIDs).Get([]byte(o.rec.ID)) != nil {
			continue
		}
		if err := a.calls[i].apply(tx, w.s.cfg.IdempotencyFor); err != nil {
			return err
		}
	}
	for _, o := range a.recordings {
		if err := o.apply(tx); err != nil {
			return err
		}
	}
	notices := tx.Bucket(bucketNotices)
	for _, o := range a.notices {
		k := noticeKey(o.notice.ID)
		if notices.Get(k) == nil {
			*left++
		}
		notices.FillPercent = 0.9
		if err := notices.Put(k, o.value); err != nil {
			return err
		}
		if err := notices.SetSequence(o.notice.ID); err != nil {
			return err
		}
	}
	for _, id := range a.delCalls {
		if err := deleteCall(tx, id); err != nil {
			return err
		}
	}
	for _, id := range a.delRecs {
		if err := deleteRecording(tx, id); err != nil {
			return err
		}
	}
	for _, id := range a.delNotices {
		k := noticeKey(id)
		if notices.Get(k) == nil {
			continue
		}
		*left--
		if err := notices.Delete(k); err != nil {
			return err
		}
	}
	for _, o := range a.puts {
		if err := o.apply(tx); err != nil {
			return err
		}
	}
	return nil
}

// trimNotices gives up the oldest excess notices.
func trimNotices(tx *bbolt.Tx, excess int) (int, error) {
	if excess <= 0 {
		return 0, nil
	}
	b := tx.Bucket(bucketNotices)
	// Keys first: a bbolt cursor loses its place when entries go.
	var keys [][]byte
	c := b.Cursor()
	for k, _ := c.First(); k != nil && len(keys) < excess; k, _ = c.Next() {
		keys = append(keys, append([]byte(nil), k...))
	}
	for _, k := range keys {
		if err := b.Delete(k); err != nil {
			return 0, err
		}
	}
	return len(keys), nil
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

// Stats are counters since Open, and sizes now.
type Stats struct {
	Writes       uint64 // Write values that reached the disk
	Transactions uint64 // that they took
	Bytes        uint64 // written by these transactions
	Failures     uint64 // transactions that failed and were tried again
	Refused      uint64 // writes not accepted because the backlog was full
	GivenUp      uint64 // notices given up because the outbox was full
	Unreadable   uint64 // notices dropped because they could not be read
	Notices      int    // in the outbox on disk now
	Backlog      int    // accepted writes that wait now
	Size         int64  // bytes of the database file
}

// Stats gives the counters.
func (s *Store) Stats() Stats {
	s.w.mu.Lock()
	st := s.w.stats
	st.Backlog = len(s.w.queue)
	s.w.mu.Unlock()
	_ = s.view(func(tx *bbolt.Tx) error { st.Size = tx.Size(); return nil })
	return st
}

// Health is the store's condition for people and programs.
type Health struct {
	OK    bool      // the disk takes writes
	Since time.Time // when OK last changed
	Text  string    // one sentence
	Err   error     // of the last attempt, nil when OK
}

// Health gives the present condition.
func (s *Store) Health() Health {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	w := s.w
	h := Health{OK: w.lastErr == nil, Since: w.changed, Err: w.lastErr, Text: "The database takes writes."}
	switch {
	case w.lastErr == nil:
	case errors.Is(w.lastErr, syscall.ENOSPC), errors.Is(w.lastErr, syscall.EDQUOT), errors.Is(w.lastErr, syscall.EFBIG):
		h.Text = fmt.Sprintf("The disk is full: %d changes of call records wait in memory. Delete recordings or make room.", len(w.queue))
	case errors.Is(w.lastErr, syscall.EIO), errors.Is(w.lastErr, syscall.EROFS):
		h.Text = fmt.Sprintf("The disk fails: %d changes of call records wait in memory. Replace the card.", len(w.queue))
	default:
		h.Text = fmt.Sprintf("The database does not take writes (%v): %d changes of call records wait in memory.", w.lastErr, len(w.queue))
	}
	return h
}
