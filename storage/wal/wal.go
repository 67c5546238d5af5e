package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// BlockSize is what an entry costs at least, in bytes: that of memory pages and
// of most file systems.
const BlockSize = 4096

// The header of an entry, big endian:
//
//	0       4        8       16       24        28         32
//	┌───────┬────────┬────────┬────────┬─────────┬──────────┐
//	│ magic │ length │ owner  │ number │ 0       │ checksum │  CRC-32C of all but itself
//	└───────┴────────┴────────┴────────┴─────────┴──────────┘
const (
	headerSize = 32
	magic      = 0x43425741
	minBlocks  = 2
)

// ErrFull says that an entry does not fit behind the last one.
var ErrFull = errors.New("the log is full")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Log is an open log. It belongs to one goroutine at a time.
type Log struct {
	f     *os.File
	owner uint64
	size  int64
	end   int64  // where the next entry goes
	next  uint64 // its number
	buf   []byte
}

// Entry is what Append was given, and its number.
type Entry struct {
	Number uint64
	Data   []byte
}

// Open opens the log at path, and makes one of size bytes when there is none, or
// one that is too short to hold anything.
func Open(path string, size int64) (*Log, error) {
	size = max(size/BlockSize, minBlocks) * BlockSize
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || (err == nil && info.Size() < minBlocks*BlockSize) {
		if err := create(path, size); err != nil {
			return nil, fmt.Errorf("making the log: %w", err)
		}
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the log: %w", err)
	}
	if info, err = f.Stat(); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the log: %w", err), f.Close())
	}
	return &Log{f: f, size: info.Size() / BlockSize * BlockSize, next: 1}, nil
}

// create makes a log that is whole or absent.
func create(path string, size int64) error {
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	zero := make([]byte, 64*BlockSize)
	for left := size; left > 0 && err == nil; left -= int64(len(zero)) {
		_, err = f.Write(zero[:min(left, int64(len(zero)))])
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// Entries gives the entries from the beginning of the file on, oldest first:
// those of owner, or with anybody those of whoever wrote the first one.
func (l *Log) Entries(owner uint64, anybody bool) ([]Entry, error) {
	var out []Entry
	file := io.NewSectionReader(l.f, 0, l.size)
	for at := int64(0); at+headerSize <= l.size; {
		e, who, length, err := read(file, at, l.size)
		if err != nil {
			return nil, fmt.Errorf("reading the log: %w", err)
		}
		if anybody && len(out) == 0 {
			owner = who
		}
		if length == 0 || who != owner || (len(out) > 0 && e.Number != out[len(out)-1].Number+1) {
			break
		}
		out = append(out, e)
		at += length
	}
	return out, nil
}

// read gives the entry at an offset and how much room it takes; 0 when there is
// none that is whole.
func read(file io.ReaderAt, at, size int64) (e Entry, owner uint64, length int64, err error) {
	var h [headerSize]byte
	if _, err := file.ReadAt(h[:], at); err != nil {
		return e, 0, 0, err
	}
	n := int64(binary.BigEndian.Uint32(h[4:]))
	if binary.BigEndian.Uint32(h[0:]) != magic || n > size-at-headerSize {
		return e, 0, 0, nil
	}
	data := make([]byte, n)
	if _, err := file.ReadAt(data, at+headerSize); err != nil {
		return e, 0, 0, err
	}
	if checksum(h[:], data) != binary.BigEndian.Uint32(h[28:]) {
		return e, 0, 0, nil
	}
	return Entry{binary.BigEndian.Uint64(h[16:]), data}, binary.BigEndian.Uint64(h[8:]), blocks(n), nil
}

func checksum(header, data []byte) uint32 {
	return crc32.Update(crc32.Checksum(header[:28], castagnoli), castagnoli, data)
}

// blocks is the room that an entry of n bytes takes.
func blocks(n int64) int64 { return (headerSize + n + BlockSize - 1) / BlockSize * BlockSize }

// Rewind makes the next entry the first of the file, with a number above last
// and above all that were appended. What the file holds is given up as soon as
// that entry is on disk.
func (l *Log) Rewind(owner, last uint64) {
	l.owner, l.end, l.next = owner, 0, max(l.next, last+1)
}

// Append adds an entry and gives its number and how many bytes were written. It
// is on disk when Append returns without error; after an error it may be, and
// the next entry takes its place and number. The error is or wraps ErrFull or the
// system's.
func (l *Log) Append(data []byte) (number uint64, written int, err error) {
	room := blocks(int64(len(data)))
	if room > l.size-l.end {
		return 0, 0, fmt.Errorf("%w: %d bytes do not fit", ErrFull, len(data))
	}
	if int64(cap(l.buf)) < room {
		l.buf = make([]byte, room)
	}
	b := l.buf[:room]
	binary.BigEndian.PutUint32(b[0:], magic)
	binary.BigEndian.PutUint32(b[4:], uint32(len(data)))
	binary.BigEndian.PutUint64(b[8:], l.owner)
	binary.BigEndian.PutUint64(b[16:], l.next)
	binary.BigEndian.PutUint32(b[24:], 0)
	clear(b[headerSize+copy(b[headerSize:], data):])
	binary.BigEndian.PutUint32(b[28:], checksum(b[:headerSize], data))
	if _, err := l.f.WriteAt(b, l.end); err != nil {
		return 0, 0, fmt.Errorf("writing the log: %w", err)
	}
	// The file neither grows nor gets new blocks: the data is all there is to sync.
	if err := syscall.Fdatasync(int(l.f.Fd())); err != nil {
		return 0, 0, fmt.Errorf("writing the log: %w", err)
	}
	number = l.next
	l.next++
	l.end += room
	return number, len(b), nil
}

// Used is how much of the file the entries since the last Rewind take, in bytes.
func (l *Log) Used() int64 { return l.end }

// Close closes the file. What was appended stays.
func (l *Log) Close() error { return l.f.Close() }
