package storagetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"callbox/call"
	"callbox/storage"
)

// full is a record with what a call usually has.
func full() call.Record {
	return call.Record{
		ID: "CA1", API: "twilio", Account: "AC1", Parent: "CA0", Direction: call.OutboundAPI,
		From: "+14155550100", To: "sip:bob@biloxi.example", CallerName: "Alice <&>", Forwarded: "+14155550102",
		Application: "AP1", Line: "provider", Route: "Rule abroad.", State: call.Completed,
		Created: *at(0), Updated: *at(9), Started: at(1), Rang: at(2), Answered: at(3), Ended: at(9),
		Cause: &call.Cause{Q850: 16, SIP: 200, Who: call.Remote, Text: "The far end hung up."}, AnsweredBy: "human", MachineTime: 3 * time.Second,
		SIPCallID: "a84b4c76e66710@biloxi.example", Remote: "192.0.2.7:5060", Headers: []call.Header{{Name: "X-A", Value: "1"}},
		Seq: 4, Status: call.StatusHook{Hook: call.Hook{URL: "http://192.0.2.9/status", Method: "GET"}, Events: []call.EventType{call.EventRinging}},
		Reason: "survey", AMD: &call.AMD{Timeout: 30 * time.Second}, Recordings: []string{"RE1"}, Warnings: []string{"one"},
		Media: call.MediaStats{PacketsIn: 7, Jitter: time.Millisecond}, Idempotency: "key",
		Session: call.Session{Tag: `{"a":1}`},
	}
}

// fill sets whatever full leaves out, so that a new field is tested, too.
func fill(v reflect.Value) {
	switch {
	case !v.IsZero():
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(*at(1)))
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case v.Kind() == reflect.String:
		v.SetString("x")
	case v.Kind() == reflect.Bool:
		v.SetBool(true)
	case v.CanInt():
		v.SetInt(1)
	case v.CanUint():
		v.SetUint(1)
	case v.CanFloat():
		v.SetFloat(1)
	}
}

func testCall(e *env) {
	want := full()
	fill(reflect.ValueOf(&want).Elem())
	e.commit(storage.Write{Calls: calls(want)})
	e.bothWays(func() {
		got, err := e.Call("AC1", "CA1")
		e.must(err)
		if !reflect.DeepEqual(got, want) {
			e.Errorf("got %+v\nwant %+v", got, want)
		}
		if _, err := e.Call("", "CA1"); err != nil {
			e.Errorf("any account: %v", err)
		}
		for _, k := range [][2]string{{"AC2", "CA1"}, {"AC1", "CA2"}, {"", ""}} {
			if _, err := e.Call(k[0], k[1]); !errors.Is(err, call.ErrNotFound) {
				e.Errorf("call %v: %v", k, err)
			}
		}
	})
}

// A record that cannot be stored is refused at once, and harms no other.
func testCallErrors(e *env) {
	long := strings.Repeat("x", 600)
	bad := []call.Record{
		{},
		{ID: long},
		{ID: "a\x00b"},
		{ID: "CA1", Account: "a\x00b"},
		{ID: "CA1", Account: long},
		{ID: "CA1", Parent: long},
		{ID: "CA1", Idempotency: long},
	}
	for _, r := range bad {
		if err := e.Enqueue(storage.Write{Calls: calls(rec("CA9", 0, call.Busy), r)}); err == nil {
			e.Errorf("accepted %.80v", r)
		}
	}
	for _, r := range []call.Recording{{}, {ID: long}, {ID: "RE1", Call: long}, {ID: "RE1", Account: "a\x00"}} {
		if err := e.Commit(context.Background(), storage.Write{Recordings: []call.Recording{r}}); err == nil {
			e.Errorf("accepted %.80v", r)
		}
	}
	// Without account and at the beginning of time is odd, but a record.
	e.commit(storage.Write{Calls: calls(call.Record{ID: "CA1"})})
	p, err := e.Calls(call.Filter{})
	e.must(err)
	if !slices.Equal(ids(p.Records), []string{"CA1"}) {
		e.Errorf("stored %v", ids(p.Records))
	}
}

