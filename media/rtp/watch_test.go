package rtp

import (
	"bytes"
	"net/netip"
	"sync"
	"testing"
	"time"

	"callbox/media"
)

// notebook is a Watcher that writes down what it is shown.
type notebook struct {
	mu   sync.Mutex
	seen []Datagram
}

func (n *notebook) Datagram(d Datagram) {
	d.Data = bytes.Clone(d.Data)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.seen = append(n.seen, d)
}

func (n *notebook) take() []Datagram {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.seen
}

// TestWatch: what one stream of a watched pool sends is what the other receives,
// with the ends' names and ports; also the goodbye, which is RTCP.
func TestWatch(t *testing.T) {
	t.Parallel()
	var n notebook
	pool := newPool(t, PoolConfig{Bind: loopback, Watch: &n})
	a, err := Listen(Config{Pool: pool})
	if err != nil {
		t.Fatal(err)
	}
	b := listen(t, pool, nil)
	a.SetName("alice")
	b.SetName("bob")
	to := local(b)
	to.Local = loopback
	if err := a.Start(to, pcmu()); err != nil {
		t.Fatal(err)
	}
	begin(t, b, a, pcmu())
	var f media.Frame
	patience := time.After(2 * time.Minute)
	tick := time.NewTicker(media.FrameDuration)
	defer tick.Stop()
	heard := func() (sent, received *Datagram) {
		seen := n.take()
		for i := range seen {
			switch d := &seen[i]; {
			case d.Name == "alice" && d.Sent:
				sent = d
			case d.Name == "bob" && !d.Sent:
				received = d
			}
			if sent != nil && received != nil && bytes.Equal(sent.Data, received.Data) {
				return sent, received
			}
		}
		return nil, nil
	}
	var sent, received *Datagram
	for sent == nil {
		select {
		case <-tick.C:
			a.WriteFrame(&f)
			sent, received = heard()
		case <-patience:
			t.Fatalf("seen: %v", n.take())
		}
	}
	if want := netip.AddrPortFrom(loopback, a.LocalPort()); sent.Local != want || received.Remote != want {
		t.Errorf("sent from %v, came from %v, want %v", sent.Local, received.Remote, want)
	}
	if want := netip.AddrPortFrom(loopback, b.LocalPort()); sent.Remote != want || received.Local.Port() != want.Port() {
		t.Errorf("sent to %v, came to %v, want %v", sent.Remote, received.Local, want)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	for _, d := range n.take() {
		if d.Name == "alice" && d.Sent && isRTCP(d.Data) && d.Local.Port() == a.LocalPort()+1 && d.Remote.Port() == b.LocalPort()+1 {
			return
		}
	}
	t.Error("the goodbye was not shown")
}

// counting is a Watcher that keeps nothing.
type counting struct{ n, bytes int }

func (c *counting) Datagram(d Datagram) { c.n++; c.bytes += len(d.Data) }

func TestWatchNoAllocations(t *testing.T) {
	a, b, _, wb := couple(t, pcmu(), pcmu(), nil)
	wb.mute = true
	var c counting
	a.sight.to, b.send.sight.to = &c, &c
	k := talker{ssrc: 5, c: pcmu().Codec}
	raw := k.packet(make([]int16, 160), false)
	buf := make([]byte, 200)
	seq := 0
	if n := testing.AllocsPerRun(500, func() {
		copy(buf, raw)
		seq++
		buf[2], buf[3] = byte(seq>>8), byte(seq)
		a.handle(buf[:len(raw)], alice, at(seq*20))
	}); n != 0 {
		t.Errorf("%v allocations per relayed packet", n)
	}
	if c.n < 2*500 {
		t.Errorf("%d packets were shown", c.n)
	}
}
