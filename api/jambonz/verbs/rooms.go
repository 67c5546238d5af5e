package verbs

import (
	"strings"
	"time"
	"unicode/utf8"

	"callbox/api/jambonz/shape"
	"callbox/call"
	"callbox/call/script"
)

// Limits of conferences and queues.
const (
	maxConferenceName = 128 // bytes, of a conference's name and of tags
	maxParties        = 250
	noPriority        = 999 // of a call that names none: behind all others
	maxGrace          = 24 * time.Hour
)

// The properties of the verbs of conferences and queues.
var (
	conferenceProps = shape.Props{
		"name":                   {Type: shape.Text, Need: true},
		"beep":                   {Type: shape.Bool},
		"memberTag":              {Type: shape.Text},
		"speakOnlyTo":            {Type: shape.Text},
		"startConferenceOnEnter": {Type: shape.Bool},
		"endConferenceOnExit":    {Type: shape.Bool},
		"endConferenceDuration":  {Type: shape.Number},
		"maxParticipants":        {Type: shape.Number},
		"joinMuted":              {Type: shape.Bool},
		"distributeDtmf":         {Type: shape.Bool},
		"actionHook":             shape.HookProp(),
		"waitHook":               shape.HookProp(),
		"enterHook":              shape.HookProp(),
		"statusHook":             shape.HookProp(),
		"statusEvents":           {Type: shape.List},
		"endHook":                {Type: shape.HookType, Props: shape.HookProps, Idle: "the end of a conference is told to statusHook and actionHook"},
		"record":                 {Type: shape.Map, Props: shape.Props{"path": {Type: shape.Text}}},
		"listen":                 {Type: shape.Map, Props: nestedListenProps},
		"stream":                 {Type: shape.Map, Props: nestedListenProps}, // the newer name
	}
	enqueueProps = shape.Props{
		"name":       {Type: shape.Text, Need: true},
		"actionHook": shape.HookProp(),
		"waitHook":   shape.HookProp(),
		"priority":   {Type: shape.Number},
	}
	dequeueProps = shape.Props{
		"name":       {Type: shape.Text, Need: true},
		"actionHook": shape.HookProp(),
		"timeout":    {Type: shape.Number},
		"beep":       {Type: shape.Bool},
		"callSid":    {Type: shape.Text},
	}
)

// conferenceEvents are the values of statusEvents.
var conferenceEvents = map[string]call.EventType{
	"start": call.EventConferenceStart, "end": call.EventConferenceEnd, "join": call.EventJoin, "leave": call.EventLeave,
	"start-talking": call.EventSpeechStart, "stop-talking": call.EventSpeechStop,
}

// ConferenceEvent is an event of a conference in this language; empty: it has no
// word for it.
func ConferenceEvent(t call.EventType) string {
	for name, e := range conferenceEvents {
		if e == t {
			return name
		}
	}
	return ""
}

// conference decodes a conference. Who waits without a waitHook hears nothing, and
// a conference begins with the first who may start it.
func (d *decoder) conference(o shape.Object) ([]script.Verb, error) {
	c := script.Conference{
		Name: o.Text("name"), Muted: o.Is("joinMuted"), StartOnEnter: o.Flag("startConferenceOnEnter", true), EndOnExit: o.Is("endConferenceOnExit"),
		BeepOnEnter: o.Is("beep"), Tag: o.Text("memberTag"), SpeakTo: o.Text("speakOnlyTo"), ShareKeys: o.Is("distributeDtmf"),
	}
	for _, name := range []string{"name", "memberTag", "speakOnlyTo"} {
		if s := o.Text(name); len(s) > maxConferenceName || name == "name" && strings.TrimSpace(s) == "" {
			return nil, o.Refuse(name, "is not 1 to %d bytes long", maxConferenceName)
		}
	}
	var err error
	if c.Max, _, err = o.Whole("maxParticipants", 0, 1<<20); err != nil {
		return nil, err
	}
	if c.Max > maxParties {
		d.warn(o.Path + ".maxParticipants is more than the box holds, which is 250 in a conference")
		c.Max = maxParties
	}
	if c.Grace, _, err = o.Duration("endConferenceDuration", time.Second, 0, maxGrace); err != nil {
		return nil, err
	}
	if c.Wait, err = d.waitSound(o); err != nil {
		return nil, err
	}
	if c.Before, err = o.Hook("enterHook", d.base); err != nil {
		return nil, err
	}
	if c.Status, err = d.conferenceStatus(o); err != nil {
		return nil, err
	}
	if o.Has("record") {
		c.Record = &call.RecordOptions{Channels: 1, Track: call.TrackBoth, Source: "Conference"}
		if o.Object("record").Has("path") {
			d.warn(o.Path + ".record.path has no effect: the box keeps recordings in its own folder")
		}
	}
	v := script.ConferenceVerb{Conference: c, Resume: true}
	if v.Stream, err = d.nested(o); err != nil {
		return nil, err
	}
	if v.Action, err = o.Hook("actionHook", d.base); err != nil {
		return nil, err
	}
	return []script.Verb{v}, nil
}

