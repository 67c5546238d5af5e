package jambonz

import (
	"slices"
	"strings"
	"time"

	"callbox/api"
	"callbox/api/jambonz/js"
	"callbox/api/jambonz/shape"
	"callbox/api/jambonz/verbs"
	"callbox/call"
)

// maxTitle is the longest name of anything, in bytes.
const maxTitle = 128

// applications are the named sets of hooks.
var applications = resource[api.Application]{
	path: "Applications", title: "an application",
	props: shape.Props{
		"name":             {Type: shape.Text, Need: true},
		"call_hook":        shape.HookProp(),
		"call_status_hook": shape.HookProp(),
		"messaging_hook":   shape.HookProp(),
		"app_json":         {Type: shape.Text | shape.List},
		"env_vars":         {Type: shape.Map},
		"record_all_calls": {Type: shape.Bool | shape.Number},
	}.With(speechProps),
	store: func(s rest) api.Settings[api.Application] { return s.h.Applications },
	id:    func(a api.Application) string { return a.ID },
	name:  func(a api.Application) string { return a.Name },
	read:  readApplication,
	show:  rest.application,
	full: api.Application{Script: call.ScriptSource{Main: anyHook, Inline: "[]"}, Status: call.StatusHook{Hook: anyHook}, Messaging: api.Messaging{Message: anyHook}, Env: "{}",
		Speech: anySpeech(), Created: time.Unix(1, 0)},
}

// readApplication changes an application by the properties of a request.
func readApplication(s rest, _ request, o shape.Object, a *api.Application, fresh bool) error {
	if fresh {
		a.ID, a.API = s.NewID(api.ApplicationID), Name
	}
	for _, err := range []error{
		setText(o, "name", &a.Name, maxTitle), setHook(o, "call_hook", &a.Script.Main), setHook(o, "call_status_hook", &a.Status.Hook),
		setHook(o, "messaging_hook", &a.Message), readSpeech(o, &a.Speech),
	} {
		if err != nil {
			return err
		}
	}
	if truth(o, "record_all_calls") {
		return o.Unable("record_all_calls", "cannot be used here: let the application's verbs record (config with record)")
	}
	switch v := o.Get("app_json"); {
	case o.Emptied("app_json"):
		a.Script.Inline = ""
	case v.Kind == js.List:
		a.Script.Inline = v.String()
	case o.Has("app_json"):
		a.Script.Inline = v.Text
	}
	if a.Script.Inline != "" && o.Has("app_json") {
		if _, err := verbs.Decode([]byte(a.Script.Inline), ""); err != nil {
			return o.Refuse("app_json", "cannot be run: %s", err)
		}
	}
	if o.Has("env_vars") {
		if a.Env = o.Get("env_vars").String(); len(a.Env) > maxData {
			return o.Refuse("env_vars", "is longer than %d bytes", maxData)
		}
	} else if o.Emptied("env_vars") {
		a.Env = ""
	}
	if a.Status.Events = nil; !a.Status.IsZero() {
		a.Status.Events = slices.Clone(allEvents)
	}
	if o.Has("call_hook") || o.Has("app_json") {
		a.API = Name // it speaks this language from now on
	}
	if a.Name == "" {
		return o.Refuse("name", "is empty")
	}
	if fresh && a.Script.IsZero() && a.Message.IsZero() {
		return shape.Refuse("one of call_hook, app_json and messaging_hook is needed: without any it does nothing")
	}
	return nil
}

