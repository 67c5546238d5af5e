package sip

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	gosip "github.com/emiago/sipgo/sip"

	"callbox/sip/locate"
	"callbox/sip/wire"
)

// LocalFor is the address of this machine that the kernel uses towards host (an
// address or a name, with or without port): the one for SDP. When no route is
// known it is the zero value.
func (s *Stack) LocalFor(host string) netip.Addr {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		addrs, err := s.cfg.Resolver.Addrs(s.base, host)
		if err != nil || len(addrs) == 0 {
			return netip.Addr{}
		}
		a = addrs[0]
	}
	return s.wire.LocalFor(a.Unmap(), netip.Addr{})
}

// Outside reports whether a peer at remote is beyond our own network, where a box
// behind a NAT is known by external only.
func Outside(remote, external netip.Addr) bool { return wire.Outside(remote, external.String()) }

// Resolve gives the addresses that requests to uri go to, best first (a "sip:"
// URI, "host" or "host:port"): as the NAPTR, SRV, A and AAAA records of its host
// say (RFC 3263 §4), those that failed lately last. The transport is that of the
// URI, else of the first address.
func (s *Stack) Resolve(ctx context.Context, uri string) (transport string, addrs []netip.AddrPort, err error) {
	u, err := parseURI(uri)
	if err != nil {
		return "", nil, err
	}
	hops, err := s.resolve(ctx, u, transportOf(u))
	if err != nil {
		return "", nil, err
	}
	hops = s.shun.last(hops, later*s.cfg.T1)
	return hops[0].Transport, addrsOf(hops), nil
}

// resolve gives at least one server, or says why there is none. An empty
// transport leaves the choice to the domain.
func (s *Stack) resolve(ctx context.Context, u gosip.Uri, transport string) ([]locate.Hop, error) {
	switch transport {
	case "", wire.UDP, wire.TCP, wire.TLS:
	default:
		return nil, fmt.Errorf("sip: unknown transport %q", transport)
	}
	hops, err := s.cfg.Resolver.Hops(ctx, locate.Query{Host: u.Host, Port: uint16(max(u.Port, 0)), Transport: transport})
	if err != nil {
		return nil, fmt.Errorf("sip: %w", err)
	}
	if len(hops) == 0 {
		return nil, fmt.Errorf("sip: %s has no address", u.Host)
	}
	return hops, nil
}

// hostAddr reads a host that is an address.
func hostAddr(host string) (netip.Addr, bool) { return locate.Address(host) }

func portOf(u gosip.Uri, transport string) uint16 {
	switch {
	case u.Port > 0:
		return uint16(u.Port)
	case transport == wire.TLS:
		return 5061
	}
	return 5060
}
