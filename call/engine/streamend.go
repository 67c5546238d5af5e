package engine

import (
	"context"
	"io"
	"sync"
	"time"

	"callbox/call"
	"callbox/call/script"
	"callbox/media"
	"callbox/media/session"
)

// Bounds of what waits in one stream.
const (
	maxPlayed     = 120 * time.Second // sound that the call has not heard yet
	maxMarks      = 500               // marks behind it
	maxComplaints = 3                 // that are told
	maxNews       = 64                // keys and marks for the application, besides cleared ones
	// heldTicks is how long the beginning of a frame waits for its rest before it is
	// heard with silence behind it.
	heldTicks = 3
)

// streamEnd is the call's end of a stream: what the application is to get, and
// what it plays. ReadFrame belongs to the clock.
type streamEnd struct {
	call  *live
	keys  bool
	ready chan struct{} // closed by listen
	over  chan struct{} // closed by finish
	more  chan struct{} // holds one token while news may be non-empty

	mu       sync.Mutex // guards what follows
	listener *session.Listener
	mode     call.StreamChange // what is carried
	news     []script.StreamPiece
	queue    []played
	waiting  int // samples in queue
	marks    int // in queue
	held     int // ticks that the beginning of a frame has waited
	lost     call.StreamLoss
	warned   int // complaints
}

// played is sound that waits to be heard, or a mark behind it.
type played struct {
	samples []int16
	mark    string
	isMark  bool
}

var (
	_ script.StreamEnd = (*streamEnd)(nil)
	_ media.Source     = (*streamEnd)(nil)
)

func newStreamEnd(c *live, o call.StreamOptions) *streamEnd {
	return &streamEnd{call: c, keys: o.Keys, ready: make(chan struct{}), over: make(chan struct{}), more: make(chan struct{}, 1),
		news: make([]script.StreamPiece, 0, 4)}
}

// listen begins to hear the call.
func (e *streamEnd) listen(l *session.Listener) {
	e.mu.Lock()
	e.listener = l
	e.mu.Unlock()
	close(e.ready)
}

// finish says that nothing more is to be carried.
func (e *streamEnd) finish() { close(e.over) }

// Next waits for what there is for the application: first what happened, then
// what was heard.
func (e *streamEnd) Next(ctx context.Context, p *script.StreamPiece) error {
	select {
	case <-e.ready:
	case <-e.over:
		return io.EOF
	case <-ctx.Done():
		return ctx.Err()
	}
	l := e.listener // set before ready was closed
	for {
		select {
		case <-e.over:
			return io.EOF
		default:
		}
		if e.takeNews(p) || e.takeSound(l, p) {
			return nil
		}
		select {
		case <-e.more:
		case <-l.More():
		case <-l.Silent():
			return io.EOF
		case <-e.over:
			return io.EOF
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// takeNews gives the oldest key or mark.
func (e *streamEnd) takeNews(p *script.StreamPiece) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.news) == 0 {
		return false
	}
	*p = e.news[0]
	e.news = append(e.news[:0], e.news[1:]...)
	return true
}

// takeSound gives the oldest tick.
func (e *streamEnd) takeSound(l *session.Listener, p *script.StreamPiece) bool {
	var h session.Heard
	for l.Take(&h) {
		e.mu.Lock()
		mode := e.mode
		e.mu.Unlock()
		switch mode {
		case call.StreamPause:
			continue
		case call.StreamSilence:
			h.In.Clear()
			h.Out.Clear()
		case "", call.StreamResume:
		}
		p.Kind, p.At, p.In, p.Out = script.StreamSound, h.At, h.In, h.Out
		return true
	}
	return false
}

// change changes what is carried from now on.
func (e *streamEnd) change(c call.StreamChange) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mode = c
}

// tell puts something before the application; the lock is held.
func (e *streamEnd) tell(p script.StreamPiece) {
	e.news = append(e.news, p)
	select {
	case e.more <- struct{}{}:
	default:
	}
}

