package twiml

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"callbox/call"
	"callbox/call/script"
)

// maxTargets is how many parties one Dial may name.
const maxTargets = 10

// The attributes of Dial and its nouns; false: known, but without effect here.
var (
	dialAttrs = map[string]bool{
		"action": true, "method": true, "timeout": true, "hangupOnStar": true, "timeLimit": true,
		"callerId": true, "callerName": true, "record": true, "trim": true, "recordingTrack": true,
		"recordingStatusCallback": true, "recordingStatusCallbackMethod": true,
		"recordingStatusCallbackEvent": true, "answerOnBridge": true, "ringTone": true, "sequential": true,
		"callReason": true, "ifMachine": true, "referUrl": true, "referMethod": true, "events": false,
		"recordingConfigurationId": false,
	}
	numberAttrs = nounAttrs(map[string]bool{"sendDigits": true, "byoc": false, "phoneNumberSid": false})
	sipAttrs    = nounAttrs(map[string]bool{"username": true, "password": true, "sendDigits": true})
	clientAttrs = nounAttrs(nil)
	paramAttrs  = map[string]bool{"name": true, "value": true}
)

// nounAttrs adds what all nouns have.
func nounAttrs(m map[string]bool) map[string]bool {
	all := map[string]bool{
		"url": true, "method": true, "statusCallback": true, "statusCallbackMethod": true, "statusCallbackEvent": true,
		"machineDetection": true, "machineDetectionTimeout": true, "machineDetectionSpeechThreshold": true,
		"machineDetectionSpeechEndThreshold": true, "machineDetectionSilenceTimeout": true,
		"amdStatusCallback": true, "amdStatusCallbackMethod": true,
	}
	for k, v := range m {
		all[k] = v
	}
	return all
}

// dial decodes a Dial. Parties that cannot be are left out with a warning; a
// Dial without any fails when it runs, and tells its action so.
func (d *decoder) dial(n *node) script.Verb {
	a := d.attributes(n, dialAttrs)
	v := &script.DialVerb{
		Dial: script.Dial{
			Sequential:     a.boolean("sequential", false, 13218),
			CallerName:     a.text("callerName", ""),
			Reason:         d.reason(n, a.text("callReason", "")),
			Timeout:        a.seconds("timeout", 30, 1, 600, 13212),
			TimeLimit:      a.seconds("timeLimit", 14400, 1, 14400, 13216),
			AnswerOnBridge: a.boolean("answerOnBridge", false, 13219),
			HangupOnStar:   a.boolean("hangupOnStar", false, 13213),
			RingTone:       d.ringTone(n, a.text("ringTone", "")),
			Record:         d.dialRecord(a),
		},
	}
	if what, ok := a.values["ifMachine"]; ok {
		if _, ok := Choose([]string{"continue", "hangup"}, what); !ok {
			d.warn(n, 13211, "ifMachine=%q of <Dial> is neither continue nor hangup; it was ignored", clip(what))
		} else {
			d.warn(n, codeUnknown, "ifMachine of <Dial> has no effect: let machineDetection of <Number> tell who answers")
		}
	}
	v.Dial.Transfers = a.hook("referUrl", "referMethod", codeBadURL)
	if a.values["action"] != "" {
		v.Action = a.hook("action", "method", 13210)
	} else if _, ok := a.values["action"]; ok && d.base != nil {
		v.Action = a.action(13210)
	}
	if id := a.values["callerId"]; id != "" {
		e, problem := ParseAddress(id)
		if problem != nil || e.Kind == NoAddress {
			d.warn(n, callerIDCode(n, id), "callerId=%q of <Dial> is not a number, an address or a name; the caller's is shown", clip(id))
		} else {
			v.Dial.CallerID = e.Value
			if e.Kind == NumberAddress {
				v.Dial.Foreign = fmt.Sprintf("line %d: callerId=%q of <Dial> is no number of this account: add it as an IncomingPhoneNumber or to the box's caller_ids (13214)", n.line, clip(id))
			}
		}
	}
	if m := d.meeting(n, a, v); m != nil {
		return m
	}
	v.Dial.Targets = d.targets(n)
	if slices.ContainsFunc(v.Dial.Targets, func(t script.Target) bool { return t.Kind == script.ToNumber }) {
		v.Dial.Refusals = script.Refusals{Number: "(13224)", Denied: "(13225)", Country: "(13227)"}
	}
	if v.Dial.Transfers.IsZero() {
		v.Dial.Refusals.Transfer = "(13802)"
	}
	return v
}

// callerIDCode is the code of a callerId that cannot be: a Dial by SIP alone has
// codes of its own.
func callerIDCode(n *node, id string) Code {
	kids := n.elements()
	switch {
	case len(kids) == 0 || slices.ContainsFunc(kids, func(k *node) bool { return k.name != "Sip" }):
		return 13214
	case len(id) > maxCallerID:
		return 13248
	}
	return 13247
}

