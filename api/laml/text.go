package laml

import (
	"strconv"

	"callbox/api"
	"callbox/call"
)

// TextRequest asks h what to do about a text message that has arrived: the same
// parameters as a document's request, with those of the message in place of the
// call's (https://www.twilio.com/docs/messaging/guides/webhook-request).
func (d *Dialect) TextRequest(h call.Hook, m call.Message) api.Outgoing {
	f := d.textForm(m, string(call.MessageReceived))
	f.Add("Body", m.Body)
	f.Add("NumSegments", strconv.Itoa(max(m.Segments, 1)))
	f.Add("NumMedia", "0")
	o := d.outgoing(h, call.Record{Account: m.Account}, f)
	o.Token = eventToken(m.ID, "text")
	return o
}

// TextCallback tells the hook of a message what has become of it.
func (d *Dialect) TextCallback(m call.Message) []api.Outgoing {
	if m.Status == call.MessageQueued && m.Error != "" {
		return nil // it is tried again
	}
	f := d.textForm(m, string(m.Status))
	if m.Status == call.MessageFailed || m.Status == call.MessageUndelivered {
		f.Add("ErrorCode", strconv.Itoa(messageFailed))
		f.Some("ErrorMessage", m.Error)
	}
	o := d.outgoing(m.Hook, call.Record{Account: m.Account}, f)
	o.Token = eventToken(m.ID, string(m.Status))
	return []api.Outgoing{o}
}

// textForm is what every request about a text message says.
func (d *Dialect) textForm(m call.Message, status string) Form {
	var f Form
	f.Add("MessageSid", m.ID)
	f.Add("SmsSid", m.ID)
	if m.Direction == call.Inbound {
		f.Add("SmsMessageSid", m.ID)
	}
	f.Add("AccountSid", d.sid(m.Account))
	f.Add("From", m.From)
	f.Add("To", m.To)
	f.Add("SmsStatus", status)
	if m.Direction != call.Inbound {
		f.Add("MessageStatus", status)
	}
	f.Add("ApiVersion", d.p.Version)
	return f
}

var _ api.TextDialect = (*Dialect)(nil)