// press tells the application of a key that the far end pressed.
func (e *streamEnd) press(d byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case !e.keys:
	case len(e.news) >= maxNews:
		e.lost.Keys++
	default:
		e.tell(script.StreamPiece{Kind: script.StreamKey, Key: d})
	}
}

// Play lets the call hear samples behind what waits.
func (e *streamEnd) Play(samples []int16) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	room := media.SamplesIn(maxPlayed) - e.waiting
	whole := len(samples) <= room
	if !whole {
		e.lost.Played += uint64((len(samples) - room + media.FrameSamples - 1) / media.FrameSamples)
		samples = samples[:room]
	}
	if len(samples) > 0 {
		e.queue = append(e.queue, played{samples: samples})
		e.waiting += len(samples)
	}
	return whole
}

// Mark puts a mark behind what waits; with nothing before it it comes back at once.
func (e *streamEnd) Mark(name string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.marks+len(e.news) >= maxMarks {
		return false
	}
	if len(e.queue) == 0 {
		e.tell(script.StreamPiece{Kind: script.StreamMark, Mark: name})
		return true
	}
	e.queue = append(e.queue, played{mark: name, isMark: true})
	e.marks++
	return true
}

// Clear forgets what waits, or its marks only.
func (e *streamEnd) Clear(marksOnly bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.clearMarks()
	if !marksOnly {
		e.queue, e.waiting, e.held = nil, 0, 0
	}
}

// Warn tells of something that the application did wrong.
func (e *streamEnd) Warn(text string) {
	e.mu.Lock()
	e.warned++
	quiet := e.warned > maxComplaints
	e.mu.Unlock()
	if !quiet {
		control{c: e.call}.Tell(call.EventWarning, "a stream's application: "+text)
	}
}

// clearMarks takes the marks out of the queue; the lock is held.
func (e *streamEnd) clearMarks() {
	var sound []played
	for _, p := range e.queue {
		if p.isMark {
			e.tell(script.StreamPiece{Kind: script.StreamMark, Mark: p.mark, Cleared: true})
		} else {
			sound = append(sound, p)
		}
	}
	e.queue, e.marks = sound, 0
}

// Press sends keys to the call.
func (e *streamEnd) Press(ctx context.Context, keys string) error {
	return sound{control{c: e.call}}.SendDigits(ctx, keys, 0)
}

// ReadFrame gives the next 20 ms of what waits, on the media tick.
func (e *streamEnd) ReadFrame(f *media.Frame) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.passMarks()
	if e.waiting == 0 {
		return false
	}
	if e.waiting < media.FrameSamples && e.marks == 0 && e.held < heldTicks {
		e.held++
		return false
	}
	e.held = 0
	n := 0
	for n < media.FrameSamples && len(e.queue) > 0 && !e.queue[0].isMark {
		k := copy(f[n:], e.queue[0].samples)
		n += k
		if e.queue[0].samples = e.queue[0].samples[k:]; len(e.queue[0].samples) == 0 {
			e.drop()
		}
		e.passMarks()
	}
	e.waiting -= n
	clear(f[n:])
	return true
}

// passMarks tells of the marks that stand in front; the lock is held.
func (e *streamEnd) passMarks() {
	for len(e.queue) > 0 && e.queue[0].isMark {
		e.tell(script.StreamPiece{Kind: script.StreamMark, Mark: e.queue[0].mark})
		e.marks--
		e.drop()
	}
}

// drop removes the front of the queue and lets go of what it held; the lock is held.
func (e *streamEnd) drop() {
	e.queue[0] = played{}
	e.queue = e.queue[1:]
}

// losses counts what was not carried.
func (e *streamEnd) losses() call.StreamLoss {
	e.mu.Lock()
	defer e.mu.Unlock()
	l := e.lost
	if e.listener != nil {
		l.Frames = e.listener.Lost()
	}
	return l
}
