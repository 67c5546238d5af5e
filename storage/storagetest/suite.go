package storagetest

import (
	"context"
	"testing"
	"time"

	"callbox/call"
	"callbox/storage"
	"callbox/storage/config"
)

// Writer is how changes get into a store.
type Writer interface {
	Commit(ctx context.Context, w storage.Write) error
	Enqueue(w storage.Write) error
}

// Calls is what a store answers about calls.
type Calls interface {
	Call(account, id string) (call.Record, error)
	Calls(f call.Filter) (call.Page, error)
	DeleteCall(ctx context.Context, account, id string) error
	OpenCalls() ([]call.Record, error)
	Idempotent(account, value string) (call.Record, bool, error)
}

// Retention is how a store forgets calls.
type Retention interface {
	DeleteOlder(ctx context.Context, before time.Time) (int, error)
	TrimCalls(ctx context.Context, keep int) (int, error)
}

// Recordings is what a store answers about recordings.
type Recordings interface {
	Recording(account, id string) (call.Recording, error)
	Recordings(f call.RecordingFilter) (call.RecordingPage, error)
	DeleteRecording(ctx context.Context, account, id string) error
	OpenRecordings() ([]call.Recording, error)
	DeleteRecordingsOlder(ctx context.Context, before time.Time, remove func(call.Recording) error) (int, error)
	TrimRecordings(ctx context.Context, keep int64, remove func(call.Recording) error) (int, error)
}

// Conferences is what a store answers about conferences.
type Conferences interface {
	Conferences() ([]call.Conference, error)
	Kept() ([]storage.Kept, error)
}

// Outbox is what a store answers about messages that wait.
type Outbox interface {
	PendingNotices(after uint64, limit int) ([]call.Notice, error)
	DoneNotice(ids ...uint64) error
}

// Settings is what a store keeps for the box itself.
type Settings interface {
	LoadConfig() (config.Snapshot, error)
	SaveConfig(ctx context.Context, snap config.Snapshot) (config.Snapshot, error)
	PutBlob(ctx context.Context, name string, data []byte) error
	Blob(name string) ([]byte, error)
	DeleteBlob(ctx context.Context, name string) error
}

// Store is all of it.
type Store interface {
	Writer
	Calls
	Retention
	Recordings
	Conferences
	Outbox
	Settings
	Close() error
}

// Start is the time at which the suite's records begin.
var Start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// Open opens the store in dir; now is its clock. It is closed by the suite.
type Open func(t *testing.T, dir string, now func() time.Time) Store

// Run runs the suite.
func Run(t *testing.T, open Open) {
	tests := []struct {
		name string
		run  func(*env)
	}{
		{"Call", testCall},
		{"CallErrors", testCallErrors},
		{"ReadYourWrites", testReadYourWrites},
		{"Order", testOrder},
		{"DeleteCall", testDeleteCall},
		{"OpenCalls", testOpenCalls},
		{"Idempotent", testIdempotent},
		{"Filters", testFilters},
		{"Pages", testPages},
		{"PagesAreStable", testPagesAreStable},
		{"BadCursor", testBadCursor},
		{"Retention", testRetention},
		{"Recordings", testRecordings},
		{"Conferences", testConferences},
		{"Kept", testKept},
		{"OpenRecordings", testOpenRecordings},
		{"RecordingRetention", testRecordingRetention},
		{"TrimRecordings", testTrimRecordings},
		{"Outbox", testOutbox},
		{"Config", testConfig},
		{"Blobs", testBlobs},
		{"CommitContext", testCommitContext},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := &env{T: t, dir: t.TempDir(), now: Start.Add(time.Hour), open: open}
			e.Store = open(t, e.dir, func() time.Time { return e.now })
			defer func() {
				if err := e.Close(); err != nil {
					t.Errorf("closing: %v", err)
				}
			}()
			tt.run(e)
		})
	}
}

// env is one test's store. The clock may be moved between calls.
type env struct {
	*testing.T
	Store
	dir  string
	now  time.Time
	open Open
}

// reopen closes the store and opens it again.
func (e *env) reopen() {
	e.Helper()
	if err := e.Close(); err != nil {
		e.Fatalf("closing: %v", err)
	}
	e.Store = e.open(e.T, e.dir, func() time.Time { return e.now })
}

// bothWays runs check now and after reopening.
func (e *env) bothWays(check func()) {
	e.Helper()
	check()
	e.reopen()
	check()
}

func (e *env) commit(w storage.Write) {
	e.Helper()
	ctx, stop := context.WithTimeout(context.Background(), 30*time.Second)
	defer stop()
	if err := e.Commit(ctx, w); err != nil {
		e.Fatalf("commit: %v", err)
	}
}

func (e *env) must(err error) {
	e.Helper()
	if err != nil {
		e.Fatal(err)
	}
}

// at is a time n seconds after Start, as a pointer.
func at(n int) *time.Time {
	t := Start.Add(time.Duration(n) * time.Second)
	return &t
}

// rec is a call of account AC1 created n seconds after Start.
func rec(id string, n int, state call.State) call.Record {
	return call.Record{ID: id, Account: "AC1", From: "+14155550100", To: "+14155550101", Created: *at(n), Updated: *at(n), State: state}
}

func ids(recs []call.Record) []string {
	out := []string{}
	for _, r := range recs {
		out = append(out, r.ID)
	}
	return out
}
