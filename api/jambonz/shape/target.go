package shape

import (
	"net/url"
	"strings"

	"callbox/api/jambonz/js"
	"callbox/call"
	"callbox/call/script"
)

// authProps are SIP credentials.
var authProps = Props{"username": {Type: Text, Need: true}, "password": {Type: Text, Need: true}}

// TargetProps are the properties of somebody to be called (call-api.md §1.1).
var TargetProps = Props{
	"type":       {Type: Text, Need: true, Enum: []string{"phone", "sip", "user", "teams"}},
	"number":     {Type: Text},
	"sipUri":     {Type: Text},
	"name":       {Type: Text},
	"trunk":      {Type: Text},
	"auth":       {Type: Map, Props: authProps},
	"proxy":      {Type: Text},
	"overrideTo": {Type: Text},
	"tenant":     {Type: Text},
	"vmail":      {Type: Bool},
	"voicemail":  {Type: Bool},
	"headers":    {Type: Map},
	"from":       {Type: Map, Props: Props{"user": {Type: Text}, "host": {Type: Text}}},
	"method":     {Type: Text, Enum: []string{"GET", "POST"}, Fold: true},
	// Only a document can ask the callee first.
	"confirmHook": HookProp(),
}

// maxHeaders bounds the headers of one target.
const maxHeaders = 32

// Target reads somebody to be called. Relative hooks are taken from base.
func (o Object) Target(base *url.URL) (script.Target, error) {
	t, err := o.party()
	if err != nil {
		return t, err
	}
	if trunk := o.Text("trunk"); trunk != "" {
		if t.Kind != script.ToNumber || t.Line != "" {
			return t, o.Refuse("trunk", "goes with a phone number only")
		}
		t.Line = trunk
	}
	if t.SIP.Proxy, err = o.SIPAddress("proxy"); err != nil {
		return t, err
	}
	if t.SIP.ToURI, err = o.SIPAddress("overrideTo"); err != nil {
		return t, err
	}
	if o.Has("auth") {
		a := o.Object("auth")
		t.Auth = &call.Credentials{Username: a.Text("username"), Password: a.Text("password")}
		if strings.ContainsAny(t.Auth.Username, "\r\n\"") || strings.ContainsAny(t.Auth.Password, "\r\n") {
			return t, o.Refuse("auth", "holds quotes or line ends")
		}
	}
	if t.Headers, err = o.Headers("headers"); err != nil {
		return t, err
	}
	if o.Has("from") {
		from := o.Object("from")
		if t.SIP.FromHost, err = from.Host("host"); err != nil {
			return t, err
		}
		t.From = from.Text("user")
		if len(t.From) > maxParty {
			return t, from.Refuse("user", "is longer than %d bytes", maxParty)
		}
	}
	if t.Screen, err = o.Hook("confirmHook", base); err != nil {
		return t, err
	}
	if m := o.Text("method"); m != "" && t.Screen.Method == "" && !t.Screen.IsZero() {
		t.Screen.Method = strings.ToUpper(m)
	}
	return t, nil
}

// maxParty is the longest number, name or address in bytes.
const maxParty = 256

// party reads who a target is.
func (o Object) party() (script.Target, error) {
	property := map[string]string{"phone": "number", "sip": "sipUri", "user": "name", "teams": "number"}[o.Text("type")]
	raw := strings.TrimSpace(o.Text(property))
	switch {
	case raw == "":
		return script.Target{}, Refuse("%s is missing: a target of type %s needs it", o.name(property), o.Text("type"))
	case len(raw) > maxParty:
		return script.Target{}, o.Refuse(property, "is longer than %d bytes", maxParty)
	}
	switch o.Text("type") {
	case "phone":
		n, err := o.number(raw)
		return script.Target{Kind: script.ToNumber, To: n}, err
	case "sip":
		uri, err := o.SIPAddress(property)
		return script.Target{Kind: script.ToSIP, To: uri}, err
	case "user":
		return o.user(raw)
	}
	return o.teams(raw)
}

// number reads a phone number.
func (o Object) number(raw string) (string, error) {
	n, ok := Digits(raw)
	if !ok {
		return "", o.Refuse("number", "is %q, which is not a phone number", clip(raw))
	}
	return n, nil
}

// teams reads somebody who is called by Microsoft Teams: by the trunk of the tenant,
// or of any when none is named.
func (o Object) teams(raw string) (script.Target, error) {
	n, err := o.number(raw)
	t := script.Target{Kind: script.ToNumber, To: n}
	if err != nil {
		return t, err
	}
	tenant, err := o.Host("tenant")
	if err != nil {
		return t, err
	}
	t.Line = call.TeamsLine + tenant
	if o.Is("vmail") || o.Is("voicemail") {
		t.SIP.URIParams = "opaque=app:voicemail"
	}
	return t, nil
}

