package route

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"callbox/call/number"
)

// Form is how a number is written before a rule's Strip and Add.
type Form string

const (
	Matched  Form = ""         // as it matched the rule
	E164     Form = "e164"     // +14155550100, where the number has this form
	Plain    Form = "plain"    // 14155550100: E.164 without plus
	National Form = "national" // as dialled in the country: 0151…, 00…
	Dialled  Form = "dialled"  // as it was written, without punctuation
)

// Rule sends the numbers that it matches to lines. A number is matched in its
// E.164 form ("+1415…") and, if that does not match, as it was dialled.
type Rule struct {
	Name string // unique, for people and the record
	// Prefix that the number starts with; Pattern is an RE2 expression that must
	// match all of it. At most one is set; with neither the rule matches every
	// number, or every emergency number of the country if Emergency is set.
	Prefix, Pattern string
	// Lines are tried in this order, by Line.ID.
	Lines []string
	Form  Form
	Strip int    // characters to take off the front, a plus counts as one
	Add   string // digits to put before what is left
	// Emergency puts the rule before everything else, whatever its place.
	Emergency bool
	// Failover lists the causes after which the next line is tried; empty: the
	// default set, see [DefaultFailover]. An emergency call fails over on every
	// cause but the caller's own hang-up.
	Failover []Condition
}

// Config is what a table is made of.
type Config struct {
	Country string // ISO 3166-1 alpha-2: how local numbers are read, which are emergencies
	Rules   []Rule
	// Names maps what a user or phone is called by (its name, its number, in lower
	// case) to its line.
	Names map[string]string
	// Domains are host names and addresses that mean the box itself in a SIP URI,
	// without port, in lower case.
	Domains []string
	// URILines are tried, in order, for SIP URIs of other hosts.
	URILines []string
	// OpenLines are tried, in order, for numbers that no rule matches, with the
	// number as E.164 where it has that form.
	OpenLines []string
	// Known lists every line; nil: lines are not checked.
	Known []string
}

// Limits of a table. Compile refuses more.
const (
	MaxRules   = 1000
	MaxLines   = 32  // per rule
	MaxPattern = 256 // bytes of a pattern or prefix
	MaxAdd     = 32  // digits
	MaxStrip   = 32
)

// Table is a checked Config.
type Table struct {
	country  string
	rules    []rule // emergency rules first, else in order
	names    map[string]string
	domains  []string
	uriLines []string
	open     []string
	known    []string
}

type rule struct {
	Rule
	pattern  *regexp.Regexp // nil without Pattern
	failover failover
}

// ConfigError names the field of a Config that cannot be used.
type ConfigError struct {
	Field string // "rules[2].pattern"
	Text  string // what is wrong and what to do
}

func (e *ConfigError) Error() string { return e.Field + ": " + e.Text }

// Compile checks c and makes a table of it. The error is a *ConfigError. c may
// be changed afterwards.
func Compile(c Config) (*Table, error) {
	if len(c.Rules) > MaxRules {
		return nil, &ConfigError{"rules", fmt.Sprintf("%d rules, at most %d", len(c.Rules), MaxRules)}
	}
	t := &Table{
		country: c.Country, names: make(map[string]string, len(c.Names)),
		uriLines: slices.Clone(c.URILines), open: slices.Clone(c.OpenLines), known: slices.Clone(c.Known),
	}
	for _, d := range c.Domains {
		t.domains = append(t.domains, strings.ToLower(d))
	}
	for name, line := range c.Names {
		if err := t.checkLine("names["+name+"]", line); err != nil {
			return nil, err
		}
		t.names[strings.ToLower(name)] = line
	}
	for _, line := range c.URILines {
		if err := t.checkLine("uri_lines", line); err != nil {
			return nil, err
		}
	}
	for _, line := range c.OpenLines {
		if err := t.checkLine("open_lines", line); err != nil {
			return nil, err
		}
	}
	seen := map[string]bool{}
	for i, r := range c.Rules {
		field := fmt.Sprintf("rules[%d]", i)
		if r.Name == "" || seen[r.Name] {
			return nil, &ConfigError{field + ".name", fmt.Sprintf("%q is empty or used twice, give each rule its own name", r.Name)}
		}
		seen[r.Name] = true
		cr, err := t.compileRule(field, r)
		if err != nil {
			return nil, err
		}
		t.rules = append(t.rules, cr)
	}
	slices.SortStableFunc(t.rules, func(a, b rule) int {
		switch {
		case a.Emergency == b.Emergency:
			return 0
		case a.Emergency:
			return -1
		}
		return 1
	})
	return t, nil
}

