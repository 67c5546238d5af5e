package storage

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"callbox/call"

	"go.uber.org/goleak"
)

// The test binary runs itself again as a child that writes: one that is killed,
// and one that may not write large files.
const (
	envMode = "CALLBOX_STORAGE_CHILD"
	envDir  = "CALLBOX_STORAGE_DIR"
	envRun  = "CALLBOX_STORAGE_RUN"
	// envRunner names the emulator that runs this test binary, if the system does
	// not start it by itself ("qemu-arm").
	envRunner = "CALLBOX_TEST_RUNNER"
)

func TestMain(m *testing.M) {
	switch mode := os.Getenv(envMode); mode {
	case "":
		goleak.VerifyTestMain(m)
	case "kill":
		exit(writeForever(os.Getenv(envDir), os.Getenv(envRun)))
	case "limit":
		exit(writeAgainstLimit(os.Getenv(envDir)))
	default:
		exit(fmt.Errorf("unknown mode %q", mode))
	}
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// acks prints what is acknowledged, whole lines only.
type acks struct {
	mu sync.Mutex
	w  io.Writer
}

func (a *acks) say(format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, _ = fmt.Fprintf(a.w, format+"\n", args...)
}

// writeForever commits calls with their notices, recordings and changes from
// many goroutines, and prints every acknowledgement, until it is killed.
func writeForever(dir, run string) error {
	// A small log, so that the database is written every now and then.
	s, err := Open(Config{Dir: dir, MaxDelay: time.Millisecond, LogSize: 256 << 10})
	if err != nil {
		return err
	}
	if _, repaired := s.Repaired(); repaired {
		return errors.New("the database was damaged")
	}
	out := &acks{w: os.Stdout}
	errs := make(chan error)
	for g := range 8 {
		go func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("CA-%s-%d-%d", run, g, i)
				r := call.Record{ID: id, Account: "AC1", Created: time.Now(), State: call.Queued, Idempotency: id}
				if err := s.Commit(context.Background(), Write{Calls: calls(r), Notices: []call.Notice{{Key: id, Payload: []byte("initiated")}}}); err != nil {
					errs <- err
				}
				out.say("created %s", id)
				r.State = call.InProgress
				if err := s.Enqueue(Write{Calls: calls(r), Lazy: true}); err != nil {
					errs <- err
				}
				r.State = call.Completed
				if err := s.Commit(context.Background(), Write{
					Calls:      calls(r),
					Recordings: []call.Recording{{ID: "RE" + id, Call: id, Account: "AC1", Created: r.Created}},
					Notices:    []call.Notice{{Key: id, Payload: []byte("completed")}},
				}); err != nil {
					errs <- err
				}
				out.say("completed %s", id)
			}
		}()
	}
	return <-errs
}

// spawn starts this test binary as a child.
func spawn(t *testing.T, mode, dir, run string) (*exec.Cmd, *bufio.Scanner, *strings.Builder) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args := append(strings.Fields(os.Getenv(envRunner)), exe)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), envMode+"="+mode, envDir+"="+dir, envRun+"="+run)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewScanner(out), &stderr
}

// Killed at random moments under load, the store keeps every acknowledged
// record and message exactly once.
func TestKilled(t *testing.T) {
	t.Parallel()
	const rounds = 20
	dir := t.TempDir()
	acked := map[string]string{} // id → "created" or "completed"
	for round := range rounds {
		cmd, lines, stderr := spawn(t, "kill", dir, fmt.Sprint(round))
		// From the very start of the first transaction to a few hundred of them.
		stop := rand.IntN(300)
		var die *time.Timer
		if round%4 == 3 { // and by the clock, which hits opening too
			die = time.AfterFunc(time.Duration(rand.IntN(40_000))*time.Microsecond, func() { _ = cmd.Process.Kill() })
			stop = 1 << 30
		}
		for n := 0; lines.Scan(); n++ {
			what, id, _ := strings.Cut(lines.Text(), " ")
			acked[id] = what
			if n == stop {
				_ = cmd.Process.Kill() // what it printed until it dies counts too
			}
		}
		err := cmd.Wait()
		if die != nil {
			die.Stop()
		}
		if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
			t.Fatalf("round %d: the child ended by itself: %v: %s", round, err, stderr)
		}
		if round%5 == 4 || round == rounds-1 {
			verify(t, dir, acked)
		}
	}
	if len(acked) < 100 {
		t.Errorf("only %d records were acknowledged, that tests nothing", len(acked))
	}
	t.Logf("%d acknowledged calls over %d kills", len(acked), rounds)
}

