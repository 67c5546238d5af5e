package trace

import (
	"encoding/binary"
	"io"
	"net/netip"
)

// The blocks of pcapng (draft-ietf-opsawg-pcapng §4) and what is in ours.
const (
	sectionBlock   = 0x0A0D0D0A
	interfaceBlock = 1
	packetBlock    = 6
	byteOrder      = 0x1A2B3C4D
	linkRaw        = 101 // LINKTYPE_RAW: an IP packet without anything before it
	nanoseconds    = 9   // the value of the option if_tsresol
	tsResolution   = 9   // its code
	udpHeader      = 8
	ip4Header      = 20
	ip6Header      = 40
)

// WritePcapng writes the messages among entries as a capture file. Each is one
// UDP datagram between the addresses that it took, also those that really went
// over a connection, since only the message was kept and not its segments. The
// error is w's.
func WritePcapng(w io.Writer, entries []Entry) error {
	b := pcapngHeader(nil)
	for _, e := range entries {
		if e.IsEvent() || !e.Remote.IsValid() { // what was said to hardware is no packet
			continue
		}
		b = packet(b, e.packet())
		if _, err := w.Write(b); err != nil {
			return err
		}
		b = b[:0]
	}
	_, err := w.Write(b)
	return err
}

// packet is e as one datagram.
func (e Entry) packet() Packet {
	p := Packet{At: e.At, From: e.Remote, To: e.Local, Data: []byte(e.Text)}
	if e.Sent {
		p.From, p.To = p.To, p.From
	}
	return p
}

// pcapngHeader appends what a file begins with.
func pcapngHeader(b []byte) []byte {
	b = block(b, sectionBlock, func(b []byte) []byte {
		b = le32(b, byteOrder)
		b = append(b, 1, 0, 0, 0)                              // version 1.0
		return binary.LittleEndian.AppendUint64(b, ^uint64(0)) // length not given
	})
	return block(b, interfaceBlock, func(b []byte) []byte {
		b = append(b, linkRaw, 0, 0, 0)
		b = le32(b, 0) // no limit to a packet's length
		b = append(b, tsResolution, 0, 1, 0, nanoseconds, 0, 0, 0)
		return append(b, 0, 0, 0, 0) // end of the options
	})
}

// packet appends p.
func packet(b []byte, p Packet) []byte {
	raw := datagram(p.From, p.To, p.Data)
	at := uint64(p.At.UnixNano())
	return block(b, packetBlock, func(b []byte) []byte {
		b = le32(b, 0) // interface
		b = le32(b, uint32(at>>32))
		b = le32(b, uint32(at))
		b = le32(b, uint32(len(raw)))
		b = le32(b, uint32(len(raw)))
		return append(b, raw...)
	})
}

func le32(b []byte, v uint32) []byte { return binary.LittleEndian.AppendUint32(b, v) }

// block appends a block with the body that fill appends, padded to 4 bytes.
func block(b []byte, kind uint32, fill func([]byte) []byte) []byte {
	start := len(b)
	b = le32(b, kind)
	b = le32(b, 0)
	b = fill(b)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	n := uint32(len(b) - start + 4)
	binary.LittleEndian.PutUint32(b[start+4:], n)
	return le32(b, n)
}

// datagram is an IP packet with a UDP datagram (RFC 768, 791, 8200). IPv4 leaves
// the UDP checksum out, IPv6 must have one.
func datagram(from, to netip.AddrPort, payload []byte) []byte {
	src, dst := from.Addr().Unmap(), to.Addr().Unmap()
	if !src.IsValid() {
		src = netip.IPv4Unspecified()
	}
	if !dst.IsValid() {
		dst = netip.IPv4Unspecified()
	}
	udp := make([]byte, 0, udpHeader+len(payload))
	for _, v := range []uint16{from.Port(), to.Port(), uint16(udpHeader + len(payload)), 0} {
		udp = binary.BigEndian.AppendUint16(udp, v)
	}
	udp = append(udp, payload...)
	if src.Is4() && dst.Is4() {
		return append(header4(src, dst, len(udp)), udp...)
	}
	s, d := src.As16(), dst.As16()
	h := append(make([]byte, 0, ip6Header+len(udp)), 0x60, 0, 0, 0)
	h = binary.BigEndian.AppendUint16(h, uint16(len(udp)))
	h = append(append(append(h, 17, 64), s[:]...), d[:]...)
	pseudo := append(append([]byte{}, s[:]...), d[:]...)
	pseudo = binary.BigEndian.AppendUint32(pseudo, uint32(len(udp)))
	pseudo = append(pseudo, 0, 0, 0, 17)
	sum := checksum(append(pseudo, udp...))
	if sum == 0 {
		sum = 0xFFFF
	}
	binary.BigEndian.PutUint16(udp[6:], sum)
	return append(h, udp...)
}

func header4(src, dst netip.Addr, n int) []byte {
	s, d := src.As4(), dst.As4()
	h := append(make([]byte, 0, ip4Header+n), 0x45, 0)
	h = binary.BigEndian.AppendUint16(h, uint16(ip4Header+n))
	h = append(h, 0, 0, 0, 0, 64, 17, 0, 0)
	h = append(append(h, s[:]...), d[:]...)
	binary.BigEndian.PutUint16(h[10:], checksum(h))
	return h
}

// checksum is that of RFC 1071.
func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	if len(b)%2 == 1 {
		sum += uint32(b[len(b)-1]) << 8
	}
	for sum>>16 != 0 {
		sum = sum>>16 + sum&0xFFFF
	}
	return ^uint16(sum)
}