// What was enqueued is seen at once in what is known by id, and in lists as far
// as the record was there before.
func testReadYourWrites(e *env) {
	e.commit(storage.Write{Calls: calls(rec("CA1", 0, call.Ringing))})
	e.must(e.Enqueue(storage.Write{Calls: calls(rec("CA1", 0, call.Busy), rec("CA2", 1, call.Queued)), Lazy: true}))
	for id, want := range map[string]call.State{"CA1": call.Busy, "CA2": call.Queued} {
		if got, err := e.Call("AC1", id); err != nil || got.State != want {
			e.Errorf("%s: %v, %v", id, got.State, err)
		}
	}
	busy, ringing := call.Busy, call.Ringing
	p, err := e.Calls(call.Filter{Account: "AC1", State: &busy})
	e.must(err)
	if !slices.Equal(ids(p.Records), []string{"CA1"}) {
		e.Errorf("busy are %v", ids(p.Records))
	}
	p, err = e.Calls(call.Filter{Account: "AC1", State: &ringing})
	e.must(err)
	if len(p.Records) != 0 {
		e.Errorf("ringing are %v", ids(p.Records))
	}
	open, err := e.OpenCalls()
	e.must(err)
	if !slices.Equal(ids(open), []string{"CA2"}) {
		e.Errorf("open are %v", ids(open))
	}
	e.must(e.Enqueue(storage.Write{DeleteCalls: []string{"CA1"}, Lazy: true}))
	if _, err := e.Call("AC1", "CA1"); !errors.Is(err, call.ErrNotFound) {
		e.Errorf("deleted: %v", err)
	}
	p, err = e.Calls(call.Filter{Account: "AC1", State: &busy})
	e.must(err)
	if len(p.Records) != 0 {
		e.Errorf("deleted and listed: %v", ids(p.Records))
	}
}

// Writes are done in the order in which they were accepted, whoever waits.
func testOrder(e *env) {
	for i := range 300 {
		r := rec("CA1", 0, call.Ringing)
		r.Seq = i
		w := storage.Write{Calls: calls(r), Lazy: i%3 == 0}
		if i%100 == 50 {
			e.commit(w)
		} else {
			e.must(e.Enqueue(w))
		}
	}
	// A deletion between two versions.
	again := rec("CA2", 5, call.Busy)
	e.must(e.Enqueue(storage.Write{Calls: calls(rec("CA2", 1, call.Ringing))}))
	e.must(e.Enqueue(storage.Write{DeleteCalls: []string{"CA2"}}))
	e.must(e.Enqueue(storage.Write{Calls: calls(again)}))
	e.bothWays(func() {
		if r, err := e.Call("AC1", "CA1"); err != nil || r.Seq != 299 {
			e.Errorf("the last version is %d, %v", r.Seq, err)
		}
		if r, err := e.Call("AC1", "CA2"); err != nil || !r.Created.Equal(again.Created) {
			e.Errorf("created anew: %v, %v", r, err)
		}
	})
}

func testDeleteCall(e *env) {
	child := rec("CA2", 1, call.Completed)
	child.Parent, child.Idempotency = "CA1", "key"
	e.commit(storage.Write{Calls: calls(rec("CA1", 0, call.InProgress), child)})
	ctx := context.Background()
	if err := e.DeleteCall(ctx, "AC1", "CA1"); !errors.Is(err, call.ErrNotEnded) {
		e.Errorf("open call: %v", err)
	}
	if err := e.DeleteCall(ctx, "AC2", "CA2"); !errors.Is(err, call.ErrNotFound) {
		e.Errorf("somebody else's call: %v", err)
	}
	e.must(e.DeleteCall(ctx, "AC1", "CA2"))
	if err := e.DeleteCall(ctx, "AC1", "CA2"); !errors.Is(err, call.ErrNotFound) {
		e.Errorf("twice: %v", err)
	}
	e.bothWays(func() {
		if _, err := e.Call("AC1", "CA2"); !errors.Is(err, call.ErrNotFound) {
			e.Errorf("deleted: %v", err)
		}
		for _, f := range []call.Filter{{Account: "AC1", Parent: "CA1"}, {Account: "AC1", To: child.To, State: &child.State}} {
			p, err := e.Calls(f)
			e.must(err)
			if len(p.Records) != 0 {
				e.Errorf("listed: %v", ids(p.Records))
			}
		}
		if _, ok, err := e.Idempotent("AC1", "key"); ok || err != nil {
			e.Errorf("its request is remembered: %v, %v", ok, err)
		}
	})
}