// verify looks for everything that was acknowledged, once.
func verify(t *testing.T, dir string, acked map[string]string) {
	t.Helper()
	s, err := Open(Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	if r, repaired := s.Repaired(); repaired || !s.UncleanStop() {
		t.Errorf("repaired %v (%s), unclean %v", repaired, r, s.UncleanStop())
	}
	seen := map[string]call.State{}
	for f := (call.Filter{Account: "AC1", Limit: 1000}); ; {
		p, err := s.Calls(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range p.Records {
			if _, twice := seen[r.ID]; twice {
				t.Errorf("%s is listed twice", r.ID)
			}
			seen[r.ID] = r.State
		}
		if f.Cursor = p.Next; f.Cursor == "" {
			break
		}
	}
	open, err := s.OpenCalls()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range open {
		if seen[r.ID].Final() {
			t.Errorf("%s is open and %s", r.ID, seen[r.ID])
		}
		delete(seen, r.ID)
		seen[r.ID] = r.State
	}
	notices := map[string]int{}
	last := uint64(0)
	for {
		list, err := s.PendingNotices(last, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 {
			break
		}
		for _, n := range list {
			if n.ID <= last {
				t.Fatalf("notice %d after %d", n.ID, last)
			}
			last = n.ID
			notices[n.Key+" "+string(n.Payload)]++
		}
	}
	for key, n := range notices {
		if n != 1 {
			t.Errorf("notice %q is there %d times", key, n)
		}
	}
	for id, what := range acked {
		state, found := seen[id]
		switch {
		case !found:
			t.Errorf("%s was acknowledged and is lost", id)
		case what == "completed" && state != call.Completed:
			t.Errorf("%s was completed and is %s", id, state)
		case notices[id+" initiated"] != 1:
			t.Errorf("the first notice of %s is there %d times", id, notices[id+" initiated"])
		case what == "completed" && notices[id+" completed"] != 1:
			t.Errorf("the last notice of %s is there %d times", id, notices[id+" completed"])
		}
		if r, err := s.Call("AC1", id); err != nil || r.State != state {
			t.Errorf("%s by its id: %v, %v", id, r.State, err)
		}
		if r, ok, err := s.Idempotent("AC1", id); !ok || err != nil || r.ID != id {
			t.Errorf("%s by its request: %v, %v", id, ok, err)
		}
		if what == "completed" {
			if p, err := s.Recordings(call.RecordingFilter{Call: id}); err != nil || len(p.Recordings) != 1 {
				t.Errorf("%s has %d recordings, %v", id, len(p.Recordings), err)
			}
		}
	}
}

// writeAgainstLimit fills the database until the system refuses to let the file
// grow, which is what a full disk does to it, and goes on when it may again.
func writeAgainstLimit(dir string) error {
	signal.Ignore(syscall.SIGXFSZ) // so that writing gives EFBIG
	s, err := Open(Config{Dir: dir, MaxDelay: time.Millisecond})
	if err != nil {
		return err
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	full := limit
	full.Cur = 1 << 20
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &full); err != nil {
		return err
	}
	acked, i := []string{}, 0
	for ; ; i++ {
		id := fmt.Sprintf("CA%04d", i)
		ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		err := s.Commit(ctx, Write{Calls: calls(call.Record{ID: id, Account: "AC1", Created: time.Now(), Reason: strings.Repeat("x", 10_000)}), Notices: []call.Notice{{Key: id}}})
		cancel()
		if err != nil {
			if !errors.Is(err, syscall.EFBIG) || !strings.Contains(s.Health().Text, "disk is full") {
				return fmt.Errorf("unexpected: %w (%s)", err, s.Health().Text)
			}
			break
		}
		acked = append(acked, id)
	}
	if len(acked) < 10 {
		return fmt.Errorf("full after %d records", len(acked))
	}
	// Everything acknowledged can be read while the disk is full.
	for _, id := range acked {
		if _, err := s.Call("AC1", id); err != nil {
			return fmt.Errorf("while full: %w", err)
		}
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	if err := s.Commit(context.Background(), Write{Calls: calls(call.Record{ID: "last", Account: "AC1"})}); err != nil {
		return err
	}
	if h := s.Health(); !h.OK {
		return fmt.Errorf("health after: %s", h.Text)
	}
	n, err := s.PendingNotices(0, 10_000)
	if err != nil || len(n) != len(acked)+1 { // the one that waited is in, too, once
		return fmt.Errorf("%d notices of %d, %w", len(n), len(acked)+1, err)
	}
	if err := s.Close(); err != nil {
		return err
	}
	if s, err = Open(Config{Dir: dir}); err != nil {
		return err
	}
	p, err := s.Calls(call.Filter{Limit: 1000})
	if err != nil || len(p.Records) != min(len(acked)+2, 1000) {
		return fmt.Errorf("%d calls of %d, %w", len(p.Records), len(acked)+2, err)
	}
	if err := sound(s.db, true); err != nil {
		return err
	}
	return s.Close()
}

// A disk that is really full loses nothing, and the store goes on by itself.
func TestRealDiskFull(t *testing.T) {
	t.Parallel()
	cmd, lines, stderr := spawn(t, "limit", t.TempDir(), "")
	for lines.Scan() {
		t.Log(lines.Text())
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, stderr)
	}
}
