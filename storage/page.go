package storage

import (
	"bytes"
	"encoding/base64"
	"slices"

	"callbox/call"

	"go.etcd.io/bbolt"
)

// A position is created(8) id: where a record stands in time, in every index
// and across accounts. A cursor is a direction and a position, so that it stays
// good while records come and go.
type direction byte

const (
	fromStart  direction = 0   // from the newest
	older      direction = 'o' // older than the position
	newer      direction = 'n' // newer than the position
	newerEqual direction = 'e' // at the position, or newer
)

func encodeCursor(d direction, position []byte) string {
	return base64.RawURLEncoding.EncodeToString(append([]byte{byte(d)}, position...))
}

func decodeCursor(s string) (direction, []byte, error) {
	if s == "" {
		return fromStart, nil, nil
	}
	if len(s) > 2*(maxID+16) {
		return 0, nil, call.ErrCursor
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) < 1+8 {
		return 0, nil, call.ErrCursor
	}
	switch d := direction(b[0]); d {
	case older, newer, newerEqual:
		return d, b[1:], nil
	}
	return 0, nil, call.ErrCursor
}

const (
	defaultLimit = 50
	maxLimit     = 1000
	// maxScan bounds the entries that one page looks at.
	maxScan = 100_000
)

// source is what a stream walks over. All give the entry that they went to: its
// position, nil at the end, and its value.
type source interface {
	older(position []byte) (pos, v []byte)                 // the newest before position, or of all when it is nil
	newer(position []byte, inclusive bool) (pos, v []byte) // the oldest after position, or at it if inclusive
	prev() (pos, v []byte)
	next() (pos, v []byte)
}

// stream walks the entries of one source.
type stream struct {
	source
	pos []byte // of the present entry, nil at the end
	v   []byte
}

func (s *stream) set(pos, v []byte) { s.pos, s.v = pos, v }

// indexed is the entries of one owner in an index of the database.
type indexed struct {
	c      *bbolt.Cursor
	prefix []byte // owner 0
}

func newStream(b *bbolt.Bucket, owner []byte) *stream {
	return &stream{source: &indexed{c: b.Cursor(), prefix: append(append([]byte(nil), owner...), 0)}}
}

// cut makes an entry of what the cursor is at.
func (s *indexed) cut(k, v []byte) (pos, value []byte) {
	if k == nil || !bytes.HasPrefix(k, s.prefix) || len(k) < len(s.prefix)+8 {
		return nil, nil
	}
	return k[len(s.prefix):], v
}

func (s *indexed) prev() (pos, v []byte) { return s.cut(s.c.Prev()) }
func (s *indexed) next() (pos, v []byte) { return s.cut(s.c.Next()) }

func (s *indexed) older(position []byte) (pos, v []byte) {
	var end []byte
	if position == nil {
		end = append([]byte(nil), s.prefix...)
		end[len(end)-1] = 1 // the first key after the owner's
	} else {
		end = append(append([]byte(nil), s.prefix...), position...)
	}
	if k, _ := s.c.Seek(end); k == nil {
		return s.cut(s.c.Last())
	}
	return s.cut(s.c.Prev())
}

func (s *indexed) newer(position []byte, inclusive bool) (pos, v []byte) {
	at := append(append([]byte(nil), s.prefix...), position...)
	k, v := s.c.Seek(at)
	if k != nil && !inclusive && bytes.Equal(k, at) {
		k, v = s.c.Next()
	}
	return s.cut(k, v)
}

// listed is entries in memory: their positions, oldest first. They have no values.
type listed struct {
	all [][]byte
	at  int
}

func (s *listed) entry() (pos, v []byte) {
	if s.at < 0 || s.at >= len(s.all) {
		return nil, nil
	}
	return s.all[s.at], nil
}

func (s *listed) prev() (pos, v []byte) { s.at--; return s.entry() }
func (s *listed) next() (pos, v []byte) { s.at++; return s.entry() }

func (s *listed) older(position []byte) (pos, v []byte) {
	s.at = len(s.all)
	if position != nil {
		s.at, _ = slices.BinarySearchFunc(s.all, position, bytes.Compare)
	}
	return s.prev()
}

func (s *listed) newer(position []byte, inclusive bool) (pos, v []byte) {
	at, found := slices.BinarySearchFunc(s.all, position, bytes.Compare)
	if found && !inclusive {
		at++
	}
	s.at = at
	return s.entry()
}

// soonStream walks the records that were accepted and that the database has not
// got yet: those in soon that fits takes and whose ids are not in the index.
func soonStream[T any](soon map[string]overlaid[T], ids *bbolt.Bucket, fits func(place) bool) *stream {
	var l listed
	for id, o := range soon {
		if !o.deleted && fits(o.place) && ids.Get([]byte(id)) == nil {
			l.all = append(l.all, append(stamp(o.place.created), id...))
		}
	}
	slices.SortFunc(l.all, bytes.Compare)
	return &stream{source: &l}
}

