package laml

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // the family's clients verify with HMAC-SHA1, nothing else
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"callbox/api"
	"callbox/api/laml/twiml"
	"callbox/call"
	"callbox/call/script"
)

// Form collects parameters in the order in which they are sent.
type Form struct{ list []api.Param }

// Add adds a parameter.
func (f *Form) Add(name, value string) { f.list = append(f.list, api.Param{Name: name, Value: value}) }

// Some adds a parameter that is left out when it is empty.
func (f *Form) Some(name, value string) {
	if value != "" {
		f.Add(name, value)
	}
}

// outgoing makes the request to h.
func (d *Dialect) outgoing(h call.Hook, rec call.Record, f Form) api.Outgoing {
	method := h.Method
	if method == "" {
		method = "POST"
	}
	return api.Outgoing{
		URL: h.URL, Method: method, Params: f.list, Username: h.Username, Password: h.Password,
		Account: rec.Account, API: d.p.Name,
	}
}

// commonParams is what every request about a call begins with.
func commonParams(f *Form, rec call.Record, status, version string) {
	f.Add("CallSid", rec.ID)
	f.Add("AccountSid", rec.Account)
	f.Add("From", rec.From)
	f.Add("To", rec.To)
	f.Add("Caller", rec.From)
	f.Add("Called", rec.To)
	f.Add("CallStatus", status)
	f.Add("ApiVersion", version)
	f.Add("Direction", string(rec.Direction))
	f.Some("ForwardedFrom", rec.Forwarded)
	f.Some("CallerName", rec.CallerName)
	f.Some("ParentCallSid", rec.Parent)
}

// DocumentRequest is the request that asks h for verbs (call-api.md §5.1, §5.4).
func (d *Dialect) DocumentRequest(h call.Hook, rec call.Record, res *script.Result) api.Outgoing {
	if res != nil && res.Announce != nil && res.Announce.ID == rec.ID {
		return d.announcement(h, rec, res.Announce)
	}
	var f Form
	d.p.Messages.Common(&f, d.shown(rec), StatusName(rec))
	d.p.Messages.Document(&f, d.shown(rec))
	if d.p.Formats.CallToken {
		f.Some("CallToken", d.callToken(rec))
	}
	if res != nil {
		d.addResult(&f, res)
	}
	return d.outgoing(h, rec, f)
}

// documentParams adds what only requests for documents tell.
func documentParams(f *Form, rec call.Record) {
	if rec.SIPCallID != "" {
		f.Add("SipCallId", rec.SIPCallID)
		if rec.Direction == call.Inbound {
			user, domain := sipParts(rec.To)
			f.Some("SipUsername", user)
			f.Some("SipDomain", domain)
			f.Some("SipSourceIp", hostOf(rec.Remote))
		}
	}
	SIPHeaders(f, rec)
	addVerdict(f, rec)
}

// SIPHeaders adds the X- headers of an arriving INVITE.
func SIPHeaders(f *Form, rec call.Record) {
	for _, h := range rec.Headers {
		if twiml.ValidHeaderName(h.Name) {
			f.Add("SipHeader_"+h.Name, h.Value)
		}
	}
}

// addVerdict adds the verdict of machine detection.
func addVerdict(f *Form, rec call.Record) {
	if rec.AnsweredBy == "" {
		return
	}
	f.Add("AnsweredBy", rec.AnsweredBy)
	if rec.MachineTime > 0 {
		f.Add("MachineDetectionDuration", strconv.FormatInt(rec.MachineTime.Milliseconds(), 10))
	}
}

