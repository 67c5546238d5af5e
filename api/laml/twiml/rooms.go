package twiml

import (
	"slices"
	"strings"
	"unicode/utf8"

	"callbox/call"
	"callbox/call/script"
)

// Codes of conferences and queues (call-api.md §1.5).
const (
	codeMixed           Code = 13000 // a conference beside other parties
	codeMuted           Code = 13230
	codeEndOnExit       Code = 13231
	codeStartOnEnter    Code = 13232
	codeWaitURL         Code = 13233
	codeWaitMethod      Code = 13234
	codeBeep            Code = 13235
	codeMaxParties      Code = 13236
	codeConferenceName  Code = 13237
	codeConferenceTrim  Code = 13239
	codeConferenceOther Code = 13240
	codeEnqueueMethod   Code = 14201
	codeEnqueueWait     Code = 14202
	codeEnqueueAction   Code = 14203
	codeNoQueueName     Code = 14204
	codeLongQueueName   Code = 14205
	codeEnqueueWaitVerb Code = 14206
	codeQueueMethod     Code = 14210
	codeQueueURL        Code = 14211
	codeNoQueue         Code = 14212
	codeLongQueue       Code = 14213
)

// ConferenceEvents are what the family calls the events of a conference.
var ConferenceEvents = map[string][]call.EventType{
	"start": {call.EventConferenceStart}, "end": {call.EventConferenceEnd},
	"join": {call.EventJoin}, "leave": {call.EventLeave},
	"mute": {call.EventMute, call.EventUnmute}, "hold": {call.EventHold, call.EventUnhold},
	"modify": {call.EventModify}, "speaker": {call.EventSpeechStart, call.EventSpeechStop},
	"announcement": {call.EventAnnouncementEnd, call.EventAnnouncementFail},
}

// DefaultConferenceEvents are told where none are named.
func DefaultConferenceEvents() []call.EventType {
	return []call.EventType{call.EventConferenceStart, call.EventConferenceEnd}
}

var (
	conferenceAttrs = map[string]bool{
		"muted": true, "beep": true, "startConferenceOnEnter": true, "endConferenceOnExit": true, "waitUrl": true, "waitMethod": true,
		"maxParticipants": true, "record": true, "trim": true, "coach": true, "statusCallbackEvent": true, "statusCallback": true,
		"statusCallbackMethod": true, "recordingStatusCallback": true, "recordingStatusCallbackMethod": true,
		"recordingStatusCallbackEvent": true, "eventCallbackUrl": true, "participantLabel": true,
		"jitterBufferSize": true, // the box's own adapts itself, which is what all its values ask for
		"region":           false,
	}
	queueAttrs   = map[string]bool{"url": true, "method": true, "reservationSid": false, "postWorkActivitySid": false}
	enqueueAttrs = map[string]bool{
		"action": true, "method": true, "waitUrl": true, "waitUrlMethod": true, "maxQueueSize": true, "workflowSid": false,
	}
)

// meeting decodes a Dial that leads into a conference or to a queue, nil when it
// is none. v is what the Dial's own attributes say.
func (d *decoder) meeting(n *node, a attrs, v *script.DialVerb) script.Verb {
	kids := n.elements()
	i := slices.IndexFunc(kids, func(k *node) bool { return k.name == "Conference" || k.name == "Queue" })
	if i < 0 {
		return nil
	}
	noun := kids[i]
	if len(kids) > 1 {
		d.warn(n, codeMixed, "<%s> stands alone in <Dial>; the other parties were skipped", noun.name)
	}
	if _, ok := a.values["timeLimit"]; !ok {
		v.Dial.TimeLimit = 0 // as long as the call may last
	}
	if noun.name == "Queue" {
		return d.queue(noun, v)
	}
	return d.conference(noun, v)
}

// conference decodes a Conference.
func (d *decoder) conference(n *node, dial *script.DialVerb) script.Verb {
	a := d.attributes(n, conferenceAttrs)
	c := script.Conference{
		Name:         n.content(),
		Muted:        a.boolean("muted", false, codeMuted),
		StartOnEnter: a.boolean("startConferenceOnEnter", true, codeStartOnEnter),
		StartWith:    2, // who is alone hears music
		EndOnExit:    a.boolean("endConferenceOnExit", false, codeEndOnExit),
		Wait:         a.wait("waitUrl", "waitMethod", codeWaitURL, codeWaitMethod),
		Max:          a.integer("maxParticipants", 250, 2, 250, codeMaxParties),
		Label:        a.text("participantLabel", ""),
		Coach:        a.text("coach", ""),
		TimeLimit:    dial.Dial.TimeLimit,
		HangupOnStar: dial.Dial.HangupOnStar,
		RecordParty:  dial.Dial.Record,
	}
	beep := a.choice("beep", codeBeep, "true", "false", "onEnter", "onExit")
	c.BeepOnEnter, c.BeepOnExit = beep == "true" || beep == "onEnter", beep == "true" || beep == "onExit"
	c.Status = a.conferenceStatus()
	if mode := a.choice("record", codeConferenceOther, "do-not-record", "record-from-start", "true", "false"); mode == "record-from-start" || mode == "true" {
		c.Record = &call.RecordOptions{Channels: 1, Track: call.TrackBoth, Source: "Conference",
			Trim:   a.choice("trim", codeConferenceTrim, "trim-silence", "do-not-trim") == "trim-silence",
			Status: a.status("recordingStatusCallback", RecordingEvents, codeConferenceOther)}
		if c.Record.Status.IsZero() && a.values["eventCallbackUrl"] != "" {
			c.Record.Status.Hook = a.hook("eventCallbackUrl", "", codeConferenceOther)
		}
	}
	if c.Name == "" || len(c.Name) > maxConferenceName {
		d.warn(n, codeConferenceName, "the name of a <Conference> is 1 to %d bytes long; it was not entered", maxConferenceName)
		return d.nowhere(dial)
	}
	if len(c.Label) > maxConferenceName {
		d.warn(n, codeConferenceOther, "participantLabel is longer than %d bytes; it was ignored", maxConferenceName)
		c.Label = ""
	}
	return script.ConferenceVerb{Conference: c, Action: dial.Action}
}

