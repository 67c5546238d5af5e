package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"callbox/api"
	"callbox/call"
	"callbox/storage/config"
)

// change edits a copy of the present configuration, and checks, stores and
// applies it.
func (a *app) change(ctx context.Context, edit func(*config.Snapshot) error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	next := copyOf(a.snap)
	if err := edit(&next); err != nil {
		return err
	}
	saved, err := a.store.SaveConfig(ctx, next)
	var invalid *config.InvalidError
	if errors.As(err, &invalid) {
		return &api.InvalidError{Text: invalid.Problems[0].Field + ": " + invalid.Problems[0].Text}
	}
	if err != nil {
		return err
	}
	return a.useConfig(saved)
}

// copyOf is a snapshot whose lists can be edited. What stands in the lists is
// replaced, never written to.
func copyOf(s config.Snapshot) config.Snapshot {
	s.Accounts = slices.Clone(s.Accounts)
	for i := range s.Accounts {
		s.Accounts[i].Keys = slices.Clone(s.Accounts[i].Keys)
	}
	s.Applications, s.Numbers = slices.Clone(s.Applications), slices.Clone(s.Numbers)
	s.Trunks, s.Users, s.Phones, s.Routes = slices.Clone(s.Trunks), slices.Clone(s.Users), slices.Clone(s.Phones), slices.Clone(s.Routes)
	s.ExchangeLines = slices.Clone(s.ExchangeLines)
	s.SpeechVendors = slices.Clone(s.SpeechVendors)
	s.CallerIDs, s.CredentialLists, s.SIPDomains = slices.Clone(s.CallerIDs), slices.Clone(s.CredentialLists), slices.Clone(s.SIPDomains)
	return s
}

// settings is one kind of what customers set up, kept in the configuration.
type settings[T, C any] struct {
	app *app
	// list is where they stand in a configuration.
	list func(s *config.Snapshot, account string) *[]C
	show func(s *config.Snapshot, account string, c C) (x T, ours bool)
	// keep makes an entry of x; was is the entry that it replaces, with fresh none.
	keep func(account string, x T, was C, fresh bool, now time.Time) C
	id   func(x T) string
	// free tells why x may not be added; nil: it always may.
	free func(s *config.Snapshot, x T) error
	// usedBy names what needs c, empty when nothing does; nil: nothing ever does.
	usedBy func(s *config.Snapshot, c C) string
	// deleted removes what goes with c; nil: nothing does.
	deleted func(s *config.Snapshot, c C)
}

// List gives those of the account, in the order of the configuration.
func (k settings[T, C]) List(account string) []T {
	snap := k.app.config()
	list := k.list(&snap, account)
	if list == nil {
		return nil
	}
	var out []T
	for _, c := range *list {
		if x, ours := k.show(&snap, account, c); ours {
			out = append(out, x)
		}
	}
	return out
}

// Create adds one at the end.
func (k settings[T, C]) Create(ctx context.Context, account string, x T) (T, error) {
	var made T
	err := k.app.change(ctx, func(s *config.Snapshot) error {
		list := k.list(s, account)
		if list == nil {
			return call.ErrNotFound
		}
		if k.free != nil {
			if err := k.free(s, x); err != nil {
				return err
			}
		}
		var none C
		c := k.keep(account, x, none, true, now())
		*list = append(*list, c)
		made, _ = k.show(s, account, c)
		return nil
	})
	return made, err
}

// find gives the place of one in the list, -1 when it is not there.
func (k settings[T, C]) find(s *config.Snapshot, account, id string) (list *[]C, i int, x T) {
	if list = k.list(s, account); list == nil {
		return nil, -1, x
	}
	for i, c := range *list {
		if x, ours := k.show(s, account, c); ours && k.id(x) == id {
			return list, i, x
		}
	}
	return list, -1, x
}

