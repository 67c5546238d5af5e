package shape

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
	"time"

	"callbox/api/jambonz/js"
)

// Type is a set of the kinds that a property may have.
type Type uint8

// The kinds, to be combined.
const (
	Text Type = 1 << iota
	Number
	Bool
	Map
	List
)

// kinds are the kinds of values that a Type stands for.
var kinds = []struct {
	Type Type
	Kind js.Kind
}{{Text, js.Text}, {Number, js.Number}, {Bool, js.Bool}, {Map, js.Map}, {List, js.List}}

// allows reports whether a value of kind k is of the type.
func (t Type) allows(k js.Kind) bool {
	for _, x := range kinds {
		if x.Kind == k {
			return t&x.Type != 0
		}
	}
	return false
}

// String names the type for sentences: "a string or an object".
func (t Type) String() string {
	var names []string
	for _, x := range kinds {
		if t&x.Type != 0 {
			names = append(names, Described(x.Kind))
		}
	}
	return strings.Join(names, " or ")
}

// Described names a kind for sentences: "an array".
func Described(k js.Kind) string {
	if strings.ContainsRune("aeio", rune(k.String()[0])) {
		return "an " + k.String()
	}
	return "a " + k.String()
}

// Prop is one property of an object.
type Prop struct {
	Type Type
	Need bool
	Enum []string // texts that it may be; empty: any
	Fold bool     // the Enum's letters may be small or capital
	// Props are the members of a Map, and of the Maps in a List; nil: any.
	Props Props
	// Open turns unknown members into warnings.
	Open bool
	// Idle says why the property has no effect on this box ("the box does not
	// record to a cloud"); empty: it has. A false or empty value is no request.
	Idle string
	// Unable says why a request for the property must be refused.
	Unable string
}

// among reports whether the Enum allows s.
func (p Prop) among(s string) bool {
	return slices.ContainsFunc(p.Enum, func(e string) bool { return e == s || p.Fold && strings.EqualFold(e, s) })
}

// Props are the properties of an object by name.
type Props map[string]Prop

// With is p with the properties of q added.
func (p Props) With(q Props) Props {
	all := make(Props, len(p)+len(q))
	for _, m := range []Props{p, q} {
		for name, prop := range m {
			all[name] = prop
		}
	}
	return all
}

// Problem is why something is refused, in one sentence.
type Problem struct {
	Text string
	// Unable marks what is well formed and cannot be done on this box (yet).
	Unable bool
}

func (p *Problem) Error() string { return p.Text }

// Refuse makes a Problem.
func Refuse(format string, args ...any) *Problem { return &Problem{Text: fmt.Sprintf(format, args...)} }

// Unable makes a Problem about what the box cannot do.
func Unable(format string, args ...any) *Problem {
	return &Problem{Text: fmt.Sprintf(format, args...), Unable: true}
}

// Object is a checked object.
type Object struct {
	// Path is where it stands, for sentences: "to", "dial.target[0]".
	Path string
	v    js.Value
}

// Options say how strictly to read.
type Options struct {
	// Warn takes sentences about what has no effect; nil: nobody wants to know.
	Warn func(string)
	// Lax turns unknown properties into warnings.
	Lax bool
}

// Read checks that v is an object with the properties of p, where null means
// that a property is absent. path is "" for a whole body. The error is a *Problem.
func Read(v js.Value, path string, p Props, o Options) (Object, error) {
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	obj := Object{path, v}
	if v.Kind != js.Map {
		return obj, Refuse("%s is %s, it must be an object", obj.name(""), Described(v.Kind))
	}
	for _, m := range v.Members {
		prop, known := p[m.Name]
		if known || m.Value.Kind == js.Null {
			if err := check(m.Value, obj.name(m.Name), prop, o); err != nil {
				return obj, err
			}
			continue
		}
		text := fmt.Sprintf("%q is not a property of %s", clip(m.Name), obj.title())
		if !o.Lax {
			return obj, Refuse("%s", text)
		}
		o.Warn(text + " and was ignored")
	}
	var missing []string
	for name, prop := range p {
		if _, ok := v.Get(name); prop.Need && !ok {
			missing = append(missing, obj.name(name))
		}
	}
	if len(missing) > 0 {
		sort.Strings(missing)
		verb := "is"
		if len(missing) > 1 {
			verb = "are"
		}
		return obj, Refuse("%s %s missing", strings.Join(missing, " and "), verb)
	}
	return obj, nil
}

// check checks one property's value.
func check(v js.Value, path string, p Prop, o Options) error {
	if v.Kind == js.Null {
		return nil
	}
	switch {
	case !p.Type.allows(v.Kind):
		return Refuse("%s is %s, it must be %s", path, Described(v.Kind), p.Type)
	case v.Kind == js.Text && len(p.Enum) > 0 && !p.among(v.Text):
		return Refuse("%s is %q, it must be %s", path, clip(v.Text), oneOf(p.Enum))
	case v.Kind == js.Text && !cleanText(v.Text):
		return Refuse("%s holds control characters", path)
	}
	if p.Props != nil && v.Kind == js.Map {
		inner := o
		inner.Lax = o.Lax || p.Open
		if _, err := Read(v, path, p.Props, inner); err != nil {
			return err
		}
	}
	if p.Props != nil && v.Kind == js.List {
		for i, e := range v.List {
			if _, err := Read(e, fmt.Sprintf("%s[%d]", path, i), p.Props, o); err != nil {
				return err
			}
		}
	}
	if isNo(v) {
		return nil
	}
	if p.Unable != "" {
		return Unable("%s cannot be used here: %s", path, p.Unable)
	}
	if p.Idle != "" {
		o.Warn(path + " has no effect: " + p.Idle)
	}
	return nil
}