// maxCallerID is the longest caller's address, in bytes.
const maxCallerID = 255

// maxReason is how long the reason of a call may be, in characters.
const maxReason = 50

// reason checks why a Dial calls, for the callees' displays.
func (d *decoder) reason(n *node, text string) string {
	if utf8.RuneCountInString(text) > maxReason || strings.ContainsAny(text, "\r\n") {
		d.warn(n, codeUnknown, "callReason of <Dial> is not one line of at most %d characters; no reason is shown", maxReason)
		return ""
	}
	return text
}

// ringTone checks the country of a ringback: "us", "uk", "us-old".
func (d *decoder) ringTone(n *node, s string) string {
	s = strings.ToLower(s)
	country, _, _ := strings.Cut(s, "-")
	if s == "" || s == "automatic" {
		return ""
	}
	if len(country) != 2 || len(s) > 6 || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz-") != "" {
		d.warn(n, 13220, "ringTone=%q of <Dial> is not a country code; the box's own is used", clip(s))
		return ""
	}
	return s
}

// dialRecord reads the attributes about recording, nil when there is to be none.
func (d *decoder) dialRecord(a attrs) *call.RecordOptions {
	mode := a.choice("record", 13217, "do-not-record", "record-from-answer", "record-from-ringing",
		"record-from-answer-dual", "record-from-ringing-dual", "true", "false")
	if mode == "do-not-record" || mode == "false" {
		return nil
	}
	o := &call.RecordOptions{
		Channels:    1,
		Track:       call.RecordTrack(a.choice("recordingTrack", codeUnknown, "both", "inbound", "outbound")),
		Trim:        a.choice("trim", 13699, "do-not-trim", "trim-silence") == "trim-silence",
		FromRinging: strings.HasPrefix(mode, "record-from-ringing"),
		Source:      "DialVerb",
		Status:      a.status("recordingStatusCallback", RecordingEvents, 13210),
	}
	if strings.HasSuffix(mode, "-dual") {
		o.Channels = 2
	}
	return o
}

// targets decodes the parties of a Dial: its nouns, or its text.
func (d *decoder) targets(n *node) []script.Target {
	var list []script.Target
	add := func(t script.Target, ok bool) {
		if !ok {
			return
		}
		if len(list) == maxTargets {
			d.warn(n, 13250, "<Dial> names more than %d parties; the rest was skipped", maxTargets)
		}
		if len(list) <= maxTargets {
			list = append(list, t)
		}
	}
	kids := n.elements()
	for _, k := range kids {
		switch k.name {
		case "Number":
			add(d.number(k))
		case "Sip":
			add(d.sip(k))
		case "Client":
			add(d.client(k))
		case "Dial":
			d.warn(k, 13215, "a <Dial> may not stand in a <Dial> and was skipped")
		default:
			d.skip(k)
		}
	}
	if text := n.content(); text != "" {
		if len(kids) > 0 {
			d.warn(n, codeUnknown, "<Dial> has parties in elements, so its text %q was skipped", clip(text))
		} else {
			add(d.party(n, text))
		}
	}
	if len(list) == 0 {
		d.warn(n, 13223, "<Dial> names nobody who could be called")
	}
	return list[:min(len(list), maxTargets)]
}

// party decodes an address of any kind.
func (d *decoder) party(n *node, text string) (script.Target, bool) {
	e, problem := ParseAddress(text)
	if problem != nil {
		d.warn(n, sipProblem(problem.Code), "%q was not called: %s", clip(text), problem.Text)
		return script.Target{}, false
	}
	t := script.Target{To: e.Value, Headers: e.Headers}
	switch e.Kind {
	case NumberAddress:
		t.Kind = script.ToNumber
		if strings.HasPrefix(t.To, "+0") { // ITU-T E.164 §6.2.1
			d.warn(n, 13226, "%q was not called: no country code begins with 0", clip(text))
			return t, false
		}
	case SIPAddress:
		t.Kind = script.ToSIP
	case ClientAddress:
		t.Kind, t.To = script.ToUser, strings.TrimPrefix(e.Value, "client:")
	default:
		d.warn(n, 13223, "%q is not a phone number and was not called", clip(text))
		return t, false
	}
	return t, true
}

// sipProblem is the code that a document gets for headers after a "?".
func sipProblem(c Code) Code {
	switch c {
	case CodeHeadersLong:
		return 13251
	case CodeHeaderName:
		return 13252
	case CodeHeaderValue:
		return 13253
	}
	return 13243
}

