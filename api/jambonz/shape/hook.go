package shape

import (
	"net/url"
	"slices"
	"strings"

	"callbox/api/jambonz/js"
	"callbox/call"
)

// HookType is the type of a hook property: an address or an object.
const HookType = Text | Map

// HookProps are the properties of a hook that is an object.
var HookProps = Props{
	"url":      {Type: Text, Need: true},
	"method":   {Type: Text, Enum: []string{"GET", "POST"}, Fold: true},
	"username": {Type: Text},
	"password": {Type: Text},
	"basicAuth": {Type: Map, Props: Props{
		"username": {Type: Text}, "password": {Type: Text},
	}},
}

// HookProp is a hook as a property.
func HookProp() Prop { return Prop{Type: HookType, Props: HookProps} }

// maxURL is the longest address in bytes.
const maxURL = 2048

// Hook gives a hook, none when it is absent or empty. A relative address is
// taken from base; with a nil base it is refused.
func (o Object) Hook(name string, base *url.URL) (call.Hook, error) {
	v, ok := o.v.Get(name)
	if !ok || v.Kind == js.Text && v.Text == "" {
		return call.Hook{}, nil
	}
	h := Object{o.name(name), v}
	member, raw := "url", h.Text("url")
	if v.Kind == js.Text {
		member, raw = "", v.Text
	}
	addr, err := h.address(member, raw, base, "http", "https", "ws", "wss")
	if err != nil {
		return call.Hook{}, err
	}
	out := call.Hook{URL: addr, Method: strings.ToUpper(h.Text("method")), Username: h.Text("username"), Password: h.Text("password")}
	if Socket(addr) && base != nil {
		out.Name = strings.TrimSpace(raw)
	}
	if h.Has("basicAuth") {
		a := h.Object("basicAuth")
		out.Username, out.Password = a.Text("username"), a.Text("password")
	}
	return out, nil
}

// Socket reports whether an address is one of a websocket.
func Socket(addr string) bool {
	return strings.HasPrefix(addr, "ws://") || strings.HasPrefix(addr, "wss://")
}

// Address checks the address raw of a property, taken from base, for use over
// HTTP. What a document that came over a websocket names without a scheme is
// asked for at the same host over HTTP.
func (o Object) Address(name, raw string, base *url.URL) (string, error) {
	if base != nil && Socket(base.String()) {
		b := *base
		b.Scheme = map[string]string{"ws": "http", "wss": "https"}[b.Scheme]
		base = &b
	}
	return o.address(name, raw, base, "http", "https")
}

// SocketAddress checks the address raw of a property, taken from base, for a
// websocket. What a document that came over HTTP names without a scheme is asked
// for at the same host over a websocket.
func (o Object) SocketAddress(name, raw string, base *url.URL) (string, error) {
	if base != nil && !Socket(base.String()) {
		b := *base
		b.Scheme = map[string]string{"http": "ws", "https": "wss"}[b.Scheme]
		base = &b
	}
	return o.address(name, raw, base, "ws", "wss")
}

// address checks an address of one of these schemes.
func (o Object) address(name, raw string, base *url.URL, schemes ...string) (string, error) {
	if len(raw) > maxURL {
		return "", o.Refuse(name, "is longer than %d bytes", maxURL)
	}
	u, err := url.Parse(strings.TrimSpace(raw))
	if err != nil {
		return "", o.Refuse(name, "is not an address: %q", clip(raw))
	}
	if !u.IsAbs() {
		if base == nil {
			return "", o.Refuse(name, "is %q, it must be an absolute %s address", clip(raw), oneOf(schemes))
		}
		u = base.ResolveReference(u)
	}
	if u.Scheme = strings.ToLower(u.Scheme); !slices.Contains(schemes, u.Scheme) {
		return "", o.Refuse(name, "is %q, it must be %s %s address", clip(raw), article(schemes[0]), oneOf(schemes))
	}
	if u.Hostname() == "" {
		return "", o.Refuse(name, "is %q, which names no host", clip(raw))
	}
	return u.String(), nil
}

// article is that of a scheme.
func article(scheme string) string {
	if strings.HasPrefix(scheme, "h") { // "an h…"
		return "an"
	}
	return "a"
}
