package laml

import (
	"net/http"
	"slices"

	"callbox/api"
	"callbox/call"
)

// The resources that make a SIP phone register: credentials stand in lists, and
// a domain names the lists whose phones may register and call.

// sipRoutes are their paths; none when the dialect does not have them.
func sipRoutes(p Profile, suffixes []string) []route {
	list := settingRoutes(domains(p), "SIP/Domains", suffixes)
	list = append(list, settingRoutes(lists(p), "SIP/CredentialLists", suffixes)...)
	list = append(list, settingRoutes(clients(p), "Clients", suffixes)...)
	list = append(list, settingRoutes(credentials(p), "SIP/CredentialLists/{parent}/Credentials", suffixes)...)
	if p.Tables.Domain == nil {
		return list
	}
	for path, m := range map[string]mapping{
		"CredentialListMappings":                    {"credential_list_mappings", callLists},
		"Auth/Calls/CredentialListMappings":         {"contents", callLists},
		"Auth/Registrations/CredentialListMappings": {"contents", registrationLists},
	} {
		path = "SIP/Domains/{parent}/" + path
		all, one := settingOperations("CredentialListMapping", m.key, mappingParams)
		list = append(list,
			route{path: path, suffixes: suffixes, acts: map[string]act{"GET": m.list, "POST": m.create}, about: all},
			route{path: path + "/{item}", suffixes: suffixes, acts: map[string]act{"GET": m.fetch, "DELETE": m.remove}, about: one})
	}
	return list
}

func domains(p Profile) setting[api.SIPDomain] {
	return setting[api.SIPDomain]{
		element: "Domain", key: "domains", params: p.Tables.Domain,
		store: func(h *api.Handlers) api.Settings[api.SIPDomain] { return h.Domains },
		id:    func(d api.SIPDomain) string { return d.ID },
		name:  func(d api.SIPDomain) (string, string) { return d.Name, "" },
		read:  readDomain,
		show: func(s rest, d api.SIPDomain) any {
			return p.Shapes.Domain.render(domainFields, viewOf(s.Dialect, d, d.Account, "/SIP/Domains/"+d.ID))
		},
	}
}

// readDomain changes a domain by the parameters of a request.
func readDomain(s rest, _ *api.Request, v Values, d *api.SIPDomain, fresh bool) error {
	if fresh {
		d.ID, d.API = s.p.NewID(api.DomainID), s.p.Name
	}
	if v.Bool("Secure") {
		return refuse(CodeInvalid, "Secure is not available for one domain: phones may use TLS, and trunks and users are set up for it in the box's configuration")
	}
	if v.Has("DomainName") {
		d.Host = v.Text("DomainName")
	}
	if v.Has("FriendlyName") {
		d.Name = v.Text("FriendlyName")
	}
	if d.Name == "" {
		d.Name = d.Host
	}
	if v.Given("SipRegistration") {
		d.Register = v.Bool("SipRegistration")
	}
	setVoice(v, &d.Script, &d.Status)
	if d.Script.IsZero() {
		d.Script = call.ScriptSource{}
	}
	return nil
}

func lists(p Profile) setting[api.CredentialList] {
	return setting[api.CredentialList]{
		element: "CredentialList", key: "credential_lists", params: p.Tables.CredentialList,
		store: func(h *api.Handlers) api.Settings[api.CredentialList] { return h.Lists },
		id:    func(l api.CredentialList) string { return l.ID },
		name:  func(l api.CredentialList) (string, string) { return l.Name, "" },
		read: func(s rest, _ *api.Request, v Values, l *api.CredentialList, fresh bool) error {
			if fresh {
				l.ID = s.p.NewID(api.ListID)
			}
			if v.Has("FriendlyName") {
				l.Name = v.Text("FriendlyName")
			}
			return nil
		},
		show: func(s rest, l api.CredentialList) any {
			return p.Shapes.List.render(listFields, viewOf(s.Dialect, l, l.Account, "/SIP/CredentialLists/"+l.ID))
		},
	}
}

func credentials(p Profile) setting[api.User] {
	return setting[api.User]{
		element: "Credential", key: "credentials", params: p.Tables.Credential,
		store:  func(h *api.Handlers) api.Settings[api.User] { return h.Users },
		id:     func(u api.User) string { return u.ID },
		name:   func(u api.User) (string, string) { return u.Name, "" },
		parent: func(u api.User) string { return u.List },
		has: func(h *api.Handlers, account, list string) bool {
			_, ok := credentialList(h, account, list)
			return ok
		},
		read: func(s rest, q *api.Request, v Values, u *api.User, fresh bool) error {
			if fresh {
				u.ID, u.Name, u.List = s.p.NewID(api.UserID), v.Text("Username"), q.Parent
			}
			u.Password = v.Text("Password")
			return nil
		},
		show: func(s rest, u api.User) any {
			return p.Shapes.Credential.render(credentialFields, viewOf(s.Dialect, u, u.Account, "/SIP/CredentialLists/"+u.List+"/Credentials/"+u.ID))
		},
	}
}

