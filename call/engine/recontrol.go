package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"callbox/call"
	"callbox/call/script"
	"callbox/media/session"
)

// startedByRequest is the source of recordings of which there may be several.
const startedByRequest = "StartCallRecordingAPI"

// startedInRoom is the same of recordings of conferences.
const startedInRoom = "StartConferenceRecordingAPI"

// Record starts, pauses, resumes or stops a recording of a live call or
// conference, and gives how it stands. call.ErrNotFound, call.ErrEnded when the
// call, the conference or the recording has ended, call.ErrWrongState before the
// answer or the start, call.ErrTooMany (wrapped).
func (e *Engine) Record(ctx context.Context, account, id string, ch call.RecordingChange) (call.Recording, error) {
	if r := e.recordingOf(account, id, ch.ID); r != nil && ch.Start == nil {
		return r.change(ch)
	}
	c := e.find(account, id)
	if c == nil {
		_, err := e.cfg.Journal.Call(ctx, account, id)
		switch {
		case err == nil:
			return call.Recording{}, call.ErrEnded
		case errors.Is(err, call.ErrNotFound) && ch.Start != nil:
			return e.tape(ctx, account, id, *ch.Start)
		}
		return call.Recording{}, err
	}
	return c.changeRecording(ctx, ch)
}

// tape starts a recording of a live conference.
func (e *Engine) tape(ctx context.Context, account, id string, o call.RecordOptions) (out call.Recording, err error) {
	o.Source = startedInRoom
	err = e.rooms.Tape(ctx, account, id, func(inside *session.Session, c call.Conference) (script.Recording, error) {
		r, err := e.recordRoom(inside, c, o)
		if err == nil {
			out = r.(*roomRecording).now() //nolint:forcetypeassert // it makes no others
		}
		return r, err
	})
	return out, err
}

// changeRecording does a RecordingChange, from any goroutine but the call's.
func (c *live) changeRecording(ctx context.Context, ch call.RecordingChange) (out call.Recording, err error) {
	if ch.Start != nil {
		if c.snapshot().State != call.InProgress {
			return out, call.ErrWrongState
		}
		o := *ch.Start
		o.Source = startedByRequest
		r, err := c.makeRecording(o)
		if err != nil {
			return out, err
		}
		err = control{c: c}.ask(ctx, func() error { out = r.shown; return nil })
		return out, err
	}
	err = control{c: c}.ask(ctx, func() error {
		r := c.findRecording(ch.ID)
		if r == nil {
			if slices.Contains(c.r.Recordings, ch.ID) {
				return fmt.Errorf("the recording has ended: %w", call.ErrEnded)
			}
			return call.ErrNotFound
		}
		out = r.change(ch)
		return nil
	})
	return out, err
}

// findRecording gives the running recording with this id or name, or the latest; nil.
func (c *live) findRecording(id string) *recording {
	var found *recording
	for r := range c.recording.running {
		if r.stopped() || id != "" && r.shown.ID != id && r.opts.Name != id {
			continue
		}
		if found == nil || slices.Index(c.r.Recordings, r.shown.ID) > slices.Index(c.r.Recordings, found.shown.ID) {
			found = r
		}
	}
	return found
}

// change pauses, resumes or stops a running recording, on the call's goroutine,
// and gives how it then stands.
func (r *recording) change(ch call.RecordingChange) call.Recording {
	if steer(r.rec, &r.shown, ch, r.c.e.cfg.Now()) {
		r.c.e.cfg.Journal.AppendRecording(r.shown)
	}
	if ch.Status == call.RecordingStopped {
		r.halt()
	}
	return r.shown
}

// steer pauses or resumes rec, and brings what is known of it up to date. changed
// tells that this is to be kept: the end of a recording is told when it has come.
func steer(rec *session.Recorder, shown *call.Recording, ch call.RecordingChange, now time.Time) (changed bool) {
	switch ch.Status {
	case call.RecordingPaused:
		rec.Pause(ch.Silence)
	case call.RecordingRunning:
		rec.Resume()
	}
	shown.Duration = rec.Stats().Duration
	if shown.Status == ch.Status {
		return false
	}
	shown.Status, shown.Updated = ch.Status, now
	return ch.Status != call.RecordingStopped
}
