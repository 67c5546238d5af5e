package laml

import (
	"net/http"
	"reflect"
	"strings"

	"callbox/api"
)

// What the dialect tells of itself (api/openapi). Paths come from the path table,
// parameters from the tables of parameters, answers from the keys of resources;
// here is only what those do not say.

// operation says what one act of a route does.
type operation struct {
	summary string
	params  []Param // of the query of a GET, of the form of a POST
	change  bool    // no parameter is required
	element string  // that is answered; empty: nothing, or sound
	list    string  // key of the list of them; empty: one
	bare    bool    // the list has no envelope
	created bool
}

// operations are those of the rows of routesOf, by method and path. Rows that
// others make (settings) bring theirs along.
func operations(p Profile) map[string]operation {
	sound := operation{summary: "Get the sound of a recording"}
	if !p.Formats.OpenSound {
		sound.params = requestedChannels
	}
	remove := operation{summary: "Delete a recording"}
	fetch := operation{summary: "Fetch a recording", element: "Recording"}
	return map[string]operation{
		"GET ":                         {summary: "Fetch the account", element: "Account"},
		"POST Calls":                   {summary: "Make a call", params: p.Tables.Create, element: "Call", created: true},
		"GET Calls":                    {summary: "List calls, the newest first", params: p.Tables.List, element: "Call", list: "calls"},
		"GET Calls/{call}":             {summary: "Fetch a call", element: "Call"},
		"POST Calls/{call}":            {summary: "Change a call that is not over: redirect it, or end it", params: p.Tables.Update, change: true, element: "Call"},
		"DELETE Calls/{call}":          {summary: "Delete the record of a call that is over"},
		"GET Recordings":               {summary: "List recordings, the newest first", params: p.Tables.ListRecordings, element: "Recording", list: "recordings"},
		"GET Calls/{call}/Recordings":  {summary: "List the recordings of a call", params: p.Tables.ListRecordings, element: "Recording", list: "recordings", bare: p.Shapes.Bare},
		"POST Calls/{call}/Recordings": {summary: "Record a call that is up", params: p.Tables.StartRecording, element: "Recording", created: true},
		"POST Calls/{call}/Recordings/{recording}": {summary: "Pause, resume or stop a recording of a call that is up; Twilio.CURRENT is the latest",
			params: p.Tables.UpdateRecording, element: "Recording"},
		"GET Calls/{call}/Streams":         {summary: "List the streams of a call that run", params: streamFilters, element: "Stream", list: "streams"},
		"GET Calls/{call}/Streams/{item}":  {summary: "Fetch a stream that runs, by its id or name", element: "Stream"},
		"POST Calls/{call}/Streams":        {summary: "Carry the sound of a call that is up to a websocket", params: p.Tables.StartStream, element: "Stream", created: true},
		"POST Calls/{call}/Streams/{item}": {summary: "End a stream, by its id or name", params: stopStreamParams, element: "Stream"},
		"GET Recordings/{recording}":       fetch, "GET Calls/{call}/Recordings/{recording}": fetch,
		"DELETE Recordings/{recording}": remove, "DELETE Calls/{call}/Recordings/{recording}": remove,
		"GET sound": sound, "HEAD sound": {summary: "Ask for the size of the sound of a recording"}, "DELETE sound": remove,
	}
}

// settingOperations are those of a kind of setting; every GET of a list has the
// same filters.
func settingOperations(element, key string, params []Param) (all, one map[string]operation) {
	name := strings.ToLower(words(element))
	article := "a "
	if strings.ContainsRune("aeiou", rune(name[0])) {
		article = "an "
	}
	return map[string]operation{
			"GET":  {summary: "List " + words(key), params: settingFilters, element: element, list: key},
			"POST": {summary: "Add " + article + name, params: params, element: element, created: true},
		}, map[string]operation{
			"GET":    {summary: "Fetch " + article + name, element: element},
			"POST":   {summary: "Change " + article + name, params: params, change: true, element: element},
			"DELETE": {summary: "Remove " + article + name},
		}
}

