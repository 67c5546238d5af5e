package verbs

import (
	"slices"
	"strings"

	"callbox/api/jambonz/js"
	"callbox/api/jambonz/shape"
	"callbox/call"
	"callbox/call/script"
)

// runs are the SIP methods by which the box runs a call itself.
var runs = []string{"INVITE", "ACK", "BYE", "CANCEL", "UPDATE", "PRACK", "REGISTER", "REFER"}

// maxBody is the longest body of a request in bytes.
const maxBody = 16 << 10

// request decodes a sip:request. The type of its body is the header Content-Type,
// else plain text.
func (d *decoder) request(o shape.Object) ([]script.Verb, error) {
	v := script.Request{Message: call.SIPMessage{Method: strings.ToUpper(o.Text("method")), Body: o.Text("body")}}
	m := &v.Message
	switch {
	case !shape.Token(m.Method) || len(m.Method) > 32:
		return nil, o.Refuse("method", "is %q, which is not the name of a SIP method", o.Text("method"))
	case slices.Contains(runs, m.Method):
		return nil, o.Refuse("method", "is %s, by which the box runs the call itself", m.Method)
	case len(m.Body) > maxBody:
		return nil, o.Refuse("body", "is longer than %d bytes", maxBody)
	}
	if m.Body != "" {
		m.ContentType = "text/plain"
	}
	var err error
	if m.Headers, err = d.requestHeaders(o, &m.ContentType); err != nil {
		return nil, err
	}
	v.Action, err = o.Hook("actionHook", d.base)
	return []script.Verb{v}, err
}

// requestHeaders reads headers, of which Content-Type goes into kind.
func (d *decoder) requestHeaders(o shape.Object, kind *string) ([]call.Header, error) {
	h := o.Get("headers")
	rest := js.Value{Kind: js.Map}
	for _, m := range h.Members {
		if strings.EqualFold(m.Name, "content-type") && m.Value.Kind == js.Text {
			*kind = m.Value.Text
			if typ, sub, ok := strings.Cut(*kind, "/"); !ok || !shape.Token(typ) || len(*kind) > 128 || sub == "" || strings.ContainsAny(sub, "\r\n") {
				return nil, o.Refuse("headers", "holds the content type %q, which is not a media type such as text/plain", *kind)
			}
			continue
		}
		rest.Members = append(rest.Members, m)
	}
	headers, err := shape.Read(js.Value{Kind: js.Map, Members: []js.Member{{Name: "headers", Value: rest}}}, o.Path, shape.Props{"headers": {Type: shape.Map}}, shape.Options{})
	if err != nil {
		return nil, err
	}
	return headers.Headers("headers")
}

// refer decodes a sip:refer.
func (d *decoder) refer(o shape.Object) ([]script.Verb, error) {
	v := script.Refer{Resume: true}
	var err error
	to := o.Text("referTo")
	if n, ok := shape.Digits(to); ok { // a number means one of the far end's own network
		v.Referral.To = "tel:" + n
	} else if v.Referral.To, err = o.SIPAddress("referTo"); err != nil {
		return nil, err
	}
	if v.Referral.By, err = o.SIPAddress("referredBy"); err != nil {
		return nil, err
	}
	if v.Referral.As = o.Text("referredByDisplayName"); len(v.Referral.As) > maxCaller || strings.ContainsAny(v.Referral.As, "\r\n") {
		return nil, o.Refuse("referredByDisplayName", "is not one line of at most %d bytes", maxCaller)
	}
	if v.Referral.Headers, err = o.Headers("headers"); err != nil {
		return nil, err
	}
	if v.Action, err = o.Hook("actionHook", d.base); err != nil {
		return nil, err
	}
	v.Events, err = o.Hook("eventHook", d.base)
	return []script.Verb{v}, err
}

// message decodes a message.
func (d *decoder) message(o shape.Object) ([]script.Verb, error) {
	v := script.Message{To: o.Text("to"), From: o.Text("from"), Body: o.Text("text")}
	if n, ok := shape.Digits(v.To); ok {
		v.To = n
	}
	if n, ok := shape.Digits(v.From); ok {
		v.From = n
	}
	if v.Body == "" {
		return nil, o.Refuse("text", "is missing: the box sends texts")
	}
	if len(v.Body) > maxBody {
		return nil, o.Refuse("text", "is longer than %d bytes", maxBody)
	}
	var err error
	v.Action, err = o.Hook("actionHook", d.base)
	return []script.Verb{v}, err
}

// dub decodes a dub.
func (d *decoder) dub(o shape.Object) ([]script.Verb, error) {
	t, err := Dub(o, d.base, d.warn)
	if err != nil {
		return nil, err
	}
	return []script.Verb{script.Change{Verb: "dub", Change: call.Change{Tracks: []call.Track{t}}}}, nil
}

// dubs reads the tracks of a dial: one dub, or an array of them.
func (d *decoder) dubs(o shape.Object) (out []call.Track, err error) {
	list := o.Objects("dub")
	if o.Get("dub").Kind == js.Map {
		list = []shape.Object{o.Object("dub")}
	}
	for _, x := range list {
		t, err := Dub(x, d.base, d.warn)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

// The properties of these verbs.
var (
	requestProps = shape.Props{
		"method": {Type: shape.Text, Need: true}, "body": {Type: shape.Text}, "headers": {Type: shape.Map}, "actionHook": shape.HookProp(),
	}
	referProps = shape.Props{
		"referTo": {Type: shape.Text, Need: true}, "referredBy": {Type: shape.Text}, "referredByDisplayName": {Type: shape.Text},
		"headers": {Type: shape.Map}, "actionHook": shape.HookProp(), "eventHook": shape.HookProp(),
	}
	messageProps = shape.Props{
		"to": {Type: shape.Text, Need: true}, "from": {Type: shape.Text, Need: true}, "text": {Type: shape.Text}, "actionHook": shape.HookProp(),
		"carrier": {Type: shape.Text, Idle: "the routes decide on the line"}, "account_sid": {Type: shape.Text}, "message_sid": {Type: shape.Text},
		"media": {Type: shape.Text | shape.List, Idle: "the box sends texts only"},
	}
)
