package laml

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"callbox/api"
)

// Page is one page of a list. Its items are last in JSON; in XML the rest are
// attributes.
type Page struct {
	Envelope any // how the page lies in the list; nil: the list alone
	Key      string
	Items    []any
}

// wantsXML reports whether the answer to r is to be XML: by the path's suffix,
// without one by the Accept header.
func (d *Dialect) wantsXML(r *http.Request) bool {
	if d.p.Formats.Root == "" {
		return false
	}
	_, suffix := splitSuffix(r.URL.Path)
	if suffix != "" || d.pathAccount(r.URL.Path) == "" {
		return suffix == ".xml"
	}
	accept := r.Header.Get("Accept")
	json := strings.Index(accept, "application/json")
	xml := strings.Index(accept, "xml")
	return json < 0 || xml >= 0 && xml < json
}

// write answers a request in its format.
func (s rest) write(w http.ResponseWriter, r *http.Request, a Answer) {
	var b bytes.Buffer
	switch body := a.Body.(type) {
	case nil:
		w.WriteHeader(a.Status)
		return
	case string:
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		b.WriteString(body + "\n")
	default:
		kind := "application/json"
		t, err := treeOf(body)
		if err == nil && s.wantsXML(r) {
			kind = "application/xml"
			err = writeXML(&b, s.p.Formats, a.Element, t)
		} else if err == nil {
			err = t.writeJSON(&b, s.p.Formats.OmitNull)
			b.WriteByte('\n')
		}
		if err != nil {
			s.h.Logger().Error("api answer could not be encoded", "dialect", s.p.Name, "err", err)
			http.Error(w, api.ErrInternal.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", kind)
	}
	w.WriteHeader(a.Status)
	_, _ = w.Write(b.Bytes()) // a client that has left needs no answer
}

// tree is a JSON value with its members in order.
type tree struct {
	members []member        // of an object
	items   []tree          // of an array
	scalar  json.RawMessage // of everything else
	kind    byte            // '{', '[' or 0
	page    bool            // of a Page: the last member is its list
}

type member struct {
	key   string
	value tree
}

// treeOf makes a tree of what encoding/json can write, or of a [Page].
func treeOf(v any) (tree, error) {
	switch x := v.(type) { // what nearly all values are, without a detour
	case object:
		return x.tree()
	case nil:
		return tree{scalar: json.RawMessage("null")}, nil
	case string:
		raw, err := quoted(x)
		return tree{scalar: raw}, err
	case bool:
		return tree{scalar: strconv.AppendBool(nil, x)}, nil
	case int:
		return tree{scalar: strconv.AppendInt(nil, int64(x), 10)}, nil
	}
	if p, ok := v.(Page); ok {
		items := p.Items
		list := tree{kind: '['}
		for _, item := range items {
			t, err := treeOf(item)
			if err != nil {
				return t, err
			}
			list.items = append(list.items, t)
		}
		if p.Envelope == nil {
			return list, nil
		}
		t, err := treeOf(p.Envelope)
		t.members, t.page = append(t.members, member{p.Key, list}), true
		return t, err
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return tree{}, err
	}
	dec := json.NewDecoder(&b)
	dec.UseNumber()
	return readTree(dec)
}

// readTree reads one value.
func readTree(dec *json.Decoder) (tree, error) {
	tok, err := dec.Token()
	if err != nil {
		return tree{}, err
	}
	delim, ok := tok.(json.Delim)
	if !ok {
		raw, err := marshal(tok)
		return tree{scalar: raw}, err
	}
	t := tree{kind: byte(delim)}
	for dec.More() {
		key := ""
		if delim == '{' {
			k, err := dec.Token()
			if err != nil {
				return t, err
			}
			key, _ = k.(string)
		}
		v, err := readTree(dec)
		if err != nil {
			return t, err
		}
		if delim == '{' {
			t.members = append(t.members, member{key, v})
		} else {
			t.items = append(t.items, v)
		}
	}
	_, err = dec.Token() // the closing one
	return t, err
}

// quoted is a text as JSON.
func quoted(s string) ([]byte, error) {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return marshal(s)
		}
	}
	b := make([]byte, 0, len(s)+2)
	return append(append(append(b, '"'), s...), '"'), nil
}

// marshal is json.Marshal without the escapes for HTML.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

func (t tree) null() bool { return t.kind == 0 && string(t.scalar) == "null" }

