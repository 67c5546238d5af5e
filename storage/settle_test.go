package storage

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"callbox/call"
	"callbox/storage/config"
)

// powerCut is the folder that a loss of power would leave now.
func powerCut(t *testing.T, s *Store) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, name := range []string{fileName, logName} {
		data, err := os.ReadFile(filepath.Join(s.cfg.Dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// early is the time at which the calls of busy are new.
func early() time.Time { return time.Unix(100, 0) }

// busy is a store with some calls in the database and the same and others in
// the log, and what it should know.
func busy(t *testing.T) *Store {
	t.Helper()
	s := open(t, Config{Now: early, MaxDelay: time.Millisecond})
	commit := func(w Write) {
		if err := s.Commit(ctx, w); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 4 {
		r := record(fmt.Sprintf("CA%d", i), i)
		r.Idempotency = "try " + r.ID
		commit(Write{Calls: calls(r), Notices: []call.Notice{{Key: r.ID, Payload: []byte("initiated")}}})
	}
	if err := s.settleNow(ctx); err != nil {
		t.Fatal(err)
	}
	for i := 2; i < 6; i++ {
		r := record(fmt.Sprintf("CA%d", i), i)
		r.Idempotency, r.Parent, r.State = "try "+r.ID, "CA0", call.Completed
		commit(Write{Calls: calls(r), Notices: []call.Notice{{Key: r.ID, Payload: []byte("completed")}},
			Recordings: []call.Recording{{ID: "RE" + r.ID, Account: "AC1", Call: r.ID, Created: r.Created}}})
	}
	if err := s.DoneNotice(1, 5); err != nil {
		t.Fatal(err)
	}
	commit(Write{})
	return s
}

// knows checks that s has what busy has made.
func knows(t *testing.T, what string, s *Store) {
	t.Helper()
	p, err := s.Calls(call.Filter{Account: "AC1"})
	if err != nil || !slices.Equal(idsOf(p.Records), []string{"CA5", "CA4", "CA3", "CA2", "CA1", "CA0"}) || p.Records[3].State != call.Completed {
		t.Errorf("%s: calls %v, %v", what, idsOf(p.Records), err)
	}
	// Parent counts only the first time that a call is seen.
	if p, err := s.Calls(call.Filter{Parent: "CA0"}); err != nil || !slices.Equal(idsOf(p.Records), []string{"CA5", "CA4"}) {
		t.Errorf("%s: children %v, %v", what, idsOf(p.Records), err)
	}
	if open, err := s.OpenCalls(); err != nil || !slices.Equal(idsOf(open), []string{"CA0", "CA1"}) {
		t.Errorf("%s: open %v, %v", what, idsOf(open), err)
	}
	if r, ok, err := s.Idempotent("AC1", "try CA5"); !ok || err != nil || r.ID != "CA5" {
		t.Errorf("%s: by request %v %v %v", what, r.ID, ok, err)
	}
	if r, err := s.Recordings(call.RecordingFilter{Account: "AC1"}); err != nil || len(r.Recordings) != 4 {
		t.Errorf("%s: recordings %v, %v", what, r, err)
	}
	list, err := s.PendingNotices(0, 100)
	var got []string
	for _, n := range list {
		got = append(got, fmt.Sprintf("%d %s %s", n.ID, n.Key, n.Payload))
	}
	want := []string{"2 CA1 initiated", "3 CA2 initiated", "4 CA3 initiated", "6 CA3 completed", "7 CA4 completed", "8 CA5 completed"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%s: notices %q, %v", what, got, err)
	}
	for after := range uint64(9) {
		for limit := range 8 {
			part, err := s.PendingNotices(after, limit)
			rest := slices.DeleteFunc(slices.Clone(list), func(n call.Notice) bool { return n.ID <= after })
			if rest = rest[:min(limit, len(rest))]; err != nil || len(part) != len(rest) || (len(part) > 0 && part[len(part)-1].ID != rest[len(rest)-1].ID) {
				t.Errorf("%s: notices after %d, at most %d: %v, %v", what, after, limit, part, err)
			}
		}
	}
}

func idsOf(recs []call.Record) (out []string) {
	for _, r := range recs {
		out = append(out, r.ID)
	}
	return out
}

// What was acknowledged is there while it is in the log only, after a loss of
// power, and once it is in the database; and new notices get new ids.
func TestLogIsDurable(t *testing.T) {
	t.Parallel()
	s := busy(t)
	knows(t, "in the log", s)
	if st := s.Stats(); st.Settled != 1 {
		t.Errorf("stats %+v", st)
	}
	after := open(t, Config{Dir: powerCut(t, s), Now: early})
	knows(t, "after a loss of power", after)
	if !after.UncleanStop() {
		t.Error("the stop counts as clean")
	}
	if age := time.Since(after.LastWrite()); age < 0 || age > time.Minute || !s.LastWrite().IsZero() {
		t.Errorf("last written %s ago, before that at %s", age, s.LastWrite())
	}
	// Again, before anything was written: nothing is done twice.
	knows(t, "after another one", open(t, Config{Dir: powerCut(t, after), Now: early}))
	if err := s.settleNow(ctx); err != nil {
		t.Fatal(err)
	}
	knows(t, "in the database", s)
	for _, s := range []*Store{after, s} {
		if err := s.Commit(ctx, Write{Notices: []call.Notice{{Key: "new"}}}); err != nil {
			t.Fatal(err)
		}
		if n, err := s.PendingNotices(8, 10); err != nil || len(n) != 1 || n[0].ID != 9 {
			t.Errorf("a new notice: %v, %v", n, err)
		}
	}
}

// An entry that was torn by the loss of power was not acknowledged: what is
// before it counts.
func TestTornLog(t *testing.T) {
	t.Parallel()
	s := busy(t)
	r := record("torn", 10)
	if err := s.Commit(ctx, Write{Calls: calls(r)}); err != nil {
		t.Fatal(err)
	}
	dir := powerCut(t, s)
	path := filepath.Join(dir, logName)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	used := s.log.Used()
	data[used-4096+100] ^= 1
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	knows(t, "torn", open(t, Config{Dir: dir, Now: early}))
}

// The log outlives a database that has to be repaired.
func TestLogAfterRepair(t *testing.T) {
	t.Parallel()
	s := busy(t)
	dir := powerCut(t, s)
	path := filepath.Join(dir, fileName)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	clear(data[2*pageSize:])
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	r := open(t, Config{Dir: dir})
	if _, ok := r.Repaired(); !ok {
		t.Fatal("nothing was repaired")
	}
	p, err := r.Calls(call.Filter{Account: "AC1"})
	if err != nil || !slices.Equal(idsOf(p.Records), []string{"CA5", "CA4", "CA3", "CA2"}) {
		t.Errorf("calls %v, %v", idsOf(p.Records), err)
	}
	if n, err := r.PendingNotices(0, 100); err != nil || len(n) != 3 {
		t.Errorf("notices %v, %v", n, err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, Config{Dir: dir})
	if p, err := again.Calls(call.Filter{}); err != nil || len(p.Records) != 4 || again.UncleanStop() {
		t.Errorf("calls %v, %v", idsOf(p.Records), err)
	}
}

// A log that belongs to another database, or to a later time of this one, is
// left out.
func TestForeignLog(t *testing.T) {
	t.Parallel()
	s := busy(t)
	dir := powerCut(t, s) // the early database
	for i := range 3 {
		if err := s.Commit(ctx, Write{Calls: calls(record(fmt.Sprintf("later%d", i), 20+i))}); err != nil {
			t.Fatal(err)
		}
		if err := s.settleNow(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Commit(ctx, Write{Calls: calls(record("last", 30))}); err != nil {
		t.Fatal(err)
	}
	later := powerCut(t, s)
	other := t.TempDir()
	if err := open(t, Config{Dir: other}).Close(); err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(filepath.Join(later, logName))
	if err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{"early": dir, "other": other} {
		if err := os.WriteFile(filepath.Join(dir, logName), log, 0o600); err != nil {
			t.Fatal(err)
		}
		s := open(t, Config{Dir: dir})
		if _, err := s.Call("", "last"); !errors.Is(err, call.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
		if err := s.Commit(ctx, Write{Calls: calls(record("new", 40))}); err != nil {
			t.Fatal(err)
		}
		again := open(t, Config{Dir: powerCut(t, s), Now: early})
		if _, err := again.Call("", "new"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Without a log everything goes into the database, and a log that comes back
// later brings nothing old with it.
func TestWithoutLog(t *testing.T) {
	t.Parallel()
	dir := powerCut(t, busy(t))
	aside := filepath.Join(t.TempDir(), "log")
	path := filepath.Join(dir, logName)
	if err := os.Rename(path, aside); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(path, "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	s := open(t, Config{Dir: dir})
	r := record("CA2", 2)
	r.State = call.Busy
	if err := s.Commit(ctx, Write{Calls: calls(r)}); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.Settled != 1 || st.Transactions != 1 {
		t.Errorf("stats %+v", st)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(aside, path); err != nil {
		t.Fatal(err)
	}
	s = open(t, Config{Dir: dir})
	if got, err := s.Call("AC1", "CA2"); err != nil || got.State != call.Busy {
		t.Errorf("CA2 is %s, %v", got.State, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if s := open(t, Config{Dir: dir}); s.log == nil {
		t.Error("no new log was made")
	}
}

// What is logged goes into the database after a while, or when the log is full.
func TestSettles(t *testing.T) {
	t.Parallel()
	s := open(t, Config{SettleAfter: 20 * time.Millisecond})
	if err := s.Enqueue(Write{Calls: calls(record("CA1", 1))}); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "settling", func() bool { return s.Stats().Settled == 1 })
	s = open(t, Config{LogSize: 16 << 10, MaxDelay: time.Microsecond})
	for i := range 10 {
		if err := s.Commit(ctx, Write{Calls: calls(record(fmt.Sprint(i), i))}); err != nil {
			t.Fatal(err)
		}
	}
	if st := s.Stats(); st.Settled != 2 || st.Transactions != 10 {
		t.Errorf("stats %+v", st)
	}
	if p, err := s.Calls(call.Filter{}); err != nil || len(p.Records) != 10 {
		t.Errorf("%d calls, %v", len(p.Records), err)
	}
}

// While the database takes nothing the log does, until it is full; the alarm
// says so meanwhile.
func TestDatabaseFailsAlone(t *testing.T) {
	t.Parallel()
	disk := fault{database: true}
	s := openFaulty(t, Config{LogSize: 32 << 10, MaxDelay: time.Microsecond, SettleAfter: 10 * time.Millisecond}, &disk)
	disk.set(syscall.ENOSPC)
	if err := s.Commit(ctx, Write{Calls: calls(record("CA1", 1))}); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the alarm", func() bool { return !s.Health().OK })
	if err := s.Commit(ctx, Write{Calls: calls(record("CA2", 2))}); err != nil {
		t.Errorf("the log has room: %v", err)
	}
	if s.Health().OK {
		t.Error("the alarm has ended")
	}
	for i := range 20 {
		if err := s.Enqueue(Write{Calls: calls(record(fmt.Sprintf("more%d", i), i))}); err != nil {
			t.Fatal(err)
		}
		waitFor(t, "it is logged, or the log is full", func() bool { return s.Backlog() == 0 || s.Stats().Failures > 0 })
	}
	if s.Backlog() == 0 {
		t.Error("the log never gets full")
	}
	disk.clear()
	if _, err := s.SaveConfig(ctx, config.Snapshot{Country: "DE"}); err != nil {
		t.Fatal(err)
	}
	if h := s.Health(); !h.OK || s.Stats().Settled == 0 {
		t.Errorf("health %+v", h)
	}
	if p, err := s.Calls(call.Filter{}); err != nil || len(p.Records) != 22 {
		t.Errorf("%d calls, %v", len(p.Records), err)
	}
}
