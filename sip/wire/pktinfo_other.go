//go:build !linux

package wire

import (
	"net"
	"net/netip"
)

const oobSize = 0

// askLocal does nothing where the system cannot tell; the kernel's choice of
// source address is used then.
func askLocal(*net.UDPConn, bool) error { return nil }

func localOf([]byte) netip.Addr { return netip.Addr{} }

func fromLocal(netip.Addr, bool) []byte { return nil }
