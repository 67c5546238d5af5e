package storage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"callbox/call"
	"callbox/storage/config"

	"go.etcd.io/bbolt"
)

var ctx = context.Background()

func open(t *testing.T, cfg Config) *Store {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, ErrClosed) {
			t.Errorf("closing: %v", err)
		}
	})
	return s
}

func record(id string, n int) call.Record {
	return call.Record{ID: id, Account: "AC1", Created: time.Unix(int64(n), 0).UTC(), To: strings.Repeat("x", 100)}
}

// fault is what the disk answers to transactions; the zero value is nothing.
type fault struct {
	err      atomic.Pointer[error]
	database bool // only to those of the database, the log works
}

func (f *fault) set(err error) { f.err.Store(&err) }
func (f *fault) clear()        { f.err.Store(nil) }

// openFaulty opens a store whose transactions fail with what f says.
func openFaulty(t *testing.T, cfg Config, f *fault) *Store {
	t.Helper()
	s := open(t, cfg)
	s.w.fault = func(settling bool) error { // the writer reads it after the first accept
		if err := f.err.Load(); err != nil && (settling || !f.database) {
			return *err
		}
		return nil
	}
	return s
}

// TestRoomIsReserved: the disk has set aside what the database's file is long, so that
// others can take the rest and calls are written down all the same.
func TestRoomIsReserved(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	for range 2 {
		var st syscall.Stat_t
		if err := syscall.Stat(s.path(), &st); err != nil {
			t.Fatal(err)
		}
		if got := st.Blocks * 512; got < st.Size || st.Size < 16<<20 {
			t.Errorf("the disk has set aside %d bytes for a file of %d", got, st.Size)
		}
		if err := s.Commit(ctx, Write{Calls: []*call.Record{new(record("CA1", 1))}}); err != nil {
			t.Fatal(err)
		}
		if err := s.settleNow(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(30 * time.Second)
	defer limit.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// While the disk is full everything accepted waits, in order, and nobody is
// told otherwise; when there is room again it is all there once.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	var disk fault
	var mu sync.Mutex
	var told []uint64
	s := openFaulty(t, Config{Committed: func(list []call.Notice) {
		mu.Lock()
		defer mu.Unlock()
		for _, n := range list {
			told = append(told, n.ID)
		}
	}}, &disk)
	if h := s.Health(); !h.OK || h.Text == "" {
		t.Errorf("health %+v", h)
	}
	disk.set(syscall.ENOSPC)
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	err := s.Commit(short, Write{Calls: calls(record("CA0", 0)), Notices: []call.Notice{{Key: "CA0"}}})
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("commit on a full disk: %v", err)
	}
	for i := 1; i < 100; i++ {
		if err := s.Enqueue(Write{Calls: calls(record(fmt.Sprintf("CA%d", i), i)), Notices: []call.Notice{{Key: fmt.Sprintf("CA%d", i)}}}); err != nil {
			t.Fatal(err)
		}
	}
	h := s.Health()
	if h.OK || !strings.Contains(h.Text, "disk is full") || !errors.Is(h.Err, syscall.ENOSPC) || s.Backlog() != 100 {
		t.Errorf("health %+v, backlog %d", h, s.Backlog())
	}
	if n, err := s.PendingNotices(0, 1000); err != nil || len(n) != 0 {
		t.Errorf("%d notices are told before they are on disk, %v", len(n), err)
	}
	if _, err := s.Call("AC1", "CA50"); err != nil {
		t.Errorf("an accepted call cannot be read: %v", err)
	}
	disk.clear()
	if err := s.Commit(ctx, Write{Calls: calls(record("last", 200))}); err != nil {
		t.Fatal(err)
	}
	if h := s.Health(); !h.OK || h.Err != nil || s.Backlog() != 0 {
		t.Errorf("health %+v, backlog %d", h, s.Backlog())
	}
	if s.Stats().Failures == 0 {
		t.Error("no failure was counted")
	}
	n, err := s.PendingNotices(0, 1000)
	if err != nil || len(n) != 100 {
		t.Fatalf("%d notices, %v", len(n), err)
	}
	for i, n := range n {
		if n.Key != fmt.Sprintf("CA%d", i) {
			t.Fatalf("notice %d is of %s", i, n.Key)
		}
	}
	waitFor(t, "everybody is told", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(told) == 100
	})
	mu.Lock()
	defer mu.Unlock()
	if len(told) != 100 || !slices.IsSorted(told) {
		t.Errorf("told of %v", told)
	}
}