func (t *Table) checkLine(field, line string) error {
	if line == "" {
		return &ConfigError{field, "names no line"}
	}
	if t.known != nil && !slices.Contains(t.known, line) {
		return &ConfigError{field, fmt.Sprintf("there is no line %q", line)}
	}
	return nil
}

func (t *Table) compileRule(field string, r Rule) (rule, error) {
	bad := func(sub, format string, args ...any) (rule, error) {
		return rule{}, &ConfigError{field + "." + sub, fmt.Sprintf(format, args...)}
	}
	r.Lines, r.Failover = slices.Clone(r.Lines), slices.Clone(r.Failover)
	out := rule{Rule: r}
	switch {
	case r.Prefix != "" && r.Pattern != "":
		return bad("pattern", "a rule has a prefix or a pattern, not both")
	case len(r.Prefix) > MaxPattern || len(r.Pattern) > MaxPattern:
		return bad("pattern", "longer than %d characters", MaxPattern)
	case strings.Trim(r.Prefix, "+0123456789*#") != "" || strings.LastIndexByte(r.Prefix, '+') > 0:
		return bad("prefix", "%q must be digits, * and #, with at most a plus in front", r.Prefix)
	case len(r.Lines) == 0:
		return bad("lines", "the rule names no line")
	case len(r.Lines) > MaxLines:
		return bad("lines", "%d lines, at most %d", len(r.Lines), MaxLines)
	case r.Strip < 0 || r.Strip > MaxStrip:
		return bad("strip", "%d is not 0 to %d", r.Strip, MaxStrip)
	case len(r.Add) > MaxAdd || strings.Trim(r.Add, "+0123456789*#ABCDwW,") != "" || strings.LastIndexByte(r.Add, '+') > 0:
		return bad("add", "%q must be at most %d digits, with at most a plus in front", r.Add, MaxAdd)
	}
	switch r.Form {
	case Matched, E164, Plain, National, Dialled:
	default:
		return bad("form", "%q is not e164, plain, national, dialled or empty", r.Form)
	}
	for i, line := range r.Lines {
		if err := t.checkLine(fmt.Sprintf("%s.lines[%d]", field, i), line); err != nil {
			return rule{}, err
		}
		if slices.Contains(r.Lines[:i], line) {
			return bad("lines", "%q is named twice", line)
		}
	}
	if r.Pattern != "" {
		re, err := regexp.Compile("^(?:" + r.Pattern + ")$")
		if err != nil {
			return bad("pattern", "%q is not a regular expression: %v", r.Pattern, err)
		}
		out.pattern = re
	}
	f, err := compileFailover(r.Failover)
	if err != nil {
		return bad("failover", "%v", err)
	}
	out.failover = f
	return out, nil
}

// match gives the form of n that the rule matches.
func (r *rule) match(n number.Number) (string, bool) {
	for _, s := range [...]string{n.E164, n.Dialled} {
		if s == "" {
			continue
		}
		switch {
		case r.pattern != nil:
			if r.pattern.MatchString(s) {
				return s, true
			}
		case strings.HasPrefix(s, r.Prefix):
			return s, true
		}
	}
	return "", false
}

// rewrite gives the digits to dial for n, which matched as matched.
func (r *rule) rewrite(n number.Number, matched string) string {
	s := matched
	switch r.Form {
	case E164:
		s = n.String()
	case Plain:
		s = strings.TrimPrefix(n.String(), "+")
	case National:
		s = n.Local
	case Dialled:
		s = n.Dialled
	}
	return r.Add + s[min(r.Strip, len(s)):]
}
