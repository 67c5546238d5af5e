package number

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// AddressKind is which sort of address was written.
type AddressKind int

const (
	Phone  AddressKind = iota // a telephone number or digits
	SIP                       // a sip: or sips: URI
	Client                    // client:name, a user or phone of the box
)

// String gives the kind's name for logs.
func (k AddressKind) String() string {
	names := [...]string{"phone", "sip", "client"}
	if k < 0 || int(k) >= len(names) {
		return fmt.Sprintf("address(%d)", int(k))
	}
	return names[k]
}

// Param is one name and value, in the order they were written.
type Param struct{ Name, Value string }

// Address is the far end of a call as it was written.
type Address struct {
	Kind AddressKind
	// User is the digits of a Phone (with a leading plus where written), the user
	// part of a SIP URI (decoded, may be empty), or the name of a Client.
	User string
	// Host is a SIP URI's host, lower case, an IPv6 address without brackets.
	Host   string
	Port   int  // of a SIP URI, 0: not written
	Secure bool // the URI was sips:
	// Params are the URI's ;name=value parameters, decoded, names in lower case.
	Params []Param
	// Headers are what followed the question mark, decoded: headers for the INVITE
	// of a SIP URI, custom parameters of a Client.
	Headers []Param
}

// Errors of [ParseAddress], besides those of [Parse]. Each is wrapped with what
// was wrong.
var (
	ErrURI           = errors.New("not a SIP address")
	ErrName          = errors.New("not a client name")
	ErrHeadersLength = errors.New("headers of the address are too long")
	ErrHeaderName    = errors.New("bad header name in the address")
	ErrHeaderValue   = errors.New("bad header value in the address")
)

const (
	maxAddress = 2048 // bytes of a whole address
	maxHeaders = 1024 // bytes of what follows the question mark, as the call APIs
	maxParams  = 32
	maxName    = 121 // characters of a client name, as the call APIs
)

// ParseAddress tells what raw is and takes it apart:
//
//	+14155550100            tel:+1-415-555-0100        a Phone
//	sip:alice@biloxi.example:5060;transport=tcp?X-Tag=1  a SIP URI (RFC 3261 §19.1)
//	client:bob?order=7                                 a Client
//
// It knows no country: a Phone's digits are read further by [Parse]. Headers of
// a SIP URI must be X- headers or User-to-User, so that an address cannot forge
// the message. The error is or wraps one of the errors of this package.
func ParseAddress(raw string) (Address, error) {
	if len(raw) > maxAddress {
		return Address{}, fmt.Errorf("%w: %d characters, at most %d", ErrURI, len(raw), maxAddress)
	}
	s := strings.TrimSpace(raw)
	switch scheme, rest := cutScheme(s); strings.ToLower(scheme) {
	case "sip:":
		return parseSIP(rest, false)
	case "sips:":
		return parseSIP(rest, true)
	case "client:":
		return parseClient(rest)
	}
	d, err := clean(s)
	if err != nil {
		return Address{}, err
	}
	return Address{Kind: Phone, User: d}, nil
}

// String writes the address back in its normal form. A SIP URI comes without
// its headers, ready to be dialled.
func (a Address) String() string {
	switch a.Kind {
	case SIP:
		return a.uri()
	case Client:
		return "client:" + a.User
	}
	return a.User
}

func (a Address) uri() string {
	var b strings.Builder
	b.WriteString("sip")
	if a.Secure {
		b.WriteByte('s')
	}
	b.WriteByte(':')
	if a.User != "" {
		b.WriteString(escape(a.User, userSafe))
		b.WriteByte('@')
	}
	if strings.Contains(a.Host, ":") {
		b.WriteString("[" + a.Host + "]")
	} else {
		b.WriteString(a.Host)
	}
	if a.Port != 0 {
		b.WriteString(":" + strconv.Itoa(a.Port))
	}
	for _, p := range a.Params {
		b.WriteString(";" + escape(p.Name, paramSafe))
		if p.Value != "" {
			b.WriteString("=" + escape(p.Value, paramSafe))
		}
	}
	return b.String()
}

// Param gives the value of a URI parameter, by its name in lower case.
func (a Address) Param(name string) (string, bool) {
	for _, p := range a.Params {
		if p.Name == name {
			return p.Value, true
		}
	}
	return "", false
}

