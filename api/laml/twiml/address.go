package twiml

import (
	"fmt"
	"net/url"
	"strings"

	"callbox/call"
)

// maxURIHeaders is the most that the headers after a "?" may take.
const maxURIHeaders = 1024

// AddressKind is what an address names.
type AddressKind int

const (
	NoAddress     AddressKind = iota // it is none
	NumberAddress                    // a phone number
	SIPAddress                       // a SIP URI
	ClientAddress                    // a user, phone or port of the box by name
	NameAddress                      // a bare name or name@host, only for callers
)

// Address is a party as the family writes it.
type Address struct {
	Kind    AddressKind
	Value   string // normalised, without the headers
	Headers []call.Header
}

// HeaderError says what is wrong with the headers after the "?" of an address.
type HeaderError struct {
	Code Code // CodeHeadersLong, CodeHeaderName or CodeHeaderValue
	Text string
}

func (e *HeaderError) Error() string { return e.Text }

// ParseAddress reads a party: a number, "sip:user@host;params?X-h=v",
// "client:name?k=v", or a bare name. kind is NoAddress for anything else; the
// problem is about the headers after a "?".
func ParseAddress(s string) (Address, *HeaderError) {
	s = repairPlus(s)
	scheme, rest, hasScheme := strings.Cut(s, ":")
	if !hasScheme {
		return parsePlain(s), nil
	}
	address, query, _ := strings.Cut(rest, "?")
	e := Address{}
	switch scheme = strings.ToLower(scheme); scheme {
	case "sip", "sips":
		if validSIP(address) {
			e = Address{Kind: SIPAddress, Value: scheme + ":" + address}
		}
	case "client":
		if validName(address) {
			e = Address{Kind: ClientAddress, Value: "client:" + address}
		}
	}
	if e.Kind == NoAddress {
		return e, nil
	}
	var problem *HeaderError
	e.Headers, problem = parseHeaders(query, e.Kind == ClientAddress)
	return e, problem
}

// parsePlain reads a number or a bare name.
func parsePlain(s string) Address {
	if n, ok := normalNumber(s); ok {
		return Address{Kind: NumberAddress, Value: n}
	}
	user, host, at := strings.Cut(s, "@")
	if !strings.HasPrefix(s, "+") && validName(user) && (!at || validHost(host)) {
		return Address{Kind: NameAddress, Value: s}
	}
	return Address{}
}

// repairPlus puts back the "+" of a number that was sent without
// percent-encoding and so arrived as a space.
func repairPlus(s string) string {
	if len(s) > 1 && s[0] == ' ' && isDigit(s[1]) {
		s = "+" + s[1:]
	}
	return strings.TrimSpace(s)
}

// normalNumber drops the marks that people write into numbers. What remains is
// "+" and 2 to 15 digits (E.164), or 1 to 32 of 0-9 * #.
func normalNumber(s string) (string, bool) {
	var b strings.Builder
	for i, c := range s {
		switch {
		case c >= '0' && c <= '9', (c == '*' || c == '#') && !strings.HasPrefix(s, "+"), c == '+' && i == 0:
			b.WriteRune(c)
		case c == ' ', c == '-', c == '.', c == '(', c == ')', c == '/', c == '\u00a0':
		default:
			return "", false
		}
	}
	n := b.String()
	if strings.HasPrefix(n, "+") {
		return n, len(n) >= 3 && len(n) <= 16
	}
	return n, len(n) >= 1 && len(n) <= 32
}

// validSIP checks what follows "sip:": an optional user, a host, an optional
// port and parameters (RFC 3261 §19.1.1). The engine parses it again; this keeps
// out what could break a message.
func validSIP(s string) bool {
	if s == "" || len(s) > 512 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' || strings.IndexByte(`<>"\^{|}`+"`", c) >= 0 {
			return false
		}
	}
	host := s
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		if i == 0 {
			return false
		}
		host = s[i+1:]
	}
	host, _, _ = strings.Cut(host, ";")
	return validHost(host)
}

// validHost checks a host name or address with an optional port.
func validHost(s string) bool {
	if strings.HasPrefix(s, "[") {
		inner, port, ok := strings.Cut(s[1:], "]")
		return ok && inner != "" && strings.Trim(inner, "0123456789abcdefABCDEF:.") == "" && validPort(port)
	}
	host, port, hasPort := strings.Cut(s, ":")
	if hasPort && !validPort(":"+port) {
		return false
	}
	if host == "" || len(host) > 253 {
		return false
	}
	for i := range len(host) {
		if c := host[i]; !isDigit(c) && !isLetter(c) && c != '.' && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// validPort checks "" or ":1" to ":65535".
func validPort(s string) bool {
	if s == "" {
		return true
	}
	n := 0
	for i := 1; i < len(s); i++ {
		if !isDigit(s[i]) || len(s) > 6 {
			return false
		}
		n = n*10 + int(s[i]-'0')
	}
	return s[0] == ':' && n >= 1 && n <= 65535
}

// validName checks the name of a user of the box.
func validName(s string) bool {
	if s == "" || len(s) > 121 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isDigit(c) && !isLetter(c) && strings.IndexByte("_.-+", c) < 0 {
			return false
		}
	}
	return true
}

// ParseHeaders reads the "X-a=b&X-c=d" after the "?" of a number.
func ParseHeaders(query string) ([]call.Header, *HeaderError) { return parseHeaders(query, false) }

// parseHeaders reads the "a=b&c=d" after a "?". SIP headers are X- headers or
// User-to-User; a client's parameters become X- headers.
func parseHeaders(query string, client bool) ([]call.Header, *HeaderError) {
	if query == "" {
		return nil, nil
	}
	if len(query) > maxURIHeaders {
		return nil, &HeaderError{CodeHeadersLong, fmt.Sprintf("the headers after the ? are longer than %d bytes", maxURIHeaders)}
	}
	var list []call.Header
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if client {
			name = "X-" + name
		}
		if !ValidHeaderName(name) {
			return nil, &HeaderError{CodeHeaderName, fmt.Sprintf("the header %q is neither an X- header nor User-to-User", name)}
		}
		v, err := url.PathUnescape(value)
		if err != nil || !CleanText(v) || strings.ContainsAny(v, "\r\n") {
			return nil, &HeaderError{CodeHeaderValue, fmt.Sprintf("the value of the header %s is not text", name)}
		}
		list = append(list, call.Header{Name: name, Value: v})
	}
	return list, nil
}

// ValidHeaderName reports whether a document or request may set the header.
func ValidHeaderName(s string) bool {
	if strings.EqualFold(s, "User-to-User") {
		return true
	}
	if len(s) < 3 || (s[0] != 'X' && s[0] != 'x') || s[1] != '-' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isDigit(c) && !isLetter(c) && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
