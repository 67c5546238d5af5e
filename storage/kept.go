package storage

import (
	"encoding/json"
	"fmt"

	"go.etcd.io/bbolt"
)

// Kept is a small thing that is kept under a key of its owner's making: text
// messages and their parts.
type Kept struct {
	Key   string
	Value json.RawMessage // JSON; nil: the key goes
}

// keptOp puts one, or deletes it.
type keptOp struct {
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value,omitempty"`
}

func newKeptOp(k Kept) (keptOp, error) {
	if err := checkKeyPart("key", k.Key, maxKept, false); err != nil {
		return keptOp{}, fmt.Errorf("keeping %q: %w", k.Key, err)
	}
	if k.Value != nil && !json.Valid(k.Value) {
		return keptOp{}, fmt.Errorf("keeping %q: the value is not JSON", k.Key)
	}
	return keptOp(k), nil
}

// maxKept is the longest key of a [Kept] in bytes.
const maxKept = 512

func (o keptOp) apply(tx *bbolt.Tx) error {
	if o.Value == nil {
		return tx.Bucket(bucketKept).Delete([]byte(o.Key))
	}
	return tx.Bucket(bucketKept).Put([]byte(o.Key), o.Value)
}

// Kept gives what was kept when the store was opened, by rising keys; what was
// kept or deleted later may not show.
func (s *Store) Kept() ([]Kept, error) {
	var out []Kept
	err := s.view(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketKept).ForEach(func(k, v []byte) error {
			out = append(out, Kept{Key: string(k), Value: append(json.RawMessage(nil), v...)})
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("reading what is kept: %w", err)
	}
	return out, nil
}