// parseSIP reads what follows "sip:".
func parseSIP(s string, secure bool) (Address, error) {
	a := Address{Kind: SIP, Secure: secure}
	s, query, hasQuery := strings.Cut(s, "?")
	if hasQuery {
		h, err := parseQuery(query)
		if err != nil {
			return Address{}, err
		}
		for _, p := range h {
			if err := checkHeader(p); err != nil {
				return Address{}, err
			}
		}
		a.Headers = h
	}
	// The user part may hold ; and =, so the @ is looked for first. A second @ is
	// not allowed unescaped (RFC 3261 §25.1 userinfo).
	if user, rest, found := strings.Cut(s, "@"); found {
		user, _, _ = strings.Cut(user, ":") // never keep a password
		u, err := unescape(user)
		if err != nil || u == "" || !printable(u) {
			return Address{}, fmt.Errorf("%w: the user part %q cannot be read", ErrURI, user)
		}
		a.User, s = u, rest
	}
	parts := strings.Split(s, ";")
	if err := a.hostPort(parts[0]); err != nil {
		return Address{}, err
	}
	if len(parts)-1 > maxParams {
		return Address{}, fmt.Errorf("%w: more than %d parameters", ErrURI, maxParams)
	}
	for _, p := range parts[1:] {
		name, value, _ := strings.Cut(p, "=")
		n, err1 := unescape(name)
		v, err2 := unescape(value)
		if err1 != nil || err2 != nil || n == "" || !printable(n) || !printable(v) {
			return Address{}, fmt.Errorf("%w: the parameter %q cannot be read", ErrURI, p)
		}
		a.Params = append(a.Params, Param{strings.ToLower(n), v})
	}
	return a, nil
}

// hostPort reads host[:port] into a.
func (a *Address) hostPort(s string) error {
	host, port := s, ""
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return fmt.Errorf("%w: the [ of the host is never closed", ErrURI)
		}
		ip, err := netip.ParseAddr(s[1:end])
		if err != nil || !ip.Is6() || ip.Zone() != "" {
			return fmt.Errorf("%w: %q is not an IPv6 address", ErrURI, s[1:end])
		}
		host, port = ip.String(), s[end+1:]
		if port != "" && port[0] != ':' {
			return fmt.Errorf("%w: %q after the host", ErrURI, port)
		}
		port = strings.TrimPrefix(port, ":")
	} else {
		var hasPort bool
		if host, port, hasPort = strings.Cut(s, ":"); hasPort && port == "" {
			return fmt.Errorf("%w: the port is empty", ErrURI)
		}
		host = strings.ToLower(host)
		if !validHost(host) {
			return fmt.Errorf("%w: %q is not a host name or address", ErrURI, host)
		}
	}
	a.Host = host
	if port == "" {
		return nil
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || port[0] == '+' {
		return fmt.Errorf("%w: %q is not a port (1 to 65535)", ErrURI, port)
	}
	a.Port = int(n)
	return nil
}

// validHost accepts host names and IPv4 addresses. Underscores are tolerated:
// names of containers have them.
func validHost(h string) bool {
	if h == "" || len(h) > 253 {
		return false
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(h, "."), ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			c := label[i]
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return false
			}
		}
	}
	return true
}

// parseClient reads what follows "client:".
func parseClient(s string) (Address, error) {
	a := Address{Kind: Client}
	s, query, hasQuery := strings.Cut(s, "?")
	if hasQuery {
		h, err := parseQuery(query)
		if err != nil {
			return Address{}, err
		}
		a.Headers = h
	}
	name, err := unescape(s)
	if err != nil || name == "" || len(name) > maxName || !printable(name) || strings.ContainsAny(name, "@/\\\"<>") {
		return Address{}, fmt.Errorf("%w: %q (1 to %d printable characters)", ErrName, s, maxName)
	}
	a.User = name
	return a, nil
}

// parseQuery reads a=1&b=2. Values may be empty.
func parseQuery(q string) ([]Param, error) {
	if len(q) > maxHeaders {
		return nil, fmt.Errorf("%w: %d characters, at most %d", ErrHeadersLength, len(q), maxHeaders)
	}
	if q == "" {
		return nil, nil
	}
	var out []Param
	for pair := range strings.SplitSeq(q, "&") {
		name, value, _ := strings.Cut(pair, "=")
		n, err := unescape(name)
		if err != nil || !token(n) {
			return nil, fmt.Errorf("%w: %q", ErrHeaderName, name)
		}
		v, err := unescape(value)
		if err != nil || !printable(v) {
			return nil, fmt.Errorf("%w: %q of %s", ErrHeaderValue, value, n)
		}
		out = append(out, Param{n, v})
		if len(out) > maxParams {
			return nil, fmt.Errorf("%w: more than %d", ErrHeadersLength, maxParams)
		}
	}
	return out, nil
}

// checkHeader lets only headers through that cannot change what the box says.
func checkHeader(p Param) error {
	n := strings.ToLower(p.Name)
	if (strings.HasPrefix(n, "x-") && len(n) > 2) || n == "user-to-user" {
		return nil
	}
	return fmt.Errorf("%w: %q, only X- headers and User-to-User can be sent", ErrHeaderName, p.Name)
}
