package storage

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"callbox/call"
)

func benchRecord(i int) call.Record {
	now := time.Now()
	return call.Record{
		ID: fmt.Sprintf("CA%032x", uint64(i)*2654435761), API: "twilio", Account: "AC0123456789abcdef0123456789abcdef", Direction: call.OutboundAPI,
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
	_ = s.Commit(ctx, Write{Calls: []call.Record{r}, Notices: notice})
	r.State = call.InProgress
	_ = s.Enqueue(Write{Calls: []call.Record{r}, Lazy: true})
	r.State = call.Completed
	_ = s.Commit(ctx, Write{Calls: []call.Record{r}, Notices: notice})
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
		w.Calls = append(w.Calls, benchRecord(i))
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
