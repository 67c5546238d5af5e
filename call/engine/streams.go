package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"callbox/call"
	"callbox/call/script"
	"callbox/media/session"
)

// Bounds of the streams of one call.
const (
	maxStreams     = 4    // at once
	maxStreamsEver = 1000 // a document may loop
	// partingTime is how long a stream that is to end may take for its last words.
	partingTime = 2 * time.Second
)

// streams are those of one call; they belong to the call's goroutine.
type streams struct {
	running []*streaming // in order of their beginning
	count   int          // of all that there ever were
}

// streaming is a stream of a live call. It has a goroutine of its own (run),
// which ends when the application has been told of the end, or has not listened.
type streaming struct {
	*streamEnd
	c      *live
	on     *session.Session
	ctx    context.Context
	cancel context.CancelFunc
	halted sync.Once
	done   chan struct{} // closed when it ends, by itself or by halt
	end    chan struct{} // closed when final is set

	// Owned by the call's goroutine.
	now     call.Stream
	connect time.Time // zero: not yet connected
	remove  []func()

	final call.Stream
}

var (
	_ script.Streams   = control{}
	_ script.Streaming = (*streaming)(nil)
)

// errNoStreamer says that the box was built without.
var errNoStreamer = errors.New("this box does not stream sound")

// StreamStats are the counters of all streams.
type StreamStats struct {
	Running int    // now
	Failed  uint64 // that ended with an error
	Lost    call.StreamLoss
}

// streamCounters are those of an engine; streams that have ended are in them.
type streamCounters struct {
	mu sync.Mutex
	StreamStats
}

// StreamStats gives the counters. What running streams have lost is not in them
// yet.
func (e *Engine) StreamStats() StreamStats {
	e.streams.mu.Lock()
	defer e.streams.mu.Unlock()
	return e.streams.StreamStats
}

// ended counts a stream that has ended; err says how.
func (k *streamCounters) ended(s call.Stream, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.Running--
	if err != nil {
		k.Failed++
	}
	k.Lost.Frames += s.Lost.Frames
	k.Lost.Played += s.Lost.Played
	k.Lost.Keys += s.Lost.Keys
}

// begun counts a stream that begins.
func (k *streamCounters) begun() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.Running++
}

// StartStream starts to carry the sound of a live call to an application.
// call.ErrNotFound, call.ErrEnded, call.ErrWrongState before the answer,
// call.ErrTooMany (wrapped).
func (e *Engine) StartStream(ctx context.Context, account, id string, o call.StreamOptions) (call.Stream, error) {
	var out call.Stream
	err := e.onLive(ctx, account, id, func(c *live) error {
		if c.r.State != call.InProgress {
			return call.ErrWrongState
		}
		s, err := c.stream(o)
		if err == nil {
			out = s.now
		}
		return err
	})
	return out, err
}

// Streams are those of a call that run, in the order of their beginning.
func (e *Engine) Streams(ctx context.Context, account, id string) (list []call.Stream, err error) {
	err = e.onLive(ctx, account, id, func(c *live) error {
		for _, s := range c.streams.running {
			list = append(list, s.now)
		}
		return nil
	})
	if errors.Is(err, call.ErrEnded) {
		return nil, nil
	}
	return list, err
}

// StopStream ends the stream of a live call with this id or name; call.ErrNoStream
// when there is none, else errors as of StartStream.
func (e *Engine) StopStream(ctx context.Context, account, id, stream string) (call.Stream, error) {
	var out call.Stream
	err := e.onLive(ctx, account, id, func(c *live) error {
		s := c.findStream(stream)
		if s == nil {
			return call.ErrNoStream
		}
		s.halt()
		out = s.now
		out.State, out.Updated = call.StreamStopped, c.e.cfg.Now()
		return nil
	})
	return out, err
}

// onLive runs f on the goroutine of a live call that is not final.
func (e *Engine) onLive(ctx context.Context, account, id string, f func(c *live) error) error {
	c := e.find(account, id)
	if c == nil {
		if _, err := e.cfg.Journal.Call(ctx, account, id); err != nil {
			return err
		}
		return call.ErrEnded
	}
	return control{c: c}.ask(ctx, func() error { return f(c) })
}