// addResult adds what a verb tells its action.
func (d *Dialect) addResult(f *Form, res *script.Result) {
	switch res.Verb {
	case "gather":
		if res.Speech != nil {
			f.Add("SpeechResult", res.Speech.Text())
			f.Add("Confidence", strconv.FormatFloat(res.Speech.Confidence(), 'f', -1, 64))
			break
		}
		f.Add("Digits", res.Digits)
	case "refer":
		if res.Refer != nil {
			f.Add("ReferCallStatus", referStatus(*res.Refer))
			f.Add("ReferSipResponseCode", strconv.Itoa(res.Refer.Status))
			if res.Refer.Final > 0 {
				f.Add("NotifySipResponseCode", strconv.Itoa(res.Refer.Final))
			}
		}
	case script.TransferEvent:
		if res.Transfer != nil {
			target := res.Transfer.URI
			for _, h := range res.Transfer.Headers {
				if h.Name == "Refer-To" {
					target = h.Value
				}
			}
			f.Add("ReferTransferTarget", target)
		}
	case script.PartialResult:
		if res.Speech != nil {
			f.Add("StableSpeechResult", "")
			f.Add("UnstableSpeechResult", res.Speech.Text())
			f.Add("Stability", strconv.FormatFloat(res.Speech.Confidence(), 'f', -1, 64))
			f.Add("SequenceNumber", strconv.Itoa(res.Number))
		}
	case "record":
		if res.Recording != nil {
			d.addRecording(f, *res.Recording)
		}
		switch {
		case res.HungUp:
			f.Add("Digits", "hangup")
		case res.Digit != 0:
			f.Add("Digits", string(rune(res.Digit)))
		}
	case "dial":
		if res.Dial != nil {
			d.addDial(f, *res.Dial)
		}
	default:
		d.addMeeting(f, res)
	}
	if m := res.Message; m != nil {
		f.Some("SmsSid", m.ID)
		f.Add("SmsStatus", smsStatus(m.Status))
		f.Some("MessageSid", m.ID)
		f.Add("MessageStatus", string(m.Status))
	}
	if res.Error != nil {
		f.Add("ErrorCode", strconv.Itoa(res.Error.Code))
		f.Add("ErrorUrl", res.Error.URL)
	}
}

// smsStatus is the status of a message as the action of a Sms is told it.
func smsStatus(s call.MessageStatus) string {
	if s == call.MessageFailed {
		return string(s)
	}
	return string(call.MessageSent)
}

// referStatus is how a referral ended: in-progress when the far end got through.
func referStatus(r script.ReferResult) string {
	switch {
	case r.Status/100 != 2:
		return "failed"
	case r.Final/100 == 2:
		return "in-progress"
	case r.Final == 0:
		return "failed"
	}
	return call.FromSIP(r.Final, call.Remote, "").Outcome().String()
}

// addRecording adds a recording that is complete.
func (d *Dialect) addRecording(f *Form, r call.Recording) {
	f.Add("RecordingUrl", d.recordingURL(d.cfg.BaseURL(), r))
	f.Add("RecordingSid", r.ID)
	f.Add("RecordingDuration", WholeSeconds(r.Duration))
}

// addDial adds how a Dial ended.
func (d *Dialect) addDial(f *Form, r script.DialResult) {
	f.Add("DialCallStatus", r.State.String())
	f.Some("DialCallSid", r.Child)
	if r.Bridged {
		f.Add("DialCallDuration", WholeSeconds(r.Duration))
	}
	f.Add("DialBridged", strconv.FormatBool(r.Bridged))
	if r.Recording != nil {
		d.addRecording(f, *r.Recording)
		if d.p.Formats.OpenSound {
			f.Add("PublicRecordingUrl", d.recordingURL(d.cfg.BaseURL(), *r.Recording))
		}
	}
	f.Some("DialSipCallId", r.SIPCallID)
	if r.SIPStatus != 0 {
		f.Add("DialSipResponseCode", strconv.Itoa(r.SIPStatus))
	}
}

// Statuses is the message of an event of a call's progress; none when ev is of
// another kind.
func Statuses(ev call.Event) []Status {
	switch ev.Type {
	case call.EventInitiated:
		return []Status{{"initiated", ev.Seq}}
	case call.EventRinging:
		return []Status{{"ringing", ev.Seq}}
	case call.EventAnswered:
		return []Status{{"in-progress", ev.Seq}}
	case call.EventEnded:
		return []Status{{ev.Record.State.String(), ev.Seq}}
	}
	return nil
}

// recordingStatus is the RecordingStatus of an event of a recording.
func recordingStatus(t call.EventType) (string, bool) {
	for name, event := range twiml.RecordingEvents {
		if event == t {
			return name, true
		}
	}
	return "", false
}