// noun adds what all nouns have.
func (d *decoder) noun(n *node, a attrs, t *script.Target) {
	badMethod := Code(13221)
	if n.name == "Sip" {
		badMethod = 13241
	}
	if a.values["url"] != "" {
		t.Screen = a.hook("url", "method", badMethod)
	}
	t.Status = a.status("statusCallback", CallEvents, badMethod)
	t.AMD = d.machine(n, a)
}

// machine reads what a noun asks of answering machine detection; without the
// hook that is told the verdict there is none.
func (d *decoder) machine(n *node, a attrs) *call.AMD {
	mode := a.choice("machineDetection", codeUnknown, "none", "Enable", "DetectMessageEnd")
	if mode == "none" {
		return nil
	}
	if a.values["amdStatusCallback"] == "" {
		d.warn(n, codeUnknown, "machineDetection of <%s> needs amdStatusCallback, or nobody would learn the result; it was ignored", n.name)
		return nil
	}
	millis := func(name string, value, least, most int) time.Duration {
		return time.Duration(a.integer(name, value, least, most, codeUnknown)) * time.Millisecond
	}
	return &call.AMD{
		MessageEnd:         mode == "DetectMessageEnd",
		Timeout:            a.seconds("machineDetectionTimeout", 30, 3, 60, codeUnknown),
		SpeechThreshold:    millis("machineDetectionSpeechThreshold", 0, 1000, 6000),
		SpeechEndThreshold: millis("machineDetectionSpeechEndThreshold", 0, 500, 5000),
		SilenceTimeout:     millis("machineDetectionSilenceTimeout", 5000, 2000, 10000),
		Async:              true,
		Status:             a.hook("amdStatusCallback", "amdStatusCallbackMethod", codeUnknown),
	}
}

// number decodes a Number.
func (d *decoder) number(n *node) (script.Target, bool) {
	a := d.attributes(n, numberAttrs)
	t, ok := d.party(n, n.content())
	d.noun(n, a, &t)
	t.SendDigits = a.sendDigits(13222)
	return t, ok
}

// sendDigits gives the keys that a party is sent when it has answered.
func (a attrs) sendDigits(c Code) string {
	digits := a.values["sendDigits"]
	if digits == "" || validKeys(digits) {
		return digits
	}
	a.d.warn(a.n, c, "sendDigits=%q of <%s> are not made of 0-9 * # A-D w W; they were ignored", clip(digits), a.n.name)
	return ""
}

// sip decodes a Sip.
func (d *decoder) sip(n *node) (script.Target, bool) {
	a := d.attributes(n, sipAttrs)
	text := n.content()
	if lower := strings.ToLower(text); !strings.HasPrefix(lower, "sip:") && !strings.HasPrefix(lower, "sips:") {
		text = "sip:" + text
	}
	e, problem := ParseAddress(text)
	t := script.Target{Kind: script.ToSIP, To: e.Value, Headers: e.Headers}
	ok := true
	switch {
	case problem != nil:
		d.warn(n, sipProblem(problem.Code), "%q was not called: %s", clip(text), problem.Text)
		ok = false
	case e.Kind != SIPAddress:
		d.warn(n, 13243, "%q is not a SIP address and was not called", clip(text))
		ok = false
	}
	d.noun(n, a, &t)
	t.SendDigits = a.sendDigits(13242)
	user, password := a.values["username"], a.values["password"]
	switch {
	case user != "" && password != "":
		t.Auth = &call.Credentials{Username: user, Password: password}
	case user != "" || password != "":
		d.warn(n, 13249, "<Sip> needs both username and password; they were ignored")
	}
	return t, ok
}

// client decodes a Client: a user, phone or port of the box by name. Its
// parameters become X- headers.
func (d *decoder) client(n *node) (script.Target, bool) {
	a := d.attributes(n, clientAttrs)
	t := script.Target{Kind: script.ToUser, To: strings.TrimPrefix(n.content(), "client:")}
	for _, k := range n.elements() {
		switch k.name {
		case "Identity":
			d.attributes(k, nil)
			t.To = k.content()
		case "Parameter":
			p := d.attributes(k, paramAttrs)
			h := call.Header{Name: "X-" + p.values["name"], Value: p.values["value"]}
			if !ValidHeaderName(h.Name) || !CleanText(h.Value) || strings.ContainsAny(h.Value, "\r\n") {
				d.warn(k, 13252, "the parameter %q cannot be sent and was ignored", clip(p.values["name"]))
				continue
			}
			t.Headers = append(t.Headers, h)
		default:
			d.skip(k)
		}
	}
	d.noun(n, a, &t)
	if !validName(t.To) {
		d.warn(n, 13223, "%q is not the name of a client and was not called", clip(t.To))
		return t, false
	}
	return t, true
}