// application is an application as the API shows it.
func (s rest) application(a api.Application) js.Object {
	var o js.Object
	o.Text("application_sid", a.ID)
	o.Text("name", a.Name)
	o.Text("account_sid", s.sid(a.Account))
	o.Text("service_provider_sid", serviceProvider)
	hookOrNull(&o, "call_hook", a.Script.Main)
	hookOrNull(&o, "call_status_hook", a.Status.Hook)
	hookOrNull(&o, "messaging_hook", a.Message)
	textOrNull(&o, "app_json", a.Script.Inline)
	env, err := js.Parse([]byte(a.Env))
	if err != nil {
		env = js.Value{} // there is none
	}
	o.Add("env_vars", env)
	fallback := false
	for _, f := range speechFields {
		text := *f.of(&a.Speech)
		textOrNull(&o, f.name, text)
		fallback = fallback || text != "" && strings.HasPrefix(f.name, "fallback_")
	}
	o.Bool("use_for_fallback_speech", fallback)
	o.Bool("record_all_calls", false)
	madeAt(&o, "created_at", a.Created)
	return o
}

// phoneNumbers are the numbers whose calls arrive at the box.
var phoneNumbers = resource[api.Number]{
	path: "PhoneNumbers", title: "a phone number",
	props: shape.Props{
		"number": {Type: shape.Text, Need: true}, "voip_carrier_sid": {Type: shape.Text}, "application_sid": {Type: shape.Text},
	},
	filter: []string{"filter"},
	store:  func(s rest) api.Settings[api.Number] { return s.h.Numbers },
	id:     func(n api.Number) string { return n.ID },
	name:   func(n api.Number) string { return n.Number },
	fits:   func(q request, n api.Number) bool { return strings.Contains(n.Number, q.URL.Query().Get("filter")) },
	read:   readNumber,
	show:   rest.number,
	full:   api.Number{Application: "x", Created: time.Unix(1, 0)},
}

// readNumber changes a number by the properties of a request.
func readNumber(s rest, q request, o shape.Object, n *api.Number, fresh bool) error {
	if o.Has("number") {
		number, ok := shape.Digits(strings.TrimSpace(o.Text("number")))
		switch {
		case !ok:
			return o.Refuse("number", "is %q, which is not a phone number", clipped(o.Text("number")))
		case !fresh && number != n.Number:
			return o.Refuse("number", "cannot be changed: delete it and make another")
		}
		n.Number = number
	}
	if fresh {
		n.ID, n.API, n.Name = s.NewID(api.NumberID), Name, n.Number
	}
	if err := s.setApplication(q, o, "application_sid", &n.Application); err != nil {
		return err
	}
	if o.Text("application_sid") != "" { // it answers in place of whatever did
		n.Script, n.Status, n.Target = call.ScriptSource{}, call.StatusHook{}, ""
	}
	if o.Emptied("voip_carrier_sid") {
		n.Line = ""
	}
	if sid := o.Text("voip_carrier_sid"); sid != "" {
		line, ok := s.line(q, sid)
		if !ok {
			return o.Refuse("voip_carrier_sid", "is %q, and this account has no such carrier", clipped(sid))
		}
		n.Line = line
	}
	return nil
}

// line gives the line of a carrier by its sid or name.
func (s rest) line(q request, sid string) (string, bool) {
	if s.h.Lines == nil {
		return "", false
	}
	return s.h.Lines.Line(q.Account.ID, sid)
}

// number is a number as the API shows it.
func (s rest) number(n api.Number) js.Object {
	var o js.Object
	o.Text("phone_number_sid", n.ID)
	o.Text("number", n.Number)
	textOrNull(&o, "voip_carrier_sid", s.carrierOf(n.Account, n.Line))
	o.Text("account_sid", s.sid(n.Account))
	o.Text("service_provider_sid", serviceProvider)
	textOrNull(&o, "application_sid", n.Application)
	madeAt(&o, "created_at", n.Created)
	return o
}

// clients are the SIP phones and programs that register with the box.
var clients = resource[api.User]{
	path: "Clients", title: "a SIP client",
	props: shape.Props{
		"username": {Type: shape.Text, Need: true}, "password": {Type: shape.Text, Need: true}, "is_active": {Type: shape.Bool | shape.Number},
		"allow_direct_app_calling":   {Type: shape.Bool | shape.Number},
		"allow_direct_queue_calling": {Type: shape.Bool | shape.Number},
		"allow_direct_user_calling":  {Type: shape.Bool | shape.Number},
	},
	store: func(s rest) api.Settings[api.User] { return s.h.Users },
	id:    func(u api.User) string { return u.ID },
	name:  func(u api.User) string { return u.Name },
	read:  readClient,
	show:  rest.client,
	full:  api.User{Created: time.Unix(1, 0)},
}

