package verbs

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"callbox/api/jambonz/js"
	"callbox/api/jambonz/shape"
	"callbox/call"
	"callbox/call/script"
)

// Limits of a dial.
const (
	maxTargets = 10
	ringTime   = 60 * time.Second // when no timeout is given
	maxRing    = 600 * time.Second
	maxTalk    = 48 * time.Hour
	maxCaller  = 256
	maxData    = 16 << 10 // bytes of a tag
)

// dial decodes a dial. All targets ring at once.
func (d *decoder) dial(o shape.Object) ([]script.Verb, error) {
	v := &script.DialVerb{Resume: true, Dial: script.Dial{
		CallerID: o.Text("callerId"), CallerName: o.Text("callerName"), AnswerOnBridge: o.Is("answerOnBridge"), Assert: o.Flag("forwardPAI", true), SameStatus: true,
	}}
	for _, name := range []string{"callerId", "callerName"} {
		if s := o.Text(name); len(s) > maxCaller || strings.ContainsAny(s, "\r\n") {
			return nil, o.Refuse(name, "is not one line of at most %d bytes", maxCaller)
		}
	}
	if n, ok := shape.Digits(v.Dial.CallerID); ok {
		v.Dial.CallerID = n
	}
	var err error
	if v.Action, err = o.Hook("actionHook", d.base); err != nil {
		return nil, err
	}
	ring, ok, err := o.Duration("timeout", time.Second, time.Second, maxRing)
	if err != nil {
		return nil, err
	}
	if v.Dial.Timeout = ringTime; ok {
		v.Dial.Timeout = ring
	}
	if v.Dial.TimeLimit, _, err = o.Duration("timeLimit", time.Second, time.Second, maxTalk); err != nil {
		return nil, err
	}
	if o.Has("tag") {
		if v.Dial.Tag, err = tagOf(o, "tag"); err != nil {
			return nil, err
		}
	}
	if v.Dial.Targets, err = d.targets(o); err != nil {
		return nil, err
	}
	if err := d.during(o, &v.Dial); err != nil {
		return nil, err
	}
	return []script.Verb{v}, nil
}

// during reads what happens before the answer and during the connection.
func (d *decoder) during(o shape.Object, v *script.Dial) (err error) {
	switch {
	case o.Is("anchorMedia"):
		v.Path = call.PathAnchored
		if o.Is("exitMediaPath") {
			d.warn(o.Path + ".exitMediaPath has no effect: anchorMedia keeps the sound in the box")
		}
	case o.Is("exitMediaPath"):
		v.Path = call.PathDirect
	}
	if o.Text("dialMusic") != "" {
		if v.Music, err = d.sound(o, "dialMusic", o.Text("dialMusic")); err != nil {
			return err
		}
	}
	if v.Stream, err = d.nested(o); err != nil {
		return err
	}
	if v.Transfers, err = o.Hook("referHook", d.base); err != nil {
		return err
	}
	v.MayIgnore = !v.Transfers.IsZero() // an application that answers nothing acts by a request of its own
	if v.OnHold, err = o.Hook("onHoldHook", d.base); err != nil {
		return err
	}
	if v.Loudness, err = DB(o, "boostAudioSignal"); err != nil {
		return err
	}
	if v.Tracks, err = d.dubs(o); err != nil {
		return err
	}
	if o.Has("transcribe") {
		t, err := d.transcription(o.Object("transcribe"))
		if err != nil {
			return err
		}
		v.Transcribe = &t
	}
	if v.Keys.Hook, err = o.Hook("dtmfHook", d.base); err != nil {
		return err
	}
	capture := o.Get("dtmfCapture")
	switch {
	case capture.Kind == js.Null:
		return nil
	case v.Keys.Hook.IsZero():
		return o.Refuse("dtmfHook", "is missing: nobody would learn of the keys of dtmfCapture")
	case capture.Kind == js.List:
		if v.Keys.Caller, err = sequences(o, "dtmfCapture"); err != nil {
			return err
		}
		v.Keys.Callee = v.Keys.Caller
		return nil
	}
	each := o.Object("dtmfCapture")
	if v.Keys.Caller, err = sequences(each, "parentCall"); err != nil {
		return err
	}
	v.Keys.Callee, err = sequences(each, "childCall")
	return err
}

// Limits of dtmfCapture.
const (
	maxSequences = 32
	maxSequence  = 32 // keys of one
)

// sequences reads a list of sequences of keys.
func sequences(o shape.Object, name string) ([]string, error) {
	list, err := o.Texts(name)
	if err != nil {
		return nil, err
	}
	if len(list) > maxSequences {
		return nil, o.Refuse(name, "holds more than %d sequences", maxSequences)
	}
	var out []string
	for _, s := range list {
		s = strings.ToUpper(s)
		if s == "" || len(s) > maxSequence || strings.Trim(s, keys) != "" {
			return nil, o.Refuse(name, "holds %q, it must hold sequences of 1 to %d of 0-9 * # A-D", s, maxSequence)
		}
		out = append(out, s)
	}
	return out, nil
}

// targets reads whom to call, and what the dial says of all of them.
func (d *decoder) targets(o shape.Object) ([]script.Target, error) {
	confirm, err := o.Hook("confirmHook", d.base)
	if err != nil {
		return nil, err
	}
	headers, err := o.Headers("headers")
	if err != nil {
		return nil, err
	}
	proxy, err := o.SIPAddress("proxy")
	if err != nil {
		return nil, err
	}
	var amd *call.AMD
	if o.Has("amd") {
		if amd, err = o.Object("amd").AMD(d.base); err != nil {
			return nil, err
		}
	}
	var out []script.Target
	for _, t := range o.Objects("target") {
		target, err := t.Target(d.base)
		if err != nil {
			return nil, err
		}
		if target.Screen.IsZero() {
			target.Screen = confirm
		}
		if target.SIP.Proxy == "" {
			target.SIP.Proxy = proxy
		}
		target.Headers = merged(headers, target.Headers)
		target.AMD = amd
		if slices.ContainsFunc(out, func(x script.Target) bool { return reflect.DeepEqual(x, target) }) {
			continue // twice the same phone
		}
		out = append(out, target)
	}
	if len(out) == 0 || len(out) > maxTargets {
		return nil, o.Refuse("target", "names %d parties, it must be 1 to %d", len(out), maxTargets)
	}
	return out, nil
}

// merged is a with b's headers added, in place of those of the same name.
func merged(a, b []call.Header) []call.Header {
	var out []call.Header
	for _, h := range a {
		if !slices.ContainsFunc(b, func(x call.Header) bool { return strings.EqualFold(x.Name, h.Name) }) {
			out = append(out, h)
		}
	}
	return append(out, b...)
}

// tagOf gives an object as the text in which it is kept.
func tagOf(o shape.Object, name string) (string, error) {
	s := o.Get(name).String()
	if len(s) > maxData {
		return "", o.Refuse(name, "is longer than %d bytes", maxData)
	}
	return s, nil
}
