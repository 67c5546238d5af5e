package socket

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"callbox/api/jambonz/js"
	"callbox/api/jambonz/shape"
)

// The types of messages to an application.
const (
	typeNew       = "session:new"
	typeAdulting  = "session:adulting" // as session:new, for a leg that was another call's until now
	typeReconnect = "session:reconnect"
	typeRedirect  = "session:redirect"
	typeHook      = "verb:hook"
	typeConfirm   = "dial:confirm"
	typeCall      = "call:status"
	typeVerb      = "verb:status"
	typeQueue     = "queue:status"
	typeError     = "jambonz:error"
)

// message is one message to the application.
type message struct {
	typ, id, call string
	hook          string // how the document wrote it; empty: not told
	data          []byte // a JSON object
	trace         string // that it belongs to, as b3 writes it; empty: not told

	// reply takes the acknowledgement; nil: nobody waits for one.
	reply chan reply
	// takes is the call whose script the verbs of the acknowledgement replace;
	// empty: nobody looks at them.
	takes string
	until time.Time // when the acknowledgement is too late; owned by the session's goroutine
}

// reply is what became of a message.
type reply struct {
	data js.Value // of the acknowledgement, null when it has none
	err  error
}

func newID() string {
	var b [8]byte
	rand.Read(b[:]) // never fails (crypto/rand since Go 1.24)
	return hex.EncodeToString(b[:])
}

// encode writes a message as JSON.
func (m *message) encode() []byte {
	b := append([]byte(`{"type":`), js.Value{Kind: js.Text, Text: m.typ}.String()...)
	for _, f := range []struct{ name, value string }{{"msgid", m.id}, {"call_sid", m.call}, {"hook", m.hook}} {
		if f.value != "" {
			b = append(append(append(b, `,"`...), f.name...), `":`...)
			b = js.Append(b, js.Value{Kind: js.Text, Text: f.value})
		}
	}
	if len(m.data) == 0 {
		m.data = []byte("{}")
	}
	b = append(append(b, `,"data":`...), m.data...)
	if m.trace != "" {
		b = js.Append(append(b, `,"b3":`...), js.Value{Kind: js.Text, Text: m.trace})
	}
	return append(b, '}')
}

// command is a message of the application: an acknowledgement when name is empty.
type command struct {
	name  string
	msgid string
	call  string // the call that it is about; empty: the session's
	queue bool
	data  js.Value
}

// props are the members of an application's message.
var props = shape.Props{
	"type":         {Type: shape.Text, Need: true, Enum: []string{"ack", "command"}},
	"msgid":        {Type: shape.Text},
	"command":      {Type: shape.Text},
	"callSid":      {Type: shape.Text},
	"queueCommand": {Type: shape.Bool},
	"tool_call_id": {Type: shape.Text},
	"data":         {Type: shape.Text | shape.Number | shape.Bool | shape.Map | shape.List},
}

// noData are the commands that need no data.
var noData = map[string]bool{"tts:flush": true, "tts:clear": true, "llm:tool-output": true}

// decode reads a message of the application.
func decode(text []byte) (command, error) {
	v, err := js.Parse(text)
	if err != nil {
		return command{}, fmt.Errorf("the message is not JSON: %w", err)
	}
	o, err := shape.Read(v, "", props, shape.Options{Lax: true})
	if err != nil {
		return command{}, err
	}
	c := command{name: o.Text("command"), msgid: o.Text("msgid"), call: o.Text("callSid"), queue: o.Is("queueCommand"), data: o.Get("data")}
	switch {
	case o.Text("type") == "ack" && c.msgid == "":
		return c, errors.New("an ack needs the msgid of what it acknowledges")
	case o.Text("type") == "ack":
		c.name = ""
	case c.name == "":
		return c, errors.New("a command needs its name in command")
	case c.data.Kind == js.Null && !noData[c.name]:
		return c, fmt.Errorf("the command %s needs data", c.name)
	}
	return c, nil
}
