package jambonz

import (
	"net/http"
	"net/url"
	"slices"
	"time"

	"callbox/api"
	"callbox/api/jambonz/js"
	"callbox/api/jambonz/shape"
	"callbox/call"
)

// serviceProvider is the only service provider: the box itself.
const serviceProvider = "2708b1b3-2736-40ea-b502-c53d8396247f"

// setupProps are the properties of a change of an account.
var setupProps = shape.Props{
	"name": {Type: shape.Text}, "device_calling_application_sid": {Type: shape.Text},
	"sip_realm":         {Type: shape.Text, Unable: "phones register at the box's own names and addresses"},
	"registration_hook": {Type: shape.HookType, Props: shape.HookProps, Unable: "phones register with the passwords of Clients"},
	"queue_event_hook":  shape.HookProp(),
	"webhook_secret":    {Type: shape.Text, Unable: "it follows from the account's token"},
	"is_active":         {Type: flag},
}.With(ownerProps)

// setup gives what the account has set up of itself.
func (s rest) setup(q request) api.Setup {
	if s.h.Setups != nil {
		for _, x := range s.h.Setups.List(q.Account.ID) {
			return x
		}
	}
	return api.Setup{ID: q.Account.ID, Name: q.Account.Name}
}

// account is the account that asks, as the API shows it.
func (s rest) account(q request) js.Object {
	x := s.setup(q)
	var o js.Object
	o.Text("account_sid", s.sid(q.Account.ID))
	o.Text("name", x.Name)
	o.Text("service_provider_sid", serviceProvider)
	o.Bool("is_active", true)
	if u, err := url.Parse(s.cfg.BaseURL()); err == nil {
		textOrNull(&o, "sip_realm", u.Hostname())
	}
	textOrNull(&o, "device_calling_application_sid", x.Application)
	o.Add("registration_hook", js.Value{})
	hookOrNull(&o, "queue_event_hook", x.QueueHook)
	o.Text("webhook_secret", s.SigningKey(q.Account))
	return o
}

// fetchAccount answers with the account that asks, if it is the one that the path
// names.
func (s rest) fetchAccount(w http.ResponseWriter, q request) {
	writeJSON(w, http.StatusOK, s.account(q).Value())
}

// listAccounts answers with the only account that a key can see.
func (s rest) listAccounts(w http.ResponseWriter, q request) {
	writeJSON(w, http.StatusOK, js.Value{Kind: js.List, List: []js.Value{s.account(q).Value()}})
}

// changeAccount changes what the account has set up of itself.
func (s rest) changeAccount(w http.ResponseWriter, q request) {
	o, err := readBody(q.Request, setupProps)
	if err == nil && o.Has("is_active") && !truth(o, "is_active") {
		err = o.Unable("is_active", "cannot be used here: an account of this box is there until it is deleted")
	}
	if err == nil && s.h.Setups == nil {
		err = api.ErrMethod
	}
	s.h.TellWarnings(w, q.Request)
	if err == nil {
		ctx, cancel := api.ActContext(q.Request)
		defer cancel()
		_, err = s.h.Setups.Change(ctx, q.Account.ID, q.Account.ID, func(x *api.Setup) error {
			if err := s.setApplication(q, o, "device_calling_application_sid", &x.Application); err != nil {
				return err
			}
			if err := setHook(o, "queue_event_hook", &x.QueueHook); err != nil {
				return err
			}
			return setText(o, "name", &x.Name, maxTitle)
		})
	}
	s.done(w, q, err)
}

// provider is the box as a service provider.
func (s rest) provider() js.Object {
	var o js.Object
	o.Text("service_provider_sid", serviceProvider)
	o.Text("name", "callbox")
	o.Add("description", js.Value{})
	o.Add("root_domain", js.Value{})
	o.Add("registration_hook", js.Value{})
	o.Add("ms_teams_fqdn", js.Value{})
	return o
}

