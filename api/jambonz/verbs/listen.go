package verbs

import (
	"strings"
	"time"

	"callbox/api/jambonz/shape"
	"callbox/call"
	"callbox/call/script"
)

// The rates that a stream may have, in Hz.
const (
	minRate = 8000
	maxRate = 64000
)

// maxMetadata is the longest metadata of a stream in bytes.
const maxMetadata = 16 << 10

// listenProps are the properties of a listen. Those of one within another verb
// have no actionHook.
var listenProps = shape.Props{
	"url":         {Type: shape.Text, Need: true},
	"actionHook":  shape.HookProp(),
	"wsAuth":      {Type: shape.Map, Props: shape.Props{"username": {Type: shape.Text, Need: true}, "password": {Type: shape.Text, Need: true}}},
	"auth":        {Type: shape.Map, Props: shape.Props{"username": {Type: shape.Text, Need: true}, "password": {Type: shape.Text, Need: true}}},
	"mixType":     {Type: shape.Text, Enum: []string{"mono", "stereo", "mixed"}},
	"sampleRate":  {Type: shape.Number},
	"metadata":    {Type: shape.Map},
	"finishOnKey": {Type: shape.Text},
	"maxLength":   {Type: shape.Number},
	"timeout":     {Type: shape.Number},
	"passDtmf":    {Type: shape.Bool},
	"playBeep":    {Type: shape.Bool},
	"transcribe":  {Type: shape.Map, Idle: "use transcribe beside listen"},
	"earlyMedia":  {Type: shape.Bool},
	"channel":     {Type: shape.Number, Idle: "mixType says what is streamed"},

	"disableBidirectionalAudio": {Type: shape.Bool},
	"bidirectionalAudio": {Type: shape.Map, Props: shape.Props{
		"enabled": {Type: shape.Bool}, "streaming": {Type: shape.Bool}, "sampleRate": {Type: shape.Number},
	}},
}

// nestedListenProps are those of a listen within another verb.
var nestedListenProps = listenProps.With(everywhere).With(shape.Props{
	"verb": {Type: shape.Text},
	// The verb around it decides on these.
	"earlyMedia":  {Type: shape.Bool, Idle: "the verb around listen decides when it is heard"},
	"finishOnKey": {Type: shape.Text, Idle: "the verb around listen goes on"},
	"playBeep":    {Type: shape.Bool, Idle: "the verb around listen goes on"},
	"actionHook":  {Type: shape.HookType, Props: shape.HookProps, Idle: "the verb around listen has its own"},
})

// listen decodes a listen, which is also called stream.
func (d *decoder) listen(o shape.Object) ([]script.Verb, error) {
	s, err := d.stream(o)
	if err != nil {
		return nil, err
	}
	v := script.Connect{Verb: "listen", Options: s, FinishOnKey: o.Text("finishOnKey"), Beep: o.Is("playBeep"), Early: o.Is("earlyMedia"), Resume: true}
	if strings.Trim(v.FinishOnKey, keys) != "" {
		return nil, o.Refuse("finishOnKey", "is %q, it must be made of 0-9 * # A-D", v.FinishOnKey)
	}
	if v.MaxLength, _, err = o.Duration("maxLength", time.Second, time.Second, maxListen); err != nil {
		return nil, err
	}
	if v.Action, err = o.Hook("actionHook", d.base); err != nil {
		return nil, err
	}
	return []script.Verb{v}, nil
}

// maxListen bounds the time limits of a listen.
const maxListen = 24 * time.Hour

// stream reads where to carry the sound of the call to.
func (d *decoder) stream(o shape.Object) (call.StreamOptions, error) {
	addr, err := o.SocketAddress("url", o.Text("url"), d.base)
	s := call.StreamOptions{URL: addr, Mix: call.StreamMix(o.Text("mixType")), Rate: minRate, Track: call.TrackBoth, Keys: o.Is("passDtmf"), Source: "listen"}
	if err != nil {
		return s, err
	}
	for _, name := range []string{"auth", "wsAuth"} {
		if o.Has(name) {
			a := o.Object(name)
			s.Username, s.Password = a.Text("username"), a.Text("password")
		}
	}
	if s.Mix == "" || s.Mix == call.StreamMono {
		s.Mix, s.Track = call.StreamMono, call.TrackInbound
	}
	if rate, ok, err := o.Whole("sampleRate", minRate, maxRate); err != nil {
		return s, err
	} else if ok {
		s.Rate = rate
	}
	if o.Has("metadata") {
		if s.Metadata = o.Get("metadata").String(); len(s.Metadata) > maxMetadata {
			return s, o.Refuse("metadata", "is longer than %d bytes", maxMetadata)
		}
	}
	if s.MaxSilence, _, err = o.Duration("timeout", time.Second, time.Second, maxListen); err != nil {
		return s, err
	}
	b := o.Object("bidirectionalAudio")
	s.TwoWay = !o.Is("disableBidirectionalAudio") && b.Flag("enabled", true)
	if s.TwoWay && b.Is("streaming") {
		s.PlayRate = s.Rate
		if rate, ok, err := b.Whole("sampleRate", minRate, maxRate); err != nil {
			return s, err
		} else if ok {
			s.PlayRate = rate
		}
	}
	return s, nil
}

// nested gives the listen, or stream, within another verb; nil: there is none.
func (d *decoder) nested(o shape.Object) (*call.StreamOptions, error) {
	for _, name := range []string{"listen", "stream"} {
		if !o.Has(name) {
			continue
		}
		s, err := d.stream(o.Object(name))
		return &s, err
	}
	return nil, nil
}

// beside is the name of the stream that config starts and stops.
const beside = "config"

// configListen decodes the listen of a config: one that goes on beside the verbs
// that follow, until another config ends it.
func (d *decoder) configListen(o shape.Object) ([]script.Verb, error) {
	for _, name := range []string{"listen", "stream"} {
		if !o.Has(name) {
			continue
		}
		l := o.Object(name)
		if !l.Flag("enable", true) {
			return []script.Verb{script.StopStream{Stream: beside}}, nil
		}
		if !l.Has("url") {
			return nil, l.Refuse("url", "is missing")
		}
		s, err := d.stream(l)
		if err != nil {
			return nil, err
		}
		s.Name = beside
		return []script.Verb{script.StartStream{Options: s}}, nil
	}
	return nil, nil
}

// configListenProps are the properties of the listen of a config.
var configListenProps = nestedListenProps.With(shape.Props{
	"enable": {Type: shape.Bool, Need: true},
	"url":    {Type: shape.Text},
})
