package hook

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// refusedPrefixes are addresses that never belong to an application: link-local
// ones (RFC 3927, RFC 4291 §2.5.6), where clouds and appliances keep their
// metadata services, and the metadata address of fd00:ec2::/32 machines.
var refusedPrefixes = []netip.Prefix{
	netip.MustParsePrefix("169.254.0.0/16"),
	netip.MustParsePrefix("fe80::/10"),
	netip.MustParsePrefix("fd00:ec2::254/128"),
}

// nat64 is the well-known prefix that carries an IPv4 address in its last four
// bytes (RFC 6052 §2.1).
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// RefusedError says that the address policy does not allow a connection.
type RefusedError struct {
	Addr netip.AddrPort
	Why  string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("the address %s is not allowed: %s", e.Addr, e.Why)
}

// policy decides where the box may connect to on behalf of a document.
type policy struct {
	own   []netip.AddrPort             // listeners of the box that are refused
	local func() ([]netip.Addr, error) // the box's addresses now
}

// check refuses addr or gives nil. It is asked with the address that is being
// connected to, after any name was resolved.
func (p policy) check(addr netip.AddrPort) error {
	ip := addr.Addr().WithZone("").Unmap()
	if nat64.Contains(ip) {
		b := ip.As16()
		ip = netip.AddrFrom4([4]byte(b[12:]))
	}
	for _, r := range refusedPrefixes {
		if r.Contains(ip) {
			return &RefusedError{addr, "it is a link-local address"}
		}
	}
	for _, o := range p.own {
		if o.Port() == addr.Port() && p.isOwn(o.Addr().WithZone("").Unmap(), ip) {
			return &RefusedError{addr, "it is the box's own administration"}
		}
	}
	return nil
}

// isOwn reports whether a listener on address on is reached through ip.
func (p policy) isOwn(on, ip netip.Addr) bool {
	if ip.IsUnspecified() { // means this host
		return true
	}
	if !on.IsUnspecified() {
		return on == ip
	}
	if ip.IsLoopback() {
		return true
	}
	addrs, err := p.local()
	if err != nil {
		return true // unknown: refuse
	}
	for _, a := range addrs {
		if a == ip {
			return true
		}
	}
	return false
}

// localAddrs are the addresses of all interfaces.
func localAddrs() ([]netip.Addr, error) {
	list, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var out []netip.Addr
	for _, a := range list {
		if n, ok := a.(*net.IPNet); ok {
			if ip, ok := netip.AddrFromSlice(n.IP); ok {
				out = append(out, ip.Unmap())
			}
		}
	}
	return out, nil
}

// connectKey carries the connect timeout of a request to the dialer.
type connectKey struct{}

// dial connects under the policy. The control function runs after the name was
// resolved and before the connection is made, for each address tried, so a name
// that resolves to something else the second time gains nothing.
func (p policy) dial(ctx context.Context, network, address string) (net.Conn, error) {
	timeout, ok := ctx.Value(connectKey{}).(time.Duration)
	if !ok {
		timeout = ConnectTimeout
	}
	d := net.Dialer{Timeout: timeout, KeepAlive: 30 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		addr, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("address %q: %w", address, err)
		}
		return p.check(addr)
	}}
	return d.DialContext(ctx, network, address)
}
