package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"time"

	"callbox/call"
	"callbox/media/wav"
	"callbox/storage"
	"callbox/storage/config"
)

// sweepEvery is how often the box looks for what it has kept long enough.
const sweepEvery = time.Hour

// trimEvery is how soon after a new recording the box looks whether there are too many,
// at the earliest, and how often it looks at the room on the disk.
const trimEvery = 2 * time.Second

// keeper forgets calls and recordings by the rules of the configuration. Its
// goroutine is run; nobody else touches it.
type keeper struct {
	store   *storage.Store
	journal *journal
	files   *recordings
	policy  func() config.Retention
	now     func() time.Time
	log     *slog.Logger

	// left are the recordings that were being made when the last run ended.
	left []call.Recording
	full bool // it was told that there is nothing left to delete
}

// run completes what the last run left behind, then sweeps now and every hour
// until ctx ends. What cannot be done now is tried again by the next sweep.
func (k *keeper) run(ctx context.Context) error {
	for _, r := range k.left {
		k.complete(ctx, r)
	}
	k.left = nil
	t := time.NewTicker(sweepEvery)
	defer t.Stop()
	soon := time.NewTicker(trimEvery)
	defer soon.Stop()
	k.sweep(ctx)
	more := false // recordings have been made
	for {
		select {
		case <-t.C:
			k.sweep(ctx)
		case <-soon.C:
			k.trim(ctx, more)
			more = false
		case <-k.files.made:
			more = true
		case <-ctx.Done():
			return nil
		}
	}
}

// trim deletes the oldest recordings: those above their size, when there are new ones,
// and those that take the last room on the disk.
func (k *keeper) trim(ctx context.Context, more bool) {
	if more {
		k.step(ctx, "recordings above their size", func() (int, error) {
			return k.store.TrimRecordings(ctx, k.policy().RecordingBytes, k.files.removeFile)
		})
	}
	if k.files.fresh.free == nil {
		return
	}
	free, err := k.files.fresh.free()
	if err != nil || free >= diskReserve {
		k.full = false
		return
	}
	n := k.step(ctx, "recordings on a full disk", func() (int, error) {
		return k.store.FreeRecordings(ctx, diskReserve-free, k.now().Add(-diskFresh), k.files.removeFile)
	})
	if n == 0 && !k.full {
		k.log.Error("the disk is full, and there are no recordings to delete but the latest", "free_mib", free>>20)
	}
	k.full = n == 0
}

// sweep forgets what is too old, then the oldest of what is too much.
func (k *keeper) sweep(ctx context.Context) {
	p, now := k.policy(), k.now()
	for _, step := range []struct {
		what string
		do   func() (int, error)
	}{
		{"calls that are too old", func() (int, error) { return k.store.DeleteOlder(ctx, now.Add(-p.Calls.Std())) }},
		{"calls above their number", func() (int, error) { return k.store.TrimCalls(ctx, p.CallCount) }},
		{"recordings that are too old", func() (int, error) {
			return k.store.DeleteRecordingsOlder(ctx, now.Add(-p.Recordings.Std()), k.files.removeFile)
		}},
		{"recordings above their size", func() (int, error) {
			return k.store.TrimRecordings(ctx, p.RecordingBytes, k.files.removeFile)
		}},
	} {
		k.step(ctx, step.what, step.do)
	}
}

// step does one thing and tells how many went.
func (k *keeper) step(ctx context.Context, what string, do func() (int, error)) int {
	n, err := do()
	if n > 0 {
		k.log.Info("forgotten by the rules of retention", "what", what, "count", n)
	}
	if err != nil && ctx.Err() == nil {
		k.log.Error("retention did not get through; it is tried again within the hour", "what", what, "err", err)
	}
	return n
}

// complete ends a recording that the last run was making when the power was cut:
// what reached the disk is kept.
func (k *keeper) complete(ctx context.Context, r call.Recording) {
	r.Updated = k.now()
	if err := measure(k.files.path(r), &r); err != nil {
		r.Status, r.Error = "absent", "power lost: the gateway stopped while it was recording, and nothing of it can be played: "+err.Error()
		if err := k.files.removeFile(r); err != nil {
			k.log.Warn("a recording that cannot be played stays on the disk", "call", r.Call, "err", err)
		}
	} else {
		r.Status = "completed"
	}
	if err := k.journal.closeRecording(ctx, r); err != nil && ctx.Err() == nil {
		k.log.Error("a recording that was left behind could not be completed", "call", r.Call, "err", err)
	}
}

// measure fills in what is known of a recording from its file.
func measure(name string, r *call.Recording) error {
	f, err := os.Open(name)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return errors.New("its file is gone")
		}
		return err
	}
	defer f.Close()
	_, length, err := wav.Inspect(f)
	if err != nil {
		return err
	}
	if length == 0 {
		return errors.New("it is empty")
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if r.Size, r.SHA256, err = digest(f); err != nil {
		return err
	}
	r.Duration = length
	return nil
}
