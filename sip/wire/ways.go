package wire

import (
	"net"
	"net/netip"
	"sync"
)

// maxWays is how many answers of the kernel are remembered; all are forgotten
// when there is one more.
const maxWays = 1024

// ways remembers by which of our addresses the kernel reaches others: each
// question costs a socket. It remembers only while somebody tells it of changes
// of addresses and routes.
type ways struct {
	ask func(remote, from netip.Addr) netip.Addr

	mu      sync.Mutex // guards what follows
	watched bool       // changes are told
	known   map[way]netip.Addr
	changes uint64 // told so far
}

// way is a question: where to, and the only address that may be used, if any.
type way struct{ remote, from netip.Addr }

func newWays(ask func(remote, from netip.Addr) netip.Addr) *ways {
	return &ways{ask: ask, known: map[way]netip.Addr{}}
}

// towards is what ask says, or said since the last change.
func (w *ways) towards(remote, from netip.Addr) netip.Addr {
	w.mu.Lock()
	local, ok := w.known[way{remote, from}]
	before := w.changes
	w.mu.Unlock()
	if ok {
		return local
	}
	local = w.ask(remote, from)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.watched && w.changes == before && local.IsValid() {
		if len(w.known) >= maxWays {
			clear(w.known)
		}
		w.known[way{remote, from}] = local
	}
	return local
}

// changed forgets what is remembered; watched says whether further changes will
// be told.
func (w *ways) changed(watched bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.watched = watched
	w.changes++
	clear(w.known)
}

// routed is the address that the kernel uses towards remote; from, when given,
// is the only one that it may use.
func routed(remote, from netip.Addr) netip.Addr {
	if !remote.IsValid() {
		return netip.Addr{}
	}
	var laddr *net.UDPAddr
	if from.IsValid() {
		laddr = net.UDPAddrFromAddrPort(netip.AddrPortFrom(from, 0))
	}
	// Connecting a UDP socket sends nothing; it only makes the kernel route.
	c, err := net.DialUDP("udp", laddr, net.UDPAddrFromAddrPort(netip.AddrPortFrom(remote, 9)))
	if err != nil {
		return netip.Addr{}
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
}
