package storage

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"callbox/call"

	"go.etcd.io/bbolt"
)

func TestMigrations(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	ran := 0
	more := append(slices.Clone(migrations), func(tx *bbolt.Tx) error {
		ran++
		_, err := tx.CreateBucket([]byte("later"))
		return err
	})
	for range 2 {
		if err := s.db.Update(func(tx *bbolt.Tx) error { return migrate(tx, more) }); err != nil {
			t.Fatal(err)
		}
	}
	if ran != 1 {
		t.Errorf("the step ran %d times", ran)
	}
	failing := append(slices.Clone(more), func(tx *bbolt.Tx) error {
		if err := tx.DeleteBucket([]byte("later")); err != nil {
			return err
		}
		return syscall.EIO
	})
	if err := s.db.Update(func(tx *bbolt.Tx) error { return migrate(tx, failing) }); !errors.Is(err, syscall.EIO) {
		t.Errorf("a failing step: %v", err)
	}
	if err := s.db.View(func(tx *bbolt.Tx) error {
		if tx.Bucket([]byte("later")) == nil {
			return errors.New("a failing step leaves its traces")
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Dir: dir}); !errors.Is(err, ErrNewer) || !strings.Contains(err.Error(), fmt.Sprintf("its schema is %d and this program knows %d", len(more), len(migrations))) {
		t.Errorf("data of a newer version: %v", err)
	}
}

// A database of version 1 learns which recordings are being made.
func TestFindOpenRecordings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	if err := s.Commit(ctx, Write{Recordings: []call.Recording{{ID: "RE1", Status: "in-progress"}, {ID: "RE2", Status: "completed"}}}); err != nil {
		t.Fatal(err)
	}
	if err := s.settleNow(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.update(func(tx *bbolt.Tx) error {
		if err := tx.DeleteBucket(bucketRecOpen); err != nil {
			return err
		}
		return tx.Bucket(bucketMeta).Put(keySchema, []byte{0, 0, 0, 0, 0, 0, 0, 1})
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	list, err := open(t, Config{Dir: dir}).OpenRecordings()
	if err != nil || len(list) != 1 || list[0].ID != "RE1" {
		t.Errorf("%v, %v", list, err)
	}
}
