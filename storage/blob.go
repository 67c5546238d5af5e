package storage

import (
	"context"
	"fmt"

	"go.etcd.io/bbolt"
)

const maxBlob = 1 << 20

// PutBlob stores small data under a name, such as the device's certificate
// authority: at most 1 MiB. An error means that nothing was stored.
func (s *Store) PutBlob(ctx context.Context, name string, data []byte) error {
	if err := checkKeyPart("blob's name", name, maxID, false); err != nil {
		return err
	}
	if len(data) > maxBlob {
		return fmt.Errorf("blob %q has %d bytes, at most %d", name, len(data), maxBlob)
	}
	value := append(make([]byte, 0, len(data)), data...) // not nil, which would delete
	return s.commitOrWithdraw(ctx, &accepted{puts: []putOp{{bucketBlobs, []byte(name), value}}})
}

// Blob gives the data stored under a name. The error is or wraps ErrNoBlob.
func (s *Store) Blob(name string) ([]byte, error) {
	var out []byte
	err := s.view(func(tx *bbolt.Tx) error {
		v := tx.Bucket(bucketBlobs).Get([]byte(name))
		if v == nil {
			return fmt.Errorf("%w: %q", ErrNoBlob, name)
		}
		out = append([]byte{}, v...)
		return nil
	})
	return out, err
}

// DeleteBlob removes what is stored under a name; an unknown one is no error.
func (s *Store) DeleteBlob(ctx context.Context, name string) error {
	if err := checkKeyPart("blob's name", name, maxID, false); err != nil {
		return err
	}
	return s.commitOrWithdraw(ctx, &accepted{puts: []putOp{{bucketBlobs, []byte(name), nil}}})
}
