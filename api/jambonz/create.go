package jambonz

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"callbox/api"
	"callbox/api/jambonz/js"
	"callbox/api/jambonz/shape"
	"callbox/api/jambonz/verbs"
	"callbox/call"
	"callbox/call/script"
)

// createProps are the properties of Create Call (call-api.md §1.1).
var createProps = shape.Props{
	"from":                       {Type: shape.Text, Need: true},
	"to":                         {Type: shape.Map, Need: true, Props: withoutConfirm(shape.TargetProps)},
	"application_sid":            {Type: shape.Text},
	"call_hook":                  shape.HookProp(),
	"call_status_hook":           shape.HookProp(),
	"app_json":                   {Type: shape.Text | shape.List},
	"answerOnBridge":             {Type: shape.Bool}, // it always holds: nobody's phone is answered before the one that is called
	"timeout":                    {Type: shape.Number},
	"timeLimit":                  {Type: shape.Number},
	"tag":                        {Type: shape.Map},
	"env_vars":                   {Type: shape.Map},
	"headers":                    {Type: shape.Map},
	"fromHost":                   {Type: shape.Text},
	"callerName":                 {Type: shape.Text},
	"sipRequestWithinDialogHook": shape.HookProp(),
	"referHook":                  shape.HookProp(),
	"dual_streams":               {Type: shape.Bool, Unable: "the box does not offer the two directions as streams apart"},
	"amd":                        {Type: shape.Map, Props: shape.AMDProps},
}.With(speechProps)

// speechProps are the settings of speech, of a call or an application.
var speechProps = shape.Props{
	"speech_synthesis_vendor":             {Type: shape.Text},
	"speech_synthesis_label":              {Type: shape.Text},
	"speech_synthesis_language":           {Type: shape.Text},
	"speech_synthesis_voice":              {Type: shape.Text},
	"speech_recognizer_vendor":            {Type: shape.Text},
	"speech_recognizer_label":             {Type: shape.Text},
	"speech_recognizer_language":          {Type: shape.Text},
	"use_for_fallback_speech":             {Type: shape.Bool | shape.Number},
	"fallback_speech_synthesis_vendor":    {Type: shape.Text},
	"fallback_speech_synthesis_label":     {Type: shape.Text},
	"fallback_speech_synthesis_language":  {Type: shape.Text},
	"fallback_speech_synthesis_voice":     {Type: shape.Text},
	"fallback_speech_recognizer_vendor":   {Type: shape.Text},
	"fallback_speech_recognizer_label":    {Type: shape.Text},
	"fallback_speech_recognizer_language": {Type: shape.Text},
}

// speechField is a setting of speech and where it is kept.
type speechField struct {
	name string
	of   func(*call.Speech) *string
}

// speechFields are the settings of speech, in the order in which they are shown.
var speechFields = []speechField{
	{"speech_synthesis_vendor", func(s *call.Speech) *string { return &s.Vendor }},
	{"speech_synthesis_label", func(s *call.Speech) *string { return &s.Label }},
	{"speech_synthesis_language", func(s *call.Speech) *string { return &s.Language }},
	{"speech_synthesis_voice", func(s *call.Speech) *string { return &s.Voice }},
	{"speech_recognizer_vendor", func(s *call.Speech) *string { return &s.Recognizer }},
	{"speech_recognizer_label", func(s *call.Speech) *string { return &s.RecognizerLabel }},
	{"speech_recognizer_language", func(s *call.Speech) *string { return &s.RecognizerLanguage }},
	{"fallback_speech_synthesis_vendor", func(s *call.Speech) *string { return &s.FallbackVendor }},
	{"fallback_speech_synthesis_label", func(s *call.Speech) *string { return &s.FallbackLabel }},
	{"fallback_speech_synthesis_language", func(s *call.Speech) *string { return &s.FallbackLanguage }},
	{"fallback_speech_synthesis_voice", func(s *call.Speech) *string { return &s.FallbackVoice }},
	{"fallback_speech_recognizer_vendor", func(s *call.Speech) *string { return &s.FallbackRecognizer }},
	{"fallback_speech_recognizer_label", func(s *call.Speech) *string { return &s.FallbackRecognizerLabel }},
	{"fallback_speech_recognizer_language", func(s *call.Speech) *string { return &s.FallbackRecognizerLanguage }},
}

// readSpeech changes s by the settings of speech in o.
func readSpeech(o shape.Object, s *call.Speech) error {
	off := o.Has("use_for_fallback_speech") && !truth(o, "use_for_fallback_speech")
	for _, f := range speechFields {
		switch {
		case off && strings.HasPrefix(f.name, "fallback_"):
			*f.of(s) = ""
		case o.Has(f.name):
			if *f.of(s) = o.Text(f.name); len(*f.of(s)) > maxSpeech {
				return o.Refuse(f.name, "is longer than %d bytes", maxSpeech)
			}
		}
	}
	return nil
}

// truth gives a truth value that may be written as a number.
func truth(o shape.Object, name string) bool {
	v := o.Get(name)
	return v.Bool || v.Number != 0
}

// withoutConfirm drops what only a dialled party has.
func withoutConfirm(p shape.Props) shape.Props {
	p = p.With(nil)
	delete(p, "confirmHook")
	delete(p, "method")
	return p
}

// Limits of a request.
const (
	maxFrom   = 256
	maxData   = 16 << 10 // bytes of tag or env_vars: they travel with every callback
	maxRing   = 600      // seconds, as the other call APIs
	maxTalk   = 48 * 60 * 60
	maxCaller = 128
	maxSpeech = 64 // bytes of a vendor, language or voice
)

