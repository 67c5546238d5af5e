package session

import (
	"sync"
	"time"

	"callbox/media"
)

// ListenerConfig says what a [Listener] hears.
type ListenerConfig struct {
	Track Track
	// Buffer bounds the sound that waits to be taken, 0.2…60 s; 0 is 2 s. When it
	// is full the oldest frame is thrown away and counted.
	Buffer time.Duration
	// MaxSilence closes Silent after so long without sound of the far end; 0: never.
	MaxSilence time.Duration
}

// defaultWait is the Buffer of a listener that names none.
const defaultWait = 2 * time.Second

// Heard is one tick of a session. A direction that is not listened to is silent.
type Heard struct {
	At      time.Duration // since the listener was made, whole frames
	In, Out media.Frame
}

// Listener hands the sound of a session to one goroutine, which takes it in its
// own time. It never holds up the clock. Its methods may be called from any
// goroutine.
type Listener struct {
	track  Track
	remove []func()
	more   chan struct{} // holds one token while there may be something to take
	silent chan struct{} // closed after MaxSilence

	mu      sync.Mutex // guards what follows
	in      media.Frame
	meter   silenceMeter
	hushed  bool // silent is closed
	ticks   int64
	ring    []Heard
	head, n int
	lost    uint64
}

// Listen starts to listen to s. It must be closed.
func Listen(s *Session, cfg ListenerConfig) *Listener {
	if cfg.Buffer == 0 {
		cfg.Buffer = defaultWait
	}
	cfg.Buffer = min(max(cfg.Buffer, minBuffer), maxBuffer)
	l := &Listener{track: cfg.Track, more: make(chan struct{}, 1), silent: make(chan struct{}),
		meter: newSilenceMeter(RecorderConfig{MaxSilence: cfg.MaxSilence, SilenceLevel: defaultSilence}),
		ring:  make([]Heard, int(cfg.Buffer/media.FrameDuration))}
	if cfg.Track != Outbound || cfg.MaxSilence > 0 {
		l.remove = append(l.remove, s.Tap(In, (*earIn)(l)))
	}
	l.remove = append(l.remove, s.Tap(Out, (*earOut)(l))) // each tick ends with it
	return l
}

// More gets a token when there may be something to take.
func (l *Listener) More() <-chan struct{} { return l.more }

// Silent is closed when the far end has been silent for MaxSilence.
func (l *Listener) Silent() <-chan struct{} { return l.silent }

// Take gives the oldest tick that waits, and false when there is none.
func (l *Listener) Take(h *Heard) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.n == 0 {
		return false
	}
	*h = l.ring[l.head]
	l.head = (l.head + 1) % len(l.ring)
	l.n--
	return true
}

// Lost is the number of frames that were thrown away.
func (l *Listener) Lost() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost
}

// Close ends the listening. What waits can still be taken.
func (l *Listener) Close() {
	for _, remove := range l.remove {
		remove()
	}
}

// earIn and earOut are the two ears of a listener; the second completes the tick.
type (
	earIn  Listener
	earOut Listener
)

// WriteFrame takes what the far end said.
func (e *earIn) WriteFrame(f *media.Frame) {
	l := (*Listener)(e)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.in = *f
	if !l.hushed && l.meter.enter(f) {
		l.hushed = true
		close(l.silent)
	}
}

// WriteFrame takes what the far end is told.
func (e *earOut) WriteFrame(f *media.Frame) {
	l := (*Listener)(e)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.n == len(l.ring) {
		l.head = (l.head + 1) % len(l.ring)
		l.n--
		l.lost++
	}
	h := &l.ring[(l.head+l.n)%len(l.ring)]
	h.At = time.Duration(l.ticks) * media.FrameDuration
	l.ticks++
	l.n++
	if l.track != Outbound {
		h.In = l.in
	} else {
		h.In.Clear()
	}
	if l.track != Inbound {
		h.Out = *f
	} else {
		h.Out.Clear()
	}
	select {
	case l.more <- struct{}{}:
	default: // a token is there
	}
}
