package laml

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"callbox/api"
	"callbox/api/laml/twiml"
)

// Kind is how a parameter's value is read.
type Kind int

const (
	Text    Kind = iota // up to Max characters
	Link                // an absolute http or https URL
	Verb                // GET or POST
	Integer             // Min…Max
	Bool                // true or false
	Choice              // one of Enum, read without regard to case
	Choices             // several of Enum: repeated, or separated by spaces or commas
	Match               // what Pattern says, see its description in Hint
	Day                 // a date, or a date with time: a span of time
	Ignored             // known, and of no use on this box
)

// Param is one row of a dialect's table of parameters.
type Param struct {
	Name     string
	As       string // the family's name for it; empty: Name
	Kind     Kind
	Min, Max int
	Enum     []string
	Pattern  func(string) bool
	Hint     string // what Pattern wants, to finish "Name is …"
	Code     Code   // of an invalid value; 0: CodeInvalid
	Long     Code   // Text: of a value longer than Max; 0: Code
	Required Code   // of a missing value; 0: not required
}

// Values are the parameters of a request, read by a table.
type Values struct {
	text  map[string]string
	num   map[string]int
	list  map[string][]string
	spans map[string]span
	given map[string]bool // also without a value
}

// span is a stretch of time, both ends inclusive.
type span struct{ from, until time.Time }

// Has reports whether the parameter was given with a value.
func (v Values) Has(name string) bool {
	_, ok := v.text[name]
	return ok
}

// Given reports whether the parameter was given, perhaps to clear its value.
func (v Values) Given(name string) bool { return v.given[name] }

// Text is the value as text, empty when it was not given.
func (v Values) Text(name string) string { return v.text[name] }

// Int is the value of an Integer, or def when it was not given.
func (v Values) Int(name string, def int) int {
	if n, ok := v.num[name]; ok {
		return n
	}
	return def
}

// Bool is the value of a Bool, false when it was not given.
func (v Values) Bool(name string) bool { return v.num[name] == 1 }

// List is the value of Choices, in the order given.
func (v Values) List(name string) []string { return v.list[name] }

// method is the value of a Verb, POST when it was not given.
func (v Values) method(name string) string {
	if m := v.text[name]; m != "" {
		return m
	}
	return "POST"
}

// readValues reads form by table, and names what the table does not know. Empty
// values count as not given, because clients send them for unset options.
// Problems are found in the order of the table.
func readValues(form url.Values, table []Param) (v Values, unknown []string, err error) {
	v = Values{text: map[string]string{}, num: map[string]int{}, list: map[string][]string{}, spans: map[string]span{}, given: map[string]bool{}}
	known := make(map[string]bool, len(table))
	for i := range table {
		p := &table[i]
		known[p.Name] = true
		if form.Has(p.Name) {
			v.given[p.key()] = true
		}
		given := slices.DeleteFunc(slices.Clone(form[p.Name]), func(s string) bool { return s == "" })
		if len(given) == 0 {
			if p.Required != 0 {
				return v, nil, refuse(p.Required, "%s is missing", p.Name)
			}
			continue
		}
		if len(given) > 1 && p.Kind != Choices {
			return v, nil, refuse(p.code(), "%s is given %d times", p.Name, len(given))
		}
		if problem := p.read(&v, given); problem != nil {
			return v, nil, problem
		}
	}
	for name := range form {
		if !known[name] {
			unknown = append(unknown, name)
		}
	}
	sort.Strings(unknown)
	return v, unknown, nil
}

// key is the name by which the value is known.
func (p *Param) key() string {
	if p.As != "" {
		return p.As
	}
	return p.Name
}

func (p *Param) code() Code {
	if p.Code == 0 {
		return CodeInvalid
	}
	return p.Code
}

// read puts the value of p into v.
func (p *Param) read(v *Values, given []string) *Problem {
	s := given[0]
	switch p.Kind {
	case Text:
		if p.Max > 0 && utf8.RuneCountInString(s) > p.Max {
			code := p.Long
			if code == 0 {
				code = p.code()
			}
			return refuse(code, "%s is longer than %d characters", p.Name, p.Max)
		}
	case Link:
		if why := badLink(s); why != "" {
			return refuse(p.code(), "%s %s", p.Name, why)
		}
	case Verb:
		s = strings.ToUpper(s)
		if s != "GET" && s != "POST" {
			return refuse(CodeHTTPMethod, "%s is neither GET nor POST", p.Name)
		}
	case Integer:
		n, err := strconv.Atoi(s)
		if err != nil || n < p.Min || n > p.Max {
			return refuse(p.code(), "%s is not a whole number from %d to %d", p.Name, p.Min, p.Max)
		}
		v.num[p.key()] = n
	case Bool:
		switch strings.ToLower(s) {
		case "true":
			v.num[p.key()] = 1
		case "false":
		default:
			return refuse(p.code(), "%s is neither true nor false", p.Name)
		}
	case Choice:
		c, ok := twiml.Choose(p.Enum, s)
		if !ok {
			return refuse(p.code(), "%s is none of: %s", p.Name, strings.Join(p.Enum, ", "))
		}
		s = c
	case Choices:
		return p.readChoices(v, given)
	case Match:
		if !p.Pattern(s) {
			return refuse(p.code(), "%s is not %s", p.Name, p.Hint)
		}
	case Day:
		sp, ok := parseSpan(s)
		if !ok {
			return refuse(p.code(), "%s is not a date (2006-01-02) or a time (2006-01-02T15:04:05Z)", p.Name)
		}
		v.spans[p.key()] = sp
	case Ignored:
	}
	v.text[p.key()] = s
	return nil
}

