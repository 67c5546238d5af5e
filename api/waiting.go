package api

import (
	"context"
	"fmt"
)

// MaxMessages is the highest of the numbers of Waiting.
const MaxMessages = 9999

// Waiting are the voice messages that wait for a user. The urgent ones are counted
// in New and Old too.
type Waiting struct {
	New       int `json:"new"`
	Old       int `json:"old"`
	UrgentNew int `json:"urgent_new"`
	UrgentOld int `json:"urgent_old"`
}

// Validate reports the first number that cannot be.
func (w Waiting) Validate() error {
	for _, n := range []struct {
		name      string
		value, of int
	}{
		{"new", w.New, MaxMessages}, {"old", w.Old, MaxMessages}, {"urgent_new", w.UrgentNew, w.New}, {"urgent_old", w.UrgentOld, w.Old},
	} {
		if n.value < 0 || n.value > n.of {
			return &InvalidError{Text: fmt.Sprintf("%s is %d, it must be 0 to %d", n.name, n.value, n.of)}
		}
	}
	return nil
}

// Mailboxes knows how many messages wait for the users of the box.
type Mailboxes interface {
	// Waiting tells it of a user of the account; call.ErrNotFound: there is no such user.
	Waiting(account, user string) (Waiting, error)
	// SetWaiting keeps it, and tells the user's telephones. It is on disk when this
	// returns. The error is or wraps call.ErrNotFound or an *InvalidError.
	SetWaiting(ctx context.Context, account, user string, w Waiting) error
}
