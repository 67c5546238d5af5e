//go:build e2e

package e2e

import (
	"container/heap"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// trouble is what a link does to the packets of one direction. Loss, duplicates
// and overtaking are drawn from the seed, in the order of the packets.
type trouble struct {
	loss      float64       // share of packets that are lost
	duplicate float64       // share that arrive twice
	overtake  float64       // share that do not wait for those before
	delay     time.Duration // of every packet
	jitter    time.Duration // at most so much more, evenly distributed
	seed      uint64
}

// badLink joins a host of its own, with a namespace and an address of a /24 that
// we have the .1 of, to ours: not by a wire but by this process, which carries
// every packet from one TUN device to the other, or does not.
type badLink struct {
	there, back *way
}

// way is one direction of a badLink.
type way struct {
	from, to *os.File
	running  sync.WaitGroup
	wake     chan struct{}
	stop     chan struct{}

	mu      sync.Mutex // guards all below
	trouble trouble
	dark    bool                     // nothing passes
	edit    func(packet []byte) bool // what a NAT does; false: it lets the packet not pass
	draw    *rand.Rand
	queue   departures
	last    time.Time // of the latest departure
	n       uint64
	lost    int
}

// departure is a packet on its way.
type departure struct {
	at     time.Time
	n      uint64
	packet []byte
}

type departures []departure

func (d departures) Len() int { return len(d) }
func (d departures) Less(i, j int) bool {
	return d[i].at.Before(d[j].at) || d[i].at.Equal(d[j].at) && d[i].n < d[j].n
}
func (d departures) Swap(i, j int) { d[i], d[j] = d[j], d[i] }
func (d *departures) Push(x any)   { *d = append(*d, x.(departure)) }
func (d *departures) Pop() any {
	old := *d
	x := old[len(old)-1]
	*d = old[:len(old)-1]
	return x
}

// newBadLink makes the host far, and joins it to our address ours on a device of
// that name; each is the other's way to everywhere. It needs a network of its own.
func newBadLink(t *testing.T, name, ours string, far place, tr trouble) *badLink {
	t.Helper()
	near := openTUN(t, name, "")
	command(t, "ip", "addr", "add", ours, "dev", name)
	command(t, "ip", "link", "set", "dev", name, "up")
	command(t, "ip", "route", "add", "default", "dev", name)
	command(t, "ip", "netns", "add", far.netns)
	other := openTUN(t, "eth0", far.netns)
	command(t, "ip", "-n", far.netns, "link", "set", "dev", "lo", "up")
	command(t, "ip", "-n", far.netns, "addr", "add", far.addr, "dev", "eth0")
	command(t, "ip", "-n", far.netns, "link", "set", "dev", "eth0", "up")
	command(t, "ip", "-n", far.netns, "route", "add", "default", "dev", "eth0")
	l := &badLink{there: newWay(t, near, other, tr), back: newWay(t, other, near, trouble{
		tr.loss, tr.duplicate, tr.overtake, tr.delay, tr.jitter, tr.seed + 1})}
	t.Cleanup(func() {
		// Reads end with their device; then so do the writers.
		near.Close()
		other.Close()
		for _, w := range []*way{l.there, l.back} {
			close(w.stop)
			w.running.Wait()
			t.Logf("the link took %d packets and lost %d", w.n, w.lost)
		}
	})
	return l
}

// openTUN makes a TUN device in a namespace; empty: ours.
func openTUN(t *testing.T, name, netns string) *os.File {
	t.Helper()
	var f *os.File
	err := (place{netns: netns}).inside(func() error {
		fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		if err != nil {
			return err
		}
		req, err := unix.NewIfreq(name)
		if err != nil {
			return err
		}
		req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, req); err != nil {
			unix.Close(fd)
			return err
		}
		f = os.NewFile(uintptr(fd), name)
		return nil
	})
	if err != nil {
		t.Fatalf("make a TUN device: %v", err)
	}
	return f
}

func newWay(t *testing.T, from, to *os.File, tr trouble) *way {
	t.Helper()
	w := &way{from: from, to: to, trouble: tr, draw: rand.New(rand.NewPCG(tr.seed, 4711)), wake: make(chan struct{}, 1), stop: make(chan struct{})}
	w.running.Go(w.read)
	w.running.Go(w.write)
	return w
}

