package storagetest

import (
	"errors"
	"fmt"
	"slices"

	"callbox/call"
	"callbox/storage"
)

func testFilters(e *env) {
	busy, queued := call.Busy, call.Queued
	a := rec("CAa", 0, call.Completed)
	a.Started, a.Ended = at(10), at(20)
	b := rec("CAb", 1, call.Busy)
	b.To, b.Started, b.Ended = "client:bob", at(11), at(30)
	c := rec("CAc", 2, call.Queued) // not started: its creation counts
	c.From, c.Parent = "sip:alice@biloxi.example", "CAa"
	d := rec("CAd", 3, call.InProgress)
	d.Account, d.Started = "AC2", at(12)
	q := rec("CAq", 4, call.Busy)
	q.To, q.Started, q.Ended = `say "hi" <b>&`, at(13), at(40)
	e.commit(storage.Write{Calls: calls(a, b, c, d, q)})
	tests := []struct {
		name string
		f    call.Filter
		want []string
	}{
		{"account", call.Filter{Account: "AC1"}, []string{"CAq", "CAc", "CAb", "CAa"}},
		{"other account", call.Filter{Account: "AC2"}, []string{"CAd"}},
		{"no such account", call.Filter{Account: "AC"}, nil},
		{"all accounts", call.Filter{}, []string{"CAq", "CAd", "CAc", "CAb", "CAa"}},
		{"from", call.Filter{Account: "AC1", From: "sip:alice@biloxi.example"}, []string{"CAc"}},
		{"to", call.Filter{Account: "AC1", To: "client:bob"}, []string{"CAb"}},
		{"to, with characters that JSON escapes", call.Filter{Account: "AC1", To: `say "hi" <b>&`}, []string{"CAq"}},
		{"to, only a part", call.Filter{Account: "AC1", To: "client:bo"}, nil},
		{"state", call.Filter{Account: "AC1", State: &busy}, []string{"CAq", "CAb"}},
		{"first state", call.Filter{Account: "AC1", State: &queued}, []string{"CAc"}},
		{"parent", call.Filter{Account: "AC1", Parent: "CAa"}, []string{"CAc"}},
		{"parent in another account", call.Filter{Account: "AC2", Parent: "CAa"}, nil},
		{"parent and state", call.Filter{Account: "AC1", Parent: "CAa", State: &busy}, nil},
		{"started after", call.Filter{Account: "AC1", StartedAfter: *at(11)}, []string{"CAq", "CAb"}},
		{"started until", call.Filter{Account: "AC1", StartedUntil: *at(10)}, []string{"CAc", "CAa"}},
		{"started between", call.Filter{StartedAfter: *at(11), StartedUntil: *at(12)}, []string{"CAd", "CAb"}},
		{"ended after", call.Filter{Account: "AC1", EndedAfter: *at(30)}, []string{"CAq", "CAb"}},
		{"ended until", call.Filter{EndedUntil: *at(30)}, []string{"CAb", "CAa"}},
		{"all at once", call.Filter{Account: "AC1", From: b.From, To: b.To, State: &busy, StartedAfter: *at(11), StartedUntil: *at(11), EndedAfter: *at(30), EndedUntil: *at(30)}, []string{"CAb"}},
		{"before everything", call.Filter{StartedUntil: Start.AddDate(-1, 0, 0)}, nil},
		{"after everything", call.Filter{StartedAfter: Start.AddDate(1, 0, 0)}, nil},
	}
	e.bothWays(func() {
		for _, tt := range tests {
			p, err := e.Calls(tt.f)
			e.must(err)
			if !slices.Equal(ids(p.Records), tt.want) || p.Next != "" || p.Previous != "" {
				e.Errorf("%s: %v (next %q, previous %q), want %v", tt.name, ids(p.Records), p.Next, p.Previous, tt.want)
			}
		}
	})
}

// many commits n calls, alternating between two accounts, several per second so
// that the id decides between equal times.
func (e *env) many(n int) (want []string) {
	var w storage.Write
	for i := range n {
		r := rec(fmt.Sprintf("CA%04d", i), i/4, call.Completed)
		if i%2 == 1 {
			r.Account = "AC2"
		}
		if i%3 == 0 {
			r.To = "client:bob"
		}
		w.Calls = append(w.Calls, new(r))
		want = append(want, r.ID)
	}
	e.commit(w)
	slices.Reverse(want)
	return want
}

