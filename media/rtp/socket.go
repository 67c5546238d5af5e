package rtp

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"syscall"
	"unsafe"
)

// socket is the RTP socket of a stream. It reads and sends like net.UDPConn,
// except that its system calls, which never block, are not announced to Go's
// scheduler. The announcement wakes the runtime's monitor thread whenever the
// process was idle before; a relay is idle before each of its packets, and the
// monitor then costs as much again as the relay itself (measured with 100
// calls: 10 of 28 % of a core).
//
// One goroutine reads, one sends, both without a lock of the socket's.
type socket struct {
	raw syscall.RawConn
	v6  bool // an IPv6 socket, which may carry IPv4 too

	recv recvCall
	send sendCall
}

// recvCall is the reader's call of the system.
type recvCall struct {
	buf  []byte
	pool *lender[datagram]        // where buf comes from once there is something to read; nil: it is given
	lent *datagram                // buf, until it is given back
	from syscall.RawSockaddrInet6 // the larger of the two
	n    int
	err  syscall.Errno
	once func(fd uintptr) bool // made once: a closure per packet would be garbage
}

// sendCall is the sender's.
type sendCall struct {
	buf    []byte
	to     syscall.RawSockaddrInet6
	length uintptr // of to
	err    syscall.Errno
	once   func(fd uintptr) bool
	source source4or6
	msg    syscall.Msghdr // with a source
	iov    syscall.Iovec
}

func newSocket(c *net.UDPConn) (*socket, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("opening the RTP port: %w", err)
	}
	s := &socket{raw: raw}
	err = raw.Control(func(fd uintptr) {
		name, _ := syscall.Getsockname(int(fd))
		_, s.v6 = name.(*syscall.SockaddrInet6)
	})
	if err != nil {
		return nil, fmt.Errorf("opening the RTP port: %w", err)
	}
	s.recv.once, s.send.once = s.recv.do, s.send.do
	return s, nil
}

// ReadFromUDPAddrPort waits for a datagram; what of it does not fit into b is
// lost. The errors are those of net.UDPConn.
func (s *socket) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	c := &s.recv
	c.buf, c.pool = b, nil
	if err := s.raw.Read(c.once); err != nil {
		return 0, netip.AddrPort{}, err
	}
	if c.err != 0 {
		return 0, netip.AddrPort{}, c.err
	}
	return c.n, addrPort(&c.from), nil
}

// datagram is room for one.
type datagram [maxDatagram]byte

// lender lends room that all streams share, because each needs it only while it
// takes a packet. The zero value is ready.
type lender[T any] struct{ free sync.Pool }

func (l *lender[T]) take() *T {
	if t, ok := l.free.Get().(*T); ok {
		return t
	}
	return new(T)
}

func (l *lender[T]) give(t *T) { l.free.Put(t) }

// readLent is ReadFromUDPAddrPort into a buffer of pool, which goes back there
// with give. Without an error it is never nil.
func (s *socket) readLent(pool *lender[datagram]) (*datagram, int, netip.AddrPort, error) {
	c := &s.recv
	c.pool = pool
	err := s.raw.Read(c.once)
	d := c.lent
	c.lent, c.buf = nil, nil
	if err == nil && c.err != 0 {
		err = c.err
	}
	if err != nil {
		if d != nil {
			pool.give(d)
		}
		return nil, 0, netip.AddrPort{}, err
	}
	return d, c.n, addrPort(&c.from), nil
}

// do reports false when there is nothing to read: then raw.Read waits.
func (c *recvCall) do(fd uintptr) bool {
	if c.pool != nil {
		c.lent = c.pool.take()
		c.buf = c.lent[:]
	}
	if c.try(fd) {
		return true
	}
	if c.pool != nil {
		c.pool.give(c.lent)
		c.lent, c.buf = nil, nil
	}
	return false
}

func (c *recvCall) try(fd uintptr) bool {
	size := uint32(unsafe.Sizeof(c.from))
	for {
		n, _, err := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(unsafe.SliceData(c.buf))), uintptr(len(c.buf)),
			syscall.MSG_DONTWAIT, uintptr(unsafe.Pointer(&c.from)), uintptr(unsafe.Pointer(&size)))
		c.n, c.err = int(n), err
		if err != syscall.EINTR {
			return err != syscall.EAGAIN
		}
	}
}

// WriteToUDPAddrPort sends a datagram. It never waits: when the system has no
// room for it the error is syscall.EAGAIN.
func (s *socket) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	c := &s.send
	c.buf = b
	if !c.aim(to, s.v6) {
		return 0, syscall.EAFNOSUPPORT
	}
	if err := s.raw.Write(c.once); err != nil {
		return 0, err
	}
	if c.err != 0 {
		return 0, c.err
	}
	return len(b), nil
}

