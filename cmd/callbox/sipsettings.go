package main

import (
	"slices"
	"strings"
	"time"

	"callbox/api"
	"callbox/storage/config"
)

// userSettings are the SIP users of the configuration. Passwords are not told.
func userSettings(a *app) api.Settings[api.User] {
	return settings[api.User, config.User]{
		app:  a,
		list: func(s *config.Snapshot, _ string) *[]config.User { return &s.Users },
		show: func(s *config.Snapshot, account string, c config.User) (api.User, bool) {
			u := api.User{ID: c.ID, Account: account, Name: c.Name, DisplayName: c.DisplayName, Number: c.Number,
				Application: c.Application, Disabled: c.Disabled, Direct: c.Direct, List: c.List, Created: c.Created, Updated: c.Updated}
			if u.ID == "" {
				u.ID = api.DerivedID("CR", "user "+c.Name)
			}
			return u, c.Account == account || c.Account == "" && firstOf(s) == account
		},
		keep: func(account string, x api.User, was config.User, fresh bool, now time.Time) config.User {
			u := was // its codecs stay
			u.ID, u.Account, u.Name, u.DisplayName, u.Number, u.Application, u.List = x.ID, account, x.Name, x.DisplayName, x.Number, x.Application, x.List
			u.Disabled, u.Direct = x.Disabled, x.Direct
			if x.Password != "" {
				u.Password = config.Secret(x.Password)
			}
			u.Created, u.Updated = created(was.Created, now, fresh), now
			return u
		},
		id: func(x api.User) string { return x.ID },
		free: func(s *config.Snapshot, x api.User) error {
			for _, name := range lineNames(s) {
				if strings.EqualFold(name, x.Name) {
					return api.ErrTaken
				}
			}
			return nil
		},
		usedBy: func(s *config.Snapshot, c config.User) string { return lineUser(s, c.Name) },
	}
}

// lineNames lists the names of all lines.
func lineNames(s *config.Snapshot) []string {
	var out []string
	for _, t := range s.Trunks {
		out = append(out, t.Name)
	}
	for _, u := range s.Users {
		out = append(out, u.Name)
	}
	for _, p := range s.Phones {
		out = append(out, p.Port, p.Name)
	}
	return out
}

// lineUser names something that needs the line.
func lineUser(s *config.Snapshot, line string) string {
	for _, r := range s.Routes {
		if slices.Contains(r.Lines, line) {
			return "route " + r.Name
		}
	}
	for _, n := range s.Numbers {
		if n.Line == line || n.Target == line {
			return "number " + n.Number
		}
	}
	return ""
}

// callerIDSettings are the further numbers that calls may show.
func callerIDSettings(a *app) api.Settings[api.CallerID] {
	return settings[api.CallerID, config.CallerID]{
		app:  a,
		list: func(s *config.Snapshot, _ string) *[]config.CallerID { return &s.CallerIDs },
		show: func(s *config.Snapshot, account string, c config.CallerID) (api.CallerID, bool) {
			x := api.CallerID{ID: c.ID, Account: account, Name: c.Name, Number: c.Number, Created: c.Created, Updated: c.Updated}
			if x.ID == "" {
				x.ID = api.DerivedID("PN", "caller id "+c.Account+" "+c.Number)
			}
			if x.Name == "" {
				x.Name = c.Number
			}
			return x, c.Account == account || c.Account == "" && firstOf(s) == account
		},
		keep: func(account string, x api.CallerID, was config.CallerID, fresh bool, now time.Time) config.CallerID {
			return config.CallerID{ID: x.ID, Account: account, Name: x.Name, Number: x.Number, Created: created(was.Created, now, fresh), Updated: now}
		},
		id: func(x api.CallerID) string { return x.ID },
		free: func(s *config.Snapshot, x api.CallerID) error {
			if slices.ContainsFunc(s.CallerIDs, func(c config.CallerID) bool { return c.Number == x.Number }) {
				return api.ErrTaken
			}
			return nil
		},
	}
}

// listSettings are the credential lists. One goes with the users in it.
func listSettings(a *app) api.Settings[api.CredentialList] {
	return settings[api.CredentialList, config.CredentialList]{
		app:  a,
		list: func(s *config.Snapshot, _ string) *[]config.CredentialList { return &s.CredentialLists },
		show: func(_ *config.Snapshot, account string, c config.CredentialList) (api.CredentialList, bool) {
			return api.CredentialList(c), c.Account == account
		},
		keep: func(account string, x api.CredentialList, was config.CredentialList, fresh bool, now time.Time) config.CredentialList {
			return config.CredentialList{ID: x.ID, Account: account, Name: x.Name, Created: created(was.Created, now, fresh), Updated: now}
		},
		id: func(x api.CredentialList) string { return x.ID },
		usedBy: func(s *config.Snapshot, c config.CredentialList) string {
			for _, d := range s.SIPDomains {
				if slices.Contains(d.Registrations, c.ID) || slices.Contains(d.Calls, c.ID) {
					return "SIP domain " + d.Host
				}
			}
			for _, u := range s.Users {
				if by := lineUser(s, u.Name); u.List == c.ID && by != "" {
					return by
				}
			}
			return ""
		},
		deleted: func(s *config.Snapshot, c config.CredentialList) {
			s.Users = slices.DeleteFunc(s.Users, func(u config.User) bool { return u.List == c.ID })
		},
	}
}

// domainSettings are the SIP domains.
func domainSettings(a *app) api.Settings[api.SIPDomain] {
	return settings[api.SIPDomain, config.SIPDomain]{
		app:  a,
		list: func(s *config.Snapshot, _ string) *[]config.SIPDomain { return &s.SIPDomains },
		show: func(_ *config.Snapshot, account string, c config.SIPDomain) (api.SIPDomain, bool) {
			return api.SIPDomain{
				ID: c.ID, Account: c.Account, Host: c.Host, Name: c.Name, API: c.API, Script: c.Script, Status: c.Status, Register: c.Register,
				Registrations: slices.Clone(c.Registrations), Calls: slices.Clone(c.Calls), Created: c.Created, Updated: c.Updated,
			}, c.Account == account
		},
		keep: func(account string, x api.SIPDomain, was config.SIPDomain, fresh bool, now time.Time) config.SIPDomain {
			return config.SIPDomain{
				ID: x.ID, Account: account, Host: x.Host, Name: x.Name, API: x.API, Script: x.Script, Status: x.Status, Register: x.Register,
				Registrations: x.Registrations, Calls: x.Calls, Created: created(was.Created, now, fresh), Updated: now,
			}
		},
		id: func(x api.SIPDomain) string { return x.ID },
		free: func(s *config.Snapshot, x api.SIPDomain) error {
			if slices.ContainsFunc(s.SIPDomains, func(d config.SIPDomain) bool { return strings.EqualFold(d.Host, x.Host) }) {
				return api.ErrTaken
			}
			return nil
		},
	}
}
