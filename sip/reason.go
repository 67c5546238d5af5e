package sip

import (
	"strconv"
	"strings"

	gosip "github.com/emiago/sipgo/sip"
)

// reasonHeaders writes r as Reason headers (RFC 3326 §2), Q.850 first.
func reasonHeaders(r Reason) []gosip.Header {
	var hs []gosip.Header
	add := func(protocol string, cause int) {
		v := protocol + ";cause=" + strconv.Itoa(cause)
		if r.Text != "" {
			v += `;text="` + quoteName(r.Text) + `"`
		}
		hs = append(hs, gosip.NewHeader("Reason", v))
	}
	if r.Q850 > 0 && r.Q850 < 128 {
		add("Q.850", r.Q850)
	}
	if r.SIP >= 200 && r.SIP < 700 {
		add("SIP", r.SIP)
	}
	return hs
}

// reasonOf reads the Reason headers of a message. What does not parse is as if
// it were not there.
func reasonOf(m gosip.Message) Reason {
	var r Reason
	for _, h := range m.GetHeaders("Reason") {
		for _, v := range splitQuoted(h.Value(), ',') {
			parts := splitQuoted(v, ';')
			cause, text := 0, ""
			for _, p := range parts[1:] {
				k, val, _ := strings.Cut(p, "=")
				val = strings.TrimSpace(val)
				switch strings.ToLower(strings.TrimSpace(k)) {
				case "cause":
					cause, _ = strconv.Atoi(val)
				case "text":
					text = unquoteName(unquoted(val))
				}
			}
			switch protocol := strings.ToUpper(strings.TrimSpace(parts[0])); {
			case protocol == "Q.850" && cause > 0 && cause < 128:
				r.Q850 = cause
			case protocol == "SIP" && cause >= 200 && cause < 700:
				r.SIP = cause
			default:
				continue
			}
			if r.Text == "" {
				r.Text = text
			}
		}
	}
	return r
}

// warningOf reads the first Warning of a message (RFC 3261 §20.43): its code and
// text, such as "305 Incompatible media format". Who warns is left out: it is a
// host's name that says nothing to people. What does not parse is as if it were
// not there.
func warningOf(m gosip.Message) string {
	for _, h := range m.GetHeaders("Warning") {
		for _, v := range splitQuoted(h.Value(), ',') {
			code, rest, _ := strings.Cut(strings.TrimSpace(v), " ")
			_, text, _ := strings.Cut(strings.TrimSpace(rest), " ")
			n, err := strconv.Atoi(code)
			text = unquoteName(unquoted(strings.TrimSpace(text)))
			if err == nil && n >= 100 && n <= 999 && text != "" {
				return code + " " + text
			}
		}
	}
	return ""
}

// unquoted takes one pair of quotes off.
func unquoted(s string) string {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}

// splitQuoted splits at sep outside of double quotes; always at least one part.
func splitQuoted(s string, sep byte) []string {
	var parts []string
	start, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == sep && !quoted:
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	return append(parts, s[start:])
}
