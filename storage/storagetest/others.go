package storagetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"callbox/call"
	"callbox/storage"
	"callbox/storage/config"
)

func recording(id, of string, n int) call.Recording {
	return call.Recording{ID: id, Call: of, Account: "AC1", API: "twilio", Status: "completed", Created: *at(n), File: id + ".wav"}
}

func recIDs(list []call.Recording) []string {
	var out []string
	for _, r := range list {
		out = append(out, r.ID)
	}
	return out
}

// testConferences: they are kept, the latest version of each and the latest of all.
func testConferences(e *env) {
	conference := func(n int) call.Conference {
		return call.Conference{ID: fmt.Sprintf("CF%04d", n), API: "twilio", Account: "AC1", Name: "room", State: call.ConferenceRunning, Created: *at(n), Updated: *at(n)}
	}
	first := conference(0)
	e.must(e.Enqueue(storage.Write{Conferences: []call.Conference{first, conference(1)}, Lazy: true}))
	first.State, first.Ended, first.Reason, first.Calls = call.ConferenceEnded, at(9), call.EndedEmpty, []string{"CA1", "CA2"}
	e.commit(storage.Write{Conferences: []call.Conference{first}})
	e.reopen()
	if got, err := e.Conferences(); err != nil || !reflect.DeepEqual(got, []call.Conference{first, conference(1)}) {
		e.Errorf("%+v, %v", got, err)
	}
	var w storage.Write
	for n := range storage.MaxConferences {
		w.Conferences = append(w.Conferences, conference(n+1))
	}
	e.commit(w)
	e.reopen()
	got, err := e.Conferences()
	if err != nil || len(got) != storage.MaxConferences || got[0].ID != "CF0001" {
		e.Errorf("%d are kept, from %+v on, %v", len(got), got[:min(len(got), 1)], err)
	}
	if err := e.Enqueue(storage.Write{Conferences: []call.Conference{{}}}); err == nil {
		e.Errorf("a conference without an id was taken")
	}
}

// testKept: the latest value of each key is kept, together with what it owes.
func testKept(e *env) {
	e.commit(storage.Write{Kept: []storage.Kept{{Key: "b/1", Value: []byte(`1`)}, {Key: "a/2", Value: []byte(`{"x":2}`)}, {Key: "b/3", Value: []byte(`3`)}}})
	e.commit(storage.Write{Kept: []storage.Kept{{Key: "b/1", Value: []byte(`"one"`)}, {Key: "b/3", Value: nil}, {Key: "none", Value: nil}}, Notices: []call.Notice{{Key: "b/1"}}})
	for range 2 { // once from the log, once from the database
		e.reopen()
		got, err := e.Kept()
		if want := []storage.Kept{{Key: "a/2", Value: []byte(`{"x":2}`)}, {Key: "b/1", Value: []byte(`"one"`)}}; err != nil || !reflect.DeepEqual(got, want) {
			e.Errorf("%+v, %v", got, err)
		}
	}
	if n, err := e.PendingNotices(0, 10); err != nil || len(n) != 1 {
		e.Errorf("%d notices, %v", len(n), err)
	}
	for _, wrong := range []storage.Kept{{Key: "", Value: []byte(`1`)}, {Key: "x\x00y", Value: []byte(`1`)}, {Key: "x", Value: []byte(`{`)}} {
		if err := e.Enqueue(storage.Write{Kept: []storage.Kept{wrong}}); err == nil {
			e.Errorf("%q was taken", wrong.Key)
		}
	}
}

