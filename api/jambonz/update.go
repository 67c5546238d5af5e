package jambonz

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

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
	"record":            {Type: shape.Map, Props: verbs.RecordProps},
	"dtmf":              {Type: shape.Map, Props: shape.Props{"digit": {Type: shape.Text, Need: true}, "duration": {Type: shape.Number}}},
	"sip_request": {Type: shape.Map, Props: shape.Props{
		"method": {Type: shape.Text, Need: true}, "content_type": {Type: shape.Text, Need: true}, "content": {Type: shape.Text, Need: true},
		"headers": {Type: shape.Map},
	}},
	"dub":              {Type: shape.Map, Props: verbs.DubProps},
	"boostAudioSignal": {Type: shape.Number | shape.Text},
	"media_path":       {Type: shape.Text, Enum: []string{"no-media", "partial-media", "full-media"}},
	"amd":              {Type: shape.Map, Props: shape.AMDProps},
}

// companions go with another action, not alone.
var companions = map[string]string{"call_status_hook": "call_hook", "waitHook": "conf_hold_status"}

// update is the shape of a change whose body has been read.
type update struct {
	rest
	o shape.Object
}

// ReadChange reads a change of a call: exactly one action, except that call_hook
// and child_call_hook may come together, and whisper with any other.
func (s update) ReadChange(q *api.Request, _ call.Record) (call.Change, error) {
	return readChange(s.o, nil, q.Warn)
}

// ReadChange reads a change of a call.
func (s rest) ReadChange(q *api.Request, rec call.Record) (call.Change, error) {
	o, err := readBody(q, updateProps)
	if err != nil {
		return call.Change{}, err
	}
	return update{s, o}.ReadChange(q, rec)
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
	return readChange(o, from, warn)
}

// readChange makes the change of a checked object. warn takes what has no effect.
func readChange(o shape.Object, base *url.URL, warn func(string)) (call.Change, error) {
	var c call.Change
	if err := oneAction(o); err != nil {
		return c, err
	}
	for _, read := range []func(shape.Object, *url.URL, *call.Change) error{readHooks, readSound, readRecord, readParticipant} {
		if err := read(o, base, &c); err != nil {
			return c, err
		}
	}
	if o.Has("dub") {
		t, err := verbs.Dub(o.Object("dub"), base, warn)
		if err != nil {
			return c, err
		}
		c.Tracks = append(c.Tracks, t)
	}
	if o.Has("whisper") {
		t, err := verbs.Whisper("whisper", o.Get("whisper"), base, warn)
		if err != nil {
			return c, err
		}
		c.Tracks = append(c.Tracks, t)
	}
	if o.Has("amd") {
		a, err := o.Object("amd").AMD(base)
		if err != nil {
			return c, err
		}
		c.AMD = a
	}
	if o.Has("sip_request") {
		m, err := messageOf(o.Object("sip_request"))
		if err != nil {
			return c, err
		}
		c.Tell = &m
	}
	c.Complete = o.Has("call_status") // either value ends the call, answered or not
	switch o.Text("media_path") {
	case "no-media":
		c.Path = call.PathDirect
	case "partial-media", "full-media":
		c.Path = call.PathThrough
	}
	return c, nil
}

// readHooks reads what is to run on a call and whom to tell of it, and its tag.
func readHooks(o shape.Object, base *url.URL, c *call.Change) error {
	for name, to := range map[string]**call.ScriptSource{"call_hook": &c.Script, "child_call_hook": &c.Child} {
		h, err := o.Hook(name, base)
		if err != nil {
			return err
		}
		if !h.IsZero() {
			*to = &call.ScriptSource{Main: h}
		}
	}
	status, err := o.Hook("call_status_hook", base)
	if err != nil {
		return err
	}
	if !status.IsZero() {
		c.Status = &call.StatusHook{Hook: status, Events: slices.Clone(allEvents)}
	}
	if o.Has("transcribe_status") {
		pause := o.Text("transcribe_status") == "pause"
		c.TranscribePaused = &pause
	}
	if o.Has("tag") {
		tag := o.Get("tag").String()
		if len(tag) > maxData {
			return o.Refuse("tag", "is longer than %d bytes", maxData)
		}
		c.Tag = &tag
	}
	return nil
}