// StartStream starts a stream of a script.
func (k control) StartStream(ctx context.Context, o call.StreamOptions) (script.Streaming, error) {
	var s *streaming
	err := k.ask(ctx, func() (err error) {
		s, err = k.c.stream(o)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// StopStream ends a stream.
func (k control) StopStream(ctx context.Context, name string) error {
	return k.ask(ctx, func() error {
		s := k.c.findStream(name)
		if s == nil {
			return call.ErrNoStream
		}
		s.halt()
		return nil
	})
}

// findStream finds a running stream by its id or name, the newest first; nil.
func (c *live) findStream(name string) *streaming {
	for i := len(c.streams.running) - 1; i >= 0; i-- {
		if s := c.streams.running[i]; !s.stopping() && name != "" && (s.now.ID == name || s.now.Name == name) {
			return s
		}
	}
	return nil
}

// stream starts a stream, on the call's goroutine.
func (c *live) stream(o call.StreamOptions) (*streaming, error) {
	running := 0
	for _, s := range c.streams.running {
		if !s.stopping() {
			running++
		}
	}
	switch {
	case c.e.cfg.Streamer == nil:
		return nil, errNoStreamer
	case c.sess == nil:
		return nil, call.ErrEnded
	case running >= maxStreams:
		return nil, fmt.Errorf("%w: %d streams", call.ErrTooMany, maxStreams)
	case c.streams.count >= maxStreamsEver:
		return nil, fmt.Errorf("the call has had %d streams already: %w", maxStreamsEver, call.ErrTooMany)
	case o.Name != "" && c.findStream(o.Name) != nil:
		return nil, fmt.Errorf("%w: there is a stream %q already", call.ErrTooMany, o.Name)
	}
	if o.Track == "" {
		o.Track = call.TrackBoth
	}
	now := c.e.cfg.Now()
	s := &streaming{c: c, on: c.sess, streamEnd: newStreamEnd(c, o), done: make(chan struct{}), end: make(chan struct{}),
		now: call.Stream{ID: c.e.cfg.NewID(c.r.API, "stream"), Call: c.id, Account: c.account, API: c.r.API,
			State: call.StreamRunning, Created: now, Updated: now, StreamOptions: o}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	c.streams.running = append(c.streams.running, s)
	c.streams.count++
	c.e.streams.begun()
	desc := s.now
	c.e.tasks.Go(func() { s.run(desc) })
	return s, nil
}

// run is the stream's goroutine.
func (s *streaming) run(desc call.Stream) {
	defer s.cancel()
	err := s.c.e.cfg.Streamer.Stream(s.ctx, desc, s.c.snapshot(), s.streamEnd, s.connected)
	if s.stopping() {
		err = nil // however it ended, that was asked for
	}
	s.halt()
	s.c.do(context.Background(), func() { s.c.streamEnded(s, err) })
	close(s.end)
}

// connected begins to carry sound: the application is there.
func (s *streaming) connected() {
	s.c.do(s.ctx, func() {
		if s.stopping() || s.c.sess != s.on {
			return
		}
		s.connect = s.c.e.cfg.Now()
		listener := session.Listen(s.on, session.ListenerConfig{Track: tracks[s.now.Track], MaxSilence: s.now.MaxSilence})
		s.remove = append(s.remove, listener.Close)
		if s.now.TwoWay {
			s.remove = append(s.remove, s.on.Mix(s.streamEnd))
		}
		s.listen(listener)
		s.c.tellStream(call.EventStreamStarted, s.now)
	})
}

// stopping reports whether the stream has ended, or is about to.
func (s *streaming) stopping() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// halt ends the stream. The application is still told so, within partingTime. It
// may be called from any goroutine, and again.
func (s *streaming) halt() {
	s.halted.Do(func() {
		close(s.done)
		s.finish()
		select {
		case <-s.ready:
		default:
			s.cancel() // nobody has been told of a beginning
		}
		last := time.AfterFunc(partingTime, s.cancel)
		context.AfterFunc(s.ctx, func() { last.Stop() })
	})
}

// Done is closed when the stream has ended.
func (s *streaming) Done() <-chan struct{} { return s.done }

// Stop ends the stream and tells how it went.
func (s *streaming) Stop() call.Stream {
	s.halt()
	<-s.end
	return s.final
}

// streamEnded takes a stream that is over out of the call, on its goroutine.
func (c *live) streamEnded(s *streaming, err error) {
	for _, remove := range s.remove {
		remove()
	}
	now := c.e.cfg.Now()
	s.now.State, s.now.Updated, s.now.Lost = call.StreamStopped, now, s.losses()
	if !s.connect.IsZero() {
		s.now.Length = now.Sub(s.connect)
	}
	c.e.streams.ended(s.now, err)
	for i, r := range c.streams.running {
		if r == s {
			c.streams.running = append(c.streams.running[:i:i], c.streams.running[i+1:]...)
			break
		}
	}
	if err != nil {
		s.now.Error = err.Error()
		var e *script.StreamError
		if errors.As(err, &e) {
			s.now.ErrorCode = e.Code
		}
		c.note(call.EventWarning, "a stream failed: "+s.now.Error)
		c.tellStream(call.EventStreamError, s.now)
	}
	if l := s.now.Lost; l.Frames+l.Played+l.Keys > 0 {
		c.note(call.EventWarning, fmt.Sprintf("a stream lost %d frames of 20 ms on the way to the application, %d from it, and %d keys", l.Frames, l.Played, l.Keys))
	}
	if !s.connect.IsZero() {
		c.tellStream(call.EventStreamStopped, s.now)
	}
	s.final = s.now
}

// tellStream publishes and journals an event of a stream. It has no sequence
// number: those are of the call's own progress.
func (c *live) tellStream(t call.EventType, s call.Stream) {
	ev := call.Event{Type: t, At: c.e.cfg.Now(), Record: c.rec.Load(), Stream: &s}
	c.e.cfg.Publisher.Publish(ev)
	c.e.cfg.Journal.Append(ev, false)
}

// endStreams ends those that run: the call, or its leg, is over.
func (c *live) endStreams() {
	for _, s := range c.streams.running {
		s.halt()
	}
}

// changeStreams changes what the running streams carry; call.ErrWrongState when
// there are none.
func (c *live) changeStreams(ch call.StreamChange) error {
	n := 0
	for _, s := range c.streams.running {
		if !s.stopping() {
			s.change(ch)
			n++
		}
	}
	if n == 0 {
		return fmt.Errorf("%w: its sound is not streamed", call.ErrWrongState)
	}
	return nil
}