// readChoices reads values that may be repeated and separated.
func (p *Param) readChoices(v *Values, given []string) *Problem {
	var list []string
	for _, g := range given {
		for _, word := range strings.FieldsFunc(g, func(c rune) bool { return c == ' ' || c == ',' }) {
			c, ok := twiml.Choose(p.Enum, word)
			if !ok {
				return refuse(p.code(), "%s holds %q, which is none of: %s", p.Name, word, strings.Join(p.Enum, ", "))
			}
			if !slices.Contains(list, c) {
				list = append(list, c)
			}
		}
	}
	v.list[p.key()] = list
	v.text[p.key()] = strings.Join(list, " ")
	return nil
}

// badLink is twiml.BadURL for a URL in a request, which the cloud is stricter with.
func badLink(s string) string {
	if why := twiml.BadURL(s); why != "" {
		return why
	}
	if u, err := url.Parse(s); err != nil || strings.Contains(u.Hostname(), "_") {
		return "has an underscore in its host name"
	}
	return ""
}

// spanLayouts are the forms of a time, with the length of what each of them names.
var spanLayouts = []struct {
	layout string
	length time.Duration
}{
	{time.DateOnly, 24 * time.Hour},
	{time.RFC3339Nano, time.Second},
	{"2006-01-02T15:04:05", time.Second},
	{time.DateTime, time.Second},
	{"2006-01-02T15:04Z07:00", time.Minute},
}

// parseSpan reads a date or a time. Without a zone it is UTC.
func parseSpan(s string) (span, bool) {
	// A "+" that was not percent-encoded arrives as a space: "…T10:00:00 02:00".
	if i := strings.LastIndexByte(s, ' '); i > 0 && strings.Contains(s, "T") {
		s = s[:i] + "+" + s[i+1:]
	}
	for _, l := range spanLayouts {
		t, err := time.Parse(l.layout, s)
		if err == nil {
			t = t.UTC()
			length := l.length
			if length == time.Second {
				t = t.Truncate(time.Second)
			}
			return span{t, t.Add(length - time.Nanosecond)}, true
		}
	}
	return span{}, false
}

// maxPairs bounds the parameters of one request.
const maxPairs = 256

// readForm reads the parameters of a request: the query of a GET, the body of
// everything else. The server bounds the body.
func readForm(r *http.Request) (url.Values, error) {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return parseForm(r.URL.RawQuery)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return nil, err
		}
		return nil, refuse(CodeInvalid, "the body could not be read: %s", err)
	}
	ct := r.Header.Get("Content-Type")
	if ct == "" && len(body) == 0 {
		return url.Values{}, nil
	}
	if mt, _, err := mime.ParseMediaType(ct); err != nil || mt != "application/x-www-form-urlencoded" {
		return nil, fmt.Errorf("%w: send the parameters as application/x-www-form-urlencoded, not as %q", api.ErrContentType, ct)
	}
	return parseForm(string(body))
}

// parseForm reads name=value pairs. Names and values are UTF-8 without control
// characters other than white space.
func parseForm(s string) (url.Values, error) {
	if strings.Count(s, "&") >= maxPairs {
		return nil, refuse(CodeInvalid, "a request has at most %d parameters", maxPairs)
	}
	form, err := url.ParseQuery(s)
	if err != nil {
		return nil, refuse(CodeInvalid, "the parameters are not well encoded: %s", err)
	}
	for name, values := range form {
		if !twiml.CleanText(name) {
			return nil, refuse(CodeInvalid, "a parameter's name is not UTF-8 text")
		}
		for _, v := range values {
			if !twiml.CleanText(v) {
				return nil, refuse(CodeInvalid, "%s is not UTF-8 text, or holds control characters", name)
			}
		}
	}
	return form, nil
}