// writeJSON writes t, without the members that are null if omitNull is set.
func (t tree) writeJSON(b *bytes.Buffer, omitNull bool) error {
	switch t.kind {
	case '{':
		b.WriteByte('{')
		first := true
		for _, m := range t.members {
			if omitNull && m.value.null() {
				continue
			}
			if !first {
				b.WriteByte(',')
			}
			first = false
			key, err := quoted(m.key)
			if err != nil {
				return err
			}
			b.Write(key)
			b.WriteByte(':')
			if err := m.value.writeJSON(b, omitNull); err != nil {
				return err
			}
		}
		b.WriteByte('}')
	case '[':
		b.WriteByte('[')
		for i, item := range t.items {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := item.writeJSON(b, omitNull); err != nil {
				return err
			}
		}
		b.WriteByte(']')
	default:
		b.Write(t.scalar)
	}
	return nil
}

// text is a scalar as XML text.
func (t tree) text() (string, error) {
	if len(t.scalar) == 0 || t.scalar[0] != '"' {
		if t.null() {
			return "", nil
		}
		return string(t.scalar), nil
	}
	var s string
	err := json.Unmarshal(t.scalar, &s)
	return s, err
}

// writeXML writes t as the document of an answer.
func writeXML(b *bytes.Buffer, f Formats, element string, t tree) error {
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n<" + f.Root + ">")
	var err error
	switch {
	case element == "":
		err = t.writeMembers(b, f)
	case t.kind == '[':
		err = writeList(b, f, element, nil, t.items)
	case t.page:
		last := len(t.members) - 1
		err = writeList(b, f, element, t.members[:last], t.members[last].value.items)
	default:
		err = t.writeElement(b, f, element)
	}
	b.WriteString("</" + f.Root + ">\n")
	return err
}

// writeList writes a list whose items are called element: <Calls page="0"><Call>…
func writeList(b *bytes.Buffer, f Formats, element string, attrs []member, items []tree) error {
	b.WriteString("<" + element + "s")
	for _, a := range attrs {
		text, err := a.value.text()
		if err != nil {
			return err
		}
		fmt.Fprintf(b, " %s=\"", strings.ReplaceAll(a.key, "_", ""))
		if err := xml.EscapeText(b, []byte(text)); err != nil {
			return err
		}
		b.WriteByte('"')
	}
	b.WriteByte('>')
	for _, item := range items {
		if err := item.writeElement(b, f, element); err != nil {
			return err
		}
	}
	b.WriteString("</" + element + "s>")
	return nil
}

// writeElement writes t as the element name.
func (t tree) writeElement(b *bytes.Buffer, f Formats, name string) error {
	if t.null() {
		b.WriteString("<" + name + "/>")
		return nil
	}
	b.WriteString("<" + name + ">")
	var err error
	switch t.kind {
	case '{':
		err = t.writeMembers(b, f)
	case '[':
		for _, item := range t.items {
			err = errors.Join(err, item.writeElement(b, f, "Item"))
		}
	default:
		var text string
		if text, err = t.text(); err == nil {
			err = xml.EscapeText(b, []byte(text))
		}
	}
	b.WriteString("</" + name + ">")
	return err
}

// writeMembers writes the members of an object as elements.
func (t tree) writeMembers(b *bytes.Buffer, f Formats) error {
	var err error
	for _, m := range t.members {
		name, ok := f.Names[m.key]
		if !ok {
			name = elementName(m.key)
		}
		value := m.value
		if f.BareURIs && (m.key == "uri" || m.key == "subresource_uris") {
			value = value.withoutSuffix()
		}
		err = errors.Join(err, value.writeElement(b, f, name))
	}
	return err
}

// withoutSuffix is t with its addresses as those ask for them that want XML.
func (t tree) withoutSuffix() tree {
	if t.kind == 0 {
		t.scalar = bytes.Replace(t.scalar, []byte(`.json"`), []byte(`"`), 1)
		return t
	}
	members := t.members
	t.members = make([]member, len(members))
	for i, m := range members {
		t.members[i] = member{m.key, m.value.withoutSuffix()}
	}
	return t
}

// elementName is the XML name of a JSON key: "date_created" is DateCreated.
func elementName(key string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(key, "_") {
		if part != "" {
			b.WriteString(strings.ToUpper(part[:1]) + part[1:])
		}
	}
	return b.String()
}
