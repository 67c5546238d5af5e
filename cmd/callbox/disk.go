package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Room on the disk of the recordings. What is sacrificed, in this order: the oldest
// recordings, but none in its first ten minutes; then new recordings, which are refused while calls go on without; then the rest of those that are being made, of
// which the beginning is kept; never calls' records and the configuration, for which
// the rest is kept.
const (
	// diskReserve is what is left free by deleting recordings.
	diskReserve = 64 << 20
	// diskLast is what recordings do not touch.
	diskLast = 16 << 20
	// diskFresh is how long a recording is there for those who were told of it.
	diskFresh = 10 * time.Minute
	// diskPatience is for how many looks, a second apart, recordings may go on where
	// they touch it: so long the keeper has for making room.
	diskPatience = 5
	// syncEvery is how much of a recording a power cut may take at most.
	syncEvery = time.Second
)

// diskFullError says that a recording is not begun, or does not go on, for lack of room.
type diskFullError struct{ free int64 }

func (e *diskFullError) Error() string {
	return fmt.Sprintf("the disk is full: %d MiB are free, and the last %d MiB are kept for the records of calls; delete recordings or make room", e.free>>20, diskLast>>20)
}

// freeBytes is how much room the disk of dir has for us.
func freeBytes(dir string) (int64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("room on the disk of %s: %w", dir, err)
	}
	return int64(st.Bavail) * int64(st.Bsize), nil //nolint:unconvert // it depends on the system
}

// fresh are the files of recordings that are being made. Its goroutine, run, has the
// disk take what they hold every second, so that a power cut costs no more of them:
// left to the system it would be half a minute.
type fresh struct {
	free func() (int64, error) // room on the disk; nil: nobody looks

	mu    sync.Mutex // guards files
	files map[*freshFile]bool
	count atomic.Uint64 // of times that a file was brought to the disk
	low   int           // looks in a row that found too little room; run's
}

// freshFile is one of them.
type freshFile struct {
	*os.File
	dirty atomic.Bool
	over  atomic.Pointer[diskFullError] // why it must not grow
}

// Write appends, and notes that the disk has not seen it. What says that there is no
// room is a *diskFullError; no error names the file, which concerns nobody.
func (f *freshFile) Write(b []byte) (int, error) {
	if full := f.over.Load(); full != nil {
		return 0, full
	}
	f.dirty.Store(true)
	n, err := f.File.Write(b)
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return n, &diskFullError{}
	}
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		err = path.Err
	}
	return n, err
}

func (s *fresh) add(f *os.File) *freshFile {
	x := &freshFile{File: f}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.files == nil {
		s.files = map[*freshFile]bool{}
	}
	s.files[x] = true
	return x
}

func (s *fresh) remove(f *freshFile) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.files, f)
}

// run brings the files to the disk until ctx ends.
func (s *fresh) run(ctx context.Context) error {
	t := time.NewTicker(syncEvery)
	defer t.Stop()
	var list []*freshFile
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		full := s.look()
		s.mu.Lock()
		list = list[:0]
		for f := range s.files {
			list = append(list, f)
		}
		s.mu.Unlock()
		for _, f := range list {
			if full != nil {
				f.over.Store(full)
			}
			s.sync(f)
		}
		clear(list)
	}
}

// look says when nothing must grow any more, because the room is that which is kept for
// other things.
func (s *fresh) look() *diskFullError {
	if s.free == nil {
		return nil
	}
	free, err := s.free()
	if err != nil || free >= diskLast {
		s.low = 0
		return nil
	}
	if s.low++; s.low < diskPatience {
		return nil
	}
	return &diskFullError{free}
}

// sync brings one file to the disk. Who writes to it does not wait for that, and
// learns of a bad disk by itself.
func (s *fresh) sync(f *freshFile) {
	if !f.dirty.Swap(false) {
		return
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { // it was closed meanwhile, and brought to the disk before
		if syscall.Fdatasync(int(fd)) == nil {
			s.count.Add(1)
		}
	})
}
