package main

import (
	"crypto/sha256"
	"sync/atomic"

	"callbox/api"
	"callbox/storage/config"
)

// accounts answers what the API asks about the configuration.
type accounts struct {
	snap atomic.Pointer[config.Snapshot]
}

var (
	_ api.Accounts = (*accounts)(nil)
	_ api.Lines    = (*accounts)(nil)
)

// Account finds an account by one of its two ids.
func (a *accounts) Account(id string) (api.Account, bool) {
	for _, x := range a.snap.Load().Accounts {
		if id != "" && (x.ID == id || x.Project == id) {
			return accountOf(x), true
		}
	}
	return api.Account{}, false
}

// Accounts gives all of them.
func (a *accounts) Accounts() []api.Account {
	var out []api.Account
	for _, x := range a.snap.Load().Accounts {
		out = append(out, accountOf(x))
	}
	return out
}

// accountOf is a configured account as the call APIs see it.
func accountOf(x config.Account) api.Account {
	out := api.Account{ID: x.ID, Name: x.Name, Project: x.Project, Token: x.Token.Reveal(), QueueHook: x.QueueHook, Suspended: x.Suspended, Keys: map[string][sha256.Size]byte{}}
	for _, k := range x.Keys {
		out.Keys[k.ID] = k.Sum()
	}
	return out
}

// Application finds an application of an account.
func (a *accounts) Application(account, id string) (api.Application, bool) {
	for _, x := range a.snap.Load().Applications {
		if x.ID == id && x.Account == account {
			return application(x), true
		}
	}
	return api.Application{}, false
}

// Line finds the trunk that a request names.
func (a *accounts) Line(_, sid string) (string, bool) { return lineNamed(a.snap.Load(), sid) }