// Callback gives the messages that ev owes to the call's status hook, to the
// hook of its machine detection, or to its recording's hook (call-api.md §3.2–3.4).
func (d *Dialect) Callback(ev call.Event) []api.Outgoing {
	if ev.Conference != nil {
		return d.conferenceCallback(ev)
	}
	if ev.Stream != nil {
		return d.streamCallback(ev)
	}
	if list := d.p.Messages.Statuses(ev); len(list) > 0 {
		if !ev.Record.Status.Wants(ev.Type) {
			return nil
		}
		out := make([]api.Outgoing, len(list))
		for i, s := range list {
			out[i] = d.outgoing(ev.Record.Status.Hook, *ev.Record, d.statusForm(ev, s))
			out[i].Token = eventToken(ev.Record.ID, string(ev.Type), strconv.Itoa(s.Seq))
		}
		return out
	}
	if ev.Type == call.EventMachine || ev.Type == call.EventMachinePartial {
		return d.machineCallback(ev)
	}
	if status, ok := recordingStatus(ev.Type); ok && ev.Recording != nil {
		return d.recordingCallbacks(ev, status)
	}
	return nil
}

// recordingCallbacks are the messages about a recording: to its own hook, and to
// whoever waits for what was said in it, once it is whole.
func (d *Dialect) recordingCallbacks(ev call.Event, status string) (list []api.Outgoing) {
	r := *ev.Recording
	if r.Hook.Wants(ev.Type) {
		o := d.outgoing(r.Hook.Hook, *ev.Record, d.recordingForm(r, status))
		o.Token = eventToken(r.ID, string(ev.Type))
		list = append(list, o)
	}
	if ev.Type == call.EventRecordingDone && !r.Transcript.IsZero() {
		o := d.outgoing(r.Transcript, *ev.Record, d.transcriptForm(*ev.Record, r))
		o.Token = eventToken(r.ID, "transcript")
		list = append(list, o)
	}
	for i := range list {
		list[i].Account = r.Account
	}
	return list
}

// transcriptForm says that a recording was not turned into text (call-api.md §5.4).
// There is no resource of it, so neither its id nor its address is told.
func (d *Dialect) transcriptForm(rec call.Record, r call.Recording) Form {
	var f Form
	d.p.Messages.Common(&f, d.shown(rec), StatusName(rec))
	f.Add("TranscriptionStatus", "failed")
	f.Add("TranscriptionText", "")
	f.Add("RecordingSid", r.ID)
	f.Add("RecordingUrl", d.recordingURL(d.cfg.BaseURL(), r))
	return f
}

// machineCallback is the message about a result of machine detection.
func (d *Dialect) machineCallback(ev call.Event) []api.Outgoing {
	h, add := d.p.Messages.Machine(ev)
	if h.IsZero() {
		return nil
	}
	var f Form
	d.p.Messages.Common(&f, d.shown(*ev.Record), StatusName(*ev.Record))
	f.list = append(f.list, add...)
	o := d.outgoing(h, *ev.Record, f)
	o.Token = eventToken(ev.Record.ID, string(ev.Type), ev.Note)
	return []api.Outgoing{o}
}

// machineParams are the hook that asynchronous detection reports to, and what
// it is told. Interim results go only where they are asked for.
func machineParams(ev call.Event) (call.Hook, []api.Param) {
	a := ev.Record.AMD
	if a == nil || !a.Async || ev.Type == call.EventMachinePartial && !a.Partial {
		return call.Hook{}, nil
	}
	var f Form
	if ev.Type == call.EventMachinePartial {
		f.Add("AnsweredBy", ev.Note)
		return a.Status, f.list
	}
	addVerdict(&f, *ev.Record)
	return a.Status, f.list
}

// statusForm is the message to a status hook.
func (d *Dialect) statusForm(ev call.Event, s Status) Form {
	var f Form
	d.p.Messages.Common(&f, d.shown(*ev.Record), s.Name)
	f.Add("Timestamp", RFC2822(ev.At))
	f.Add("CallbackSource", "call-progress-events")
	f.Add("SequenceNumber", strconv.Itoa(s.Seq))
	if ev.Type != call.EventEnded {
		return f
	}
	d.p.Messages.Final(&f, ev)
	rec := ev.Record
	switch {
	case ev.Recording != nil:
		d.addRecording(&f, *ev.Recording)
	case len(rec.Recordings) > 0:
		r := call.Recording{ID: rec.Recordings[len(rec.Recordings)-1], Account: rec.Account}
		f.Add("RecordingUrl", d.recordingURL(d.cfg.BaseURL(), r))
		f.Add("RecordingSid", r.ID)
	}
	return f
}

