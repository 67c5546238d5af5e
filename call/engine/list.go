package engine

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"callbox/call"
)

const (
	defaultPage = 50
	maxPage     = 1000
)

// all lists the live calls.
func (e *Engine) all() []*live {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := make([]*live, 0, len(e.calls))
	for _, c := range e.calls {
		out = append(out, c)
	}
	return out
}

// Calls lists records, newest first. What is in memory is fresher than what is
// on disk: live records replace stored ones, those that the disk does not show
// yet are added to the first page, and a filter for a state that is not final
// looks at the live calls only. The error is or wraps call.ErrCursor.
func (e *Engine) Calls(ctx context.Context, f call.Filter) (call.Page, error) {
	limit := min(cmp.Or(max(f.Limit, 0), defaultPage), maxPage)
	if f.Conference != "" {
		return e.conferenceCalls(ctx, f, limit)
	}
	if f.State != nil && !f.State.Final() {
		return e.liveCalls(f, limit)
	}
	f.Limit = limit
	p, missing, err := e.stored(ctx, f)
	if err != nil || len(missing) == 0 {
		return p, err
	}
	if len(p.Records)+len(missing) > limit {
		if len(missing) >= limit {
			return p, nil // no room at all; the disk shows them in a moment
		}
		f.Limit = limit - len(missing)
		if p, missing, err = e.stored(ctx, f); err != nil {
			return p, err
		}
	}
	p.Records = append(p.Records, missing...)
	slices.SortFunc(p.Records, newestFirst)
	return p, nil
}

// stored gives a page of the journal with live records in place of stored ones,
// and the live records that belong on it but are not.
func (e *Engine) stored(ctx context.Context, f call.Filter) (p call.Page, missing []call.Record, err error) {
	if p, err = e.cfg.Journal.Calls(ctx, f); err != nil {
		return p, nil, err
	}
	on := map[string]bool{}
	for i := range p.Records {
		on[p.Records[i].ID] = true
		if c := e.find(p.Records[i].Account, p.Records[i].ID); c != nil {
			p.Records[i] = c.snapshot()
		}
	}
	if f.Cursor != "" {
		return p, nil, nil
	}
	for _, c := range e.all() {
		r := c.snapshot()
		belongs := len(p.Records) == 0 || p.Next == "" || newestFirst(r, p.Records[len(p.Records)-1]) < 0
		// One that is queued may yet be refused by the disk.
		if !on[r.ID] && belongs && r.State != call.Queued && !c.deleted.Load() && matches(r, f) {
			missing = append(missing, r)
		}
	}
	return p, missing, nil
}

// liveCalls lists calls that are not final.
func (e *Engine) liveCalls(f call.Filter, limit int) (call.Page, error) {
	state := f.State
	f.State = nil
	var found []call.Record
	for _, c := range e.all() {
		r := c.snapshot()
		// "dialing" is "queued" for the APIs, see call.State.String.
		same := r.State == *state || (*state == call.Queued && r.State == call.Dialing)
		if same && matches(r, f) {
			found = append(found, r)
		}
	}
	return pageOf(found, f.Cursor, limit)
}

// conferenceCalls lists the calls that were in a conference.
func (e *Engine) conferenceCalls(ctx context.Context, f call.Filter, limit int) (call.Page, error) {
	room, err := e.rooms.Conference(f.Account, f.Conference)
	if err != nil {
		return call.Page{}, nil //nolint:nilerr // nobody was in a conference that there was not
	}
	var found []call.Record
	for _, id := range room.Calls {
		r, err := e.Call(ctx, f.Account, id)
		switch {
		case errors.Is(err, call.ErrNotFound): // it was deleted
		case err != nil:
			return call.Page{}, err
		case matches(r, f):
			found = append(found, r)
		}
	}
	return pageOf(found, f.Cursor, limit)
}

// pageOf cuts a page out of records.
func pageOf(found []call.Record, cursor string, limit int) (call.Page, error) {
	from, older, err := readCursor(cursor)
	if err != nil {
		return call.Page{}, err
	}
	slices.SortFunc(found, newestFirst)
	first, last := 0, min(limit, len(found)) // of the page, in found
	if cursor != "" {
		at, exact := slices.BinarySearchFunc(found, from, newestFirst)
		if older {
			if exact {
				at++
			}
			first, last = at, min(at+limit, len(found))
		} else {
			first, last = max(at-limit, 0), at
		}
	}
	p := call.Page{Records: found[first:last:last]}
	if first == last {
		return p, nil // all that the cursor led to has ended
	}
	if last < len(found) {
		p.Next = writeCursor(found[last-1], true)
	}
	if first > 0 {
		p.Previous = writeCursor(found[first], false)
	}
	return p, nil
}

func newestFirst(a, b call.Record) int {
	return cmp.Or(b.Created.Compare(a.Created), strings.Compare(b.ID, a.ID))
}

// A cursor of live calls names the record beside which the page begins, so that
// it stays good while calls come and go.
func writeCursor(r call.Record, older bool) string {
	way := "newer"
	if older {
		way = "older"
	}
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "live %s %d %s", way, r.Created.UnixNano(), r.ID))
}

func readCursor(s string) (from call.Record, older bool, err error) {
	if s == "" {
		return from, true, nil
	}
	var way string
	var at int64
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err == nil {
		_, err = fmt.Sscanf(string(b), "live %s %d %s", &way, &at, &from.ID)
	}
	if err != nil || way != "older" && way != "newer" {
		return from, false, call.ErrCursor
	}
	from.Created = time.Unix(0, at)
	return from, way == "older", nil
}

// matches is the filter, as storage has it: a call without Started is looked at
// by its Created.
func matches(r call.Record, f call.Filter) bool {
	if f.Account != "" && r.Account != f.Account || f.From != "" && r.From != f.From ||
		f.To != "" && r.To != f.To || f.Parent != "" && r.Parent != f.Parent ||
		f.State != nil && r.State != *f.State {
		return false
	}
	started := &r.Created
	if r.Started != nil {
		started = r.Started
	}
	return within(started, f.StartedAfter, f.StartedUntil) && within(r.Ended, f.EndedAfter, f.EndedUntil)
}

func within(t *time.Time, from, until time.Time) bool {
	if from.IsZero() && until.IsZero() {
		return true
	}
	return t != nil && (from.IsZero() || !t.Before(from)) && (until.IsZero() || !t.After(until))
}
