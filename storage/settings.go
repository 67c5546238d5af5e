package storage

import (
	"context"
	"encoding/json"
	"fmt"

	"callbox/storage/config"

	"go.etcd.io/bbolt"
)

// LoadConfig gives the saved configuration, with defaults filled in. A box that
// was never set up gives the defaults with Version 0.
func (s *Store) LoadConfig() (config.Snapshot, error) {
	var snap config.Snapshot
	err := s.view(func(tx *bbolt.Tx) error {
		v := tx.Bucket(bucketConfig).Get(keyCurrent)
		if v == nil {
			return nil
		}
		return json.Unmarshal(v, &snap)
	})
	if err != nil {
		return config.Snapshot{}, fmt.Errorf("reading the configuration: %w", err)
	}
	return snap.WithDefaults(), nil
}

// SaveConfig replaces the configuration by snap, if snap.Version is that of the
// saved one, and gives it back as saved: defaults filled in, Version one higher,
// Changed now. It is on disk when SaveConfig returns; an error means that nothing
// was saved. The error is or wraps ErrConflict (load again, repeat the change)
// or a *config.InvalidError.
func (s *Store) SaveConfig(ctx context.Context, snap config.Snapshot) (config.Snapshot, error) {
	s.configMu.Lock()
	defer s.configMu.Unlock()
	current, err := s.LoadConfig()
	if err != nil {
		return config.Snapshot{}, err
	}
	if snap.Version != current.Version {
		return config.Snapshot{}, fmt.Errorf("%w: the saved version is %d, this change was made to version %d", ErrConflict, current.Version, snap.Version)
	}
	snap = snap.WithDefaults()
	if err := snap.Validate(); err != nil {
		return config.Snapshot{}, err
	}
	snap.Version++
	snap.Changed = s.cfg.Now().UTC().Round(0)
	v, err := json.Marshal(snap)
	if err != nil {
		return config.Snapshot{}, fmt.Errorf("saving the configuration: %w", err)
	}
	if err := s.commitOrWithdraw(ctx, &accepted{puts: []putOp{{bucketConfig, keyCurrent, v}}}); err != nil {
		return config.Snapshot{}, fmt.Errorf("saving the configuration: %w", err)
	}
	// What the caller gets shares nothing with what it gave.
	var out config.Snapshot
	if err := json.Unmarshal(v, &out); err != nil {
		return config.Snapshot{}, fmt.Errorf("saving the configuration: %w", err)
	}
	return out, nil
}

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

// EnqueueBlob is PutBlob without waiting for the disk, for what may be lost with the
// power.
func (s *Store) EnqueueBlob(name string, data []byte) error {
	if err := checkKeyPart("blob's name", name, maxID, false); err != nil {
		return err
	}
	if len(data) > maxBlob {
		return fmt.Errorf("blob %q has %d bytes, at most %d", name, len(data), maxBlob)
	}
	value := append(make([]byte, 0, len(data)), data...) // not nil, which would delete
	return s.w.accept(&accepted{puts: []putOp{{bucketBlobs, []byte(name), value}}, linger: s.cfg.MaxLinger})
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