// finalParams adds how a call ended.
func finalParams(f *Form, ev call.Event) {
	length := ev.Record.Duration(ev.At)
	f.Add("CallDuration", WholeSeconds(length))
	f.Add("Duration", strconv.FormatInt(int64((length+time.Minute-1)/time.Minute), 10))
	f.Some("SipResponseCode", SIPResult(*ev.Record))
	f.Some("AnsweredBy", ev.Record.AnsweredBy)
}

// SIPResult is the final status of a call's INVITE, empty when there was no
// INVITE.
func SIPResult(rec call.Record) string {
	switch {
	case rec.Answered != nil && rec.SIPCallID != "":
		return "200"
	case rec.Cause != nil && rec.Cause.SIP >= 300:
		return strconv.Itoa(rec.Cause.SIP)
	}
	return ""
}

// recordingForm is the message to a recording's hook.
func (d *Dialect) recordingForm(r call.Recording, status string) Form {
	var f Form
	f.Add("AccountSid", d.sid(r.Account))
	if r.Conference != "" {
		f.Add("ConferenceSid", r.Conference)
	} else {
		f.Add("CallSid", r.Call)
	}
	f.Add("RecordingSid", r.ID)
	f.Add("RecordingUrl", d.recordingURL(d.cfg.BaseURL(), r))
	f.Add("RecordingStatus", status)
	if status != "in-progress" {
		f.Add("RecordingDuration", WholeSeconds(r.Duration))
	}
	f.Add("RecordingChannels", strconv.Itoa(max(r.Channels, 1)))
	f.Add("RecordingStartTime", RFC2822(r.Started))
	f.Add("RecordingSource", r.Source)
	f.Add("RecordingTrack", string(r.Track))
	if r.Error != "" {
		f.Add("ErrorCode", strconv.Itoa(failedCode))
		f.Add("ErrorMessage", r.Error)
	}
	return f
}

// eventToken is the same for the same event whenever it is made, so that a
// receiver can drop repeats even across a restart of the box. It has the form of
// a UUID, version 8 (RFC 9562 §5.8).
func eventToken(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	sum[6] = sum[6]&0x0f | 0x80
	sum[8] = sum[8]&0x3f | 0x80
	h := hex.EncodeToString(sum[:16])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// sipParts are the user and the host of a SIP address; both empty for others.
func sipParts(s string) (user, host string) {
	_, rest, ok := strings.Cut(s, ":")
	if !ok || !strings.HasPrefix(strings.ToLower(s), "sip") {
		return "", ""
	}
	rest, _, _ = strings.Cut(rest, ";")
	if u, h, ok := strings.Cut(rest, "@"); ok {
		return u, hostOf(h)
	}
	return "", hostOf(rest)
}

// hostOf is s without its port.
func hostOf(s string) string {
	if h, _, err := net.SplitHostPort(s); err == nil {
		return h
	}
	return strings.Trim(s, "[]")
}

// Sign gives the signature header of o, by the rule of call-api.md §3.6:
// base64(HMAC-SHA1(secret, URL as sent + sorted form parameters)). Values of a
// repeated name are sorted and written once each. A JSON body stands in the URL
// as bodySHA256; Sign adds it when the URL has none, and the sender must then
// send that URL.
func (d *Dialect) Sign(secret string, o api.Outgoing) (name, value string) {
	if d.p.SignatureHeader == "" {
		return "", ""
	}
	mac := hmac.New(sha1.New, []byte(secret))
	mac.Write([]byte(signedText(o)))
	return d.p.SignatureHeader, base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// signedText is the text that Sign signs.
func signedText(o api.Outgoing) string {
	var b strings.Builder
	b.WriteString(o.WireURL())
	switch {
	case o.JSON != nil:
		if !strings.Contains(o.URL, "bodySHA256=") {
			sum := sha256.Sum256(o.JSON)
			sep := "?"
			if strings.Contains(o.WireURL(), "?") {
				sep = "&"
			}
			b.WriteString(sep + "bodySHA256=" + hex.EncodeToString(sum[:]))
		}
	case o.Method != http.MethodGet:
		params := slices.Clone(o.Params)
		slices.SortFunc(params, func(x, y api.Param) int {
			if c := strings.Compare(x.Name, y.Name); c != 0 {
				return c
			}
			return strings.Compare(x.Value, y.Value)
		})
		for _, p := range slices.Compact(params) {
			b.WriteString(p.Name)
			b.WriteString(p.Value)
		}
	}
	return b.String()
}
