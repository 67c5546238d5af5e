package laml

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"callbox/call"
)

// attrs are the attributes of one element. A value that cannot be gets a
// warning, and the default is used (for a number that is too large: the limit),
// as in the cloud.
type attrs struct {
	d      *decoder
	n      *node
	values map[string]string
}

// attributes reads the attributes of n, and warns of those that are not known.
// The value of known says whether an attribute does something on this box.
func (d *decoder) attributes(n *node, known map[string]bool) attrs {
	a := attrs{d, n, make(map[string]string, len(n.attrs))}
	for _, x := range n.attrs {
		name := rawName(x.Name)
		if name == "xmlns" || strings.HasPrefix(name, "xmlns:") || strings.HasPrefix(name, "xml:") || strings.HasPrefix(name, "xsi:") {
			continue
		}
		works, ok := known[name]
		if !ok {
			d.warn(n, codeUnknown, "<%s> has no attribute %q; it was ignored", clip(n.name), clip(name))
			continue
		}
		if !works {
			d.warn(n, codeUnsupported, "the attribute %s of <%s> has no effect on this box", name, n.name)
			continue
		}
		a.values[name] = strings.TrimSpace(x.Value)
	}
	return a
}

// text gives a value, def when the attribute is missing.
func (a attrs) text(name, def string) string {
	if s, ok := a.values[name]; ok {
		return s
	}
	return def
}

// integer gives a whole number from lo to hi.
func (a attrs) integer(name string, def, lo, hi int, c Code) int {
	s, ok := a.values[name]
	if !ok {
		return def
	}
	n, err := strconv.Atoi(s)
	used := n
	switch {
	case err != nil || n < lo:
		used = def
	case n > hi:
		used = hi
	default:
		return n
	}
	a.d.warn(a.n, c, "%s=%q of <%s> is not a whole number from %d to %d; %d is used", name, clip(s), a.n.name, lo, hi, used)
	return used
}

// seconds is integer as a duration.
func (a attrs) seconds(name string, def, lo, hi int, c Code) time.Duration {
	return seconds(a.integer(name, def, lo, hi, c))
}

// boolean gives true or false.
func (a attrs) boolean(name string, def bool, c Code) bool {
	s, ok := a.values[name]
	switch {
	case !ok:
	case strings.EqualFold(s, "true"):
		return true
	case strings.EqualFold(s, "false"):
		return false
	default:
		a.d.warn(a.n, c, "%s=%q of <%s> is neither true nor false; %t is used", name, clip(s), a.n.name, def)
	}
	return def
}

// choice gives one of enum; def is the first of it.
func (a attrs) choice(name string, c Code, enum ...string) string {
	s, ok := a.values[name]
	if !ok {
		return enum[0]
	}
	if v, ok := choose(enum, s); ok {
		return v
	}
	a.d.warn(a.n, c, "%s=%q of <%s> is none of %s; %s is used", name, clip(s), a.n.name, strings.Join(enum, ", "), enum[0])
	return enum[0]
}

// keys gives a set of telephone keys, which may be empty.
func (a attrs) keys(name, def string, c Code) string {
	s, ok := a.values[name]
	if !ok {
		return def
	}
	if len(s) > 16 || strings.Trim(s, "0123456789*#") != "" {
		a.d.warn(a.n, c, "%s=%q of <%s> is not made of 0-9 * #; %q is used", name, clip(s), a.n.name, def)
		return def
	}
	return s
}

// hook gives the hook of an attribute with a URL and one with a method. A URL
// that cannot be makes the document useless, because a result would be lost.
func (a attrs) hook(name, method string, c Code) call.Hook {
	s, ok := a.values[name]
	if !ok {
		return call.Hook{}
	}
	u := a.d.resolve(a.n, name, s)
	return call.Hook{URL: u, Method: a.method(method, c)}
}

// action is hook for an attribute that stands for the document itself when it
// is missing or empty.
func (a attrs) action(c Code) call.Hook {
	if s := a.values["action"]; s != "" {
		return a.hook("action", "method", c)
	}
	if a.d.base == nil {
		a.d.warn(a.n, codeBadURL, "<%s> has no action, and an inline document has no address to return to; its result is dropped", a.n.name)
		return call.Hook{}
	}
	return call.Hook{URL: a.d.doc.URL, Method: a.method("method", c)}
}

// method gives GET or POST.
func (a attrs) method(name string, c Code) string { return a.choice(name, c, "POST", "GET") }

// status gives the hook of prefix, prefixMethod and prefixEvent.
func (a attrs) status(prefix string, events map[string]call.EventType, c Code) call.StatusHook {
	h := call.StatusHook{}
	if a.values[prefix] == "" {
		return h
	}
	h.Hook = a.hook(prefix, prefix+"Method", c)
	for word := range strings.FieldsSeq(a.values[prefix+"Event"]) {
		e, ok := events[strings.ToLower(word)]
		if !ok {
			a.d.warn(a.n, codeUnknown, "%sEvent of <%s> holds %q, which is no event; it was ignored", prefix, a.n.name, clip(word))
			continue
		}
		h.Events = append(h.Events, e)
	}
	return h
}

// resolve makes an address absolute, against that of the document.
func (d *decoder) resolve(n *node, what, s string) string {
	u, err := url.Parse(s)
	if err != nil {
		d.fail(n, codeBadURL, "%s of <%s> is not a URL", what, n.name)
		return ""
	}
	abs := s
	if !u.IsAbs() {
		if d.base == nil {
			d.fail(n, codeBadURL, "%s=%q of <%s> is relative, which it cannot be in an inline document", what, clip(s), n.name)
			return ""
		}
		abs = d.base.ResolveReference(u).String()
	}
	if why := badAddress(abs); why != "" {
		d.fail(n, codeBadURL, "%s of <%s> %s", what, n.name, why)
		return ""
	}
	return abs
}
