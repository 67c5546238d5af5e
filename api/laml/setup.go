package laml

import (
	"callbox/api"
	"callbox/api/laml/twiml"
	"callbox/call"
)

// The kinds of setting.

func applications(p Profile) setting[api.Application] {
	return setting[api.Application]{
		element: "Application", key: "applications", params: p.Tables.Application,
		store: func(h *api.Handlers) api.Settings[api.Application] { return h.Applications },
		id:    func(a api.Application) string { return a.ID },
		name:  func(a api.Application) (string, string) { return a.Name, "" },
		read:  readApplication,
		show: func(s rest, a api.Application) any {
			return p.Shapes.Application.render(applicationFields, viewOf(s.Dialect, a, a.Account, "/Applications/"+a.ID))
		},
	}
}

// readApplication changes an application by the parameters of a request.
func readApplication(s rest, _ *api.Request, v Values, a *api.Application, fresh bool) error {
	if fresh {
		a.ID, a.API = s.p.NewID(api.ApplicationID), s.p.Name
		a.Name = a.ID
	}
	if v.Has("FriendlyName") {
		a.Name = v.Text("FriendlyName")
	}
	setVoice(v, &a.Script, &a.Status)
	setMessaging(v, &a.Messaging)
	return nil
}

func numbers(p Profile) setting[api.Number] {
	return setting[api.Number]{
		element: "IncomingPhoneNumber", key: "incoming_phone_numbers", params: p.Tables.Number,
		store: func(h *api.Handlers) api.Settings[api.Number] { return h.Numbers },
		id:    func(n api.Number) string { return n.ID },
		name:  func(n api.Number) (string, string) { return n.Name, n.Number },
		read:  readNumber,
		show: func(s rest, n api.Number) any {
			v := viewOf(s.Dialect, n, n.Account, "/IncomingPhoneNumbers/"+n.ID)
			if s.h.Lines != nil && n.Line != "" {
				if line, ok := s.h.Lines.Line(n.Account, n.Line); ok {
					v.Trunk = api.TrunkID("TK", line)
				}
			}
			return p.Shapes.Number.render(numberFields, v)
		},
	}
}

// readNumber changes a number by the parameters of a request. Its calls run the
// application if there is one, else the script.
func readNumber(s rest, q *api.Request, v Values, n *api.Number, fresh bool) error {
	if fresh {
		if !v.Has("PhoneNumber") {
			return refuse(CodeNoNumbers, "PhoneNumber is missing; the box cannot look for numbers, it takes those of its lines")
		}
		to, problem := twiml.ParseAddress(v.Text("PhoneNumber"))
		if problem != nil || to.Kind != twiml.NumberAddress {
			return refuse(CodeNumber, "PhoneNumber %q is not a phone number", v.Text("PhoneNumber"))
		}
		n.ID, n.API, n.Number, n.Name = s.p.NewID(api.NumberID), s.p.Name, to.Value, Formatted(to.Value)
	}
	if v.Has("FriendlyName") {
		n.Name = v.Text("FriendlyName")
	}
	setVoice(v, &n.Script, &n.Status)
	setMessaging(v, &n.Messaging)
	if v.Given("VoiceApplicationSid") {
		n.Application = v.Text("VoiceApplicationSid")
		if _, ok := s.h.Accounts.Application(q.Account.ID, n.Application); n.Application != "" && !ok {
			return api.ErrNoApplication
		}
	} else if v.Has("VoiceUrl") {
		n.Application = ""
	}
	if n.Application != "" {
		n.Script, n.Status = call.ScriptSource{}, call.StatusHook{} // the application's count
	}
	if n.Application != "" || !n.Script.IsZero() {
		n.Target = ""
	}
	if n.Script.IsZero() {
		n.Script = call.ScriptSource{}
	} else {
		n.API = s.p.Name
	}
	if v.Given("TrunkSid") {
		n.Line = ""
		if sid := v.Text("TrunkSid"); sid != "" {
			line, ok := "", false
			if s.h.Lines != nil {
				line, ok = s.h.Lines.Line(q.Account.ID, sid)
			}
			if !ok {
				return api.ErrNoLine
			}
			n.Line = line
		}
	}
	return nil
}

// keys are API keys, which have two names.
func keys(p Profile, element, key string) setting[api.Key] {
	return setting[api.Key]{
		element: element, key: key, params: p.Tables.Key,
		store: func(h *api.Handlers) api.Settings[api.Key] { return h.Keys },
		id:    func(k api.Key) string { return k.ID },
		name:  func(k api.Key) (string, string) { return k.Name, "" },
		read: func(s rest, _ *api.Request, v Values, k *api.Key, fresh bool) error {
			if fresh {
				k.ID, k.Secret = s.p.NewID(api.KeyID), newSecret()
			}
			if v.Given("FriendlyName") {
				k.Name = v.Text("FriendlyName")
			}
			return nil
		},
		show: func(s rest, k api.Key) any {
			o := p.Shapes.Key.render(keyFields, viewOf(s.Dialect, k, "", "/Keys/"+k.ID))
			if k.Secret != "" { // told once, when it is made
				o = append(o, pair{"secret", k.Secret})
			}
			return o
		},
	}
}

// callerIDs are further numbers that calls may show. Nobody is asked by a call
// whether a number is theirs: whoever runs the box says so.
func callerIDs(p Profile) setting[api.CallerID] {
	return setting[api.CallerID]{
		element: "OutgoingCallerId", key: "outgoing_caller_ids", params: p.Tables.CallerID,
		store: func(h *api.Handlers) api.Settings[api.CallerID] { return h.CallerIDs },
		id:    func(c api.CallerID) string { return c.ID },
		name:  func(c api.CallerID) (string, string) { return c.Name, c.Number },
		read: func(_ rest, _ *api.Request, v Values, c *api.CallerID, fresh bool) error {
			if fresh {
				return refuse(CodeForbidden, "This box does not verify numbers by a call: add %s to caller_ids of its configuration, or as an IncomingPhoneNumber", v.Text("PhoneNumber"))
			}
			if v.Has("FriendlyName") {
				c.Name = v.Text("FriendlyName")
			}
			return nil
		},
		show: func(s rest, c api.CallerID) any {
			return p.Shapes.CallerID.render(callerIDFields, viewOf(s.Dialect, c, c.Account, "/OutgoingCallerIds/"+c.ID))
		},
	}
}
