package verbs

import (
	"net/url"
	"strconv"
	"strings"

	"callbox/api/jambonz/js"
	"callbox/api/jambonz/shape"
	"callbox/call"
	"callbox/call/script"
)

const (
	// maxTrack is the longest name of a track in bytes.
	maxTrack = 64
	// maxWhisper is how many verbs a whisper may have.
	maxWhisper = 10
)

// trackActs are the actions of dub.
var trackActs = map[string]call.TrackAct{
	"addTrack": call.TrackAdd, "playOnTrack": call.TrackPlay, "sayOnTrack": call.TrackPlay,
	"silenceTrack": call.TrackSilence, "removeTrack": call.TrackRemove,
}

// Dub reads a dub, an object that was checked against DubProps. Relative addresses
// are taken from base; warn takes what has no effect.
func Dub(o shape.Object, base *url.URL, warn func(string)) (call.Track, error) {
	t := call.Track{Name: o.Text("track"), Act: trackActs[o.Text("action")], Loop: 1}
	if t.Name == "" || len(t.Name) > maxTrack {
		return t, o.Refuse("track", "is not a name of 1 to %d bytes", maxTrack)
	}
	if o.Is("loop") {
		t.Loop = 0
	}
	var err error
	if t.Loudness, err = DB(o, "gain"); err != nil {
		return t, err
	}
	play, say := o.Has("play"), o.Has("say")
	switch action := o.Text("action"); {
	case play && say:
		return t, o.Refuse("play", "and say exclude each other")
	case action == "playOnTrack" && !play:
		return t, o.Refuse("play", "is missing: it is what playOnTrack plays")
	case action == "sayOnTrack" && !say:
		return t, o.Refuse("say", "is missing: it is what sayOnTrack says")
	case action == "playOnTrack" && say, action == "sayOnTrack" && play,
		(t.Act == call.TrackSilence || t.Act == call.TrackRemove) && (play || say):
		return t, o.Refuse("action", "is %s, which does not take what is given with it", action)
	}
	d := decoder{doc: &script.Document{}, base: base}
	defer func() { d.tellAll(warn) }()
	if play {
		v := js.Value{Kind: js.Map, Members: []js.Member{{Name: "url", Value: o.Get("play")}}}
		t.Sounds, err = d.sounds("play", o.Path+".play", v)
	}
	if say {
		v := o.Get("say")
		if v.Kind == js.Text {
			v = js.Value{Kind: js.Map, Members: []js.Member{{Name: "text", Value: v}}}
		}
		t.Sounds, err = d.sounds("say", o.Path+".say", v)
	}
	return t, err
}

// tellAll hands over the warnings of the decoder.
func (d *decoder) tellAll(warn func(string)) {
	for _, w := range d.doc.Warnings {
		warn(w)
	}
}

// sounds decodes a say or a play that stands at path to what is heard of it.
func (d *decoder) sounds(verb, path string, v js.Value) ([]call.Sound, error) {
	o, err := shape.Read(v, path, table[verb].props.With(everywhere).With(shape.Props{"verb": {Type: shape.Text}}), shape.Options{Warn: d.warn})
	if err != nil {
		return nil, err
	}
	list, err := table[verb].make(d, o)
	if err != nil {
		return nil, err
	}
	var out []call.Sound
	for _, v := range list {
		switch v := v.(type) {
		case script.Say:
			for _, s := range append([]script.Speech{v.Speech}, v.More...) {
				out = append(out, call.Sound{Text: s.Text, Voice: s.Voice, Language: s.Language, Vendor: s.Vendor})
			}
		case script.Play:
			for _, u := range append([]string{v.URL}, v.More...) {
				out = append(out, call.Sound{URL: u})
			}
		}
	}
	return out, nil
}

// Whisper reads what one party of a connection is to hear once: a say or a play,
// or an array of such. path is where v stands.
func Whisper(path string, v js.Value, base *url.URL, warn func(string)) (call.Track, error) {
	t := call.Track{Loop: 1}
	list := []js.Value{v}
	if v.Kind == js.List {
		list = v.List
	}
	if len(list) == 0 || len(list) > maxWhisper {
		return t, shape.Refuse("%s holds %d verbs, it must be 1 to %d", path, len(list), maxWhisper)
	}
	d := decoder{doc: &script.Document{}, base: base}
	defer func() { d.tellAll(warn) }()
	for i, v := range list {
		name, body, err := named(i+1, v)
		if err != nil {
			return t, shape.Refuse("%s: %s", path, err)
		}
		if name != "say" && name != "play" {
			return t, shape.Refuse("%s holds the verb %q, only say and play can be whispered", path, name)
		}
		sounds, err := d.sounds(name, path+"."+name, body)
		if err != nil {
			return t, err
		}
		t.Sounds = append(t.Sounds, sounds...)
	}
	if len(t.Sounds) == 0 {
		return t, shape.Refuse("%s says nothing", path)
	}
	return t, nil
}

// DB reads a loudness in dB, a number or a text such as "-6 dB"; nil when it is
// absent.
func DB(o shape.Object, name string) (*float64, error) {
	v := o.Get(name)
	dB := v.Number
	switch v.Kind {
	case js.Number:
	case js.Text:
		text := strings.TrimSpace(v.Text)
		if i := len(text) - 2; i >= 0 && strings.EqualFold(text[i:], "dB") {
			text = strings.TrimSpace(text[:i])
		}
		var err error
		if dB, err = strconv.ParseFloat(text, 64); err != nil {
			return nil, o.Refuse(name, `is %q, it must be a number of decibels such as -6 or "-6 dB"`, v.Text)
		}
	default:
		return nil, nil
	}
	if !(dB >= call.MinLoudness && dB <= call.MaxLoudness) {
		return nil, o.Refuse(name, "is %s, it must be from %d to %d dB", v.String(), call.MinLoudness, call.MaxLoudness)
	}
	return &dB, nil
}
