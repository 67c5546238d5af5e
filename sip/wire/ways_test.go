package wire

import (
	"encoding/binary"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestWays: the kernel is asked once, again after a change, and always while
// nobody tells of changes.
func TestWays(t *testing.T) {
	t.Parallel()
	asked := 0
	var during func()
	local := netip.MustParseAddr("192.0.2.1")
	w := newWays(func(netip.Addr, netip.Addr) netip.Addr {
		asked++
		if during != nil {
			during()
		}
		return local
	})
	remote, none := netip.MustParseAddr("198.51.100.7"), netip.Addr{}
	expect := func(what string, total int) {
		t.Helper()
		if got := w.towards(remote, none); got != local || asked != total {
			t.Errorf("%s: %v, asked %d times, want %d", what, got, asked, total)
		}
	}
	expect("unwatched", 1)
	expect("unwatched", 2)
	w.changed(true)
	expect("watched", 3)
	expect("watched", 3)
	if w.towards(remote, local); asked != 4 {
		t.Error("another question got the answer of the first")
	}
	local = netip.MustParseAddr("192.0.2.2")
	w.changed(true)
	during = func() { w.changed(true) }
	expect("changing", 5)
	during = nil
	expect("after a change while it was asked", 6)
	local = none
	w.changed(true)
	expect("no route", 7)
	expect("no route is not remembered", 8)
	local = netip.MustParseAddr("192.0.2.3")
	for n := range 3 * maxWays {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], uint32(n))
		w.towards(netip.AddrFrom4(b), none)
	}
	if len(w.known) > maxWays {
		t.Errorf("%d answers are remembered", len(w.known))
	}
	w.changed(false)
	before := asked
	expect("unwatched again", before+1)
	expect("unwatched again", before+2)
}

// TestRoutesAreWatched: what comes in on the kernel's socket makes w forget, and
// its closing ends that.
func TestRoutesAreWatched(t *testing.T) {
	t.Parallel()
	if f := watchRoutes(); f == nil {
		t.Error("the kernel does not tell of changes")
	} else {
		_ = f.Close()
	}
	path := filepath.Join(t.TempDir(), "routes")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0) // in place of the kernel's socket
	if err != nil {
		t.Fatal(err)
	}
	w := newWays(func(netip.Addr, netip.Addr) netip.Addr { return netip.IPv6Loopback() })
	ended := make(chan struct{})
	go func() { defer close(ended); w.watch(f) }()
	changes := func(n uint64) bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.changes >= n
	}
	eventually(t, "the watch has begun", func() bool { return changes(1) })
	w.towards(netip.IPv6Loopback(), netip.Addr{})
	if _, err := f.WriteString("news"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the change is told", func() bool { return changes(2) })
	if len(w.known) != 0 {
		t.Error("answers outlive a change")
	}
	_ = f.Close()
	<-ended
	if w.watched {
		t.Error("answers are remembered though nobody tells of changes")
	}
}
