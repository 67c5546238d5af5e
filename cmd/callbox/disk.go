package main

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Room on the disk of the recordings. What is sacrificed, in this order: the oldest
// recordings, down to the one that has just been made; then new recordings, which are
// refused while calls go on without; never calls' records and the configuration, for
// which the rest is kept.
const (
	// diskReserve is what is left free by deleting recordings.
	diskReserve = 64 << 20
	// diskLast is what new recordings do not touch.
	diskLast = 16 << 20
	// syncEvery is how much of a recording a power cut may take at most.
	syncEvery = time.Second
)

// diskFullError says that a recording is not begun for lack of room.
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
	mu    sync.Mutex // guards files
	files map[*freshFile]bool
	count atomic.Uint64 // of times that a file was brought to the disk
}

// freshFile is one of them.
type freshFile struct {
	*os.File
	dirty atomic.Bool
}

// Write appends, and notes that the disk has not seen it.
func (f *freshFile) Write(b []byte) (int, error) {
	f.dirty.Store(true)
	return f.File.Write(b)
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
		s.mu.Lock()
		list = list[:0]
		for f := range s.files {
			list = append(list, f)
		}
		s.mu.Unlock()
		for _, f := range list {
			s.sync(f)
		}
		clear(list)
	}
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
