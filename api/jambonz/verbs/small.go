package verbs

import (
	"strings"
	"time"

	"callbox/api/jambonz/shape"
	"callbox/call"
	"callbox/call/script"
)

// hangup decodes a hangup. A call that was not answered is refused.
func (d *decoder) hangup(o shape.Object) ([]script.Verb, error) {
	headers, err := o.Headers("headers")
	return []script.Verb{script.Hangup{Decline: true, Headers: headers}}, err
}

// redirect decodes a redirect.
func (d *decoder) redirect(o shape.Object) ([]script.Verb, error) {
	next, err := o.Hook("actionHook", d.base)
	if err != nil {
		return nil, err
	}
	if next.IsZero() {
		return nil, o.Refuse("actionHook", "is empty")
	}
	var out []script.Verb
	status, err := o.Hook("statusHook", d.base)
	if err != nil {
		return nil, err
	}
	if !status.IsZero() {
		out = append(out, script.Change{Verb: "redirect", Change: call.Change{Status: &call.StatusHook{Hook: status}}})
	}
	return append(out, script.Redirect{Hook: next}), nil
}

// dtmf decodes a dtmf.
func (d *decoder) dtmf(o shape.Object) ([]script.Verb, error) {
	k := script.Keys{Keys: strings.NewReplacer("a", "A", "b", "B", "c", "C", "d", "D").Replace(o.Text("dtmf")), Length: 500 * time.Millisecond}
	if k.Keys == "" || len(k.Keys) > 64 || strings.Trim(k.Keys, keys+"wW") != "" {
		return nil, o.Refuse("dtmf", "is %q, it must be 1 to 64 of 0-9 * # A-D w W", o.Text("dtmf"))
	}
	length, ok, err := o.Duration("duration", time.Millisecond, 40*time.Millisecond, 8*time.Second)
	if err != nil {
		return nil, err
	}
	if ok {
		k.Length = length
	}
	return []script.Verb{k}, nil
}

// tag decodes a tag.
func (d *decoder) tag(o shape.Object) ([]script.Verb, error) {
	data, err := tagOf(o, "data")
	if err != nil {
		return nil, err
	}
	return []script.Verb{script.Change{Verb: "tag", Change: call.Change{Tag: &data}}}, nil
}

// answer decodes an answer.
func (d *decoder) answer(shape.Object) ([]script.Verb, error) {
	return []script.Verb{script.Answer{}}, nil
}

// decline decodes a sip:decline.
func (d *decoder) decline(o shape.Object) ([]script.Verb, error) {
	status, _, err := o.Whole("status", 300, 699)
	if err != nil {
		return nil, err
	}
	headers, err := o.Headers("headers")
	return []script.Verb{script.Reject{Status: status, Reason: o.Text("reason"), Headers: headers}}, err
}

// alert decodes an alert: the caller is told with it that it rings.
func (d *decoder) alert(o shape.Object) ([]script.Verb, error) {
	text := o.Text("message")
	if text == "" || len(text) > maxAlert || strings.ContainsAny(text, "\r\n\x00") {
		return nil, o.Refuse("message", "is not one line of 1 to %d bytes", maxAlert)
	}
	return []script.Verb{script.Change{Verb: "alert", Change: call.Change{Ringing: []call.Header{{Name: "Alert-Info", Value: text}}}}}, nil
}

// maxAlert is the longest Alert-Info in bytes.
const maxAlert = 1024

// config decodes a config: what it says of speech holds for the rest of the call.
func (d *decoder) config(o shape.Object) ([]script.Verb, error) {
	s := d.synthesizer(o)
	r := o.Object("recognizer")
	s.Recognizer, s.RecognizerLanguage = r.Text("vendor"), r.Text("language")
	var c call.Change
	if s != (call.Speech{}) {
		c.Speech = &s
	}
	var err error
	if c.Transcribe, err = d.transcribing(o); err != nil {
		return nil, err
	}
	if c.ResetVoice, c.ResetRecognizer, err = resets(o); err != nil {
		return nil, err
	}
	if o.Has("amd") {
		if c.AMD, err = o.Object("amd").AMD(d.base); err != nil {
			return nil, err
		}
	}
	if c.Loudness, err = DB(o, "boostAudioSignal"); err != nil {
		return nil, err
	}
	if o.Has("sipRequestWithinDialogHook") {
		h, err := o.Hook("sipRequestWithinDialogHook", d.base)
		if err != nil {
			return nil, err
		}
		c.Messages = &h
	}
	if o.Has("referHook") {
		h, err := o.Hook("referHook", d.base)
		if err != nil {
			return nil, err
		}
		c.Transfers = &h
	}
	if o.Has("notifyEvents") {
		tell := o.Is("notifyEvents")
		c.Notify = &tell
	}
	if o.Has("onHoldMusic") {
		url, err := "", error(nil)
		if o.Text("onHoldMusic") != "" {
			if url, err = d.sound(o, "onHoldMusic", o.Text("onHoldMusic")); err != nil {
				return nil, err
			}
		}
		c.HoldMusic = &url
	}
	list, err := d.configListen(o)
	if err != nil {
		return nil, err
	}
	wait, err := d.waiting(o)
	if err != nil {
		return nil, err
	}
	barge, err := d.barge(o)
	if err != nil {
		return nil, err
	}
	list = append(list, barge...)
	rec, err := d.recording(o)
	if err != nil {
		return nil, err
	}
	list = append(list, rec...)
	if wait != (script.Wait{}) {
		list = append(list, wait)
	}
	if c.IsZero() {
		return list, nil
	}
	return append(list, script.Change{Verb: "config", Change: c}), nil
}

// resets reads what goes back to what it was when the call began.
func resets(o shape.Object) (voice, ears bool, err error) {
	list, err := o.Texts("reset")
	for _, what := range list {
		switch what {
		case "synthesizer":
			voice = true
		case "recognizer":
			ears = true
		default:
			return false, false, o.Refuse("reset", "holds %q, it may hold synthesizer and recognizer", what)
		}
	}
	return voice, ears, err
}