// read takes packets until the device is closed.
func (w *way) read() {
	buf := make([]byte, 65536)
	for {
		n, err := w.from.Read(buf)
		if err != nil {
			return
		}
		w.take(append([]byte(nil), buf[:n]...), time.Now())
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

// take decides what becomes of a packet.
func (w *way) take(packet []byte, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	// All is drawn for every packet, so that one decision does not change the next.
	lost, twice, over := w.draw.Float64() < w.trouble.loss, w.draw.Float64() < w.trouble.duplicate, w.draw.Float64() < w.trouble.overtake
	late := time.Duration(w.draw.Float64() * float64(w.trouble.jitter))
	w.n++
	if lost || w.dark || w.edit != nil && !w.edit(packet) {
		w.lost++
		return
	}
	at := now.Add(w.trouble.delay + late)
	if over {
		at = now.Add(w.trouble.delay)
	} else if at.Before(w.last) {
		at = w.last
	} else {
		w.last = at
	}
	heap.Push(&w.queue, departure{at, w.n, packet})
	if twice {
		heap.Push(&w.queue, departure{at.Add(w.trouble.jitter / 4), w.n, packet})
	}
}

// write lets packets leave at their time.
func (w *way) write() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		wait := time.Hour
		w.mu.Lock()
		for now := time.Now(); len(w.queue) > 0; {
			if wait = w.queue[0].at.Sub(now); wait > 0 {
				break
			}
			wait = time.Hour
			d := heap.Pop(&w.queue).(departure)
			if !w.dark {
				w.to.Write(d.packet) // a device that is down takes nothing
			}
		}
		w.mu.Unlock()
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-w.wake:
		case <-w.stop:
			return
		}
	}
}

// darken lets nothing pass, in either direction, or everything again.
func (l *badLink) darken(dark bool) {
	for _, w := range []*way{l.there, l.back} {
		w.mu.Lock()
		w.dark = dark
		w.mu.Unlock()
	}
}

// nat is a router between: it hides the host behind a public address and gives
// each UDP port of it another one. Nothing but UDP passes.
type nat struct {
	private, public [4]byte

	mu    sync.Mutex // guards all below
	shift uint16
	open  map[uint16]bool // ports of the host that have sent since the last change
}

// hide puts a NAT into the link.
func (l *badLink) hide(far place, public string) *nat {
	n := &nat{private: netip.MustParseAddr(far.addr).As4(), public: netip.MustParseAddr(public).As4(), open: map[uint16]bool{}}
	for w, edit := range map[*way]func([]byte) bool{l.there: n.arrives, l.back: n.leaves} {
		w.mu.Lock()
		w.edit = edit
		w.mu.Unlock()
	}
	return n
}

// rebind forgets all ports, as a router does that has restarted: later packets get
// others, so much higher than their own, and what still goes to the old is lost.
func (n *nat) rebind(shift uint16) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.shift = shift
	clear(n.open)
}

// leaves rewrites a packet of the host.
func (n *nat) leaves(p []byte) bool {
	head, ok := udpPacket(p)
	if !ok || [4]byte(p[12:16]) != n.private {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	port := binary.BigEndian.Uint16(p[head:])
	n.open[port] = true
	copy(p[12:], n.public[:])
	binary.BigEndian.PutUint16(p[head:], port+n.shift)
	sum(p, head)
	return true
}

// arrives rewrites a packet for the host.
func (n *nat) arrives(p []byte) bool {
	head, ok := udpPacket(p)
	if !ok || [4]byte(p[16:20]) != n.public {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	port := binary.BigEndian.Uint16(p[head+2:]) - n.shift
	if !n.open[port] {
		return false
	}
	copy(p[16:], n.private[:])
	binary.BigEndian.PutUint16(p[head+2:], port)
	sum(p, head)
	return true
}

// udpPacket is the length of the IP header of a UDP packet in one piece.
func udpPacket(p []byte) (head int, ok bool) {
	if len(p) < 28 || p[0]>>4 != 4 || p[9] != unix.IPPROTO_UDP || binary.BigEndian.Uint16(p[6:])&0x3fff != 0 {
		return 0, false
	}
	head = int(p[0]&15) * 4
	return head, len(p) >= head+8
}

// sum writes the checksum of the IP header, and none of UDP, which may lack it.
func sum(p []byte, head int) {
	p[10], p[11], p[head+6], p[head+7] = 0, 0, 0, 0
	var s uint32
	for i := 0; i < head; i += 2 {
		s += uint32(binary.BigEndian.Uint16(p[i:]))
	}
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	binary.BigEndian.PutUint16(p[10:], ^uint16(s))
}
