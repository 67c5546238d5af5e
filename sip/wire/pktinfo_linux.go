package wire

import (
	"net"
	"net/netip"
	"syscall"
	"unsafe"
)

// oobSize has room for the one control message that a read asks for.
const oobSize = 64

// askLocal makes the kernel tell for each datagram which of the machine's
// addresses it was sent to (ip(7) IP_PKTINFO, RFC 3542 §6.2).
func askLocal(pc *net.UDPConn, v6 bool) error {
	rc, err := pc.SyscallConn()
	if err != nil {
		return err
	}
	var serr error
	err = rc.Control(func(fd uintptr) {
		if v6 {
			serr = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IPV6, syscall.IPV6_RECVPKTINFO, 1)
		} else {
			serr = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, syscall.IP_PKTINFO, 1)
		}
	})
	if err != nil {
		return err
	}
	return serr
}

// localOf reads the address a datagram was sent to; invalid when not told.
func localOf(oob []byte) netip.Addr {
	msgs, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		return netip.Addr{}
	}
	for _, m := range msgs {
		switch {
		case m.Header.Level == syscall.IPPROTO_IP && m.Header.Type == syscall.IP_PKTINFO && len(m.Data) >= syscall.SizeofInet4Pktinfo:
			return netip.AddrFrom4([4]byte(m.Data[8:12])) // struct in_pktinfo: ifindex, spec_dst, addr
		case m.Header.Level == syscall.IPPROTO_IPV6 && m.Header.Type == syscall.IPV6_PKTINFO && len(m.Data) >= syscall.SizeofInet6Pktinfo:
			return netip.AddrFrom16([16]byte(m.Data[0:16])).Unmap()
		}
	}
	return netip.Addr{}
}

// fromLocal is the control message that sends a datagram from local.
func fromLocal(local netip.Addr, v6 bool) []byte {
	level, typ, size := int32(syscall.IPPROTO_IP), int32(syscall.IP_PKTINFO), syscall.SizeofInet4Pktinfo
	if v6 {
		level, typ, size = syscall.IPPROTO_IPV6, syscall.IPV6_PKTINFO, syscall.SizeofInet6Pktinfo
	}
	b := make([]byte, syscall.CmsgSpace(size))
	h := (*syscall.Cmsghdr)(unsafe.Pointer(&b[0]))
	h.Level, h.Type = level, typ
	h.SetLen(syscall.CmsgLen(size))
	data := b[syscall.CmsgLen(0):]
	if v6 {
		a := local.As16()
		copy(data[0:16], a[:])
	} else {
		a := local.As4()
		copy(data[4:8], a[:]) // spec_dst is the source of what we send
	}
	return b
}
