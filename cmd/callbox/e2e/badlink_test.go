//go:build e2e

package e2e

import (
	"container/heap"
	"math/rand/v2"
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
	dark    bool // nothing passes
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
// that name. It needs a network of its own.
func newBadLink(t *testing.T, name, ours string, far place, tr trouble) *badLink {
	t.Helper()
	near := openTUN(t, name, "")
	command(t, "ip", "addr", "add", ours, "peer", far.addr, "dev", name)
	command(t, "ip", "link", "set", "dev", name, "up")
	command(t, "ip", "netns", "add", far.netns)
	other := openTUN(t, "eth0", far.netns)
	command(t, "ip", "-n", far.netns, "link", "set", "dev", "lo", "up")
	command(t, "ip", "-n", far.netns, "addr", "add", far.addr, "peer", ours, "dev", "eth0")
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
	if lost || w.dark {
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