// Change edits one.
func (k settings[T, C]) Change(ctx context.Context, account, id string, change func(*T) error) (T, error) {
	var changed T
	err := k.app.change(ctx, func(s *config.Snapshot) error {
		list, i, x := k.find(s, account, id)
		if i < 0 {
			return call.ErrNotFound
		}
		if err := change(&x); err != nil {
			return err
		}
		(*list)[i] = k.keep(account, x, (*list)[i], false, now())
		changed, _ = k.show(s, account, (*list)[i])
		return nil
	})
	return changed, err
}

// Delete removes one.
func (k settings[T, C]) Delete(ctx context.Context, account, id string) error {
	return k.app.change(ctx, func(s *config.Snapshot) error {
		list, i, _ := k.find(s, account, id)
		if i < 0 {
			return call.ErrNotFound
		}
		if k.usedBy != nil {
			if by := k.usedBy(s, (*list)[i]); by != "" {
				return &api.InUseError{By: by}
			}
		}
		gone := (*list)[i]
		*list = slices.Delete(*list, i, i+1)
		if k.deleted != nil {
			k.deleted(s, gone)
		}
		return nil
	})
}

// now is the time of a change: the call APIs tell it in seconds.
func now() time.Time { return time.Now().UTC().Truncate(time.Second) }

// created is when an entry was made: now, unless it was there before.
func created(was, now time.Time, fresh bool) time.Time {
	if fresh {
		return now
	}
	return was
}

// applicationSettings are the applications of the configuration.
func applicationSettings(a *app) api.Settings[api.Application] {
	return settings[api.Application, config.Application]{
		app:  a,
		list: func(s *config.Snapshot, _ string) *[]config.Application { return &s.Applications },
		show: func(_ *config.Snapshot, account string, c config.Application) (api.Application, bool) {
			return application(c), c.Account == account
		},
		keep: func(account string, x api.Application, was config.Application, fresh bool, now time.Time) config.Application {
			return config.Application{
				ID: x.ID, Account: account, Name: x.Name, API: x.API, Script: x.Script, Status: x.Status, Speech: x.Speech, Env: x.Env,
				Messaging: config.Messaging(x.Messaging), Created: created(was.Created, now, fresh), Updated: now,
			}
		},
		id:     func(x api.Application) string { return x.ID },
		usedBy: applicationUser,
	}
}

// applicationUser names something that runs the application.
func applicationUser(s *config.Snapshot, c config.Application) string {
	for _, a := range s.Accounts {
		if a.Application == c.ID {
			return "account " + a.ID
		}
	}
	for _, n := range s.Numbers {
		if n.Application == c.ID {
			return "number " + n.Number
		}
	}
	for _, t := range s.Trunks {
		if t.Application == c.ID {
			return "carrier " + t.Name
		}
	}
	for _, u := range s.Users {
		if u.Application == c.ID {
			return "user " + u.Name
		}
	}
	for _, p := range s.Phones {
		if p.Application == c.ID {
			return "phone port " + p.Port
		}
	}
	for _, l := range s.ExchangeLines {
		if l.Application == c.ID {
			return "exchange line " + l.Port
		}
	}
	return ""
}

// application is a configured application as the call APIs see it.
func application(c config.Application) api.Application {
	return api.Application{
		ID: c.ID, Name: c.Name, Account: c.Account, API: c.API, Script: c.Script, Status: c.Status, Speech: c.Speech, Env: c.Env,
		Messaging: api.Messaging(c.Messaging), Created: c.Created, Updated: c.Updated,
	}
}