// The kinds of failure have their own sentences.
func TestHealthText(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err  error
		text string
	}{{syscall.ENOSPC, "disk is full"}, {syscall.EIO, "Replace the card"}, {errors.New("odd"), "(writing the database: odd)"}} {
		var disk fault
		s := openFaulty(t, Config{}, &disk)
		disk.set(tt.err)
		if err := s.Enqueue(Write{Calls: calls(record("CA1", 1))}); err != nil {
			t.Fatal(err)
		}
		waitFor(t, "failure", func() bool { return !s.Health().OK })
		if h := s.Health(); !strings.Contains(h.Text, tt.text) {
			t.Errorf("%v: %q", tt.err, h.Text)
		}
		disk.clear()
		waitFor(t, "recovery", func() bool { return s.Health().OK })
	}
}

// The backlog is bounded: more is refused and counted, what waits is kept.
func TestBacklog(t *testing.T) {
	t.Parallel()
	var disk fault
	disk.set(syscall.EIO)
	s := openFaulty(t, Config{MaxBacklog: 10}, &disk)
	for i := range 10 {
		if err := s.Enqueue(Write{Calls: calls(record(fmt.Sprintf("CA%d", i), i))}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Enqueue(Write{Calls: calls(record("CA10", 10))}); !errors.Is(err, ErrBacklog) {
		t.Errorf("enqueue: %v", err)
	}
	if err := s.Commit(ctx, Write{}); !errors.Is(err, ErrBacklog) {
		t.Errorf("commit: %v", err)
	}
	if err := s.DoneNotice(1); !errors.Is(err, ErrBacklog) {
		t.Errorf("done: %v", err)
	}
	if s.Stats().Refused != 3 {
		t.Errorf("stats %+v", s.Stats())
	}
	disk.clear()
	waitFor(t, "empty backlog", func() bool { return s.Backlog() == 0 })
	if p, err := s.Calls(call.Filter{}); err != nil || len(p.Records) != 10 {
		t.Errorf("%d calls, %v", len(p.Records), err)
	}
}

// A configuration that could not be saved is not saved later by surprise.
func TestSaveConfigOnFullDisk(t *testing.T) {
	t.Parallel()
	var disk fault
	disk.set(syscall.ENOSPC)
	s := openFaulty(t, Config{}, &disk)
	short, cancel := context.WithTimeout(ctx, 30*time.Millisecond)
	defer cancel()
	if _, err := s.SaveConfig(short, config.Snapshot{Country: "DE"}); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("save: %v", err)
	}
	if s.Backlog() != 0 {
		t.Errorf("%d writes wait", s.Backlog())
	}
	disk.clear()
	if c, err := s.LoadConfig(); err != nil || c.Version != 0 {
		t.Errorf("loaded version %d, %v", c.Version, err)
	}
	if c, err := s.SaveConfig(ctx, config.Snapshot{Country: "FR"}); err != nil || c.Version != 1 {
		t.Errorf("saved version %d, %v", c.Version, err)
	}
}

// Closing with a disk that does not take writes ends, and says what was lost.
func TestCloseOnFullDisk(t *testing.T) {
	t.Parallel()
	var disk fault
	disk.set(syscall.ENOSPC)
	s := openFaulty(t, Config{}, &disk)
	if err := s.Enqueue(Write{Calls: calls(record("CA1", 1))}); err != nil {
		t.Fatal(err)
	}
	waiting := make(chan error, 1)
	go func() { waiting <- s.Commit(ctx, Write{Calls: calls(record("CA2", 2))}) }()
	waitFor(t, "both writes", func() bool { return s.Backlog() == 2 })
	err := s.Close()
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "2 accepted writes were lost") {
		t.Errorf("close: %v", err)
	}
	if err := <-waiting; !errors.Is(err, ErrClosed) || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("the waiting commit: %v", err)
	}
}

func TestClosed(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, errLoad := s.LoadConfig()
	_, errCall := s.Call("AC1", "CA1")
	_, errList := s.Calls(call.Filter{})
	for i, err := range []error{s.Close(), s.Enqueue(Write{}), s.Commit(ctx, Write{}), s.DoneNotice(1), errLoad, errCall, errList} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%d: %v", i, err)
		}
	}
}

