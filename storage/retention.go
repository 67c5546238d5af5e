package storage

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"callbox/call"

	"go.etcd.io/bbolt"
)

// chunk is how many records one retention transaction removes, so that calls
// that write meanwhile wait only briefly.
const chunk = 200

// DeleteOlder removes the records of calls that were created before the given
// time and are final, and forgets idempotency values that are out of date. It
// reports how many calls went. It works in small transactions; when ctx ends it
// stops between two of them.
func (s *Store) DeleteOlder(ctx context.Context, before time.Time) (int, error) {
	total := 0
	if err := s.settleNow(ctx); err != nil {
		return 0, fmt.Errorf("looking for old calls: %w", err)
	}
	if err := s.expireKeys(ctx); err != nil {
		return 0, err
	}
	// Open calls are left where they are, so each round starts behind the last one.
	after := map[string][]byte{}
	for {
		if err := ctx.Err(); err != nil {
			return total, err
		}
		var ids []string
		err := s.view(func(tx *bbolt.Tx) error {
			var err error
			ids, err = oldCalls(tx, stamp(before), after)
			return err
		})
		if err != nil {
			return total, fmt.Errorf("looking for old calls: %w", err)
		}
		if len(ids) == 0 {
			return total, nil
		}
		if err := s.Commit(ctx, Write{DeleteCalls: ids}); err != nil {
			return total, fmt.Errorf("deleting old calls: %w", err)
		}
		total += len(ids)
	}
}

// TrimCalls removes the oldest final calls until at most keep calls are left, in
// all accounts together. It reports how many went. A large database takes long
// to check after a loss of power, which the number of calls bounds.
func (s *Store) TrimCalls(ctx context.Context, keep int) (int, error) {
	total := 0
	if err := s.settleNow(ctx); err != nil {
		return 0, fmt.Errorf("looking for the oldest calls: %w", err)
	}
	for {
		if err := ctx.Err(); err != nil {
			return total, err
		}
		var ids []string
		err := s.view(func(tx *bbolt.Tx) error {
			excess := -keep
			c := tx.Bucket(bucketCallIDs).Cursor()
			for k, _ := c.First(); k != nil; k, _ = c.Next() {
				excess++
			}
			ids = oldestCalls(tx, min(excess, 5*chunk))
			return nil
		})
		if err != nil {
			return total, fmt.Errorf("looking for the oldest calls: %w", err)
		}
		if len(ids) == 0 {
			return total, nil
		}
		if err := s.Commit(ctx, Write{DeleteCalls: ids}); err != nil {
			return total, fmt.Errorf("deleting the oldest calls: %w", err)
		}
		total += len(ids)
	}
}

// oldestCalls gives the ids of the n oldest final calls of all accounts.
func oldestCalls(tx *bbolt.Tx, n int) (ids []string) {
	calls, open := tx.Bucket(bucketCalls), tx.Bucket(bucketCallOpen)
	var streams []*stream
	for _, owner := range owners(calls) {
		s := newStream(calls, owner)
		s.set(s.newer(nil, true))
		streams = append(streams, s)
	}
	for len(ids) < n {
		s := pick(streams, false)
		if s == nil {
			break
		}
		if id := s.pos[8:]; open.Get(id) == nil {
			ids = append(ids, string(id))
		}
		s.set(s.next())
	}
	return ids
}

// oldCalls gives up to chunk ids of final calls older than limit, and notes in
// after how far each account was looked at.
func oldCalls(tx *bbolt.Tx, limit []byte, after map[string][]byte) ([]string, error) {
	var ids []string
	calls, open := tx.Bucket(bucketCalls), tx.Bucket(bucketCallOpen)
	for _, owner := range owners(calls) {
		s := newStream(calls, owner)
		s.set(s.newer(after[string(owner)], false))
		for s.pos != nil && string(s.pos[:8]) < string(limit) {
			if len(ids) == chunk {
				return ids, nil
			}
			if id := s.pos[8:]; open.Get(id) == nil {
				ids = append(ids, string(id))
			}
			after[string(owner)] = append([]byte(nil), s.pos...)
			s.set(s.next())
		}
	}
	return ids, nil
}

