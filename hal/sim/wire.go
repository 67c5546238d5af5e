package sim

import (
	"io"
	"sync"

	"callbox/hal"
)

// wireRoom is how many bytes each direction of a wire holds, as a USB tty does.
const wireRoom = 4096

// Wire is a serial line in memory, for tests in virtual time: the box's end is a
// [hal.Serial], the other one is given to the thing that is simulated.
type Wire struct {
	to, from *pipe
}

// NewWire makes one.
func NewWire() (near hal.Serial, far io.ReadWriteCloser) {
	a, b := newPipe(), newPipe()
	return &Wire{to: a, from: b}, &Wire{to: b, from: a}
}

// Read implements [io.Reader]; it waits for bytes. What was on the way when the line
// was closed is lost.
func (w *Wire) Read(p []byte) (int, error) { return w.from.read(p) }

// Write implements [io.Writer]; it waits for room.
func (w *Wire) Write(p []byte) (int, error) { return w.to.write(p) }

// Discard implements [hal.Serial].
func (w *Wire) Discard() error {
	w.from.mu.Lock()
	defer w.from.mu.Unlock()
	w.from.buf = w.from.buf[:0]
	w.from.cond.Broadcast()
	return nil
}

// Close ends both ends: that is what unplugging does.
func (w *Wire) Close() error {
	w.to.close()
	w.from.close()
	return nil
}

// pipe is one direction.
type pipe struct {
	mu     sync.Mutex // guards what follows
	cond   *sync.Cond
	buf    []byte
	closed bool
}

func newPipe() *pipe {
	p := &pipe{}
	p.cond = sync.NewCond(&p.mu)
	return p
}

func (p *pipe) read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.buf) == 0 && !p.closed {
		p.cond.Wait()
	}
	if p.closed {
		return 0, hal.ErrGone
	}
	n := copy(b, p.buf)
	p.buf = p.buf[:copy(p.buf, p.buf[n:])]
	p.cond.Broadcast()
	return n, nil
}

func (p *pipe) write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	done := 0
	for done < len(b) {
		for len(p.buf) >= wireRoom && !p.closed {
			p.cond.Wait()
		}
		if p.closed {
			return done, hal.ErrGone
		}
		n := min(len(b)-done, wireRoom-len(p.buf))
		p.buf = append(p.buf, b[done:done+n]...)
		done += n
		p.cond.Broadcast()
	}
	return done, nil
}

func (p *pipe) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.cond.Broadcast()
}
