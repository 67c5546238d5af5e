package ice

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net/netip"
)

// A message (RFC 8489 §5):
//
//	 0               2               4
//	| type          | length        | magic cookie 2112A442          |
//	| transaction id, 96 bits                                        |
//	| attribute type| length        | value, padded to 4 bytes  …    |
const (
	headerBytes = 20
	cookie      = 0x2112A442
	fingerprint = 0x5354554E // mixed into the checksum
	maxBytes    = 1500
)

// Message types: the method Binding in its classes.
const (
	request    = 0x0001
	success    = 0x0101
	errorReply = 0x0111
)

// Attributes (RFC 8489 §18.3, RFC 8445 §16.1). Those below optional must be
// understood.
const (
	attrUsername    = 0x0006
	attrIntegrity   = 0x0008
	attrError       = 0x0009
	attrUnknown     = 0x000A
	attrXORAddress  = 0x0020
	attrPriority    = 0x0024
	attrUse         = 0x0025
	optional        = 0x8000
	attrFingerprint = 0x8028
	attrControlled  = 0x8029
)

// Why a message is not looked at further.
var (
	errNoSTUN    = errors.New("not a STUN message")
	errCut       = errors.New("an attribute is longer than the message")
	errChecksum  = errors.New("the fingerprint is wrong")
	errUnsigned  = errors.New("the message is not signed")
	errSignature = errors.New("the signature is wrong")
)

// check is a binding request that arrived.
type check struct {
	id         [12]byte
	username   []byte
	priority   uint32
	nominates  bool     // USE-CANDIDATE
	controlled bool     // the far end thinks that we are in control
	unknown    []uint16 // attributes that must be understood, and are not
	signed     []byte   // what the signature is of: the message up to it
	signature  []byte
}

// isRequest reports whether b begins like a binding request.
func isRequest(b []byte) bool {
	return len(b) >= headerBytes && len(b) <= maxBytes && binary.BigEndian.Uint16(b) == request && binary.BigEndian.Uint32(b[4:]) == cookie
}

// parse reads a binding request. What stands behind the signature is not
// believed, save the fingerprint (RFC 8489 §14.5). The slices point into b.
func parse(b []byte) (check, error) {
	if !isRequest(b) || int(binary.BigEndian.Uint16(b[2:])) != len(b)-headerBytes || len(b)%4 != 0 {
		return check{}, errNoSTUN
	}
	c := check{id: [12]byte(b[8:headerBytes])}
	for at := headerBytes; at < len(b); {
		if len(b)-at < 4 {
			return check{}, errCut
		}
		kind, n := binary.BigEndian.Uint16(b[at:]), int(binary.BigEndian.Uint16(b[at+2:]))
		end := at + 4 + n
		if end > len(b) {
			return check{}, errCut
		}
		value := b[at+4 : end]
		switch {
		case kind == attrFingerprint:
			// It is the last one, and of everything before it (§14.7).
			if n != 4 || end != len(b) || binary.BigEndian.Uint32(value) != checksum(b[:at]) {
				return check{}, errChecksum
			}
		case c.signature != nil:
		case kind == attrIntegrity:
			if n != sha1.Size {
				return check{}, errSignature
			}
			c.signed, c.signature = b[:at], value
		default:
			c.attribute(kind, value)
		}
		at = end + (4-n%4)%4
	}
	if c.signature == nil || c.username == nil {
		return check{}, errUnsigned
	}
	return c, nil
}

// attribute takes one that stands before the signature.
func (c *check) attribute(kind uint16, value []byte) {
	switch kind {
	case attrUsername:
		c.username = value
	case attrPriority:
		if len(value) == 4 {
			c.priority = binary.BigEndian.Uint32(value)
		}
	case attrUse:
		c.nominates = true
	case attrControlled:
		c.controlled = true
	default:
		if kind < optional && len(c.unknown) < 8 {
			c.unknown = append(c.unknown, kind)
		}
	}
}

// signedBy reports whether the check was signed with a password (§14.5), in
// constant time.
func (c *check) signedBy(password string) bool {
	return hmac.Equal(c.signature, sign(c.signed, password))
}

// sign makes the signature of the message so far, whose length is made to reach
// to the signature's end.
func sign(b []byte, password string) []byte {
	mac := hmac.New(sha1.New, []byte(password))
	head := [4]byte{b[0], b[1]}
	binary.BigEndian.PutUint16(head[2:], uint16(len(b)-headerBytes+4+sha1.Size))
	mac.Write(head[:])
	mac.Write(b[4:])
	return mac.Sum(nil)
}

// checksum is the fingerprint of the message so far, whose length is already
// that of the whole.
func checksum(b []byte) uint32 { return crc32.ChecksumIEEE(b) ^ fingerprint }

// reply builds an answer in steps.
type reply struct{ bytes.Buffer }

func newReply(kind uint16, id [12]byte) *reply {
	r := &reply{}
	var head [8]byte
	binary.BigEndian.PutUint16(head[:], kind)
	binary.BigEndian.PutUint32(head[4:], cookie)
	r.Write(head[:])
	r.Write(id[:])
	return r
}

// add adds an attribute, whose value is padded.
func (r *reply) add(kind uint16, value []byte) {
	var head [4]byte
	binary.BigEndian.PutUint16(head[:], kind)
	binary.BigEndian.PutUint16(head[2:], uint16(len(value)))
	r.Write(head[:])
	r.Write(value)
	r.Write(make([]byte, (4-len(value)%4)%4))
	binary.BigEndian.PutUint16(r.Bytes()[2:], uint16(r.Len()-headerBytes))
}

// address adds where the far end was seen (§14.2).
func (r *reply) address(a netip.AddrPort) {
	var mask [16]byte
	copy(mask[:], r.Bytes()[4:headerBytes]) // cookie and id
	ip := a.Addr().Unmap().AsSlice()
	value := make([]byte, 4, 20)
	value[1] = 1
	if len(ip) == 16 {
		value[1] = 2
	}
	binary.BigEndian.PutUint16(value[2:], a.Port()^cookie>>16)
	for i, b := range ip {
		value = append(value, b^mask[i])
	}
	r.add(attrXORAddress, value)
}

// refuse adds why the request was not granted (§14.8).
func (r *reply) refuse(status int, phrase string) {
	r.add(attrError, append([]byte{0, 0, byte(status / 100), byte(status % 100)}, phrase...))
}

// finish signs the answer and gives its bytes.
func (r *reply) finish(password string) []byte {
	r.add(attrIntegrity, sign(r.Bytes(), password))
	binary.BigEndian.PutUint16(r.Bytes()[2:], uint16(r.Len()-headerBytes+8))
	sum := make([]byte, 4)
	binary.BigEndian.PutUint32(sum, checksum(r.Bytes()))
	r.add(attrFingerprint, sum)
	return r.Bytes()
}
