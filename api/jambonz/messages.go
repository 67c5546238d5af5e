package jambonz

import (
	"net/http"

	"callbox/api"
	"callbox/api/jambonz/js"
	"callbox/api/jambonz/shape"
	"callbox/call"
)

// messageProps are the properties of a text message.
var messageProps = shape.Props{
	"from": {Type: shape.Text, Need: true}, "to": {Type: shape.Text, Need: true}, "text": {Type: shape.Text},
	"media":       {Type: shape.Text | shape.List, Unable: "the box sends texts only"},
	"carrier":     {Type: shape.Text, Idle: "the routes decide on the line"},
	"account_sid": {Type: shape.Text}, "message_sid": {Type: shape.Text},
}

// maxBody is the longest text of a message in characters.
const maxBody = 1600

// readMessage reads a request for a text message.
func (s rest) readMessage(q request) (call.Message, error) {
	o, err := readBody(q.Request, messageProps)
	if err != nil {
		return call.Message{}, err
	}
	m := call.Message{ID: s.NewID(api.MessageID), API: Name, Account: q.Account.ID, Direction: call.OutboundAPI, Body: o.Text("text")}
	for name, to := range map[string]*string{"from": &m.From, "to": &m.To} {
		number, ok := shape.Digits(o.Text(name))
		if !ok {
			return m, o.Refuse(name, "is %q, which is not a phone number", clipped(o.Text(name)))
		}
		*to = number
	}
	switch n := len([]rune(m.Body)); {
	case n == 0:
		return m, o.Refuse("text", "is missing: it is what the message says")
	case n > maxBody:
		return m, o.Refuse("text", "is longer than %d characters", maxBody)
	}
	return m, nil
}

// sendMessage sends a text message over a line of the box.
func (s rest) sendMessage(w http.ResponseWriter, q request) {
	m, err := s.readMessage(q)
	s.h.TellWarnings(w, q.Request)
	if err == nil && s.h.Messages == nil {
		err = call.ErrNoMessenger
	}
	if err == nil {
		ctx, cancel := api.ActContext(q.Request)
		defer cancel()
		m, err = s.h.Messages.SendMessage(ctx, m)
	}
	if err != nil {
		s.WriteError(w, q.Request.Request, err)
		return
	}
	var o js.Object
	o.Text("sid", m.ID)
	writeJSON(w, http.StatusCreated, o.Value())
}
