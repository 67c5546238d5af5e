package storage

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"callbox/call"
	"callbox/storage/wal"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// Sentinels that callers branch on. Missing calls and recordings are
// call.ErrNotFound, cursors that this store did not make call.ErrCursor.
var (
	// ErrLocked: another process uses the data folder.
	ErrLocked = errors.New("data folder is in use")
	// ErrNewer: the data was written by a later version of the program.
	ErrNewer = errors.New("data was written by a newer version")
	// ErrBacklog: too many accepted writes wait for the disk.
	ErrBacklog = errors.New("too many writes wait for the disk")
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("store is closed")
	// ErrConflict: the configuration was changed by somebody else meanwhile.
	ErrConflict = errors.New("configuration has changed meanwhile")
	// ErrNoBlob: no blob has this name.
	ErrNoBlob = errors.New("no such blob")
)

// Config says where and how to store. Zero values mean the defaults.
type Config struct {
	Dir    string       // data folder, created with mode 0700 if missing
	Logger *slog.Logger // nil: no log

	// MaxBatch writes that wait (50) or a write that waits for MaxDelay (100 ms)
	// start an entry of the log. MaxLinger (2 s) is the same for writes that are
	// Lazy, and DoneLinger (30 s) for Store.DoneNotice: every entry of its own costs
	// the SD card 4 kB, and all that is risked is a message told twice.
	MaxBatch   int
	MaxDelay   time.Duration
	MaxLinger  time.Duration
	DoneLinger time.Duration

	// LogSize (2 MiB) is the room in the write-ahead log, where writes are durable
	// first. When it is full, SettleAfter (10 min) after the first of them, and at
	// Close, they go into the database together.
	LogSize     int64
	SettleAfter time.Duration

	// MaxBacklog (10,000) is the number of accepted writes that may wait in memory.
	MaxBacklog int
	// MaxNotices (20,000) is the size of the outbox in the database; above it the
	// oldest are given up.
	MaxNotices int
	// IdempotencyFor (24 h) is how long Store.Idempotent finds a request's value.
	IdempotencyFor time.Duration

	// Committed is told of notices once they are on disk, in order of their ids,
	// from the writer's goroutine: it must not block. nil: nobody is told.
	Committed func([]call.Notice)

	// Now is the clock for ages and records of damage; nil: time.Now.
	Now func() time.Time
}

func (c Config) withDefaults() (Config, error) {
	if c.Dir == "" {
		return c, errors.New("no data folder was given")
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Committed == nil {
		c.Committed = func([]call.Notice) {}
	}
	c.MaxBatch = orDefault(c.MaxBatch, 50)
	c.MaxDelay = orDefault(c.MaxDelay, 100*time.Millisecond)
	c.MaxLinger = max(orDefault(c.MaxLinger, 2*time.Second), c.MaxDelay)
	c.DoneLinger = max(orDefault(c.DoneLinger, 30*time.Second), c.MaxDelay)
	c.LogSize = orDefault(c.LogSize, 2<<20)
	c.SettleAfter = orDefault(c.SettleAfter, 10*time.Minute)
	c.MaxBacklog = orDefault(c.MaxBacklog, 10_000)
	c.MaxNotices = orDefault(c.MaxNotices, 20_000)
	c.IdempotencyFor = orDefault(c.IdempotencyFor, 24*time.Hour)
	return c, nil
}

func orDefault[T int | int64 | time.Duration](v, d T) T {
	if v <= 0 {
		return d
	}
	return v
}

const (
	fileName   = "callbox.db"
	newSuffix  = ".new"
	keptSuffix = ".damaged"
	lockName   = "callbox.lock"
	logName    = "callbox.wal"
)

// Store is an open database. All methods may be called concurrently.
type Store struct {
	cfg    Config
	lock   *os.File // holds the lock of the data folder
	repair *Repair  // what Open had to repair, nil: nothing
	unkept bool     // the last run did not stop cleanly
	log    *wal.Log // the writer's; nil: it could not be made
	alive  time.Time
	// reserved is the length of the file for which the disk keeps room; Open's, then
	// the writer's.
	reserved int64

	dbmu sync.RWMutex // readers hold it while they read; the writer to replace db
	db   *bbolt.DB

	configMu sync.Mutex // one SaveConfig at a time
	w        *writer
}

// Open opens the database in cfg.Dir, and creates it when there is none. After
// an unclean stop it is checked; damage is repaired, see [Store.Repaired]. The
// error is or wraps ErrLocked, ErrNewer or the system's error. The caller ends
// the store with Close.
func Open(cfg Config) (*Store, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the data folder: %w", err)
	}
	lock, err := lockDir(cfg.Dir)
	if err != nil {
		return nil, err
	}
	s := &Store{cfg: cfg, lock: lock}
	if err := s.openFile(); err != nil {
		return nil, errors.Join(err, unlockDir(lock))
	}
	if err := s.start(); err != nil {
		return nil, errors.Join(err, s.closeLog(), s.db.Close(), unlockDir(lock))
	}
	return s, nil
}