// keyLength is how long a key is pressed unless the request says otherwise.
const keyLength = 250 * time.Millisecond

// readSound reads what changes the sound of the call.
func readSound(o shape.Object, _ *url.URL, c *call.Change) error {
	if o.Has("mute_status") {
		c.Muted = ptr(o.Text("mute_status") == "mute")
	}
	var err error
	if c.Loudness, err = verbs.DB(o, "boostAudioSignal"); err != nil {
		return err
	}
	if !o.Has("dtmf") {
		return nil
	}
	d := o.Object("dtmf")
	k := call.Keys{Keys: strings.ToUpper(d.Text("digit")), Length: keyLength}
	if len(k.Keys) != 1 || !strings.Contains("0123456789*#ABCD", k.Keys) {
		return d.Refuse("digit", "is %q, it must be one of 0-9 * # A-D", d.Text("digit"))
	}
	length, ok, err := d.Duration("duration", time.Millisecond, 40*time.Millisecond, 8*time.Second)
	if ok {
		k.Length = length
	}
	c.Keys = &k
	return err
}

// readRecord reads what changes what is recorded and streamed of the call.
func readRecord(o shape.Object, _ *url.URL, c *call.Change) error {
	for _, name := range []string{"listen_status", "stream_status"} {
		if o.Has(name) {
			c.Streams = ptr(call.StreamChange(o.Text(name)))
		}
	}
	if !o.Has("record") {
		return nil
	}
	r := o.Object("record")
	ch, err := verbs.Recording(r)
	if err != nil {
		return err
	}
	c.Recording = &ch
	switch cloud := r.Text("type") == "cloud"; {
	case ch.Start == nil, cloud:
		return nil
	case !r.Has("siprecServerURL"):
		return r.Refuse("siprecServerURL", "is missing: without it the type must be cloud, which lets this box keep the recording")
	}
	return r.Unable("siprecServerURL", "cannot be used here: the box does not speak SIPREC, it keeps recordings itself with the type cloud")
}

// readParticipant reads what changes the call's part in a conference.
func readParticipant(o shape.Object, base *url.URL, c *call.Change) error {
	var p call.ParticipantChange
	action, hook, waits := "", "waitHook", o
	switch {
	case o.Has("conf_mute_status"):
		action = o.Text("conf_mute_status")
	case o.Has("conf_hold_status"):
		action = o.Text("conf_hold_status")
	case o.Has("conferenceParticipantAction"):
		waits, hook = o.Object("conferenceParticipantAction"), "wait_hook"
		action = waits.Text("action")
	default:
		return nil
	}
	tag := waits.Text("tag")
	if len(tag) > maxPartyTag {
		return waits.Refuse("tag", "is longer than %d bytes", maxPartyTag)
	}
	if tag == "" && (action == "tag" || action == "coach") {
		return waits.Refuse("tag", "is missing: %s needs it", action)
	}
	h, err := waits.Hook(hook, base)
	switch {
	case err != nil:
		return err
	case !h.IsZero() && action != "hold":
		return waits.Refuse(hook, "goes with hold only")
	case !h.IsZero():
		p.Hold = &call.WaitSound{Hook: h}
	}
	switch action {
	case "mute", "unmute":
		p.Muted = ptr(action == "mute")
	case "hold", "unhold":
		p.Held = ptr(action == "hold")
	case "tag", "untag":
		p.Tag = ptr(map[bool]string{true: tag}[action == "tag"])
	case "coach", "uncoach":
		p.SpeakTo = ptr(map[bool]string{true: tag}[action == "coach"])
	case "kick":
		p.Kick = true
	}
	c.Participant = &p
	return nil
}

// maxPartyTag is the longest tag of a party of a conference in bytes.
const maxPartyTag = 128

func ptr[T any](v T) *T { return &v }

// oneAction checks that exactly one action is asked for.
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
			func(n string) bool { return companions[n] != "" }), ", "))
	case len(actions) > 1 && !pair:
		return shape.Refuse("%s are asked for together: one request does one thing", strings.Join(actions, " and "))
	}
	return nil
}
