package speech

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// prepare makes a text safe for the child, and tells whether it is SSML.
func prepare(text string) (clean string, ssml bool, err error) {
	if len(text) > MaxText {
		return "", false, fmt.Errorf("%w: %d bytes, at most %d", ErrText, len(text), MaxText)
	}
	if !utf8.ValidString(text) {
		return "", false, fmt.Errorf("%w: not UTF-8", ErrText)
	}
	text = strings.TrimSpace(text)
	if ssml = strings.HasPrefix(text, "<speak"); ssml {
		clean, err = rewrite(text)
	} else {
		clean = plain(text)
	}
	if err != nil {
		return "", false, err
	}
	if strings.TrimSpace(clean) == "" {
		return "", false, fmt.Errorf("%w: it is empty", ErrText)
	}
	return clean, ssml, nil
}

// plain takes out what espeak-ng would take for a command: control characters
// (ctrl-A starts one) and code points of private use become spaces, and a space
// comes between two opening brackets, which would start phoneme names.
func plain(text string) string {
	var b strings.Builder
	last := ' '
	for _, r := range text {
		if unicode.IsControl(r) || unicode.Is(unicode.Co, r) {
			r = ' '
		}
		if r == '[' && last == '[' {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
		last = r
	}
	return b.String()
}

// allowed lists the SSML elements that reach espeak-ng, with their attributes.
// The text within all other elements is spoken, as if they were not there.
var allowed = map[string][]string{
	"p":        nil,
	"s":        nil,
	"break":    {"time", "strength"},
	"prosody":  {"rate", "pitch", "volume", "range"},
	"emphasis": {"level"},
	"say-as":   {"interpret-as", "format", "detail"},
}

// readings are the ways to read a text aloud that applications name, and espeak-ng's
// own names for them; it reads what it does not know as a word or a number.
var readings = map[string]string{
	"digits": "tts:digits", "number:digits": "tts:digits", "digit": "tts:digits",
	"spell-out": "characters", "verbatim": "characters", "letters": "characters",
}

// pitches are the words for a pitch, as parts of the voice's own. espeak-ng's own
// meaning of them, 5 % each, is not heard.
var pitches = map[string]float64{"x-low": 0.75, "low": 0.8, "medium": 1, "default": 1, "high": 1.25, "x-high": 1.5}

// pitchSpan is by how many octaves espeak-ng moves a voice at "+100%": measured, as
// about that part of it at smaller values and below.
const pitchSpan = 0.68

// pitchOf gives what to write for a pitch so that it is heard as it was meant: a word, a
// change in percent or in semitones (SSML 1.1 §3.2.4). Others, in hertz, stay as they
// are. A voice goes as far down as 0.7 and up as 1.6 times its own pitch.
func pitchOf(v string) string {
	ratio, ok := pitches[strings.ToLower(v)]
	if number, found := strings.CutSuffix(v, "%"); !ok && found && strings.ContainsAny(v[:1], "+-") {
		n, err := strconv.ParseFloat(number, 64)
		ratio, ok = max(1+n/100, 0.1), err == nil && !math.IsNaN(n)
	} else if number, found = strings.CutSuffix(v, "st"); !ok && found {
		n, err := strconv.ParseFloat(number, 64)
		ratio, ok = math.Exp2(n/12), err == nil && !math.IsNaN(n)
	}
	if !ok {
		return v
	}
	return fmt.Sprintf("%+.0f%%", 100*min(max(math.Log2(ratio)/pitchSpan, -1), 1))
}

// unspoken are elements whose text is not for the ear.
var unspoken = map[string]bool{"metadata": true, "meta": true, "desc": true, "lexicon": true}

// value is what an attribute may hold: "x-strong", "+10%", "500ms", "dmy".
var value = regexp.MustCompile(`^[A-Za-z0-9+%. -]{1,32}$`)

// tag is what a language may look like (BCP 47).
var tag = regexp.MustCompile(`^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,3}$`)

const maxDepth = 32

// rewriter writes SSML anew.
type rewriter struct {
	out   strings.Builder
	open  []string // closing tag of each open element, "" when it was left out
	skip  int      // depth of the element whose text is left out, 0 when none
	trail byte     // last byte of text written: markup between two brackets may vanish
}

// rewrite gives SSML with nothing but the allowed elements and attributes in it.
func rewrite(text string) (string, error) {
	d := xml.NewDecoder(strings.NewReader(text))
	var w rewriter
	spoken := false
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", fmt.Errorf("%w: SSML: %w", ErrText, err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			if len(w.open) >= maxDepth {
				return "", fmt.Errorf("%w: SSML nested deeper than %d", ErrText, maxDepth)
			}
			if len(w.open) == 0 && (spoken || t.Name.Local != "speak") {
				return "", fmt.Errorf("%w: SSML is one speak element", ErrText)
			}
			spoken = true
			w.start(t)
		case xml.EndElement:
			w.end()
		case xml.CharData:
			w.text(string(t))
		case xml.Directive:
			return "", fmt.Errorf("%w: SSML with a DOCTYPE", ErrText)
		}
	}
	return w.out.String(), nil
}

// start writes the opening tag of an allowed element.
func (w *rewriter) start(t xml.StartElement) {
	name, closing := t.Name.Local, ""
	depth := len(w.open) + 1
	attrs, ok := allowed[name]
	switch {
	case w.skip > 0:
	case unspoken[name]:
		w.skip = depth
	case name == "speak" && depth == 1, name == "lang":
		closing = w.language(t, name)
	case name == "sub":
		if alias := attr(t, "alias"); alias != "" {
			w.text(alias) // spoken instead of what is inside
			w.skip = depth
		}
	case ok:
		w.out.WriteString("<" + name)
		for _, a := range attrs {
			v := attr(t, a)
			if own, ok := readings[strings.ToLower(v)]; ok && a == "interpret-as" {
				v = own
			} else if !value.MatchString(v) {
				continue
			}
			if a == "pitch" {
				v = pitchOf(v)
			}
			fmt.Fprintf(&w.out, ` %s="%s"`, a, v)
		}
		w.out.WriteString(">")
		closing = "</" + name + ">"
	}
	w.open = append(w.open, closing)
}

// language writes speak and lang. espeak-ng knows lang only as voice.
func (w *rewriter) language(t xml.StartElement, name string) (closing string) {
	if name == "speak" {
		w.out.WriteString("<speak>")
		closing = "</speak>"
	}
	lang := attr(t, "lang")
	if !tag.MatchString(lang) {
		return closing
	}
	v, known := espeakLanguage(lang)
	if !known {
		return closing
	}
	fmt.Fprintf(&w.out, `<voice xml:lang="%s">`, v)
	return "</voice>" + closing
}

// end writes the closing tag.
func (w *rewriter) end() {
	last := len(w.open) - 1
	if w.skip == 0 {
		w.out.WriteString(w.open[last])
	}
	if w.skip == last+1 {
		w.skip = 0
	}
	w.open = w.open[:last]
}

// text writes what is to be spoken.
func (w *rewriter) text(s string) {
	if w.skip > 0 || s == "" || len(w.open) == 0 {
		return
	}
	s = plain(s)
	if w.trail == '[' && s[0] == '[' {
		w.out.WriteByte(' ')
	}
	w.trail = s[len(s)-1]
	escape.WriteString(&w.out, s) //nolint:errcheck // a strings.Builder does not fail
}

var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// attr is the value of an attribute, whatever its prefix.
func attr(t xml.StartElement, name string) string {
	for _, a := range t.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}