func testRecordings(e *env) {
	want := recording("RE1", "CA1", 0)
	want.Started, want.Updated, want.Duration, want.Size = *at(1), *at(9), 8*time.Second, 128044
	want.Hook = call.StatusHook{Hook: call.Hook{URL: "http://192.0.2.9/rec"}}
	other := recording("RE3", "CA2", 2)
	other.Account = "AC2"
	e.must(e.Enqueue(storage.Write{Recordings: []call.Recording{want}, Lazy: true}))
	if got, err := e.Recording("AC1", "RE1"); err != nil || !reflect.DeepEqual(got, want) {
		e.Errorf("before it is on disk: %+v, %v", got, err)
	}
	e.commit(storage.Write{Recordings: []call.Recording{recording("RE2", "CA1", 1), other}})
	e.bothWays(func() {
		if got, err := e.Recording("AC1", "RE1"); err != nil || !reflect.DeepEqual(got, want) {
			e.Errorf("%+v, %v", got, err)
		}
		if _, err := e.Recording("AC2", "RE1"); !errors.Is(err, call.ErrNotFound) {
			e.Errorf("somebody else's: %v", err)
		}
		for _, tt := range []struct {
			f    call.RecordingFilter
			want []string
		}{
			{call.RecordingFilter{}, []string{"RE3", "RE2", "RE1"}},
			{call.RecordingFilter{Account: "AC1"}, []string{"RE2", "RE1"}},
			{call.RecordingFilter{Account: "AC1", Call: "CA1"}, []string{"RE2", "RE1"}},
			{call.RecordingFilter{Account: "AC2", Call: "CA1"}, nil},
			{call.RecordingFilter{Call: "CA2"}, []string{"RE3"}},
			{call.RecordingFilter{CreatedAfter: *at(1)}, []string{"RE3", "RE2"}},
			{call.RecordingFilter{CreatedBefore: *at(1)}, []string{"RE2", "RE1"}},
			{call.RecordingFilter{CreatedAfter: *at(1), CreatedBefore: *at(1)}, []string{"RE2"}},
		} {
			p, err := e.Recordings(tt.f)
			e.must(err)
			if !slices.Equal(recIDs(p.Recordings), tt.want) {
				e.Errorf("%+v gives %v, want %v", tt.f, recIDs(p.Recordings), tt.want)
			}
		}
	})
	p, err := e.Recordings(call.RecordingFilter{Limit: 2})
	e.must(err)
	p2, err := e.Recordings(call.RecordingFilter{Limit: 2, Cursor: p.Next})
	e.must(err)
	if got := append(recIDs(p.Recordings), recIDs(p2.Recordings)...); !slices.Equal(got, []string{"RE3", "RE2", "RE1"}) || p2.Next != "" || p2.Previous == "" {
		e.Errorf("pages %v, %+v", got, p2)
	}
	e.must(e.DeleteRecording(context.Background(), "AC1", "RE1"))
	if err := e.DeleteRecording(context.Background(), "AC1", "RE1"); !errors.Is(err, call.ErrNotFound) {
		e.Errorf("twice: %v", err)
	}
	e.bothWays(func() {
		p, err := e.Recordings(call.RecordingFilter{Call: "CA1"})
		e.must(err)
		if !slices.Equal(recIDs(p.Recordings), []string{"RE2"}) {
			e.Errorf("left are %v", recIDs(p.Recordings))
		}
	})
}

func testRecordingRetention(e *env) {
	var w storage.Write
	for i := range 450 {
		r := recording(fmt.Sprintf("RE%03d", i), "CA1", i)
		if i%2 == 0 {
			r.Account = "AC2"
		}
		w.Recordings = append(w.Recordings, r)
	}
	e.commit(w)
	errDisk := errors.New("the file does not go")
	removed := map[string]bool{}
	n, err := e.DeleteRecordingsOlder(context.Background(), *at(440), func(r call.Recording) error {
		if r.ID == "RE101" {
			return errDisk
		}
		removed[r.ID] = true
		return nil
	})
	if !errors.Is(err, errDisk) || n != len(removed) || n != 439 {
		e.Errorf("%d went, %d files, %v", n, len(removed), err)
	}
	if _, err := e.Recording("", "RE101"); err != nil {
		e.Errorf("a recording whose file stays: %v", err)
	}
	more, err := e.DeleteRecordingsOlder(context.Background(), *at(440), func(r call.Recording) error {
		if removed[r.ID] {
			e.Errorf("%s is removed twice", r.ID)
		}
		return nil
	})
	e.must(err)
	p, err := e.Recordings(call.RecordingFilter{Limit: 1000})
	e.must(err)
	if n+more != 440 || len(p.Recordings) != 10 || p.Recordings[9].ID != "RE440" {
		e.Errorf("%d and %d went, %v stay", n, more, recIDs(p.Recordings))
	}
}

