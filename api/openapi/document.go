package openapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"callbox/api"
)

// Info is what stands at the head of a document.
type Info struct {
	Title, Version, Says string
	Server               string // address of the box
	Tags                 []Tag
}

// Tag tells of one API.
type Tag struct {
	Name string `json:"name"`
	Says string `json:"description"`
}

// object is a JSON object; encoding/json sorts its members.
type object = map[string]any

// Document writes the description of ops as JSON. Those of different APIs
// at one address and with one method are joined. It fails when an API has two of
// them, or two schemas with one name differ.
func Document(info Info, ops []api.Operation) ([]byte, error) {
	w := writer{paths: map[string]object{}, schemas: map[string]any{}}
	for _, op := range ops {
		if err := w.operation(op); err != nil {
			return nil, fmt.Errorf("describe %s %s of %s: %w", op.Method, op.Path, op.API, err)
		}
	}
	return json.Marshal(object{
		"openapi": "3.0.3",
		"info":    object{"title": info.Title, "version": info.Version, "description": info.Says},
		"servers": []object{{"url": info.Server}},
		"tags":    info.Tags,
		"paths":   w.paths,
		"components": object{
			"schemas": w.schemas,
			"securitySchemes": object{
				api.AuthBasic: object{"type": "http", "scheme": "basic",
					"description": "An id of the account and its token, or the id of an API key and its secret."},
				api.AuthBearer: object{"type": "http", "scheme": "bearer",
					"description": "The account's token, or the secret of one of its API keys."},
			},
		},
	})
}

type writer struct {
	paths   map[string]object
	schemas map[string]any
	err     error // of a schema
}

func (w *writer) operation(op api.Operation) error {
	method := strings.ToLower(op.Method)
	path := w.paths[op.Path]
	if path == nil {
		path = object{}
		if ids := pathIDs(op.Path); len(ids) > 0 {
			path["parameters"] = ids
		}
		w.paths[op.Path] = path
	}
	o := object{"operationId": operationID(op), "summary": op.Summary, "tags": []string{op.API}, "security": security(op.Auth)}
	var query []object
	for _, f := range op.Query {
		query = append(query, object{"name": f.Name, "in": "query", "required": f.Required, "schema": w.schema(f.Schema)})
	}
	if query != nil {
		o["parameters"] = query
	}
	if op.Body != nil {
		kind := "application/json"
		if op.Form {
			kind = "application/x-www-form-urlencoded"
		}
		o["requestBody"] = object{"required": slices.ContainsFunc(op.Body.Fields, func(f api.Field) bool { return f.Required }),
			"content": object{kind: object{"schema": w.schema(op.Body)}}}
	}
	answers := object{}
	for _, a := range op.Answers {
		key := "default"
		if a.Status != 0 {
			key = strconv.Itoa(a.Status)
		}
		if answers[key] != nil {
			return fmt.Errorf("it answers %s twice", key)
		}
		answers[key] = w.answer(a)
	}
	o["responses"] = answers
	if other, ok := path[method].(object); ok {
		if slices.Contains(other["tags"].([]string), op.API) {
			return fmt.Errorf("it is there twice")
		}
		o = joined(other, o)
	}
	path[method] = o
	return w.err
}

// joined describes an operation that two APIs have at one address: the id of the
// account tells which of them is meant.
func joined(a, b object) object {
	a["tags"] = slices.Concat(a["tags"].([]string), b["tags"].([]string))
	query, _ := a["parameters"].([]object)
	more, _ := b["parameters"].([]object)
	for _, p := range more {
		if !slices.ContainsFunc(query, func(q object) bool { return q["name"] == p["name"] }) {
			p["required"] = false // the other API does not know it
			query = append(query, p)
		}
	}
	if query != nil {
		a["parameters"] = query
	}
	x, okA := a["requestBody"].(object)
	y, okB := b["requestBody"].(object)
	switch {
	case okA && okB:
		x["required"] = x["required"].(bool) && y["required"].(bool)
		joinContent(x, y)
	case okB:
		y["required"] = false
		a["requestBody"] = y
	case okA:
		x["required"] = false
	}
	answers := a["responses"].(object)
	for key, answer := range b["responses"].(object) {
		if old, ok := answers[key].(object); ok {
			joinContent(old, answer.(object))
		} else {
			answers[key] = answer
		}
	}
	return a
}

