package restcomm

import (
	"strings"

	"callbox/api"
	"callbox/api/laml"
	"callbox/call"
)

// common begins every message about a call (call-api.md §3.4, §5.1).
func common(f *laml.Form, rec call.Record, status string) {
	f.Add("CallSid", rec.ID)
	f.Add("AccountSid", rec.Account)
	f.Add("InstanceId", instance(rec.Account))
	f.Add("From", rec.From)
	f.Add("To", rec.To)
	f.Add("CallStatus", status)
	f.Add("ApiVersion", version)
	f.Add("Direction", string(rec.Direction))
	f.Some("CallerName", rec.CallerName)
	f.Some("ForwardedFrom", rec.Forwarded)
	f.Some("ParentCallSid", rec.Parent)
}

// document adds to a request for a document.
func document(f *laml.Form, rec call.Record) {
	f.Add("CallTimestamp", laml.RFC2822(rec.Created))
	laml.SIPHeaders(f, rec)
	f.Some("VoicemailDetector", voicemail(rec))
}

// sequence are the SequenceNumbers of the messages: they name the event, and do
// not count the messages.
var sequence = map[call.EventType]int{
	call.EventInitiated: 0, call.EventRinging: 1, call.EventAnswered: 2, call.EventEnded: 3,
}

// statuses is the message of an event of a call's progress.
func statuses(ev call.Event) []laml.Status {
	list := laml.Statuses(ev)
	for i := range list {
		list[i].Seq = sequence[ev.Type]
	}
	return list
}

// final adds how a call ended.
func final(f *laml.Form, ev call.Event) {
	f.Add("CallDuration", laml.WholeSeconds(ev.Record.Duration(ev.At)))
	f.Some("VoicemailDetector", voicemail(*ev.Record))
}

// voicemail is the verdict of machine detection as this API tells it; empty when
// there is none.
func voicemail(rec call.Record) string {
	switch {
	case rec.AnsweredBy == "human":
		return "person_found"
	case strings.HasPrefix(rec.AnsweredBy, "machine"):
		return "voicemail"
	}
	return ""
}

// machine tells the status hook of a verdict as soon as it is there.
func machine(ev call.Event) (call.Hook, []api.Param) {
	verdict := voicemail(*ev.Record)
	if ev.Type != call.EventMachine || verdict == "" {
		return call.Hook{}, nil
	}
	return ev.Record.Status.Hook, []api.Param{
		{Name: "Timestamp", Value: laml.RFC2822(ev.At)},
		{Name: "CallbackSource", Value: "call-progress-events"},
		{Name: "VoicemailDetector", Value: verdict},
	}
}
