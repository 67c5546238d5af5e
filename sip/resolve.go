package sip

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"

	gosip "github.com/emiago/sipgo/sip"

	"callbox/sip/wire"
)

// maxAddrs bounds how many addresses of one name are tried.
const maxAddrs = 8

// LocalFor is the address of this machine that the kernel uses towards host (an
// address or a name, with or without port): the one for SDP. When no route is
// known it is the zero value.
func (s *Stack) LocalFor(host string) netip.Addr {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		addrs, err := s.cfg.Resolver.LookupNetIP(s.base, "ip", host)
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
// URI, "host" or "host:port"): SRV records of its transport when it has no
// port, else A and AAAA (RFC 3263 §4, without NAPTR). The transport is that of
// the URI, "udp" when it names none.
func (s *Stack) Resolve(ctx context.Context, uri string) (transport string, addrs []netip.AddrPort, err error) {
	u, err := parseURI(uri)
	if err != nil {
		return "", nil, err
	}
	if transport = transportOf(u); transport == "" {
		transport = wire.UDP
	}
	addrs, err = s.resolve(ctx, u, transport)
	return transport, addrs, err
}

func (s *Stack) resolve(ctx context.Context, u gosip.Uri, transport string) ([]netip.AddrPort, error) {
	if a, ok := hostAddr(u.Host); ok {
		return []netip.AddrPort{netip.AddrPortFrom(a, portOf(u, transport))}, nil
	}
	if u.Port == 0 {
		if addrs := s.lookupSRV(ctx, u.Host, transport); len(addrs) > 0 {
			return addrs, nil
		}
	}
	return s.lookupHost(ctx, u.Host, portOf(u, transport))
}

func (s *Stack) lookupSRV(ctx context.Context, host, transport string) []netip.AddrPort {
	service, proto := "sip", transport
	if transport == wire.TLS {
		service, proto = "sips", wire.TCP
	}
	_, srvs, err := s.cfg.Resolver.LookupSRV(ctx, service, proto, host)
	if err != nil {
		return nil
	}
	var addrs []netip.AddrPort
	for _, r := range srvs {
		if more, err := s.lookupHost(ctx, r.Target, r.Port); err == nil {
			addrs = append(addrs, more...)
		}
		if len(addrs) >= maxAddrs {
			return addrs[:maxAddrs]
		}
	}
	return addrs
}

func (s *Stack) lookupHost(ctx context.Context, host string, port uint16) ([]netip.AddrPort, error) {
	ips, err := s.cfg.Resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, fmt.Errorf("sip: look %s up: %w", host, err)
	}
	for i := range ips {
		ips[i] = ips[i].Unmap()
	}
	slices.SortStableFunc(ips, func(a, b netip.Addr) int { return a.BitLen() - b.BitLen() }) // IPv4 first
	addrs := make([]netip.AddrPort, 0, min(len(ips), maxAddrs))
	for _, ip := range ips[:min(len(ips), maxAddrs)] {
		addrs = append(addrs, netip.AddrPortFrom(ip, port))
	}
	if len(addrs) == 0 {
		return nil, fmt.Errorf("sip: %s has no address", host)
	}
	return addrs, nil
}

// hostAddr reads a host that is an address.
func hostAddr(host string) (netip.Addr, bool) {
	if len(host) > 2 && host[0] == '[' && host[len(host)-1] == ']' {
		host = host[1 : len(host)-1]
	}
	a, err := netip.ParseAddr(host)
	return a.Unmap(), err == nil
}

func portOf(u gosip.Uri, transport string) uint16 {
	switch {
	case u.Port > 0:
		return uint16(u.Port)
	case transport == wire.TLS:
		return 5061
	}
	return 5060
}