// conferenceStatus reads whom to tell of a conference, and what: only the events
// that are named.
func (d *decoder) conferenceStatus(o shape.Object) (call.StatusHook, error) {
	h, err := o.Hook("statusHook", d.base)
	if err != nil {
		return call.StatusHook{}, err
	}
	list, err := o.Texts("statusEvents")
	if err != nil {
		return call.StatusHook{}, err
	}
	s := call.StatusHook{Hook: h}
	for _, name := range list {
		t, ok := conferenceEvents[name]
		if !ok {
			return call.StatusHook{}, o.Refuse("statusEvents", "holds %q, it may hold start, end, join, leave, start-talking and stop-talking", name)
		}
		s.Events = append(s.Events, t)
	}
	if len(s.Events) == 0 || h.IsZero() {
		return call.StatusHook{}, nil
	}
	return s, nil
}

// waitSound reads what a waiting call hears: nothing, unless there is a waitHook.
func (d *decoder) waitSound(o shape.Object) (call.WaitSound, error) {
	h, err := o.Hook("waitHook", d.base)
	return call.WaitSound{Hook: h, Silent: h.IsZero()}, err
}

// queueName reads the name of a queue.
func queueName(o shape.Object) (string, error) {
	name := o.Text("name")
	if strings.TrimSpace(name) == "" || utf8.RuneCountInString(name) > call.MaxQueueName {
		return "", o.Refuse("name", "is not 1 to %d characters long", call.MaxQueueName)
	}
	return name, nil
}

// enqueue decodes an enqueue.
func (d *decoder) enqueue(o shape.Object) ([]script.Verb, error) {
	v := script.EnqueueVerb{Enqueue: script.Enqueue{Priority: noPriority}, Resume: true}
	var err error
	if v.Enqueue.Name, err = queueName(o); err != nil {
		return nil, err
	}
	if n, ok, err := o.Whole("priority", 0, noPriority); err != nil {
		return nil, err
	} else if ok {
		v.Enqueue.Priority = n
	}
	if v.Enqueue.Wait, err = d.waitSound(o); err != nil {
		return nil, err
	}
	if v.Action, err = o.Hook("actionHook", d.base); err != nil {
		return nil, err
	}
	return []script.Verb{v}, nil
}

// dequeue decodes a dequeue.
func (d *decoder) dequeue(o shape.Object) ([]script.Verb, error) {
	v := script.DequeueVerb{Dequeue: script.Dequeue{Beep: o.Is("beep"), Call: o.Text("callSid")}, Resume: true}
	var err error
	if v.Dequeue.Name, err = queueName(o); err != nil {
		return nil, err
	}
	if v.Dequeue.Timeout, _, err = o.Duration("timeout", time.Second, 0, maxWait); err != nil {
		return nil, err
	}
	if v.Action, err = o.Hook("actionHook", d.base); err != nil {
		return nil, err
	}
	return []script.Verb{v}, nil
}

// leave decodes a leave.
func (d *decoder) leave(shape.Object) ([]script.Verb, error) {
	return []script.Verb{script.Leave{}}, nil
}
