package storage

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"callbox/call"
	"callbox/storage/wal"

	"go.etcd.io/bbolt"
)

// A transaction of the database writes every page on the way to what it changes,
// 40 kB and more for one call among thousands. So what is accepted goes into the
// write-ahead log first, at 4 kB, and is durable there. Many writes later all of
// them go into the database in one transaction, together with the number of the
// last entry of the log that it has.

// logState is where the log stands. It belongs to the writer's goroutine.
type logState struct {
	file  *wal.Log // nil: there is none, every write goes straight into the database
	owner uint64   // the database's mark on its entries
	last  uint64   // number of the last entry that was appended
}

// encode is owner(8) last(8), as it stands in meta.
func (l logState) encode() []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, l.owner), l.last)
}

// logEntry is what an entry of the log holds.
type logEntry struct {
	Calls       []json.RawMessage `json:"calls,omitempty"`       // call.Record
	Recordings  []json.RawMessage `json:"recordings,omitempty"`  // call.Recording
	Conferences []json.RawMessage `json:"conferences,omitempty"` // call.Conference
	Kept        []keptOp          `json:"kept,omitempty"`
	Notices     []json.RawMessage `json:"notices,omitempty"` // call.Notice
	Done        []uint64          `json:"done,omitempty"`    // ids of notices that are over
}

func encodeEntry(batch []*accepted) ([]byte, error) {
	var e logEntry
	for _, a := range batch {
		for _, o := range a.calls {
			e.Calls = append(e.Calls, o.value)
		}
		for _, o := range a.recordings {
			e.Recordings = append(e.Recordings, o.value)
		}
		for _, o := range a.conferences {
			e.Conferences = append(e.Conferences, o.value)
		}
		e.Kept = append(e.Kept, a.kept...)
		for _, o := range a.notices {
			e.Notices = append(e.Notices, o.value)
		}
		e.Done = append(e.Done, a.delNotices...)
	}
	return json.Marshal(e)
}

// decodeEntry gives an entry as it was accepted.
func decodeEntry(data []byte) (*accepted, error) {
	var e logEntry
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, err
	}
	a := &accepted{delNotices: e.Done, kept: e.Kept}
	for _, v := range e.Calls {
		rec := new(call.Record)
		if err := json.Unmarshal(v, rec); err != nil {
			return nil, err
		}
		a.calls = append(a.calls, callOp{rec, v})
	}
	for _, v := range e.Recordings {
		rec := new(call.Recording)
		if err := json.Unmarshal(v, rec); err != nil {
			return nil, err
		}
		a.recordings = append(a.recordings, recordingOp{rec, v})
	}
	for _, v := range e.Conferences {
		c := new(call.Conference)
		if err := json.Unmarshal(v, c); err != nil {
			return nil, err
		}
		a.conferences = append(a.conferences, conferenceOp{c, v})
	}
	for _, v := range e.Notices {
		var n call.Notice
		if err := json.Unmarshal(v, &n); err != nil {
			return nil, err
		}
		a.notices = append(a.notices, noticeOp{n, v})
	}
	return a, nil
}

// persisted is what making a batch durable took.
type persisted struct {
	settled bool // it is in the database, with all that was logged
	size    int  // bytes written
	left    int  // notices in the outbox in the database; if settled
	givenUp int  // notices given up
}

// persist makes batch durable: in the log when it can be there and fits, else in
// the database.
func (w *writer) persist(batch []*accepted) (persisted, error) {
	if !w.mustSettle(batch) {
		p, err := w.append(batch)
		if err == nil {
			return p, nil
		}
		if !errors.Is(err, wal.ErrFull) {
			w.s.cfg.Logger.Warn("the log does not take writes, the database has to", "err", err)
		}
	}
	p, err := w.settle(batch)
	w.settleErr = nil
	if err == nil || len(batch) > 0 || w.isClosing() {
		return p, err
	}
	// Nobody waits: what is logged is safe where it is.
	w.settleErr, w.settleAt = err, time.Now().Add(settleRetry)
	return persisted{}, nil
}

const settleRetry = 30 * time.Second

// mustSettle reports whether batch has to go into the database now: when it is
// empty, that is what flush is there for.
func (w *writer) mustSettle(batch []*accepted) bool {
	if w.log.file == nil || len(batch) == 0 || w.isClosing() {
		return true
	}
	for _, a := range batch {
		if a.settle || len(a.delCalls)+len(a.delRecs)+len(a.puts) > 0 {
			return true
		}
	}
	return false
}

// append adds batch to the log as one entry.
func (w *writer) append(batch []*accepted) (persisted, error) {
	data, err := encodeEntry(batch)
	if err != nil {
		return persisted{}, err
	}
	if err := w.faulty(false); err != nil {
		return persisted{}, err
	}
	last, size, err := w.log.file.Append(data)
	if err != nil {
		return persisted{}, err
	}
	w.log.last = last
	return persisted{size: size}, nil
}

