package storage_test

import (
	"testing"
	"time"

	"callbox/storage"
	"callbox/storage/storagetest"
)

// The suite passes whether writes stay in the log or go into the database at
// once, some of them or all.
func TestConformance(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int64{"log": 0, "small log": 16 << 10, "tiny log": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storagetest.Run(t, func(t *testing.T, dir string, now func() time.Time) storagetest.Store {
				s, err := storage.Open(storage.Config{Dir: dir, Now: now, LogSize: size})
				if err != nil {
					t.Fatal(err)
				}
				return s
			})
		})
	}
}
