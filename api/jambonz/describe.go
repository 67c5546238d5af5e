package jambonz

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"callbox/api"
	"callbox/api/jambonz/js"
	"callbox/api/jambonz/shape"
)

// What the dialect tells of itself (api/openapi). Paths come from the path table
// and bodies from the tables of properties; here is only what those do not say.

// operation says what one act of a route does.
type operation struct {
	summary string
	query   []api.Field
	body    shape.Props
	whole   *api.Schema  // of a body that is no object
	answers []api.Answer // besides those of errors
}

// operations are those of the path table, by method and path.
func operations() map[string]operation {
	text, number := &api.Schema{Type: "string"}, &api.Schema{Type: "integer"}
	one := func(says string, s *api.Schema) []api.Answer {
		return []api.Answer{{Status: http.StatusOK, Says: says, Type: "application/json", Schema: s}}
	}
	change := operation{
		summary: "Change a call that is not over: redirect it, or end it", body: updateProps,
		answers: []api.Answer{{Status: http.StatusAccepted, Says: "It is being done", Type: "text/plain"}},
	}
	direction := &api.Schema{Type: "string", Enum: []string{"inbound", "outbound"}}
	var statuses []string
	for s := range callStatuses {
		statuses = append(statuses, s)
	}
	slices.Sort(statuses)
	return map[string]operation{
		"POST Calls": {
			summary: "Make a call", body: createProps,
			answers: []api.Answer{{Status: http.StatusCreated, Says: "The call is on its way", Type: "application/json",
				Schema: strict("Created", fields(text, "sid"), maybe(text, "callId"))}},
		},
		"GET Calls": {
			summary: "List the calls that are up or ended within the last hour",
			query: []api.Field{{Name: "direction", Schema: direction}, {Name: "from", Schema: text}, {Name: "to", Schema: text},
				{Name: "callStatus", Schema: &api.Schema{Type: "string", Enum: statuses}}},
			answers: one("The newest first", &api.Schema{Type: "array", Items: callSchema()}),
		},
		"POST Messages": {
			summary: "Send a text message over a line of the box", body: messageProps,
			answers: []api.Answer{{Status: http.StatusCreated, Says: "The message is on its way", Type: "application/json", Schema: strict("MessageMade", fields(text, "sid"))}},
		},
		"GET Calls/{call}":    {summary: "Fetch a call", answers: one("The call", callSchema())},
		"PUT Calls/{call}":    change,
		"POST Calls/{call}":   change,
		"DELETE Calls/{call}": {summary: "End a call, or forget one that is over", answers: []api.Answer{{Status: http.StatusNoContent}}},
		"GET CallCount":       {summary: "Count the calls that are up", answers: one("How many", strict("CallCount", fields(number, "inbound", "outbound")))},
		"GET Conferences": {
			summary: "List the names of the conferences that are going on", answers: one("Their names", &api.Schema{Type: "array", Items: text}),
		},
		"GET Queues": {
			summary: "List the queues in which calls wait", query: []api.Field{{Name: "search", Schema: text}},
			answers: one("The queues", &api.Schema{Type: "array", Items: strict("Queue", fields(text, "name"), fields(number, "length"))}),
		},
		"GET RecentCalls": {
			summary: "List the calls that are over",
			query: slices.Concat(spanFields(), []api.Field{
				{Name: "answered", Schema: &api.Schema{Type: "boolean"}}, {Name: "direction", Schema: direction}, {Name: "filter", Schema: text},
			}),
			answers: one("The newest first", strict("RecentCallPage", fields(number, "total", "batch", "page"),
				fields(&api.Schema{Type: "array", Items: recentSchema()}, "data"))),
		},
		"GET RecentCalls/{call}": {summary: "Fetch a call that is over", answers: one("The call", recentSchema())},
		"GET RecentCalls/{call}/record/{year}/{month}/{day}/{format}": {
			summary: "Get the sound of a call's recording", answers: []api.Answer{{Status: http.StatusOK, Type: "audio/x-wav"}},
		},
		"HEAD RecentCalls/{call}/record/{year}/{month}/{day}/{format}": {
			summary: "Ask for the size of the sound of a call's recording", answers: []api.Answer{{Status: http.StatusOK, Type: "audio/x-wav"}},
		},
		"GET WebhookSecret": {
			summary: "Tell the key that callbacks are signed with", query: []api.Field{{Name: "regenerate", Schema: &api.Schema{Type: "boolean"}}},
			answers: one("The key", strict("WebhookSecret", fields(text, "webhook_secret"))),
		},
	}
}