func testOpenCalls(e *env) {
	var w storage.Write
	for i, s := range []call.State{call.Queued, call.Dialing, call.Ringing, call.InProgress, call.Completed, call.Busy, call.NoAnswer, call.Failed, call.Canceled} {
		w.Calls = append(w.Calls, new(rec(fmt.Sprintf("CA%d", i), 10-i, s)))
	}
	e.commit(w)
	e.bothWays(func() {
		open, err := e.OpenCalls()
		e.must(err)
		if !slices.Equal(ids(open), []string{"CA3", "CA2", "CA1", "CA0"}) {
			e.Errorf("open are %v, want them oldest first", ids(open))
		}
	})
	for i := range 4 {
		e.must(e.Enqueue(storage.Write{Calls: calls(rec(fmt.Sprintf("CA%d", i), 10-i, call.Failed))}))
	}
	e.bothWays(func() {
		if open, err := e.OpenCalls(); err != nil || len(open) != 0 {
			e.Errorf("open are %v, %v", ids(open), err)
		}
	})
}

func testIdempotent(e *env) {
	first, second, other := rec("CA1", 0, call.Queued), rec("CA2", 1, call.Queued), rec("CA3", 2, call.Queued)
	first.Idempotency, second.Idempotency, other.Idempotency = "key", "key", "key"
	other.Account = "AC2"
	check := func(account, value, want string) {
		e.Helper()
		got, ok, err := e.Idempotent(account, value)
		e.must(err)
		if ok != (want != "") || got.ID != want {
			e.Errorf("%s of %s is %q, want %q", value, account, got.ID, want)
		}
	}
	e.must(e.Enqueue(storage.Write{Calls: calls(first), Lazy: true}))
	check("AC1", "key", "CA1") // before it is on disk
	e.commit(storage.Write{Calls: calls(second, other)})
	e.bothWays(func() {
		check("AC1", "key", "CA1")
		check("AC2", "key", "CA3")
		check("AC3", "key", "")
		check("AC1", "", "")
		check("AC1", "other", "")
	})
	// After a day it is a new request.
	e.now = Start.Add(24*time.Hour + 500*time.Millisecond)
	check("AC1", "key", "")
	check("AC2", "key", "CA3")
	late := rec("CA4", 24*3600+1, call.Queued)
	late.Idempotency = "key"
	e.commit(storage.Write{Calls: calls(late)})
	check("AC1", "key", "CA4")
	e.now = Start.Add(72 * time.Hour)
	_, err := e.DeleteOlder(context.Background(), Start)
	e.must(err)
	check("AC1", "key", "")
}

func testRetention(e *env) {
	var w storage.Write
	for i := range 500 {
		r := rec(fmt.Sprintf("CA%03d", i), i, call.Completed)
		if i%2 == 1 {
			r.Account = "AC2"
		}
		if i == 7 || i == 8 {
			r.State = call.InProgress
		}
		w.Calls = append(w.Calls, new(r))
	}
	e.commit(w)
	n, err := e.DeleteOlder(context.Background(), *at(450))
	e.must(err)
	if n != 448 {
		e.Errorf("%d went, want 448", n)
	}
	e.bothWays(func() {
		p, err := e.Calls(call.Filter{Limit: 1000})
		e.must(err)
		if len(p.Records) != 52 || p.Records[50].ID != "CA008" || p.Records[51].ID != "CA007" {
			e.Errorf("%d stay: %v", len(p.Records), ids(p.Records))
		}
	})
	n, err = e.TrimCalls(context.Background(), 30)
	e.must(err)
	p, err := e.Calls(call.Filter{Limit: 1000})
	e.must(err)
	if got := ids(p.Records); n != 22 || len(got) != 30 || got[27] != "CA472" || got[28] != "CA008" || got[29] != "CA007" {
		e.Errorf("%d went, %v stay", n, got)
	}
	if n, err := e.TrimCalls(context.Background(), 0); n != 28 || err != nil {
		e.Errorf("open calls went: %d, %v", n, err)
	}
	stopped, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := e.DeleteOlder(stopped, *at(1000)); !errors.Is(err, context.Canceled) {
		e.Errorf("with an ended context: %v", err)
	}
}

// calls are copies of records, for a Write.
func calls(list ...call.Record) []*call.Record {
	out := make([]*call.Record, len(list))
	for i, r := range list {
		out[i] = &r
	}
	return out
}
