package sip

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"callbox/sip/wire"
)

// memNet is a network in memory, on the clock of a synctest bubble: datagrams
// arrive at once and in order. lose, when set, says which do not arrive.
type memNet struct {
	mu    sync.Mutex
	conns map[netip.AddrPort]*memConn
	next  uint16
	lose  func(b []byte, to netip.AddrPort) bool
	at    netip.Addr // of what is opened; invalid: 127.0.0.1
}

// inBubble runs f on a virtual clock with a network of its own.
func inBubble(t *testing.T, f func(t *testing.T, n *memNet)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, &memNet{conns: map[netip.AddrPort]*memConn{}, next: 5060}) })
}

// memConn is one socket of a memNet.
type memConn struct {
	net      *memNet
	addr     netip.AddrPort
	in       chan memPacket
	done     chan struct{}
	once     sync.Once
	deadline time.Time
}

type memPacket struct {
	b    []byte
	from netip.AddrPort
}

func (n *memNet) open() *memConn {
	n.mu.Lock()
	defer n.mu.Unlock()
	at := netip.MustParseAddr("127.0.0.1")
	if n.at.IsValid() {
		at = n.at
	}
	c := &memConn{net: n, addr: netip.AddrPortFrom(at, n.next), in: make(chan memPacket, 256), done: make(chan struct{})}
	n.next++
	n.conns[c.addr] = c
	return c
}

func (c *memConn) LocalAddr() net.Addr                   { return net.UDPAddrFromAddrPort(c.addr) }
func (c *memConn) Close() error                          { c.once.Do(func() { close(c.done) }); return nil }
func (c *memConn) SetReadDeadline(t time.Time) (_ error) { c.deadline = t; return }

func (c *memConn) WriteMsgUDPAddrPort(b, _ []byte, to netip.AddrPort) (int, int, error) {
	n, err := c.WriteToUDPAddrPort(b, to)
	return n, 0, err
}

func (c *memConn) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	c.net.mu.Lock()
	other, lose := c.net.conns[to], c.net.lose
	c.net.mu.Unlock()
	if other == nil || lose != nil && lose(b, to) {
		return len(b), nil
	}
	select {
	case other.in <- memPacket{append([]byte(nil), b...), c.addr}:
		return len(b), nil
	default:
		return 0, errors.New("the other socket's queue is full")
	}
}

func (c *memConn) ReadMsgUDPAddrPort(b, _ []byte) (n, on, flags int, from netip.AddrPort, err error) {
	select {
	case p := <-c.in:
		return copy(b, p.b), 0, 0, p.from, nil
	case <-c.done:
		return 0, 0, 0, netip.AddrPort{}, net.ErrClosed
	}
}

func (c *memConn) Read(b []byte) (int, error) {
	t := time.NewTimer(time.Until(c.deadline))
	defer t.Stop()
	select {
	case p := <-c.in:
		return copy(b, p.b), nil
	case <-c.done:
		return 0, io.EOF
	case <-t.C:
		return 0, os.ErrDeadlineExceeded
	}
}

// stack runs a stack with the usual timers until the test ends.
func (n *memNet) stack(t *testing.T, adjust ...func(*Config)) *Stack {
	t.Helper()
	cfg := Config{Sockets: []wire.PacketConn{n.open()}}
	for _, f := range adjust {
		f(&cfg)
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(ctx)
	}()
	t.Cleanup(func() { cancel(); <-done })
	return s
}

// raw is a bare peer of s.
func (n *memNet) raw(t *testing.T, s *Stack) *raw {
	t.Helper()
	c := n.open()
	t.Cleanup(func() { _ = c.Close() })
	return &raw{t: t, pc: c, to: s, seen: map[string]bool{}}
}
