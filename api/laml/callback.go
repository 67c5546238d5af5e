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

// form collects parameters in the order in which they are sent.
type form struct{ list []api.Param }

func (f *form) add(name, value string) { f.list = append(f.list, api.Param{Name: name, Value: value}) }

// some adds a parameter that is left out when it is empty.
func (f *form) some(name, value string) {
	if value != "" {
		f.add(name, value)
	}
}

// outgoing makes the request to h.
func (d *Dialect) outgoing(h call.Hook, rec call.Record, f form) api.Outgoing {
	method := h.Method
	if method == "" {
		method = "POST"
	}
	return api.Outgoing{
		URL: h.URL, Method: method, Params: f.list, Username: h.Username, Password: h.Password,
		Account: rec.Account, API: d.p.Name,
	}
}

// common is what every request about a call begins with.
func (d *Dialect) common(rec call.Record, status string) form {
	var f form
	f.add("CallSid", rec.ID)
	f.add("AccountSid", rec.Account)
	f.add("From", rec.From)
	f.add("To", rec.To)
	f.add("Caller", rec.From)
	f.add("Called", rec.To)
	f.add("CallStatus", status)
	f.add("ApiVersion", d.p.Version)
	f.add("Direction", string(rec.Direction))
	f.some("ForwardedFrom", rec.Forwarded)
	f.some("CallerName", rec.CallerName)
	f.some("ParentCallSid", rec.Parent)
	return f
}

// DocumentRequest is the request that asks h for verbs (call-api.md §5.1, §5.4).
func (d *Dialect) DocumentRequest(h call.Hook, rec call.Record, res *script.Result) api.Outgoing {
	f := d.common(rec, StatusName(rec))
	if rec.SIPCallID != "" {
		f.add("SipCallId", rec.SIPCallID)
		if rec.Direction == call.Inbound {
			user, domain := sipParts(rec.To)
			f.some("SipUsername", user)
			f.some("SipDomain", domain)
			f.some("SipSourceIp", hostOf(rec.Remote))
		}
	}
	for _, h := range rec.Headers {
		if twiml.ValidHeaderName(h.Name) {
			f.add("SipHeader_"+h.Name, h.Value)
		}
	}
	f.some("AnsweredBy", rec.AnsweredBy)
	if res != nil {
		d.addResult(&f, res)
	}
	return d.outgoing(h, rec, f)
}

// addResult adds what a verb tells its action.
func (d *Dialect) addResult(f *form, res *script.Result) {
	switch res.Verb {
	case "gather":
		f.add("Digits", res.Digits)
	case "record":
		if res.Recording != nil {
			d.addRecording(f, *res.Recording)
		}
		switch {
		case res.HungUp:
			f.add("Digits", "hangup")
		case res.Digit != 0:
			f.add("Digits", string(rune(res.Digit)))
		}
	case "dial":
		if res.Dial != nil {
			d.addDial(f, *res.Dial)
		}
	}
	if res.Error != nil {
		f.add("ErrorCode", strconv.Itoa(res.Error.Code))
		f.add("ErrorUrl", res.Error.URL)
	}
}

// addRecording adds a recording that is complete.
func (d *Dialect) addRecording(f *form, r call.Recording) {
	f.add("RecordingUrl", d.recordingURL(d.base(), r))
	f.add("RecordingSid", r.ID)
	f.add("RecordingDuration", WholeSeconds(r.Duration))
}

// addDial adds how a Dial ended.
func (d *Dialect) addDial(f *form, r script.DialResult) {
	f.add("DialCallStatus", r.State.String())
	f.some("DialCallSid", r.Child)
	if r.Bridged {
		f.add("DialCallDuration", WholeSeconds(r.Duration))
	}
	f.add("DialBridged", strconv.FormatBool(r.Bridged))
	if r.Recording != nil {
		d.addRecording(f, *r.Recording)
	}
	f.some("DialSipCallId", r.SIPCallID)
	if r.SIPStatus != 0 {
		f.add("DialSipResponseCode", strconv.Itoa(r.SIPStatus))
	}
}

