package jambonz

import (
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"callbox/api"
	"callbox/api/jambonz/js"
	"callbox/call"
	"callbox/call/script"
)

// outgoing makes the request that tells o to h: as a JSON body, or as the query
// of a GET, which gets what is neither an object nor an array.
func (d *Dialect) outgoing(h call.Hook, rec call.Record, o js.Object) api.Outgoing {
	out := api.Outgoing{URL: h.URL, Method: h.Method, Username: h.Username, Password: h.Password, Name: h.Name, Account: rec.Account, API: Name, Trace: b3(rec)}
	if out.Method != http.MethodGet {
		out.Method, out.JSON = http.MethodPost, js.Append(nil, o.Value())
		return out
	}
	for _, m := range o.Members() {
		switch m.Value.Kind {
		case js.Text:
			out.Params = append(out.Params, api.Param{Name: m.Name, Value: m.Value.Text})
		case js.Number, js.Bool:
			out.Params = append(out.Params, api.Param{Name: m.Name, Value: m.Value.String()})
		}
	}
	return out
}

// common is what every message about a call begins with (call-api.md §3.5).
func (d *Dialect) common(rec call.Record) js.Object {
	var o js.Object
	o.Text("call_sid", rec.ID)
	o.Text("direction", direction(rec))
	o.Text("from", shown(rec.From))
	o.Text("to", shown(rec.To))
	o.Text("call_id", rec.SIPCallID)
	o.Some("sbc_callid", rec.SIPCallID)
	status := sipStatus(rec)
	o.Number("sip_status", float64(status))
	o.Some("sip_reason", phrases[status])
	o.Text("call_status", statusOf(rec))
	o.Text("caller_id", userPart(rec.From))
	o.Some("caller_name", rec.CallerName)
	o.Text("account_sid", d.sid(rec.Account))
	o.Some("application_sid", rec.Application)
	o.Text("trace_id", traceID(rec))
	o.Some("parent_call_sid", rec.Parent)
	if rec.Direction == call.Inbound {
		o.Some("originating_sip_ip", hostOf(rec.Remote))
		o.Some("originating_sip_trunk_name", rec.Line)
	}
	if base := d.cfg.BaseURL(); base != "" {
		o.Text("api_base_url", base+"/v1")
	}
	addJSON(&o, "customerData", rec.Session.Tag)
	return o
}

// addJSON adds an object that is kept as text.
func addJSON(o *js.Object, name, text string) {
	if text == "" {
		return
	}
	if v, err := js.Parse([]byte(text)); err == nil {
		o.Add(name, v)
	}
}

// DocumentRequest is the request that asks h for verbs: with what a call begins,
// or with the result of the verb whose action h is (§3.5, §6).
func (d *Dialect) DocumentRequest(h call.Hook, rec call.Record, res *script.Result) api.Outgoing {
	o := d.common(rec)
	if res != nil {
		addResult(&o, res)
		d.addMeeting(&o, rec, res)
		return d.outgoing(h, rec, o)
	}
	if rec.Direction == call.Inbound {
		o.Object("sip", invite(rec))
	}
	var synthesizer, recognizer, defaults js.Object
	s := rec.Session.Speech
	synthesizer.Some("vendor", s.Vendor)
	synthesizer.Some("label", s.Label)
	synthesizer.Some("language", s.Language)
	synthesizer.Some("voice", s.Voice)
	recognizer.Some("vendor", s.Recognizer)
	recognizer.Some("label", s.RecognizerLabel)
	recognizer.Some("language", s.RecognizerLanguage)
	defaults.Object("synthesizer", synthesizer)
	defaults.Object("recognizer", recognizer)
	o.Object("defaults", defaults)
	addJSON(&o, "env_vars", rec.Session.Env)
	return d.outgoing(h, rec, o)
}

