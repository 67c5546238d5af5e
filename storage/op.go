package storage

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"callbox/call"

	"go.etcd.io/bbolt"
)

// callOp puts one call record. It is made where the write is accepted, so that
// a record that cannot be stored fails there and not in everybody's batch.
type callOp struct {
	rec   *call.Record // never changes
	value []byte       // rec in JSON until it is in the log; nil: make it again
}

func newCallOp(rec *call.Record) (callOp, error) {
	for _, err := range []error{
		checkKeyPart("call's id", rec.ID, maxID, false),
		checkKeyPart("call's account", rec.Account, maxID, true),
		checkKeyPart("call's parent", rec.Parent, maxID, true),
		checkKeyPart("idempotency value", rec.Idempotency, maxIdempotency, true),
	} {
		if err != nil {
			return callOp{}, fmt.Errorf("storing call %q: %w", rec.ID, err)
		}
	}
	v, err := json.Marshal(rec)
	if err != nil {
		return callOp{}, fmt.Errorf("storing call %q: %w", rec.ID, err)
	}
	return callOp{rec, v}, nil
}

// apply puts the record. A call's place never changes: its key is made when it
// is first seen. keep is how long an idempotency value belongs to its call.
func (o callOp) apply(tx *bbolt.Tx, keep time.Duration) error {
	id := []byte(o.rec.ID)
	ids := tx.Bucket(bucketCallIDs)
	key := ids.Get(id)
	if key == nil {
		key = timedKey(o.rec.Account, o.rec.Created, o.rec.ID)
		if err := ids.Put(id, key); err != nil {
			return err
		}
		if o.rec.Parent != "" {
			if err := tx.Bucket(bucketCallParents).Put(timedKey(o.rec.Parent, o.rec.Created, o.rec.ID), key); err != nil {
				return err
			}
		}
		if o.rec.Idempotency != "" {
			if err := o.claim(tx, key, keep); err != nil {
				return err
			}
		}
	}
	if err := markOpen(tx.Bucket(bucketCallOpen), id, !o.rec.State.Final()); err != nil {
		return err
	}
	v, err := encoded(o.value, o.rec)
	if err != nil {
		return err
	}
	b := tx.Bucket(bucketCalls)
	b.FillPercent = 0.9 // keys of an account mostly rise
	return b.Put(key, v)
}

// encoded is value, or rec in JSON when there is none: what is in the log may
// wait for minutes, and thousands of records wait in half the memory.
func encoded(value []byte, rec any) ([]byte, error) {
	if value != nil {
		return value, nil
	}
	return json.Marshal(rec)
}

// claim gives the idempotency value to this call, unless an earlier call of the
// last keep has it.
func (o callOp) claim(tx *bbolt.Tx, key []byte, keep time.Duration) error {
	keys := tx.Bucket(bucketCallKeys)
	k := idempotencyKey(o.rec.Account, o.rec.Idempotency)
	if v := keys.Get(k); len(v) > 8 {
		first := time.Unix(0, int64(binary.BigEndian.Uint64(v)))
		if age := o.rec.Created.Sub(first); age >= 0 && age < keep {
			return nil
		}
	}
	return keys.Put(k, append(stamp(o.rec.Created), key...))
}

func idempotencyKey(account, value string) []byte {
	return append(append([]byte(account), 0), value...)
}

// deleteCall removes a call and its index entries; an unknown one is no error.
func deleteCall(tx *bbolt.Tx, id string) error {
	ids := tx.Bucket(bucketCallIDs)
	key := ids.Get([]byte(id))
	if key == nil {
		return nil
	}
	key = append([]byte(nil), key...) // bbolt's memory moves when it deletes
	calls := tx.Bucket(bucketCalls)
	var rec call.Record
	if err := json.Unmarshal(calls.Get(key), &rec); err == nil {
		if rec.Parent != "" {
			if err := tx.Bucket(bucketCallParents).Delete(timedKey(rec.Parent, rec.Created, rec.ID)); err != nil {
				return err
			}
		}
		if rec.Idempotency != "" {
			keys := tx.Bucket(bucketCallKeys)
			k := idempotencyKey(rec.Account, rec.Idempotency)
			if v := keys.Get(k); len(v) > 8 && string(v[8:]) == string(key) {
				if err := keys.Delete(k); err != nil {
					return err
				}
			}
		}
	}
	if err := tx.Bucket(bucketCallOpen).Delete([]byte(id)); err != nil {
		return err
	}
	if err := ids.Delete([]byte(id)); err != nil {
		return err
	}
	return calls.Delete(key)
}

// recordingOp puts one recording's record.
type recordingOp struct {
	rec   *call.Recording // never changes
	value []byte          // as in callOp
}

func newRecordingOp(rec *call.Recording) (recordingOp, error) {
	for _, err := range []error{
		checkKeyPart("recording's id", rec.ID, maxID, false),
		checkKeyPart("recording's account", rec.Account, maxID, true),
		checkKeyPart("recording's call", rec.Call, maxID, true),
	} {
		if err != nil {
			return recordingOp{}, fmt.Errorf("storing recording %q: %w", rec.ID, err)
		}
	}
	v, err := json.Marshal(rec)
	if err != nil {
		return recordingOp{}, fmt.Errorf("storing recording %q: %w", rec.ID, err)
	}
	return recordingOp{rec, v}, nil
}

