package storage

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"callbox/call"

	"go.etcd.io/bbolt"
)

// The buckets. Every bucket holds one type:
//
//	meta         schema → version (8 bytes), clean → 1 after a clean stop, else 0,
//	             log → owner(8) number(8) of the last entry of the log that is in
//	calls        account 0 created(8) id → JSON call.Record
//	call-ids     id → key in calls
//	call-parents parent 0 created(8) id → key in calls, for child calls
//	call-keys    account 0 idempotency value → created(8) key in calls
//	call-open    id → 1, for calls that are not final
//	recordings   account 0 created(8) id → JSON call.Recording
//	rec-ids      id → key in recordings
//	rec-open     id → 1, for recordings that are still being made
//	rec-calls    call 0 created(8) id → key in recordings
//	notices      id(8) → JSON call.Notice; the bucket's sequence is the last id
//	conferences  created(8) id → JSON call.Conference
//	kept         the owner's key → JSON
//	config       "current" → JSON config.Snapshot
//	blobs        name → bytes
//
// Times are Unix nanoseconds, big endian, so that keys sort by time. Small
// buckets cost nothing: bbolt keeps them inside the root page, which every
// transaction writes anyway.
var (
	bucketMeta        = []byte("meta")
	bucketCalls       = []byte("calls")
	bucketCallIDs     = []byte("call-ids")
	bucketCallParents = []byte("call-parents")
	bucketCallKeys    = []byte("call-keys")
	bucketCallOpen    = []byte("call-open")
	bucketRecordings  = []byte("recordings")
	bucketRecIDs      = []byte("rec-ids")
	bucketRecOpen     = []byte("rec-open")
	bucketRecCalls    = []byte("rec-calls")
	bucketNotices     = []byte("notices")
	bucketConferences = []byte("conferences")
	bucketKept        = []byte("kept")
	bucketConfig      = []byte("config")
	bucketBlobs       = []byte("blobs")

	keySchema  = []byte("schema")
	keyClean   = []byte("clean")
	keyLog     = []byte("log")
	keyCurrent = []byte("current")
)

// migrations bring a database from version i to i+1, in order, in one
// transaction with everything else that Open does. An entry never changes once
// it was released.
var migrations = []func(tx *bbolt.Tx) error{
	createBuckets,      // 0 → 1: a new database
	findOpenRecordings, // 1 → 2: recordings that are being made are known
	keepConferences,    // 2 → 3: conferences are kept
	keepTexts,          // 3 → 4: text messages are kept
}

func keepConferences(tx *bbolt.Tx) error {
	if _, err := tx.CreateBucketIfNotExists(bucketConferences); err != nil {
		return fmt.Errorf("making bucket %s: %w", bucketConferences, err)
	}
	return nil
}

func keepTexts(tx *bbolt.Tx) error {
	if _, err := tx.CreateBucketIfNotExists(bucketKept); err != nil {
		return fmt.Errorf("making bucket %s: %w", bucketKept, err)
	}
	return nil
}

func findOpenRecordings(tx *bbolt.Tx) error {
	open, err := tx.CreateBucketIfNotExists(bucketRecOpen)
	if err != nil {
		return fmt.Errorf("making bucket %s: %w", bucketRecOpen, err)
	}
	return tx.Bucket(bucketRecordings).ForEach(func(_, v []byte) error {
		var rec call.Recording
		if err := json.Unmarshal(v, &rec); err != nil || !isOpen(rec) {
			return nil // what cannot be read is nobody's business here
		}
		return open.Put([]byte(rec.ID), []byte{1})
	})
}

func createBuckets(tx *bbolt.Tx) error {
	for _, name := range [][]byte{
		bucketCalls, bucketCallIDs, bucketCallParents, bucketCallKeys, bucketCallOpen,
		bucketRecordings, bucketRecIDs, bucketRecCalls, bucketNotices, bucketConfig, bucketBlobs,
	} {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return fmt.Errorf("making bucket %s: %w", name, err)
		}
	}
	return nil
}

// migrate runs the steps that the database lacks.
func migrate(tx *bbolt.Tx, steps []func(*bbolt.Tx) error) error {
	meta, err := tx.CreateBucketIfNotExists(bucketMeta)
	if err != nil {
		return fmt.Errorf("making bucket meta: %w", err)
	}
	have := uint64(0)
	if v := meta.Get(keySchema); len(v) == 8 {
		have = binary.BigEndian.Uint64(v)
	}
	want := uint64(len(steps))
	if have > want {
		return fmt.Errorf("%w: its schema is %d and this program knows %d; install the newer program again", ErrNewer, have, want)
	}
	if have == want {
		return nil
	}
	for i := have; i < want; i++ {
		if err := steps[i](tx); err != nil {
			return fmt.Errorf("bringing the database from version %d to %d: %w", i, i+1, err)
		}
	}
	return meta.Put(keySchema, binary.BigEndian.AppendUint64(nil, want))
}

// Limits of what goes into keys, in bytes.
const (
	maxID          = 128
	maxIdempotency = 512
)

// stamp is the sortable form of t; times before 1970 count as 1970.
func stamp(t time.Time) []byte {
	n := max(t.UnixNano(), 0)
	if t.IsZero() {
		n = 0
	}
	return binary.BigEndian.AppendUint64(nil, uint64(n))
}

// timedKey is owner 0 created(8) id.
func timedKey(owner string, created time.Time, id string) []byte {
	k := make([]byte, 0, len(owner)+1+8+len(id))
	k = append(k, owner...)
	k = append(k, 0)
	k = append(k, stamp(created)...)
	return append(k, id...)
}

// cutKey takes a timed key apart into its owner and its position, created(8) id.
func cutKey(k []byte) (owner, position []byte, ok bool) {
	i := bytes.IndexByte(k, 0)
	if i < 0 || len(k) < i+1+8 {
		return nil, nil, false
	}
	return k[:i], k[i+1:], true
}

func noticeKey(id uint64) []byte { return binary.BigEndian.AppendUint64(nil, id) }

func noticeID(k []byte) uint64 {
	if len(k) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(k)
}

// checkKeyPart says whether s can be part of a key.
func checkKeyPart(what, s string, limit int, mayBeEmpty bool) error {
	switch {
	case s == "" && !mayBeEmpty:
		return fmt.Errorf("the %s is empty", what)
	case len(s) > limit:
		return fmt.Errorf("the %s has %d bytes, at most %d", what, len(s), limit)
	case strings.IndexByte(s, 0) >= 0:
		return fmt.Errorf("the %s contains a zero byte", what)
	}
	return nil
}
