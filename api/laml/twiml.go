package laml

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"callbox/call/script"
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
func (d *Dialect) Decode(body []byte, contentType, docURL string) (script.Document, error) {
	doc := script.Document{URL: docURL}
	kind, code, err := documentKind(body, contentType, docURL)
	if err != nil {
		return doc, documentError(code, docURL, err)
	}
	switch kind {
	case kindSound:
		doc.Verbs = []script.Verb{script.Play{URL: docURL, Loop: 1}}
		return doc, nil
	case kindText:
		if !cleanText(string(body)) {
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
	if docURL != "" && strings.HasPrefix(mt, "audio/") {
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

// cloudVerbs exist in the language but not on this box.
var cloudVerbs = map[string]bool{
	"Enqueue": true, "Leave": true, "Refer": true, "Connect": true, "Start": true, "Stop": true,
	"Sms": true, "Message": true, "Echo": true, "Pay": true, "Prompt": true, "Queue": true,
	"Conference": true, "Application": true, "Sim": true, "WhatsApp": true,
}
