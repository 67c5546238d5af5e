package apitest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"callbox/api"
	"callbox/call"
)

// Box is a box without lines: calls stay queued until a test moves them. All
// methods may be called concurrently.
type Box struct {
	mu         sync.Mutex
	now        time.Time        // mu
	records    []call.Record    // mu; newest first
	recordings []call.Recording // mu; newest first
	sounds     map[string][]byte
	requests   []call.Request    // mu; those of Create, oldest first
	changes    []call.Change     // mu; those of Modify, oldest first
	told       []call.SIPMessage // mu; those of Tell, oldest first
	fail       error             // mu; what the next act answers
	live       live              // mu

	accounts map[string]api.Account
	lines    map[string]string
	prices   map[string]int64
	budgets  map[string]int64

	messaging bool           // it has a line for text messages
	messages  []call.Message // mu; newest first
	own       []string       // numbers that calls may show, nil: any

	apps    *settings[api.Application]
	numbers *settings[api.Number]
	keys    *settings[key]
	users   *settings[api.User]
	setups  *settings[api.Setup]
	trunks  *settings[api.Carrier]
	phones  map[string][]api.Registration
	alerts  []call.Alert
	callers *settings[api.CallerID]
	lists   *settings[api.CredentialList]
	domains *settings[api.SIPDomain]

	// Meetings are the conferences and queues.
	Meetings *Meetings
}

var (
	_ api.Calls      = (*Box)(nil)
	_ api.Recordings = (*Box)(nil)
	_ api.Accounts   = (*Box)(nil)
	_ api.Lines      = (*Box)(nil)
	_ api.Prices     = (*Box)(nil)
)

// New makes a box whose clock stands at now and moves by a second with every
// created call.
func New(now time.Time, accounts ...api.Account) *Box {
	b := &Box{
		now: now, sounds: map[string][]byte{}, accounts: map[string]api.Account{},
		lines: map[string]string{}, prices: map[string]int64{}, budgets: map[string]int64{},
	}
	for _, a := range accounts {
		b.accounts[a.ID] = a
	}
	clock := func() time.Time {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.now
	}
	b.apps = &settings[api.Application]{now: clock, at: func(a *api.Application) (id, account *string, created, updated *time.Time) {
		return &a.ID, &a.Account, &a.Created, &a.Updated
	}}
	b.numbers = &settings[api.Number]{now: clock, at: func(n *api.Number) (id, account *string, created, updated *time.Time) {
		return &n.ID, &n.Account, &n.Created, &n.Updated
	}}
	b.keys = &settings[key]{now: clock, at: func(k *key) (id, account *string, created, updated *time.Time) {
		return &k.ID, &k.account, &k.Created, &k.Updated
	}}
	b.users = &settings[api.User]{now: clock, at: func(u *api.User) (id, account *string, created, updated *time.Time) {
		return &u.ID, &u.Account, &u.Created, &u.Updated
	}}
	b.trunks = &settings[api.Carrier]{now: clock, at: func(c *api.Carrier) (id, account *string, created, updated *time.Time) {
		c.Line = c.Name
		return &c.ID, &c.Account, &c.Created, &c.Updated
	}}
	b.setups = &settings[api.Setup]{now: clock, at: func(s *api.Setup) (id, account *string, created, updated *time.Time) {
		return &s.ID, &s.ID, &time.Time{}, &time.Time{}
	}}
	for _, a := range accounts {
		b.setups.list = append(b.setups.list, api.Setup{ID: a.ID, Name: a.Name})
	}
	b.callers = &settings[api.CallerID]{now: clock, at: func(c *api.CallerID) (id, account *string, created, updated *time.Time) {
		return &c.ID, &c.Account, &c.Created, &c.Updated
	}}
	b.lists = &settings[api.CredentialList]{now: clock, at: func(l *api.CredentialList) (id, account *string, created, updated *time.Time) {
		return &l.ID, &l.Account, &l.Created, &l.Updated
	}}
	b.domains = &settings[api.SIPDomain]{now: clock, at: func(d *api.SIPDomain) (id, account *string, created, updated *time.Time) {
		return &d.ID, &d.Account, &d.Created, &d.Updated
	}}
	b.Meetings = &Meetings{box: b, queues: &settings[call.Queue]{now: clock, at: func(q *call.Queue) (id, account *string, created, updated *time.Time) {
		return &q.ID, &q.Account, &q.Created, &q.Updated
	}}}
	return b
}

