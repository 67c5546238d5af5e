package apitest

import (
	"context"
	"slices"
	"sync"
	"time"

	"callbox/api"
	"callbox/call"
)

// settings keeps one kind of what customers set up. id and account point into x.
type settings[T any] struct {
	now func() time.Time
	at  func(x *T) (id, account *string, created, updated *time.Time)

	mu   sync.Mutex
	list []T   // mu; oldest first
	fail error // mu; what the next change answers
}

// failed gives the error that the next change is to answer, once. The caller
// holds mu.
func (s *settings[T]) failed() error {
	err := s.fail
	s.fail = nil
	return err
}

// FailSettings makes the next change of applications and of numbers answer err.
func (b *Box) FailSettings(err error) { b.apps.fail, b.numbers.fail = err, err }

func (s *settings[T]) find(account, id string) (int, error) {
	for i := range s.list {
		have, owner, _, _ := s.at(&s.list[i])
		if *have == id && *owner == account {
			return i, nil
		}
	}
	return 0, call.ErrNotFound
}

// List gives those of the account, oldest first.
func (s *settings[T]) List(account string) []T {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []T
	for _, x := range s.list {
		if _, owner, _, _ := s.at(&x); *owner == account {
			out = append(out, x)
		}
	}
	return out
}

// Create keeps a new one.
func (s *settings[T]) Create(_ context.Context, account string, x T) (T, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.failed(); err != nil {
		return x, err
	}
	_, owner, created, updated := s.at(&x)
	*owner, *created, *updated = account, s.now(), s.now()
	s.list = append(s.list, x)
	return x, nil
}

// Change edits one.
func (s *settings[T]) Change(_ context.Context, account, id string, change func(*T) error) (T, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var zero T
	i, err := s.find(account, id)
	if err != nil {
		return zero, err
	}
	x := s.list[i]
	if err := change(&x); err != nil {
		return zero, err
	}
	_, _, _, updated := s.at(&x)
	*updated = s.now()
	s.list[i] = x
	return x, nil
}

// Delete forgets one.
func (s *settings[T]) Delete(_ context.Context, account, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, err := s.find(account, id)
	if fail := s.failed(); err == nil {
		err = fail
	}
	if err == nil {
		s.list = slices.Delete(s.list, i, i+1)
	}
	return err
}

// Applications, Numbers and Keys are what customers set up on the box.
func (b *Box) Applications() api.Settings[api.Application] { return b.apps }

// Numbers are the box's numbers.
func (b *Box) Numbers() api.Settings[api.Number] { return b.numbers }

// Keys are the box's API keys; they open nothing.
func (b *Box) Keys() api.Settings[api.Key] { return keySettings{b.keys} }

// Users are the box's SIP users, with their passwords.
func (b *Box) Users() api.Settings[api.User] { return b.users }

// Setups are what the accounts can set up of themselves.
func (b *Box) Setups() api.Settings[api.Setup] { return b.setups }

// CallerIDs are further numbers that calls may show.
func (b *Box) CallerIDs() api.Settings[api.CallerID] { return b.callers }

// Lists are the box's credential lists.
func (b *Box) Lists() api.Settings[api.CredentialList] { return b.lists }

// Domains are the box's SIP domains.
func (b *Box) Domains() api.Settings[api.SIPDomain] { return b.domains }

// key is a key with its account.
type key struct {
	api.Key
	account string
}

// keySettings shows keys without their secrets, except when they are made.
type keySettings struct{ s *settings[key] }

func (k keySettings) List(account string) []api.Key {
	var out []api.Key
	for _, x := range k.s.List(account) {
		x.Secret = ""
		out = append(out, x.Key)
	}
	return out
}

func (k keySettings) Create(ctx context.Context, account string, x api.Key) (api.Key, error) {
	y, err := k.s.Create(ctx, account, key{Key: x})
	return y.Key, err
}

func (k keySettings) Change(ctx context.Context, account, id string, change func(*api.Key) error) (api.Key, error) {
	y, err := k.s.Change(ctx, account, id, func(x *key) error { return change(&x.Key) })
	y.Secret = ""
	return y.Key, err
}

func (k keySettings) Delete(ctx context.Context, account, id string) error {
	return k.s.Delete(ctx, account, id)
}

// Carriers are the box's SIP providers, with their passwords.
func (b *Box) Carriers() api.Settings[api.Carrier] { return b.trunks }

// Register makes a phone known as registered; call it before the box is used.
func (b *Box) Register(user string, r api.Registration) {
	if b.phones == nil {
		b.phones = map[string][]api.Registration{}
	}
	b.phones[user] = append(b.phones[user], r)
}

// Registrations are what Register has made known.
func (b *Box) Registrations(user string) []api.Registration { return b.phones[user] }

// LineState is the condition of a line: a carrier's is always ready.
func (b *Box) LineState(line string) (call.LineStatus, bool) {
	return call.LineStatus{Ready: true, Text: line + " is ready"}, true
}
