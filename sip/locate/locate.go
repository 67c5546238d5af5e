package locate

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// The transports, as SIP URIs name them.
const (
	UDP = "udp"
	TCP = "tcp"
	TLS = "tls"
)

// maxHops bounds how many addresses of one domain are tried.
const maxHops = 8

// Query is what a SIP URI says of the next hop.
type Query struct {
	Host      string // a name, or an address with or without brackets
	Port      uint16 // 0: none was written
	Transport string // empty: none was written, and the records of the domain decide
}

// Hop is one server.
type Hop struct {
	Transport string
	Addr      netip.AddrPort
}

// Hops gives the servers for q, best first and at most 8 (RFC 3263 §4). Servers
// of one priority come in an order that is drawn anew each time, by weight (RFC
// 2782). A transport that q names is kept, and nothing is looked up for an
// address. Whether and why a domain has no server is in the error; ctx bounds the
// look-ups.
func (r *Resolver) Hops(ctx context.Context, q Query) ([]Hop, error) {
	if a, ok := Address(q.Host); ok {
		return []Hop{{or(q.Transport, UDP), netip.AddrPortFrom(a, or(q.Port, portOf(q.Transport)))}}, nil
	}
	if q.Port != 0 {
		return r.at(ctx, or(q.Transport, UDP), q.Host, q.Port)
	}
	hops, err := r.bySRV(ctx, q)
	if err != nil || len(hops) > 0 {
		return hops, err
	}
	return r.at(ctx, or(q.Transport, UDP), q.Host, portOf(q.Transport))
}

// bySRV follows the NAPTR and SRV records of a domain, when it has some. The error
// is that of the name servers, not that there is no record.
func (r *Resolver) bySRV(ctx context.Context, q Query) ([]Hop, error) {
	services, err := r.services(ctx, q)
	if err != nil {
		return nil, err
	}
	var hops []Hop
	for _, s := range services {
		rec, err := r.look(ctx, s.name, dns.TypeSRV)
		if errors.Is(err, ErrNoAnswer) {
			return nil, err
		}
		for _, t := range drawn(rec.servers) {
			// A target without an address is one server fewer, no more.
			more, _ := r.at(ctx, s.transport, t.host, t.port)
			if hops = append(hops, more...); len(hops) >= maxHops {
				return hops[:maxHops], nil
			}
		}
	}
	return hops, nil
}

// service is one way to reach a domain: a transport and the name of its SRV records.
type service struct{ transport, name string }

// services are the ways to a domain: of the transport that q names, else as its
// NAPTR records say (§4.1), else of each transport, the usual ones first.
func (r *Resolver) services(ctx context.Context, q Query) ([]service, error) {
	usual := []service{{UDP, "_sip._udp." + q.Host}, {TCP, "_sip._tcp." + q.Host}, {TLS, "_sips._tcp." + q.Host}}
	if q.Transport != "" {
		return slices.DeleteFunc(usual, func(s service) bool { return s.transport != q.Transport }), nil
	}
	rec, err := r.look(ctx, q.Host, dns.TypeNAPTR)
	if errors.Is(err, ErrNoAnswer) {
		return nil, err
	}
	var out []service
	for _, p := range rec.pointers {
		if t := transportOf(p.service); t != "" && p.name != "" {
			out = append(out, service{t, p.name})
		}
	}
	if len(out) == 0 {
		return usual, nil
	}
	return out, nil
}

// transportOf reads the service field of a NAPTR record; empty: not ours.
func transportOf(service string) string {
	switch strings.ToUpper(service) {
	case "SIP+D2U":
		return UDP
	case "SIP+D2T":
		return TCP
	case "SIPS+D2T":
		return TLS
	}
	return ""
}

// at gives the addresses of a host as hops, IPv4 first.
func (r *Resolver) at(ctx context.Context, transport, host string, port uint16) ([]Hop, error) {
	addrs, err := r.Addrs(ctx, host)
	if err != nil {
		return nil, err
	}
	hops := make([]Hop, 0, len(addrs))
	for _, a := range addrs[:min(len(addrs), maxHops)] {
		hops = append(hops, Hop{transport, netip.AddrPortFrom(a, port)})
	}
	return hops, nil
}

// drawn puts servers into the order of RFC 2782: by priority, and within one by
// lot, weighted.
func drawn(list []server) []server {
	left := slices.Clone(list)
	slices.SortStableFunc(left, func(a, b server) int { return int(a.priority) - int(b.priority) })
	out := make([]server, 0, len(left))
	for len(left) > 0 {
		same, sum := 0, 0
		for same < len(left) && left[same].priority == left[0].priority {
			sum += int(left[same].weight)
			same++
		}
		pick, lot := 0, rand.IntN(sum+1)
		if sum == 0 {
			pick = rand.IntN(same)
		}
		for i := 0; sum > 0 && i < same; i++ {
			if lot -= int(left[i].weight); lot <= 0 && left[i].weight > 0 {
				pick = i
				break
			}
		}
		out = append(out, left[pick])
		left = slices.Delete(left, pick, pick+1)
	}
	return out
}

// Address reads a host that is an address, with or without brackets.
func Address(host string) (netip.Addr, bool) {
	if len(host) > 2 && host[0] == '[' && host[len(host)-1] == ']' {
		host = host[1 : len(host)-1]
	}
	a, err := netip.ParseAddr(host)
	return a.Unmap(), err == nil
}

// portOf is the port of a transport that nobody wrote down.
func portOf(transport string) uint16 {
	if transport == TLS {
		return 5061
	}
	return 5060
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}
