package socket

import (
	"context"
	"errors"
	"fmt"
	"time"

	"callbox/api/jambonz/js"
	"callbox/call"
	"callbox/call/script"

	"github.com/coder/websocket"
)

// faultError is an offence of the application that ends its session.
type faultError struct {
	code websocket.StatusCode
	text string
}

func (e *faultError) Error() string { return e.text }

// read takes the messages of a connection until it ends.
func (s *session) read(ctx context.Context, c *websocket.Conn) error {
	faults := 0
	for {
		kind, text, err := c.Read(ctx)
		switch {
		case errors.Is(err, websocket.ErrMessageTooBig):
			return &faultError{websocket.StatusMessageTooBig, fmt.Sprintf("the application sent a message of more than %d bytes", MaxFrame)}
		case err != nil:
			return err
		case kind != websocket.MessageText:
			return &faultError{websocket.StatusUnsupportedData, "the application sent a binary message"}
		}
		m, err := decode(text)
		if err == nil {
			s.take(ctx, m)
			continue
		}
		s.complain(err.Error())
		if faults++; faults == maxFaults {
			return &faultError{websocket.StatusPolicyViolation, "the application sent too many messages that cannot be read"}
		}
	}
}

// take does what a message asks for, or passes it on.
func (s *session) take(ctx context.Context, m command) {
	if m.msgid != "" {
		a := m
		if m.name != "" { // a command may be the answer to a message
			a.data = js.Value{}
		}
		select {
		case s.acks <- a:
		case <-ctx.Done():
			return
		}
	}
	switch {
	case m.name == "":
	case m.name == "redirect" && m.data.Kind == js.List:
		way := script.Instead
		if m.queue {
			way = script.After
		}
		s.order(m, way, m.data)
	case m.name == "config":
		s.order(m, script.Beside, one("config", m.data))
	case m.name == "dial":
		s.order(m, script.Instead, one("dial", m.data))
	case m.name == "tts:tokens":
		s.speak(m.data)
	case m.name == "tts:flush":
		s.speech.flush()
	case m.name == "tts:clear":
		s.speech.clear()
	case properties[m.name] != "":
		select {
		case s.changes <- m:
		default:
			s.complain(m.name + " is refused: too many commands wait to be done")
		}
	default:
		s.complain(fmt.Sprintf("%.60q is not a command that the box knows", m.name))
	}
}

// one is a document of one verb.
func one(verb string, data js.Value) js.Value {
	var o js.Object
	o.Add(verb, data)
	return js.Value{Kind: js.List, List: []js.Value{o.Value()}}
}

// order gives verbs to the script.
func (s *session) order(m command, way script.Way, verbs js.Value) {
	if m.call != "" && m.call != s.call {
		s.complain(m.name + " is refused: verbs are run by the call of this connection only, not by " + m.call)
		return
	}
	doc, err := s.h.document(s, verbs)
	if err != nil {
		s.complain(err.Error())
		// The script goes on as it is, and the call's record says why.
		way, doc = script.After, script.Document{Warnings: []string{"a command of the application was refused: " + err.Error()}}
	}
	select {
	case s.orders <- script.Order{Way: way, Document: doc}:
	default:
		s.complain(m.name + " is refused: too many commands wait to be done")
	}
}

// takeOver runs verbs on a call in place of its script.
func (s *session) takeOver(id string, verbs js.Value) {
	if id == s.call {
		s.order(command{name: "the answer to a notification"}, script.Instead, verbs)
		return
	}
	select {
	case s.changes <- command{name: takeOver, call: id, data: verbs}:
	default:
		s.complain("the answer to a notification is refused: too many commands wait to be done")
	}
}

// takeOver is the name of a command that comes of an acknowledgement.
const takeOver = "(take over)"

// properties name the commands that change a call by what a request to change it
// would say (call-api.md §2.5). The data of a command is the property's value, or
// an object that holds the property.
var properties = map[string]string{
	"redirect": "call_hook", "call:status": "call_status", "mute:status": "mute_status", "record": "record", "dtmf": "dtmf", "tag": "tag",
	"conf:mute-status": "conf_mute_status", "conf:hold-status": "conf_hold_status", "conf:participant-action": "conferenceParticipantAction",
	"listen:status": "listen_status", "stream:status": "stream_status", "transcribe:status": "transcribe_status", "whisper": "whisper",
	"dub": "dub", "sip:request": "sip_request", "boostAudioSignal": "boostAudioSignal", "media:path": "media_path",
}

// changeTime bounds what one command may take.
const changeTime = 10 * time.Second

// work does the commands that change calls, one after the other.
func (s *session) work(ctx context.Context) {
	for {
		select {
		case m := <-s.changes:
			if err := s.change(ctx, m); err != nil && ctx.Err() == nil {
				s.complain(m.name + ": " + err.Error())
			}
		case <-ctx.Done():
			return
		}
	}
}

// change does one.
func (s *session) change(ctx context.Context, m command) error {
	ctx, cancel := context.WithTimeout(ctx, changeTime)
	defer cancel()
	if m.name == takeOver {
		_, err := s.h.calls.Modify(ctx, s.account, m.call, call.Change{Script: &call.ScriptSource{Inline: m.data.String(), Base: public(s.hook.URL)}})
		return err
	}
	body, property := m.data, properties[m.name]
	_, whole := body.Get(property)
	if child, _ := body.Get("child_call_hook"); m.name != "redirect" && !whole || m.name == "redirect" && !whole && child.Kind == js.Null {
		var o js.Object
		o.Add(property, m.data)
		body = o.Value()
	}
	ch, err := s.h.cfg.Dialect.Change(body, public(s.hook.URL), func(text string) {
		s.h.cfg.Log.Info("a command has parts without effect", "call", s.call, "command", m.name, "text", text)
	})
	if err != nil {
		return err
	}
	id := m.call
	if id == "" {
		id = s.call
	}
	if id != s.call { // an application is the master of its call and of those that it dials
		if rec, err := s.h.calls.Call(ctx, s.account, id); err != nil || rec.Parent != s.call {
			return call.ErrNotFound
		}
	}
	_, err = s.h.calls.Modify(ctx, s.account, id, ch)
	return err
}
