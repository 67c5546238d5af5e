package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"callbox/call"
	"callbox/media/wav"
	"callbox/storage"
	"callbox/storage/config"
)

// attic is a store with a keeper, whose rules a test may change between sweeps.
type attic struct {
	*testing.T
	store *storage.Store
	keep  *keeper
	rules atomic.Pointer[config.Retention]
	log   notes
	told  []call.Event // of the keeper's goroutine
}

// change changes the rules.
func (a *attic) change(f func(r *config.Retention)) {
	r := *a.rules.Load()
	f(&r)
	a.rules.Store(&r)
}

// notes is a log that is read while it is written.
type notes struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (n *notes) Write(b []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.Write(b)
}

func (n *notes) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.String()
}

// inAttic runs f in a bubble of time with a keeper that is not running yet.
func inAttic(t *testing.T, f func(a *attic)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		a := &attic{T: t}
		rules := config.Snapshot{}.WithDefaults().Retention
		a.rules.Store(&rules)
		var err error
		if a.store, err = storage.Open(storage.Config{Dir: t.TempDir()}); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := a.store.Close(); err != nil {
				t.Error(err)
			}
		}()
		log := slog.New(slog.NewTextHandler(&a.log, nil))
		a.keep = &keeper{store: a.store, files: &recordings{dir: t.TempDir(), store: a.store}, now: time.Now, log: log,
			policy: func() config.Retention { return *a.rules.Load() },
			journal: &journal{store: a.store, log: log, render: func(ev call.Event) []call.Notice {
				a.told = append(a.told, ev)
				return []call.Notice{{Key: ev.Record.ID}}
			}}}
		f(a)
	})
}

// start runs the keeper until the returned function is called.
func (a *attic) start() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); a.keep.run(ctx) }() //nolint:errcheck // it gives none
	return func() { cancel(); <-done }
}

// after lets time pass and everything that it brings about be done.
func (a *attic) after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// call puts a call that was made so long ago.
func (a *attic) call(id string, ago time.Duration, state call.State) {
	a.Helper()
	at := time.Now().Add(-ago)
	if err := a.store.Commit(context.Background(), storage.Write{Calls: []*call.Record{&call.Record{ID: id, Account: "AC1", Created: at, Updated: at, State: state}}}); err != nil {
		a.Fatal(err)
	}
}

// recording puts a recording that was made so long ago, with a file of so many
// bytes.
func (a *attic) recording(id string, ago time.Duration, size int, status string) {
	a.Helper()
	r := call.Recording{ID: id, Account: "AC1", Call: "CA1", API: "twilio", Status: status, File: id + ".wav", Size: int64(size)}
	r.Created = time.Now().Add(-ago)
	r.Updated = r.Created
	if err := os.WriteFile(a.keep.files.path(r), make([]byte, size), 0o600); err != nil {
		a.Fatal(err)
	}
	if err := a.store.Commit(context.Background(), storage.Write{Recordings: []call.Recording{r}}); err != nil {
		a.Fatal(err)
	}
}

func (a *attic) calls(want ...string) {
	a.Helper()
	p, err := a.store.Calls(call.Filter{})
	var got []string
	for _, r := range p.Records {
		got = append(got, r.ID)
	}
	if err != nil || !slices.Equal(got, want) {
		a.Errorf("calls %v, %v, want %v", got, err, want)
	}
}

// recordings checks the records and the files.
func (a *attic) recordings(want ...string) {
	a.Helper()
	p, err := a.store.Recordings(call.RecordingFilter{})
	var got []string
	for _, r := range p.Recordings {
		got = append(got, r.ID)
	}
	if err != nil || !slices.Equal(got, want) {
		a.Errorf("recordings %v, %v, want %v", got, err, want)
	}
	files, err := os.ReadDir(a.keep.files.dir)
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimSuffix(f.Name(), ".wav"))
	}
	slices.Sort(got)
	if err != nil || !slices.Equal(names, got) {
		a.Errorf("files %v, %v, want %v", names, err, got)
	}
}

