package rtp

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// openSocket opens a socket on a free port; no IP listens on all.
func openSocket(t testing.TB, network string, ip net.IP) (*socket, *net.UDPConn) {
	t.Helper()
	c, err := net.ListenUDP(network, &net.UDPAddr{IP: ip})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	s, err := newSocket(c)
	if err != nil {
		t.Fatal(err)
	}
	return s, c
}

// haveIPv6 tells whether this system has it.
func haveIPv6() bool {
	c, err := net.ListenUDP("udp6", &net.UDPAddr{IP: net.IPv6loopback})
	if err != nil {
		return false
	}
	return c.Close() == nil
}

func portOf(c *net.UDPConn) uint16 { return uint16(c.LocalAddr().(*net.UDPAddr).Port) }

// TestSocketFamilies sends and receives over every pair of address families
// that can meet.
func TestSocketFamilies(t *testing.T) {
	t.Parallel()
	v4, v6 := netip.MustParseAddr("127.0.0.1"), netip.IPv6Loopback()
	for name, tc := range map[string]struct {
		from, to string
		addr     netip.Addr
	}{
		"IPv4 to IPv4":         {"udp4", "udp4", v4},
		"all to IPv4":          {"udp", "udp4", v4},
		"all to IPv4, mapped":  {"udp", "udp4", netip.AddrFrom16(v4.As16())},
		"IPv4 to IPv4, mapped": {"udp4", "udp4", netip.AddrFrom16(v4.As16())},
		"IPv4 to all":          {"udp4", "udp", v4},
		"all to all over IPv4": {"udp", "udp", v4},
		"all to all over IPv6": {"udp", "udp", v6},
		"IPv6 to IPv6":         {"udp6", "udp6", v6},
		"all to IPv6":          {"udp", "udp6", v6},
	} {
		if strings.Contains(name, "IPv6") && !haveIPv6() {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, ac := openSocket(t, tc.from, nil)
			b, bc := openSocket(t, tc.to, nil)
			if n, err := a.WriteToUDPAddrPort([]byte("sound"), netip.AddrPortFrom(tc.addr, portOf(bc))); n != 5 || err != nil {
				t.Fatalf("sent %d bytes: %v", n, err)
			}
			buf := make([]byte, 100)
			_ = bc.SetReadDeadline(time.Now().Add(time.Minute))
			n, from, err := b.ReadFromUDPAddrPort(buf)
			if err != nil || string(buf[:n]) != "sound" {
				t.Fatalf("received %q: %v", buf[:n], err)
			}
			if want := netip.AddrPortFrom(tc.addr.Unmap(), portOf(ac)); from != want {
				t.Errorf("from %v, want %v", from, want)
			}
			if _, err := b.WriteToUDPAddrPort([]byte("answer"), from); err != nil {
				t.Fatal(err)
			}
			_ = ac.SetReadDeadline(time.Now().Add(time.Minute))
			if n, _, err := a.ReadFromUDPAddrPort(buf); err != nil || string(buf[:n]) != "answer" {
				t.Errorf("the answer is %q: %v", buf[:n], err)
			}
		})
	}
}

// TestSocketAgreesWithNet reads with one what the other has sent.
func TestSocketAgreesWithNet(t *testing.T) {
	t.Parallel()
	s, c := openSocket(t, "udp", nil)
	_, other := openSocket(t, "udp4", net.IPv4(127, 0, 0, 1))
	to := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), portOf(c))
	if _, err := other.WriteToUDPAddrPort([]byte("0123456789"), to); err != nil {
		t.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	buf := make([]byte, 4) // the rest of a datagram is lost, as with net
	n, from, err := s.ReadFromUDPAddrPort(buf)
	if err != nil || string(buf[:n]) != "0123" || from.Port() != portOf(other) {
		t.Fatalf("received %q from %v: %v", buf[:n], from, err)
	}
	if _, err := s.WriteToUDPAddrPort(nil, from); err != nil { // an empty datagram is one too
		t.Fatal(err)
	}
	_ = other.SetReadDeadline(time.Now().Add(time.Minute))
	if n, _, err := other.ReadFromUDPAddrPort(buf); n != 0 || err != nil {
		t.Errorf("received %d bytes: %v", n, err)
	}
}