// path is the database's file.
func (s *Store) path() string { return filepath.Join(s.cfg.Dir, fileName) }

// start brings the schema up to date, takes over what the log holds, marks the
// database as in use and starts the writer.
func (s *Store) start() error {
	var err error
	if info, err := os.Stat(filepath.Join(s.cfg.Dir, logName)); err == nil {
		s.alive = info.ModTime()
	}
	if s.log, err = wal.Open(filepath.Join(s.cfg.Dir, logName), s.cfg.LogSize); err != nil {
		// Without it everything works, at the price of more writing.
		s.cfg.Logger.Error("the write-ahead log cannot be used", "err", err)
	}
	s.reserve()
	st := writerState{}
	err = s.db.Update(func(tx *bbolt.Tx) error {
		if err := migrate(tx, migrations); err != nil {
			return err
		}
		var err error
		if st.log, err = s.replay(tx); err != nil {
			return err
		}
		b := tx.Bucket(bucketNotices)
		st.lastNotice = b.Sequence()
		c := b.Cursor()
		for k, _ := c.First(); k != nil; k, _ = c.Next() {
			st.notices++
			st.lastNotice = max(st.lastNotice, noticeID(k))
		}
		return tx.Bucket(bucketMeta).Put(keyClean, []byte{0})
	})
	if err != nil {
		return fmt.Errorf("opening %s: %w", s.path(), err)
	}
	if st.log.file != nil {
		st.log.file.Rewind(st.log.owner, st.log.last)
	}
	s.w = newWriter(s, st)
	go s.w.run()
	return nil
}

func (s *Store) closeLog() error {
	if s.log == nil {
		return nil
	}
	return s.log.Close()
}

// Close writes what is accepted, marks the stop as clean and frees the data
// folder. The error says how many accepted writes were lost because the disk
// does not take them. A second call gives ErrClosed.
func (s *Store) Close() error {
	err := s.w.close()
	if err == ErrClosed { //nolint:errorlint // this very value: closed before
		return err
	}
	s.dbmu.Lock()
	defer s.dbmu.Unlock()
	if err == nil {
		err = s.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucketMeta).Put(keyClean, []byte{1}) })
	}
	return errors.Join(err, s.closeLog(), s.db.Close(), unlockDir(s.lock))
}

// view reads in one consistent transaction.
func (s *Store) view(fn func(tx *bbolt.Tx) error) error {
	s.dbmu.RLock()
	defer s.dbmu.RUnlock()
	err := s.db.View(fn)
	if errors.Is(err, berrors.ErrDatabaseNotOpen) {
		return ErrClosed
	}
	return err
}

// update writes in one transaction that is on disk when it returns. Only the
// writer's goroutine calls it.
func (s *Store) update(fn func(tx *bbolt.Tx) error) error {
	s.dbmu.RLock()
	err := s.db.Update(fn)
	s.dbmu.RUnlock()
	if !errors.Is(err, berrors.ErrInvalidMapping) && !errors.Is(err, berrors.ErrDatabaseNotOpen) {
		return err
	}
	// bbolt lost its memory map while the file grew (no memory): it has to be
	// opened anew before anything works again.
	s.dbmu.Lock()
	defer s.dbmu.Unlock()
	_ = s.db.Close()
	db, openErr := openBolt(s.path(), false)
	if openErr != nil {
		return errors.Join(err, openErr)
	}
	s.db = db
	return err
}

// UncleanStop reports whether the last run ended without Close.
func (s *Store) UncleanStop() bool { return s.unkept }

// LastWrite is when the last run wrote something, as far as the file system has
// kept it; zero when there was none.
func (s *Store) LastWrite() time.Time { return s.alive }

// Repaired says what Open had to repair; ok is false when nothing.
func (s *Store) Repaired() (r Repair, ok bool) {
	if s.repair == nil {
		return Repair{}, false
	}
	return *s.repair, true
}
