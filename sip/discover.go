package sip

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"callbox/sip/wire"
)

// stunPort is where STUN servers listen (RFC 8489 §15.6).
const stunPort = 3478

// discoverAgain is after how long, in T1 (0.5 s), a STUN server that did not answer
// is asked again.
const discoverAgain = 20

// SetExternal changes Config.External: the address outside of a NAT, and the port of
// SIP over UDP there, or 0 for our own port. The zero Addr: there is no such NAT.
// Registrations are renewed at once, dialogs that begin show it, and those that are
// up are told by Moved.
func (s *Stack) SetExternal(addr netip.Addr, port uint16) {
	host := ""
	if addr.IsValid() {
		host = addr.String()
	}
	s.wire.SetExternal(host, port)
}

// External is the address outside of a NAT; invalid: there is none, or it is a name.
func (s *Stack) External() netip.Addr {
	a, err := netip.ParseAddr(s.wire.External())
	if err != nil {
		return netip.Addr{}
	}
	return a
}

// DiscoverConfig describes how the address outside of a NAT is found out.
type DiscoverConfig struct {
	// Host is the STUN server; Port is where it listens, 0: 3478.
	Host string
	Port uint16
	// Every is the pause between questions, which keep the way through the NAT open
	// too; 0: 25 s, as long as NATs remember at least (RFC 5626 §4.4).
	Every time.Duration
	// OnChange is told the first outcome and every other one, on the goroutine of
	// Discover.
	OnChange func(Discovery)
}

// Discovery is what a STUN server told.
type Discovery struct {
	// External is how it sees our SIP socket; invalid when it sees our own address,
	// or did not answer.
	External netip.AddrPort
	// Err says why there was no answer. What was known before stays in use.
	Err error
}

// Discover asks a STUN server (RFC 8489), again and again until ctx ends, which
// address it sees the SIP socket under, and makes that External. It then returns
// nil, and External stays as it is. The error is ErrClosed.
func (s *Stack) Discover(ctx context.Context, cfg DiscoverConfig) error {
	port := cfg.Port
	if port == 0 {
		port = stunPort
	}
	every := cfg.Every
	if every <= 0 {
		every = keepAlive
	}
	var last Discovery
	for first := true; ; first = false {
		found := s.discover(ctx, cfg.Host, port)
		switch {
		case ctx.Err() != nil:
			return nil
		case s.base.Err() != nil:
			return ErrClosed
		}
		pause := every
		if found.Err != nil {
			pause = min(every, discoverAgain*s.cfg.T1)
		} else {
			s.SetExternal(found.External.Addr(), found.External.Port())
		}
		if same := found.External == last.External && fmt.Sprint(found.Err) == fmt.Sprint(last.Err); (first || !same) && cfg.OnChange != nil {
			cfg.OnChange(found)
		}
		last = found
		s.pause(ctx, pause)
	}
}

// discover asks the addresses of a STUN server until one answers.
func (s *Stack) discover(ctx context.Context, host string, port uint16) Discovery {
	addrs, err := s.cfg.Resolver.Addrs(ctx, host)
	if err != nil {
		return Discovery{Err: fmt.Errorf("the STUN server %s is not found: %w", host, err)}
	}
	found := Discovery{Err: fmt.Errorf("the STUN server %s has no address", host)}
	for _, a := range addrs {
		server := netip.AddrPortFrom(a.Unmap(), port)
		mapped, err := s.bindTo(ctx, server)
		if err != nil {
			found.Err = fmt.Errorf("no answer from the STUN server %s: %w", server, sipError(err))
			continue
		}
		if mapped.Addr() == s.wire.LocalFor(server.Addr(), netip.Addr{}) {
			return Discovery{} // there is no NAT
		}
		return Discovery{External: mapped}
	}
	return found
}

// bindTo asks one address.
func (s *Stack) bindTo(ctx context.Context, server netip.AddrPort) (netip.AddrPort, error) {
	type result struct {
		mapped netip.AddrPort
		err    error
	}
	got := make(chan result, 1)
	if err := s.wire.Bind(server, func(mapped netip.AddrPort, err error) { got <- result{mapped, err} }); err != nil {
		return netip.AddrPort{}, err
	}
	select {
	case r := <-got:
		return r.mapped, r.err
	case <-ctx.Done():
		return netip.AddrPort{}, ctx.Err()
	case <-s.base.Done():
		return netip.AddrPort{}, ErrClosed
	}
}

// Trust says whose certificates are believed on TLS connections that the box opens.
type Trust = wire.Trust

// SetTrust replaces whose certificates are believed, from the next connection on.
func (s *Stack) SetTrust(t Trust) { s.wire.SetTrust(t) }
