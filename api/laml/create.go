package laml

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"callbox/api"
	"callbox/api/laml/twiml"
	"callbox/call"
)

// readCreate makes a request for a call of the parameters of a create.
func (d *Dialect) readCreate(form url.Values, warn func(string)) (call.Request, error) {
	v, unknown, err := readValues(form, d.p.Tables.Create)
	if err != nil {
		return call.Request{}, err
	}
	d.warnUnused(d.p.Tables.Create, v, unknown, warn)
	req := call.Request{
		ID: d.p.NewID(api.CallID), API: d.p.Name,
		RingTimeout: seconds(v.Int("Timeout", 0)),
		TimeLimit:   seconds(v.Int("TimeLimit", 0)),
		SendDigits:  v.Text("SendDigits"),
		Reason:      v.Text("CallReason"),
		Token:       v.Text("CallToken"),
		Application: v.Text("ApplicationSid"),
	}
	kind, err := d.readParties(v, &req)
	if err != nil {
		return call.Request{}, err
	}
	if kind == twiml.NumberAddress {
		req.Line = v.Text("Byoc") // without meaning for anything but numbers
	}
	if req.Auth, err = readAuth(v); err != nil {
		return call.Request{}, err
	}
	if req.Application == "" { // an application's hooks win over these
		if req.Script, err = d.readScript(v, true, warn); err != nil {
			return call.Request{}, err
		}
		req.Status = statusHook(v, "StatusCallback", twiml.CallEvents)
	}
	req.Record = readRecord(v, warn)
	if req.MaxPrice, err = readPrice(v); err != nil {
		return call.Request{}, err
	}
	if req.AMD, err = readAMD(v, warn); err != nil {
		return call.Request{}, err
	}
	return req, nil
}

// warnUnused names the parameters that have no effect.
func (d *Dialect) warnUnused(table []Param, v Values, unknown []string, warn func(string)) {
	for _, p := range table {
		if p.Kind == Ignored && v.Has(p.Name) {
			warn(p.Name + " has no effect on this box")
		}
	}
	for _, name := range unknown {
		if len(name) > 60 {
			name = name[:60] + "…"
		}
		warn(fmt.Sprintf("%q is not a parameter of this request and was ignored", name))
	}
}

// readParties reads To, From and CallerId, and gives the kind of To.
func (d *Dialect) readParties(v Values, req *call.Request) (twiml.AddressKind, error) {
	to, problem := d.parseTo(v.Text("To"))
	if problem != nil {
		return 0, problem
	}
	switch to.Kind {
	case twiml.NumberAddress, twiml.SIPAddress, twiml.ClientAddress:
	default:
		return 0, refuse(CodeTo, "To %q is not a phone number, a sip: address or a client: name", v.Text("To"))
	}
	from, problem := twiml.ParseAddress(v.Text("From"))
	switch {
	case problem != nil || from.Kind == twiml.NoAddress:
		return 0, refuse(CodeFrom, "From %q is not a phone number, a sip: address, a client: name or a user name", v.Text("From"))
	case to.Kind == twiml.NumberAddress && from.Kind != twiml.NumberAddress:
		return 0, refuse(CodeFrom, "From %q is not a phone number, which it must be because To is one", v.Text("From"))
	}
	req.To, req.From, req.Headers = to.Value, from.Value, to.Headers
	if id := v.Text("CallerId"); id != "" {
		shown, problem := twiml.ParseAddress(id)
		if problem != nil || shown.Kind == twiml.NoAddress {
			return 0, refuse(CodeFrom, "CallerId %q is not a phone number, an address or a name", id)
		}
		req.CallerID = shown.Value
	}
	return to.Kind, nil
}

// parseTo reads the address that is called.
func (d *Dialect) parseTo(s string) (twiml.Address, *twiml.HeaderError) {
	if n, tail, ok := strings.Cut(s, "?"); ok && d.p.Tables.NumberHeaders {
		if to, _ := twiml.ParseAddress(n); to.Kind == twiml.NumberAddress {
			var problem *twiml.HeaderError
			to.Headers, problem = twiml.ParseHeaders(tail)
			return to, problem
		}
	}
	return twiml.ParseAddress(s)
}

