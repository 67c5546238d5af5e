package stun

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net/netip"
)

// The header and the address of RFC 8489 §5 and §14.2:
//
//	0                   2          4              8                     20
//	| 00 method, class  | length   | magic cookie | transaction id      | attributes
//
//	0    1        2           4
//	| 0  | family | x-port    | x-address, 4 or 16 bytes
const (
	headerSize  = 20
	cookie      = 0x2112A442
	fingerprint = 0x5354554E // XORed with the CRC-32 (§14.7)
	maxSize     = 1500

	attrMapped      = 0x0001
	attrError       = 0x0009
	attrUnknown     = 0x000A
	attrXORMapped   = 0x0020
	attrFingerprint = 0x8028
)

// Kind is the kind of a Binding message.
type Kind uint16

// The kinds (RFC 8489 §5). An Indication keeps a way open and wants no answer.
const (
	Request    Kind = 0x0001
	Indication Kind = 0x0011
	Success    Kind = 0x0101
	Error      Kind = 0x0111
)

// ID names a transaction.
type ID [12]byte

// NewID makes a random one: who knows it has seen the request.
func NewID() (id ID) {
	_, _ = rand.Read(id[:]) // never fails (crypto/rand)
	return id
}

// Message is a Binding message.
type Message struct {
	Kind   Kind
	ID     ID
	Mapped netip.AddrPort // of Success: where the request came from
	Status int            // of Error: 300 to 699
	// Unknown are the attributes that must be understood and are not; a request with
	// some is answered with an error (§6.3.1).
	Unknown []uint16
}

// ErrMalformed says that a datagram is no Binding message.
var ErrMalformed = errors.New("stun: malformed message")

// Is reports whether a datagram is meant to be STUN: no SIP message begins so, nor
// does RTP.
func Is(b []byte) bool {
	return len(b) >= headerSize && b[0]&0xC0 == 0 && binary.BigEndian.Uint32(b[4:8]) == cookie
}

// Parse reads a message.
func Parse(b []byte) (Message, error) {
	if !Is(b) || len(b) > maxSize {
		return Message{}, ErrMalformed
	}
	m := Message{Kind: Kind(binary.BigEndian.Uint16(b))}
	copy(m.ID[:], b[8:headerSize])
	switch m.Kind {
	case Request, Indication, Success, Error:
	default:
		return Message{}, fmt.Errorf("%w: it is not of the Binding method", ErrMalformed)
	}
	if size := int(binary.BigEndian.Uint16(b[2:4])); size%4 != 0 || headerSize+size != len(b) {
		return Message{}, fmt.Errorf("%w: its length is wrong", ErrMalformed)
	}
	for at := headerSize; at < len(b); {
		if len(b)-at < 4 {
			return Message{}, ErrMalformed
		}
		kind, size := binary.BigEndian.Uint16(b[at:]), int(binary.BigEndian.Uint16(b[at+2:]))
		if size > len(b)-at-4 {
			return Message{}, fmt.Errorf("%w: an attribute is longer than the message", ErrMalformed)
		}
		if kind == attrFingerprint && (size != 4 || crc32.ChecksumIEEE(b[:at])^fingerprint != binary.BigEndian.Uint32(b[at+4:])) {
			return Message{}, fmt.Errorf("%w: its fingerprint is wrong", ErrMalformed)
		}
		m.attribute(kind, b[at+4:at+4+size])
		at += 4 + (size+3)&^3
	}
	return m, nil
}

// attribute takes one attribute; one that cannot be read counts as absent.
func (m *Message) attribute(kind uint16, v []byte) {
	switch kind {
	case attrXORMapped:
		var mask [16]byte
		binary.BigEndian.PutUint32(mask[:], cookie)
		copy(mask[4:], m.ID[:])
		if a, ok := address(v, mask); ok {
			m.Mapped = a
		}
	case attrMapped: // of servers after RFC 3489
		if a, ok := address(v, [16]byte{}); ok && !m.Mapped.IsValid() {
			m.Mapped = a
		}
	case attrError:
		if len(v) >= 4 {
			m.Status = int(v[2]&7)*100 + int(v[3])
		}
	default:
		if kind < 0x8000 && len(m.Unknown) < 16 {
			m.Unknown = append(m.Unknown, kind)
		}
	}
}

// address reads an address that was XORed with mask.
func address(v []byte, mask [16]byte) (netip.AddrPort, bool) {
	if len(v) != 8 && len(v) != 20 || v[1] != 1 && v[1] != 2 || (v[1] == 1) != (len(v) == 8) {
		return netip.AddrPort{}, false
	}
	port := binary.BigEndian.Uint16(v[2:]) ^ binary.BigEndian.Uint16(mask[:])
	var ip [16]byte
	for i, x := range v[4:] {
		ip[i] = x ^ mask[i]
	}
	if v[1] == 1 {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(ip[:4])), port), true
	}
	return netip.AddrPortFrom(netip.AddrFrom16(ip).Unmap(), port), true
}

// Encode writes a message, with a fingerprint.
func (m Message) Encode() []byte {
	var b bytes.Buffer
	head := make([]byte, headerSize)
	binary.BigEndian.PutUint16(head, uint16(m.Kind))
	binary.BigEndian.PutUint32(head[4:], cookie)
	copy(head[8:], m.ID[:])
	b.Write(head)
	if m.Kind == Success && m.Mapped.IsValid() {
		add(&b, attrXORMapped, m.xored())
	}
	if m.Kind == Error {
		add(&b, attrError, []byte{0, 0, byte(m.Status / 100), byte(m.Status % 100)})
		var list []byte
		for _, u := range m.Unknown {
			list = binary.BigEndian.AppendUint16(list, u)
		}
		if len(list) > 0 {
			add(&b, attrUnknown, list)
		}
	}
	out := b.Bytes()
	binary.BigEndian.PutUint16(out[2:], uint16(len(out)-headerSize+8)) // the fingerprint counts itself
	sum := crc32.ChecksumIEEE(out) ^ fingerprint
	out = binary.BigEndian.AppendUint16(out, attrFingerprint)
	out = binary.BigEndian.AppendUint16(out, 4)
	return binary.BigEndian.AppendUint32(out, sum)
}

// xored is Mapped as it travels.
func (m Message) xored() []byte {
	var mask [16]byte
	binary.BigEndian.PutUint32(mask[:], cookie)
	copy(mask[4:], m.ID[:])
	a := m.Mapped.Addr().Unmap().WithZone("")
	v := []byte{0, 2, 0, 0}
	if a.Is4() {
		v[1] = 1
	}
	binary.BigEndian.PutUint16(v[2:], m.Mapped.Port()^uint16(cookie>>16))
	for i, x := range a.AsSlice() {
		v = append(v, x^mask[i])
	}
	return v
}

// add appends an attribute, padded to four bytes.
func add(b *bytes.Buffer, kind uint16, v []byte) {
	var head [4]byte
	binary.BigEndian.PutUint16(head[:], kind)
	binary.BigEndian.PutUint16(head[2:], uint16(len(v)))
	b.Write(head[:])
	b.Write(v)
	for b.Len()%4 != 0 {
		b.WriteByte(0)
	}
}

// Answer is the answer to a request that came from there.
func Answer(req Message, from netip.AddrPort) Message {
	if len(req.Unknown) > 0 {
		return Message{Kind: Error, ID: req.ID, Status: 420, Unknown: req.Unknown}
	}
	return Message{Kind: Success, ID: req.ID, Mapped: from}
}
