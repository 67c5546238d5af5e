package rtp

import (
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"
	"time"
)

var loopback = netip.MustParseAddr("127.0.0.1")

// eventually waits until ok, at most 10 s.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

func newPool(t testing.TB, cfg PoolConfig) *PortPool {
	t.Helper()
	p, err := NewPortPool(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// freeRange finds pairs of ports that are free now: n pairs from an even port on. They
// are none of those that the system gives to who asks for any, lest a test that runs
// beside takes them.
func freeRange(t *testing.T, pairs int) (low, high uint16) {
	t.Helper()
	p := newPool(t, PoolConfig{Bind: loopback})
	for range 100 {
		port := uint16(20000 + 2*rand.IntN(5000))
		ok := true
		for i := range 2 * pairs {
			c, err := p.listen(port + uint16(i))
			if err != nil {
				ok = false
				break
			}
			_ = c.Close()
		}
		if ok {
			if err := p.Close(); err != nil {
				t.Fatal(err)
			}
			return port, port + uint16(2*pairs) - 1
		}
	}
	t.Fatal("no free ports")
	return 0, 0
}

func TestPoolConfig(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		cfg PoolConfig
		ok  bool
	}{
		{PoolConfig{}, true},
		{PoolConfig{Min: 10000, Max: 10001}, true},
		{PoolConfig{Min: 10001, Max: 10002}, false}, // no pair starts on an odd port
		{PoolConfig{Min: 10001, Max: 10003}, true},
		{PoolConfig{Min: 10000, Max: 10000}, false},
		{PoolConfig{Min: 20000, Max: 10000}, false},
		{PoolConfig{Min: 0, Max: 10}, false},
		{PoolConfig{Min: 65535, Max: 65535}, false},
		{PoolConfig{Min: 10000, Max: 10001, Quiet: -1}, false},
	} {
		p, err := NewPortPool(c.cfg)
		if (err == nil) != c.ok {
			t.Errorf("%+v: %v", c.cfg, err)
		}
		if p != nil {
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestPoolEphemeral(t *testing.T) {
	t.Parallel()
	p := newPool(t, PoolConfig{Bind: loopback})
	for range 20 {
		pr, err := p.acquire()
		if err != nil {
			t.Fatal(err)
		}
		rtcpPort := pr.rtcp.LocalAddr().(*net.UDPAddr).Port
		if pr.port%2 != 0 || rtcpPort != int(pr.port)+1 || pr.rtp.LocalAddr().(*net.UDPAddr).Port != int(pr.port) {
			t.Errorf("ports %d and %d", pr.port, rtcpPort)
		}
		p.release(pr)
	}
}

func TestPoolExhausted(t *testing.T) {
	t.Parallel()
	low, high := freeRange(t, 2)
	p := newPool(t, PoolConfig{Bind: loopback, Min: low, Max: high, Quiet: time.Second})
	a, err := p.acquire()
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.acquire()
	if err != nil {
		t.Fatal(err)
	}
	if a.port != low || b.port != low+2 {
		t.Errorf("ports %d, %d of %d to %d", a.port, b.port, low, high)
	}
	_, err = Listen(Config{Pool: p})
	var ex *ExhaustedError
	if !errors.As(err, &ex) || ex.Busy != 2 || ex.Min != low || ex.Error() == "" {
		t.Fatalf("third pair: %v", err)
	}
	released := time.Now()
	p.release(a)
	if _, err := p.acquire(); !errors.As(err, &ex) || ex.Draining != 1 {
		t.Fatalf("a port that drains was given out: %v", err)
	}
	if st := p.Stats(); st.Total != 2 || st.Busy != 1 || st.Draining != 1 {
		t.Errorf("%+v", st)
	}
	// A far end that goes on sending keeps the port away.
	c, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback, a.port)))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	again := func() pair {
		eventually(t, "the port is free again", func() bool { return p.Stats().Draining == 0 })
		pr, err := p.acquire()
		if err != nil || pr.port != a.port {
			t.Fatalf("port %d, %v", pr.port, err)
		}
		return pr
	}
	// A machine that stalls the test for as long as the port wants quiet proves nothing.
	for try := 0; !drains(t, p, c, released); try++ {
		if try == 20 {
			t.Fatal("the machine stalls all the time")
		}
		pr := again()
		released = time.Now()
		p.release(pr)
	}
	p.release(again())
	p.release(b)
}

// drains reports whether the one port that was released is kept away for as long as
// datagrams are sent to it, false when it was freed because the test was stalled.
func drains(t *testing.T, p *PortPool, c *net.UDPConn, released time.Time) bool {
	t.Helper()
	for last := released; last.Sub(released) < 5*p.cfg.Quiet/2; <-time.After(20 * time.Millisecond) {
		if _, err := c.Write([]byte("late")); err != nil {
			t.Fatal(err)
		}
		draining, now := p.Stats().Draining, time.Now()
		if draining != 1 && now.Sub(last) < p.cfg.Quiet/2 {
			t.Fatal("the port was freed while packets arrived")
		}
		if draining != 1 {
			return false
		}
		last = now
	}
	return true
}

func TestPoolForcedDrain(t *testing.T) {
	t.Parallel()
	p := newPool(t, PoolConfig{Bind: loopback, Quiet: time.Hour, MaxDrain: 300 * time.Millisecond})
	pr, err := p.acquire()
	if err != nil {
		t.Fatal(err)
	}
	p.release(pr)
	eventually(t, "the drain is ended by its limit", func() bool { return p.Stats().Forced == 1 && p.Stats().Draining == 0 })
}

func TestPoolPortTaken(t *testing.T) {
	t.Parallel()
	low, high := freeRange(t, 2)
	p := newPool(t, PoolConfig{Bind: loopback, Min: low, Max: high})
	c, err := p.listen(low + 1) // another program sits on the first pair's RTCP port
	if err != nil {
		t.Fatal(err)
	}
	pr, err := p.acquire()
	if err != nil || pr.port != low+2 {
		t.Fatalf("port %d, %v", pr.port, err)
	}
	var ex *ExhaustedError
	if _, err := p.acquire(); !errors.As(err, &ex) {
		t.Fatalf("%v", err)
	}
	_ = c.Close()
	second, err := p.acquire()
	if err != nil || second.port != low {
		t.Fatalf("port %d, %v", second.port, err)
	}
	p.release(pr)
	p.release(second)
}

func TestPoolClosed(t *testing.T) {
	t.Parallel()
	p := newPool(t, PoolConfig{Bind: loopback})
	pr, err := p.acquire()
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
	p.release(pr) // late, but not leaked
	if _, err := p.acquire(); !errors.Is(err, ErrClosed) {
		t.Errorf("%v", err)
	}
	if _, err := Listen(Config{}); err == nil {
		t.Error("listened without a pool")
	}
}
