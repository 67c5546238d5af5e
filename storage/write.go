package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"callbox/call"
)

// Write is a set of changes that become durable together or not at all. They
// are done in the order of the fields. What it points to is the store's once
// it was given to it: nobody changes it any more.
type Write struct {
	Calls       []*call.Record    // put, by ID; Account, Created, Parent and Idempotency count only at the first time
	Recordings  []call.Recording  // put, by ID
	Conferences []call.Conference // put, by ID; Created stays the same; the oldest beyond MaxConferences go
	Kept        []Kept            // put or deleted, by Key
	Notices     []call.Notice     // added to the outbox; their IDs are given by the store

	DeleteCalls      []string // by ID, an unknown one is no error
	DeleteRecordings []string // by ID, an unknown one is no error

	// Lazy lets the write wait up to Config.MaxLinger for company, to spare the
	// SD card. It is for what may be lost with the power.
	Lazy bool
}

// accepted is a Write on its way to the disk.
type accepted struct {
	calls       []callOp
	recordings  []recordingOp
	conferences []conferenceOp
	kept        []keptOp
	notices     []noticeOp
	delCalls    []string
	delRecs     []string
	delNotices  []uint64
	puts        []putOp
	settle      bool // nothing of its own, but all before it must get into the database

	linger time.Duration // how long it may wait for company, 0: Config.MaxDelay
	since  time.Time     // when it was accepted
	seq    uint64        // rising
	done   chan error    // nil when nobody waits; buffered
	flying bool          // in the transaction that is being written; owned by writer.mu
}

// prepare checks and encodes w.
func (s *Store) prepare(w Write) (*accepted, error) {
	a := &accepted{delCalls: w.DeleteCalls, delRecs: w.DeleteRecordings}
	if w.Lazy {
		a.linger = s.cfg.MaxLinger
	}
	for _, r := range w.Calls {
		op, err := newCallOp(r)
		if err != nil {
			return nil, err
		}
		a.calls = append(a.calls, op)
	}
	for i := range w.Recordings {
		op, err := newRecordingOp(&w.Recordings[i])
		if err != nil {
			return nil, err
		}
		a.recordings = append(a.recordings, op)
	}
	for i := range w.Conferences {
		op, err := newConferenceOp(&w.Conferences[i])
		if err != nil {
			return nil, err
		}
		a.conferences = append(a.conferences, op)
	}
	for _, k := range w.Kept {
		op, err := newKeptOp(k)
		if err != nil {
			return nil, err
		}
		a.kept = append(a.kept, op)
	}
	for _, n := range w.Notices {
		a.notices = append(a.notices, noticeOp{notice: n})
	}
	return a, nil
}

// logged drops what only the log needed.
func (a *accepted) logged() {
	for i := range a.calls {
		a.calls[i].value = nil
	}
	for i := range a.recordings {
		a.recordings[i].value = nil
	}
	for i := range a.conferences {
		a.conferences[i].value = nil
	}
	for i := range a.notices {
		a.notices[i].value = nil
	}
}

// number gives the notices their ids. They are kept over retries, so that a
// transaction that failed late and yet reached the disk is not repeated under
// other ids.
func (a *accepted) number(last uint64) (uint64, error) {
	for i := range a.notices {
		last++
		a.notices[i].notice.ID = last
		v, err := json.Marshal(a.notices[i].notice)
		if err != nil {
			return last, fmt.Errorf("storing a message of %q: %w", a.notices[i].notice.Key, err)
		}
		a.notices[i].value = v
	}
	return last, nil
}

// Commit accepts w and waits until it is on disk. When ctx ends first, the error
// wraps ctx's and, if the disk refuses writes, the disk's; w then stays accepted
// and may yet be done. ErrBacklog and ErrClosed mean that w was not accepted.
func (s *Store) Commit(ctx context.Context, w Write) error {
	a, err := s.prepare(w)
	if err != nil {
		return err
	}
	return s.commit(ctx, a)
}

func (s *Store) commit(ctx context.Context, a *accepted) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	a.done = make(chan error, 1)
	if err := s.w.accept(a); err != nil {
		return err
	}
	select {
	case err := <-a.done:
		return err
	case <-ctx.Done():
		return s.w.waitError(ctx)
	}
}

// Enqueue accepts w without waiting for the disk. Writes are done in the order
// in which Commit and Enqueue accepted them. ErrBacklog and ErrClosed mean that
// w was not accepted.
func (s *Store) Enqueue(w Write) error {
	a, err := s.prepare(w)
	if err != nil {
		return err
	}
	return s.w.accept(a)
}

// Backlog is the number of accepted writes that are not on disk yet. New calls
// should be refused well before it reaches Config.MaxBacklog.
func (s *Store) Backlog() int {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	return len(s.w.queue)
}

// waitError is why a waiting Commit gives up.
func (w *writer) waitError(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	err := context.Cause(ctx)
	if w.lastErr != nil {
		err = errors.Join(err, w.lastErr)
	}
	return fmt.Errorf("waiting for the disk: %w", err)
}

// commitOrWithdraw is commit, but an error means that nothing was stored.
func (s *Store) commitOrWithdraw(ctx context.Context, a *accepted) error {
	err := s.commit(ctx, a)
	if err == nil || errors.Is(err, ErrBacklog) || errors.Is(err, ErrClosed) || a.done == nil {
		return err
	}
	for {
		attempt := s.w.withdraw(a)
		if attempt == nil {
			break
		}
		<-attempt
	}
	select {
	case done := <-a.done: // it was on its way and arrived
		return done
	default:
		return err
	}
}

// withdraw takes a out of the queue. While a transaction with it is being
// written it gives a channel that is closed after the attempt.
func (w *writer) withdraw(a *accepted) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if a.flying {
		return w.attempt
	}
	for i, q := range w.queue {
		if q == a {
			w.queue = append(w.queue[:i:i], w.queue[i+1:]...)
			break
		}
	}
	return nil
}
