package config

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// maxText bounds an import, in bytes.
const maxText = 4 << 20

// Import reads what Export writes, takes hidden secrets from present, fills in
// defaults and checks the result. What the text does not name gets its default.
// Version is 0 unless the text says which version it was made from. The error
// says where the text is not YAML, or is an *InvalidError.
func Import(text []byte, present Snapshot) (Snapshot, error) {
	tree, err := parse(text)
	if err != nil {
		return Snapshot{}, fmt.Errorf("the configuration cannot be read: %w", err)
	}
	var s Snapshot
	r := reader{}
	r.value("", tree, reflect.ValueOf(&s).Elem())
	r.problems = append(r.problems, s.keepSecrets(present)...)
	if len(r.problems) > 0 {
		return Snapshot{}, &InvalidError{r.problems}
	}
	s = s.WithDefaults()
	return s, s.Validate()
}

// parse reads YAML into yaml.MapSlice, []any, string, bool, numbers and nil.
func parse(text []byte) (any, error) {
	switch {
	case len(text) > maxText:
		return nil, fmt.Errorf("it has %d bytes, at most %d", len(text), maxText)
	case !utf8.Valid(text):
		return nil, errors.New("it is not UTF-8 text")
	case nested(text):
		return nil, errors.New("it is nested too deeply")
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, syntax(err)
	}
	var docs []ast.Node
	for _, d := range file.Docs {
		if d.Body == nil {
			continue
		}
		docs = append(docs, d.Body)
		var v plain
		ast.Walk(&v, d.Body)
		if v.odd != nil {
			return nil, fmt.Errorf("line %d: anchors and aliases (& and *) are not understood here; write the value out or put it in quotes", v.odd.GetToken().Position.Line)
		}
	}
	switch len(docs) {
	case 0:
		return yaml.MapSlice{}, nil
	case 1:
		var tree any
		if err := yaml.NodeToValue(docs[0], &tree, yaml.UseOrderedMap()); err != nil {
			return nil, syntax(err)
		}
		return tree, nil
	}
	return nil, fmt.Errorf("it has %d documents (---) where there must be one", len(docs))
}

// syntax is an error of the parser without the lines around it, which may hold
// secrets.
func syntax(err error) error { return errors.New(yaml.FormatError(err, false, false)) }

const maxNesting = 64

var runs = regexp.MustCompile(fmt.Sprintf(`([-?:] ){%d}`, maxNesting))

// nested reports whether text is so deeply nested that parsing it takes long.
func nested(text []byte) bool {
	open := 0
	for _, c := range text {
		switch c {
		case '[', '{':
			if open++; open > maxNesting {
				return true
			}
		case ']', '}':
			open = max(open-1, 0)
		}
	}
	return runs.Match(text)
}

// plain looks for what makes a small text large.
type plain struct{ odd ast.Node }

// Visit implements ast.Visitor.
func (p *plain) Visit(n ast.Node) ast.Visitor {
	switch n.(type) {
	case *ast.AliasNode, *ast.AnchorNode:
		p.odd = n
		return nil
	}
	return p
}

// reader fills a Snapshot from a tree and collects what does not fit.
type reader struct{ problems []Problem }

func (r *reader) bad(path, format string, args ...any) {
	if len(r.problems) < 100 {
		if path == "" {
			path = "configuration"
		}
		r.problems = append(r.problems, Problem{path, fmt.Sprintf(format, args...)})
	}
}

// value puts v, which stands at path, into dst.
func (r *reader) value(path string, v any, dst reflect.Value) {
	if v == nil {
		return // "users:" with nothing behind it
	}
	switch {
	case isText(dst.Type()):
		s, ok := v.(string)
		if !ok {
			s = fmt.Sprint(v)
		}
		if err := dst.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(s)); err != nil {
			r.bad(path, "%s", err)
		}
	case dst.Kind() == reflect.Struct:
		r.fields(path, v, dst)
	case dst.Kind() == reflect.Slice:
		list, ok := v.([]any)
		if !ok {
			r.bad(path, "is not a list")
			return
		}
		if len(list) == 0 {
			return // as if it were not there
		}
		dst.Set(reflect.MakeSlice(dst.Type(), len(list), len(list)))
		for i, x := range list {
			r.value(element(path, i), x, dst.Index(i))
		}
	default:
		r.scalar(path, v, dst)
	}
}

func element(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

// fields fills a struct.
func (r *reader) fields(path string, v any, dst reflect.Value) {
	m, ok := v.(yaml.MapSlice)
	if !ok {
		r.bad(path, "has no fields, such as %q", fields(dst.Type())[0].name)
		return
	}
	known := fields(dst.Type())
	for _, item := range m {
		name := fmt.Sprint(item.Key)
		i := slices.IndexFunc(known, func(f field) bool { return f.name == name })
		if i < 0 {
			var names []string
			for _, f := range known {
				names = append(names, f.name)
			}
			r.bad(join(path, name), "there is no such field; there are %s", strings.Join(names, ", "))
			continue
		}
		r.value(join(path, name), item.Value, dst.FieldByIndex(known[i].index))
	}
}

// scalar puts a text, number or truth into dst.
func (r *reader) scalar(path string, v any, dst reflect.Value) {
	got := reflect.ValueOf(v)
	switch {
	case dst.Kind() == reflect.String && got.Kind() == reflect.String:
		dst.SetString(got.String())
	case dst.Kind() == reflect.String:
		r.bad(path, "is not a text; put it in quotes")
	case dst.Kind() == reflect.Bool:
		if got.Kind() != reflect.Bool {
			r.bad(path, "is neither true nor false")
			return
		}
		dst.SetBool(got.Bool())
	case dst.CanInt() && got.CanInt() && !dst.OverflowInt(got.Int()):
		dst.SetInt(got.Int())
	case dst.CanInt() && got.CanUint() && got.Uint() < 1<<63 && !dst.OverflowInt(int64(got.Uint())):
		dst.SetInt(int64(got.Uint()))
	case dst.CanUint() && got.CanUint() && !dst.OverflowUint(got.Uint()):
		dst.SetUint(got.Uint())
	default:
		r.bad(path, "is not a whole number that fits here")
	}
}