// AddApplication stores an application; call it before the box is used.
func (b *Box) AddApplication(account string, a api.Application) {
	a.Account = account
	b.apps.list = append(b.apps.list, a)
}

// AddLine names a line; call it before the box is used.
func (b *Box) AddLine(sid, line string) { b.lines[sid] = line }

// SetBudget sets what an account may still spend.
func (b *Box) SetBudget(account string, left int64) { b.budgets[account] = left }

// Left implements api.Budgets.
func (b *Box) Left(account string) (int64, bool) {
	left, ok := b.budgets[account]
	return left, ok
}

// SetPrice makes calls to this address cost something; call it before the box
// is used.
func (b *Box) SetPrice(to string, perMinute int64) { b.prices[to] = perMinute }

// AddRecording stores a recording and its sound.
func (b *Box) AddRecording(r call.Recording, sound []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.recordings = slices.Insert(b.recordings, 0, r)
	b.sounds[r.ID] = sound
}

// FailNext makes the next act of a call answer err.
func (b *Box) FailNext(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fail = err
}

// takeFail gives the error of FailNext, once. The caller holds mu.
func (b *Box) takeFail() error {
	err := b.fail
	b.fail = nil
	return err
}

func (b *Box) takeFailure() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.takeFail()
}

// Requests are the requests that were created, oldest first.
func (b *Box) Requests() []call.Request {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.requests)
}

// Changes are the changes that were accepted, oldest first.
func (b *Box) Changes() []call.Change {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.changes)
}

// Edit changes the record of a call; it does nothing when there is none.
func (b *Box) Edit(id string, f func(*call.Record)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.records {
		if b.records[i].ID == id {
			f(&b.records[i])
		}
	}
}

// Create stores a queued call.
func (b *Box) Create(_ context.Context, r call.Request) (call.Record, bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.takeFail(); err != nil {
		return call.Record{}, false, err
	}
	for _, rec := range b.records {
		if r.Idempotency != "" && rec.Idempotency == r.Idempotency && rec.Account == r.Account {
			return rec, true, nil
		}
	}
	b.now = b.now.Add(time.Second)
	rec := call.Record{
		ID: r.ID, API: r.API, Account: r.Account, Direction: call.OutboundAPI, From: r.From, To: r.To,
		Application: r.Application, Line: r.Line, State: call.Queued, Created: b.now, Updated: b.now,
		Status: r.Status, Reason: r.Reason, AMD: r.AMD, Idempotency: r.Idempotency,
	}
	b.requests = append(b.requests, r)
	b.records = slices.Insert(b.records, 0, rec)
	return rec, false, nil
}

// find gives the place of a call. The caller holds mu.
func (b *Box) find(account, id string) (int, error) {
	for i, rec := range b.records {
		if rec.ID == id && rec.Account == account {
			return i, nil
		}
	}
	return 0, fmt.Errorf("call %s: %w", id, call.ErrNotFound)
}

// Call gives one call.
func (b *Box) Call(_ context.Context, account, id string) (call.Record, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	i, err := b.find(account, id)
	if err != nil {
		return call.Record{}, err
	}
	return b.records[i], nil
}

// Calls gives a page; a cursor is the number of calls before the page.
func (b *Box) Calls(_ context.Context, f call.Filter) (call.Page, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []call.Record
	room, _ := b.Meetings.Conference(f.Account, f.Conference) // none: nobody was in it
	for _, rec := range b.records {
		if selects(f, rec) && (f.Conference == "" || slices.Contains(room.Calls, rec.ID)) {
			list = append(list, rec)
		}
	}
	items, next, previous, err := page(list, f.Cursor, f.Limit)
	return call.Page{Records: items, Next: next, Previous: previous}, err
}

// selects reports whether f selects rec.
func selects(f call.Filter, rec call.Record) bool {
	return rec.Account == f.Account &&
		(f.From == "" || rec.From == f.From) && (f.To == "" || rec.To == f.To) &&
		(f.Parent == "" || rec.Parent == f.Parent) && (f.State == nil || rec.State == *f.State) &&
		within(rec.Started, f.StartedAfter, f.StartedUntil) && within(rec.Ended, f.EndedAfter, f.EndedUntil)
}

func within(t *time.Time, after, until time.Time) bool {
	if after.IsZero() && until.IsZero() {
		return true
	}
	return t != nil && !t.Before(after) && (until.IsZero() || !t.After(until))
}

