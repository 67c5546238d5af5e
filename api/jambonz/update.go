package jambonz

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	"callbox/api"
	"callbox/api/jambonz/js"
	"callbox/api/jambonz/shape"
	"callbox/api/jambonz/verbs"
	"callbox/call"
)

// updateProps are the properties of a change of a call (call-api.md §2.5). Those
// of what the box cannot do are still checked, so that a mistake is told as one.
var updateProps = shape.Props{
	"call_hook":        shape.HookProp(),
	"child_call_hook":  shape.HookProp(),
	"call_status_hook": shape.HookProp(),
	"call_status":      {Type: shape.Text, Enum: []string{"completed", "no-answer"}},
	"tag":              {Type: shape.Map},

	"mute_status":      {Type: shape.Text, Enum: []string{"mute", "unmute"}},
	"conf_mute_status": {Type: shape.Text, Enum: []string{"mute", "unmute"}},
	"conf_hold_status": {Type: shape.Text, Enum: []string{"hold", "unhold"}},
	"waitHook":         shape.HookProp(),
	"conferenceParticipantAction": {Type: shape.Map, Props: shape.Props{
		"action": {Type: shape.Text, Need: true, Enum: []string{"tag", "untag", "coach", "uncoach", "mute", "unmute", "hold", "unhold", "kick"}},
		"tag":    {Type: shape.Text}, "wait_hook": shape.HookProp(),
	}},
	"whisper":           {Type: shape.Map | shape.List},
	"listen_status":     {Type: shape.Text, Enum: []string{"pause", "silence", "resume"}},
	"stream_status":     {Type: shape.Text, Enum: []string{"pause", "silence", "resume"}},
	"transcribe_status": {Type: shape.Text, Enum: []string{"pause", "resume"}},
	"record": {Type: shape.Map, Props: shape.Props{
		"action": {Type: shape.Text, Need: true, Enum: []string{"startCallRecording", "stopCallRecording", "pauseCallRecording", "resumeCallRecording"}},
		"type":   {Type: shape.Text, Enum: []string{"siprec", "cloud"}}, "recordingID": {Type: shape.Text},
		"siprecServerURL": {Type: shape.Text | shape.List}, "headers": {Type: shape.Map},
	}},
	"dtmf": {Type: shape.Map, Props: shape.Props{"digit": {Type: shape.Text, Need: true}, "duration": {Type: shape.Number}}},
	"sip_request": {Type: shape.Map, Props: shape.Props{
		"method": {Type: shape.Text, Need: true}, "content_type": {Type: shape.Text, Need: true}, "content": {Type: shape.Text, Need: true},
		"headers": {Type: shape.Map},
	}},
	"dub":              {Type: shape.Map, Props: verbs.DubProps},
	"boostAudioSignal": {Type: shape.Number | shape.Text},
	"media_path":       {Type: shape.Text, Enum: []string{"no-media", "partial-media", "full-media"}},
}

// unableActions are the actions that the box cannot do, and why.
var unableActions = map[string]string{
	"mute_status": "the box cannot mute a party", "conf_mute_status": "the box has no conferences", "conf_hold_status": "the box has no conferences",
	"conferenceParticipantAction": "the box has no conferences", "whisper": "the box cannot whisper into a connection",
	"listen_status": "the box does not stream sound to a websocket", "stream_status": "the box does not stream sound to a websocket",
	"transcribe_status": "the box has no recogniser of speech", "record": "the box cannot record by request during a call",
	"dtmf": "the box cannot send keys by request during a call", "sip_request": "the box cannot send SIP requests within a call",
	"dub": "the box cannot mix tracks into a call", "boostAudioSignal": "the box does not change the loudness of a call",
	"media_path": "the box keeps the sound of its calls on their way",
}

// companions go with another action, not alone.
var companions = map[string]string{"call_status_hook": "call_hook", "waitHook": "conf_hold_status"}

// ReadChange reads a change of a call: exactly one action, except that call_hook
// and child_call_hook may come together, and whisper with any other.
func (s rest) ReadChange(q *api.Request, _ call.Record) (call.Change, error) {
	o, err := readBody(q, updateProps)
	if err != nil {
		return call.Change{}, err
	}
	return readChange(o, nil)
}

// Change reads a change of a call that its own application asks for. Relative
// addresses are taken from base. The error is a *shape.Problem.
func (*Dialect) Change(body js.Value, base string, warn func(string)) (call.Change, error) {
	from, err := url.Parse(base)
	if err != nil {
		return call.Change{}, shape.Refuse("the application's own address is not a URL")
	}
	o, err := shape.Read(body, "", updateProps, shape.Options{Warn: warn, Lax: true})
	if err != nil {
		return call.Change{}, err
	}
	return readChange(o, from)
}

// readChange makes the change of a checked object.
func readChange(o shape.Object, base *url.URL) (call.Change, error) {
	if err := oneAction(o); err != nil {
		return call.Change{}, err
	}
	var c call.Change
	for name, to := range map[string]**call.ScriptSource{"call_hook": &c.Script, "child_call_hook": &c.Child} {
		h, err := o.Hook(name, base)
		if err != nil {
			return c, err
		}
		if !h.IsZero() {
			*to = &call.ScriptSource{Main: h}
		}
	}
	status, err := o.Hook("call_status_hook", base)
	if err != nil {
		return c, err
	}
	if !status.IsZero() {
		c.Status = &call.StatusHook{Hook: status, Events: slices.Clone(allEvents)}
	}
	c.Complete = o.Has("call_status") // either value ends the call, answered or not
	if o.Has("tag") {
		tag := o.Get("tag").String()
		if len(tag) > maxData {
			return c, o.Refuse("tag", "is longer than %d bytes", maxData)
		}
		c.Tag = &tag
	}
	return c, nil
}

// oneAction checks that exactly one action is asked for, and that the box can do
// it.
func oneAction(o shape.Object) error {
	var actions []string
	for _, name := range slices.Sorted(maps.Keys(updateProps)) {
		if !o.Has(name) {
			continue
		}
		if with, ok := companions[name]; ok {
			if !o.Has(with) {
				return o.Refuse(name, "goes with %s only", with)
			}
			continue
		}
		actions = append(actions, name)
	}
	pair := slices.Equal(actions, []string{"call_hook", "child_call_hook"}) || len(actions) == 2 && slices.Contains(actions, "whisper")
	switch {
	case len(actions) == 0:
		return shape.Refuse("there is nothing to do: give one of %s", strings.Join(slices.DeleteFunc(slices.Sorted(maps.Keys(updateProps)),
			func(n string) bool { return companions[n] != "" || unableActions[n] != "" }), ", "))
	case len(actions) > 1 && !pair:
		return shape.Refuse("%s are asked for together: one request does one thing", strings.Join(actions, " and "))
	}
	for _, name := range actions {
		if why, ok := unableActions[name]; ok {
			return o.Unable(name, "cannot be used here: %s", why)
		}
	}
	return nil
}
