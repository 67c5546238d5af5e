package rtp

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"
	"time"
)

// shut opens a socket at a loopback address for the time of the test.
func shut(t testing.TB, host string) *net.UDPConn {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(host)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func addrOf(c *net.UDPConn) netip.AddrPort { return c.LocalAddr().(*net.UDPAddr).AddrPort() }

// crossing opens one whose far ends are at a and b.
func crossing(t testing.TB) (c *Crossing, a, b *net.UDPConn, pool *PortPool) {
	t.Helper()
	pool, err := NewPortPool(PoolConfig{Bind: netip.MustParseAddr("127.0.0.1"), Quiet: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Close() })
	if c, err = OpenCrossing(pool, pool); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, shut(t, "127.0.0.2"), shut(t, "127.0.0.3"), pool
}

// throw sends b from one socket to a side of c.
func throw(t testing.TB, from *net.UDPConn, c *Crossing, side int, b []byte) {
	t.Helper()
	if _, err := from.WriteToUDPAddrPort(b, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), c.Port(side))); err != nil {
		t.Fatal(err)
	}
}

// catch waits for a datagram.
func catch(t testing.TB, at *net.UDPConn) (b []byte, from netip.AddrPort) {
	t.Helper()
	_ = at.SetReadDeadline(time.Now().Add(time.Minute))
	buf := make([]byte, 2000)
	n, from, err := at.ReadFromUDPAddrPort(buf)
	if err != nil {
		t.Fatal(err)
	}
	return buf[:n], from
}

// lost waits until n datagrams of a side were thrown away.
func lost(t testing.TB, c *Crossing, side int, n uint64) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for range 60_000 {
		if _, l := c.Passed(side); l == n {
			return
		}
		<-tick.C
	}
	t.Fatalf("%d were not thrown away", n)
}

// TestCrossing: 400 datagrams each way arrive byte for byte and in order, from our
// port for that far end; nobody else's pass, nor any before both far ends are known.
func TestCrossing(t *testing.T) {
	t.Parallel()
	c, a, b, pool := crossing(t)
	stranger := shut(t, "127.0.0.4")
	throw(t, stranger, c, 0, []byte("early"))
	lost(t, c, 0, 1)
	c.Aim(0, addrOf(a), netip.MustParseAddr("127.0.0.1"))
	throw(t, a, c, 0, []byte("before the other one"))
	lost(t, c, 0, 2)
	c.Aim(1, addrOf(b), netip.MustParseAddr("127.0.0.1"))
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 400 {
		for side, way := range [][2]*net.UDPConn{{a, b}, {b, a}} {
			p := fmt.Appendf(nil, "%d:%d:", side, i)
			for range r.IntN(1300) {
				p = append(p, byte(r.Uint32()))
			}
			throw(t, way[0], c, side, p)
			got, from := catch(t, way[1])
			if !bytes.Equal(got, p) || from.Port() != c.Port(1-side) {
				t.Fatalf("datagram %d of side %d: %d bytes from %v, want %d from port %d", i, side, len(got), from, len(p), c.Port(1-side))
			}
		}
	}
	throw(t, stranger, c, 0, []byte("a stranger's"))
	throw(t, a, c, 0, make([]byte, maxDatagram+100)) // longer than any that is looked at
	lost(t, c, 0, 4)
	throw(t, a, c, 0, []byte("the last"))
	if got, _ := catch(t, b); string(got) != "the last" {
		t.Fatalf("%q arrived", got)
	}
	if passed, _ := c.Passed(0); passed != 401 {
		t.Errorf("%d were passed on, want 401", passed)
	}
	// A far end behind an address translator is answered where it sends from.
	moved := shut(t, "127.0.0.5")
	c.Aim(0, netip.MustParseAddrPort("192.0.2.77:9"), netip.MustParseAddr("127.0.0.1"))
	throw(t, moved, c, 0, []byte("from elsewhere"))
	catch(t, b)
	throw(t, b, c, 1, []byte("back there"))
	if got, _ := catch(t, moved); string(got) != "back there" {
		t.Fatalf("%q arrived", got)
	}
	c.Close()
	if st := pool.Stats(); st.Busy != 0 {
		t.Errorf("%d pairs of ports are in use after the end", st.Busy)
	}
}

// A crossing that does not get its second port gives the first one back.
func TestCrossingWithoutPorts(t *testing.T) {
	t.Parallel()
	first := int(freePort(t))
	pool, err := NewPortPool(PoolConfig{Bind: netip.MustParseAddr("127.0.0.1"), Min: uint16(first), Max: uint16(first + 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if c, err := OpenCrossing(pool, pool); err == nil {
		c.Close()
		t.Fatal("two ports of a pool of one")
	}
	if st := pool.Stats(); st.Busy != 0 {
		t.Errorf("%d pairs are in use", st.Busy)
	}
}

// freePort is an even port that nobody uses, nor the one above.
func freePort(t testing.TB) uint16 {
	t.Helper()
	pool, err := NewPortPool(PoolConfig{Bind: netip.MustParseAddr("127.0.0.1")})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	p, err := pool.acquire()
	if err != nil {
		t.Fatal(err)
	}
	p.close()
	return p.port
}

func BenchmarkCrossing(b *testing.B) {
	c, one, other, _ := crossing(b)
	c.Aim(0, addrOf(one), netip.Addr{})
	c.Aim(1, addrOf(other), netip.Addr{})
	to := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), c.Port(0))
	p, buf := make([]byte, 400), make([]byte, 1500)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := one.WriteToUDPAddrPort(p, to); err != nil {
			b.Fatal(err)
		}
		if _, _, err := other.ReadFromUDPAddrPort(buf); err != nil {
			b.Fatal(err)
		}
	}
}
