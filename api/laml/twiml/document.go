package twiml

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"unicode/utf8"

	"callbox/call/script"
)

// Code is a number by which the family's clients know an error (call-api.md §1.5).
type Code int

// The codes of the headers of an address.
const (
	CodeHeadersLong Code = 21227
	CodeHeaderName  Code = 21228
	CodeHeaderValue Code = 21229
)

// The codes of documents (call-api.md §1.5). Those from 13000 on are of
// attributes and texts; most of them are warnings, as in the cloud.
const (
	codeBadURL      Code = 11100
	codeTooLong     Code = 11750
	codeEmpty       Code = 11770
	codeXML         Code = 12100
	codeXMLVersion  Code = 12101
	codeRoot        Code = 12102
	codeUnknown     Code = 12200
	codeContentType Code = 12300
	codeUnsupported Code = 13750
)

// Decode reads a document into verbs. An inline document (empty docURL) is XML;
// what came from an address is what its content type says: XML, plain text to be
// spoken, or sound to be played. Unknown verbs and attributes, and values that
// cannot be, become warnings: verbs are skipped, values are the defaults. The
// error is a *script.FetchError for a document that cannot be run at all.
func Decode(body []byte, contentType, docURL string) (script.Document, error) {
	doc := script.Document{URL: docURL, Codes: faults}
	kind, code, err := documentKind(body, contentType, docURL)
	if err != nil {
		return doc, documentError(code, docURL, err)
	}
	switch kind {
	case kindSound:
		doc.Verbs = []script.Verb{script.Play{URL: docURL, Loop: 1}}
		return doc, nil
	case kindText:
		if !CleanText(string(body)) {
			return doc, documentError(codeContentType, docURL, errors.New("the plain text is not UTF-8"))
		}
		doc.Verbs = []script.Verb{script.Say{Speech: plainSpeech(strings.TrimSpace(string(body))), Loop: 1}}
		return doc, nil
	}
	if v := xmlVersion(body); v != "" && v != "1.0" {
		return doc, documentError(codeXMLVersion, docURL, fmt.Errorf("the document is XML %q, not 1.0", v))
	}
	root, err := parseXML(body)
	if err != nil {
		return doc, documentError(codeXML, docURL, fmt.Errorf("the document is not well-formed XML: %w", err))
	}
	if root.name != "Response" {
		return doc, documentError(codeRoot, docURL, fmt.Errorf("the document begins with <%s>, not with <Response>", clip(root.name)))
	}
	dec := decoder{doc: &doc}
	if docURL != "" {
		if dec.base, err = url.Parse(docURL); err != nil {
			return doc, documentError(codeBadURL, "", errors.New("the document's own address is not a URL"))
		}
	}
	dec.attributes(root, nil)
	doc.Verbs = dec.verbs(root.kids, responseVerbs)
	if dec.err != nil {
		return script.Document{URL: docURL}, dec.err
	}
	return doc, nil
}

type documentType int

const (
	kindXML documentType = iota
	kindText
	kindSound
)

// documentKind says how to read a document.
func documentKind(body []byte, contentType, docURL string) (documentType, Code, error) {
	mt, _, _ := strings.Cut(contentType, ";") // a charset other than UTF-8 shows in the bytes
	mt = strings.ToLower(strings.TrimSpace(mt))
	if docURL != "" && strings.HasPrefix(mt, "audio/") && len(body) > 0 {
		return kindSound, 0, nil
	}
	if len(body) > MaxDocument {
		return 0, codeTooLong, fmt.Errorf("the document is longer than %d bytes", MaxDocument)
	}
	trimmed := bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")))
	if len(trimmed) == 0 {
		return 0, codeEmpty, errors.New("the document is empty; to do nothing, answer <Response/>")
	}
	switch {
	case docURL == "", mt == "text/xml", mt == "application/xml", mt == "text/html":
		return kindXML, 0, nil
	case mt == "text/plain":
		return kindText, 0, nil
	case mt == "" && trimmed[0] == '<':
		return kindXML, 0, nil
	case mt == "":
		return 0, codeContentType, errors.New("the answer has no Content-Type; send text/xml")
	}
	return 0, codeContentType, fmt.Errorf("the answer is of type %s; send text/xml", clip(mt))
}

