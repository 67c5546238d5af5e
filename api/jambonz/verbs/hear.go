package verbs

import (
	"strings"

	"callbox/api/jambonz/js"
	"callbox/api/jambonz/shape"
	"callbox/call"
	"callbox/call/script"
)

// recognizerProps are the properties of a recognizer that the box knows. What is
// for one vendor only is passed on to it as it stands.
var recognizerProps = shape.Props{
	"vendor": {Type: shape.Text}, "label": {Type: shape.Text}, "language": {Type: shape.Text},
	"hints": {Type: shape.List}, "hintsBoost": {Type: shape.Number}, "altLanguages": {Type: shape.List},
	"interim": {Type: shape.Bool}, "model": {Type: shape.Text}, "profanityFilter": {Type: shape.Bool},
	"asrTimeout": {Type: shape.Number}, "minConfidence": {Type: shape.Number}, "customOptions": {Type: shape.Map},
	"asrDtmfTerminationDigit": {Type: shape.Text, Idle: "use finishOnKey"},
	"vad":                     {Type: shape.Map, Idle: "the vendor decides where speech begins and ends"},
	"fallbackVendor":          {Type: shape.Text, Idle: "the box falls back to its default vendor"},
	"fallbackLabel":           {Type: shape.Text}, "fallbackLanguage": {Type: shape.Text},
}

// recognizer is a recognizer as a property.
func recognizer() shape.Prop { return shape.Prop{Type: shape.Map, Props: recognizerProps, Open: true} }

// Limits of a recognizer.
const (
	maxHints   = 500
	maxHint    = 100 // characters of one
	maxOptions = 8 << 10
)

// hearing reads a recognizer; what it leaves open is the call's.
func hearing(r shape.Object) (call.Hearing, error) {
	h := call.Hearing{Vendor: r.Text("vendor"), Language: r.Text("language"), Model: r.Text("model"),
		NoProfanity: r.Is("profanityFilter"), Interim: r.Is("interim"), HintsBoost: r.Get("hintsBoost").Number}
	for i, v := range r.List("hints") { // texts, or objects {phrase, boost}
		hint := v.Text
		if v.Kind == js.Map {
			p, _ := v.Get("phrase")
			hint = p.Text
		}
		if hint = strings.TrimSpace(hint); hint == "" || len(hint) > maxHint || i >= maxHints {
			return h, r.Refuse("hints", "is not a list of at most %d texts of 1 to %d bytes", maxHints, maxHint)
		}
		h.Hints = append(h.Hints, hint)
	}
	var err error
	if h.Languages, err = r.Texts("altLanguages"); err != nil {
		return h, err
	}
	if len(h.Languages) > 20 {
		return h, r.Refuse("altLanguages", "holds more than 20 languages")
	}
	if options := r.Get("customOptions"); options.Kind == js.Map {
		inner, ok := options.Get("options")
		if !ok || inner.Kind != js.Map {
			inner = options
		}
		if h.Options = inner.String(); len(h.Options) > maxOptions {
			return h, r.Refuse("customOptions", "is longer than %d bytes", maxOptions)
		}
	}
	return h, nil
}

// transcribe decodes a transcribe. As the last verb it holds the call; in front of
// others it goes on beside them.
func (d *decoder) transcribe(o shape.Object) ([]script.Verb, error) {
	t, err := d.transcription(o)
	if err != nil {
		return nil, err
	}
	return []script.Verb{script.Transcribe{Transcription: t, Early: o.Is("earlyMedia")}}, nil
}

// transcription reads what transcribe says, wherever it stands.
func (d *decoder) transcription(o shape.Object) (t call.Transcription, err error) {
	if t.Hook, err = o.Hook("transcriptionHook", d.base); err != nil {
		return t, err
	}
	if t.Hook.IsZero() {
		return t, o.Refuse("transcriptionHook", "is missing: nobody would learn what was said")
	}
	if t.Hearing, err = hearing(o.Object("recognizer")); err != nil {
		return t, err
	}
	channel, ok, err := o.Whole("channel", 1, 2)
	if err != nil {
		return t, err
	}
	t.Hearing.Track = call.TrackBoth
	if ok {
		t.Hearing.Track = []call.RecordTrack{call.TrackInbound, call.TrackOutbound}[channel-1]
	}
	return t, nil
}

// transcribing reads what a config says of transcription: nil changes nothing.
func (d *decoder) transcribing(o shape.Object) (*call.Transcription, error) {
	switch {
	case !o.Has("transcribe"):
		return nil, nil
	case !o.Object("transcribe").Is("enable"):
		return &call.Transcription{}, nil
	}
	t, err := d.transcription(o.Object("transcribe"))
	return &t, err
}

// transcribeProps are those of a transcribe.
var transcribeProps = shape.Props{
	"transcriptionHook": shape.HookProp(),
	"translationHook":   {Type: shape.HookType, Props: shape.HookProps, Idle: "the box does not translate"},
	"recognizer":        recognizer(), "earlyMedia": {Type: shape.Bool}, "channel": {Type: shape.Number},
	"enable": {Type: shape.Bool, Idle: "only the transcribe of config is switched"},
}
