package rtp

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"callbox/media"
)

// TestSource sends from one of several addresses of this machine. One that is
// not its own, or from which there is no way, is not used.
func TestSource(t *testing.T) {
	t.Parallel()
	one, five, v6 := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.5"), netip.IPv6Loopback()
	for name, tc := range map[string]struct {
		network      string
		local, far   netip.Addr
		want         netip.Addr
		again, clear bool // a second source after the first; none after all
	}{
		"IPv4":                  {network: "udp4", local: five, far: one, want: five},
		"IPv4 of all":           {network: "udp", local: five, far: one, want: five},
		"mapped":                {network: "udp", local: netip.AddrFrom16(five.As16()), far: one, want: five},
		"IPv6":                  {network: "udp", local: v6, far: v6, want: v6},
		"of the other family":   {network: "udp", local: v6, far: one, want: one},
		"not ours":              {network: "udp", local: netip.MustParseAddr("192.0.2.77"), far: one, want: one},
		"none":                  {network: "udp4", far: one, want: one},
		"the unspecified":       {network: "udp4", local: netip.IPv4Unspecified(), far: one, want: one},
		"first not ours, then":  {network: "udp", local: netip.MustParseAddr("192.0.2.77"), far: one, want: five, again: true},
		"first ours, then none": {network: "udp", local: five, far: one, want: one, clear: true},
	} {
		if (tc.far.Is6() || tc.local.Is6() && !tc.local.Is4In6()) && !haveIPv6() {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := openSocket(t, tc.network, nil)
			_, far := openSocket(t, "udp", tc.far.AsSlice())
			to := netip.AddrPortFrom(tc.far, portOf(far))
			send := func(local netip.Addr) netip.Addr {
				t.Helper()
				s.sendFrom(local)
				if n, err := s.WriteToUDPAddrPort([]byte("sound"), to); n != 5 || err != nil {
					t.Fatalf("sent %d bytes: %v", n, err)
				}
				_ = far.SetReadDeadline(time.Now().Add(time.Minute))
				buf := make([]byte, 10)
				n, from, err := far.ReadFromUDPAddrPort(buf)
				if err != nil || string(buf[:n]) != "sound" {
					t.Fatalf("received %q: %v", buf[:n], err)
				}
				return from.Addr().Unmap()
			}
			got := send(tc.local)
			if tc.again {
				got = send(five)
			}
			if tc.clear {
				got = send(netip.Addr{})
			}
			if got != tc.want {
				t.Errorf("from %v, want %v", got, tc.want)
			}
		})
	}
}

// TestSourceOfStream: sound and reports come from the address in the session
// description, and choosing it costs no allocation per packet.
func TestSourceOfStream(t *testing.T) {
	five := netip.MustParseAddr("127.0.0.5")
	s := listen(t, newPool(t, PoolConfig{}), nil)
	open := func() *net.UDPConn {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		_ = c.SetReadDeadline(time.Now().Add(time.Minute))
		return c
	}
	sound, reports := open(), open()
	at := func(c *net.UDPConn) netip.AddrPort {
		return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), portOf(c))
	}
	if err := s.Start(Remote{RTP: at(sound), RTCP: at(reports), Local: five}, pcmu()); err != nil {
		t.Fatal(err)
	}
	var f media.Frame
	s.WriteFrame(&f)
	if n := testing.AllocsPerRun(50, func() { s.WriteFrame(&f) }); n != 0 {
		t.Errorf("%v allocations per packet", n)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]*net.UDPConn{"sound": sound, "the last report": reports} {
		_, from, err := c.ReadFromUDPAddrPort(make([]byte, 2000))
		if err != nil || from.Addr() != five {
			t.Errorf("%s comes from %v, %v, want %v", what, from, err, five)
		}
	}
}
