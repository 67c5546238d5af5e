package twiml_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"callbox/api/apitest"
	"callbox/api/laml/twiml"
	"callbox/call/script"
)

// model is a document, or its error, as JSON: the set fields of every verb.
func model(t *testing.T, doc script.Document, err error) string {
	t.Helper()
	out := map[string]any{"verbs": verbList(doc.Verbs)}
	if len(doc.Warnings) > 0 {
		out["warnings"] = doc.Warnings
	}
	if err != nil {
		var fe *script.FetchError
		if !errors.As(err, &fe) {
			t.Fatalf("%v is no *script.FetchError", err)
		}
		out = map[string]any{"code": fe.Code, "url": fe.URL, "error": fe.Error()}
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(out); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func verbList(verbs []script.Verb) []any {
	list := []any{}
	for _, v := range verbs {
		list = append(list, setFields(reflect.Indirect(reflect.ValueOf(v)), map[string]any{"verb": v.Name()}))
	}
	return list
}

// setFields puts the fields of the struct v that are set into m.
func setFields(v reflect.Value, m map[string]any) map[string]any {
	for i := range v.NumField() {
		f, name := v.Field(i), v.Type().Field(i).Name
		if f.IsZero() {
			continue
		}
		switch x := f.Interface().(type) {
		case []script.Verb:
			m[name] = verbList(x)
		case []script.Target:
			var list []any
			for _, target := range x {
				list = append(list, setFields(reflect.ValueOf(target), map[string]any{}))
			}
			m[name] = list
		case script.Dial, script.Conference, script.Enqueue, script.Dequeue:
			m[name] = setFields(f, map[string]any{})
		case interface{ String() string }:
			m[name] = x.String()
		default:
			m[name] = x
		}
	}
	return m
}

const docURL = "http://user:pw@app.lan:8000/voice/start?tenant=7"

func TestDocuments(t *testing.T) {
	files, err := filepath.Glob("testdata/*.xml")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d documents, %v", len(files), err)
	}
	for _, path := range files {
		body, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := twiml.Decode(body, "text/xml; charset=utf-8", docURL)
		if strings.Contains(path, "error-") != (err != nil) {
			t.Errorf("%s: error is %v", path, err)
		}
		apitest.Golden(t, strings.TrimSuffix(filepath.Base(path), ".xml")+".json", model(t, doc, err))
	}
}

func TestInlineDocuments(t *testing.T) {
	for _, tc := range []struct {
		body    string
		code    int
		warning string
	}{
		{`<Response><Gather numDigits="1"><Say>x</Say></Gather></Response>`, 0, "no action"},
		{`<Response><Record/></Response>`, 0, "no action"},
		{`<Response><Gather action="http://app.lan/x"/></Response>`, 0, ""},
		{`<Response><Dial>201</Dial></Response>`, 0, ""},
		{`<Response><Dial action="">201</Dial></Response>`, 0, ""},
		{`<Response><Gather action="x"/></Response>`, 11100, ""},
		{`<Response><Play>x.wav</Play></Response>`, 11100, ""},
		{`<Response><Redirect/></Response>`, 11100, ""},
		{`plain words`, 12100, ""},
	} {
		doc, err := twiml.Decode([]byte(tc.body), "", "")
		var fe *script.FetchError
		if errors.As(err, &fe) != (tc.code != 0) || tc.code != 0 && fe.Code != tc.code {
			t.Errorf("%s: %v, want code %d", tc.body, err, tc.code)
		}
		if got := strings.Join(doc.Warnings, "\n"); (got == "") != (tc.warning == "") || !strings.Contains(got, tc.warning) {
			t.Errorf("%s: warnings %q, want %q", tc.body, got, tc.warning)
		}
	}
}

func TestContentTypes(t *testing.T) {
	const xml = "<Response><Hangup/></Response>"
	for _, tc := range []struct {
		kind, body string
		code       int
		want       script.Verb
	}{
		{"text/xml", xml, 0, script.Hangup{}},
		{"application/xml; charset=utf-8", xml, 0, script.Hangup{}},
		{"TEXT/HTML", xml, 0, script.Hangup{}},
		{"text/xml; charset=", xml, 0, script.Hangup{}},
		{"", xml, 0, script.Hangup{}},
		{"", "hello", 12300, nil},
		{"application/json", "{}", 12300, nil},
		{"text/plain; charset=utf-8", " Hello there\n", 0, script.Say{Speech: script.Speech{Text: "Hello there"}, Loop: 1}},
		{"text/plain", "\xff", 12300, nil},
		{"text/plain", " ", 11770, nil},
		{"audio/x-wav", "RIFF", 0, script.Play{URL: docURL, Loop: 1}},
		{"audio/mpeg", strings.Repeat("x", twiml.MaxDocument+1), 0, script.Play{URL: docURL, Loop: 1}},
		{"audio/mpeg", "", 11770, nil},
		{"text/xml", "<Response>" + strings.Repeat(" ", twiml.MaxDocument) + "</Response>", 11750, nil},
		{"text/xml", "", 11770, nil},
	} {
		doc, err := twiml.Decode([]byte(tc.body), tc.kind, docURL)
		var fe *script.FetchError
		switch {
		case errors.As(err, &fe):
			if fe.Code != tc.code || strings.Contains(fe.URL, "pw") {
				t.Errorf("%s: %d %s, want %d", tc.kind, fe.Code, fe.URL, tc.code)
			}
		case err != nil || tc.code != 0 || len(doc.Verbs) != 1 || !reflect.DeepEqual(doc.Verbs[0], tc.want):
			t.Errorf("%s: %+v, %v", tc.kind, doc, err)
		}
	}
}

func TestDocumentBounds(t *testing.T) {
	for name, body := range map[string]string{
		"depth":      strings.Repeat("<Response>", 40) + strings.Repeat("</Response>", 40),
		"elements":   "<Response>" + strings.Repeat("<Pause/>", 2000) + "</Response>",
		"attributes": "<Response><Say " + strings.Repeat(`a="" `, 100) + "/></Response>",
	} {
		_, err := twiml.Decode([]byte(body), "text/xml", docURL)
		var fe *script.FetchError
		if !errors.As(err, &fe) || fe.Code != 12100 {
			t.Errorf("%s: %v", name, err)
		}
	}
	doc, err := twiml.Decode([]byte("<Response>"+strings.Repeat("<X/>", 900)+"</Response>"), "text/xml", docURL)
	if err != nil || len(doc.Warnings) > 50 {
		t.Errorf("%d warnings, %v", len(doc.Warnings), err)
	}
	doc, err = twiml.Decode([]byte("<Response><Say>"+strings.Repeat("é", 4097)+"</Say></Response>"), "text/xml", docURL)
	if err != nil || len(doc.Verbs) != 0 || !strings.Contains(doc.Warnings[0], "13521") {
		t.Errorf("a long Say: %+v, %v", doc, err)
	}
}

func FuzzDocument(f *testing.F) {
	files, err := filepath.Glob("testdata/*.xml")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range files {
		body, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body, "text/xml", docURL)
	}
	f.Add([]byte("hello"), "text/plain", docURL)
	f.Add([]byte("<Response/>"), "", "")
	f.Fuzz(func(t *testing.T, body []byte, kind, url string) {
		doc, err := twiml.Decode(body, kind, url)
		var fe *script.FetchError
		if err != nil && (!errors.As(err, &fe) || fe.Code == 0 || fe.Error() == "") {
			t.Fatalf("error without a code or sentence: %v", err)
		}
		for _, v := range doc.Verbs {
			switch v := v.(type) {
			case script.Play:
				if v.URL == "" && v.Digits == "" {
					t.Fatal("a Play of nothing")
				}
			case script.Redirect:
				if v.Hook.IsZero() {
					t.Fatal("a Redirect to nowhere")
				}
			case *script.DialVerb:
				if len(v.Dial.Targets) > 10 {
					t.Fatal("too many targets")
				}
			}
		}
	})
}