// readAuth reads the credentials for a 401 or 407.
func readAuth(v Values) (*call.Credentials, error) {
	user, password := v.Text("SipAuthUsername"), v.Text("SipAuthPassword")
	switch {
	case user == "" && password == "":
		return nil, nil
	case user == "":
		return nil, refuse(CodeInvalid, "a SIP password is given without its user name")
	case password == "":
		return nil, refuse(CodeNoPassword, "a SIP user name is given without its password")
	case strings.ContainsAny(user, "\t\r\n \""):
		return nil, refuse(CodeUserChars, "the SIP user name holds white space or quotes")
	case strings.ContainsAny(password, "\r\n"):
		return nil, refuse(CodePasswordChars, "the SIP password holds a line break")
	}
	return &call.Credentials{Username: user, Password: password}, nil
}

// readScript reads Url, Twiml and their companions. A script that came with the
// request is decoded now, so that a bad one never becomes a call.
func (d *Dialect) readScript(v Values, required bool, warn func(string)) (call.ScriptSource, error) {
	var s call.ScriptSource
	if u := v.Text("FallbackUrl"); u != "" {
		s.Fallback = call.Hook{URL: u, Method: v.method("FallbackMethod")}
	}
	inline := v.Text("Twiml")
	switch {
	case v.Has("Url"):
		s.Main = call.Hook{URL: v.Text("Url"), Method: v.method("Method")}
		if inline != "" {
			warn(fmt.Sprintf("Twiml was ignored because Url is given too (%d)", CodeTwimlAndURL))
		}
	case inline != "":
		if _, err := d.Decode([]byte(inline), "text/xml", ""); err != nil {
			return s, err
		}
		s.Inline = inline
	case required:
		return s, refuse(CodeURL, "one of Url, Twiml and ApplicationSid is needed, to say what to do when the call is answered")
	}
	return s, nil
}

// statusHook reads name, nameMethod and nameEvent.
func statusHook(v Values, name string, events map[string]call.EventType) call.StatusHook {
	h := call.StatusHook{}
	if h.URL = v.Text(name); h.URL == "" {
		return h
	}
	h.Method = v.method(name + "Method")
	for _, e := range v.List(name + "Event") {
		typ, ok := events[e]
		if !ok {
			typ = call.EventType(e) // known to the dialect, but it never happens on this box
		}
		h.Events = append(h.Events, typ)
	}
	return h
}

// readRecord reads what Record and its companions ask for.
func readRecord(v Values, warn func(string)) *call.RecordOptions {
	if !v.Bool("Record") {
		for _, name := range []string{"RecordingChannels", "RecordingTrack", "RecordingStatusCallback", "Trim"} {
			if v.Has(name) {
				warn(name + " has no effect without Record=true")
			}
		}
		return nil
	}
	o := recordOptions(v)
	o.Trim, o.Source = v.Text("Trim") != "do-not-trim", "OutboundAPI"
	return &o
}

// recordOptions reads how to record. Silence is cut when that is asked for.
func recordOptions(v Values) call.RecordOptions {
	o := call.RecordOptions{
		Channels: 1,
		Track:    call.TrackBoth,
		Trim:     v.Text("Trim") == "trim-silence",
		Status:   statusHook(v, "RecordingStatusCallback", twiml.RecordingEvents),
	}
	if v.Text("RecordingChannels") == "dual" {
		o.Channels = 2
	}
	if t := v.Text("RecordingTrack"); t != "" {
		o.Track = call.RecordTrack(t)
	}
	return o
}

// readPrice reads MaxPricePerMinute, in 1/10,000.
func readPrice(v Values) (*int64, error) {
	text := v.Text("MaxPricePerMinute")
	if text == "" {
		return nil, nil
	}
	whole, part, _ := strings.Cut(text, ".")
	n, err := strconv.ParseInt(whole+(part + "0000")[:4], 10, 64)
	if err != nil || len(part) > 4 || strings.Trim(text, "0123456789.") != "" || text == "." {
		return nil, refuse(CodeInvalid, "MaxPricePerMinute is not an amount with at most four decimal places, such as 0.0075")
	}
	return &n, nil
}

