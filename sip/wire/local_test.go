package wire

import (
	"net"
	"net/netip"
	"testing"

	"github.com/emiago/sipgo/sip"
)

// TestResponseFlow: where responses go without rport (RFC 3261 §18.2.2), and
// when a NAT makes that place useless. With rport they go back (RFC 3581 §4).
func TestResponseFlow(t *testing.T) {
	t.Parallel()
	heard := netip.MustParseAddrPort("198.51.100.7:40000")
	for via, want := range map[string]string{
		"198.51.100.7:5070":                 "198.51.100.7:5070",
		"198.51.100.7":                      "198.51.100.7:5060",
		"pc33.atlanta.example:5070":         "198.51.100.7:5070",
		"pc33.atlanta.example":              "198.51.100.7:5060",
		"203.0.113.9:5070":                  "198.51.100.7:5070",
		"192.168.1.5:5070":                  "198.51.100.7:40000",
		"100.64.0.5":                        "198.51.100.7:40000",
		"[fd00::5]:5070":                    "198.51.100.7:40000",
		"[2001:db8::5]:5070":                "198.51.100.7:5070",
		"pc33.atlanta.example:5070;rport":   "198.51.100.7:40000",
		"198.51.100.7:5070;rport":           "198.51.100.7:40000",
		"198.51.100.7:5070;branch=z9hG4bKx": "198.51.100.7:5070",
	} {
		msg, err := sip.NewParser().ParseSIP([]byte("OPTIONS sip:biloxi.example SIP/2.0\r\nVia: SIP/2.0/UDP " + via + "\r\nContent-Length: 0\r\n\r\n"))
		if err != nil {
			t.Fatalf("%s: %v", via, err)
		}
		if got := responseFlow(msg.(*sip.Request), Flow{Transport: UDP, Remote: heard}).Remote.String(); got != want {
			t.Errorf("%s: to %s, want %s", via, got, want)
		}
	}
}

// TestOutside: who is shown the address outside of a NAT.
func TestOutside(t *testing.T) {
	t.Parallel()
	for remote, want := range map[string]bool{
		"198.51.100.7": true, "10.1.2.3": false, "172.16.0.1": false, "192.168.1.5": false, "100.64.3.4": false,
		"127.0.0.1": false, "169.254.1.1": false, "2001:db8::1": false, "fd00::1": false,
	} {
		if got := Outside(netip.MustParseAddr(remote), "203.0.113.1"); got != want {
			t.Errorf("%s: %v", remote, got)
		}
	}
	if !Outside(netip.MustParseAddr("2001:db8::1"), "2001:db8:1::1") || !Outside(netip.MustParseAddr("2001:db8::1"), "box.biloxi.example") {
		t.Error("an IPv6 peer does not reach us at an IPv6 address or a name")
	}
}

// everywhere listens on all addresses.
func everywhere(c *Config) { c.UDP, c.TCP = []string{"0.0.0.0:0"}, []string{"0.0.0.0:0"} }

// TestLocalFor: a wish is kept where it is ours and reaches the peer.
func TestLocalFor(t *testing.T) {
	t.Parallel()
	l := startLayer(t, newHandler(nil), everywhere)
	one, five := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.5")
	for wish, want := range map[netip.Addr]netip.Addr{
		five: five, one: one, {}: one, netip.IPv4Unspecified(): one, netip.IPv6Loopback(): one, netip.MustParseAddr("192.0.2.77"): one,
	} {
		if got := l.LocalFor(one, wish); got != want {
			t.Errorf("wish %v: %v, want %v", wish, got, want)
		}
		flow, err := l.path(try{transport: UDP, addr: netip.AddrPortFrom(one, 9), local: wish})
		if err != nil || flow.Local.Addr() != want {
			t.Errorf("wish %v: UDP from %v, %v, want %v", wish, flow.Local, err, want)
		}
	}
}

// TestDialFrom: a connection comes from the address that was asked for.
func TestDialFrom(t *testing.T) {
	t.Parallel()
	l := startLayer(t, newHandler(nil), everywhere)
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c, err := l.connect(TCP, ln.Addr().(*net.TCPAddr).AddrPort(), netip.MustParseAddr("127.0.0.5"), "")
	if err != nil {
		t.Fatal(err)
	}
	if got := c.local().Addr().String(); got != "127.0.0.5" {
		t.Errorf("before it is up it says %s", got)
	}
	nc, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if got := nc.RemoteAddr().(*net.TCPAddr).IP.String(); got != "127.0.0.5" {
		t.Errorf("from %s", got)
	}
}
