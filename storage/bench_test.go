package storage

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"sync"
	"testing"
	"time"

	"callbox/call"
)

// benchID is the i-th id: as scattered as random ones, and the same in every run.
func benchID(i int) string {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i)))
	return fmt.Sprintf("CA%x", sum[:16])
}

func benchRecord(i int) call.Record {
	now := time.Now()
	return call.Record{
		ID: benchID(i), API: "twilio", Account: "AC0123456789abcdef0123456789abcdef", Direction: call.OutboundAPI,
		From: "+14155550100", To: "+14155550101", Line: "provider", Route: "Rule all takes every number.",
		Created: now, Updated: now, Started: &now, SIPCallID: "a84b4c76e66710@biloxi.example", Remote: "192.0.2.7:5060",
		Status: call.StatusHook{Hook: call.Hook{URL: "http://192.0.2.9/status"}},
	}
}

// BenchmarkCall writes calls as the box does (create and end with a message
// each, the answer lazily, messages done) from the given number of calls at a
// time, and tells the bytes that reach the disk for each.
func BenchmarkCall(b *testing.B) {
	for _, parallel := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("parallel=%d", parallel), func(b *testing.B) {
			var s *Store
			s, err := Open(Config{Dir: b.TempDir(), MaxDelay: 5 * time.Millisecond, Committed: func(list []call.Notice) {
				for _, n := range list {
					_ = s.DoneNotice(n.ID)
				}
			}})
			if err != nil {
				b.Fatal(err)
			}
			work := make(chan int)
			var wg sync.WaitGroup
			for range parallel {
				wg.Go(func() {
					for i := range work {
						benchCall(s, i)
					}
				})
			}
			for i := 0; b.Loop(); i++ {
				work <- i
			}
			close(work)
			wg.Wait()
			if err := s.settleNow(ctx); err != nil {
				b.Fatal(err)
			}
			st := s.Stats()
			b.ReportMetric(float64(st.Bytes)/float64(b.N), "B-disk/call")
			b.ReportMetric(float64(st.Transactions)/float64(b.N), "tx/call")
			b.ReportMetric(2*float64(b.N)/b.Elapsed().Seconds(), "commits/s")
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

func benchCall(s *Store, i int) {
	r := benchRecord(i)
	notice := []call.Notice{{Key: r.ID, Payload: make([]byte, 600)}}
	_ = s.Commit(ctx, Write{Calls: calls(r), Notices: notice})
	r.State = call.InProgress
	_ = s.Enqueue(Write{Calls: calls(r), Lazy: true})
	r.State = call.Completed
	_ = s.Commit(ctx, Write{Calls: calls(r), Notices: notice})
}

// filled is a store with n ended calls, one a minute.
func filled(tb testing.TB, n int, cfg Config) *Store {
	tb.Helper()
	cfg.Dir = tb.TempDir()
	s, err := Open(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	s.db.NoSync = true // bytes are counted here, not time
	var w Write
	for i := range n {
		r := benchRecord(i)
		r.Created = r.Created.Add(-time.Duration(n-i) * time.Minute)
		r.State = call.Completed
		w.Calls = append(w.Calls, new(r))
		if len(w.Calls) == 500 || i == n-1 {
			if err := s.Commit(ctx, w); err != nil {
				tb.Fatal(err)
			}
			w = Write{}
		}
	}
	if err := s.settleNow(ctx); err != nil {
		tb.Fatal(err)
	}
	return s
}

// lonelyCall writes a call whose every event finds the store idle: created, told
// of four times, answered and ended. The messages are over when the next call
// begins.
func lonelyCall(tb testing.TB, s *Store, i int) {
	r := benchRecord(i)
	notice := []call.Notice{{Key: r.ID, Created: r.Created, Payload: make([]byte, 600)}}
	commit := func(w Write) {
		if err := s.Commit(ctx, w); err != nil {
			tb.Fatal(err)
		}
	}
	commit(Write{Calls: calls(r)})
	commit(Write{Notices: notice}) // initiated
	commit(Write{Notices: notice}) // ringing
	r.State = call.InProgress
	commit(Write{Calls: calls(r), Notices: notice})
	r.State = call.Completed
	commit(Write{Calls: calls(r), Notices: notice})
	list, err := s.PendingNotices(0, 100)
	if err != nil || len(list) != 4 {
		tb.Fatalf("%d notices, %v", len(list), err)
	}
	for _, n := range list {
		if err := s.DoneNotice(n.ID); err != nil {
			tb.Fatal(err)
		}
	}
}

// perSettling is how many calls a box with 2,000 of them in ten hours makes
// before Config.SettleAfter has passed.
const perSettling = 33

// cost writes n lonely calls into a store and gives the bytes that each takes.
func cost(tb testing.TB, s *Store, n int) float64 {
	before := s.Stats()
	for i := range n {
		lonelyCall(tb, s, 1_000_000+i)
		if i%perSettling == perSettling-1 {
			if err := s.settleNow(ctx); err != nil {
				tb.Fatal(err)
			}
		}
	}
	if err := s.settleNow(ctx); err != nil {
		tb.Fatal(err)
	}
	return float64(s.Stats().Bytes-before.Bytes) / float64(n)
}

// A box makes 2,000 calls a day and may write 100 MB, so each has 50 kB, however
// lonely it is and however many are remembered.
func TestWriteBudget(t *testing.T) {
	t.Parallel()
	const budget = 50_000
	for _, calls := range []int{0, 25_000} {
		s := filled(t, calls, Config{MaxDelay: time.Microsecond})
		if got := cost(t, s, 3*perSettling); got > budget {
			t.Errorf("with %d calls in the database each one writes %.0f bytes", calls, got)
		}
		if n := s.Stats().Notices; n != 0 {
			t.Errorf("%d notices are left", n)
		}
	}
}

// BenchmarkLonelyCall tells the bytes that reach the disk for a call that shares
// nothing with another.
func BenchmarkLonelyCall(b *testing.B) {
	for _, calls := range []int{0, 25_000} {
		b.Run(fmt.Sprintf("database=%d", calls), func(b *testing.B) {
			s := filled(b, calls, Config{MaxDelay: time.Microsecond})
			b.ResetTimer()
			b.ReportMetric(cost(b, s, b.N), "B-disk/call")
		})
	}
}

// BenchmarkPage reads the first page, and searches all of 10,000 records for one.
func BenchmarkPage(b *testing.B) {
	s, err := Open(Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	var w Write
	for i := range 10_000 {
		w.Calls = append(w.Calls, new(benchRecord(i)))
	}
	w.Calls[0].To = "client:bob"
	if err := s.Commit(ctx, w); err != nil {
		b.Fatal(err)
	}
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			if p, err := s.Calls(call.Filter{Account: w.Calls[0].Account}); err != nil || len(p.Records) != 50 {
				b.Fatal(len(p.Records), err)
			}
		}
	})
	b.Run("search", func(b *testing.B) {
		for b.Loop() {
			if p, err := s.Calls(call.Filter{Account: w.Calls[0].Account, To: "client:bob"}); err != nil || len(p.Records) != 1 {
				b.Fatal(len(p.Records), err)
			}
		}
	})
}
