package cell

import (
	"math"
	"sync"

	"callbox/hal"
)

// Network is an operator: it connects modems and subscribers by number. Methods
// may be called from any goroutine.
type Network struct {
	mu     sync.Mutex
	modems map[string]*Modem // by number
}

// NewNetwork makes one.
func NewNetwork() *Network { return &Network{modems: map[string]*Modem{}} }

func (n *Network) join(m *Modem) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.modems[m.cfg.Number] = m
}

// find is who answers to a number: another modem, or else the subscriber of the
// modem that calls.
func (n *Network) find(number string, caller *Modem) end {
	n.mu.Lock()
	defer n.mu.Unlock()
	if m := n.modems[number]; m != nil && m != caller {
		return m
	}
	return caller.sub
}

// Release says why the network ended a call: a cause of TS 24.008 annex H.
type Release int

// Causes that the simulation uses.
const (
	Unallocated  Release = 1
	Cleared      Release = 16
	UserBusy     Release = 17
	NoResponse   Release = 18
	NoReply      Release = 19
	Rejected     Release = 21
	Congested    Release = 42
	NoRadio      Release = 41
	Barred       Release = 8
	NotSupported Release = 79
)

// end is one side of a call. The network calls it from goroutines of others: it
// must not block, and must not call back before it returns.
type end interface {
	offered(t *talk, from string) // a call arrives
	alerting(t *talk)             // the other side rings
	answered(t *talk)             // the other side has answered
	released(t *talk, why Release)
	digit(t *talk, d byte)    // the other side has pressed a key
	voice(t *talk, p []int16) // gives what this side says next
}

// talk is a call through the network, a calls b.
type talk struct {
	a, b end

	mu       sync.Mutex
	up, over bool
}

// other is who is at the other side of e.
func (t *talk) other(e end) end {
	if t.a == e {
		return t.b
	}
	return t.a
}

// answer connects the two unless the call is over.
func (t *talk) answer() {
	t.mu.Lock()
	ok := !t.over && !t.up
	t.up = t.up || ok
	t.mu.Unlock()
	if ok {
		t.a.answered(t)
	}
}

// isUp reports whether both sides are connected.
func (t *talk) isUp() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.up && !t.over
}

// release ends the call; the other side of by is told.
func (t *talk) release(by end, why Release) {
	t.mu.Lock()
	was := t.over
	t.over = true
	t.mu.Unlock()
	if !was {
		t.other(by).released(t, why)
	}
}

// ringTone is the ringback tone of most networks: 425 Hz, 1 s on, 4 s off. at is
// the number of the first sample.
func ringTone(p []int16, at int) {
	for i := range p {
		p[i] = 0
		if n := (at + i) % (5 * hal.SampleRate); n < hal.SampleRate {
			p[i] = int16(3000 * math.Sin(2*math.Pi*425*float64(n)/hal.SampleRate))
		}
	}
}
