package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"callbox/api"
	"callbox/call"
	"callbox/call/engine"
	"callbox/media/wav"
	"callbox/storage"
)

// recordings keeps the files of recordings; their records are in the store.
type recordings struct {
	dir   string
	store *storage.Store
	made  chan struct{} // told that there is another recording; nil: nobody listens
	fresh fresh
}

var (
	_ engine.Files   = (*recordings)(nil)
	_ api.Recordings = (*recordings)(nil)
)

// Create makes a recording's file.
func (r *recordings) Create(id string, channels int) (engine.RecordingFile, string, error) {
	if r.fresh.free != nil {
		if free, err := r.fresh.free(); err == nil && free < diskLast {
			r.tell() // there may be something to delete
			return nil, "", &diskFullError{free}
		}
	}
	name := id + ".wav"
	f, err := os.OpenFile(filepath.Join(r.dir, name), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, "", err
	}
	x := r.fresh.add(f)
	w, err := wav.NewWriter(x, channels)
	if err != nil {
		r.fresh.remove(x)
		f.Close()
		os.Remove(f.Name())
		return nil, "", err
	}
	return &recordingFile{Writer: w, file: x, of: r}, name, nil
}

// tell has the keeper look at the room that there is.
func (r *recordings) tell() {
	select {
	case r.made <- struct{}{}:
	default: // it will
	}
}

// recordingFile is a file being recorded. Its methods are called one at a time.
type recordingFile struct {
	*wav.Writer
	file *freshFile
	of   *recordings
}

// Close makes the file whole and durable. After an error it is what its header says,
// and nothing more.
func (f *recordingFile) Close() error {
	defer f.of.tell()
	f.of.fresh.remove(f.file)
	err := f.Writer.Close()
	if err != nil {
		err = errors.Join(err, f.file.Truncate(f.Size()))
	}
	return errors.Join(err, f.file.Sync(), f.file.Close())
}

// Finish trims and measures the closed file. One that cannot be trimmed stays as it
// is, with an error that says so.
func (f *recordingFile) Finish(trim bool) (length time.Duration, size int64, sum string, err error) {
	length = f.Duration()
	var terr error
	if trim && length > 0 {
		var short time.Duration
		if short, terr = trimFile(f.file.Name()); terr == nil {
			length = short
		} else {
			terr = fmt.Errorf("the silence at both ends is still there: %w", terr)
		}
	}
	if length == 0 {
		return 0, 0, "", f.Discard()
	}
	in, err := os.Open(f.file.Name())
	if err != nil {
		return 0, 0, "", err
	}
	defer in.Close()
	if size, sum, err = digest(in); err != nil {
		return 0, 0, "", err
	}
	return length, size, sum, terr
}

// digest gives the number and the SHA-256 of what is left to read.
func digest(in io.Reader) (size int64, sum string, err error) {
	h := sha256.New()
	if size, err = io.Copy(h, in); err != nil {
		return 0, "", fmt.Errorf("read the recording: %w", err)
	}
	return size, hex.EncodeToString(h.Sum(nil)), nil
}

// trimFile replaces a file by its copy without silence at both ends; what is
// there after a power cut is one or the other, whole.
func trimFile(name string) (time.Duration, error) {
	src, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	defer src.Close()
	dst, err := os.OpenFile(name+".trim", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return 0, err
	}
	length, err := wav.Trim(dst, src)
	if err = errors.Join(err, dst.Sync(), dst.Close()); err != nil {
		os.Remove(dst.Name())
		return 0, err
	}
	return length, os.Rename(dst.Name(), name)
}

// Discard removes the file.
func (f *recordingFile) Discard() error { return os.Remove(f.file.Name()) }

// Recording gives one recording's record.
func (r *recordings) Recording(_ context.Context, account, id string) (call.Recording, error) {
	return r.store.Recording(account, id)
}

// Recordings lists recordings.
func (r *recordings) Recordings(_ context.Context, f call.RecordingFilter) (call.RecordingPage, error) {
	return r.store.Recordings(f)
}

// OpenRecording opens a complete recording's file, or its mixture when fewer
// channels are asked for than it has.
func (r *recordings) OpenRecording(_ context.Context, account, id string, channels int) (io.ReadSeekCloser, call.Recording, error) {
	rec, err := r.store.Recording(account, id)
	if err != nil {
		return nil, rec, err
	}
	if rec.Status != "completed" {
		return nil, rec, api.ErrNotRecorded
	}
	if channels > rec.Channels {
		return nil, rec, api.ErrChannels
	}
	f, err := os.Open(r.path(rec))
	if errors.Is(err, os.ErrNotExist) {
		return nil, rec, fmt.Errorf("%w: its file is gone", api.ErrNotRecorded)
	}
	if err != nil || channels == 0 || channels == rec.Channels {
		return f, rec, err
	}
	mixed, err := wav.Mono(f)
	if err != nil {
		f.Close()
		return nil, rec, err
	}
	return mixed, rec, nil
}

// DeleteRecording removes the file, then the record.
func (r *recordings) DeleteRecording(ctx context.Context, account, id string) error {
	rec, err := r.store.Recording(account, id)
	if err != nil {
		return err
	}
	if err := r.removeFile(rec); err != nil {
		return err
	}
	return r.store.DeleteRecording(ctx, account, id)
}

// path is where a recording's file is.
func (r *recordings) path(rec call.Recording) string {
	return filepath.Join(r.dir, filepath.Base(rec.File))
}

// removeFile removes a recording's file; none is no error.
func (r *recordings) removeFile(rec call.Recording) error {
	if err := os.Remove(r.path(rec)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove the recording's file: %w", err)
	}
	return nil
}
