package rtp

import (
	"net/netip"
	"syscall"
	"unsafe"
)

// source4or6 is a source address as a control message of the system: in_pktinfo
// (ip(7)) or in6_pktinfo (RFC 3542 §6.2). The zero value is none.
type source4or6 struct {
	buf [5]uint64 // room for the larger one, aligned as the system wants it
	len int       // in bytes
	v6  bool
}

// set makes a the source; the zero Addr and an unspecified one make none.
func (s *source4or6) set(a netip.Addr) {
	*s = source4or6{}
	a = a.Unmap()
	if !a.IsValid() || a.IsUnspecified() {
		return
	}
	level, typ, size := int32(syscall.IPPROTO_IP), int32(syscall.IP_PKTINFO), syscall.SizeofInet4Pktinfo
	if s.v6 = a.Is6(); s.v6 {
		level, typ, size = syscall.IPPROTO_IPV6, syscall.IPV6_PKTINFO, syscall.SizeofInet6Pktinfo
	}
	h := (*syscall.Cmsghdr)(unsafe.Pointer(&s.buf[0]))
	h.Level, h.Type = level, typ
	h.SetLen(syscall.CmsgLen(size))
	data := unsafe.Add(unsafe.Pointer(h), syscall.CmsgLen(0))
	if s.v6 {
		*(*syscall.Inet6Pktinfo)(data) = syscall.Inet6Pktinfo{Addr: a.As16(), Ifindex: scope(a)}
	} else {
		*(*syscall.Inet4Pktinfo)(data) = syscall.Inet4Pktinfo{Spec_dst: a.As4()}
	}
	s.len = syscall.CmsgSpace(size)
}