// minPassword is how many characters the password of a client has at least: it is
// what keeps strangers from calling at the owner's cost.
const minPassword = 8

// readClient changes a client by the properties of a request.
func readClient(s rest, _ request, o shape.Object, u *api.User, fresh bool) error {
	if fresh {
		u.ID, u.Direct = s.NewID(api.UserID), true
	}
	name := strings.TrimSpace(o.Text("username"))
	switch {
	case fresh:
		u.Name = name
	case o.Has("username") && name != u.Name:
		return o.Refuse("username", "cannot be changed: delete the client and make another")
	}
	if o.Has("password") {
		if u.Password = o.Text("password"); len(u.Password) < minPassword || len(u.Password) > maxTitle || strings.ContainsAny(u.Password, "\r\n") {
			return o.Refuse("password", "is not one line of %d to %d characters", minPassword, maxTitle)
		}
	}
	if o.Has("is_active") {
		u.Disabled = !truth(o, "is_active")
	}
	if o.Has("allow_direct_user_calling") {
		u.Direct = truth(o, "allow_direct_user_calling")
	}
	for _, no := range []string{"allow_direct_app_calling", "allow_direct_queue_calling"} {
		if truth(o, no) {
			return o.Unable(no, "cannot be used here: clients call users, numbers and SIP addresses")
		}
	}
	return nil
}

// client is a client as the API shows it; its password is not told.
func (s rest) client(u api.User) js.Object {
	var o js.Object
	o.Text("client_sid", u.ID)
	o.Text("account_sid", s.sid(u.Account))
	o.Text("username", u.Name)
	o.Bool("is_active", !u.Disabled)
	o.Bool("allow_direct_app_calling", false)
	o.Bool("allow_direct_queue_calling", false)
	o.Bool("allow_direct_user_calling", u.Direct)
	madeAt(&o, "created_at", u.Created)
	return o
}

// apiKeys are the keys of the account. One is told when it is made, and never again.
var apiKeys = resource[api.Key]{
	path: "ApiKeys", title: "an API key",
	props: shape.Props{
		"expiry_secs": {Type: shape.Number, Unable: "keys of this box hold until they are deleted"},
		"expires_at":  {Type: shape.Text, Unable: "keys of this box hold until they are deleted"},
		"name":        {Type: shape.Text},
	},
	store: func(s rest) api.Settings[api.Key] { return s.h.Keys },
	id:    func(k api.Key) string { return k.ID },
	name:  func(k api.Key) string { return k.Name },
	read: func(s rest, _ request, o shape.Object, k *api.Key, fresh bool) error {
		if fresh {
			k.ID, k.Secret = s.NewID(api.KeyID), s.NewID(api.KeyID)
		}
		return setText(o, "name", &k.Name, maxTitle)
	},
	show: func(_ rest, k api.Key) js.Object {
		var o js.Object
		o.Text("api_key_sid", k.ID)
		textOrNull(&o, "name", k.Name)
		o.Add("expires_at", js.Value{})
		o.Add("last_used", js.Value{})
		madeAt(&o, "created_at", k.Created)
		return o
	},
	full: api.Key{Name: "x", Created: time.Unix(1, 0)},
	made: func(k api.Key, o *js.Object) { o.Text("token", k.Secret) },
}

// anyHook and anySpeech stand for such in descriptions.
var anyHook = call.Hook{URL: "http://x", Username: "x", Password: "x"}

func anySpeech() (s call.Speech) {
	for _, f := range speechFields {
		*f.of(&s) = "x"
	}
	return s
}