// spanFields are the parameters of lists of what is past.
func spanFields() []api.Field {
	lo, most, long := 1, maxCount, maxDays
	text := &api.Schema{Type: "string"}
	return []api.Field{
		{Name: "page", Required: true, Schema: &api.Schema{Type: "integer", Min: &lo}},
		{Name: "count", Required: true, Schema: &api.Schema{Type: "integer", Min: &lo, Max: &most}},
		{Name: "days", Schema: &api.Schema{Type: "integer", Min: &lo, Max: &long}}, {Name: "start", Schema: text}, {Name: "end", Schema: text},
	}
}

// alertSchema describes what alert writes.
func alertSchema() *api.Schema {
	text, number := &api.Schema{Type: "string"}, &api.Schema{Type: "integer"}
	return strict("Alert", fields(text, "time", "account_sid", "alert_type", "message"), maybe(text, "call_sid", "url"), maybe(number, "status"), fields(number, "count"))
}

// fields are members of one type that are always there, maybe such that may be missing.
func fields(s *api.Schema, names ...string) (out []api.Field) {
	for _, n := range names {
		out = append(out, api.Field{Name: n, Required: true, Schema: s})
	}
	return out
}

func maybe(s *api.Schema, names ...string) (out []api.Field) {
	for _, n := range names {
		out = append(out, api.Field{Name: n, Schema: s})
	}
	return out
}

// strict is an object with these members and no others.
func strict(name string, members ...[]api.Field) *api.Schema {
	return &api.Schema{Name: Name + "." + name, Type: "object", Strict: true, Fields: slices.Concat(members...)}
}

// callSchema describes what resource writes.
func callSchema() *api.Schema {
	text := &api.Schema{Type: "string"}
	return strict("Call",
		fields(text, "call_sid", "direction", "from", "to", "call_id", "call_status", "caller_id", "account_sid", "trace_id"),
		maybe(text, "sbc_callid", "sip_reason", "caller_name", "application_sid", "parent_call_sid", "originating_sip_ip",
			"originating_sip_trunk_name", "api_base_url", "trunk", "call_termination_by", "termination_reason"),
		fields(&api.Schema{Type: "integer"}, "sip_status", "duration"),
		maybe(&api.Schema{Type: "object"}, "customerData"), maybe(&api.Schema{Type: "array", Items: text}, "warnings"))
}

// recentSchema describes what row writes.
func recentSchema() *api.Schema {
	text, null := &api.Schema{Type: "string"}, &api.Schema{Type: "string", Nullable: true}
	return strict("RecentCall",
		fields(text, "account_sid", "call_sid", "from", "to", "sip_callid", "attempted_at", "direction", "trace_id"),
		fields(null, "answered_at", "terminated_at"),
		maybe(text, "parent_call_sid", "application_sid", "termination_reason", "host", "remote_host", "trunk", "recording_url"),
		fields(&api.Schema{Type: "integer"}, "sip_status", "duration"), fields(&api.Schema{Type: "boolean"}, "answered"))
}

// schemaOf describes an object by its table of properties.
func schemaOf(props shape.Props) *api.Schema {
	s := &api.Schema{Type: "object"}
	for _, name := range slices.Sorted(maps.Keys(props)) {
		s.Fields = append(s.Fields, api.Field{Name: name, Required: props[name].Need, Schema: propSchema(props[name])})
	}
	return s
}

// propSchema describes one property. Null means that a property is absent.
func propSchema(p shape.Prop) *api.Schema {
	var kinds []*api.Schema
	for _, k := range []struct {
		has  shape.Type
		name string
	}{{shape.Text, "string"}, {shape.Number, "number"}, {shape.Bool, "boolean"}, {shape.Map, "object"}, {shape.List, "array"}} {
		if p.Type&k.has == 0 {
			continue
		}
		s := &api.Schema{Type: k.name, Nullable: true}
		switch {
		case k.name == "string" && !p.Fold:
			s.Enum = p.Enum
		case k.name == "object" && p.Props != nil:
			s = schemaOf(p.Props)
			s.Nullable = true
		case k.name == "array":
			if s.Items = (&api.Schema{}); p.Props != nil {
				s.Items = schemaOf(p.Props)
			}
		}
		kinds = append(kinds, s)
	}
	s := &api.Schema{AnyOf: kinds}
	if len(kinds) == 1 {
		s = kinds[0]
	}
	switch {
	case p.Unable != "":
		s.Says = "It is refused: " + p.Unable + "."
	case p.Idle != "":
		s.Says = "It has no effect: " + p.Idle + "."
	}
	return s
}

