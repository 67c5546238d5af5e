package storage

import (
	"bytes"
	"encoding/base64"

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

// stream walks the entries of one owner in one index.
type stream struct {
	c      *bbolt.Cursor
	prefix []byte // owner 0
	pos    []byte // of the present entry, nil at the end
	v      []byte
}

func newStream(b *bbolt.Bucket, owner []byte) *stream {
	return &stream{c: b.Cursor(), prefix: append(append([]byte(nil), owner...), 0)}
}

// set takes the entry that the cursor is at.
func (s *stream) set(k, v []byte) {
	if k == nil || !bytes.HasPrefix(k, s.prefix) || len(k) < len(s.prefix)+8 {
		s.pos, s.v = nil, nil
		return
	}
	s.pos, s.v = k[len(s.prefix):], v
}

// seekOlder goes to the newest entry before position, or of all when it is nil.
func (s *stream) seekOlder(position []byte) {
	var end []byte
	if position == nil {
		end = append([]byte(nil), s.prefix...)
		end[len(end)-1] = 1 // the first key after the owner's
	} else {
		end = append(append([]byte(nil), s.prefix...), position...)
	}
	if k, _ := s.c.Seek(end); k == nil {
		s.set(s.c.Last())
		return
	}
	s.set(s.c.Prev())
}

// seekNewer goes to the oldest entry after position, or at it if inclusive.
func (s *stream) seekNewer(position []byte, inclusive bool) {
	at := append(append([]byte(nil), s.prefix...), position...)
	k, v := s.c.Seek(at)
	if k != nil && !inclusive && bytes.Equal(k, at) {
		k, v = s.c.Next()
	}
	s.set(k, v)
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
		s.seekOlder(start)
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
		s.set(s.c.Prev())
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
		s.seekNewer(position, inclusive)
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
		s.set(s.c.Next())
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
