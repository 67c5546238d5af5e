package storage

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"callbox/call"

	"go.etcd.io/bbolt"
)

// slack is how much later than its creation a call may start and end, for the
// limits of a search by time: a call lasts hours at most.
const slack = 48 * time.Hour

// Call gives the record of a call, as it was last accepted. An empty account
// finds the calls of all accounts. The error is or wraps call.ErrNotFound.
func (s *Store) Call(account, id string) (call.Record, error) {
	rec, ok := call.Record{}, false
	if v, soon := s.w.callSoon(id); soon {
		if ok = !v.deleted; ok {
			rec = *v.rec
		}
	} else {
		err := s.view(func(tx *bbolt.Tx) error {
			key := tx.Bucket(bucketCallIDs).Get([]byte(id))
			if key == nil {
				return nil
			}
			ok = true
			return decode(tx.Bucket(bucketCalls).Get(key), &rec)
		})
		if err != nil {
			return call.Record{}, fmt.Errorf("reading call %q: %w", id, err)
		}
	}
	if !ok || (account != "" && rec.Account != account) {
		return call.Record{}, fmt.Errorf("%w: %q", call.ErrNotFound, id)
	}
	return rec, nil
}

// Calls gives a page of records, newest first by Created. An empty account
// selects all accounts. A record without Started is looked at by its Created
// when searched by StartedAfter and StartedUntil; one without Ended never
// matches EndedAfter and EndedUntil. A page may be shorter than its limit, even
// empty, and still have a Next cursor: the search was long and goes on there.
// Calls are listed as they were last accepted. The error is or wraps
// call.ErrCursor.
func (s *Store) Calls(f call.Filter) (call.Page, error) {
	s.w.mu.Lock()
	soon := maps.Clone(s.w.overlay.calls)
	s.w.mu.Unlock()
	m := newMatcher(f)
	q := query{limit: f.Limit, cursor: f.Cursor, oldest: m.oldest, latest: m.latest}
	var res result[call.Record]
	err := s.view(func(tx *bbolt.Tx) error {
		calls := tx.Bucket(bucketCalls)
		fetch := func(v []byte) []byte { return v }
		switch {
		case f.Parent != "":
			q.streams = []*stream{newStream(tx.Bucket(bucketCallParents), []byte(f.Parent))}
			fetch = calls.Get
		case f.Account != "":
			q.streams = []*stream{newStream(calls, []byte(f.Account))}
		default:
			for _, o := range owners(calls) {
				q.streams = append(q.streams, newStream(calls, o))
			}
		}
		q.streams = append(q.streams, soonStream(soon, tx.Bucket(bucketCallIDs), func(p place) bool {
			return (f.Account == "" || p.account == f.Account) && (f.Parent == "" || p.owner == f.Parent)
		}))
		var failed error
		var err error
		res, err = run(q, func(id string, v []byte) (call.Record, bool) {
			if o, ok := soon[id]; ok {
				if o.deleted || !m.match(o.rec) {
					return call.Record{}, false
				}
				return *o.rec, true
			}
			rec, ok, err := m.take(fetch(v))
			if err != nil {
				failed = err
			}
			return rec, ok
		})
		if err != nil {
			return err
		}
		return failed
	})
	if err != nil {
		return call.Page{}, fmt.Errorf("listing calls: %w", err)
	}
	return call.Page{Records: res.records, Next: res.next, Previous: res.previous}, nil
}

// matcher is a filter made ready.
type matcher struct {
	f              call.Filter
	needles        [][]byte // all of them are in the JSON of every match
	oldest, latest []byte   // created(8) bounds, nil: open
}

func newMatcher(f call.Filter) *matcher {
	m := &matcher{f: f}
	needle := func(name string, value any) {
		if v, err := json.Marshal(value); err == nil {
			m.needles = append(m.needles, append([]byte(`"`+name+`":`), v...))
		}
	}
	if f.From != "" {
		needle("from", f.From)
	}
	if f.To != "" {
		needle("to", f.To)
	}
	if f.State != nil {
		needle("state", *f.State)
	}
	after := f.StartedAfter
	if f.EndedAfter.After(after) {
		after = f.EndedAfter
	}
	if !after.IsZero() {
		m.oldest = stamp(after.Add(-slack))
	}
	until := f.StartedUntil
	if until.IsZero() || (!f.EndedUntil.IsZero() && f.EndedUntil.Before(until)) {
		until = f.EndedUntil
	}
	if !until.IsZero() {
		m.latest = stamp(until)
	}
	return m
}

// take decodes a stored record if it matches.
func (m *matcher) take(v []byte) (rec call.Record, ok bool, err error) {
	// Decoding costs most of a search: look for the text first.
	for _, n := range m.needles {
		if !bytes.Contains(v, n) {
			return rec, false, nil
		}
	}
	if err := decode(v, &rec); err != nil {
		return rec, false, err
	}
	return rec, m.match(&rec), nil
}

