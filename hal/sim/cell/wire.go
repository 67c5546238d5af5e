package cell

import (
	"fmt"
	"sync"
	"time"

	"callbox/hal"
)

// wire is one direction of a serial line in memory: pieces of bytes, read one
// piece at a time, as they come over USB.
type wire struct {
	room int           // bytes; what does not fit is refused
	wake chan struct{} // one token when something has changed

	mu     sync.Mutex // guards what follows
	pieces [][]byte
	size   int
	err    error
}

func newWire(room int) *wire { return &wire{room: room, wake: make(chan struct{}, 1)} }

// put takes what fits of b.
func (w *wire) put(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return 0, w.err
	}
	n := min(len(b), w.room-w.size)
	if n > 0 {
		w.pieces = append(w.pieces, append([]byte(nil), b[:n]...))
		w.size += n
		w.signal()
	}
	return n, nil
}

func (w *wire) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// get waits for bytes; a zero until waits for ever.
func (w *wire) get(p []byte, until time.Time) (int, error) {
	var timeout <-chan time.Time
	if !until.IsZero() {
		t := time.NewTimer(time.Until(until))
		defer t.Stop()
		timeout = t.C
	}
	for {
		w.mu.Lock()
		if len(w.pieces) > 0 {
			n := copy(p, w.pieces[0])
			if w.pieces[0] = w.pieces[0][n:]; len(w.pieces[0]) == 0 {
				w.pieces = w.pieces[1:]
			}
			w.size -= n
			w.mu.Unlock()
			return n, nil
		}
		err := w.err
		w.mu.Unlock()
		if err != nil {
			w.signal() // for the next one who asks
			return 0, err
		}
		select {
		case <-w.wake:
		case <-timeout:
			return 0, nil
		}
	}
}

func (w *wire) discard() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pieces, w.size = nil, 0
}

// end lets what is there be read, then gives err.
func (w *wire) end(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
		w.signal()
	}
}

// near is the box's end of a line in memory.
type near struct {
	in  *wire  // modem → box
	out outlet // box → modem; it may keep the bytes
}

var (
	_ hal.Serial = near{}
	_ hal.Stream = near{}
)

// Read implements [hal.Serial].
func (n near) Read(p []byte) (int, error) { return n.in.get(p, time.Time{}) }

// ReadUntil implements [hal.Stream].
func (n near) ReadUntil(p []byte, until time.Time) (int, error) { return n.in.get(p, until) }

// Write implements [hal.Serial].
func (n near) Write(p []byte) (int, error) { return n.TryWrite(p) }

// TryWrite implements [hal.Stream].
func (n near) TryWrite(p []byte) (int, error) {
	n.in.mu.Lock()
	err := n.in.err
	n.in.mu.Unlock()
	if err != nil {
		return 0, err
	}
	return n.out(append([]byte(nil), p...)), nil
}

// Discard implements [hal.Serial].
func (n near) Discard() error { n.in.discard(); return nil }

// Close implements [hal.Serial].
func (n near) Close() error { n.in.end(hal.ErrClosed); return nil }

// errGone is what the box's end of a line tells whose modem was unplugged.
var errGone = fmt.Errorf("%w: it was unplugged", hal.ErrGone)