// callbackStatus is the CallStatus of an event of a call.
func callbackStatus(ev call.Event) (string, bool) {
	switch ev.Type {
	case call.EventInitiated:
		return "initiated", true
	case call.EventRinging:
		return "ringing", true
	case call.EventAnswered:
		return "in-progress", true
	case call.EventEnded:
		return ev.Record.State.String(), true
	}
	return "", false
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

// Callback gives the message that ev owes to the call's status hook or to its
// recording's hook (call-api.md §3.2).
func (d *Dialect) Callback(ev call.Event) []api.Outgoing {
	if status, ok := callbackStatus(ev); ok {
		if !ev.Record.Status.Wants(ev.Type) {
			return nil
		}
		o := d.outgoing(ev.Record.Status.Hook, ev.Record, d.statusForm(ev, status))
		o.Token = eventToken(ev.Record.ID, string(ev.Type), strconv.Itoa(ev.Seq))
		return []api.Outgoing{o}
	}
	if status, ok := recordingStatus(ev.Type); ok && ev.Recording != nil && ev.Recording.Hook.Wants(ev.Type) {
		o := d.outgoing(ev.Recording.Hook.Hook, ev.Record, d.recordingForm(*ev.Recording, status))
		o.Account = ev.Recording.Account
		o.Token = eventToken(ev.Recording.ID, string(ev.Type))
		return []api.Outgoing{o}
	}
	return nil
}

// statusForm is the message to a status hook.
func (d *Dialect) statusForm(ev call.Event, status string) form {
	rec := ev.Record
	f := d.common(rec, status)
	f.add("Timestamp", RFC2822(ev.At))
	f.add("CallbackSource", "call-progress-events")
	f.add("SequenceNumber", strconv.Itoa(ev.Seq))
	if ev.Type != call.EventEnded {
		return f
	}
	length := rec.Duration(ev.At)
	f.add("CallDuration", WholeSeconds(length))
	f.add("Duration", strconv.FormatInt(int64((length+time.Minute-1)/time.Minute), 10))
	f.some("SipResponseCode", sipResponse(rec))
	f.some("AnsweredBy", rec.AnsweredBy)
	switch {
	case ev.Recording != nil:
		d.addRecording(&f, *ev.Recording)
	case len(rec.Recordings) > 0:
		r := call.Recording{ID: rec.Recordings[len(rec.Recordings)-1], Account: rec.Account}
		f.add("RecordingUrl", d.recordingURL(d.base(), r))
		f.add("RecordingSid", r.ID)
	}
	return f
}

// sipResponse is the final status of a call's INVITE, empty when there was no
// INVITE.
func sipResponse(rec call.Record) string {
	switch {
	case rec.Answered != nil && rec.SIPCallID != "":
		return "200"
	case rec.Cause != nil && rec.Cause.SIP >= 300:
		return strconv.Itoa(rec.Cause.SIP)
	}
	return ""
}

// recordingForm is the message to a recording's hook.
func (d *Dialect) recordingForm(r call.Recording, status string) form {
	var f form
	f.add("AccountSid", r.Account)
	f.add("CallSid", r.Call)
	f.add("RecordingSid", r.ID)
	f.add("RecordingUrl", d.recordingURL(d.base(), r))
	f.add("RecordingStatus", status)
	if status != "in-progress" {
		f.add("RecordingDuration", WholeSeconds(r.Duration))
	}
	f.add("RecordingChannels", strconv.Itoa(max(r.Channels, 1)))
	f.add("RecordingStartTime", RFC2822(r.Started))
	f.add("RecordingSource", r.Source)
	f.add("RecordingTrack", string(r.Track))
	if r.Error != "" {
		f.add("ErrorCode", recordingFailed)
	}
	return f
}

// recordingFailed is the ErrorCode of a recording that could not be kept: an
// internal failure (call-api.md §1.5).
const recordingFailed = "12400"

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
