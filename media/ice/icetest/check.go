// Package icetest is the far end of ICE in tests: it writes the checks that a
// browser makes (RFC 8445 §7.2.2) and reads their answers. It imports nothing of
// ours, so that a mistake of package ice is not its own too.
package icetest

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/binary"
	"hash/crc32"
)

// Check is a binding request signed with the password of the side that is asked.
// theirs and ours are the user fragments; nominate asks for the address to be used.
func Check(theirs, password, ours string, nominate bool) []byte {
	b := []byte{0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42, 'c', 'h', 'e', 'c', 'k', ' ', 'i', 'd', '-', '-', '-', '-'}
	b = add(b, 0x0006, []byte(theirs+":"+ours))
	b = add(b, 0x0024, []byte{110, 0, 1, 255})
	b = add(b, 0x802A, make([]byte, 8)) // ICE-CONTROLLING
	if nominate {
		b = add(b, 0x0025, nil)
	}
	mac := hmac.New(sha1.New, []byte(password))
	mac.Write(length(b, 24))
	b = add(b, 0x0008, mac.Sum(nil))
	sum := crc32.ChecksumIEEE(length(b, 8)) ^ 0x5354554E
	return add(b, 0x8028, binary.BigEndian.AppendUint32(nil, sum))
}

// Granted reports whether b is the answer that a check was good.
func Granted(b []byte) bool { return len(b) >= 20 && binary.BigEndian.Uint16(b) == 0x0101 }

// add adds an attribute.
func add(b []byte, kind uint16, value []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, kind)
	b = binary.BigEndian.AppendUint16(b, uint16(len(value)))
	b = append(b, value...)
	b = append(b, make([]byte, (4-len(value)%4)%4)...)
	return length(b, 0)
}

// length writes the length of b and what will follow it.
func length(b []byte, more int) []byte {
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)-20+more))
	return b
}