// TestSocketErrors: errors are those that callers of net know.
func TestSocketErrors(t *testing.T) {
	t.Parallel()
	s, c := openSocket(t, "udp4", net.IPv4(127, 0, 0, 1))
	buf := make([]byte, 10)
	_ = c.SetReadDeadline(time.Unix(1, 0))
	if _, _, err := s.ReadFromUDPAddrPort(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after the deadline: %v", err)
	}
	_ = c.SetReadDeadline(time.Time{})
	if _, err := s.WriteToUDPAddrPort(buf, netip.AddrPortFrom(netip.IPv6Loopback(), 9)); err == nil {
		t.Error("an IPv4 socket sent to IPv6")
	}
	huge := make([]byte, 70000)
	if _, err := s.WriteToUDPAddrPort(huge, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), 9)); !errors.Is(err, syscall.EMSGSIZE) {
		t.Errorf("a datagram that is too long: %v", err)
	}
	waiting := make(chan error, 1)
	go func() {
		_, _, err := s.ReadFromUDPAddrPort(buf)
		waiting <- err
	}()
	_ = c.Close()
	if err := <-waiting; !errors.Is(err, net.ErrClosed) {
		t.Errorf("reading a closed socket: %v", err)
	}
	if _, err := s.WriteToUDPAddrPort(buf, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), 9)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("writing to a closed socket: %v", err)
	}
	if _, err := newSocket(c); err == nil {
		t.Error("a socket was made of a closed one")
	}
}

// TestScopes takes the interface of a link-local address both ways.
func TestScopes(t *testing.T) {
	t.Parallel()
	interfaces, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range interfaces {
		if got := scope(netip.MustParseAddr("fe80::1%" + i.Name)); got != uint32(i.Index) {
			t.Errorf("scope of %s is %d, want %d", i.Name, got, i.Index)
		}
	}
	for text, want := range map[string]uint32{"fe80::1": 0, "fe80::1%7": 7, "fe80::1%no-such-interface": 0} {
		if got := scope(netip.MustParseAddr(text)); got != want {
			t.Errorf("scope of %s is %d, want %d", text, got, want)
		}
	}
	for _, text := range []string{"[fe80::1%7]:4000", "[2001:db8::1]:65535", "192.0.2.1:1", "[::1]:256"} {
		want := netip.MustParseAddrPort(text)
		var c sendCall
		if !c.aim(want, true) {
			t.Fatalf("%s was refused", text)
		}
		if got := addrPort(&c.to); got != want {
			t.Errorf("%s became %v", text, got)
		}
	}
	if got := addrPort(&syscall.RawSockaddrInet6{Family: syscall.AF_UNIX}); got.IsValid() {
		t.Errorf("another family is %v", got)
	}
}

// TestSocketAllocates nothing per packet, in any direction.
func TestSocketAllocates(t *testing.T) {
	s, c := openSocket(t, "udp", nil)
	to := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), portOf(c))
	buf := make([]byte, 172)
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	if n := testing.AllocsPerRun(100, func() {
		if _, err := s.WriteToUDPAddrPort(buf, to); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.ReadFromUDPAddrPort(buf); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations per packet", n)
	}
	var room lender[datagram]
	if n := testing.AllocsPerRun(100, func() {
		if _, err := s.WriteToUDPAddrPort(buf, to); err != nil {
			t.Fatal(err)
		}
		b, n, _, err := s.readLent(&room)
		if err != nil || n != len(buf) {
			t.Fatal(n, err)
		}
		room.give(b)
	}); n != 0 {
		t.Errorf("%v allocations per packet into a lent buffer", n)
	}
}

// TestLentBuffers come with what has arrived, and only then.
func TestLentBuffers(t *testing.T) {
	s, c := openSocket(t, "udp", nil)
	var room lender[datagram]
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if b, _, _, err := s.readLent(&room); b != nil || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("nothing arrived: %v, %v", b, err)
	}
	if s.recv.lent != nil || s.recv.buf != nil {
		t.Error("a reader that waits keeps a buffer")
	}
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := s.WriteToUDPAddrPort([]byte("hello"), netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), portOf(c))); err != nil {
		t.Fatal(err)
	}
	b, n, from, err := s.readLent(&room)
	if err != nil || string(b[:n]) != "hello" || from.Port() != portOf(c) {
		t.Errorf("%d bytes from %v, %v", n, from, err)
	}
}