// clients are the users that are in no list.
func clients(p Profile) setting[api.User] {
	return setting[api.User]{
		element: "Client", key: "clients", params: p.Tables.Client,
		store:  func(h *api.Handlers) api.Settings[api.User] { return h.Users },
		id:     func(u api.User) string { return u.ID },
		name:   func(u api.User) (string, string) { return u.DisplayName, u.Number },
		parent: func(u api.User) string { return u.List }, // their paths name none
		read: func(s rest, q *api.Request, v Values, u *api.User, fresh bool) error {
			if fresh {
				u.ID, u.Name = s.p.NewID(api.ClientID), v.Text("Login")
			}
			u.Password = v.Text("Password")
			if v.Given("FriendlyName") {
				u.DisplayName = v.Text("FriendlyName")
			}
			if v.Given("VoiceApplicationSid") {
				u.Application = v.Text("VoiceApplicationSid")
				if _, ok := s.h.Accounts.Application(q.Account.ID, u.Application); u.Application != "" && !ok {
					return api.ErrNoApplication
				}
			}
			return nil
		},
		show: func(s rest, u api.User) any {
			return p.Shapes.Client.render(credentialFields, viewOf(s.Dialect, u, u.Account, "/Clients/"+u.ID))
		},
	}
}

// credentialList finds a list of the account.
func credentialList(h *api.Handlers, account, id string) (api.CredentialList, bool) {
	if h.Lists != nil {
		for _, l := range h.Lists.List(account) {
			if l.ID == id {
				return l, true
			}
		}
	}
	return api.CredentialList{}, false
}

// mapping is the use of credential lists by a domain: for calls or for
// registrations. It is known by the id of the list.
type mapping struct {
	key string // of its lists
	of  func(d *api.SIPDomain) *[]string
}

func callLists(d *api.SIPDomain) *[]string         { return &d.Calls }
func registrationLists(d *api.SIPDomain) *[]string { return &d.Registrations }

// domain finds the domain that the path names.
func (mapping) domain(s rest, q *api.Request) (api.SIPDomain, error) {
	if s.h.Domains != nil && s.h.Lists != nil {
		for _, d := range s.h.Domains.List(q.Account.ID) {
			if d.ID == q.Parent {
				return d, nil
			}
		}
	}
	return api.SIPDomain{}, call.ErrNotFound
}

// show is a mapping of the list id; one that is not mapped is not found.
func (m mapping) show(s rest, q *api.Request, d api.SIPDomain, id string) (any, error) {
	l, ok := credentialList(s.h, q.Account.ID, id)
	if !ok || !slices.Contains(*m.of(&d), id) {
		return nil, call.ErrNotFound
	}
	v := viewOf(s.Dialect, l, l.Account, "/SIP/Domains/"+d.ID+"/CredentialListMappings/"+l.ID)
	return s.p.Shapes.Mapping.render(listFields, v), nil
}

func (m mapping) answer(s rest, w http.ResponseWriter, q *api.Request, status int, d api.SIPDomain, id string, err error) {
	var body any
	if err == nil {
		body, err = m.show(s, q, d, id)
	}
	if err != nil {
		s.WriteError(w, q.Request, err)
		return
	}
	s.write(w, q.Request, Answer{status, "CredentialListMapping", body})
}

func (m mapping) fetch(s rest, w http.ResponseWriter, q *api.Request) {
	d, err := m.domain(s, q)
	m.answer(s, w, q, http.StatusOK, d, q.Item, err)
}

// mappingParams are the parameters of a mapping.
var mappingParams = []Param{
	{Name: "CredentialListSid", Kind: Match, Pattern: IsSid("CL"), Hint: "CL and 32 hex digits", Required: CodeInvalid},
}

func (m mapping) create(s rest, w http.ResponseWriter, q *api.Request) {
	var v Values
	d, err := m.domain(s, q)
	if err == nil {
		v, err = s.readTable(q, mappingParams)
	}
	s.h.TellWarnings(w, q)
	id := v.Text("CredentialListSid")
	if _, ok := credentialList(s.h, q.Account.ID, id); err == nil && !ok {
		err = refuse(CodeInvalid, "CredentialListSid %s is no credential list of this account", id)
	}
	if err == nil {
		d, err = m.edit(s, q, d.ID, func(ids []string) []string {
			if slices.Contains(ids, id) {
				return ids
			}
			return append(ids, id)
		})
	}
	m.answer(s, w, q, s.p.CreatedStatus, d, id, err)
}

// edit changes the lists of a domain.
func (m mapping) edit(s rest, q *api.Request, domain string, change func([]string) []string) (api.SIPDomain, error) {
	ctx, cancel := api.ActContext(q)
	defer cancel()
	return s.h.Domains.Change(ctx, q.Account.ID, domain, func(d *api.SIPDomain) error {
		ids := m.of(d)
		*ids = change(slices.Clone(*ids))
		return nil
	})
}

func (m mapping) remove(s rest, w http.ResponseWriter, q *api.Request) {
	d, err := m.domain(s, q)
	if err == nil {
		_, err = m.show(s, q, d, q.Item)
	}
	if err == nil {
		_, err = m.edit(s, q, d.ID, func(ids []string) []string {
			return slices.DeleteFunc(ids, func(id string) bool { return id == q.Item })
		})
	}
	if err != nil {
		s.WriteError(w, q.Request, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (m mapping) list(s rest, w http.ResponseWriter, q *api.Request) {
	d, err := m.domain(s, q)
	if err != nil {
		s.WriteError(w, q.Request, err)
		return
	}
	writeSettings(s, w, q, "CredentialListMapping", m.key, slices.Clone(*m.of(&d)), func(Values, string) bool { return true },
		func(id string) any {
			item, err := m.show(s, q, d, id)
			if err != nil { // deleted at this moment
				return nil
			}
			return item
		})
}