// What is still being made is known, and never removed.
func testOpenRecordings(e *env) {
	open := func() []string {
		list, err := e.OpenRecordings()
		e.must(err)
		out := recIDs(list)
		slices.Sort(out)
		return out
	}
	var w storage.Write
	for i, status := range []string{"in-progress", "paused", "processing", "completed", "absent", "stopped"} {
		r := recording(fmt.Sprintf("RE%d", i), "CA1", i)
		r.Status = status
		w.Recordings = append(w.Recordings, r)
	}
	e.commit(w)
	e.bothWays(func() {
		if got := open(); !slices.Equal(got, []string{"RE0", "RE1", "RE2"}) {
			e.Errorf("open are %v", got)
		}
	})
	for _, drop := range []func() (int, error){
		func() (int, error) {
			return e.DeleteRecordingsOlder(context.Background(), *at(4), func(call.Recording) error { return nil })
		},
		func() (int, error) {
			return e.TrimRecordings(context.Background(), 0, func(call.Recording) error { return nil })
		},
	} {
		if _, err := drop(); err != nil {
			e.Error(err)
		}
		e.bothWays(func() {
			if got := open(); !slices.Equal(got, []string{"RE0", "RE1", "RE2"}) {
				e.Errorf("open are %v", got)
			}
		})
	}
	w.Recordings = w.Recordings[:3]
	w.Recordings[0].Status, w.Recordings[1].Status = "completed", "absent"
	e.commit(w)
	e.must(e.DeleteRecording(context.Background(), "", "RE2"))
	e.bothWays(func() {
		if got := open(); len(got) != 0 {
			e.Errorf("open are %v", got)
		}
	})
}

// The oldest recordings go until the rest fits, whoever owns them.
func testTrimRecordings(e *env) {
	var w storage.Write
	for i := range 300 {
		r := recording(fmt.Sprintf("RE%03d", i), "CA1", i)
		r.Account, r.Size = fmt.Sprintf("AC%d", i%3), 1000
		w.Recordings = append(w.Recordings, r)
	}
	e.commit(w)
	trim := func(keep int64, want int) {
		e.Helper()
		var gone []string
		n, err := e.TrimRecordings(context.Background(), keep, func(r call.Recording) error {
			gone = append(gone, r.ID)
			return nil
		})
		if err != nil || n != want || len(gone) != want || !slices.IsSorted(gone) {
			e.Errorf("%d went, %v, %v", n, gone, err)
		}
	}
	trim(300_000, 0)
	trim(299_999, 1)
	trim(50_500, 249)
	p, err := e.Recordings(call.RecordingFilter{Limit: 1000})
	e.must(err)
	if len(p.Recordings) != 50 || p.Recordings[49].ID != "RE250" {
		e.Errorf("%v stay", recIDs(p.Recordings))
	}
	trim(0, 50)
}

func testOutbox(e *env) {
	var w storage.Write
	for i := range 10 {
		w.Notices = append(w.Notices, call.Notice{ID: 99, Key: "CA1", Created: *at(i), Payload: []byte{byte(i), 0, 0xff}})
	}
	e.commit(w)
	var got []call.Notice
	e.bothWays(func() {
		var err error
		got, err = e.PendingNotices(0, 100)
		e.must(err)
		if len(got) != 10 {
			e.Fatalf("%d wait", len(got))
		}
		for i, n := range got {
			if i > 0 && n.ID <= got[i-1].ID {
				e.Errorf("id %d after %d", n.ID, got[i-1].ID)
			}
			if n.Key != "CA1" || !n.Created.Equal(*at(i)) || !bytes.Equal(n.Payload, []byte{byte(i), 0, 0xff}) {
				e.Errorf("notice %d is %+v", i, n)
			}
		}
	})
	some, err := e.PendingNotices(got[3].ID, 2)
	e.must(err)
	if len(some) != 2 || some[0].ID != got[4].ID {
		e.Errorf("after the fourth come %v", some)
	}
	if none, err := e.PendingNotices(0, 0); err != nil || len(none) != 0 {
		e.Errorf("none of them are %v, %v", none, err)
	}
	e.must(e.DoneNotice())
	e.must(e.DoneNotice(got[0].ID, got[2].ID, 12345))
	e.must(e.DoneNotice(got[2].ID))
	e.bothWays(func() {
		left, err := e.PendingNotices(0, 100)
		e.must(err)
		if len(left) != 8 || left[0].ID != got[1].ID || left[1].ID != got[3].ID {
			e.Errorf("left are %v", left)
		}
	})
	// Ids rise even when the outbox was empty at the last stop.
	for _, n := range got {
		e.must(e.DoneNotice(n.ID))
	}
	e.reopen()
	e.commit(storage.Write{Notices: []call.Notice{{Key: "CA2"}}})
	left, err := e.PendingNotices(0, 100)
	e.must(err)
	if len(left) != 1 || left[0].ID <= got[9].ID {
		e.Errorf("a new notice among %v, after %d", left, got[9].ID)
	}
}

