package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"callbox/call"
	"callbox/media/session"
)

// Bounds of the recordings of one call: a document may loop, and so may a program.
const (
	maxRecordings = 1000
	maxRecorders  = 4 // at once
)

// recordings are those of one call; they belong to the call's goroutine.
type recordings struct {
	running map[*recording]bool
	of      *session.Session // the one that the call's own recording was started on
	last    *call.Recording  // the last that was completed
}

// recording is a recording of a live call. It has a goroutine of its own
// (keep), which ends when the file is whole.
type recording struct {
	c    *live
	on   *session.Session
	opts call.RecordOptions
	rec  *session.Recorder
	file RecordingFile
	once sync.Once
	stop chan struct{} // closed by the first halt
	done chan struct{} // closed when the recording has stopped by itself or by Stop
	end  chan struct{} // closed when final and err are set

	shown call.Recording // while it runs; owned by the call's goroutine
	final call.Recording
	err   error
}

// tracks names the voices as media/session does.
var tracks = map[call.RecordTrack]session.Track{
	call.TrackBoth: session.Both, call.TrackInbound: session.Inbound, call.TrackOutbound: session.Outbound,
}

// recordRinging starts the call's own recording before the answer, if that was
// asked for.
func (c *live) recordRinging() {
	if c.record != nil && c.record.FromRinging {
		c.recordCall()
	}
}

// recordCall starts the call's own recording, unless it runs. Making the file
// is left to another goroutine: a slow disk must not hold up the call.
func (c *live) recordCall() {
	if c.record == nil || c.recording.of == c.sess {
		return
	}
	c.recording.of = c.sess
	o := *c.record
	c.e.tasks.Go(func() {
		if _, err := c.makeRecording(o); err != nil && !errors.Is(err, call.ErrEnded) {
			control{c: c}.Tell(call.EventWarning, "the call is not recorded: "+err.Error())
		}
	})
}

// makeRecording starts a recording from any goroutine but the call's.
func (c *live) makeRecording(o call.RecordOptions) (*recording, error) {
	if o.Channels != 2 {
		o.Channels = 1
	}
	if o.Track == "" {
		o.Track = call.TrackBoth
	}
	o = c.e.limits.Load().recording(o)
	id := c.e.cfg.NewID(c.rec.Load().API, "recording")
	file, name, err := c.e.cfg.Files.Create(id, o.Channels)
	if err != nil {
		return nil, fmt.Errorf("make the recording's file: %w", err)
	}
	var r *recording
	given := false // to the recorder, which closes it
	err = control{c: c}.ask(context.Background(), func() (err error) {
		if err = c.mayRecord(o.Source); err == nil {
			given = true
			r, err = c.startRecording(o, id, name, file)
		}
		return err
	})
	if err != nil {
		if !given {
			file.Close() //nolint:errcheck // nothing was recorded; the first error counts
		}
		file.Discard() //nolint:errcheck // likewise
		return nil, err
	}
	return r, nil
}

// mayRecord says why a recording cannot be started now.
func (c *live) mayRecord(source string) error {
	if c.sess == nil {
		return call.ErrEnded
	}
	if len(c.r.Recordings) >= maxRecordings {
		return fmt.Errorf("the call has %d recordings already", maxRecordings)
	}
	running := 0
	for r := range c.recording.running {
		if r.on != c.sess || r.stopped() {
			continue
		}
		running++
		if r.opts.Source == source && source != startedByRequest {
			return errors.New("the call is being recorded already")
		}
	}
	if running >= maxRecorders {
		return fmt.Errorf("%w: %d recordings", call.ErrTooMany, maxRecorders)
	}
	return nil
}

// stopped reports whether the recording has ended, though its file may not be
// whole yet.
func (r *recording) stopped() bool {
	select {
	case <-r.done:
	case <-r.stop:
	default:
		return false
	}
	return true
}

