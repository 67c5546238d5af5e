package verbs

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"callbox/api/jambonz/js"
	"callbox/api/jambonz/shape"
	"callbox/call/script"
)

// The codes of documents that cannot be run (call-api.md §1.5).
const (
	codeURL     = 11100
	codeJSON    = 12100
	codeContent = 12200
	codeUnable  = 13750
)

// Limits of a document.
const (
	maxVerbs    = 200
	maxWarnings = 50
)

// Decode reads a document. docURL is where it came from, for relative addresses;
// empty for inline ones. Nothing, and JSON that is no array, hold no verbs: an
// action hook may answer so to go on. The error is a *script.FetchError.
func Decode(body []byte, docURL string) (script.Document, error) {
	doc := script.Document{URL: docURL}
	if len(bytes.TrimSpace(body)) == 0 {
		return doc, nil
	}
	v, err := js.Parse(body)
	if err != nil {
		return doc, refused(docURL, codeJSON, fmt.Errorf("the document is not JSON: %w", err))
	}
	d := decoder{doc: &doc}
	if v.Kind != js.List {
		if docURL == "" {
			return doc, refused(docURL, codeContent, errors.New("the document is not an array of verbs"))
		}
		d.warn("the answer is not an array of verbs and was not looked at")
		return doc, nil
	}
	if docURL != "" {
		if d.base, err = url.Parse(docURL); err != nil {
			return doc, refused("", codeURL, errors.New("the document's own address is not a URL"))
		}
	}
	if len(v.List) > maxVerbs {
		return doc, refused(docURL, codeContent, fmt.Errorf("the document holds %d verbs, at most %d", len(v.List), maxVerbs))
	}
	for i, e := range v.List {
		list, err := d.verb(i+1, e)
		if err != nil {
			code := codeContent
			var p *shape.Problem
			if errors.As(err, &p) && p.Unable {
				code = codeUnable
			}
			return script.Document{URL: docURL}, refused(docURL, code, err)
		}
		doc.Verbs = append(doc.Verbs, list...)
	}
	if n := len(doc.Verbs); n > 0 {
		if _, ok := doc.Verbs[n-1].(script.Transcribe); ok {
			doc.Verbs = append(doc.Verbs, script.Hold{})
		}
	}
	return doc, nil
}

// refused makes the error of a document that cannot be run.
func refused(docURL string, code int, err error) error {
	if u, perr := url.Parse(docURL); perr == nil {
		u.User, u.Fragment, u.RawFragment = nil, "", ""
		docURL = u.String()
	}
	return &script.FetchError{Code: code, URL: docURL, Err: err}
}

// decoder decodes one document.
type decoder struct {
	doc  *script.Document
	base *url.URL // of the document, nil for an inline one
}

// warn adds a warning, once.
func (d *decoder) warn(text string) {
	if len(d.doc.Warnings) < maxWarnings && !slices.Contains(d.doc.Warnings, text) {
		d.doc.Warnings = append(d.doc.Warnings, text)
	}
}

// spec is a verb of the language.
type spec struct {
	props shape.Props
	// make makes the verbs of call/script that o becomes.
	make func(d *decoder, o shape.Object) ([]script.Verb, error)
	// unable says why the box cannot run the verb; empty: it can.
	unable string
}

// everywhere are the properties that every verb has. The second means nothing to
// the box.
var everywhere = shape.Props{
	"id": {Type: shape.Text},
	"_":  {Type: shape.Text | shape.Number | shape.Bool | shape.Map | shape.List},
}

// verb decodes the n-th element of a document.
func (d *decoder) verb(n int, v js.Value) ([]script.Verb, error) {
	name, body, err := named(n, v)
	if err != nil {
		return nil, err
	}
	s, ok := table[name]
	if !ok {
		return nil, shape.Refuse("verb %d: %q is not a verb", n, name)
	}
	if s.unable != "" {
		return nil, shape.Unable("verb %d: %s cannot be run here: %s", n, name, s.unable)
	}
	o, err := shape.Read(body, fmt.Sprintf("verb %d (%s)", n, name), s.props.With(everywhere), shape.Options{Warn: d.warn})
	if err != nil {
		return nil, err
	}
	list, err := s.make(d, o)
	id := o.Text("id")
	if err != nil || id == "" {
		return list, err
	}
	if len(id) > maxLabel || strings.ContainsAny(id, "\r\n\x00") {
		return nil, o.Refuse("id", "is not one line of at most %d bytes", maxLabel)
	}
	var out []script.Verb
	for _, v := range list {
		out = append(out, script.Label{ID: id}, v)
	}
	return out, nil
}

// maxLabel is the longest id of a verb in bytes.
const maxLabel = 256

// named gives the name and the properties of a verb in either notation.
func named(n int, v js.Value) (string, js.Value, error) {
	if v.Kind != js.Map {
		return "", v, shape.Refuse("verb %d is %s, it must be an object", n, shape.Described(v.Kind))
	}
	if name, ok := v.Get("verb"); ok {
		if name.Kind != js.Text {
			return "", v, shape.Refuse("verb %d: its name is %s, it must be a string", n, shape.Described(name.Kind))
		}
		var rest []js.Member
		for _, m := range v.Members {
			if m.Name != "verb" {
				rest = append(rest, m)
			}
		}
		return name.Text, js.Value{Kind: js.Map, Members: rest}, nil
	}
	if len(v.Members) != 1 {
		return "", v, shape.Refuse(`verb %d has no "verb" that names it`, n)
	}
	return v.Members[0].Name, v.Members[0].Value, nil
}
