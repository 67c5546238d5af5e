package storage

import (
	"encoding/json"
	"fmt"
	"maps"

	"callbox/call"

	"go.etcd.io/bbolt"
)

// PendingNotices gives up to limit notices with ids above after, oldest first,
// that are on disk and not done. The outbox holds Config.MaxNotices: above
// that the oldest ones are given up and counted in Stats.GivenUp; they are those
// of a receiver that has been dead for long, because the others get done.
func (s *Store) PendingNotices(after uint64, limit int) ([]call.Notice, error) {
	var out []call.Notice
	if limit <= 0 {
		return nil, nil
	}
	// Taken before the look at the database, so that none goes there unseen or shows
	// up while it is removed.
	s.w.mu.Lock()
	done := maps.Clone(s.w.doneSoon)
	for _, n := range s.w.pending {
		if n.ID > after && !done[n.ID] && len(out) < limit {
			out = append(out, n)
		}
	}
	s.w.mu.Unlock()
	var older []call.Notice
	var damaged []uint64
	err := s.view(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketNotices).Cursor()
		for k, v := c.Seek(noticeKey(after + 1)); k != nil && len(older) < limit; k, v = c.Next() {
			if len(out) > 0 && noticeID(k) >= out[0].ID {
				break // it has just come from the log
			}
			if done[noticeID(k)] {
				continue
			}
			var n call.Notice
			if err := json.Unmarshal(v, &n); err != nil {
				damaged = append(damaged, noticeID(k))
				continue
			}
			older = append(older, n)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the outbox: %w", err)
	}
	out = append(older, out...)
	out = out[:min(limit, len(out))]
	if len(damaged) > 0 {
		s.dropDamaged(damaged)
	}
	return out, nil
}

// dropDamaged removes notices that cannot be read. When that is not accepted now
// the next look at the outbox does it.
func (s *Store) dropDamaged(ids []uint64) {
	if err := s.DoneNotice(ids...); err != nil {
		return
	}
	s.w.mu.Lock()
	s.w.stats.Unreadable += uint64(len(ids))
	s.w.mu.Unlock()
	s.cfg.Logger.Error("messages in the outbox cannot be read and are dropped", "count", len(ids))
}

// DoneNotice removes notices that were delivered or given up. It does not wait:
// the removal goes with other writes, after Config.DoneLinger at the latest, and
// when the power fails first the notice is delivered again. Unknown ids are no error. The error is ErrBacklog or
// ErrClosed.
func (s *Store) DoneNotice(ids ...uint64) error {
	if len(ids) == 0 {
		return nil
	}
	return s.w.accept(&accepted{delNotices: append([]uint64(nil), ids...), linger: s.cfg.DoneLinger})
}