// invite is what is known of the INVITE of an arriving call.
func invite(rec call.Record) js.Object {
	var sip, headers js.Object
	headers.Text("from", shown(rec.From))
	headers.Text("to", shown(rec.To))
	headers.Some("call-id", rec.SIPCallID)
	names := []string{"from", "to", "call-id"}
	for _, h := range rec.Headers {
		if key := strings.ToLower(h.Name); !slices.Contains(names, key) {
			names = append(names, key)
			headers.Text(h.Name, h.Value)
		}
	}
	sip.Object("headers", headers)
	sip.Text("method", "INVITE")
	sip.Text("calledNumber", userPart(rec.To))
	sip.Text("callingNumber", userPart(rec.From))
	sip.Text("type", "request")
	sip.Text("source", "network")
	sip.Some("source_address", hostOf(rec.Remote))
	return sip
}

// addResult adds what a verb tells its action.
func addResult(o *js.Object, res *script.Result) {
	switch {
	case res.Verb == "gather" && res.Fault != "":
		o.Text("reason", "error")
		var details js.Object
		details.Text("error", res.Fault)
		o.Object("details", details)
	case res.Verb == "gather" && res.Speech != nil:
		reason := "speechDetected"
		if res.Unsure {
			reason = "stt-low-confidence"
		}
		o.Text("reason", reason)
		o.Object("speech", said(*res.Speech))
	case res.Verb == "gather" && res.Digits == "":
		o.Text("reason", "timeout")
	case res.Verb == "play" && res.Fault != "":
		o.Text("reason", "playFailed")
		o.Text("status", "fail")
	case res.Verb == "play":
		o.Text("reason", "playCompleted")
		o.Number("playback_seconds", wholeSeconds(res.Played))
		o.Number("playback_milliseconds", float64(res.Played.Milliseconds()))
	case res.Verb == "gather":
		o.Text("reason", "dtmfDetected")
		o.Text("digits", res.Digits)
	case res.Verb == script.PartialResult, res.Verb == script.TranscriptResult:
		if res.Speech != nil {
			o.Object("speech", said(*res.Speech))
		}
	case res.Verb == "sip:request" && res.Answer == nil:
		o.Text("result", "failed")
		o.Text("err", res.Fault)
	case res.Verb == "sip:request":
		o.Text("result", "success")
		o.Set("sip_status", js.Value{Kind: js.Number, Number: float64(res.Answer.Status)})
	case res.Verb == script.ReferEvent && res.Refer != nil:
		o.Text("event", "transfer-status")
		o.Set("call_status", js.Value{Kind: js.Number, Number: float64(res.Refer.Status)})
	case res.Refer != nil:
		o.Number("refer_status", float64(res.Refer.Status))
		if res.Refer.Final > 0 {
			o.Number("final_referred_call_status", float64(res.Refer.Final))
		}
	case res.Message != nil:
		addMessage(o, res.Message)
	case res.Verb == "dtmf":
		o.Text("dtmf", res.Digits)
	case res.Hold != nil:
		var detail js.Object
		detail.Text("from", shown(res.Hold.From))
		detail.Text("to", shown(res.Hold.To))
		o.Object("hold_detail", detail)
	case res.Transfer != nil:
		o.Object("refer_details", transferDetails(*res.Transfer))
	case res.Stream != nil:
		o.Number("dial_call_duration", wholeSeconds(res.Stream.Stream.Length))
		o.Some("digits", res.Stream.Digits)
	case res.Dial != nil:
		o.Some("dial_call_sid", res.Dial.Child)
		o.Text("dial_call_status", dialOutcome(*res.Dial))
		status := res.Dial.SIPStatus
		if status == 0 {
			status = res.Dial.Cause.SIPStatus()
		}
		o.Number("dial_sip_status", float64(status))
		o.Some("dial_sbc_callid", res.Dial.SIPCallID)
	}
	if res.Error != nil {
		var e js.Object
		e.Number("code", float64(res.Error.Code))
		e.Text("message", res.Error.Error())
		e.Some("url", res.Error.URL)
		o.Object("error", e)
	}
}

