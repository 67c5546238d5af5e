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
	// Taken before the look at the disk, so that none shows up while it is removed.
	s.w.mu.Lock()
	done := maps.Clone(s.w.doneSoon)
	s.w.mu.Unlock()
	err := s.view(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketNotices).Cursor()
		for k, v := c.Seek(noticeKey(after + 1)); k != nil && len(out) < limit; k, v = c.Next() {
			if done[noticeID(k)] {
				continue
			}
			var n call.Notice
			if err := json.Unmarshal(v, &n); err != nil {
				return fmt.Errorf("notice %d: %w", noticeID(k), err)
			}
			out = append(out, n)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the outbox: %w", err)
	}
	return out, nil
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