// Close writes what was only enqueued, however lazily.
func TestCloseFlushes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, Config{Dir: dir, MaxDelay: time.Hour, MaxLinger: time.Hour})
	for i := range 30 {
		if err := s.Enqueue(Write{Calls: calls(record(fmt.Sprintf("CA%d", i), i)), Lazy: i%2 == 0}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, Config{Dir: dir})
	if p, err := s.Calls(call.Filter{}); err != nil || len(p.Records) != 30 || s.UncleanStop() {
		t.Errorf("%d calls, %v, unclean %v", len(p.Records), err, s.UncleanStop())
	}
}

// Many writes share a transaction; a full batch does not wait.
func TestGroupCommit(t *testing.T) {
	t.Parallel()
	s := open(t, Config{MaxBatch: 20, MaxDelay: time.Hour, MaxLinger: time.Hour})
	if err := s.Commit(ctx, Write{}); err != nil { // the first one goes at once
		t.Fatal(err)
	}
	before := s.Stats().Transactions
	for i := range 19 {
		if err := s.Enqueue(Write{Calls: calls(record(fmt.Sprintf("CA%d", i), i))}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Commit(ctx, Write{Calls: calls(record("CA19", 19))}); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.Transactions != before+1 || st.Writes != 21 || st.Bytes == 0 || st.Size == 0 {
		t.Errorf("stats %+v", st)
	}
}

func TestLocked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	_, err := Open(Config{Dir: dir})
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), fmt.Sprintf("(number %d) works on %s, stop it", os.Getpid(), dir)) {
		t.Errorf("a second one: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, Config{Dir: dir})
}

func TestFileModes(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	open(t, Config{Dir: dir})
	for name, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, fileName): 0o600, filepath.Join(dir, lockName): 0o600, filepath.Join(dir, logName): 0o600} {
		info, err := os.Stat(name)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

// An interrupted creation leaves a file that is not taken for a database.
func TestUnfinishedCreation(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	left := filepath.Join(dir, fileName+newSuffix)
	if err := os.WriteFile(left, []byte("half a database"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, Config{Dir: dir})
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
	if s.UncleanStop() {
		t.Error("a new database counts as unclean")
	}
}

func TestOpenErrors(t *testing.T) {
	t.Parallel()
	if _, err := Open(Config{}); err == nil {
		t.Error("opened without a folder")
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Dir: file}); err == nil {
		t.Error("opened in a file")
	}
}

// A page does bounded work and goes on where it stopped.
func TestBoundedScan(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	var w Write
	for i := range 100 {
		w.Calls = append(w.Calls, new(record(fmt.Sprintf("CA%03d", i), i)))
	}
	if err := s.Commit(ctx, w); err != nil {
		t.Fatal(err)
	}
	if err := s.settleNow(ctx); err != nil {
		t.Fatal(err)
	}
	page := func(cursor string) (res result[string]) {
		err := s.view(func(tx *bbolt.Tx) error {
			var err error
			q := query{streams: []*stream{newStream(tx.Bucket(bucketCalls), []byte("AC1"))}, limit: 3, cursor: cursor, scan: 10}
			res, err = run(q, func(id string, _ []byte) (string, bool) { return id, id[4] == '5' && id[3] != '5' })
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	var got []string
	var cursors []string
	pages := 0
	for cursor := ""; ; pages++ {
		res := page(cursor)
		got = append(got, res.records...)
		cursors = append(cursors, res.previous)
		if cursor = res.next; cursor == "" {
			break
		}
	}
	want := []string{"CA095", "CA085", "CA075", "CA065", "CA045", "CA035", "CA025", "CA015", "CA005"}
	if !slices.Equal(got, want) || pages < 9 {
		t.Errorf("%v on %d pages", got, pages)
	}
	got = nil
	for cursor := cursors[len(cursors)-1]; cursor != ""; {
		res := page(cursor)
		slices.Reverse(res.records)
		got = append(got, res.records...)
		cursor = res.previous
	}
	slices.Reverse(got)
	if !slices.Equal(got, want[:8]) {
		t.Errorf("backwards %v", got)
	}
}

// A memory map that bbolt lost is made anew.
func TestLostMapping(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	if err := s.Commit(ctx, Write{Calls: calls(record("CA1", 1))}); err != nil {
		t.Fatal(err)
	}
	s.dbmu.Lock()
	err := s.db.Close()
	s.dbmu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(ctx, Write{Calls: calls(record("CA2", 2))}); err != nil {
		t.Fatal(err)
	}
	if err := s.settleNow(ctx); err != nil {
		t.Fatal(err)
	}
	if p, err := s.Calls(call.Filter{}); err != nil || len(p.Records) != 2 {
		t.Errorf("%d calls, %v", len(p.Records), err)
	}
}