// walk pages through everything forwards, then back again.
func (e *env) walk(f call.Filter, want []string) {
	e.Helper()
	var got []string
	var pages [][]string
	for {
		p, err := e.Calls(f)
		e.must(err)
		if (f.Cursor == "") != (p.Previous == "") {
			e.Errorf("previous is %q on page %d", p.Previous, len(pages))
		}
		got = append(got, ids(p.Records)...)
		pages = append(pages, ids(p.Records))
		if p.Next == "" {
			f.Cursor = p.Previous
			break
		}
		f.Cursor = p.Next
	}
	if !slices.Equal(got, want) {
		e.Errorf("forwards %d: %v\nwant %d: %v", len(got), got, len(want), want)
	}
	for i := len(pages) - 2; i >= 0; i-- {
		if f.Cursor == "" {
			e.Fatalf("no way back to page %d", i)
		}
		p, err := e.Calls(f)
		e.must(err)
		if !slices.Equal(ids(p.Records), pages[i]) {
			e.Errorf("back on page %d: %v, want %v", i, ids(p.Records), pages[i])
		}
		if p.Next == "" {
			e.Errorf("no way on from page %d", i)
		}
		f.Cursor = p.Previous
	}
	if f.Cursor != "" {
		e.Error("there is something before the first page")
	}
}

func testPages(e *env) {
	all := e.many(101)
	pick := func(keep func(i int) bool) (out []string) {
		for _, id := range all {
			var i int
			if _, err := fmt.Sscanf(id, "CA%d", &i); err != nil {
				e.Fatal(err)
			}
			if keep(i) {
				out = append(out, id)
			}
		}
		return out
	}
	for _, limit := range []int{1, 7, 50, 101, 1000} {
		e.walk(call.Filter{Limit: limit}, all)
		e.walk(call.Filter{Limit: limit, Account: "AC2"}, pick(func(i int) bool { return i%2 == 1 }))
		e.walk(call.Filter{Limit: limit, Account: "AC1", To: "client:bob"}, pick(func(i int) bool { return i%6 == 0 }))
		e.walk(call.Filter{Limit: limit, StartedAfter: *at(5), StartedUntil: *at(20)}, pick(func(i int) bool { return i/4 >= 5 && i/4 <= 20 }))
	}
	// The usual size, and the largest.
	p, err := e.Calls(call.Filter{})
	e.must(err)
	if len(p.Records) != 50 {
		e.Errorf("a page has %d", len(p.Records))
	}
	p, err = e.Calls(call.Filter{Limit: 1_000_000})
	e.must(err)
	if len(p.Records) != 101 {
		e.Errorf("the largest page has %d", len(p.Records))
	}
}

// Records that come and go do not move what a cursor points at.
func testPagesAreStable(e *env) {
	all := e.many(40)
	p1, err := e.Calls(call.Filter{Limit: 10})
	e.must(err)
	// New ones arrive, and the record at the edge of the page goes.
	e.commit(storage.Write{Calls: calls(rec("CA9998", 100, call.Busy), rec("CA9999", 101, call.Busy)), DeleteCalls: []string{all[9], all[10]}})
	p2, err := e.Calls(call.Filter{Limit: 10, Cursor: p1.Next})
	e.must(err)
	if !slices.Equal(ids(p2.Records), all[11:21]) {
		e.Errorf("second page %v, want %v", ids(p2.Records), all[11:21])
	}
	back, err := e.Calls(call.Filter{Limit: 10, Cursor: p2.Previous})
	e.must(err)
	if want := append([]string{"CA9998"}, all[:9]...); !slices.Equal(ids(back.Records), want) {
		e.Errorf("back %v, want %v", ids(back.Records), want)
	}
	first, err := e.Calls(call.Filter{Limit: 10, Cursor: back.Previous})
	e.must(err)
	if !slices.Equal(ids(first.Records), []string{"CA9999"}) || first.Previous != "" {
		e.Errorf("first %v, %q", ids(first.Records), first.Previous)
	}
	// Everything after the cursor goes: the page is empty and leads back.
	e.commit(storage.Write{DeleteCalls: all[21:]})
	empty, err := e.Calls(call.Filter{Limit: 10, Cursor: p2.Next})
	if p2.Next == "" {
		e.Fatal("no third page")
	}
	e.must(err)
	if len(empty.Records) != 0 || empty.Next != "" {
		e.Errorf("third page %v, next %q", ids(empty.Records), empty.Next)
	}
	again, err := e.Calls(call.Filter{Limit: 10, Cursor: empty.Previous})
	e.must(err)
	if !slices.Equal(ids(again.Records), all[11:21]) {
		e.Errorf("back from the empty page %v, want %v", ids(again.Records), all[11:21])
	}
}

func testBadCursor(e *env) {
	e.many(3)
	for _, c := range []string{"x", "!", "AAAAAAAAAAAAAAAAAAAA", "b", string(make([]byte, 10_000))} {
		if _, err := e.Calls(call.Filter{Cursor: c}); !errors.Is(err, call.ErrCursor) {
			e.Errorf("cursor %.20q: %v", c, err)
		}
		if _, err := e.Recordings(call.RecordingFilter{Cursor: c}); !errors.Is(err, call.ErrCursor) {
			e.Errorf("cursor %.20q: %v", c, err)
		}
	}
}