// numberSettings are the numbers of the configuration.
func numberSettings(a *app) api.Settings[api.Number] {
	return settings[api.Number, config.Number]{
		app:  a,
		list: func(s *config.Snapshot, _ string) *[]config.Number { return &s.Numbers },
		show: func(s *config.Snapshot, account string, c config.Number) (api.Number, bool) {
			n := api.Number{
				ID: c.ID, Name: c.Name, Account: account, API: c.API, Number: c.Number, Line: c.Line, Application: c.Application,
				Script: c.Script, Target: c.Target, Status: c.Status, Messaging: api.Messaging(c.Messaging), Created: c.Created, Updated: c.Updated,
			}
			if n.ID == "" {
				n.ID = api.DerivedID("PN", "number "+c.Number+" "+c.Line)
			}
			if n.Name == "" {
				n.Name = c.Number
			}
			return n, ownerOf(s, c) == account
		},
		keep: func(account string, x api.Number, was config.Number, fresh bool, now time.Time) config.Number {
			return config.Number{
				ID: x.ID, Name: x.Name, Account: account, API: x.API, Number: x.Number, Line: x.Line, Application: x.Application, Script: x.Script,
				Target: x.Target, Status: x.Status, Messaging: config.Messaging(x.Messaging),
				Created: created(was.Created, now, fresh), Updated: now,
			}
		},
		free: func(s *config.Snapshot, x api.Number) error {
			for _, n := range s.Numbers {
				if n.Line == x.Line && n.Number == x.Number {
					return api.ErrTaken
				}
			}
			return nil
		},
		id: func(x api.Number) string { return x.ID },
	}
}

// ownerOf is the account of a number: its own, its application's, or the first.
func ownerOf(s *config.Snapshot, n config.Number) string {
	if n.Account != "" {
		return n.Account
	}
	for _, a := range s.Applications {
		if n.Application != "" && a.ID == n.Application {
			return a.Account
		}
	}
	return firstOf(s)
}

// firstOf is the account of what names none.
func firstOf(s *config.Snapshot) string {
	if len(s.Accounts) == 0 {
		return ""
	}
	return s.Accounts[0].ID
}

// keySettings are the API keys of the accounts. A secret is told only when its
// key is made.
func keySettings(a *app) api.Settings[api.Key] {
	return keysOnce{settings[api.Key, config.Key]{
		app: a,
		list: func(s *config.Snapshot, account string) *[]config.Key {
			for i := range s.Accounts {
				if s.Accounts[i].ID == account {
					return &s.Accounts[i].Keys
				}
			}
			return nil
		},
		show: func(_ *config.Snapshot, _ string, c config.Key) (api.Key, bool) {
			return api.Key{ID: c.ID, Name: c.Name, Created: c.Created, Updated: c.Updated}, true
		},
		keep: func(_ string, x api.Key, was config.Key, fresh bool, now time.Time) config.Key {
			k := config.Key{ID: x.ID, Name: x.Name, Secret: was.Secret, Created: created(was.Created, now, fresh), Updated: now}
			if fresh {
				k.Secret = config.HashSecret(x.Secret)
			}
			return k
		},
		id: func(x api.Key) string { return x.ID },
	}}
}

// keysOnce tells the secret of a key that was just made.
type keysOnce struct{ settings[api.Key, config.Key] }

// Create adds a key and tells its secret.
func (k keysOnce) Create(ctx context.Context, account string, x api.Key) (api.Key, error) {
	made, err := k.settings.Create(ctx, account, x)
	if err == nil {
		made.Secret = x.Secret
	}
	return made, err
}

// setupSettings are what customers can set up of their accounts.
func setupSettings(a *app) api.Settings[api.Setup] {
	return settings[api.Setup, config.Account]{
		app:  a,
		list: func(s *config.Snapshot, _ string) *[]config.Account { return &s.Accounts },
		show: func(_ *config.Snapshot, account string, c config.Account) (api.Setup, bool) {
			return api.Setup{ID: c.ID, Name: c.Name, Application: c.Application, QueueHook: c.QueueHook}, c.ID == account
		},
		keep: func(_ string, x api.Setup, was config.Account, _ bool, _ time.Time) config.Account {
			was.Name, was.Application, was.QueueHook = x.Name, x.Application, x.QueueHook
			return was
		},
		id: func(x api.Setup) string { return x.ID },
	}
}
