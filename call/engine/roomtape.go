package engine

import (
	"fmt"
	"sync"
	"time"

	"callbox/call"
	"callbox/call/script"
	"callbox/media/session"
)

// roomRecording is a recording of a conference. Its goroutine (keep) ends when
// the file is whole.
type roomRecording struct {
	e    *Engine
	rec  *session.Recorder
	file RecordingFile
	trim bool
	once sync.Once
	stop chan struct{} // closed by the first Stop
	done chan struct{} // closed when it has stopped
	end  chan struct{} // closed when final is set

	mu    sync.Mutex // guards what follows, and what becomes of it in the journal
	shown call.Recording
	over  bool // it has stopped

	final call.Recording
}

// recordRoom records a conference, which is heard inside.
func (e *Engine) recordRoom(inside *session.Session, c call.Conference, o call.RecordOptions) (script.Recording, error) {
	o = e.limits.Load().recording(o)
	id := e.cfg.NewID(c.API, "recording")
	file, name, err := e.cfg.Files.Create(id, 1)
	if err != nil {
		return nil, fmt.Errorf("make the recording's file: %w", err)
	}
	rec, err := session.Record(inside, session.RecorderConfig{Track: session.Inbound, MaxLength: o.MaxLength}, file)
	if err != nil {
		file.Discard() //nolint:errcheck // the first error counts
		return nil, fmt.Errorf("start the recording: %w", err)
	}
	now := e.cfg.Now()
	r := &roomRecording{e: e, rec: rec, file: file, trim: o.Trim, stop: make(chan struct{}), done: make(chan struct{}), end: make(chan struct{}),
		final: call.Recording{ID: id, Call: c.ID, Conference: c.ID, Account: c.Account, API: c.API, Status: "in-progress",
			Source: o.Source, Track: call.TrackBoth, Channels: 1, Created: now, Started: now, Updated: now, File: name, Hook: o.Status}}
	r.shown = r.final
	e.tellRoomRecording(call.EventRecordingStarted, r.final, now)
	e.mu.Lock()
	e.taped[id] = r
	e.mu.Unlock()
	e.tasks.Go(r.keep)
	return r, nil
}

// tellRoomRecording keeps and tells how a recording stands.
func (e *Engine) tellRoomRecording(t call.EventType, rec call.Recording, at time.Time) {
	e.cfg.Journal.AppendRecording(rec)
	e.tellRoom(call.Event{Type: t, At: at, Record: &call.Record{ID: rec.Conference, API: rec.API, Account: rec.Account}, Recording: &rec})
}

// keep waits for the end of the recording and makes the file whole.
func (r *roomRecording) keep() {
	select {
	case <-r.rec.Done():
	case <-r.stop:
	}
	close(r.done)
	r.mu.Lock()
	r.over = true
	r.mu.Unlock()
	r.e.mu.Lock()
	delete(r.e.taped, r.final.ID)
	r.e.mu.Unlock()
	err := r.rec.Stop()
	rec := r.final
	rec.Updated = r.e.cfg.Now()
	finish(r.file, r.trim, &rec, err)
	t := call.EventRecordingDone
	if rec.Status == "absent" {
		t = call.EventRecordingAbsent
	}
	if rec.Error != "" {
		r.e.cfg.Logger.Warn("the recording of a conference is not whole", "conference", rec.Conference, "status", rec.Status, "err", rec.Error)
	}
	r.final = rec
	r.e.tellRoomRecording(t, rec, rec.Updated)
	close(r.end)
}

// recordingOf gives the running recording of a conference with this id, or the
// latest; nil.
func (e *Engine) recordingOf(account, conference, id string) *roomRecording {
	e.mu.Lock()
	defer e.mu.Unlock()
	var found *roomRecording
	for _, r := range e.taped {
		if r.final.Account != account || r.final.Conference != conference || id != "" && r.final.ID != id {
			continue
		}
		if found == nil || r.final.Created.After(found.final.Created) {
			found = r
		}
	}
	return found
}

// now is how the recording stands while it runs.
func (r *roomRecording) now() call.Recording {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.shown
}

// change pauses, resumes or stops the recording, and gives how it then stands.
func (r *roomRecording) change(ch call.RecordingChange) (call.Recording, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over || r.shown.Status == call.RecordingStopped {
		return r.shown, fmt.Errorf("the recording has ended: %w", call.ErrEnded)
	}
	if steer(r.rec, &r.shown, ch, r.e.cfg.Now()) {
		r.e.cfg.Journal.AppendRecording(r.shown)
	}
	if ch.Status == call.RecordingStopped {
		r.once.Do(func() { close(r.stop) })
	}
	return r.shown, nil
}

// Done is closed when the recording has stopped.
func (r *roomRecording) Done() <-chan struct{} { return r.done }

// Stop ends the recording and gives its final record.
func (r *roomRecording) Stop() (call.Recording, error) {
	r.once.Do(func() { close(r.stop) })
	<-r.end
	return r.final, nil
}