// owners lists the distinct owners of an index. They are few: accounts.
func owners(b *bbolt.Bucket) [][]byte {
	var out [][]byte
	c := b.Cursor()
	k, _ := c.First()
	for k != nil {
		owner, _, ok := cutKey(k)
		if !ok {
			break
		}
		owner = append([]byte(nil), owner...)
		out = append(out, owner)
		k, _ = c.Seek(append(append([]byte(nil), owner...), 1))
	}
	return out
}

// query is one page's worth of looking.
type query struct {
	streams []*stream
	limit   int
	cursor  string
	// oldest and latest, when set, bound the positions looked at: created(8).
	oldest, latest []byte
	scan           int // entries that may be looked at
}

// result is where a page's records stand and how it goes on.
type result[T any] struct {
	records        []T
	next, previous string
}

// run collects the records that take accepts, newest first.
func run[T any](q query, take func(id string, v []byte) (T, bool)) (result[T], error) {
	var res result[T]
	dir, position, err := decodeCursor(q.cursor)
	if err != nil {
		return res, err
	}
	if q.limit <= 0 {
		q.limit = defaultLimit
	}
	q.limit = min(q.limit, maxLimit)
	if q.scan <= 0 {
		q.scan = maxScan
	}
	if dir == newer || dir == newerEqual {
		return runNewer(q, position, dir == newerEqual, take), nil
	}
	return runOlder(q, position, take), nil
}

func runOlder[T any](q query, position []byte, take func(string, []byte) (T, bool)) (res result[T]) {
	start := position
	if q.latest != nil {
		// The first position after the latest one that may count.
		after := append(append([]byte(nil), q.latest...), 0xff)
		if start == nil || bytes.Compare(after, start) < 0 {
			start = after
		}
	}
	for _, s := range q.streams {
		s.set(s.older(start))
	}
	var first, last, seen []byte
	for n := 0; ; n++ {
		s := pick(q.streams, true)
		if s == nil || (q.oldest != nil && bytes.Compare(s.pos, q.oldest) < 0) {
			break
		}
		if n == q.scan {
			// The page is short, and goes on behind what was seen.
			res.next = encodeCursor(older, seen)
			break
		}
		if rec, ok := take(string(s.pos[8:]), s.v); ok {
			if len(res.records) == q.limit {
				res.next = encodeCursor(older, last) // one more is there
				break
			}
			if first == nil {
				first = append([]byte(nil), s.pos...)
			}
			res.records = append(res.records, rec)
			last = append(last[:0], s.pos...)
		}
		seen = append(seen[:0], s.pos...)
		s.set(s.prev())
	}
	switch {
	case position == nil:
	case first != nil:
		res.previous = encodeCursor(newer, first)
	default:
		res.previous = encodeCursor(newerEqual, position)
	}
	return res
}

func runNewer[T any](q query, position []byte, inclusive bool, take func(string, []byte) (T, bool)) (res result[T]) {
	for _, s := range q.streams {
		s.set(s.newer(position, inclusive))
	}
	var last, seen []byte
	for n := 0; ; n++ {
		s := pick(q.streams, false)
		if s == nil || (q.latest != nil && bytes.Compare(s.pos[:8], q.latest) > 0) {
			break
		}
		if n == q.scan {
			res.previous = encodeCursor(newer, seen)
			break
		}
		if rec, ok := take(string(s.pos[8:]), s.v); ok {
			if len(res.records) == q.limit {
				res.previous = encodeCursor(newer, last) // one more is there
				break
			}
			res.records = append(res.records, rec)
			if len(res.records) == 1 {
				// What is older than the oldest of this page follows it.
				res.next = encodeCursor(older, s.pos)
			}
			last = append(last[:0], s.pos...)
		}
		seen = append(seen[:0], s.pos...)
		s.set(s.next())
	}
	if len(res.records) == 0 {
		res.next = encodeCursor(older, append(append([]byte(nil), position...), 0))
	}
	for i, j := 0, len(res.records)-1; i < j; i, j = i+1, j-1 {
		res.records[i], res.records[j] = res.records[j], res.records[i]
	}
	return res
}

// pick gives the stream whose present entry comes next; nil when all have ended.
func pick(streams []*stream, newestFirst bool) *stream {
	var best *stream
	for _, s := range streams {
		if s.pos == nil {
			continue
		}
		if best == nil || (bytes.Compare(s.pos, best.pos) > 0) == newestFirst {
			best = s
		}
	}
	return best
}