func (s rest) listProviders(w http.ResponseWriter, _ request) {
	writeJSON(w, http.StatusOK, js.Value{Kind: js.List, List: []js.Value{s.provider().Value()}})
}

func (s rest) fetchProvider(w http.ResponseWriter, q request) {
	if q.ids["provider"] != serviceProvider {
		s.WriteError(w, q.Request.Request, call.ErrNotFound)
		return
	}
	writeJSON(w, http.StatusOK, s.provider().Value())
}

// ofProvider does what is done at the top, below the only provider.
func ofProvider(do act) act {
	return func(s rest, w http.ResponseWriter, q request) {
		if q.ids["provider"] != serviceProvider {
			s.WriteError(w, q.Request.Request, call.ErrNotFound)
			return
		}
		do(s, w, q)
	}
}

// registered are the users of the account that have a phone registered now, with
// the phones.
func (s rest) registered(q request) (names []string, phones map[string][]api.Registration) {
	phones = map[string][]api.Registration{}
	if s.h.Users == nil || s.h.LineStates == nil {
		return nil, phones
	}
	for _, u := range s.h.Users.List(q.Account.ID) {
		if list := s.h.LineStates.Registrations(u.Name); len(list) > 0 {
			names, phones[u.Name] = append(names, u.Name), list
		}
	}
	slices.Sort(names)
	return names, phones
}

// listRegistered answers with the registered users, or with those of them that the
// body names.
func (s rest) listRegistered(w http.ResponseWriter, q request) {
	names, phones := s.registered(q)
	if q.Method == http.MethodPost {
		wanted, err := readNames(q)
		if err != nil {
			s.WriteError(w, q.Request.Request, err)
			return
		}
		names = wanted
	}
	list := js.Value{Kind: js.List}
	for _, name := range names {
		o := s.phone(name, phones[name])
		list.List = append(list.List, o.Value())
	}
	writeJSON(w, http.StatusOK, list)
}

// readNames reads a body that is an array of names.
func readNames(q request) ([]string, error) {
	v, err := readJSON(q.Request)
	if err != nil {
		return nil, err
	}
	if v.Kind != js.List || len(v.List) > maxPage {
		return nil, shape.Refuse("the body is not an array of at most %d user names", maxPage)
	}
	var out []string
	for _, e := range v.List {
		if e.Kind != js.Text {
			return nil, shape.Refuse("the body is not an array of user names")
		}
		out = append(out, e.Text)
	}
	return out, nil
}

// fetchRegistered answers with one user and its phones.
func (s rest) fetchRegistered(w http.ResponseWriter, q request) {
	_, phones := s.registered(q)
	name := q.ids["user"]
	if len(phones[name]) == 0 {
		s.WriteError(w, q.Request.Request, call.ErrNotFound)
		return
	}
	writeJSON(w, http.StatusOK, s.phone(name, phones[name]).Value())
}

// phone is a user with the phone that registered last.
func (s rest) phone(name string, list []api.Registration) js.Object {
	var o js.Object
	o.Text("name", name)
	state := "inactive"
	if len(list) > 0 {
		state = "active"
		r := list[0]
		o.Text("contact", r.Contact)
		o.Text("proxy", r.Source)
		o.Text("protocol", r.Transport)
		o.Number("expiryTime", float64(r.Expires.UnixMilli()))
		o.Number("expires_in", max(r.Expires.Sub(s.cfg.Now()).Round(time.Second).Seconds(), 0))
		o.Some("user_agent", r.UserAgent)
		o.Number("phones", float64(len(list)))
	}
	o.Text("registered_status", state)
	return o
}

// absent answers for a part of upstream's API that this box does not have, and says
// what takes its place.
func absent(why string) map[string]act {
	do := func(s rest, w http.ResponseWriter, q request) {
		s.WriteError(w, q.Request.Request, shape.Unable("%s", why))
	}
	return map[string]act{"GET": do, "POST": do, "PUT": do, "DELETE": do}
}
