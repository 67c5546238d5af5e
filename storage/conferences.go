package storage

import (
	"encoding/json"
	"fmt"

	"callbox/call"

	"go.etcd.io/bbolt"
)

// MaxConferences is how many conferences are kept, of all accounts together: the
// latest.
const MaxConferences = 1250

// conferenceOp puts one conference.
type conferenceOp struct {
	c     *call.Conference // never changes
	value []byte           // as in callOp
}

func newConferenceOp(c *call.Conference) (conferenceOp, error) {
	if err := checkKeyPart("conference's id", c.ID, maxID, false); err != nil {
		return conferenceOp{}, fmt.Errorf("storing conference %q: %w", c.ID, err)
	}
	v, err := json.Marshal(c)
	if err != nil {
		return conferenceOp{}, fmt.Errorf("storing conference %q: %w", c.ID, err)
	}
	return conferenceOp{c, v}, nil
}

func (o conferenceOp) apply(tx *bbolt.Tx) error {
	v, err := encoded(o.value, o.c)
	if err != nil {
		return err
	}
	return tx.Bucket(bucketConferences).Put(append(stamp(o.c.Created), o.c.ID...), v)
}

// trimConferences forgets the oldest beyond keep.
func trimConferences(tx *bbolt.Tx, keep int) error {
	excess := -keep
	c := tx.Bucket(bucketConferences).Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		excess++
	}
	for k, _ := c.First(); k != nil && excess > 0; k, _ = c.First() {
		if err := c.Delete(); err != nil {
			return err
		}
		excess--
	}
	return nil
}

// Conferences gives the conferences that were kept when the store was opened,
// oldest first; later ones may be missing.
func (s *Store) Conferences() ([]call.Conference, error) {
	var out []call.Conference
	err := s.view(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketConferences).ForEach(func(_, v []byte) error {
			var c call.Conference
			if err := decode(v, &c); err != nil {
				return err
			}
			out = append(out, c)
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("reading the conferences: %w", err)
	}
	return out, nil
}
