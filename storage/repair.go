package storage

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"callbox/call"
	"callbox/storage/config"

	"go.etcd.io/bbolt"
)

// Repair says what was saved of a damaged database.
type Repair struct {
	At         time.Time
	Damage     string // what was found
	Kept       string // the damaged file, for an expert; empty when it could not be kept
	Calls      int    // records saved
	Recordings int
	Notices    int
	Blobs      int
	Config     bool // the configuration was saved
}

// String tells it in a sentence.
func (r Repair) String() string {
	cfg := "the configuration was saved"
	if !r.Config {
		cfg = "no configuration could be saved"
	}
	return fmt.Sprintf("the database was damaged (%s): %d calls, %d recordings and %d messages were saved, %s", r.Damage, r.Calls, r.Recordings, r.Notices, cfg)
}

// salvage replaces the database by a new one with everything that can be read.
// Indexes are made anew from the records. The damaged file stays beside it.
func salvage(path string, now time.Time, damage error) (*Repair, error) {
	rep := &Repair{At: now, Damage: damage.Error()}
	kept := path + keptSuffix
	_ = os.Remove(kept)
	// A second name for the file, so that at every moment there is a database.
	if err := os.Link(path, kept); err == nil {
		rep.Kept = kept
	}
	err := create(path, func(dst *bbolt.DB) error {
		src, err := openBolt(path, true)
		if err != nil {
			if errors.Is(err, errDamaged) {
				return nil // not even its first pages can be read
			}
			return err
		}
		defer func() { _ = src.Close() }()
		return rep.copyAll(src, dst)
	})
	if err != nil {
		return nil, err
	}
	return rep, syncDir(filepath.Dir(path))
}

// copyAll saves every bucket that holds data of its own.
func (r *Repair) copyAll(src, dst *bbolt.DB) error {
	// A fixed order: what the box needs to come up goes first.
	steps := []struct {
		bucket []byte
		put    func(tx *bbolt.Tx, k, v []byte) bool
	}{
		{bucketConfig, r.saveConfig},
		{bucketBlobs, func(tx *bbolt.Tx, k, v []byte) bool {
			r.Blobs++
			return tx.Bucket(bucketBlobs).Put(k, v) == nil
		}},
		{bucketCalls, r.saveCall},
		{bucketRecordings, r.saveRecording},
		{bucketConferences, saveConference},
		{bucketKept, func(tx *bbolt.Tx, k, v []byte) bool { return json.Valid(v) && tx.Bucket(bucketKept).Put(k, v) == nil }},
		{bucketNotices, r.saveNotice},
	}
	for _, s := range steps {
		if err := eachReadable(src, s.bucket, func(batch []pair) error {
			return dst.Update(func(tx *bbolt.Tx) error {
				for _, p := range batch {
					s.put(tx, p.k, p.v)
				}
				return nil
			})
		}); err != nil {
			return err
		}
	}
	return nil
}

func (r *Repair) saveConfig(tx *bbolt.Tx, k, v []byte) bool {
	var s config.Snapshot
	if string(k) != string(keyCurrent) || json.Unmarshal(v, &s) != nil {
		return false
	}
	r.Config = true
	return tx.Bucket(bucketConfig).Put(k, v) == nil
}

func (r *Repair) saveCall(tx *bbolt.Tx, _, v []byte) bool {
	var rec call.Record
	if json.Unmarshal(v, &rec) != nil {
		return false
	}
	op, err := newCallOp(&rec)
	if err != nil || op.apply(tx, 0) != nil {
		return false
	}
	r.Calls++
	return true
}

func (r *Repair) saveRecording(tx *bbolt.Tx, _, v []byte) bool {
	var rec call.Recording
	if json.Unmarshal(v, &rec) != nil {
		return false
	}
	op, err := newRecordingOp(&rec)
	if err != nil || op.apply(tx) != nil {
		return false
	}
	r.Recordings++
	return true
}

func saveConference(tx *bbolt.Tx, k, v []byte) bool {
	return json.Unmarshal(v, new(call.Conference)) == nil && tx.Bucket(bucketConferences).Put(k, v) == nil
}

func (r *Repair) saveNotice(tx *bbolt.Tx, k, v []byte) bool {
	var n call.Notice
	if json.Unmarshal(v, &n) != nil || n.ID == 0 || n.ID != noticeID(k) {
		return false
	}
	r.Notices++
	return tx.Bucket(bucketNotices).Put(k, v) == nil
}

// eachReadable gives copies of a bucket's entries in batches: from the front
// until the damage, then from the back until the damage.
func eachReadable(db *bbolt.DB, bucket []byte, take func([]pair) error) error {
	front := walk{bucket: bucket, take: take}
	if err := front.run(db); err != nil || front.whole {
		return err
	}
	back := walk{bucket: bucket, take: take, backwards: true, stop: front.last}
	return back.run(db)
}

// walk reads one bucket in one direction until its end, until the key stop, or
// until a panic: bbolt panics on pages that make no sense, and reading beyond
// the file is a fault.
type walk struct {
	bucket    []byte
	take      func([]pair) error
	backwards bool
	stop      []byte

	last  []byte // key of the last entry read
	whole bool   // the end was reached
	batch []pair
	err   error // of take
}

func (w *walk) run(db *bbolt.DB) error {
	w.read(db)
	w.flush()
	return w.err
}

func (w *walk) read(db *bbolt.DB) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if recover() != nil {
			w.whole = false
		}
	}()
	tx, err := db.Begin(false)
	if err != nil {
		return
	}
	defer func() { _ = tx.Rollback() }()
	b := tx.Bucket(w.bucket)
	if b == nil {
		return
	}
	c := b.Cursor()
	k, v := c.First()
	step := c.Next
	if w.backwards {
		k, v = c.Last()
		step = c.Prev
	}
	// A damaged tree can lead in circles; no healthy one has more entries than this.
	limit := int(tx.Size()/16) + 1
	for ; k != nil && limit > 0 && w.err == nil; k, v = step() {
		if w.stop != nil && string(k) <= string(w.stop) {
			return
		}
		w.last = append([]byte(nil), k...)
		w.batch = append(w.batch, pair{w.last, append([]byte(nil), v...)})
		if len(w.batch) == 500 {
			w.flush()
		}
		limit--
	}
	w.whole = k == nil
}

func (w *walk) flush() {
	if len(w.batch) > 0 && w.err == nil {
		w.err = w.take(w.batch)
	}
	w.batch = nil
}

type pair struct{ k, v []byte }