const day = 24 * time.Hour

func TestKeeperForgetsByAge(t *testing.T) {
	t.Parallel()
	inAttic(t, func(a *attic) {
		a.change(func(r *config.Retention) { r.Calls, r.Recordings = config.Duration(30*day), config.Duration(7*day) })
		a.call("old", 31*day, call.Completed)
		a.call("open", 31*day, call.InProgress)
		a.call("aging", 30*day-90*time.Minute, call.Completed)
		a.call("new", time.Hour, call.Failed)
		a.recording("REold", 8*day, 10, "completed")
		a.recording("REgone", 8*day, 10, "absent")
		a.recording("RElive", 8*day, 10, "in-progress")
		a.recording("REaging", 7*day-150*time.Minute, 10, "completed")
		a.recording("REnew", time.Hour, 10, "completed")
		if err := os.Remove(filepath.Join(a.keep.files.dir, "REgone.wav")); err != nil {
			t.Fatal(err)
		}
		defer a.start()()
		a.after(time.Second)
		a.calls("new", "aging", "open")
		a.recordings("REnew", "REaging", "RElive")
		a.after(time.Hour)
		a.calls("new", "aging", "open")
		a.after(time.Hour)
		a.calls("new", "open")
		a.recordings("REnew", "REaging", "RElive")
		a.after(time.Hour)
		a.recordings("REnew", "RElive")
		if !strings.Contains(a.log.String(), `what="calls that are too old" count=1`) {
			t.Errorf("log:\n%s", &a.log)
		}
	})
}

func TestKeeperForgetsByAmount(t *testing.T) {
	t.Parallel()
	inAttic(t, func(a *attic) {
		a.change(func(r *config.Retention) { r.CallCount, r.RecordingBytes = 2, 250 })
		for i := range 4 {
			a.call(fmt.Sprintf("CA%d", i), time.Duration(i)*time.Hour, call.Completed)
			a.recording(fmt.Sprintf("RE%d", i), time.Duration(i)*time.Hour, 100, "completed")
		}
		defer a.start()()
		a.after(time.Second)
		a.calls("CA0", "CA1")
		a.recordings("RE0", "RE1")
		// The rules of the moment count.
		a.change(func(r *config.Retention) { r.RecordingBytes = 100 })
		a.after(sweepEvery)
		a.recordings("RE0")
	})
}

// What is made goes above its size at once, and the last room on the disk is not taken
// by recordings: the oldest go, then none is begun.
func TestKeeperMakesRoom(t *testing.T) {
	t.Parallel()
	inAttic(t, func(a *attic) {
		var free atomic.Int64
		free.Store(1 << 30)
		a.keep.files.fresh.free = func() (int64, error) { return free.Load(), nil }
		a.keep.files.made = make(chan struct{}, 1)
		a.change(func(r *config.Retention) { r.RecordingBytes = 3 << 20 })
		defer a.start()()
		a.after(time.Second)
		for i := range 4 {
			a.recording(fmt.Sprintf("RE%d", i), time.Duration(9-i)*time.Hour, 1<<20, "completed")
		}
		a.keep.files.tell()
		a.after(2 * trimEvery)
		a.recordings("RE3", "RE2", "RE1")
		free.Store(diskReserve - (1<<20 + 1)) // one and a little more
		a.after(trimEvery)
		free.Store(diskReserve)
		a.after(trimEvery)
		a.recordings("RE3")
		free.Store(diskLast - 1)
		_, _, err := a.keep.files.Create("REnew", 1)
		var full *diskFullError
		if !errors.As(err, &full) || !strings.Contains(err.Error(), "15 MiB are free") {
			t.Errorf("a recording is begun on a full disk: %v", err)
		}
		a.after(trimEvery)
		a.recordings()
		a.recording("RE5", 0, 1<<10, "completed")
		a.after(diskFresh - trimEvery)
		a.recordings("RE5")
		a.after(2 * trimEvery)
		a.recordings()
		a.after(20 * trimEvery)
		if n := strings.Count(a.log.String(), "no recordings to delete"); n != 2 {
			t.Errorf("told %d times:\n%s", n, &a.log)
		}
	})
}

