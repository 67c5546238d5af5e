package api

import (
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
