package shape

import (
	"net/url"
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
	if v.Kind == js.Text {
		addr, err := h.Address("", v.Text, base)
		return call.Hook{URL: addr}, err
	}
	addr, err := h.Address("url", h.Text("url"), base)
	if err != nil {
		return call.Hook{}, err
	}
	out := call.Hook{URL: addr, Method: strings.ToUpper(h.Text("method")), Username: h.Text("username"), Password: h.Text("password")}
	if h.Has("basicAuth") {
		a := h.Object("basicAuth")
		out.Username, out.Password = a.Text("username"), a.Text("password")
	}
	return out, nil
}

// Address checks the address raw of a property, taken from base, for use over
// HTTP.
func (o Object) Address(name, raw string, base *url.URL) (string, error) {
	if len(raw) > maxURL {
		return "", o.Refuse(name, "is longer than %d bytes", maxURL)
	}
	u, err := url.Parse(strings.TrimSpace(raw))
	if err != nil {
		return "", o.Refuse(name, "is not an address: %q", clip(raw))
	}
	if !u.IsAbs() {
		if base == nil {
			return "", o.Refuse(name, "is %q, it must be an absolute http or https address", clip(raw))
		}
		u = base.ResolveReference(u)
	}
	switch u.Scheme = strings.ToLower(u.Scheme); u.Scheme {
	case "http", "https":
	case "ws", "wss":
		return "", o.Unable(name, "is a websocket address, and the box asks applications over http and https only")
	default:
		return "", o.Refuse(name, "is %q, it must be an http or https address", clip(raw))
	}
	if u.Hostname() == "" {
		return "", o.Refuse(name, "is %q, which names no host", clip(raw))
	}
	return u.String(), nil
}
