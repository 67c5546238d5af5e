package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Diff lists what changes from a to b, one sentence each, in the order of the
// fields. Secrets are never told, only that they change.
func Diff(a, b Snapshot) []string {
	a.Version, a.Changed = b.Version, b.Changed
	d := differ{}
	d.value("", reflect.ValueOf(a), reflect.ValueOf(b))
	return d.lines
}

type differ struct{ lines []string }

func (d *differ) say(format string, args ...any) {
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

func (d *differ) value(path string, a, b reflect.Value) {
	switch {
	case reflect.DeepEqual(a.Interface(), b.Interface()):
	case a.Type() == secretType:
		d.say("%s: changed", path)
	case a.Kind() == reflect.Struct && !isText(a.Type()):
		for _, f := range fields(a.Type()) {
			x, y := a.FieldByIndex(f.index), b.FieldByIndex(f.index)
			// Of a hook, of a script (passwords stand in documents too), of a CA (many lines).
			if f.name == "password" || f.name == "inline" || f.name == "certificate" {
				if x.String() != y.String() {
					d.say("%s: changed", join(path, f.name))
				}
				continue
			}
			d.value(join(path, f.name), x, y)
		}
	case a.Kind() == reflect.Slice:
		d.list(path, a, b)
	default:
		from, to := show(a), show(b)
		if from == to {
			d.say("%s: changed", path) // only in what is not shown
			return
		}
		d.say("%s: %s → %s", path, from, to)
	}
}

// list compares lists: of named entries one by one, of texts as a whole.
func (d *differ) list(path string, a, b reflect.Value) {
	if !a.Type().Elem().Implements(reflect.TypeFor[entry]()) {
		d.say("%s: %s → %s", path, show(a), show(b))
		return
	}
	before, after := keys(a), keys(b)
	said := len(d.lines)
	for i, k := range after {
		if old := counterpart(a, b.Index(i)); old.IsValid() {
			d.value(path+"["+k+"]", old, b.Index(i))
		} else {
			d.say("%s: + %s", path, k)
		}
	}
	for _, k := range before {
		if !slices.Contains(after, k) {
			d.say("%s: - %s", path, k)
		}
	}
	// What both have must come in the same order, which matters for routes.
	common := func(list, other []string) []string {
		return slices.DeleteFunc(slices.Clone(list), func(k string) bool { return !slices.Contains(other, k) })
	}
	if !slices.Equal(common(before, after), common(after, before)) || said == len(d.lines) {
		d.say("%s: other order", path)
	}
}

func keys(list reflect.Value) []string {
	var out []string
	for i := range list.Len() {
		out = append(out, list.Index(i).Interface().(entry).key())
	}
	return out
}

// show is a value for people, without the password in an address.
func show(v reflect.Value) string {
	if v.Kind() == reflect.Slice {
		var out []string
		for i := range v.Len() {
			out = append(out, show(v.Index(i)))
		}
		if len(out) == 0 {
			return "nothing"
		}
		return strings.Join(out, " ")
	}
	s := fmt.Sprint(v.Interface())
	if s == "" {
		return "nothing"
	}
	return userinfo.ReplaceAllString(s, "${1}"+Hidden+"@")
}