// startRecording starts a recording of the call, on the call's goroutine.
func (c *live) startRecording(o call.RecordOptions, id, name string, file RecordingFile) (*recording, error) {
	rec, err := session.Record(c.sess, session.RecorderConfig{
		Channels: o.Channels, Track: tracks[o.Track],
		MaxLength: o.MaxLength, MaxSilence: o.MaxSilence,
	}, file)
	if err != nil {
		return nil, fmt.Errorf("start the recording: %w", err)
	}
	now := c.e.cfg.Now()
	r := &recording{c: c, on: c.sess, opts: o, rec: rec, file: file,
		stop: make(chan struct{}), done: make(chan struct{}), end: make(chan struct{}),
		final: call.Recording{ID: id, Call: c.id, Account: c.account, API: c.r.API, Status: "in-progress",
			Source: o.Source, Track: o.Track, Channels: o.Channels, Created: now, Started: now, Updated: now,
			File: name, Hook: o.Status, Transcript: o.Transcript}}
	r.shown = r.final
	if c.recording.running == nil {
		c.recording.running = map[*recording]bool{}
	}
	c.recording.running[r] = true
	c.r.Recordings = append(c.r.Recordings, id)
	c.e.cfg.Journal.AppendRecording(r.final)
	c.tellRecording(call.EventRecordingStarted, r.final)
	c.e.tasks.Go(r.keep)
	return r, nil
}

// tellRecording publishes and journals an event of a recording. It has no
// sequence number: those are of the call's own progress.
func (c *live) tellRecording(t call.EventType, rec call.Recording) {
	c.publish()
	ev := call.Event{Type: t, At: c.e.cfg.Now(), Record: c.rec.Load(), Recording: &rec}
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
	stats := r.rec.Stats()
	rec.BySilence = stats.Reason == session.SilenceEnd
	rec.Updated = r.c.e.cfg.Now()
	finish(r.file, r.opts.Trim, &rec, err)
	if rec.Status == "completed" {
		err = nil // what there is can be played, and says what is missing
	}
	r.final, r.err = rec, err
	// The record first: whoever waits for the end will ask for it.
	r.c.do(context.Background(), func() { r.c.recordingDone(r, rec, stats.Dropped) })
	close(r.end)
}

// finish completes a recording's record from its file, which was closed with err.
// What was written before an error is kept, and the record says that it is not all.
func finish(file RecordingFile, trim bool, rec *call.Recording, err error) {
	length, size, sum, ferr := file.Finish(trim && err == nil)
	rec.Duration, rec.Size, rec.SHA256 = length, size, sum
	rec.Status = "completed"
	switch {
	case length > 0 && err != nil:
		rec.Error = fmt.Sprintf("it ends early, after %.1f s, which are kept: %v", length.Seconds(), err)
	case length > 0 && ferr != nil:
		rec.Error = ferr.Error()
	case length == 0:
		rec.Status, rec.Error = "absent", "nothing was recorded"
		if err = errors.Join(err, ferr); err != nil {
			rec.Error = err.Error()
		}
	}
}

// recordingDone tells the end of a recording, on the call's goroutine, and then
// that of the call if it waits for this.
func (c *live) recordingDone(r *recording, rec call.Recording, lost uint64) {
	delete(c.recording.running, r)
	c.e.cfg.Journal.AppendRecording(rec)
	t := call.EventRecordingDone
	if rec.Status == "absent" {
		t = call.EventRecordingAbsent
	} else {
		c.recording.last = &rec
	}
	if rec.Error != "" {
		c.note(call.EventWarning, "recording "+rec.ID+": "+rec.Error)
	}
	if lost > 0 {
		c.note(call.EventWarning, fmt.Sprintf("recording %s lacks %d frames of 20 ms: the disk was too slow", rec.ID, lost))
	}
	c.tellRecording(t, rec)
	if c.r.State.Final() && len(c.recording.running) == 0 {
		c.tellEnd()
	}
}

// Done is closed when the recording has stopped.
func (r *recording) Done() <-chan struct{} { return r.done }

// halt ends the recording; its file becomes whole a little later. It may be
// called from any goroutine, and again.
func (r *recording) halt() { r.once.Do(func() { close(r.stop) }) }

// Stop ends the recording and gives its final record.
func (r *recording) Stop() (call.Recording, error) {
	r.halt()
	<-r.end
	return r.final, r.err
}
