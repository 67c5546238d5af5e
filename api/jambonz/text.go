package jambonz

import (
	"callbox/api"
	"callbox/api/jambonz/js"
	"callbox/call"
)

// TextRequest tells the messaging hook of an application of a text message that has
// arrived; the answer is an array of verbs, of which message sends a reply.
func (d *Dialect) TextRequest(h call.Hook, m call.Message) api.Outgoing {
	var o js.Object
	o.Text("carrier", m.Line)
	o.Text("messageSid", m.ID)
	o.Text("message_sid", m.ID)
	o.Text("accountSid", d.sid(m.Account))
	o.Text("account_sid", d.sid(m.Account))
	o.Text("from", m.From)
	o.Text("to", m.To)
	o.Text("text", m.Body)
	return d.outgoing(h, call.Record{Account: m.Account}, o)
}

// TextCallback tells the hook of a message what has become of it; the API's own
// clients set none, but an application's message verb of the box may.
func (d *Dialect) TextCallback(m call.Message) []api.Outgoing {
	var o js.Object
	o.Text("message_sid", m.ID)
	o.Text("account_sid", d.sid(m.Account))
	o.Text("from", m.From)
	o.Text("to", m.To)
	o.Text("message_status", string(m.Status))
	o.Some("message_failure_reason", m.Error)
	return []api.Outgoing{d.outgoing(m.Hook, call.Record{Account: m.Account}, o)}
}

var _ api.TextDialect = (*Dialect)(nil)
