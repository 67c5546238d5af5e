package apitest

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"callbox/api"
)

var update = flag.Bool("update", false, "rewrite the golden files of testdata")

// Golden compares got with the file name of testdata, or rewrites that with the
// flag -update.
func Golden(t testing.TB, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", filepath.FromSlash(name))
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs:\n%s\nwant:\n%s", name, got, want)
	}
}

// Indent indents JSON; anything else stays as it is.
func Indent(s string) string {
	var b bytes.Buffer
	if json.Indent(&b, []byte(s), "", "  ") != nil {
		return s
	}
	return b.String()
}

// Fields are the fields of v that are set, as JSON with their names in Go, so
// that a golden file tells what a request means and not what else there could be.
func Fields(t testing.TB, v any) string {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(setFields(reflect.ValueOf(v))); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func setFields(v reflect.Value) any {
	switch x := v.Interface().(type) {
	case time.Time, time.Duration:
		return fmt.Sprint(x)
	case fmt.Stringer:
		return x.String()
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return setFields(v.Elem())
	case reflect.Struct:
		m := map[string]any{}
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && !v.Field(i).IsZero() {
				m[f.Name] = setFields(v.Field(i))
			}
		}
		return m
	case reflect.Slice:
		list := make([]any, v.Len())
		for i := range list {
			list[i] = setFields(v.Index(i))
		}
		return list
	}
	return v.Interface()
}

// Lines are requests as text: the method, the address, and a line per parameter.
func Lines(list ...api.Outgoing) string {
	var b strings.Builder
	for _, o := range list {
		b.WriteString(o.Method + " " + o.URL + "\n")
		for _, p := range o.Params {
			b.WriteString("  " + p.Name + "=" + p.Value + "\n")
		}
	}
	return b.String()
}