// words writes a name with spaces: "IncomingPhoneNumber", "caller_ids".
func words(name string) string {
	var b strings.Builder
	for i, r := range name {
		switch {
		case r == '_':
			r = ' '
		case i > 0 && r >= 'A' && r <= 'Z':
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// elements are the keys of each kind of resource, by its name in XML.
func elements(p Profile) map[string][]string {
	s := p.Shapes
	return map[string][]string{
		"Account": s.Account.Keys, "Call": s.Call.Keys, "Recording": s.Recording.Keys, "Application": s.Application.Keys,
		"IncomingPhoneNumber": s.Number.Keys, "Key": s.Key.Keys, "SigningKey": s.Key.Keys, "OutgoingCallerId": s.CallerID.Keys,
		"Domain": s.Domain.Keys, "CredentialList": s.List.Keys, "Credential": s.Credential.Keys, "CredentialListMapping": s.Mapping.Keys,
		"Notification": notificationKeys, "UsageRecord": usageKeys, "Balance": balanceKeys,
		"Message": s.Message.Keys, "Stream": s.Stream.Keys, "Client": s.Client.Keys,
		"Conference": s.Conference.Keys, "Participant": s.Participant.Keys, "Queue": s.Queue.Keys, "QueueMember": s.Member.Keys,
	}
}

// kinds are the types of the keys that hold no text. Durations and prices are
// numbers in some dialects.
var kinds = map[string]api.Schema{
	"channels":         {Type: "integer"},
	"error_code":       {Type: "integer", Nullable: true},
	"ring_duration":    {Type: "integer", Nullable: true},
	"subresource_uris": {Type: "object", Values: &api.Schema{Type: "string"}},
	"capabilities":     {Type: "object", Values: &api.Schema{Type: "boolean"}},
	"beta":             {Type: "boolean"}, "voice_caller_id_lookup": {Type: "boolean"}, "secure": {Type: "boolean"},
	"muted": {Type: "boolean"}, "hold": {Type: "boolean"}, "coaching": {Type: "boolean"},
	"start_conference_on_enter": {Type: "boolean"}, "end_conference_on_exit": {Type: "boolean"},
	"current_size": {Type: "integer"}, "max_size": {Type: "integer"}, "average_wait_time": {Type: "integer"},
	"position": {Type: "integer"}, "wait_time": {Type: "integer"},
	"sip_registration": {Type: "boolean"}, "emergency_calling_enabled": {Type: "boolean"},
}

// resourceSchema describes a resource.
func (d *Dialect) resourceSchema(element string) *api.Schema {
	s := &api.Schema{Name: d.p.Name + "." + element, Type: "object", Strict: true}
	for _, key := range elements(d.p)[element] {
		kind, ok := kinds[key]
		switch {
		case element == "UsageRecord" && key == "subresource_uris":
			kind = api.Schema{Type: "object", Values: &api.Schema{Type: "string"}}
		case element == "Notification", element == "UsageRecord", element == "Balance": // all text, also codes and prices
			kind = api.Schema{Type: "string", Nullable: true}
		case ok:
		case d.p.Formats.Numbers && (key == "duration" || key == "price" || strings.HasPrefix(key, "num_")):
			kind = api.Schema{Type: "number", Nullable: true}
		default:
			kind = api.Schema{Type: "string", Nullable: true}
		}
		s.Fields = append(s.Fields, api.Field{Name: key, Required: !d.p.Formats.OmitNull, Schema: &kind})
	}
	if strings.HasSuffix(element, "Key") { // told once, when it is made
		s.Fields = append(s.Fields, api.Field{Name: "secret", Schema: &api.Schema{Type: "string"}})
	}
	return s
}

// listSchema describes a page of a list.
func (d *Dialect) listSchema(op operation) *api.Schema {
	items := &api.Schema{Type: "array", Items: d.resourceSchema(op.element)}
	if op.bare {
		return items
	}
	around := reflect.TypeFor[envelope]()
	if d.p.Tables.NumberedPages {
		around = reflect.TypeFor[numberedEnvelope]()
	}
	s := &api.Schema{Name: d.p.Name + "." + op.element + "Page", Type: "object", Strict: true}
	if op.list == "contents" {
		s.Name += "Contents"
	}
	for i := range around.NumField() {
		f := around.Field(i)
		kind := &api.Schema{Type: "string", Nullable: f.Type.Kind() == reflect.Pointer}
		if f.Type.Kind() == reflect.Int {
			kind.Type = "integer"
		}
		s.Fields = append(s.Fields, api.Field{Name: f.Tag.Get("json"), Required: true, Schema: kind})
	}
	s.Fields = append(s.Fields, api.Field{Name: op.list, Required: true, Schema: items})
	return s
}

// schema describes a parameter.
func (p *Param) schema() *api.Schema {
	s := &api.Schema{Type: "string"}
	bounds := func(lo, hi int) {
		if lo != 0 {
			s.Min = &lo
		}
		if hi != 0 {
			s.Max = &hi
		}
	}
	switch p.Kind {
	case Text:
		bounds(0, p.Max)
	case Link:
		s.Format = "uri"
	case Verb:
		s.Enum = []string{"GET", "POST"}
	case Integer:
		s.Type = "integer"
		bounds(p.Min, p.Max)
	case Bool:
		s.Type = "boolean"
	case Choice:
		s.Enum = p.Enum
	case Choices:
		s = &api.Schema{Type: "array", Items: &api.Schema{Type: "string", Enum: p.Enum}}
	case Match:
		s.Says = "It is " + p.Hint + "."
	case Day:
		s.Says = "A date (2006-01-02) or a time (2006-01-02T15:04:05Z)."
	case Ignored:
		s.Says = "It has no effect on this box."
	}
	return s
}

func fieldsOf(params []Param, change bool) []api.Field {
	var out []api.Field
	for i := range params {
		out = append(out, api.Field{Name: params[i].Name, Required: params[i].Required != 0 && !change, Schema: params[i].schema()})
	}
	return out
}

// Describe tells what the dialect does, at each of its bases and in JSON.
func (d *Dialect) Describe() []api.Operation {
	var out []api.Operation
	known := operations(d.p)
	for i := range d.routes {
		rt := &d.routes[i]
		path := ""
		if rt.path != "" {
			path = "/" + strings.NewReplacer("{call}", "{CallSid}", "{recording}", "{RecordingSid}", "{parent}", "{ParentSid}", "{item}", "{Sid}").Replace(rt.path)
		}
		path += rt.shownSuffix()
		for method := range rt.acts {
			op, ok := rt.about[method]
			if !ok {
				key := method + " " + rt.path
				if rt.sound {
					key = method + " sound"
				}
				op = known[key]
			}
			o := d.describe(method, rt.sound, op)
			for _, base := range d.p.Bases {
				o.Path = base + "/Accounts/{AccountSid}" + path
				out = append(out, o)
			}
		}
	}
	return out
}

// shownSuffix is the suffix by which the description knows a route.
func (rt *route) shownSuffix() string {
	for _, s := range rt.suffixes {
		if s == ".json" || s == ".wav" {
			return s
		}
	}
	return ""
}

func (d *Dialect) describe(method string, sound bool, op operation) api.Operation {
	o := api.Operation{API: d.p.Name, Method: method, Summary: op.summary, Auth: api.AuthBasic}
	if method == http.MethodGet {
		o.Query = fieldsOf(op.params, true)
	} else if op.params != nil {
		o.Form, o.Body = true, &api.Schema{Type: "object", Fields: fieldsOf(op.params, op.change)}
	}
	ok := api.Answer{Status: http.StatusOK, Type: "application/json"}
	switch {
	case sound && method != http.MethodDelete:
		ok.Type = "audio/x-wav"
	case op.list != "":
		ok.Schema = d.listSchema(op)
	case op.element != "":
		ok.Schema = d.resourceSchema(op.element)
		if op.created {
			ok.Status = d.p.CreatedStatus
		}
	default:
		ok.Status, ok.Type = http.StatusNoContent, ""
	}
	o.Answers = []api.Answer{ok, {Says: "What went wrong", Type: "application/json", Schema: d.p.Shapes.ErrorSchema}}
	if d.p.Shapes.ErrorSchema == nil {
		o.Answers[1].Type = "text/plain"
	}
	return o
}

// FlatErrorSchema describes what [FlatError] writes.
func FlatErrorSchema(name string) *api.Schema {
	s := &api.Schema{Name: name + ".Error", Type: "object", Strict: true}
	t := reflect.TypeFor[errorBody]()
	for i := range t.NumField() {
		kind := "string"
		if t.Field(i).Type.Kind() == reflect.Int {
			kind = "integer"
		}
		s.Fields = append(s.Fields, api.Field{Name: t.Field(i).Tag.Get("json"), Required: true, Schema: &api.Schema{Type: kind}})
	}
	return s
}
