package storage_test

import (
	"testing"
	"time"

	"callbox/storage"
	"callbox/storage/storagetest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	storagetest.Run(t, func(t *testing.T, dir string, now func() time.Time) storagetest.Store {
		s, err := storage.Open(storage.Config{Dir: dir, Now: now})
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}