func (m *matcher) match(r *call.Record) bool {
	f := &m.f
	started := r.Created
	if r.Started != nil {
		started = *r.Started
	}
	return (f.Account == "" || r.Account == f.Account) &&
		(f.From == "" || r.From == f.From) &&
		(f.To == "" || r.To == f.To) &&
		(f.Parent == "" || r.Parent == f.Parent) &&
		(f.State == nil || r.State == *f.State) &&
		within(&started, f.StartedAfter, f.StartedUntil) &&
		within(r.Ended, f.EndedAfter, f.EndedUntil)
}

// within reports whether t lies between the inclusive limits; open limits let
// an absent t through.
func within(t *time.Time, after, until time.Time) bool {
	if after.IsZero() && until.IsZero() {
		return true
	}
	return t != nil && !t.Before(after) && (until.IsZero() || !t.After(until))
}

// decode reads a stored JSON value.
func decode(v []byte, into any) error {
	if v == nil {
		return fmt.Errorf("%w: an index points to nothing", errDamaged)
	}
	return json.Unmarshal(v, into)
}

// Idempotent finds the call that the account created with this idempotency
// value in the last Config.IdempotencyFor.
func (s *Store) Idempotent(account, value string) (rec call.Record, ok bool, err error) {
	if value == "" {
		return rec, false, nil
	}
	now := s.cfg.Now()
	fresh := func(created time.Time) bool { return now.Sub(created) < s.cfg.IdempotencyFor }
	// It may be accepted and not on disk yet. This is looked at first, so that a
	// call cannot move to the disk unseen between the two looks.
	id := s.w.claimedSoon(account, value, fresh)
	err = s.view(func(tx *bbolt.Tx) error {
		v := tx.Bucket(bucketCallKeys).Get(idempotencyKey(account, value))
		if len(v) <= 8 || !fresh(time.Unix(0, int64(binary.BigEndian.Uint64(v)))) {
			return nil
		}
		var r call.Record
		if err := decode(tx.Bucket(bucketCalls).Get(v[8:]), &r); err != nil {
			return err
		}
		id = r.ID // it was there before any that wait
		return nil
	})
	if err != nil {
		return rec, false, fmt.Errorf("looking for an earlier request: %w", err)
	}
	if id == "" {
		return rec, false, nil
	}
	rec, err = s.Call(account, id)
	if err != nil {
		return call.Record{}, false, nil // deleted meanwhile
	}
	return rec, true, nil
}

// claimedSoon gives the first of the accepted calls that has the value.
func (w *writer) claimedSoon(account, value string, fresh func(time.Time) bool) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, list := range [][]*accepted{w.logged, w.queue} {
		for _, a := range list {
			for _, o := range a.calls {
				if o.rec.Account == account && o.rec.Idempotency == value && fresh(o.rec.Created) {
					return o.rec.ID
				}
			}
		}
	}
	return ""
}

// OpenCalls gives the calls that are not final, oldest first. After a start they
// are those that the last run left behind.
func (s *Store) OpenCalls() ([]call.Record, error) {
	s.w.mu.Lock()
	soon := maps.Clone(s.w.overlay.calls)
	s.w.mu.Unlock()
	var out []call.Record
	err := s.view(func(tx *bbolt.Tx) error {
		ids, calls := tx.Bucket(bucketCallIDs), tx.Bucket(bucketCalls)
		return tx.Bucket(bucketCallOpen).ForEach(func(id, _ []byte) error {
			if _, ok := soon[string(id)]; ok {
				return nil
			}
			var rec call.Record
			if err := decode(calls.Get(ids.Get(id)), &rec); err != nil {
				return err
			}
			out = append(out, rec)
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("reading open calls: %w", err)
	}
	for _, o := range soon {
		if !o.deleted && !o.rec.State.Final() {
			out = append(out, *o.rec)
		}
	}
	sortByTime(out)
	return out, nil
}

// DeleteCall removes a call's record. The error is or wraps call.ErrNotFound, or
// call.ErrNotEnded while the call is open.
func (s *Store) DeleteCall(ctx context.Context, account, id string) error {
	rec, err := s.Call(account, id)
	if err != nil {
		return err
	}
	if !rec.State.Final() {
		return fmt.Errorf("%w: %q is %s", call.ErrNotEnded, id, rec.State)
	}
	return s.Commit(ctx, Write{DeleteCalls: []string{id}})
}

// sortByTime orders records by creation, then id.
func sortByTime(recs []call.Record) {
	slices.SortFunc(recs, func(a, b call.Record) int {
		if c := a.Created.Compare(b.Created); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
}
