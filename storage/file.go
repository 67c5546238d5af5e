package storage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// lockDir takes the folder for this process. The lock goes with the process,
// however it ends.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking the data folder: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		who, _ := io.ReadAll(io.LimitReader(f, 32))
		_ = f.Close()
		other := ""
		if pid, err := strconv.Atoi(strings.TrimSpace(string(who))); err == nil {
			other = fmt.Sprintf(" (number %d)", pid)
		}
		return nil, fmt.Errorf("%w: another process%s works on %s, stop it or choose another folder", ErrLocked, other, dir)
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("locking the data folder: %w", err)
	}
	// The number is only for the sentence above; failing to write it harms nothing.
	if f.Truncate(0) == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return f, nil
}

// unlockDir gives the folder back. Closing the file alone would not be enough: a
// child process that is being started holds a copy of it until its own program
// runs, and with the copy the lock.
func unlockDir(f *os.File) error {
	return errors.Join(syscall.Flock(int(f.Fd()), syscall.LOCK_UN), f.Close())
}

// openFile opens the database into s.db, creating or repairing it when needed.
func (s *Store) openFile() error {
	path := s.path()
	// What an interrupted creation or repair left behind is worth nothing.
	if err := os.Remove(path + newSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing an unfinished database: %w", err)
	}
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = create(path, nil)
	}
	if err != nil {
		return fmt.Errorf("creating the database: %w", err)
	}
	db, err := openBolt(path, false)
	if err == nil {
		s.unkept = !cleanlyStopped(db)
		if err = sound(db, s.unkept); err == nil {
			s.db = db
			return nil
		}
		err = errors.Join(err, db.Close())
	}
	if !errors.Is(err, errDamaged) {
		return err
	}
	s.cfg.Logger.Error("the database is damaged, saving what can be read", "err", err)
	rep, err := salvage(path, s.cfg.Now(), err)
	if err != nil {
		return fmt.Errorf("repairing the database: %w", err)
	}
	s.repair, s.unkept = rep, true
	s.cfg.Logger.Error("the database was repaired", "result", rep.String())
	s.db, err = openBolt(path, false)
	return err
}

// create makes a database that is whole or absent, whatever happens meanwhile:
// it is filled under another name, synced, renamed, and the folder synced.
func create(path string, fill func(*bbolt.DB) error) error {
	tmp := path + newSuffix
	db, err := openBolt(tmp, false)
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		if err := migrate(tx, migrations); err != nil {
			return err
		}
		return tx.Bucket(bucketMeta).Put(keyClean, []byte{1})
	})
	if err == nil && fill != nil {
		err = fill(db)
	}
	if err == nil {
		err = db.Sync()
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// reserve has the disk keep room for all that the database's file says to be long: the
// file grows by 16 MiB at a time without taking them, and on a disk that others have
// filled meanwhile nothing could be written to it. It costs no writing. A disk that
// cannot do it has been told; one that has no room is asked again.
func (s *Store) reserve() {
	info, err := os.Stat(s.path())
	if err != nil || info.Size() == s.reserved {
		return
	}
	f, err := os.OpenFile(s.path(), os.O_RDWR, 0)
	if err != nil {
		return
	}
	defer f.Close() //nolint:errcheck // nothing was written
	if err := syscall.Fallocate(int(f.Fd()), 0, 0, info.Size()); !errors.Is(err, syscall.ENOSPC) {
		s.reserved = info.Size()
	}
}

// syncDir makes a rename in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// pageSize is the same on every board, so that a file can move between them.
const pageSize = 4096

// errDamaged is the kind of failure that repair is for.
var errDamaged = errors.New("database is damaged")

// openBolt opens a file with the options that all our databases have. bbolt
// panics, or touches memory that is not there, on some damage; that becomes
// errDamaged too.
func openBolt(path string, readOnly bool) (db *bbolt.DB, err error) {
	// bbolt would take an empty file for a new one.
	if info, err := os.Stat(path); err == nil && info.Size() < 2*pageSize {
		return nil, fmt.Errorf("%w: %s has only %d bytes", errDamaged, path, info.Size())
	}
	var file *os.File
	opt := &bbolt.Options{
		Timeout:      time.Second, // our own lock comes first; this is only for strangers
		FreelistType: bbolt.FreelistMapType,
		PageSize:     pageSize,
		ReadOnly:     readOnly,
		NoStatistics: true,
		// Room to grow without a new memory map, which would wait for readers.
		InitialMmapSize: 64 << 20,
		OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
			f, err := os.OpenFile(name, flag, mode)
			file = f
			return f, err
		},
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			if file != nil {
				// bbolt will not do it. The memory map that it leaves keeps the lock
				// beyond Close, and the repair would wait for it in vain.
				_ = syscall.Flock(int(file.Fd()), syscall.LOCK_UN)
				_ = file.Close()
			}
			db, err = nil, fmt.Errorf("%w: opening %s: %v", errDamaged, path, p)
		}
	}()
	db, err = bbolt.Open(path, 0o600, opt)
	switch {
	case err == nil:
		return db, nil
	case errors.Is(err, berrors.ErrTimeout):
		return nil, fmt.Errorf("%w: another program has opened %s", ErrLocked, path)
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrVersionMismatch), errors.Is(err, berrors.ErrChecksum):
		return nil, fmt.Errorf("%w: opening %s: %w", errDamaged, path, err)
	}
	return nil, fmt.Errorf("opening %s: %w", path, err)
}

// cleanlyStopped reports whether the last run ended with Close.
func cleanlyStopped(db *bbolt.DB) (clean bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if recover() != nil {
			clean = false
		}
	}()
	_ = db.View(func(tx *bbolt.Tx) error {
		if b := tx.Bucket(bucketMeta); b != nil {
			v := b.Get(keyClean)
			clean = len(v) == 1 && v[0] == 1
		}
		return nil
	})
	return clean
}

// sound checks the database, every page of it if deep. The error is errDamaged.
func sound(db *bbolt.DB, deep bool) error {
	return db.View(func(tx *bbolt.Tx) error {
		info, err := os.Stat(db.Path())
		if err != nil {
			return err
		}
		if info.Size() < tx.Size() {
			return fmt.Errorf("%w: the file has %d bytes and should have %d", errDamaged, info.Size(), tx.Size())
		}
		if !deep {
			return nil
		}
		var first error
		for err := range tx.Check() { // must be drained
			if first == nil {
				first = err
			}
		}
		if first != nil {
			return fmt.Errorf("%w: %w", errDamaged, first)
		}
		return nil
	})
}
