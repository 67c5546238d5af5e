package sipleg

import (
	"fmt"
	"strings"

	"callbox/call"
	"callbox/sip"
)

// UserOf is the user part of a URI, a name-addr or a bare value: the number in
// "sip:+15550100;phone-context=x@biloxi.example", `"Bob" <sip:bob@biloxi.example>;tag=1`
// and "tel:+1-555-0100". Empty when there is none.
func UserOf(s string) string {
	s = addrOf(s)
	scheme, rest, ok := strings.Cut(s, ":")
	if !ok {
		return ""
	}
	switch strings.ToLower(scheme) {
	case "sip", "sips":
		user, _, found := strings.Cut(rest, "@")
		if !found {
			return ""
		}
		user, _, _ = strings.Cut(user, ":") // a password (RFC 3261 §19.1.1)
		user, _, _ = strings.Cut(user, ";")
		return unescape(user)
	case "tel": // RFC 3966: visual separators do not count
		number, _, _ := strings.Cut(rest, ";")
		return strings.NewReplacer("-", "", ".", "", "(", "", ")", "").Replace(number)
	}
	return ""
}

// HostOf is the "host" or "host:port" of a SIP URI, with or without brackets
// around it; empty when there is none.
func HostOf(s string) string {
	s = addrOf(s)
	scheme, rest, ok := strings.Cut(s, ":")
	if !ok || !strings.EqualFold(scheme, "sip") && !strings.EqualFold(scheme, "sips") {
		return ""
	}
	if _, after, found := strings.Cut(rest, "@"); found {
		rest = after
	}
	if i := strings.IndexAny(rest, ";?>"); i >= 0 {
		rest = rest[:i]
	}
	return rest
}

// addrOf takes the URI out of a name-addr.
func addrOf(s string) string {
	s = strings.TrimSpace(s)
	// A display name in quotes may contain a bracket.
	if strings.HasPrefix(s, `"`) {
		for i := 1; i < len(s); i++ {
			if s[i] == '\\' {
				i++
			} else if s[i] == '"' {
				s = s[i+1:]
				break
			}
		}
	}
	if _, after, ok := strings.Cut(s, "<"); ok {
		s, _, _ = strings.Cut(after, ">")
	}
	return strings.TrimSpace(s)
}

const hexDigits = "0123456789ABCDEF"

// userChars are allowed in a user part besides letters and digits (RFC 3261
// §25.1, unreserved and user-unreserved).
const userChars = "-_.!~*'()&=+$,/"

// EscapeUser writes a number or name as the user part of a URI: '#' becomes %23.
func EscapeUser(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.IndexByte(userChars, c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hexDigits[c>>4])
		b.WriteByte(hexDigits[c&15])
	}
	return b.String()
}

func unescape(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			hi, lo := strings.IndexByte(hexDigits, upper(s[i+1])), strings.IndexByte(hexDigits, upper(s[i+2]))
			// Control characters stay as they are written.
			if hi >= 2 && lo >= 0 {
				b.WriteByte(byte(hi<<4 | lo))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func upper(c byte) byte {
	if c >= 'a' && c <= 'z' {
		return c - 'a' + 'A'
	}
	return c
}

// Caller is the user part to show for a caller given as a number, a name or a
// SIP URI; "anonymous" when there is none (RFC 3323 §4.1.1.3).
func Caller(from string) string {
	if u := UserOf(from); u != "" {
		from = u
	}
	if from == "" {
		from = "anonymous"
	}
	return EscapeUser(from)
}

// Headers makes the headers of an outgoing INVITE: the caller's own and, for a
// text to be displayed, Subject. A header that would break the message is an
// error, a call.Cause.
func Headers(d call.Dial) ([]sip.Header, error) {
	var out []sip.Header
	for _, h := range d.Headers {
		if !validName(h.Name) || strings.ContainsFunc(h.Value, control) {
			return nil, call.Cause{
				Q850: call.Q850Interworking, SIP: 400, Who: call.Box,
				Text: fmt.Sprintf("the SIP header %q cannot be sent", clean(h.Name)),
			}
		}
		out = append(out, sip.Header{Name: h.Name, Value: h.Value})
	}
	if s := clean(d.Reason); s != "" {
		out = append(out, sip.Header{Name: "Subject", Value: s})
	}
	return out, nil
}

func control(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

// validName reports whether s is a token (RFC 3261 §25.1).
func validName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && !strings.ContainsRune("-.!%*_+`'~", r)
	})
}

// Header is the first value of a header of an arriving INVITE, empty without.
func Header(headers []sip.Header, name string) string {
	for _, h := range headers {
		if strings.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

// Extensions are the X- headers of an arriving INVITE, at most 32.
func Extensions(headers []sip.Header) []call.Header {
	var out []call.Header
	for _, h := range headers {
		if len(h.Name) > 2 && strings.EqualFold(h.Name[:2], "X-") && len(out) < 32 {
			out = append(out, call.Header{Name: h.Name, Value: h.Value})
		}
	}
	return out
}

// Credentials turns a call's credentials into those of the stack; nil stays nil.
func Credentials(c *call.Credentials) *sip.Credentials {
	if c == nil {
		return nil
	}
	return &sip.Credentials{Username: c.Username, Password: c.Password}
}
