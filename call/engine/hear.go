package engine

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"callbox/call"
	"callbox/call/script"
	"callbox/media"
	"callbox/media/session"
)

// Recogniser turns sound into text.
type Recogniser interface {
	// Open begins to listen. The error wraps call.ErrNoRecogniser when no speech
	// vendor does what is asked for.
	Open(ctx context.Context, h call.Hearing) (Recognition, error)
}

// Recognition is one voice on its way through a recogniser. WriteFrame is called
// on the media tick: it does not block.
type Recognition interface {
	media.Sink
	script.Transcripts
}

// ears are a script's hold on what the call's far end says.
type ears struct{ control }

var _ script.Recogniser = ears{}

// Hear begins to listen to the call.
func (k ears) Hear(ctx context.Context, h call.Hearing) (script.Transcripts, error) {
	return k.listen(ctx, h, nil)
}

// listen is Hear; nothing is heard while paused.
func (k ears) listen(ctx context.Context, h call.Hearing, paused *atomic.Bool) (script.Transcripts, error) {
	if k.c.e.cfg.Recogniser == nil {
		return nil, call.ErrNoRecogniser
	}
	own := k.c.snapshot().Session.Speech
	if h.Vendor == "" || h.Vendor == "default" {
		h.Vendor = own.Recognizer
	}
	if h.Vendor == "default" {
		h.Vendor = ""
	}
	if h.Language == "" || h.Language == "default" {
		h.Language = own.RecognizerLanguage
	}
	r, err := k.c.e.cfg.Recogniser.Open(ctx, h)
	if err != nil {
		return nil, err
	}
	way := session.In
	if h.Track == call.TrackOutbound {
		way = session.Out
	}
	l := &hearer{Recognition: r, paused: paused}
	err = k.ask(ctx, func() error {
		if k.c.sess == nil {
			return call.ErrEnded
		}
		l.remove = k.c.sess.Tap(way, l)
		return nil
	})
	if err != nil {
		r.Close()
		return nil, err
	}
	return l, nil
}

// hearer is a recognition that listens to a session.
type hearer struct {
	Recognition
	remove func()
	paused *atomic.Bool // nil: never
}

// WriteFrame passes the sound on.
func (l *hearer) WriteFrame(f *media.Frame) {
	if l.paused == nil || !l.paused.Load() {
		l.Recognition.WriteFrame(f)
	}
}

// Close stops listening.
func (l *hearer) Close() {
	l.remove()
	l.Recognition.Close()
}

// scribe is a transcription of a call. It has goroutines of its own, which end
// with it or with the call.
type scribe struct {
	cancel context.CancelFunc
	paused atomic.Bool
}

// transcribe replaces the call's transcription, on the call's goroutine.
func (c *live) transcribe(t call.Transcription) {
	if c.scribe != nil {
		c.scribe.cancel()
		c.scribe = nil
	}
	if !t.Hook.IsZero() {
		c.scribe = c.startScribe(t)
	}
}

// startScribe begins a transcription from any goroutine.
func (c *live) startScribe(t call.Transcription) *scribe {
	ctx, cancel := context.WithCancel(context.Background())
	s := &scribe{cancel: cancel}
	c.e.tasks.Go(func() {
		select {
		case <-c.over:
			cancel()
		case <-ctx.Done():
		}
	})
	tracks := []call.RecordTrack{t.Hearing.Track}
	if t.Hearing.Track == call.TrackBoth {
		tracks = []call.RecordTrack{call.TrackInbound, call.TrackOutbound}
	}
	for i, track := range tracks {
		h := t.Hearing
		h.Track = track
		c.e.tasks.Go(func() {
			if err := c.write(ctx, s, t.Hook, h, i+1); err != nil && !over(ctx, err) {
				control{c: c}.Tell(call.EventWarning, "the call is not transcribed: "+err.Error())
			}
		})
	}
	return s
}

// transcriptTime bounds the telling of one result.
const transcriptTime = 10 * time.Second

// write tells hook of what is said until ctx ends.
func (c *live) write(ctx context.Context, s *scribe, hook call.Hook, h call.Hearing, channel int) error {
	tr, err := ears{control{c: c}}.listen(ctx, h, &s.paused)
	if err != nil {
		return err
	}
	defer tr.Close()
	for {
		t, err := tr.Next(ctx)
		if err != nil {
			return err
		}
		if s.paused.Load() || !t.Final && !h.Interim || t.Text() == "" {
			continue
		}
		t.Channel = channel
		one, cancel := context.WithTimeout(ctx, transcriptTime)
		_, err = c.e.cfg.Fetcher.Fetch(one, hook, c.snapshot(), &script.Result{Verb: script.TranscriptResult, Speech: &t})
		cancel()
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("tell what was said: %w", err)
		}
	}
}