// settle brings what is logged, and batch, into the database.
func (w *writer) settle(batch []*accepted) (persisted, error) {
	all := append(append([]*accepted(nil), w.logged...), batch...)
	p := persisted{settled: true}
	var used *bbolt.Tx
	err := w.s.update(func(tx *bbolt.Tx) error {
		used = tx
		p.left, p.givenUp = w.notices, 0
		if err := applyAll(tx, all, w.s.cfg.IdempotencyFor, &p.left); err != nil {
			return err
		}
		if err := tx.Bucket(bucketMeta).Put(keyLog, w.log.encode()); err != nil {
			return err
		}
		var err error
		p.givenUp, err = trimNotices(tx, p.left-w.s.cfg.MaxNotices)
		p.left -= p.givenUp
		if err == nil {
			err = w.faulty(true)
		}
		return err
	})
	if err != nil {
		return persisted{}, fmt.Errorf("writing the database: %w", err)
	}
	w.s.reserve()
	st := used.Stats()
	p.size = int(st.GetPageAlloc()) + pageSize // and the meta page
	if w.log.file != nil {
		w.log.file.Rewind(w.log.owner, w.log.last)
	}
	return p, nil
}

// replay brings into the database what the log has and it lacks. After a repair
// the database has lost its mark on the log, and everything in the log counts.
func (s *Store) replay(tx *bbolt.Tx) (logState, error) {
	l := logState{file: s.log}
	known := tx.Bucket(bucketMeta).Get(keyLog)
	if len(known) == 16 {
		l.owner, l.last = binary.BigEndian.Uint64(known), binary.BigEndian.Uint64(known[8:])
	} else {
		l.owner, known = newOwner(), nil
	}
	var entries []wal.Entry
	if s.log != nil {
		var err error
		if entries, err = s.log.Entries(l.owner, known == nil && s.repair != nil); err != nil {
			s.cfg.Logger.Error("the log cannot be read, what was in it is lost", "err", err)
			l.file = nil
		}
	}
	if l.file == nil {
		l.owner = newOwner() // so that its entries never count when it can be used again
	}
	var all []*accepted
	for _, e := range entries {
		if known != nil && e.Number <= l.last {
			continue
		}
		if known != nil && len(all) == 0 && e.Number != l.last+1 {
			s.cfg.Logger.Error("the log is from a later time than the database and is left out", "number", e.Number, "wanted", l.last+1)
			break
		}
		a, err := decodeEntry(e.Data)
		if err != nil {
			s.cfg.Logger.Error("an entry of the log cannot be read and is left out", "number", e.Number, "err", err)
			a = &accepted{}
		}
		a.seq = uint64(len(all)) + 1
		all = append(all, a)
	}
	if len(entries) > 0 {
		l.last = max(l.last, entries[len(entries)-1].Number)
	}
	left := 0
	if err := applyAll(tx, all, s.cfg.IdempotencyFor, &left); err != nil {
		return l, err
	}
	return l, tx.Bucket(bucketMeta).Put(keyLog, l.encode())
}

func newOwner() uint64 {
	var b [8]byte
	rand.Read(b[:]) // never fails (crypto/rand since Go 1.24)
	return binary.BigEndian.Uint64(b[:])
}

// settleNow waits until everything accepted so far is in the database.
func (s *Store) settleNow(ctx context.Context) error {
	return s.commit(ctx, &accepted{settle: true})
}

// applyAll does the changes of all in order; left counts the notices. Of several
// versions of a record only the last one is written, unless a call is deleted
// between them, and a notice that is over is not written at all.
func applyAll(tx *bbolt.Tx, all []*accepted, keep time.Duration, left *int) error {
	last, done := newest(all), map[uint64]bool{}
	for _, a := range all {
		for _, id := range a.delNotices {
			done[id] = true
		}
	}
	for _, a := range all {
		if err := a.apply(tx, keep, last, done, left); err != nil {
			return err
		}
	}
	if !slices.ContainsFunc(all, func(a *accepted) bool { return len(a.conferences) > 0 }) {
		return nil
	}
	return trimConferences(tx, MaxConferences)
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

func (a *accepted) apply(tx *bbolt.Tx, keep time.Duration, last map[string]uint64, done map[uint64]bool, left *int) error {
	for i, o := range a.calls {
		// The first version decides the record's place and its claims, so a new
		// record is always put.
		if last != nil && last[o.rec.ID] > a.seq && tx.Bucket(bucketCallIDs).Get([]byte(o.rec.ID)) != nil {
			continue
		}
		if err := a.calls[i].apply(tx, keep); err != nil {
			return err
		}
	}
	for _, o := range a.recordings {
		if err := o.apply(tx); err != nil {
			return err
		}
	}
	for _, o := range a.conferences {
		if err := o.apply(tx); err != nil {
			return err
		}
	}
	for _, o := range a.kept {
		if err := o.apply(tx); err != nil {
			return err
		}
	}
	if err := a.applyNotices(tx.Bucket(bucketNotices), done, left); err != nil {
		return err
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
	for _, o := range a.puts {
		if err := o.apply(tx); err != nil {
			return err
		}
	}
	return nil
}

func (a *accepted) applyNotices(notices *bbolt.Bucket, done map[uint64]bool, left *int) error {
	notices.FillPercent = 0.9
	for _, o := range a.notices {
		if err := notices.SetSequence(max(notices.Sequence(), o.notice.ID)); err != nil {
			return err
		}
		k := noticeKey(o.notice.ID)
		if done[o.notice.ID] {
			continue
		}
		if notices.Get(k) == nil {
			*left++
		}
		v, err := encoded(o.value, o.notice)
		if err != nil {
			return err
		}
		if err := notices.Put(k, v); err != nil {
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