// documentError makes the error of a document that cannot be run.
func documentError(code Code, docURL string, err error) error {
	if u, perr := url.Parse(docURL); perr == nil {
		u.User, u.Fragment, u.RawFragment = nil, "", ""
		docURL = u.String()
	} else {
		docURL = ""
	}
	return &script.FetchError{Code: int(code), URL: docURL, Err: err}
}

// xmlVersion is the version in the XML declaration, empty when there is none.
func xmlVersion(body []byte) string {
	s := strings.TrimPrefix(string(body[:min(len(body), 200)]), "\xef\xbb\xbf")
	decl, ok := strings.CutPrefix(s, "<?xml")
	if !ok {
		return ""
	}
	decl, _, _ = strings.Cut(decl, "?>")
	_, v, ok := strings.Cut(decl, "version")
	v = strings.TrimSpace(v)
	if !ok || !strings.HasPrefix(v, "=") {
		return ""
	}
	v = strings.TrimSpace(v[1:])
	if len(v) < 2 || (v[0] != '"' && v[0] != '\'') {
		return ""
	}
	v, _, _ = strings.Cut(v[1:], v[:1])
	return v
}

// plainSpeech is text to be spoken as it is, even when it looks like SSML.
func plainSpeech(text string) script.Speech {
	if strings.HasPrefix(text, "<speak") {
		var b strings.Builder
		b.WriteString("<speak>")
		escape(&b, text)
		b.WriteString("</speak>")
		text = b.String()
	}
	return script.Speech{Text: text}
}

// clip shortens what a document wrote, for sentences.
func clip(s string) string {
	const most = 40
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

// decoder turns elements into verbs.
type decoder struct {
	doc  *script.Document
	base *url.URL // of the document, nil for an inline one
	err  error    // the first that makes the document useless

	prompt bool // what is decoded stands in a Gather
}

// maxWarnings bounds a document's warnings.
const maxWarnings = 50

// warn adds a warning about n.
func (d *decoder) warn(n *node, c Code, format string, args ...any) {
	if len(d.doc.Warnings) < maxWarnings {
		d.doc.Warnings = append(d.doc.Warnings,
			fmt.Sprintf("line %d: %s (%d)", n.line, fmt.Sprintf(format, args...), c))
	}
}

// fail makes the document useless.
func (d *decoder) fail(n *node, c Code, format string, args ...any) {
	if d.err == nil {
		d.err = documentError(c, d.doc.URL, fmt.Errorf("line %d: %s", n.line, fmt.Sprintf(format, args...)))
	}
}

// maker makes a verb of an element; nil: nothing is to be done.
type maker func(d *decoder, n *node) script.Verb

// verbs decodes the elements among kids that table knows.
func (d *decoder) verbs(kids []*node, table map[string]maker) []script.Verb {
	var list []script.Verb
	for _, k := range kids {
		if k.name == "" {
			if t := strings.TrimSpace(k.text); t != "" {
				d.warn(k, codeUnknown, "the text %q stands outside of any verb and was skipped", clip(t))
			}
			continue
		}
		mk, ok := table[k.name]
		if !ok {
			d.skip(k)
			continue
		}
		if v := mk(d, k); v != nil {
			list = append(list, v)
		}
	}
	return list
}

// skip warns of a verb that is not decoded.
func (d *decoder) skip(n *node) {
	if cloudVerbs[n.name] {
		d.warn(n, codeUnsupported, "<%s> is not available on this box and was skipped", n.name)
		return
	}
	d.warn(n, codeUnknown, "<%s> is not a verb that may stand here and was skipped", clip(n.name))
}

// faults are the numbers of what may go wrong with the verbs of a document.
var faults = script.Codes{script.FaultDial: 13201, script.FaultWaiting: 13238, script.FaultNotSIP: 13801, script.FaultQueueFull: 14207}

// cloudVerbs exist in the language but not on this box.
var cloudVerbs = map[string]bool{
	"Echo": true, "Pay": true, "Prompt": true,
	"Task": true, "Application": true, "Sim": true, "WhatsApp": true,
}

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
