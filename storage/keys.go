package storage

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"time"
)

// Limits of what goes into keys, in bytes.
const (
	maxID          = 128
	maxIdempotency = 512
)

// stamp is the sortable form of t; times before 1970 count as 1970.
func stamp(t time.Time) []byte {
	n := max(t.UnixNano(), 0)
	if t.IsZero() {
		n = 0
	}
	return binary.BigEndian.AppendUint64(nil, uint64(n))
}

// timedKey is owner 0 created(8) id.
func timedKey(owner string, created time.Time, id string) []byte {
	k := make([]byte, 0, len(owner)+1+8+len(id))
	k = append(k, owner...)
	k = append(k, 0)
	k = append(k, stamp(created)...)
	return append(k, id...)
}

// cutKey takes a timed key apart into its owner and its position, created(8) id.
func cutKey(k []byte) (owner, position []byte, ok bool) {
	i := bytes.IndexByte(k, 0)
	if i < 0 || len(k) < i+1+8 {
		return nil, nil, false
	}
	return k[:i], k[i+1:], true
}

func noticeKey(id uint64) []byte { return binary.BigEndian.AppendUint64(nil, id) }

func noticeID(k []byte) uint64 {
	if len(k) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(k)
}

// checkKeyPart says whether s can be part of a key.
func checkKeyPart(what, s string, limit int, mayBeEmpty bool) error {
	switch {
	case s == "" && !mayBeEmpty:
		return fmt.Errorf("the %s is empty", what)
	case len(s) > limit:
		return fmt.Errorf("the %s has %d bytes, at most %d", what, len(s), limit)
	case strings.IndexByte(s, 0) >= 0:
		return fmt.Errorf("the %s contains a zero byte", what)
	}
	return nil
}
