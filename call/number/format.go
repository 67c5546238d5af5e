package number

import (
	"strings"
	"unicode/utf8"
)

// Format writes the number for people in the country iso: grouped, national
// where the number is of that country, else international. Kinds other than
// E164 are written as dialled.
func (n Number) Format(iso string) string {
	if n.Kind != E164 {
		return n.Dialled
	}
	home, _ := Lookup(iso)
	c, known := byCode(n.E164[1:], home)
	if !known {
		return n.E164
	}
	groups := c.group(n.E164[1+len(c.Code):])
	if c.ISO == home.ISO {
		if c.Code == "1" {
			return "(" + groups[0] + ") " + strings.Join(groups[1:], "-")
		}
		groups[0] = c.Trunk + groups[0]
		return strings.Join(groups, " ")
	}
	if c.Code == "1" {
		return "+1 " + strings.Join(groups, "-")
	}
	return "+" + c.Code + " " + strings.Join(groups, " ")
}

// group cuts a national number; it gives at least one group.
func (c Country) group(nsn string) []string {
	for _, g := range c.groups {
		if !strings.HasPrefix(nsn, g.prefix) {
			continue
		}
		var out []string
		for i, size := range g.sizes {
			if i == len(g.sizes)-1 || len(nsn) <= size {
				size = len(nsn)
			}
			if size > 0 {
				out = append(out, nsn[:size])
			}
			nsn = nsn[size:]
		}
		return out
	}
	return []string{nsn}
}

const (
	hidden      = "••••"
	hiddenCount = 4
	shownWhole  = 6 // digits: internal, service and emergency numbers hide nobody
)

// Mask hides the person in an address for logs: the last four digits of a
// telephone number, also of one in the user part of a URI ("+1415555••••",
// "sip:+1415555••••@biloxi.example"). Passwords and headers of a URI are cut.
// Names and internal numbers of up to 6 digits stay readable. It never fails.
func Mask(s string) string {
	scheme, rest := cutScheme(s)
	rest, _, _ = strings.Cut(rest, "?")
	user, host, isURI := strings.Cut(rest, "@")
	if isURI {
		user, _, _ = strings.Cut(user, ":")
		return scheme + maskDigits(user) + "@" + host
	}
	return scheme + maskDigits(rest)
}

// maskDigits hides the last four digits of s if it has more than shownWhole.
func maskDigits(s string) string {
	digits := 0
	for i := range len(s) {
		if s[i] >= '0' && s[i] <= '9' {
			digits++
		}
	}
	if digits <= shownWhole || !utf8.ValidString(s) {
		return s
	}
	left := hiddenCount
	cut := len(s)
	for cut > 0 && left > 0 {
		cut--
		if s[cut] >= '0' && s[cut] <= '9' {
			left--
		}
	}
	return s[:cut] + hidden
}

// cutScheme splits off "sip:", "sips:", "tel:" and "client:" in any case.
func cutScheme(s string) (scheme, rest string) {
	for _, p := range [...]string{"sip:", "sips:", "tel:", "client:"} {
		if len(s) >= len(p) && strings.EqualFold(s[:len(p)], p) {
			return s[:len(p)], s[len(p):]
		}
	}
	return "", s
}