// ReadCreate reads a Create Call.
func (s rest) ReadCreate(q *api.Request) (call.Request, error) {
	o, err := readBody(q, createProps)
	if err != nil {
		return call.Request{}, err
	}
	req := call.Request{ID: s.NewID(api.CallID), API: Name, Application: o.Text("application_sid")}
	for _, read := range []func(shape.Object, *call.Request) error{readParties, readScript, readTimes, readSession} {
		if err := read(o, &req); err != nil {
			return call.Request{}, err
		}
	}
	if strings.HasPrefix(req.Line, call.TeamsLine) {
		if s.h.Lines == nil {
			return call.Request{}, noTeams
		}
		if _, ok := s.h.Lines.Line(q.Account.ID, req.Line); !ok {
			return call.Request{}, noTeams
		}
	}
	if o.Has("amd") {
		if req.AMD, err = o.Object("amd").AMD(nil); err != nil {
			return call.Request{}, err
		}
	}
	return req, nil
}

// noTeams refuses a call by Microsoft Teams where there is no way to it.
var noTeams = shape.Refuse("to.type is teams, and this box has no Microsoft Teams trunk for this tenant: set one up with MicrosoftTeamsTenants, or call the number with type phone")

// readParties reads who calls whom, and how that is told to the network.
func readParties(o shape.Object, req *call.Request) error {
	req.From = strings.TrimSpace(o.Text("from"))
	if req.From == "" || len(req.From) > maxFrom || strings.ContainsAny(req.From, "\r\n\t\"<>") {
		return o.Refuse("from", "is not a number, name or SIP address of 1 to %d characters", maxFrom)
	}
	if n, ok := shape.Digits(req.From); ok {
		req.From = n
	}
	to := o.Object("to")
	t, err := to.Target(nil)
	if err != nil {
		return err
	}
	req.To, req.Line, req.Auth, req.SIP, req.CallerID = t.To, t.Line, t.Auth, t.SIP, t.From
	if t.Kind == script.ToUser {
		req.To = "client:" + t.To
	}
	host, err := o.Host("fromHost")
	if err != nil {
		return err
	}
	req.SIP.FromHost = cmp.Or(req.SIP.FromHost, host)
	if req.Headers, err = o.Headers("headers"); err != nil {
		return err
	}
	for _, h := range t.Headers { // the target's own come before the call's
		req.Headers = slices.DeleteFunc(req.Headers, func(x call.Header) bool { return strings.EqualFold(x.Name, h.Name) })
		req.Headers = append(req.Headers, h)
	}
	req.CallerName = o.Text("callerName")
	if len(req.CallerName) > maxCaller || strings.ContainsAny(req.CallerName, "\r\n") {
		return o.Refuse("callerName", "is not one line of at most %d bytes", maxCaller)
	}
	return nil
}

// allEvents are what a status hook of this dialect is told of.
var allEvents = []call.EventType{call.EventInitiated, call.EventRinging, call.EventAnswered, call.EventEnded}

// readScript reads what to do when the call is answered, and whom to tell of its
// progress. An application replaces both afterwards.
func readScript(o shape.Object, req *call.Request) error {
	var err error
	if req.Script.Main, err = o.Hook("call_hook", nil); err != nil {
		return err
	}
	if req.Status.Hook, err = o.Hook("call_status_hook", nil); err != nil {
		return err
	}
	if !req.Status.IsZero() {
		req.Status.Events = slices.Clone(allEvents)
	}
	if v := o.Get("app_json"); v.Kind == js.List {
		req.Script.Inline = v.String()
	} else {
		req.Script.Inline = v.Text
	}
	if req.Script.Inline != "" {
		if _, err := verbs.Decode([]byte(req.Script.Inline), ""); err != nil {
			return o.Refuse("app_json", "cannot be run: %s", err)
		}
	}
	if req.Application == "" && req.Script.IsZero() {
		return shape.Refuse("one of application_sid and call_hook is needed, to say what to do when the call is answered")
	}
	return nil
}

// readTimes reads the limits of the call. The box's own may be lower.
func readTimes(o shape.Object, req *call.Request) error {
	ring, _, err := o.Whole("timeout", 1, maxRing)
	if err != nil {
		return err
	}
	talk, _, err := o.Whole("timeLimit", 1, maxTalk)
	req.RingTimeout, req.TimeLimit = time.Duration(ring)*time.Second, time.Duration(talk)*time.Second
	return err
}

// readSession reads what the call carries for its scripts.
func readSession(o shape.Object, req *call.Request) error {
	for name, to := range map[string]*string{"tag": &req.Session.Tag, "env_vars": &req.Session.Env} {
		if !o.Has(name) {
			continue
		}
		if *to = o.Get(name).String(); len(*to) > maxData {
			return o.Refuse(name, "is longer than %d bytes", maxData)
		}
	}
	var err error
	if req.Session.Messages, err = o.Hook("sipRequestWithinDialogHook", nil); err != nil {
		return err
	}
	if req.Session.Transfers, err = o.Hook("referHook", nil); err != nil {
		return err
	}
	return readSpeech(o, &req.Session.Speech)
}

// WriteCall answers with one call: the ids of a created one, the whole of one
// that was asked for, and a word for one that was changed.
func (s rest) WriteCall(w http.ResponseWriter, q *api.Request, rec call.Record, created bool) {
	switch {
	case created:
		var o js.Object
		o.Text("sid", rec.ID)
		o.Some("callId", rec.SIPCallID)
		writeJSON(w, http.StatusCreated, o.Value())
	case q.Method == http.MethodGet:
		writeJSON(w, http.StatusOK, s.resource(rec).Value())
	default:
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(http.StatusAccepted)
		_, _ = w.Write([]byte("Accepted")) // a client that has left needs no answer
	}
}
