package laml

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Bounds of a document.
const (
	// MaxDocument is the longest document in bytes.
	MaxDocument = 64 << 10
	maxDepth    = 16
	maxElements = 1000
	maxAttrs    = 64
)

// node is an element of a document, or a piece of text.
type node struct {
	name  string // with its prefix; empty for text
	text  string // of a piece of text
	attrs []xml.Attr
	kids  []*node
	line  int
}

// content is the text directly below n, without surrounding white space.
func (n *node) content() string {
	var b strings.Builder
	for _, k := range n.kids {
		if k.name == "" {
			b.WriteString(k.text)
		}
	}
	return strings.TrimSpace(b.String())
}

// elements are the elements directly below n.
func (n *node) elements() []*node {
	var list []*node
	for _, k := range n.kids {
		if k.name != "" {
			list = append(list, k)
		}
	}
	return list
}

// errDTD refuses document type declarations, and with them declared entities:
// a short document could grow without bound, or read files.
var errDTD = errors.New("document type declarations are refused")

// parseXML reads a whole document into its root element. It uses raw tokens, so
// that prefixes (amazon:effect) stay as written, and matches the tags itself.
func parseXML(body []byte) (*node, error) {
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(body) {
		return nil, errors.New("the document is not UTF-8")
	}
	dec := xml.NewDecoder(bytes.NewReader(body))
	dec.CharsetReader = func(charset string, in io.Reader) (io.Reader, error) {
		if strings.EqualFold(charset, "us-ascii") || strings.EqualFold(charset, "ascii") {
			return in, nil
		}
		return nil, fmt.Errorf("the encoding %q is not UTF-8", charset)
	}
	t := tree{}
	for {
		line, _ := dec.InputPos()
		tok, err := dec.RawToken()
		if errors.Is(err, io.EOF) {
			return t.finish()
		}
		if text, ok := tok.(xml.CharData); ok { // say where its first word is
			blank := len(text) - len(bytes.TrimLeft(text, " \t\r\n"))
			line += bytes.Count(text[:blank], []byte("\n"))
		}
		if err == nil {
			err = t.add(tok, line)
		}
		if err != nil {
			return nil, err
		}
	}
}

// tree grows by tokens.
type tree struct {
	root     *node
	open     []*node // from the root down
	elements int
}

// add adds one token.
func (t *tree) add(tok xml.Token, line int) error {
	switch tok := tok.(type) {
	case xml.StartElement:
		return t.start(tok, line)
	case xml.EndElement:
		if len(t.open) == 0 || t.open[len(t.open)-1].name != rawName(tok.Name) {
			return fmt.Errorf("line %d: </%s> closes nothing", line, rawName(tok.Name))
		}
		t.open = t.open[:len(t.open)-1]
	case xml.CharData:
		if len(t.open) == 0 {
			if len(bytes.TrimSpace(tok)) > 0 {
				return fmt.Errorf("line %d: text outside of the root element", line)
			}
			return nil
		}
		top := t.open[len(t.open)-1]
		top.kids = append(top.kids, &node{text: string(tok), line: line})
	case xml.Directive:
		return errDTD
	}
	return nil // comments and processing instructions mean nothing
}

// start opens an element.
func (t *tree) start(tok xml.StartElement, line int) error {
	if t.elements++; t.elements > maxElements {
		return fmt.Errorf("the document has more than %d elements", maxElements)
	}
	if len(t.open) >= maxDepth {
		return fmt.Errorf("line %d: elements are nested more than %d deep", line, maxDepth)
	}
	if len(tok.Attr) > maxAttrs {
		return fmt.Errorf("line %d: an element has more than %d attributes", line, maxAttrs)
	}
	n := &node{name: rawName(tok.Name), attrs: append([]xml.Attr(nil), tok.Attr...), line: line}
	for i, a := range n.attrs {
		for _, b := range n.attrs[:i] {
			if a.Name == b.Name {
				return fmt.Errorf("line %d: <%s> has the attribute %s twice", line, n.name, rawName(a.Name))
			}
		}
	}
	switch {
	case len(t.open) > 0:
		top := t.open[len(t.open)-1]
		top.kids = append(top.kids, n)
	case t.root != nil:
		return fmt.Errorf("line %d: a second root element", line)
	default:
		t.root = n
	}
	t.open = append(t.open, n)
	return nil
}

// finish gives the root when everything is closed.
func (t *tree) finish() (*node, error) {
	if len(t.open) > 0 {
		n := t.open[len(t.open)-1]
		return nil, fmt.Errorf("<%s> of line %d is not closed", n.name, n.line)
	}
	if t.root == nil {
		return nil, errors.New("the document has no root element")
	}
	return t.root, nil
}

// rawName is a name as written.
func rawName(n xml.Name) string {
	if n.Space != "" {
		return n.Space + ":" + n.Local
	}
	return n.Local
}

// ssmlElements are the elements that may stand in a Say (SSML 1.1 and the
// vendors' effects).
var ssmlElements = map[string]bool{
	"break": true, "emphasis": true, "lang": true, "p": true, "phoneme": true, "prosody": true,
	"s": true, "say-as": true, "sub": true, "w": true, "mark": true, "voice": true,
	"amazon:effect": true, "amazon:domain": true, "amazon:emotion": true, "amazon:auto-breaths": true,
}

// writeSSML writes what is below n as SSML. Elements that are no SSML are told
// to strange, and only their content is kept.
func (n *node) writeSSML(b *strings.Builder, strange func(*node)) {
	for _, k := range n.kids {
		if k.name == "" {
			escape(b, k.text)
			continue
		}
		if !ssmlElements[k.name] {
			strange(k)
			k.writeSSML(b, strange)
			continue
		}
		b.WriteString("<" + k.name)
		for _, a := range k.attrs {
			b.WriteString(" " + rawName(a.Name) + `="`)
			escape(b, a.Value)
			b.WriteByte('"')
		}
		if len(k.kids) == 0 {
			b.WriteString("/>")
			continue
		}
		b.WriteByte('>')
		k.writeSSML(b, strange)
		b.WriteString("</" + k.name + ">")
	}
}

// escape writes s as XML text. The builder never fails.
func escape(b *strings.Builder, s string) { _ = xml.EscapeText(b, []byte(s)) }
