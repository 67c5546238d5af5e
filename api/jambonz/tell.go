package jambonz

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"callbox/api"
	"callbox/api/jambonz/js"
	"callbox/api/jambonz/shape"
	"callbox/call"
)

// updateCall changes a call, or sends its far end a request. An unknown call is
// told before anything in the request is looked at.
func (s rest) updateCall(w http.ResponseWriter, q request) {
	_, err := s.h.Calls.Call(q.Context(), q.Account.ID, q.Call)
	var o shape.Object
	if err == nil {
		o, err = readBody(q.Request, updateProps)
	}
	if err == nil && o.Has("sip_request") {
		s.tellFarEnd(w, q, o)
		return
	}
	if err != nil {
		s.WriteError(w, q.Request.Request, err)
		return
	}
	s.h.UpdateCall(w, q.Request, update{s, o})
}

// tellFarEnd sends the far end of a call the request in o, and answers with what
// that answered.
func (s rest) tellFarEnd(w http.ResponseWriter, q request, o shape.Object) {
	err := oneAction(o)
	var m call.SIPMessage
	if err == nil {
		m, err = messageOf(o.Object("sip_request"))
	}
	s.h.TellWarnings(w, q.Request)
	if err == nil && s.h.Teller == nil {
		err = o.Unable("sip_request", "cannot be used here: the box cannot send SIP requests within a call")
	}
	var res call.SIPResponse
	if err == nil {
		res, err = s.h.Teller.Tell(q.Context(), q.Account.ID, q.Call, m)
	}
	if err != nil {
		s.WriteError(w, q.Request.Request, err)
		return
	}
	var out js.Object
	out.Number("status", float64(res.Status))
	out.Text("reason", res.Reason)
	writeJSON(w, http.StatusOK, out.Value())
}

// runs are the methods by which a call is run. Nobody else may send them.
var runs = []string{"INVITE", "ACK", "BYE", "CANCEL", "UPDATE", "PRACK", "REGISTER"}

// maxContent is the longest content of a request in bytes.
const maxContent = 16 << 10

// messageOf reads a request that is to be sent within a call.
func messageOf(o shape.Object) (call.SIPMessage, error) {
	m := call.SIPMessage{Method: strings.ToUpper(o.Text("method")), ContentType: o.Text("content_type"), Body: o.Text("content")}
	switch {
	case !shape.Token(m.Method) || len(m.Method) > 32:
		return m, o.Refuse("method", "is %q, which is not the name of a SIP method", o.Text("method"))
	case slices.Contains(runs, m.Method):
		return m, o.Refuse("method", "is %s, by which the box runs the call itself", m.Method)
	case len(m.Body) > maxContent:
		return m, o.Refuse("content", "is longer than %d bytes", maxContent)
	}
	if typ, sub, ok := strings.Cut(m.ContentType, "/"); !ok || !shape.Token(typ) || len(m.ContentType) > 128 || sub == "" || strings.ContainsAny(sub, "\r\n") {
		return m, o.Refuse("content_type", "is %q, which is not a media type such as text/plain", m.ContentType)
	}
	var err error
	m.Headers, err = o.Headers("headers")
	return m, err
}

// messageCallback is the message about a request of the far end. Verbs in its
// answer take over the call.
func (d *Dialect) messageCallback(ev call.Event) []api.Outgoing {
	rec := *ev.Record
	if rec.Session.Messages.IsZero() || ev.Message == nil {
		return nil
	}
	var headers js.Object
	headers.Some("content-type", ev.Message.ContentType)
	names := []string{"content-type"}
	for _, h := range ev.Message.Headers {
		if name := strings.ToLower(h.Name); !slices.Contains(names, name) {
			names = append(names, name)
			headers.Text(name, h.Value)
		}
	}
	o := d.common(rec)
	o.Text("sip_method", ev.Message.Method)
	o.Text("sip_body", ev.Message.Body)
	o.Object("sip_headers", headers)
	out := d.outgoing(rec.Session.Messages, rec, o)
	ev.Note = ev.At.Format(time.RFC3339Nano)
	out.Token = eventToken(rec, ev)
	out.Call = rec.ID
	return []api.Outgoing{out}
}
