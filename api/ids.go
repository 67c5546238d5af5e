package api

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
)

// DerivedID is an id for what was given none: prefix and 32 hex digits that
// follow from name, so that it survives an export and import of the
// configuration.
func DerivedID(prefix, name string) string {
	sum := sha256.Sum256([]byte(name))
	return prefix + hex.EncodeToString(sum[:16])
}

// TrunkID is the id of a trunk under a prefix ("BY", "TK"); [Lines] finds the
// trunk by it.
func TrunkID(prefix, trunk string) string { return DerivedID(prefix, "trunk "+trunk) }

// NewUUID makes a random UUID, version 4 (RFC 9562 §5.4).
func NewUUID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails (crypto/rand since Go 1.24)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return FormatUUID(b)
}

// FormatUUID writes 16 bytes as a UUID.
func FormatUUID(b [16]byte) string {
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
