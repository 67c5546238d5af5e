package config

import (
	"fmt"
	"slices"
	"strings"
)

// callerIDs checks the numbers that may be shown.
func (v *validator) callerIDs(list []CallerID) {
	seen := map[string]bool{}
	for i, c := range list {
		f := fmt.Sprintf("caller_ids[%d]", i)
		if c.Number == "" || seen[c.key()] {
			v.bad(f+".number", "%q is empty or there twice", c.Number)
		}
		seen[c.key()] = true
		v.digits(f+".number", c.Number)
		v.oneLine(f+".name", c.Name)
		v.identity(f, c.ID, c.Account)
	}
}

// sipDomains checks credential lists, the users in them, and the domains that
// name them.
func (v *validator) sipDomains(s Snapshot) {
	lists := map[string]bool{}
	for i, l := range s.CredentialLists {
		f := fmt.Sprintf("credential_lists[%d]", i)
		v.owned(f, l.ID, l.Account)
		v.oneLine(f+".name", l.Name)
		lists[l.ID] = true
	}
	for i, u := range s.Users {
		if u.List != "" && !lists[u.List] {
			v.bad(fmt.Sprintf("users[%d].list", i), "there is no credential list %q", u.List)
		}
	}
	hosts := map[string]bool{}
	for i, d := range s.SIPDomains {
		f := fmt.Sprintf("sip_domains[%d]", i)
		v.owned(f, d.ID, d.Account)
		v.host(f+".host", d.Host)
		if h := strings.ToLower(d.Host); hosts[h] {
			v.bad(f+".host", "%q is there twice", d.Host)
		} else {
			hosts[h] = true
		}
		v.oneLine(f+".name", d.Name)
		v.api(f+".api", d.API)
		v.hook(f+".script.main", d.Script.Main)
		v.hook(f+".script.fallback", d.Script.Fallback)
		v.hook(f+".status", d.Status.Hook)
		for _, in := range []struct {
			field string
			ids   []string
		}{{".registrations", d.Registrations}, {".calls", d.Calls}} {
			for j, id := range in.ids {
				if !lists[id] || slices.Contains(in.ids[:j], id) {
					v.bad(fmt.Sprintf("%s%s[%d]", f, in.field, j), "there is no credential list %q, or it is named twice", id)
				}
			}
		}
	}
}

// owned is identity for what must have an id and an account.
func (v *validator) owned(f, id, account string) {
	if id == "" {
		v.bad(f+".id", "is empty, give it one")
	}
	if account == "" {
		v.bad(f+".account", "is empty, name the account that it belongs to")
	}
	v.identity(f, id, account)
}

// Joined gives the domain at which the user may register and the one at which
// it may call; nil: none does. Users of no list are no domain's.
func (s Snapshot) Joined(u User) (registers, calls *SIPDomain) {
	for i := range s.SIPDomains {
		d := &s.SIPDomains[i]
		if registers == nil && d.Register && slices.Contains(d.Registrations, u.List) {
			registers = d
		}
		if calls == nil && slices.Contains(d.Calls, u.List) {
			calls = d
		}
	}
	return registers, calls
}