func (o recordingOp) apply(tx *bbolt.Tx) error {
	ids := tx.Bucket(bucketRecIDs)
	key := ids.Get([]byte(o.rec.ID))
	if key == nil {
		key = timedKey(o.rec.Account, o.rec.Created, o.rec.ID)
		if err := ids.Put([]byte(o.rec.ID), key); err != nil {
			return err
		}
		if o.rec.Call != "" {
			if err := tx.Bucket(bucketRecCalls).Put(timedKey(o.rec.Call, o.rec.Created, o.rec.ID), key); err != nil {
				return err
			}
		}
	}
	if err := markOpen(tx.Bucket(bucketRecOpen), []byte(o.rec.ID), isOpen(*o.rec)); err != nil {
		return err
	}
	v, err := encoded(o.value, o.rec)
	if err != nil {
		return err
	}
	return tx.Bucket(bucketRecordings).Put(key, v)
}

// isOpen reports whether a recording is still being made.
func isOpen(r call.Recording) bool {
	return r.Status == "in-progress" || r.Status == "paused" || r.Status == "processing"
}

// markOpen enters an id into a set of open ones, or takes it out.
func markOpen(set *bbolt.Bucket, id []byte, open bool) error {
	switch is := set.Get(id) != nil; {
	case open && !is:
		return set.Put(id, []byte{1})
	case is && !open:
		return set.Delete(id)
	}
	return nil
}

func deleteRecording(tx *bbolt.Tx, id string) error {
	ids := tx.Bucket(bucketRecIDs)
	key := ids.Get([]byte(id))
	if key == nil {
		return nil
	}
	key = append([]byte(nil), key...)
	recs := tx.Bucket(bucketRecordings)
	var rec call.Recording
	if err := json.Unmarshal(recs.Get(key), &rec); err == nil && rec.Call != "" {
		if err := tx.Bucket(bucketRecCalls).Delete(timedKey(rec.Call, rec.Created, rec.ID)); err != nil {
			return err
		}
	}
	if err := markOpen(tx.Bucket(bucketRecOpen), []byte(id), false); err != nil {
		return err
	}
	if err := ids.Delete([]byte(id)); err != nil {
		return err
	}
	return recs.Delete(key)
}

// noticeOp puts one message into the outbox.
type noticeOp struct {
	notice call.Notice
	value  []byte // as in callOp
}

// putOp puts a value, or deletes the key when the value is nil.
type putOp struct{ bucket, key, value []byte }

func (o putOp) apply(tx *bbolt.Tx) error {
	if o.value == nil {
		return tx.Bucket(o.bucket).Delete(o.key)
	}
	return tx.Bucket(o.bucket).Put(o.key, o.value)
}

// overlay is what was accepted and is not in the database yet, so that readers
// see their own writes. It is owned by writer.mu.
type overlay struct {
	calls      map[string]overlaid[call.Record]
	recordings map[string]overlaid[call.Recording]
}

// overlaid is the last accepted version of a record.
type overlaid[T any] struct {
	seq     uint64 // of the write
	deleted bool
	rec     *T    // nil when deleted; never changes
	place   place // of the first accepted version
}

// place is where a record stands in the indexes, unless the database knows better.
type place struct {
	account, owner string // owner: the call's parent, the recording's call
	created        time.Time
}

func newOverlay() overlay {
	return overlay{map[string]overlaid[call.Record]{}, map[string]overlaid[call.Recording]{}}
}

func (o *overlay) add(a *accepted) {
	for _, c := range a.calls {
		lay(o.calls, c.rec.ID, a.seq, c.rec, place{c.rec.Account, c.rec.Parent, c.rec.Created})
	}
	for _, r := range a.recordings {
		lay(o.recordings, r.rec.ID, a.seq, r.rec, place{r.rec.Account, r.rec.Call, r.rec.Created})
	}
	for _, id := range a.delCalls {
		o.calls[id] = overlaid[call.Record]{seq: a.seq, deleted: true}
	}
	for _, id := range a.delRecs {
		o.recordings[id] = overlaid[call.Recording]{seq: a.seq, deleted: true}
	}
}

func lay[T any](m map[string]overlaid[T], id string, seq uint64, rec *T, at place) {
	if old, ok := m[id]; ok && !old.deleted {
		at = old.place
	}
	m[id] = overlaid[T]{seq: seq, rec: rec, place: at}
}

// remove forgets what a put there, unless a later write replaced it.
func (o *overlay) remove(a *accepted) {
	for _, c := range a.calls {
		drop(o.calls, c.rec.ID, a.seq)
	}
	for _, r := range a.recordings {
		drop(o.recordings, r.rec.ID, a.seq)
	}
	for _, id := range a.delCalls {
		drop(o.calls, id, a.seq)
	}
	for _, id := range a.delRecs {
		drop(o.recordings, id, a.seq)
	}
}

func drop[T any](m map[string]overlaid[T], id string, seq uint64) {
	if m[id].seq == seq {
		delete(m, id)
	}
}

// callSoon gives the accepted version of a call that is not in the database
// yet.
func (w *writer) callSoon(id string) (overlaid[call.Record], bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	v, ok := w.overlay.calls[id]
	return v, ok
}

// recordingSoon is callSoon for recordings.
func (w *writer) recordingSoon(id string) (overlaid[call.Recording], bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	v, ok := w.overlay.recordings[id]
	return v, ok
}