// A recording that is being made is on the disk every second, and one that stands
// still costs nothing.
func TestRecordingsReachTheDisk(t *testing.T) {
	t.Parallel()
	r := &recordings{dir: t.TempDir()}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = r.fresh.run(ctx) // ends with ctx
		}()
		f, _, err := r.Create("RE1", 2)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 5 {
			if err := f.WriteSamples(make([]int16, 2*8000)); err != nil {
				t.Fatal(err)
			}
			<-time.After(syncEvery)
			synctest.Wait()
			if n := r.fresh.count.Load(); n != uint64(i+1) {
				t.Errorf("after %d s it was brought to the disk %d times", i+1, n)
			}
		}
		<-time.After(10 * syncEvery)
		if n := r.fresh.count.Load(); n != 5 {
			t.Errorf("it stands still and was brought to the disk %d times", n)
		}
		if err := f.Close(); err != nil || len(r.fresh.files) != 0 {
			t.Errorf("close: %v, %d files are left", err, len(r.fresh.files))
		}
		cancel()
		<-done
	})
}

// A recording that is being made when the last room is touched, and none can be made by
// deleting others, ends; what there is of it can be played and fills the file.
func TestRecordingLeavesTheLastRoom(t *testing.T) {
	t.Parallel()
	r := &recordings{dir: t.TempDir()}
	synctest.Test(t, func(t *testing.T) {
		var free atomic.Int64
		free.Store(1 << 30)
		r.fresh.free = func() (int64, error) { return free.Load(), nil }
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = r.fresh.run(ctx) // ends with ctx
		}()
		f, name, err := r.Create("RE1", 1)
		if err != nil {
			t.Fatal(err)
		}
		second := func() error {
			<-time.After(syncEvery)
			synctest.Wait()
			return f.WriteSamples(make([]int16, 8000))
		}
		for _, room := range []int64{diskLast, diskLast - 1, diskLast - 1, diskLast - 1, diskLast - 1, diskLast, diskLast - 1, diskLast - 1, diskLast - 1, diskLast - 1} {
			free.Store(room)
			if err := second(); err != nil {
				t.Fatalf("a passing lack of room: %v", err)
			}
		}
		err = second()
		var full *diskFullError
		if !errors.As(err, &full) {
			t.Fatalf("on the last room: %v", err)
		}
		if err := f.Close(); !errors.As(err, &full) {
			t.Errorf("close: %v", err)
		}
		length, size, sum, err := f.Finish(false)
		if err != nil || length != 10*time.Second || size != 44+2*80000 || sum == "" {
			t.Errorf("%v in %d bytes, %v", length, size, err)
		}
		rec := call.Recording{File: name}
		if err := measure(r.path(rec), &rec); err != nil || rec.Duration != length || rec.SHA256 != sum {
			t.Errorf("the file: %+v, %v", rec, err)
		}
		cancel()
		<-done
	})
}

// A file that does not go keeps its record, holds up nothing, and is tried again.
func TestKeeperTriesAgain(t *testing.T) {
	t.Parallel()
	inAttic(t, func(a *attic) {
		a.change(func(r *config.Retention) { r.Recordings = config.Duration(day) })
		a.recording("RE1", 3*day, 10, "completed")
		a.recording("RE2", 2*day, 10, "completed")
		stuck := filepath.Join(a.keep.files.dir, "RE1.wav")
		if err := errors.Join(os.Remove(stuck), os.MkdirAll(filepath.Join(stuck, "in the way"), 0o700)); err != nil {
			t.Fatal(err)
		}
		defer a.start()()
		a.after(time.Second)
		a.recordings("RE1")
		if !strings.Contains(a.log.String(), "tried again within the hour") {
			t.Errorf("log:\n%s", &a.log)
		}
		if err := os.Remove(filepath.Join(stuck, "in the way")); err != nil {
			t.Fatal(err)
		}
		a.after(sweepEvery)
		a.recordings()
	})
}

