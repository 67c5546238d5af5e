package laml

import (
	"strings"
	"unicode/utf8"

	"callbox/call"
	"callbox/call/script"
)

// maxSay is the longest text of a Say in characters.
const maxSay = 4096

// promptVerbs may stand in a Gather, responseVerbs in a Response.
var (
	promptVerbs = map[string]maker{
		"Say": (*decoder).say, "Play": (*decoder).play, "Pause": (*decoder).pause,
	}
	responseVerbs = map[string]maker{
		"Say": (*decoder).say, "Play": (*decoder).play, "Pause": (*decoder).pause,
		"Gather": (*decoder).gather, "Record": (*decoder).record, "Dial": (*decoder).dial,
		"Hangup": (*decoder).hangup, "Reject": (*decoder).reject, "Redirect": (*decoder).redirect,
	}
)

// The attributes of the verbs; false: known, but without effect on this box.
var (
	sayAttrs      = map[string]bool{"voice": true, "language": true, "loop": true}
	playAttrs     = map[string]bool{"loop": true, "digits": true}
	pauseAttrs    = map[string]bool{"length": true}
	redirectAttrs = map[string]bool{"method": true}
	rejectAttrs   = map[string]bool{"reason": true}
	gatherAttrs   = map[string]bool{
		"action": true, "method": true, "timeout": true, "finishOnKey": true, "numDigits": true,
		"actionOnEmptyResult": true, "input": true,
		// These matter only to speech, of which "input" tells.
		"speechTimeout": true, "maxSpeechTime": true, "language": true, "hints": true,
		"profanityFilter": true, "speechModel": true, "enhanced": true, "bargeIn": true,
		"partialResultCallback": true, "partialResultCallbackMethod": true, "debug": true,
	}
	recordAttrs = map[string]bool{
		"action": true, "method": true, "timeout": true, "finishOnKey": true, "maxLength": true,
		"playBeep": true, "trim": true, "recordingStatusCallback": true,
		"recordingStatusCallbackMethod": true, "recordingStatusCallbackEvent": true,
		"transcribe": true, "transcribeCallback": false, "recordingConfigurationId": false,
	}
)

// say decodes a Say. With elements in it the text is SSML.
func (d *decoder) say(n *node) script.Verb {
	a := d.attributes(n, sayAttrs)
	speech := plainSpeech(n.content())
	if len(n.elements()) > 0 {
		var b strings.Builder
		b.WriteString("<speak>")
		n.writeSSML(&b, func(k *node) {
			d.warn(k, codeUnknown, "<%s> is no speech markup; only its text is spoken", clip(k.name))
		})
		b.WriteString("</speak>")
		speech.Text = b.String()
	}
	speech.Voice, speech.Language = a.text("voice", ""), a.text("language", "")
	loop := a.integer("loop", 1, 0, script.MaxLoops, 13510)
	switch {
	case speech.Text == "" || speech.Text == "<speak></speak>":
		d.warn(n, 13520, "<Say> has no text and was skipped")
		return nil
	case utf8.RuneCountInString(speech.Text) > maxSay:
		d.warn(n, 13521, "the text of <Say> is longer than %d characters; it was skipped", maxSay)
		return nil
	}
	return script.Say{Speech: speech, Loop: loop}
}

// play decodes a Play of a sound or of keys.
func (d *decoder) play(n *node) script.Verb {
	a := d.attributes(n, playAttrs)
	loop := a.integer("loop", 1, 0, script.MaxLoops, 13410)
	if digits, ok := a.values["digits"]; ok {
		if !validKeys(digits) {
			d.warn(n, 13430, "digits=%q of <Play> are not made of 0-9 * # A-D w W; they were skipped", clip(digits))
			return nil
		}
		return script.Play{Digits: digits, Loop: loop}
	}
	address := n.content()
	if address == "" {
		d.warn(n, codeBadURL, "<Play> has no address and was skipped")
		return nil
	}
	return script.Play{URL: d.resolve(n, "the address", address), Loop: loop}
}

// validKeys is validDigits without its limit; a document is bounded anyway.
func validKeys(s string) bool {
	return s != "" && strings.Trim(s, "0123456789#*wWABCDabcd") == ""
}

// pause decodes a Pause.
func (d *decoder) pause(n *node) script.Verb {
	a := d.attributes(n, pauseAttrs)
	return script.Pause{Length: a.seconds("length", 1, 0, 14400, 13910)}
}

// gather decodes a Gather and its prompts.
func (d *decoder) gather(n *node) script.Verb {
	a := d.attributes(n, gatherAttrs)
	input := strings.Fields(strings.ToLower(a.text("input", "dtmf")))
	for _, word := range input {
		switch word {
		case "dtmf":
		case "speech":
			d.warn(n, codeUnsupported, "speech input of <Gather> is not available, there is no recogniser; keys are taken")
		default:
			d.warn(n, 13326, "input of <Gather> holds %q, which is neither dtmf nor speech", clip(word))
		}
	}
	g := script.Gather{
		Action:        a.action(13312),
		Timeout:       a.seconds("timeout", 5, 1, 3600, 13313),
		FinishOnKey:   a.keys("finishOnKey", "#", 13310),
		ActionOnEmpty: a.boolean("actionOnEmptyResult", false, codeUnknown),
	}
	if _, ok := a.values["numDigits"]; ok {
		g.NumDigits = a.integer("numDigits", 0, 1, script.MaxGatherDigits, 13314)
	}
	for _, k := range n.kids {
		if k.name != "" && promptVerbs[k.name] == nil {
			d.warn(k, 13320, "<%s> cannot stand in <Gather> and was skipped", clip(k.name))
			continue
		}
		g.Prompts = append(g.Prompts, d.verbs([]*node{k}, promptVerbs)...)
	}
	return g
}

// record decodes a Record.
func (d *decoder) record(n *node) script.Verb {
	a := d.attributes(n, recordAttrs)
	maxLength := 3600
	if a.boolean("transcribe", false, 13614) {
		d.warn(n, codeUnsupported, "transcription of <Record> is not available on this box")
		maxLength = 120
	}
	return script.Record{
		Action:      a.action(13610),
		Timeout:     a.seconds("timeout", 5, 0, 14400, 13611),
		FinishOnKey: a.keys("finishOnKey", "1234567890*#", 13613),
		Beep:        a.boolean("playBeep", true, codeUnknown),
		Options: call.RecordOptions{
			Channels:  1,
			Track:     call.TrackInbound,
			Trim:      a.choice("trim", 13699, "trim-silence", "do-not-trim") == "trim-silence",
			MaxLength: a.seconds("maxLength", maxLength, 1, 14400, 13612),
			Source:    "RecordVerb",
			Status:    a.status("recordingStatusCallback", recordingEvents, 13610),
		},
	}
}

// hangup decodes a Hangup.
func (d *decoder) hangup(n *node) script.Verb {
	d.attributes(n, nil)
	return script.Hangup{}
}

// reject decodes a Reject.
func (d *decoder) reject(n *node) script.Verb {
	a := d.attributes(n, rejectAttrs)
	return script.Reject{Busy: a.choice("reason", 13810, "rejected", "busy") == "busy"}
}

// redirect decodes a Redirect. Without an address it is the document itself.
func (d *decoder) redirect(n *node) script.Verb {
	a := d.attributes(n, redirectAttrs)
	return script.Redirect{Hook: call.Hook{
		URL: d.resolve(n, "the address", n.content()), Method: a.method("method", 13710),
	}}
}