// joinContent adds what b may hold to what a may hold.
func joinContent(a, b object) {
	more, ok := b["content"].(object)
	if !ok {
		return
	}
	content, ok := a["content"].(object)
	if !ok {
		a["content"] = more
		return
	}
	for kind, x := range more {
		old, ok := content[kind].(object)
		if !ok {
			content[kind] = x
			continue
		}
		one, other := old["schema"].(object), x.(object)["schema"].(object)
		if !reflect.DeepEqual(one, other) {
			content[kind] = object{"schema": object{"anyOf": []object{one, other}}}
		}
	}
}

func (w *writer) answer(a api.Answer) object {
	says := a.Says
	if says == "" {
		says = http.StatusText(a.Status)
	}
	out := object{"description": says}
	switch {
	case a.Schema != nil:
		out["content"] = object{a.Type: object{"schema": w.schema(a.Schema)}}
	case a.Type != "":
		format := object{"type": "string"}
		if !strings.HasPrefix(a.Type, "text/") {
			format["format"] = "binary"
		}
		out["content"] = object{a.Type: object{"schema": format}}
	}
	return out
}

// schema writes a schema, or a reference to one with a name.
func (w *writer) schema(s *api.Schema) object {
	if s == nil {
		return object{}
	}
	if s.Name == "" {
		return w.inline(s)
	}
	now := w.inline(s)
	if old, ok := w.schemas[s.Name]; ok {
		x, _ := json.Marshal(old) // maps of texts and numbers
		y, _ := json.Marshal(now)
		if string(x) != string(y) && w.err == nil {
			w.err = fmt.Errorf("there are two different schemas %q", s.Name)
		}
	}
	w.schemas[s.Name] = now
	return object{"$ref": "#/components/schemas/" + s.Name}
}

func (w *writer) inline(s *api.Schema) object {
	o := object{}
	set := func(key string, value any, there bool) {
		if there {
			o[key] = value
		}
	}
	set("type", s.Type, s.Type != "")
	set("nullable", true, s.Nullable)
	set("description", s.Says, s.Says != "")
	set("format", s.Format, s.Format != "")
	if len(s.Enum) > 0 {
		var values []any
		for _, e := range s.Enum {
			values = append(values, e)
		}
		if s.Nullable {
			values = append(values, nil)
		}
		o["enum"] = values
	}
	low, high := "minimum", "maximum"
	if s.Type == "string" {
		low, high = "minLength", "maxLength"
	}
	set(low, s.Min, s.Min != nil)
	set(high, s.Max, s.Max != nil)
	if s.Type == "array" {
		o["items"] = w.schema(s.Items)
	}
	if len(s.Fields) > 0 {
		properties, required := object{}, []string(nil)
		for _, f := range s.Fields {
			properties[f.Name] = w.schema(f.Schema)
			if f.Required {
				required = append(required, f.Name)
			}
		}
		o["properties"] = properties
		set("required", required, required != nil)
	}
	switch {
	case s.Values != nil:
		o["additionalProperties"] = w.schema(s.Values)
	case s.Strict:
		o["additionalProperties"] = false
	}
	if len(s.AnyOf) > 0 {
		var list []object
		for _, x := range s.AnyOf {
			list = append(list, w.schema(x))
		}
		o["anyOf"] = list
	}
	return o
}

// pathIDs describes the ids in a path.
func pathIDs(path string) []object {
	var out []object
	for rest := path; ; {
		_, after, ok := strings.Cut(rest, "{")
		if !ok {
			return out
		}
		name, tail, _ := strings.Cut(after, "}")
		out = append(out, object{"name": name, "in": "path", "required": true, "schema": object{"type": "string"}})
		rest = tail
	}
}

// operationID names an operation for programs that write clients: "twilio_get_Calls_CallSid_json".
func operationID(op api.Operation) string {
	words := strings.FieldsFunc(op.API+" "+strings.ToLower(op.Method)+" "+op.Path, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	})
	return strings.Join(words, "_")
}

func security(auth string) []map[string][]string {
	if auth == api.AuthNone || auth == "" {
		return []map[string][]string{}
	}
	return []map[string][]string{{auth: {}}}
}
