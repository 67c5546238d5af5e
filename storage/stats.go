package storage

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
)

// Stats are counters since Open, and sizes now.
type Stats struct {
	Writes       uint64 // Write values that reached the disk
	Transactions uint64 // that they took, in the log or in the database
	Settled      uint64 // of these, transactions of the database
	Bytes        uint64 // written by all of them
	Failures     uint64 // those that failed and were tried again
	Refused      uint64 // writes not accepted because the backlog was full
	GivenUp      uint64 // notices given up because the outbox was full
	Unreadable   uint64 // notices dropped because they could not be read
	Notices      int    // in the outbox on disk now; removals count when they are in the database
	Backlog      int    // accepted writes that wait now
	Size         int64  // bytes of the database file
}

// Stats gives the counters.
func (s *Store) Stats() Stats {
	s.w.mu.Lock()
	st := s.w.stats
	st.Backlog = len(s.w.queue)
	st.Notices += len(s.w.pending)
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
