package script

import (
	"context"
	"errors"
	"strings"
	"time"

	"callbox/call"
	"callbox/media"
)

// Streams carries the sound of the call to applications. The engine hands it to
// verbs in an [Env].
type Streams interface {
	// StartStream starts to carry the call's sound and returns before the
	// application is connected. call.ErrTooMany (wrapped) when the call has enough.
	StartStream(ctx context.Context, o call.StreamOptions) (Streaming, error)
	// StopStream ends the stream with this name or id; call.ErrNoStream.
	StopStream(ctx context.Context, name string) error
}

// Streaming is a stream in progress.
type Streaming interface {
	// Done is closed when the stream has ended by itself: the application has left,
	// something failed, or the call has ended.
	Done() <-chan struct{}
	// Stop ends the stream if it still runs, waits until it is closed, and tells how
	// it went; it may be called again for the same answer.
	Stop() call.Stream
}

// Streamer talks to applications about the sound of calls (api/stream). It may be
// used concurrently.
type Streamer interface {
	// Stream connects to s.URL, then calls connected, and carries what end gives
	// and takes until the application leaves (nil), end is over (nil), ctx ends or
	// something fails. An error is or wraps a *StreamError.
	Stream(ctx context.Context, s call.Stream, rec call.Record, end StreamEnd, connected func()) error
}

// StreamError is why a stream failed. Code is the number of call-api.md §1.5
// (31902 refused, 31921 closed …).
type StreamError struct {
	Code int
	Err  error
}

func (e *StreamError) Error() string { return e.Err.Error() }
func (e *StreamError) Unwrap() error { return e.Err }

// StreamEnd is the call's end of a stream. Its methods may be called from any
// goroutine; none but Next and Press waits.
type StreamEnd interface {
	// Next waits for what there is for the application. io.EOF when the stream is
	// to end; else the error of ctx.
	Next(ctx context.Context, p *StreamPiece) error
	// Play lets the call hear samples (8 kHz) behind all that was played before;
	// they are the callee's from then on. False: there was no room for all of them.
	Play(samples []int16) bool
	// Mark makes a StreamMark of this name come out of Next when all that was played
	// before it has been heard, or cleared. False: there are too many already.
	Mark(name string) bool
	// Clear forgets what was not heard yet: its marks come back as cleared. With
	// marksOnly the sound stays.
	Clear(marksOnly bool)
	// Press sends keys (0-9 * # A-D) to the call.
	Press(ctx context.Context, keys string) error
	// Warn tells of something that the application did wrong; only the first few
	// sentences are told.
	Warn(text string)
}

// StreamPieceKind is what a StreamPiece is.
type StreamPieceKind int

const (
	StreamSound StreamPieceKind = iota // In and Out
	StreamKey                          // Key
	StreamMark                         // Mark, and Cleared
)

// StreamPiece is something for an application.
type StreamPiece struct {
	Kind    StreamPieceKind
	At      time.Duration // since the beginning of the stream
	In, Out media.Frame   // what the leg says and what it hears; silent where Track leaves it out
	Key     byte
	Mark    string
	Cleared bool
}

// StartStream carries the call's sound to an application while the document goes
// on, until it is stopped or the call ends.
type StartStream struct{ Options call.StreamOptions }

// Name is "stream".
func (StartStream) Name() string { return "stream" }

// Run starts the stream. One that cannot be started gives a warning.
func (s StartStream) Run(ctx context.Context, env *Env) (*Jump, error) {
	_, err := env.StartStream(ctx, s.Options)
	if err == nil || over(ctx, err) {
		return nil, err
	}
	env.Tell(call.EventWarning, "the sound is not streamed: "+err.Error())
	return nil, nil
}

// StopStream ends a stream.
type StopStream struct{ Stream string } // its name

// Name is "stop".
func (StopStream) Name() string { return "stop" }

// BeforeAnswer is true: the far end hears nothing of it.
func (StopStream) BeforeAnswer() bool { return true }

// Run ends it. One that there is not gives a warning.
func (s StopStream) Run(ctx context.Context, env *Env) (*Jump, error) {
	err := env.StopStream(ctx, s.Stream)
	if errors.Is(err, call.ErrNoStream) {
		env.Tell(call.EventWarning, "cannot stop the stream "+s.Stream+": "+err.Error())
		return nil, nil
	}
	return nil, err
}

// Connect carries the call's sound to an application, and the application's to
// the call, and goes on when that is over.
type Connect struct {
	Verb        string // the name in the document: "connect", "listen"
	Options     call.StreamOptions
	FinishOnKey string        // any of these keys ends it; empty: none
	MaxLength   time.Duration // 0: no limit
	Beep        bool          // 1,000 Hz for 0.5 s before it starts
	Early       bool          // begin before the answer, which the verb then leaves to others
	Action      call.Hook     // told how it went; none: the document goes on
	Resume      bool          // come back when Action's answer holds no verbs
}

// StreamResult is how a Connect ended.
type StreamResult struct {
	Stream call.Stream
	Digits string // the key that ended it
}

// Name is Verb.
func (c Connect) Name() string { return c.Verb }

// BeforeAnswer is Early.
func (c Connect) BeforeAnswer() bool { return c.Early }

// Run streams until the application leaves, a key is pressed or MaxLength has
// passed, and jumps to Action.
func (c Connect) Run(ctx context.Context, env *Env) (*Jump, error) {
	if c.Early && !early(ctx, env) {
		return nil, ctx.Err()
	}
	env.DropDigits()
	if err := playBeep(ctx, env, c.Beep); err != nil {
		return nil, err
	}
	s, err := env.StartStream(ctx, c.Options)
	if err != nil {
		if over(ctx, err) {
			return nil, err
		}
		env.Tell(call.EventWarning, "the sound is not streamed: "+err.Error())
		return nil, nil
	}
	res := &StreamResult{}
	key, kerr := c.untilDone(ctx, env, s)
	if key != 0 {
		res.Digits = string(rune(key))
	}
	res.Stream = s.Stop()
	if kerr != nil && !ended(env, kerr) {
		return nil, kerr // another document took over: nobody waits for this one
	}
	if c.Action.IsZero() {
		return nil, kerr
	}
	return &Jump{Hook: c.Action, Result: &Result{Verb: "stream", Stream: res}, Resume: c.Resume}, nil
}

// forEver is longer than any call.
const forEver = 1000 * time.Hour

// untilDone waits for the end of s: by itself or by MaxLength (0, nil), by a key,
// or with an error because the script is over.
func (c Connect) untilDone(ctx context.Context, env *Env, s Streaming) (byte, error) {
	limit := c.MaxLength
	if limit <= 0 {
		limit = forEver
	}
	listening, deafen := context.WithTimeout(ctx, limit)
	return untilKey(ctx, listening, deafen, env, s.Done(), func(d byte) bool {
		return strings.IndexByte(c.FinishOnKey, d) >= 0
	})
}
