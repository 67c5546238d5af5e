package wire

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"callbox/sip/stun"
)

// maxMessage is the largest message in bytes, on any transport.
const maxMessage = 65535

// PacketConn is what a layer needs of a UDP socket. *net.UDPConn is one; tests
// have others, whose network is in memory and on a virtual clock.
type PacketConn interface {
	ReadMsgUDPAddrPort(b, oob []byte) (n, oobn, flags int, addr netip.AddrPort, err error)
	WriteMsgUDPAddrPort(b, oob []byte, addr netip.AddrPort) (n, oobn int, err error)
	LocalAddr() net.Addr // a *net.UDPAddr
	Close() error
}

// udpSocket is one UDP listener.
type udpSocket struct {
	l        *Layer
	pc       PacketConn
	bound    netip.AddrPort
	wildcard bool
	v6       bool
}

// listenUDP opens the sockets for one address. An empty host opens one socket
// for each family, because a socket for both cannot choose the source address
// of its IPv4 datagrams on every kernel.
func (l *Layer) listenUDP(addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("wire: listen on udp %s: %w", addr, err)
	}
	if host != "" {
		_, err := l.openUDP("udp", addr)
		return err
	}
	s, err := l.openUDP("udp4", addr)
	if err != nil {
		return err
	}
	if port == "0" {
		port = strconv.Itoa(int(s.bound.Port()))
	}
	if _, err := l.openUDP("udp6", net.JoinHostPort("", port)); err != nil {
		l.log.Debug("no IPv6 socket", "err", err) // the machine has no IPv6
	}
	return nil
}

func (l *Layer) openUDP(network, addr string) (*udpSocket, error) {
	ua, err := net.ResolveUDPAddr(network, addr)
	if err != nil {
		return nil, fmt.Errorf("wire: listen on udp %s: %w", addr, err)
	}
	if network == "udp" {
		network = "udp6" // bound to one family only, so that the socket options are those of the family
		if ua.IP.To4() != nil {
			network = "udp4"
		}
	}
	pc, err := net.ListenUDP(network, ua)
	if err != nil {
		return nil, fmt.Errorf("wire: listen on udp %s: %w", addr, err)
	}
	_ = pc.SetReadBuffer(1 << 20) // best effort: the system may allow less
	s := l.addSocket(pc)
	if s.wildcard {
		if err := askLocal(pc, s.v6); err != nil {
			l.log.Debug("the system does not tell the local address of datagrams", "err", err)
		}
	}
	return s, nil
}

// addSocket makes an open socket a listener.
func (l *Layer) addSocket(pc PacketConn) *udpSocket {
	b := pc.LocalAddr().(*net.UDPAddr).AddrPort()
	s := &udpSocket{l: l, pc: pc, bound: netip.AddrPortFrom(b.Addr().Unmap(), b.Port())}
	s.v6, s.wildcard = s.bound.Addr().Is6(), s.bound.Addr().IsUnspecified()
	l.udp = append(l.udp, s)
	return s
}

// read handles datagrams until the socket is closed.
func (s *udpSocket) read() {
	buf := make([]byte, maxMessage)
	oob := make([]byte, oobSize)
	for {
		n, on, _, src, err := s.pc.ReadMsgUDPAddrPort(buf, oob)
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			s.l.count.readErrors.Add(1)
			continue
		}
		flow := Flow{Transport: UDP, Local: s.bound, Remote: netip.AddrPortFrom(src.Addr().Unmap(), src.Port()), sock: s}
		if s.wildcard {
			flow.Local = netip.AddrPortFrom(localOf(oob[:on]), s.bound.Port())
		}
		if stun.Is(buf[:n]) {
			s.l.guard(func() { s.l.stun(buf[:n], flow) })
			continue
		}
		if len(buf[:n]) > 4 { // shorter ones are keep-alives (RFC 5626 §4.4)
			s.l.Receive(buf[:n], flow)
		}
	}
}

// write sends one datagram, from local when the socket has several addresses.
func (s *udpSocket) write(b []byte, remote netip.AddrPort, local netip.Addr) error {
	var oob []byte
	if s.wildcard && local.IsValid() && !local.IsUnspecified() && local.Is4() != s.v6 {
		oob = fromLocal(local, s.v6)
	}
	if _, _, err := s.pc.WriteMsgUDPAddrPort(b, oob, remote); err != nil {
		s.l.count.sendErrors.Add(1)
		return fmt.Errorf("%w: %w", ErrTransport, err)
	}
	return nil
}

// From is a UDP flow that comes from another address of ours.
func (l *Layer) From(f Flow, local netip.Addr) Flow {
	if s, at := l.socketFor(f.Remote.Addr(), local); s != nil {
		f.sock, f.Local = s, netip.AddrPortFrom(at, s.bound.Port())
	}
	return f
}

// socketFor picks the socket that can reach remote and belongs to the address
// that LocalFor names.
func (l *Layer) socketFor(remote, wish netip.Addr) (*udpSocket, netip.Addr) {
	local := l.localFor(UDP, remote, wish)
	var fallback *udpSocket
	for _, s := range l.udp {
		if s.v6 == remote.Is4() {
			continue
		}
		if s.wildcard || s.bound.Addr() == local {
			if !s.wildcard {
				local = s.bound.Addr()
			}
			return s, local
		}
		if fallback == nil {
			fallback = s
		}
	}
	if fallback != nil {
		local = fallback.bound.Addr()
	}
	return fallback, local
}