func testConfig(e *env) {
	ctx := context.Background()
	fresh, err := e.LoadConfig()
	e.must(err)
	if fresh.Version != 0 || fresh.Country != "US" || fresh.Limits.Calls == 0 {
		e.Errorf("a fresh box has %+v", fresh)
	}
	mine, err := e.LoadConfig()
	e.must(err)
	mine.Country = "DE"
	mine.Accounts = []config.Account{{ID: "AC1", Token: config.Secret(strings.Repeat("0a", 16)), Keys: []config.Key{{ID: "SK1", Secret: "0123456789abcdef"}}}}
	mine.Users = []config.User{{Name: "201", Password: "correct horse"}}
	saved, err := e.SaveConfig(ctx, mine)
	e.must(err)
	if saved.Version != 1 || !saved.Changed.Equal(e.now) || len(saved.Users[0].Codecs) == 0 {
		e.Errorf("saved %+v", saved)
	}
	mine.Users[0].Name = "changed afterwards"
	e.bothWays(func() {
		got, err := e.LoadConfig()
		e.must(err)
		if !reflect.DeepEqual(got, saved) || got.Users[0].Password.Reveal() != "correct horse" {
			e.Errorf("loaded %+v\nwant %+v", got, saved)
		}
	})
	// A second change to the same version is refused, as is a bad one.
	fresh.Country = "FR"
	if _, err := e.SaveConfig(ctx, fresh); !errors.Is(err, storage.ErrConflict) {
		e.Errorf("conflict: %v", err)
	}
	bad := saved
	bad.Country = "Germany"
	var invalid *config.InvalidError
	if _, err := e.SaveConfig(ctx, bad); !errors.As(err, &invalid) || invalid.Problems[0].Field != "country" {
		e.Errorf("invalid: %v", err)
	}
	stopped, cancel := context.WithCancel(ctx)
	cancel()
	next := saved
	next.Country = "FR"
	if _, err := e.SaveConfig(stopped, next); !errors.Is(err, context.Canceled) {
		e.Errorf("with an ended context: %v", err)
	}
	again, err := e.SaveConfig(ctx, next)
	e.must(err)
	if again.Version != 2 || again.Country != "FR" {
		e.Errorf("saved %+v", again)
	}
}

func testBlobs(e *env) {
	ctx := context.Background()
	if _, err := e.Blob("ca"); !errors.Is(err, storage.ErrNoBlob) {
		e.Errorf("absent: %v", err)
	}
	data := bytes.Repeat([]byte{1, 2, 3, 0}, 5000)
	e.must(e.PutBlob(ctx, "ca", []byte("first")))
	e.must(e.PutBlob(ctx, "ca", data))
	e.must(e.PutBlob(ctx, "empty", nil))
	e.bothWays(func() {
		if got, err := e.Blob("ca"); err != nil || !bytes.Equal(got, data) {
			e.Errorf("%d bytes, %v", len(got), err)
		}
		if got, err := e.Blob("empty"); err != nil || len(got) != 0 {
			e.Errorf("%d bytes, %v", len(got), err)
		}
	})
	e.must(e.DeleteBlob(ctx, "ca"))
	e.must(e.DeleteBlob(ctx, "ca"))
	if _, err := e.Blob("ca"); !errors.Is(err, storage.ErrNoBlob) {
		e.Errorf("deleted: %v", err)
	}
	if err := e.PutBlob(ctx, "", data); err == nil {
		e.Error("accepted a blob without a name")
	}
	if err := e.PutBlob(ctx, "big", make([]byte, 2<<20)); err == nil {
		e.Error("accepted a blob of 2 MiB")
	}
}

func testCommitContext(e *env) {
	stopped, cancel := context.WithCancel(context.Background())
	cancel()
	if err := e.Commit(stopped, storage.Write{Calls: calls(rec("CA1", 0, call.Busy))}); !errors.Is(err, context.Canceled) {
		e.Errorf("commit with an ended context: %v", err)
	}
	e.commit(storage.Write{}) // nothing to do is no error
}
