package sip

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	flag.Parse()
	_ = flag.Set("test.parallel", "16") // these tests wait for timers, they need no processor
	goleak.VerifyTestMain(m)
}

// testT1 makes every SIP timer five times shorter than RFC 3261's: long enough for a
// busy machine to be in time.
const testT1 = 100 * time.Millisecond

// patience is how long a test waits for what must happen.
const patience = 2 * time.Minute

const sdpA = "v=0\r\no=alice 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"

var sdpB = strings.Replace(sdpA, "alice", "bob", 1)

// startStack runs a stack on loopback until the test ends, and fails the test
// when a panic had to be recovered.
func startStack(t testing.TB, adjust ...func(*Config)) *Stack {
	t.Helper()
	cfg := Config{UDP: []string{"127.0.0.1:0"}, TCP: []string{"127.0.0.1:0"}, T1: testT1, Logger: slog.New(slog.NewTextHandler(logWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	for _, f := range adjust {
		f(&cfg)
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case <-done:
		case <-time.After(patience):
			t.Error("Serve did not return")
		}
		if n := s.Counters().Panics; n != 0 {
			t.Errorf("%d panics were recovered", n)
		}
	})
	return s
}

// logWriter puts the stack's log into the test's.
type logWriter struct{ t testing.TB }

func (w logWriter) Write(b []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(b)))
	return len(b), nil
}

// inbox collects arriving dialogs.
type inbox struct{ ch chan *Dialog }

func newInbox() *inbox { return &inbox{ch: make(chan *Dialog, 64)} }

func (b *inbox) take(t testing.TB) *Dialog {
	t.Helper()
	select {
	case d := <-b.ch:
		return d
	case <-time.After(patience):
		t.Fatal("no dialog arrived")
		return nil
	}
}

func loopback() []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }

// trunkPeer makes s take calls from loopback.
func trunkPeer(t testing.TB, s *Stack) *inbox {
	t.Helper()
	in := newInbox()
	remove, err := s.AddPeer(Peer{Name: "trunk", Addrs: loopback(), Invite: func(d *Dialog) { in.ch <- d }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(remove)
	return in
}

// expect takes the next event, which must be of type want.
func expect(t testing.TB, d *Dialog, want EventType) DialogEvent {
	t.Helper()
	select {
	case ev, ok := <-d.Events():
		if !ok {
			t.Fatalf("events closed, want %s", want)
		}
		if ev.Type != want {
			t.Fatalf("event %s (%+v), want %s", ev.Type, ev, want)
		}
		return *ev
	case <-time.After(patience):
		t.Fatalf("no event, want %s", want)
	}
	return DialogEvent{}
}

// expectEnd takes events up to Ended, after which the channel must be closed.
func expectEnd(t testing.TB, d *Dialog) DialogEvent {
	t.Helper()
	limit := time.After(patience)
	for {
		select {
		case ev, ok := <-d.Events():
			if !ok {
				t.Fatal("events closed without Ended")
			}
			if ev.Type != Ended {
				continue
			}
			if _, ok := <-d.Events(); ok {
				t.Fatal("an event after Ended")
			}
			return *ev
		case <-limit:
			t.Fatal("the dialog did not end")
		}
	}
}

// eventually polls until cond holds.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(patience)
	for !cond() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("never: %s", what)
		}
	}
}

// uriOf addresses a stack.
func uriOf(s *Stack, user, transport string) string {
	u := fmt.Sprintf("sip:%s@%s", user, s.Addr(transport))
	if transport != "udp" {
		u += ";transport=" + transport
	}
	return u
}

// callPair makes a call from a to b and gives both ends, unanswered.
func callPair(t testing.TB, a, b *Stack, in *inbox, transport string) (out, arrived *Dialog) {
	t.Helper()
	out, err := a.Invite(t.Context(), Invite{Target: uriOf(b, "bob", transport), From: "alice", FromName: `Alice "A" Example`, SDP: []byte(sdpA)})
	if err != nil {
		t.Fatal(err)
	}
	return out, in.take(t)
}

// answered makes an answered call.
func answered(t testing.TB, a, b *Stack, in *inbox, transport string) (out, arrived *Dialog) {
	t.Helper()
	out, arrived = callPair(t, a, b, in, transport)
	if err := arrived.Answer([]byte(sdpB)); err != nil {
		t.Fatal(err)
	}
	expect(t, out, Answered)
	expect(t, arrived, Confirmed)
	return out, arrived
}

// drained waits until a stack holds no dialog and no transaction.
func drained(t testing.TB, s *Stack) {
	t.Helper()
	eventually(t, "all dialogs and transactions forgotten", func() bool {
		c := s.Counters()
		return c.Dialogs == 0 && c.ClientTx == 0 && c.ServerTx == 0
	})
}

// syncBuffer is a log that tests can search.
type syncBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