// settingOperations are those of what customers set up, and of what stands above it.
func settingOperations() map[string]operation {
	all := operations()
	for _, of := range []map[string]operation{
		applications.describe(), phoneNumbers.describe(), clients.describe(), apiKeys.describe(), voipCarriers.describe(), sipGateways.describe(), teamsTenants.describe(),
	} {
		maps.Copy(all, of)
	}
	s := rest{New(Config{}), &api.Handlers{}}
	one := func(x *api.Schema, name string) []api.Answer {
		x.Name = Name + "." + name
		return []api.Answer{{Status: http.StatusOK, Type: "application/json", Schema: x}}
	}
	list := func(x *api.Schema, name string) []api.Answer {
		x.Name = Name + "." + name
		return []api.Answer{{Status: http.StatusOK, Type: "application/json", Schema: &api.Schema{Type: "array", Items: x}}}
	}
	nobody := request{Request: &api.Request{}}
	somebody := request{Request: &api.Request{Account: api.Account{ID: "AC1", Name: "x"}}}
	account := shownSchema(s.account(nobody), s.account(somebody), nil)
	for i := range account.Fields {
		if f := &account.Fields[i]; f.Schema.Type == "string" && (f.Name == "sip_realm" || f.Name == "device_calling_application_sid") {
			f.Schema.Nullable = true
		}
	}
	for i := range account.Fields {
		if f := &account.Fields[i]; f.Name == "queue_event_hook" {
			var o js.Object
			hookOrNull(&o, f.Name, anyHook)
			f.Schema = kindSchema(o.Members()[0].Value)
			f.Schema.Nullable = true
		}
	}
	provider := shownSchema(s.provider(), s.provider(), nil)
	phone := shownSchema(s.phone("x", nil), s.phone("x", []api.Registration{{Contact: "x", Source: "x", Transport: "x", UserAgent: "x"}}), nil)
	done := []api.Answer{{Status: http.StatusNoContent}}
	names := &api.Schema{Type: "array", Items: &api.Schema{Type: "string"}}
	maps.Copy(all, map[string]operation{
		"GET ": {summary: "Fetch the account", answers: one(account, "Account")},
		"PUT ": {summary: "Change the account", body: setupProps, answers: done},
		"GET Alerts": {summary: "List what went wrong, the newest first", query: slices.Concat(spanFields(), []api.Field{{Name: "alert_type",
			Schema: &api.Schema{Type: "string", Enum: slices.Sorted(maps.Values(alertTypes))}}}), answers: []api.Answer{{Status: http.StatusOK, Type: "application/json",
			Schema: strict("AlertPage", fields(&api.Schema{Type: "integer"}, "total", "page", "batch"), fields(&api.Schema{Type: "array", Items: alertSchema()}, "data"))}}},
		"GET RegisteredSipUsers":          {summary: "List the SIP clients that are registered now", answers: list(phone, "Phone")},
		"POST RegisteredSipUsers":         {summary: "Tell which of these SIP clients are registered now", whole: names, answers: list(phone, "Phone")},
		"GET RegisteredSipUsers/{user}":   {summary: "Tell how a SIP client is registered", answers: one(phone, "Phone")},
		"GET Accounts":                    {summary: "List the accounts that the key can see: its own", answers: list(account, "Account")},
		"GET ServiceProviders":            {summary: "List the service providers: the box itself", answers: list(provider, "ServiceProvider")},
		"GET ServiceProviders/{provider}": {summary: "Fetch the service provider", answers: one(provider, "ServiceProvider")},
	})
	return all
}

// Describe tells what the dialect does.
func (d *Dialect) Describe() []api.Operation {
	wrong := api.Answer{Says: "What went wrong", Type: "application/json", Schema: strict("Error", fields(&api.Schema{Type: "string"}, "msg"))}
	known := settingOperations()
	var out []api.Operation
	add := func(path, key string, acts map[string]act) {
		for method := range acts {
			op := known[method+" "+key]
			o := api.Operation{API: Name, Method: method, Summary: op.summary, Query: op.query, Auth: api.AuthBearer,
				Path: prefix + strings.ReplaceAll(path, "{call}", "{CallSid}"), Answers: append(slices.Clone(op.answers), wrong)}
			if o.Body = op.whole; op.body != nil {
				o.Body = schemaOf(op.body)
			}
			out = append(out, o)
		}
	}
	for _, row := range routes {
		add(strings.TrimSuffix("Accounts/{AccountSid}/"+row.path, "/"), row.path, row.acts)
	}
	for _, row := range topRoutes {
		if absentPaths[row.path] {
			continue // they only say what takes their place
		}
		key := row.path
		if below := strings.TrimPrefix(key, "ServiceProviders/{provider}/"); below != "" {
			key = below
		}
		add(row.path, key, row.acts)
	}
	return out
}