// record makes a recording of so much sound as a crash leaves it: the file is
// not closed.
func (a *attic) record(id string, length time.Duration) {
	a.Helper()
	a.recording(id, time.Minute, 0, "in-progress")
	f, err := os.OpenFile(filepath.Join(a.keep.files.dir, id+".wav"), os.O_RDWR, 0)
	if err != nil {
		a.Fatal(err)
	}
	defer f.Close()
	w, err := wav.NewWriter(f, 1)
	if err != nil {
		a.Fatal(err)
	}
	samples := make([]int16, 160)
	for range length / (20 * time.Millisecond) {
		if err := w.WriteSamples(samples); err != nil {
			a.Fatal(err)
		}
	}
}

// Recordings that the last run left behind are completed with what there is, and
// their callbacks are owed.
func TestKeeperCompletesRecordings(t *testing.T) {
	t.Parallel()
	inAttic(t, func(a *attic) {
		a.call("CA1", time.Hour, call.Completed)
		a.record("REsound", 5*time.Second)
		a.record("REsilent", 0)
		a.recording("REnofile", time.Minute, 0, "in-progress")
		if err := os.Remove(filepath.Join(a.keep.files.dir, "REnofile.wav")); err != nil {
			t.Fatal(err)
		}
		a.recording("REdone", time.Minute, 10, "completed")
		var err error
		if a.keep.left, err = a.store.OpenRecordings(); err != nil || len(a.keep.left) != 3 {
			t.Fatalf("%v, %v", a.keep.left, err)
		}
		stop := a.start()
		a.after(time.Second)
		stop()
		for id, want := range map[string]string{"REsound": "completed", "REsilent": "absent", "REnofile": "absent", "REdone": "completed"} {
			r, err := a.store.Recording("", id)
			if err != nil || r.Status != want || (want == "absent") != strings.Contains(r.Error, "power lost") {
				t.Errorf("%s: %+v, %v", id, r, err)
			}
			if id == "REsound" && (r.Duration < 4*time.Second || r.Duration > 5*time.Second || r.Size < 64_000 || len(r.SHA256) != 64) {
				t.Errorf("%s: %+v", id, r)
			}
		}
		var told []string
		for _, ev := range a.told {
			told = append(told, string(ev.Type)+" "+ev.Recording.ID+" "+ev.Record.ID)
		}
		slices.Sort(told)
		if want := []string{"absent REnofile CA1", "absent REsilent CA1", "recording-completed REsound CA1"}; !slices.Equal(told, want) {
			t.Errorf("told %q", told)
		}
		if n, err := a.store.PendingNotices(0, 10); err != nil || len(n) != 3 {
			t.Errorf("owed %v, %v", n, err)
		}
		if open, err := a.store.OpenRecordings(); err != nil || len(open) != 0 {
			t.Errorf("still open: %v, %v", open, err)
		}
	})
}

// The keeper stops when told to, also with much to do.
func TestKeeperStops(t *testing.T) {
	t.Parallel()
	inAttic(t, func(a *attic) {
		a.change(func(r *config.Retention) { r.Recordings = config.Duration(time.Hour) })
		for i := range 5 {
			a.recording(fmt.Sprintf("RE%d", i), day, 10, "completed")
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := a.keep.run(ctx); err != nil {
			t.Error(err)
		}
		if strings.Contains(a.log.String(), "ERROR") {
			t.Errorf("log:\n%s", &a.log)
		}
	})
}