// expireKeys forgets the idempotency values that are out of date.
func (s *Store) expireKeys(ctx context.Context) error {
	limit := s.cfg.Now().Add(-s.cfg.IdempotencyFor)
	var puts []putOp
	err := s.view(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketCallKeys).Cursor()
		for k, v := c.First(); k != nil && len(puts) < maxScan; k, v = c.Next() {
			if len(v) < 8 || time.Unix(0, int64(binary.BigEndian.Uint64(v))).Before(limit) {
				puts = append(puts, putOp{bucketCallKeys, append([]byte(nil), k...), nil})
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("looking for old requests: %w", err)
	}
	for len(puts) > 0 {
		n := min(chunk, len(puts))
		if err := s.commit(ctx, &accepted{puts: puts[:n]}); err != nil {
			return fmt.Errorf("forgetting old requests: %w", err)
		}
		puts = puts[n:]
	}
	return nil
}

// DeleteRecordingsOlder removes the recordings that were created before the
// given time, in all accounts, oldest first; those that are still being made
// stay. remove is called first for each, to delete its file; when it fails the
// record stays, and the walk goes on. It reports how many went, and the first
// failure.
func (s *Store) DeleteRecordingsOlder(ctx context.Context, before time.Time, remove func(call.Recording) error) (int, error) {
	limit := stamp(before)
	n, err := s.dropRecordings(ctx, remove, func(pos []byte, _ call.Recording) bool { return string(pos[:8]) < string(limit) })
	if err != nil {
		return n, fmt.Errorf("deleting old recordings: %w", err)
	}
	return n, nil
}

// TrimRecordings removes the oldest recordings until the files of all accounts
// together have at most keep bytes, under the same terms as
// DeleteRecordingsOlder.
func (s *Store) TrimRecordings(ctx context.Context, keep int64, remove func(call.Recording) error) (int, error) {
	if err := s.settleNow(ctx); err != nil {
		return 0, fmt.Errorf("measuring the recordings: %w", err)
	}
	excess := -keep
	err := s.view(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketRecordings).ForEach(func(_, v []byte) error {
			var rec struct {
				Size int64 `json:"size"`
			}
			if json.Unmarshal(v, &rec) == nil {
				excess += rec.Size
			}
			return ctx.Err()
		})
	})
	if err != nil {
		return 0, fmt.Errorf("measuring the recordings: %w", err)
	}
	n, err := s.dropRecordings(ctx, remove, func(_ []byte, rec call.Recording) bool {
		if excess <= 0 {
			return false
		}
		excess -= rec.Size
		return true
	})
	if err != nil {
		return n, fmt.Errorf("deleting the oldest recordings: %w", err)
	}
	return n, nil
}

// FreeRecordings removes the oldest finished recordings until so many bytes went, or
// none is left that was finished before that time. It reports how many went; remove is
// as for [Store.TrimRecordings].
func (s *Store) FreeRecordings(ctx context.Context, bytes int64, before time.Time, remove func(call.Recording) error) (int, error) {
	n, err := s.dropRecordings(ctx, remove, func(_ []byte, rec call.Recording) bool {
		if bytes <= 0 || rec.Updated.After(before) {
			return false
		}
		bytes -= rec.Size
		return true
	})
	if err != nil {
		return n, fmt.Errorf("deleting recordings to make room: %w", err)
	}
	return n, nil
}

// dropRecordings removes recordings, oldest first, as long as goes says so.
func (s *Store) dropRecordings(ctx context.Context, remove func(call.Recording) error, goes func(pos []byte, rec call.Recording) bool) (int, error) {
	if err := s.settleNow(ctx); err != nil {
		return 0, err
	}
	total := 0
	var after []byte
	var failed error
	for more := true; more; {
		var list []call.Recording
		err := s.view(func(tx *bbolt.Tx) (err error) {
			list, after, more = oldestRecordings(tx, after, goes)
			return nil
		})
		if err != nil {
			return total, err
		}
		w := Write{}
		for _, rec := range list {
			if err := remove(rec); err != nil {
				if failed == nil {
					failed = fmt.Errorf("removing recording %q: %w", rec.ID, err)
				}
				continue
			}
			w.DeleteRecordings = append(w.DeleteRecordings, rec.ID)
		}
		if len(w.DeleteRecordings) > 0 {
			if err := s.Commit(ctx, w); err != nil {
				return total, err
			}
		}
		total += len(w.DeleteRecordings)
		if err := ctx.Err(); err != nil {
			return total, err
		}
	}
	return total, failed
}

// oldestRecordings gives up to chunk finished recordings behind a position, as
// long as goes takes them, where it stopped, and whether there may be more.
func oldestRecordings(tx *bbolt.Tx, after []byte, goes func([]byte, call.Recording) bool) (list []call.Recording, last []byte, more bool) {
	recs, open := tx.Bucket(bucketRecordings), tx.Bucket(bucketRecOpen)
	var streams []*stream
	for _, owner := range owners(recs) {
		s := newStream(recs, owner)
		s.set(s.newer(after, false))
		streams = append(streams, s)
	}
	for len(list) < chunk {
		s := pick(streams, false)
		if s == nil {
			return list, after, false
		}
		var rec call.Recording
		if open.Get(s.pos[8:]) == nil && json.Unmarshal(s.v, &rec) == nil {
			if !goes(s.pos, rec) {
				return list, after, false
			}
			list = append(list, rec)
		}
		after = append(after[:0:0], s.pos...)
		s.set(s.next())
	}
	return list, after, true
}
