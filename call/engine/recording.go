package engine

import (
	"context"
	"errors"
	"fmt"

	"callbox/call"
	"callbox/media/session"
)

// recording is a recording of a live call. It belongs to its own goroutine
// (keep), which ends when the file is whole.
type recording struct {
	c    *live
	opts call.RecordOptions
	rec  *session.Recorder
	file RecordingFile
	stop chan struct{} // closed by the first Stop
	done chan struct{} // closed when the recording has stopped by itself or by Stop
	end  chan struct{} // closed when final and err are set

	final call.Recording
	err   error
}

// tracks names the voices as media/session does.
var tracks = map[call.RecordTrack]session.Track{
	call.TrackBoth: session.Both, call.TrackInbound: session.Inbound, call.TrackOutbound: session.Outbound,
}

// startRecording starts a recording of the call, on the call's goroutine.
func (c *live) startRecording(o call.RecordOptions) (*recording, error) {
	if c.sess == nil {
		return nil, call.ErrEnded
	}
	for r := range c.recs {
		if r.opts.Source == o.Source {
			return nil, errors.New("the call is being recorded already")
		}
	}
	if o.Channels != 2 {
		o.Channels = 1
	}
	if o.Track == "" {
		o.Track = call.TrackBoth
	}
	o = c.e.limits.Load().recording(o)
	id := c.e.cfg.NewID(c.r.API, "recording")
	file, name, err := c.e.cfg.Files.Create(id, o.Channels)
	if err != nil {
		return nil, fmt.Errorf("make the recording's file: %w", err)
	}
	rec, err := session.Record(c.sess, session.RecorderConfig{
		Channels: o.Channels, Track: tracks[o.Track],
		MaxLength: o.MaxLength, MaxSilence: o.MaxSilence,
	}, file)
	if err != nil {
		file.Discard() //nolint:errcheck // nothing was recorded; the first error counts
		return nil, fmt.Errorf("start the recording: %w", err)
	}
	now := c.e.cfg.Now()
	r := &recording{c: c, opts: o, rec: rec, file: file,
		stop: make(chan struct{}), done: make(chan struct{}), end: make(chan struct{}),
		final: call.Recording{ID: id, Call: c.id, Account: c.account, API: c.r.API, Status: "in-progress",
			Source: o.Source, Track: o.Track, Channels: o.Channels, Created: now, Started: now, Updated: now,
			File: name, Hook: o.Status}}
	c.recs[r] = true
	c.r.Recordings = append(c.r.Recordings, id)
	c.e.cfg.Journal.AppendRecording(r.final)
	c.tellRecording(call.EventRecordingStarted, r.final)
	c.e.wg.Go(r.keep)
	return r, nil
}

// tellRecording publishes and journals an event of a recording. It has no
// sequence number: those are of the call's own progress.
func (c *live) tellRecording(t call.EventType, rec call.Recording) {
	c.publish()
	ev := call.Event{Type: t, At: c.e.cfg.Now(), Record: c.snapshot(), Recording: &rec}
	c.e.cfg.Publisher.Publish(ev)
	c.e.cfg.Journal.Append(ev, false)
}

// keep waits for the end of the recording and makes the file whole.
func (r *recording) keep() {
	select {
	case <-r.rec.Done():
	case <-r.stop:
	}
	close(r.done)
	err := r.rec.Stop() // waits until all samples are written
	rec := r.final
	rec.BySilence = r.rec.Stats().Reason == session.SilenceEnd
	r.finish(&rec, err)
	r.final, r.err = rec, err
	close(r.end)
	r.c.do(context.Background(), func() { r.c.recordingDone(r, rec) })
}

// finish closes the file and completes its record.
func (r *recording) finish(rec *call.Recording, err error) {
	rec.Updated = r.c.e.cfg.Now()
	length, size, sum, ferr := r.file.Finish(r.opts.Trim)
	if err == nil {
		err = ferr
	}
	rec.Duration, rec.Size, rec.SHA256 = length, size, sum
	switch {
	case err != nil:
		rec.Status, rec.Error = "absent", err.Error()
	case length == 0:
		rec.Status, rec.Error = "absent", "nothing was recorded"
	default:
		rec.Status = "completed"
	}
}

// recordingDone tells the end of a recording, on the call's goroutine.
func (c *live) recordingDone(r *recording, rec call.Recording) {
	delete(c.recs, r)
	c.e.cfg.Journal.AppendRecording(rec)
	t := call.EventRecordingDone
	if rec.Status == "absent" {
		t = call.EventRecordingAbsent
		c.note(call.EventWarning, "recording "+rec.ID+": "+rec.Error)
	}
	c.tellRecording(t, rec)
}

// Done is closed when the recording has stopped.
func (r *recording) Done() <-chan struct{} { return r.done }

// Stop ends the recording and gives its final record. It is called by one
// goroutine, the script's.
func (r *recording) Stop() (call.Recording, error) {
	select {
	case <-r.stop:
	default:
		close(r.stop)
	}
	<-r.end
	return r.final, r.err
}
