package storage

import (
	"context"
	"fmt"
	"maps"

	"callbox/call"

	"go.etcd.io/bbolt"
)

// Recording gives a recording's record, as it was last accepted. An empty
// account finds those of all accounts. The error is or wraps call.ErrNotFound.
func (s *Store) Recording(account, id string) (call.Recording, error) {
	rec, ok := call.Recording{}, false
	if v, soon := s.w.recordingSoon(id); soon {
		if ok = !v.deleted; ok {
			rec = *v.rec
		}
	} else {
		err := s.view(func(tx *bbolt.Tx) error {
			key := tx.Bucket(bucketRecIDs).Get([]byte(id))
			if key == nil {
				return nil
			}
			ok = true
			return decode(tx.Bucket(bucketRecordings).Get(key), &rec)
		})
		if err != nil {
			return call.Recording{}, fmt.Errorf("reading recording %q: %w", id, err)
		}
	}
	if !ok || (account != "" && rec.Account != account) {
		return call.Recording{}, fmt.Errorf("%w: recording %q", call.ErrNotFound, id)
	}
	return rec, nil
}

// Recordings gives a page of recordings, newest first, under the same terms as
// [Store.Calls].
func (s *Store) Recordings(f call.RecordingFilter) (call.RecordingPage, error) {
	s.w.mu.Lock()
	soon := maps.Clone(s.w.overlay.recordings)
	s.w.mu.Unlock()
	q := query{limit: f.Limit, cursor: f.Cursor}
	if !f.CreatedAfter.IsZero() {
		q.oldest = stamp(f.CreatedAfter)
	}
	if !f.CreatedBefore.IsZero() {
		q.latest = stamp(f.CreatedBefore)
	}
	var res result[call.Recording]
	err := s.view(func(tx *bbolt.Tx) error {
		recs := tx.Bucket(bucketRecordings)
		fetch := func(v []byte) []byte { return v }
		switch {
		case f.Call != "":
			q.streams = []*stream{newStream(tx.Bucket(bucketRecCalls), []byte(f.Call))}
			fetch = recs.Get
		case f.Account != "":
			q.streams = []*stream{newStream(recs, []byte(f.Account))}
		default:
			for _, o := range owners(recs) {
				q.streams = append(q.streams, newStream(recs, o))
			}
		}
		q.streams = append(q.streams, soonStream(soon, tx.Bucket(bucketRecIDs), func(p place) bool {
			return (f.Account == "" || p.account == f.Account) && (f.Call == "" || p.owner == f.Call)
		}))
		var failed, err error
		res, err = run(q, func(id string, v []byte) (rec call.Recording, ok bool) {
			if o, ok := soon[id]; !ok {
				if err := decode(fetch(v), &rec); err != nil {
					failed = err
					return rec, false
				}
			} else if o.deleted {
				return rec, false
			} else {
				rec = *o.rec
			}
			return rec, (f.Account == "" || rec.Account == f.Account) && (f.Call == "" || rec.Call == f.Call) &&
				within(&rec.Created, f.CreatedAfter, f.CreatedBefore)
		})
		if err != nil {
			return err
		}
		return failed
	})
	if err != nil {
		return call.RecordingPage{}, fmt.Errorf("listing recordings: %w", err)
	}
	return call.RecordingPage{Recordings: res.records, Next: res.next, Previous: res.previous}, nil
}

// OpenRecordings gives the recordings that are still being made. After a start
// they are those that the last run left behind.
func (s *Store) OpenRecordings() ([]call.Recording, error) {
	s.w.mu.Lock()
	soon := maps.Clone(s.w.overlay.recordings)
	s.w.mu.Unlock()
	var out []call.Recording
	err := s.view(func(tx *bbolt.Tx) error {
		ids, recs := tx.Bucket(bucketRecIDs), tx.Bucket(bucketRecordings)
		return tx.Bucket(bucketRecOpen).ForEach(func(id, _ []byte) error {
			if _, ok := soon[string(id)]; ok {
				return nil
			}
			var rec call.Recording
			if err := decode(recs.Get(ids.Get(id)), &rec); err != nil {
				return err
			}
			out = append(out, rec)
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("reading open recordings: %w", err)
	}
	for _, o := range soon {
		if !o.deleted && isOpen(*o.rec) {
			out = append(out, *o.rec)
		}
	}
	return out, nil
}

// DeleteRecording removes a recording's record, not its file. The error is or
// wraps call.ErrNotFound.
func (s *Store) DeleteRecording(ctx context.Context, account, id string) error {
	if _, err := s.Recording(account, id); err != nil {
		return err
	}
	return s.Commit(ctx, Write{DeleteRecordings: []string{id}})
}