// isNo reports whether a value asks for nothing.
func isNo(v js.Value) bool {
	return v.Kind == js.Bool && !v.Bool || v.Kind == js.Text && v.Text == "" ||
		v.Kind == js.List && len(v.List) == 0 || v.Kind == js.Map && len(v.Members) == 0
}

// oneOf lists alternatives: "a, b or c".
func oneOf(list []string) string {
	if len(list) == 1 {
		return list[0]
	}
	return strings.Join(list[:len(list)-1], ", ") + " or " + list[len(list)-1]
}

// cleanText reports whether s has no control characters but white space.
func cleanText(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0x7f })
}

// clip shortens what a client wrote, for sentences.
func clip(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

// name is the path of a member; "" is the object itself.
func (o Object) name(member string) string {
	switch {
	case member == "" && o.Path == "":
		return "the body"
	case member == "":
		return o.Path
	case o.Path == "":
		return member
	}
	return o.Path + "." + member
}

// title names the object itself.
func (o Object) title() string {
	if o.Path == "" {
		return "this request"
	}
	return o.Path
}

// Has reports whether a property is there and not null.
func (o Object) Has(name string) bool { _, ok := o.v.Get(name); return ok }

// Emptied reports whether a property is there and null: where something is changed
// it is then emptied.
func (o Object) Emptied(name string) bool {
	for _, m := range o.v.Members {
		if m.Name == name {
			return m.Value.Kind == js.Null
		}
	}
	return false
}

// Get gives a property; null when it is absent.
func (o Object) Get(name string) js.Value { v, _ := o.v.Get(name); return v }

// Text gives a text, empty when it is absent or no text.
func (o Object) Text(name string) string { return o.Get(name).Text }

// Is reports whether a truth value is there and true.
func (o Object) Is(name string) bool { return o.Get(name).Bool }

// Flag gives a truth value, or def when it is absent.
func (o Object) Flag(name string, def bool) bool {
	if v, ok := o.v.Get(name); ok && v.Kind == js.Bool {
		return v.Bool
	}
	return def
}

// Object gives an object that the table checked; empty when it is absent.
func (o Object) Object(name string) Object { return Object{o.name(name), o.Get(name)} }

// List gives the elements of an array.
func (o Object) List(name string) []js.Value { return o.Get(name).List }

// Objects gives the objects of an array that the table checked.
func (o Object) Objects(name string) []Object {
	var out []Object
	for i, v := range o.List(name) {
		out = append(out, Object{fmt.Sprintf("%s[%d]", o.name(name), i), v})
	}
	return out
}

// Texts gives a text or an array of texts as a list.
func (o Object) Texts(name string) ([]string, error) {
	v := o.Get(name)
	if v.Kind == js.Text {
		return []string{v.Text}, nil
	}
	var out []string
	for i, e := range v.List {
		if e.Kind != js.Text || !cleanText(e.Text) {
			return nil, Refuse("%s[%d] is not a text", o.name(name), i)
		}
		out = append(out, e.Text)
	}
	return out, nil
}

// Whole gives a whole number between lo and hi; ok is false when it is absent.
func (o Object) Whole(name string, lo, hi int) (n int, ok bool, err error) {
	v, ok := o.v.Get(name)
	if !ok {
		return 0, false, nil
	}
	if f := v.Number; v.Kind == js.Number && f == math.Trunc(f) && f >= float64(lo) && f <= float64(hi) {
		return int(f), true, nil
	}
	return 0, false, Refuse("%s is %s, it must be a whole number from %d to %d", o.name(name), clip(v.String()), lo, hi)
}

// Duration gives a number of units between lo and hi; ok is false when it is
// absent. Fractions are allowed.
func (o Object) Duration(name string, unit, lo, hi time.Duration) (d time.Duration, ok bool, err error) {
	v, ok := o.v.Get(name)
	if !ok {
		return 0, false, nil
	}
	if f := v.Number; v.Kind == js.Number && f >= float64(lo)/float64(unit) && f <= float64(hi)/float64(unit) {
		return time.Duration(f * float64(unit)), true, nil
	}
	return 0, false, Refuse("%s is %s, it must be from %g to %g", o.name(name), clip(v.String()),
		float64(lo)/float64(unit), float64(hi)/float64(unit))
}

// Refuse makes a Problem about a property.
func (o Object) Refuse(name, format string, args ...any) *Problem {
	return Refuse("%s %s", o.name(name), fmt.Sprintf(format, args...))
}

// Unable makes a Problem about a property that the box cannot heed.
func (o Object) Unable(name, format string, args ...any) *Problem {
	return Unable("%s %s", o.name(name), fmt.Sprintf(format, args...))
}
