package cell

import (
	"fmt"
	"io"
	"slices"
	"sync"

	"callbox/hal"
)

// Rack is a USB bus in memory, for tests in a testing/synctest bubble. Methods may
// be called from any goroutine.
type Rack struct {
	mu    sync.Mutex
	next  int // number of the next tty
	slots map[*Modem]*slot
}

// slot is a modem that is plugged in.
type slot struct {
	ttys    []hal.TTY
	at, pcm *wire
	paths   [2]string // of at and pcm
}

// wireRoom is what a line holds that nobody reads, in bytes, as a tty does.
const wireRoom = 4096

// NewRack makes an empty bus.
func NewRack() *Rack { return &Rack{slots: map[*Modem]*slot{}} }

var _ socket = (*Rack)(nil)

// Plug puts a modem on the bus at a place such as "1-1.2". Its lines get new
// numbers each time.
func (r *Rack) Plug(m *Modem, place string) {
	s := &slot{at: newWire(16 * wireRoom), pcm: newWire(wireRoom)}
	r.mu.Lock()
	s.ttys, r.next = m.ttys("/dev", place, r.next)
	for _, t := range s.ttys {
		switch t.Interface {
		case m.traits.at:
			s.paths[0] = t.Path
		case m.traits.pcm:
			s.paths[1] = t.Path
		}
	}
	r.slots[m] = s
	r.mu.Unlock()
	m.attach(r, place, outletOf(s.at), outletOf(s.pcm))
}

func outletOf(w *wire) outlet {
	return func(b []byte) int { n, _ := w.put(b); return n }
}

// ttys are a modem's lines on the bus.
func (m *Modem) ttys(dir, place string, next int) (list []hal.TTY, after int) {
	all := append([]int{m.traits.at, m.traits.pcm}, m.traits.others...)
	slices.Sort(all)
	for _, n := range all {
		list = append(list, hal.TTY{Path: fmt.Sprintf("%s/ttyUSB%d", dir, next), Vendor: m.traits.vendor, Product: m.traits.product, Interface: n, Place: place})
		next++
	}
	return list, next
}

// Unplug takes a modem off the bus. One that is not there is left alone.
func (r *Rack) Unplug(m *Modem) {
	r.mu.Lock()
	s := r.slots[m]
	delete(r.slots, m)
	r.mu.Unlock()
	if s != nil {
		s.at.end(errGone)
		s.pcm.end(errGone)
	}
	m.detach()
}

// restart implements socket.
func (r *Rack) restart(m *Modem) {
	r.Unplug(m)
	r.plugLater(m)
}

// plugLater implements socket.
func (r *Rack) plugLater(m *Modem) {
	m.inbox.post(func() {
		if !m.faultsNow().Unplugged {
			r.Plug(m, m.where)
		}
	}, m.cfg.Boot)
}

// TTYs lists the lines on the bus.
func (r *Rack) TTYs() ([]hal.TTY, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []hal.TTY
	for _, s := range r.slots {
		out = append(out, s.ttys...)
	}
	slices.SortFunc(out, func(a, b hal.TTY) int { return len(a.Path) - len(b.Path) })
	return out, nil
}

// line finds a modem's line.
func (r *Rack) line(path string) (near, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for m, s := range r.slots {
		switch path {
		case s.paths[0]:
			return near{in: s.at.again(), out: func(b []byte) int { m.command(b); return len(b) }}, nil
		case s.paths[1]:
			return near{in: s.pcm.again(), out: m.sound.uplink}, nil
		}
	}
	return near{}, fmt.Errorf("open %s: %w", path, hal.ErrGone)
}

// OpenPort opens a line for commands.
func (r *Rack) OpenPort(path string) (io.ReadWriteCloser, error) {
	n, err := r.line(path)
	if err != nil {
		return nil, err
	}
	return n, nil
}

// OpenStream opens a line for sound.
func (r *Rack) OpenStream(path string) (hal.Stream, error) {
	n, err := r.line(path)
	if err != nil {
		return nil, err
	}
	return n, nil
}

// again makes a line that its reader closed usable for the next one.
func (w *wire) again() *wire {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == hal.ErrClosed { //nolint:errorlint // it was put there by Close
		w.err = nil
	}
	return w
}