// transferDetails is what a far end wants that sent a REFER.
func transferDetails(t script.TransferWish) js.Object {
	var o js.Object
	for _, h := range t.Headers {
		switch h.Name {
		case "Refer-To":
			o.Some("sip_refer_to", h.Value)
		case "Referred-By":
			o.Some("sip_referred_by", h.Value)
		default:
			o.Some(h.Name, h.Value)
		}
	}
	o.Some("sip_user_agent", t.UserAgent)
	o.Some("refer_to_user", t.To)
	o.Some("referred_by_user", t.ByUser)
	o.Text("referring_call_sid", t.Referrer)
	o.Some("referred_call_sid", t.Referred)
	return o
}

// addMessage adds what became of a text message.
func addMessage(o *js.Object, m *call.Message) {
	o.Some("message_sid", m.ID)
	switch {
	case m.Status != call.MessageFailed:
		o.Text("message_status", "success")
	case m.ID == "":
		o.Text("message_status", "no carriers")
		o.Text("message_failure_reason", m.Error)
	default:
		o.Text("message_status", "failure")
		o.Text("message_failure_reason", m.Error)
	}
}

// said is what was said, as gather and transcribe tell it.
func said(t call.Transcript) js.Object {
	var o, vendor js.Object
	o.Some("language_code", t.Language)
	o.Number("channel_tag", float64(t.Channel))
	o.Bool("is_final", t.Final)
	list := js.Value{Kind: js.List}
	for _, a := range t.Alternatives {
		var alt js.Object
		alt.Text("transcript", a.Text)
		alt.Number("confidence", a.Confidence)
		list.List = append(list.List, alt.Value())
	}
	o.Add("alternatives", list)
	vendor.Text("name", t.Vendor)
	addJSON(&vendor, "evt", t.Raw)
	o.Object("vendor", vendor)
	return o
}

// dialOutcome is how a Dial ended, in this dialect's words.
func dialOutcome(r script.DialResult) string {
	if r.State == call.Completed || r.State == call.InProgress {
		return "completed"
	}
	return outcome(r.State, r.SIPStatus, true)
}

// Callback gives the message that ev owes to the call's status hook: every
// change, unless the hook asked for certain ones only.
func (d *Dialect) Callback(ev call.Event) []api.Outgoing {
	if ev.Conference != nil {
		return d.conferenceCallback(ev)
	}
	rec := *ev.Record
	switch ev.Type {
	case call.EventInitiated, call.EventRinging, call.EventEarly, call.EventAnswered, call.EventEnded:
	case call.EventMachine, call.EventMachinePartial:
		return d.machineCallback(ev)
	case call.EventMessage:
		return d.messageCallback(ev)
	case call.EventQueueJoin, call.EventQueueLeave:
		return d.queueCallback(ev)
	default:
		return nil
	}
	if rec.Status.IsZero() || len(rec.Status.Events) > 0 && !wants(rec.Status, ev.Type) {
		return nil
	}
	o := d.common(rec)
	if ev.Type == call.EventEnded {
		if rec.State == call.Completed {
			o.Number("duration", wholeSeconds(rec.Duration(ev.At)))
		}
		o.Text("call_termination_by", terminatedBy(rec))
		if rec.Cause != nil {
			o.Some("termination_reason", rec.Cause.Error())
		}
	}
	out := d.outgoing(rec.Status.Hook, rec, o)
	out.Token = eventToken(rec, ev)
	return []api.Outgoing{out}
}

// wants reports whether a status hook asked for a change. Ringing and early-media
// are two answers to one question: a far end that rings and then sends sound is told
// of twice, as by the cloud.
func wants(h call.StatusHook, t call.EventType) bool {
	return h.Wants(t) || t == call.EventEarly && h.Wants(call.EventRinging)
}

// wholeSeconds is a duration in seconds, rounded to the nearest.
func wholeSeconds(d time.Duration) float64 { return math.Round(d.Seconds()) }

// isoTime writes a time as JavaScript's toISOString does.
func isoTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// writeJSON answers with v.
func writeJSON(w http.ResponseWriter, status int, v js.Value) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(js.Append(nil, v)) // a client that has left needs no answer
}
