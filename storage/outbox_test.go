package storage

import (
	"fmt"
	"testing"

	"callbox/call"

	"go.etcd.io/bbolt"
)

// The outbox is bounded: the oldest go, and are counted.
func TestOutboxBound(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, Config{Dir: dir, MaxNotices: 10})
	for i := range 25 {
		if err := s.Commit(ctx, Write{Notices: []call.Notice{{Key: fmt.Sprint(i)}}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.settleNow(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.DoneNotice(24); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.GivenUp != 15 || st.Notices != 9 {
		t.Errorf("stats %+v", st)
	}
	// After reopening the count is known again.
	s = open(t, Config{Dir: dir, MaxNotices: 5})
	if err := s.Commit(ctx, Write{Notices: []call.Notice{{Key: "new"}}}); err != nil {
		t.Fatal(err)
	}
	if err := s.settleNow(ctx); err != nil {
		t.Fatal(err)
	}
	n, err := s.PendingNotices(0, 100)
	if err != nil || len(n) != 5 || n[4].Key != "new" || n[0].Key != "20" || s.Stats().GivenUp != 5 {
		t.Errorf("%v, %v, %+v", n, err, s.Stats())
	}
}

// A notice that cannot be read does not hold up the others.
func TestUnreadableNotice(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	if err := s.Commit(ctx, Write{Notices: []call.Notice{{Key: "a"}, {Key: "b"}, {Key: "c"}}}); err != nil {
		t.Fatal(err)
	}
	if err := s.settleNow(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.update(func(tx *bbolt.Tx) error {
		for _, id := range []uint64{1, 2} {
			if err := tx.Bucket(bucketNotices).Put(noticeKey(id), []byte(`{"id":`)); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		n, err := s.PendingNotices(0, 1)
		if err != nil || len(n) != 1 || n[0].Key != "c" {
			t.Fatalf("%v, %v", n, err)
		}
	}
	if st := s.Stats(); st.Unreadable != 2 {
		t.Errorf("stats %+v", st)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if st := open(t, Config{Dir: dir}).Stats(); st.Notices != 1 {
		t.Errorf("%d notices are left", st.Notices)
	}
}
