package laml

import (
	"strconv"
	"time"
)

// Resource is the JSON of one kind of resource in one dialect.
type Resource[T any] struct {
	// Keys are its keys in order; none: the dialect has no such resource. The
	// family's fields stand behind them, null where there is none of the name.
	Keys []string
	// Own are fields that are not like the family's.
	Own map[string]func(v View[T]) any
	// Below are the keys of what is below it, in "subresource_uris".
	Below []string
}

// View is what the fields of a resource are made of.
type View[T any] struct {
	X       T
	Path    string // its own, without a suffix
	Account string // the account's id as the dialect's clients know it
	Created bool   // this answers its creation
	Media   string // a recording: the address of its sound
	Number  string // a call: the id of the account's number in it
	Trunk   string // a number: the "TK…" id of its line, if that is a trunk
	p       *Profile
}

// Date writes a time that may be missing.
func (v View[T]) Date(t *time.Time) any {
	if t == nil || t.IsZero() {
		return nil
	}
	if v.p.Formats.Date != nil {
		return v.p.Formats.Date(*t)
	}
	return RFC2822(*t)
}

// Text is null for an empty text.
func (View[T]) Text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// Seconds writes a duration in whole seconds: as text unless the dialect writes numbers.
func (v View[T]) Seconds(d time.Duration) any {
	if v.p.Formats.Numbers {
		return Seconds(d)
	}
	return WholeSeconds(d)
}

// number writes a number: as text unless the dialect writes numbers.
func (v View[T]) number(n int) any {
	if v.p.Formats.Numbers {
		return n
	}
	return strconv.Itoa(n)
}

// object is a JSON object whose members have an order.
type object []pair

type pair struct {
	key   string
	value any
}

// tree is the object as [treeOf] makes them.
func (o object) tree() (tree, error) {
	t := tree{kind: '{', members: make([]member, 0, len(o))}
	for _, p := range o {
		value, err := treeOf(p.value)
		if err != nil {
			return t, err
		}
		t.members = append(t.members, member{p.key, value})
	}
	return t, nil
}

// render writes a resource with the fields that the family has.
func (r Resource[T]) render(family map[string]func(View[T]) any, v View[T]) object {
	out := make(object, 0, len(r.Keys))
	for _, key := range r.Keys {
		var value any
		if f, ok := r.Own[key]; ok {
			value = f(v)
		} else if f, ok := family[key]; ok {
			value = f(v)
		} else if key == "subresource_uris" {
			value = Below(v.Path, r.Below...)
		}
		out = append(out, pair{key, value})
	}
	return out
}

// Below are the addresses of what is below path, by their keys.
func Below(path string, keys ...string) any {
	out := make(object, 0, len(keys))
	for _, key := range keys {
		out = append(out, pair{key, path + "/" + elementName(key) + ".json"})
	}
	return out
}