// user reads the name of a user of the box. The realm behind an @ is dropped:
// the box has one realm, its own.
func (o Object) user(raw string) (script.Target, error) {
	name, _, _ := strings.Cut(strings.TrimPrefix(raw, "sip:"), "@")
	if name == "" || len(name) > 121 || strings.ContainsFunc(name, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && !strings.ContainsRune("_.-+", r)
	}) {
		return script.Target{}, o.Refuse("name", "is %q, which is not the name of a user (name or name@realm)", clip(raw))
	}
	return script.Target{Kind: script.ToUser, To: name}, nil
}

// Digits drops the marks that people write into numbers. What remains is "+" and
// 2 to 15 digits (E.164), or 1 to 32 of 0-9 * #.
func Digits(s string) (string, bool) {
	var b strings.Builder
	for i, c := range s {
		switch {
		case c >= '0' && c <= '9', (c == '*' || c == '#') && !strings.HasPrefix(s, "+"), c == '+' && i == 0:
			b.WriteRune(c)
		case strings.ContainsRune(" -.()/\u00a0", c):
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

// SIPAddress gives a SIP URI, empty when it is absent. "user@host" and "host"
// become URIs. The engine reads it again; this keeps out what would break a
// message.
func (o Object) SIPAddress(name string) (string, error) {
	s := strings.TrimSpace(o.Text(name))
	if s == "" {
		return "", nil
	}
	scheme, rest, ok := strings.Cut(s, ":")
	switch scheme = strings.ToLower(scheme); {
	case ok && (scheme == "sip" || scheme == "sips"):
		s = scheme + ":" + rest
	default:
		s, rest = "sip:"+s, s
	}
	if len(rest) > 512 || strings.ContainsFunc(rest, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("<>\"\\^{|}`", r) }) {
		return "", o.Refuse(name, "is %q, which is not a SIP address (sip:user@host)", clip(o.Text(name)))
	}
	host := rest
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		host = rest[i+1:]
	}
	host, _, _ = strings.Cut(host, "?")
	host, _, _ = strings.Cut(host, ";")
	if !validHost(host) {
		return "", o.Refuse(name, "is %q, which is not a SIP address (sip:user@host)", clip(o.Text(name)))
	}
	return s, nil
}

// Host gives the name or address of a host, empty when it is absent.
func (o Object) Host(name string) (string, error) {
	h := strings.TrimSpace(o.Text(name))
	if h != "" && !validHost(h) {
		return "", o.Refuse(name, "is %q, which is not the name or address of a host", clip(h))
	}
	return h, nil
}

// validHost checks a name or address with an optional port.
func validHost(s string) bool {
	u, err := url.Parse("//" + s)
	if err != nil || u.Host != s || u.Hostname() == "" || len(s) > 260 || strings.HasSuffix(s, ":") {
		return false
	}
	return !strings.ContainsFunc(u.Hostname(), func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && !strings.ContainsRune(".-_:", r)
	})
}

// Headers gives SIP headers in the order in which they were written. Names that
// the box itself writes are refused when the call is placed.
func (o Object) Headers(name string) ([]call.Header, error) {
	v := o.Get(name)
	if len(v.Members) > maxHeaders {
		return nil, o.Refuse(name, "holds more than %d headers", maxHeaders)
	}
	var out []call.Header
	for _, m := range v.Members {
		switch m.Value.Kind {
		case js.Null:
			continue
		case js.List, js.Map:
			return nil, o.Refuse(name, "holds the header %q, whose value is not a text", clip(m.Name))
		}
		value := m.Value.Text
		if m.Value.Kind != js.Text {
			value = m.Value.String()
		}
		switch {
		case !Token(m.Name):
			return nil, o.Refuse(name, "holds %q, which is not the name of a header", clip(m.Name))
		case own[strings.ToLower(m.Name)]:
			return nil, o.Refuse(name, "holds the header %s, which the box writes itself", m.Name)
		case len(value) > 1024 || !cleanText(value) || strings.ContainsAny(value, "\r\n"):
			return nil, o.Refuse(name, "holds the header %s, whose value is not one line of at most 1024 bytes", m.Name)
		}
		out = append(out, call.Header{Name: m.Name, Value: value})
	}
	return out, nil
}

// own are the headers that make an INVITE what it is (RFC 3261 §20): those that
// the SIP side interprets, and those of session timers (RFC 4028).
var own = map[string]bool{
	"via": true, "v": true, "from": true, "f": true, "to": true, "t": true, "call-id": true, "i": true, "cseq": true,
	"contact": true, "m": true, "max-forwards": true, "route": true, "record-route": true, "content-type": true, "c": true,
	"content-length": true, "l": true, "content-encoding": true, "e": true, "allow": true, "supported": true, "k": true,
	"require": true, "proxy-require": true, "authorization": true, "proxy-authorization": true, "www-authenticate": true,
	"proxy-authenticate": true, "user-agent": true, "server": true, "reason": true, "accept": true,
	"session-expires": true, "x": true, "min-se": true,
}

// Token reports whether s is a token of SIP (RFC 3261 §25.1).
func Token(s string) bool {
	return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && !strings.ContainsRune("-.!%*_+`'~", r)
	})
}