// sendFrom makes the datagrams come from local, one of the machine's addresses;
// the zero Addr lets the system choose again. It must not be called while a
// datagram is being sent.
func (s *socket) sendFrom(local netip.Addr) { s.send.source.set(local) }

func (c *sendCall) do(fd uintptr) bool {
	if c.source.len > 0 && c.source.v6 == c.toV6() && c.doFrom(fd) {
		return true
	}
	for {
		_, _, c.err = syscall.RawSyscall6(syscall.SYS_SENDTO, fd, uintptr(unsafe.Pointer(unsafe.SliceData(c.buf))), uintptr(len(c.buf)),
			syscall.MSG_DONTWAIT, uintptr(unsafe.Pointer(&c.to)), c.length)
		if c.err != syscall.EINTR {
			return true
		}
	}
}

// doFrom is do with a source address, which takes a control message. It reports
// false when that address is not the machine's any more, or when there is no way
// from it: then any other is better than silence.
func (c *sendCall) doFrom(fd uintptr) bool {
	c.iov.Base = unsafe.SliceData(c.buf)
	c.iov.SetLen(len(c.buf))
	c.msg.Name, c.msg.Namelen = (*byte)(unsafe.Pointer(&c.to)), uint32(c.length)
	c.msg.Iov, c.msg.Iovlen = &c.iov, 1
	c.msg.Control = (*byte)(unsafe.Pointer(&c.source.buf))
	c.msg.SetControllen(c.source.len)
	for {
		_, _, c.err = syscall.RawSyscall(syscall.SYS_SENDMSG, fd, uintptr(unsafe.Pointer(&c.msg)), syscall.MSG_DONTWAIT)
		switch c.err {
		case syscall.EINTR:
		case syscall.EINVAL, syscall.EADDRNOTAVAIL, syscall.ENETUNREACH, syscall.EHOSTUNREACH: // it depends on the kernel
			return false
		default:
			return true
		}
	}
}

// toV6 reports whether the datagram leaves as IPv6: IPv4 may be mapped.
func (c *sendCall) toV6() bool {
	return c.to.Family == syscall.AF_INET6 && !netip.AddrFrom16(c.to.Addr).Is4In6()
}

// aim writes to into the form of the system, for an IPv6 socket or not.
func (c *sendCall) aim(to netip.AddrPort, v6 bool) bool {
	a := to.Addr()
	port := to.Port()
	if !v6 {
		if a = a.Unmap(); !a.Is4() {
			return false
		}
		v4 := (*syscall.RawSockaddrInet4)(unsafe.Pointer(&c.to))
		*v4 = syscall.RawSockaddrInet4{Family: syscall.AF_INET, Addr: a.As4()}
		putPort(&v4.Port, port)
		c.length = unsafe.Sizeof(*v4)
		return true
	}
	c.to = syscall.RawSockaddrInet6{Family: syscall.AF_INET6, Addr: a.As16(), Scope_id: scope(a)}
	putPort(&c.to.Port, port)
	c.length = unsafe.Sizeof(c.to)
	return true
}

// scope is the interface of a link-local address.
func scope(a netip.Addr) uint32 {
	zone := a.Zone()
	if zone == "" {
		return 0
	}
	if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(n)
	}
	i, err := net.InterfaceByName(zone)
	if err != nil {
		return 0
	}
	return uint32(i.Index)
}

// addrPort reads an address in the form of the system. An IPv4 address is
// unmapped; the zone of a link-local one is the number of its interface.
func addrPort(sa *syscall.RawSockaddrInet6) netip.AddrPort {
	switch sa.Family {
	case syscall.AF_INET:
		v4 := (*syscall.RawSockaddrInet4)(unsafe.Pointer(sa))
		return netip.AddrPortFrom(netip.AddrFrom4(v4.Addr), port(&v4.Port))
	case syscall.AF_INET6:
		a := netip.AddrFrom16(sa.Addr).Unmap()
		if sa.Scope_id != 0 && a.Is6() {
			a = a.WithZone(strconv.FormatUint(uint64(sa.Scope_id), 10))
		}
		return netip.AddrPortFrom(a, port(&sa.Port))
	}
	return netip.AddrPort{}
}

// The system keeps ports in network order.

func port(p *uint16) uint16 {
	b := (*[2]byte)(unsafe.Pointer(p))
	return uint16(b[0])<<8 | uint16(b[1])
}

func putPort(p *uint16, v uint16) {
	b := (*[2]byte)(unsafe.Pointer(p))
	b[0], b[1] = byte(v>>8), byte(v)
}