// maxConferenceName is the longest name of a conference, and label of a party.
const maxConferenceName = 128

// nowhere is what a Dial becomes that leads nowhere: its action is told that it
// failed.
func (d *decoder) nowhere(dial *script.DialVerb) script.Verb {
	dial.Dial.Targets = nil
	return dial
}

// queue decodes a Queue: the first call that waits there is connected.
func (d *decoder) queue(n *node, dial *script.DialVerb) script.Verb {
	a := d.attributes(n, queueAttrs)
	q := script.Dequeue{
		Name: n.content(), Timeout: dial.Dial.Timeout, TimeLimit: dial.Dial.TimeLimit,
		HangupOnStar: dial.Dial.HangupOnStar, Record: dial.Dial.Record,
	}
	if a.values["url"] != "" {
		abs, why := d.link(a.values["url"])
		if why != "" {
			d.warn(n, codeQueueURL, "url of <Queue> %s; it was ignored", why)
		} else {
			q.Notice = call.Hook{URL: abs, Method: a.method("method", codeQueueMethod)}
		}
	}
	if c := badQueueName(q.Name, codeNoQueue, codeLongQueue); c != 0 {
		d.warn(n, c, "the name of a <Queue> is 1 to %d characters long; nobody was connected", call.MaxQueueName)
		return d.nowhere(dial)
	}
	return script.DequeueVerb{Dequeue: q, Action: dial.Action}
}

// enqueue decodes an Enqueue.
func (d *decoder) enqueue(n *node) script.Verb {
	a := d.attributes(n, enqueueAttrs)
	v := script.EnqueueVerb{Enqueue: script.Enqueue{
		Name: n.content(), Wait: a.wait("waitUrl", "waitUrlMethod", codeEnqueueWait, codeEnqueueWaitVerb),
	}}
	if _, ok := a.values["maxQueueSize"]; ok {
		v.Enqueue.Max = a.integer("maxQueueSize", call.DefaultQueueSize, 1, call.MaxQueueSize, codeUnknown)
	}
	if s := a.values["action"]; s != "" {
		if _, why := d.link(s); why != "" {
			d.fail(n, codeEnqueueAction, "action of <Enqueue> %s", why)
		}
		v.Action = a.hook("action", "method", codeEnqueueMethod)
	} else if _, ok := a.values["action"]; ok && d.base != nil {
		v.Action = a.action(codeEnqueueMethod)
	}
	for _, k := range n.elements() {
		d.skip(k)
	}
	if c := badQueueName(v.Enqueue.Name, codeNoQueueName, codeLongQueueName); c != 0 {
		d.warn(n, c, "the name of a queue is 1 to %d characters long; <Enqueue> was skipped", call.MaxQueueName)
		return nil
	}
	return v
}

// badQueueName gives the code of a name that no queue can have, 0 for a good one.
func badQueueName(name string, none, long Code) Code {
	switch {
	case name == "":
		return none
	case utf8.RuneCountInString(name) > call.MaxQueueName:
		return long
	}
	return 0
}

// leave decodes a Leave.
func (d *decoder) leave(n *node) script.Verb {
	d.attributes(n, nil)
	return script.Leave{}
}

// wait gives what a waiting call hears: an attribute that is missing is the box's
// music, an empty one silence.
func (a attrs) wait(name, method string, c, cm Code) call.WaitSound {
	s, ok := a.values[name]
	switch {
	case !ok:
		return call.WaitSound{}
	case s == "":
		return call.WaitSound{Silent: true}
	}
	abs, why := a.d.link(s)
	if why != "" {
		a.d.warn(a.n, c, "%s of <%s> %s; the box's own music is heard", name, a.n.name, why)
		return call.WaitSound{}
	}
	return call.WaitSound{Hook: call.Hook{URL: abs, Method: a.method(method, cm)}}
}

// conferenceStatus gives the hook that is told of a conference's progress.
func (a attrs) conferenceStatus() call.StatusHook {
	h := call.StatusHook{}
	if a.values["statusCallback"] == "" {
		return h
	}
	h.Hook = a.hook("statusCallback", "statusCallbackMethod", codeConferenceOther)
	for word := range strings.FieldsSeq(a.values["statusCallbackEvent"]) {
		list, ok := ConferenceEvents[strings.ToLower(word)]
		if !ok {
			a.d.warn(a.n, codeUnknown, "statusCallbackEvent of <Conference> holds %q, which is no event; it was ignored", clip(word))
		}
		h.Events = append(h.Events, list...)
	}
	if len(h.Events) == 0 {
		h.Events = DefaultConferenceEvents()
	}
	return h
}
