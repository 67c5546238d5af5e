package config

import (
	"encoding"
	"reflect"
	"slices"
	"strings"

	"callbox/call"
)

// The walks over a Snapshot go by its fields' names in JSON, which are those of
// YAML too.

var (
	secretType = reflect.TypeFor[Secret]()
	hookType   = reflect.TypeFor[call.Hook]()
	textType   = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// isText reports whether values of t are written as one text.
func isText(t reflect.Type) bool { return reflect.PointerTo(t).Implements(textType) }

// field is one field of a struct as people see it.
type field struct {
	name  string
	index []int
}

// fields lists what a struct is written with, in its order; embedded structs
// give their own fields.
func fields(t reflect.Type) []field {
	var out []field
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "" && f.IsExported() {
			out = append(out, field{name, f.Index})
		}
	}
	return out
}

// entry is an element of a list that is known by a name of its own.
type entry interface{ key() string }

func (a Account) key() string        { return a.ID }
func (k Key) key() string            { return k.ID }
func (a Application) key() string    { return a.ID }
func (t Trunk) key() string          { return t.Name }
func (u User) key() string           { return u.Name }
func (g Gateway) key() string        { return g.ID + " " + g.Host }
func (p Phone) key() string          { return p.Port }
func (m Modem) key() string          { return m.Port }
func (g Group) key() string          { return g.Name }
func (c Code) key() string           { return c.Code }
func (r Ring) key() string           { return r.Caller }
func (r Route) key() string          { return r.Name }
func (c CallerID) key() string       { return c.Account + " " + c.Number }
func (l CredentialList) key() string { return l.ID }
func (d SIPDomain) key() string      { return d.ID }
func (s SpeechVendor) key() string   { return s.Name }
func (a Authority) key() string      { return a.Name }
func (p Pin) key() string            { return p.Host }
func (n Number) key() string         { return strings.TrimSuffix(n.Number+" "+n.Line, " ") }

// counterpart is the element of list with the same name as e; it is not valid
// when there is none.
func counterpart(list, e reflect.Value) reflect.Value {
	want, ok := e.Interface().(entry)
	if !ok || !list.IsValid() {
		return reflect.Value{}
	}
	for i := range list.Len() {
		if list.Index(i).Interface().(entry).key() == want.key() {
			return list.Index(i)
		}
	}
	return reflect.Value{}
}

// secret is one place of a Snapshot that holds a secret.
type secret struct {
	path    string
	now     reflect.Value // may be changed
	old     reflect.Value // at the same place of another Snapshot; not valid when there is none
	address bool          // an address, with or without a password in it
}

// secrets calls visit for every secret of v, which stands at path: for what has
// the type Secret, for the passwords of hooks, and for the addresses of hooks.
func secrets(path string, v, old reflect.Value, visit func(secret)) {
	at := func(index []int) reflect.Value {
		if !old.IsValid() {
			return old
		}
		return old.FieldByIndex(index)
	}
	switch {
	case v.Type() == secretType:
		visit(secret{path, v, old, false})
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			secrets(element(path, i), v.Index(i), counterpart(old, v.Index(i)), visit)
		}
	case v.Kind() == reflect.Struct && !isText(v.Type()):
		for _, f := range fields(v.Type()) {
			x := v.FieldByIndex(f.index)
			if x.Kind() == reflect.String && x.Type() != secretType {
				if owner(v, f) == hookType && slices.Contains([]string{"password", "url"}, f.name) {
					visit(secret{join(path, f.name), x, at(f.index), f.name == "url"})
				}
				continue
			}
			secrets(join(path, f.name), x, at(f.index), visit)
		}
	}
}

// owner is the struct type that f was declared in: v's own, or an embedded one.
func owner(v reflect.Value, f field) reflect.Type {
	for _, i := range f.index[:len(f.index)-1] {
		v = v.Field(i)
	}
	return v.Type()
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