// readAMD reads what MachineDetection and its companions ask for.
func readAMD(v Values, warn func(string)) (*call.AMD, error) {
	mode := v.Text("MachineDetection")
	if v.Bool("DetectVoicemail") { // a switch without settings; the verdict never holds up the script
		return &call.AMD{Timeout: seconds(30), SilenceTimeout: millis(5000), Async: true}, nil
	}
	switch {
	case v.Has("SendDigits") && mode != "":
		warn("MachineDetection was ignored because SendDigits is given too")
		return nil, nil
	case mode == "" || mode == "none":
		if v.Bool("AsyncAmd") && !v.Has("SendDigits") {
			return nil, refuse(CodeAMDCombination, "AsyncAmd needs MachineDetection")
		}
		return nil, nil
	case v.Bool("AsyncAmd") && !v.Has("AsyncAmdStatusCallback"):
		return nil, refuse(CodeNoAMDCallback, "AsyncAmd needs AsyncAmdStatusCallback, or nobody would learn the result")
	}
	if v.Bool("AsyncAmdPartialResults") && !v.Bool("AsyncAmd") {
		warn("AsyncAmdPartialResults has no effect without AsyncAmd=true")
	}
	a := &call.AMD{
		MessageEnd:         mode == "DetectMessageEnd",
		Timeout:            seconds(v.Int("MachineDetectionTimeout", 30)),
		SpeechThreshold:    millis(v.Int("MachineDetectionSpeechThreshold", 0)),
		SpeechEndThreshold: millis(v.Int("MachineDetectionSpeechEndThreshold", 0)),
		SilenceTimeout:     millis(v.Int("MachineDetectionSilenceTimeout", 5000)),
		Words:              v.Int("MachineWordsThreshold", 0),
		Async:              v.Bool("AsyncAmd"),
		Partial:            v.Bool("AsyncAmd") && v.Bool("AsyncAmdPartialResults"),
	}
	if u := v.Text("AsyncAmdStatusCallback"); u != "" {
		a.Status = call.Hook{URL: u, Method: v.method("AsyncAmdStatusCallbackMethod")}
	}
	return a, nil
}

// readChange makes a change of the call rec of the parameters of an update.
func (d *Dialect) readChange(form url.Values, rec call.Record, warn func(string)) (call.Change, error) {
	v, unknown, err := readValues(form, d.p.Tables.Update)
	if err != nil {
		return call.Change{}, err
	}
	d.warnUnused(d.p.Tables.Update, v, unknown, warn)
	var c call.Change
	if u := v.Text("StatusCallback"); u != "" || v.Has("StatusCallbackMethod") && !rec.Status.IsZero() {
		s := rec.Status // an update cannot name events: those of the create stay
		if u != "" {
			s.Hook = call.Hook{URL: u}
		}
		s.Method = v.method("StatusCallbackMethod")
		c.Status = &s
	}
	if v.Has("TimeLimit") {
		limit := seconds(v.Int("TimeLimit", 0))
		c.TimeLimit = &limit
	}
	src, err := d.readScript(v, false, warn)
	if err != nil {
		return call.Change{}, err
	}
	c.Cancel, c.Complete = v.Text("Status") == "canceled", v.Text("Status") == "completed"
	if !src.IsZero() {
		if c.Cancel || c.Complete {
			warn("Url and Twiml were ignored because Status ends the call")
		} else {
			c.Script = &src
		}
	}
	if v.Bool("MoveConnectedCallLeg") && c.Script != nil { // the other party runs the same
		c.Child, c.AnyChild = &src, true
	}
	if v.Has("Mute") {
		c.Muted = new(v.Bool("Mute"))
	}
	if c.IsZero() {
		p := refuse(CodeInvalid, "nothing to change: give %s", names(d.p.Tables.Update))
		p.err = ErrNothing
		return c, p
	}
	return c, nil
}

// names lists the parameters of a table that have an effect.
func names(table []Param) string {
	var list []string
	for _, p := range table {
		if p.Kind != Ignored {
			list = append(list, p.Name)
		}
	}
	return strings.Join(list, ", ")
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }
func millis(n int) time.Duration  { return time.Duration(n) * time.Millisecond }