// page cuts a page out of list.
func page[T any](list []T, cursor string, limit int) (items []T, next, previous string, err error) {
	start := 0
	if cursor != "" {
		if start, err = strconv.Atoi(cursor); err != nil || start < 0 {
			return nil, "", "", call.ErrCursor
		}
	}
	if limit == 0 {
		limit = 50
	}
	start = min(start, len(list))
	end := min(start+limit, len(list))
	if end < len(list) {
		next = strconv.Itoa(end)
	}
	if start > 0 {
		previous = strconv.Itoa(max(start-limit, 0))
	}
	return list[start:end], next, previous, nil
}

// Modify moves a call through the state table.
func (b *Box) Modify(_ context.Context, account, id string, c call.Change) (call.Record, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.takeFail(); err != nil {
		return call.Record{}, err
	}
	i, err := b.find(account, id)
	if err != nil {
		return call.Record{}, err
	}
	rec := &b.records[i]
	switch {
	case rec.State.Final():
		return call.Record{}, call.ErrEnded
	case c.Cancel && rec.State == call.InProgress:
		return call.Record{}, call.ErrWrongState
	}
	b.changes = append(b.changes, c)
	if c.Status != nil {
		rec.Status = *c.Status
	}
	if c.Cancel || c.Complete {
		rec.State, _ = call.Next(rec.State, call.InComplete)
		ended := b.now
		rec.Ended = &ended
	}
	return *rec, nil
}

// Delete deletes the record of a call that has ended.
func (b *Box) Delete(_ context.Context, account, id string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	i, err := b.find(account, id)
	if err != nil {
		return err
	}
	if !b.records[i].State.Final() {
		return call.ErrNotEnded
	}
	b.records = slices.Delete(b.records, i, i+1)
	return nil
}

// Recording gives one recording.
func (b *Box) Recording(_ context.Context, account, id string) (call.Recording, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.recordings {
		if r.ID == id && r.Account == account {
			return r, nil
		}
	}
	return call.Recording{}, call.ErrNotFound
}

// Recordings gives a page of recordings.
func (b *Box) Recordings(_ context.Context, f call.RecordingFilter) (call.RecordingPage, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []call.Recording
	for _, r := range b.recordings {
		if r.Account == f.Account && (f.Call == "" || r.Call == f.Call) && within(&r.Created, f.CreatedAfter, f.CreatedBefore) {
			list = append(list, r)
		}
	}
	items, next, previous, err := page(list, f.Cursor, f.Limit)
	return call.RecordingPage{Recordings: items, Next: next, Previous: previous}, err
}

// OpenRecording opens a recording's sound.
func (b *Box) OpenRecording(ctx context.Context, account, id string, channels int) (io.ReadSeekCloser, call.Recording, error) {
	r, err := b.Recording(ctx, account, id)
	if err != nil {
		return nil, r, err
	}
	if channels > r.Channels {
		return nil, r, api.ErrChannels
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return sound{bytes.NewReader(b.sounds[id])}, r, nil
}

type sound struct{ *bytes.Reader }

func (sound) Close() error { return nil }

// DeleteRecording deletes a recording.
func (b *Box) DeleteRecording(_ context.Context, account, id string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, r := range b.recordings {
		if r.ID == id && r.Account == account {
			b.recordings = slices.Delete(b.recordings, i, i+1)
			return nil
		}
	}
	return call.ErrNotFound
}

// Account gives an account by one of its two ids.
func (b *Box) Account(id string) (api.Account, bool) {
	if a, ok := b.accounts[id]; ok {
		return a, ok
	}
	for _, a := range b.accounts {
		if a.Project == id && id != "" {
			return a, true
		}
	}
	return api.Account{}, false
}

// Accounts gives all accounts.
func (b *Box) Accounts() []api.Account { return slices.Collect(maps.Values(b.accounts)) }

// Application gives an application.
func (b *Box) Application(account, id string) (api.Application, bool) {
	for _, a := range b.apps.List(account) {
		if a.ID == id {
			return a, true
		}
	}
	return api.Application{}, false
}

// Line gives the line that sid stands for.
func (b *Box) Line(account, sid string) (string, bool) {
	if line, ok := b.lines[sid]; ok {
		return line, true
	}
	for _, c := range b.trunks.List(account) {
		tenant, teams := strings.CutPrefix(sid, call.TeamsLine)
		if c.ID == sid || c.Name == sid || teams && c.Tenant != "" && (tenant == "" || tenant == c.Tenant) {
			return c.Name, true
		}
	}
	return "", false
}

// PerMinute is what a minute to this address costs.
func (b *Box) PerMinute(to, _ string) int64 { return b.prices[to] }
