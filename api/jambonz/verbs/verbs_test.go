package verbs_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"callbox/api/apitest"
	"callbox/api/jambonz/verbs"
	"callbox/call/script"
)

// docURL is where the documents of these tests come from.
const docURL = "http://user:pw@app.lan/calls/hook?x=1"

// documents lists the golden documents by name.
func documents(t testing.TB) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatal("no documents", err)
	}
	all := map[string][]byte{}
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(p), ".json")] = b
	}
	return all
}

// TestGolden: a document, and the verbs and warnings, or the error, that it
// becomes: testdata/NAME.json → NAME.txt.
func TestGolden(t *testing.T) {
	for name, body := range documents(t) {
		from := docURL
		if strings.HasPrefix(name, "inline-") {
			from = ""
		}
		doc, err := verbs.Decode(body, from)
		apitest.Golden(t, name+".txt", model(t, doc, err))
	}
}

// TestRefused: single verbs that refuse a document, one line each.
func TestRefused(t *testing.T) {
	b, err := os.ReadFile("testdata/refused.list")
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for line := range strings.Lines(string(b)) {
		verb, ok := strings.CutPrefix(line, "< ")
		if !ok {
			continue
		}
		doc, err := verbs.Decode([]byte("["+strings.TrimSuffix(verb, "\n")+"]"), docURL)
		var fe *script.FetchError
		if !errors.As(err, &fe) || len(doc.Verbs) > 0 || fe.URL != "http://app.lan/calls/hook?x=1" {
			t.Errorf("%s: %+v, %v", verb, doc, err)
			continue
		}
		fmt.Fprintf(&out, "< %s%d %s\n", verb, fe.Code, fe)
	}
	apitest.Golden(t, "refused.list", out.String())
}

// model writes a document as text: a line per verb, with the fields that are set.
func model(t *testing.T, doc script.Document, err error) string {
	t.Helper()
	var b strings.Builder
	if err != nil {
		var fe *script.FetchError
		if !errors.As(err, &fe) {
			t.Fatalf("%v is no *script.FetchError", err)
		}
		fmt.Fprintf(&b, "error %d: %s (%s)\n", fe.Code, fe, fe.URL)
	}
	for _, v := range doc.Verbs {
		fmt.Fprintf(&b, "%s\n", v.Name())
		fields, err := json.MarshalIndent(setFields(reflect.ValueOf(v)), "  ", "  ")
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "  %s\n", fields)
	}
	for _, w := range doc.Warnings {
		fmt.Fprintln(&b, "warning: "+w)
	}
	return b.String()
}

func setFields(v reflect.Value) any {
	if v.Kind() == reflect.Interface {
		return setFields(v.Elem())
	}
	switch x := v.Interface().(type) {
	case time.Duration:
		return x.String()
	case *script.DialVerb:
		m := structFields(v.Elem())
		m["verb"] = x.Name()
		return m
	case script.Verb:
		m := structFields(v)
		m["verb"] = x.Name()
		return m
	}
	switch v.Kind() {
	case reflect.Pointer:
		return setFields(v.Elem())
	case reflect.Struct:
		return structFields(v)
	case reflect.Slice:
		list := make([]any, v.Len())
		for i := range list {
			list[i] = setFields(v.Index(i))
		}
		return list
	}
	return v.Interface()
}

func structFields(v reflect.Value) map[string]any {
	m := map[string]any{}
	for i := range v.NumField() {
		if f := v.Type().Field(i); !v.Field(i).IsZero() && !(f.Type.Kind() == reflect.Slice && v.Field(i).Len() == 0) {
			m[f.Name] = setFields(v.Field(i))
		}
	}
	return m
}

func TestBounds(t *testing.T) {
	many := "[" + strings.Repeat(`{"verb":"answer"},`, 200) + `{"verb":"answer"}]`
	if _, err := verbs.Decode([]byte(many), docURL); err == nil || err.Error() != "the document holds 201 verbs, at most 200" {
		t.Errorf("201 verbs: %v", err)
	}
	var odd strings.Builder
	for i := range 60 {
		fmt.Fprintf(&odd, `{"verb":"config","turnTaking":{"n":%d}},`, i)
	}
	doc, err := verbs.Decode([]byte("["+odd.String()+`{"verb":"answer"}]`), docURL)
	if err != nil || len(doc.Warnings) != 50 {
		t.Errorf("%d warnings, %v", len(doc.Warnings), err)
	}
	if _, err := verbs.Decode([]byte("[]"), "http://[/"); err == nil || err.Error() != "the document's own address is not a URL" {
		t.Errorf("bad address: %v", err)
	}
	for _, nothing := range []string{"", " \r\n"} {
		if doc, err := verbs.Decode([]byte(nothing), ""); err != nil || doc.Verbs != nil {
			t.Errorf("%q: %+v %v", nothing, doc, err)
		}
	}
	if _, err := verbs.Decode([]byte(`{"verb":"answer"}`), ""); err == nil || err.Error() != "the document is not an array of verbs" {
		t.Errorf("inline object: %v", err)
	}
}

// FuzzDecode: no document panics; what is accepted has verbs that can be named.
func FuzzDecode(f *testing.F) {
	for _, b := range documents(f) {
		f.Add(b)
	}
	b, err := os.ReadFile("testdata/refused.list")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if verb, ok := strings.CutPrefix(line, "< "); ok {
			f.Add([]byte("[" + verb + "]"))
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, from := range []string{docURL, ""} {
			doc, err := verbs.Decode(body, from)
			var fe *script.FetchError
			if err != nil && (!errors.As(err, &fe) || fe.Code == 0 || strings.Contains(fe.URL, "pw") || len(doc.Verbs) > 0) {
				t.Errorf("%v with %d verbs", err, len(doc.Verbs))
			}
			for _, v := range doc.Verbs {
				if v == nil || v.Name() == "" {
					t.Error("a verb without a name")
				}
			}
		}
	})
}
