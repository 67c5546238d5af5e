package webrtc

import (
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// room is how many datagrams of a handshake may wait; more are dropped, and come
// again.
const room = 32

// wire is the port as the DTLS library sees it: datagrams of one far end.
type wire struct {
	peer *Peer
	in   chan []byte
	done chan struct{}

	mu       sync.Mutex // guards what follows
	remote   netip.AddrPort
	expired  chan struct{} // closed when the deadline has passed
	deadline *time.Timer
	closed   bool
}

var _ net.PacketConn = (*wire)(nil)

func newWire(p *Peer) *wire {
	return &wire{peer: p, in: make(chan []byte, room), done: make(chan struct{}), expired: make(chan struct{})}
}

// deliver takes a datagram that arrived; answers go to where it came from.
func (w *wire) deliver(b []byte, from netip.AddrPort) {
	select {
	case w.in <- append([]byte(nil), b...):
		w.aim(from)
	default:
	}
}

func (w *wire) aim(to netip.AddrPort) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.remote = to
}

func (w *wire) to() net.Addr {
	w.mu.Lock()
	defer w.mu.Unlock()
	return net.UDPAddrFromAddrPort(w.remote)
}

// ReadFrom waits for a datagram.
func (w *wire) ReadFrom(b []byte) (int, net.Addr, error) {
	w.mu.Lock()
	expired := w.expired
	w.mu.Unlock()
	select {
	case d := <-w.in:
		return copy(b, d), w.to(), nil
	case <-expired:
		return 0, nil, os.ErrDeadlineExceeded
	case <-w.done:
		return 0, nil, net.ErrClosed
	}
}

// WriteTo sends a datagram to where the far end was heard last, whatever the
// library believes.
func (w *wire) WriteTo(b []byte, _ net.Addr) (int, error) {
	w.mu.Lock()
	remote := w.remote
	w.mu.Unlock()
	if err := w.peer.cfg.Port.Send(b, remote); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Close ends every ReadFrom.
func (w *wire) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed {
		w.closed = true
		close(w.done)
		if w.deadline != nil {
			w.deadline.Stop()
		}
	}
	return nil
}

// SetReadDeadline makes every ReadFrom end at t; the zero time: never.
func (w *wire) SetReadDeadline(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.deadline != nil {
		w.deadline.Stop()
	}
	select {
	case <-w.expired:
		w.expired = make(chan struct{})
	default:
	}
	if t.IsZero() || w.closed {
		return nil
	}
	expired := w.expired
	if d := time.Until(t); d > 0 {
		w.deadline = time.AfterFunc(d, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.expired == expired { // else there is a later deadline
				w.pass()
			}
		})
		return nil
	}
	w.pass()
	return nil
}

// pass ends the ReadFrom under way and those to come. The caller holds w.mu.
func (w *wire) pass() {
	select {
	case <-w.expired:
	default:
		close(w.expired)
	}
}

// LocalAddr is of no consequence.
func (w *wire) LocalAddr() net.Addr { return &net.UDPAddr{} }

// SetDeadline is SetReadDeadline: a write never waits.
func (w *wire) SetDeadline(t time.Time) error { return w.SetReadDeadline(t) }

// SetWriteDeadline does nothing: a write never waits.
func (w *wire) SetWriteDeadline(time.Time) error { return nil }
