package wire

import (
	"net/netip"
	"strings"
)

// The transports, as they are named everywhere in the box.
const (
	UDP = "udp"
	TCP = "tcp"
	TLS = "tls"
	WS  = "ws"  // a browser's websocket (RFC 7118)
	WSS = "wss" // the same over TLS
)

// Web reports whether transport is a browser's: only the browser can open such a
// connection.
func Web(transport string) bool { return transport == WS || transport == WSS }

// Flow is the path by which a message came: the socket or connection and both
// addresses. Answers and later requests go back on it, which is the only way
// through a NAT and the right source address on a multi-homed host.
type Flow struct {
	Transport string
	Local     netip.AddrPort // the address may be invalid when the system did not say
	Remote    netip.AddrPort

	sock *udpSocket
	conn *conn
}

// Valid reports whether f is a path at all.
func (f Flow) Valid() bool { return f.sock != nil || f.conn != nil }

// Alive reports whether a message can be sent on f: always for UDP, until the
// connection is lost for the others.
func (f Flow) Alive() bool {
	if f.conn == nil {
		return f.sock != nil
	}
	select {
	case <-f.conn.done:
		return false
	default:
		return true
	}
}

// Done is closed when the connection of f is lost; nil for UDP.
func (f Flow) Done() <-chan struct{} {
	if f.conn == nil {
		return nil
	}
	return f.conn.done
}

// Same reports whether o is the same connection; no two datagrams are.
func (f Flow) Same(o Flow) bool { return f.conn != nil && f.conn == o.conn }

// Ping sends the keep-alive of RFC 5626 §4.4.1, so that NATs and firewalls on
// the way keep their state.
func (f Flow) Ping() { _ = f.send([]byte("\r\n\r\n")) }

// Close closes the connection of f; UDP has none.
func (f Flow) Close() {
	if f.conn != nil {
		f.conn.close(errRefused)
	}
}

// send writes one message, without blocking for longer than a datagram takes.
func (f Flow) send(b []byte) error {
	switch {
	case f.conn != nil:
		f.conn.l.watchSent(f, b)
		return f.conn.send(b)
	case f.sock != nil:
		f.sock.l.watchSent(f, b)
		return f.sock.write(b, f.Remote, f.Local.Addr())
	}
	return ErrTransport
}

// Reliable reports whether transport repeats lost messages by itself.
func Reliable(transport string) bool { return transport != UDP }

// Dest is where a request goes.
type Dest struct {
	// Flow is used while it is alive, and then nothing else is tried.
	Flow Flow
	// Transport and Addrs are tried in order as long as no message could be sent.
	Transport string
	Addrs     []netip.AddrPort
	// Local is our address that the peer knows us by, for as long as it reaches
	// the peer; the zero Addr: whichever does.
	Local netip.Addr
	// Host is the name that a TLS certificate must show.
	Host string
}

// Towards is d with one address of its servers.
func (d Dest) Towards(transport string, addr netip.AddrPort) Dest {
	return Dest{Transport: transport, Addrs: []netip.AddrPort{addr}, Local: d.Local, Host: d.Host}
}

// key identifies a connection.
func connKey(transport string, remote netip.AddrPort) string {
	var b strings.Builder
	b.Grow(52)
	b.WriteString(transport)
	b.WriteByte(' ')
	b.WriteString(remote.String())
	return b.String()
}
