package twiml

import (
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
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
		"Hangup": (*decoder).hangup, "Refer": (*decoder).refer, "Reject": (*decoder).reject, "Redirect": (*decoder).redirect,
		"Start": (*decoder).start, "Stop": (*decoder).stop, "Connect": (*decoder).connect,
		"Sms": (*decoder).message, "Message": (*decoder).message,
		"Enqueue": (*decoder).enqueue, "Leave": (*decoder).leave,
	}
)

// The attributes of the verbs; false: known, but without effect on this box.
var (
	sayAttrs      = map[string]bool{"voice": true, "language": true, "loop": true}
	playAttrs     = map[string]bool{"loop": true, "digits": true}
	pauseAttrs    = map[string]bool{"length": true}
	redirectAttrs = map[string]bool{"method": true}
	rejectAttrs   = map[string]bool{"reason": true}
	messageAttrs  = map[string]bool{"to": true, "from": true, "action": true, "method": true, "statusCallback": true}
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
		"transcribe": true, "transcribeCallback": true, "recordingConfigurationId": false,
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
	badVoice, badLanguage, badLoop := Code(13511), Code(13512), Code(13510)
	if d.prompt {
		badVoice, badLanguage, badLoop = 13321, codeGatherLanguage, 13322
	}
	speech.Voice, speech.Language = a.voice("voice", badVoice), a.language("language", "", badLanguage)
	loop := a.integer("loop", 1, 0, script.MaxLoops, badLoop)
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
	if strings.HasPrefix(address, script.FileScheme) {
		return script.Play{URL: address, Loop: loop} // a sound that lies on the box
	}
	return script.Play{URL: d.resolve(n, "the address", address), Loop: loop}
}

// validKeys checks keys with pauses: 0-9 # * A-D, w half a second, W a second.
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
	keys, speech := false, false
	for _, word := range input {
		switch word {
		case "dtmf":
			keys = true
		case "speech":
			speech = true
		default:
			d.warn(n, 13326, "input of <Gather> holds %q, which is neither dtmf nor speech", clip(word))
		}
	}
	g := script.Gather{
		Action:        a.action(13312),
		Timeout:       a.seconds("timeout", 5, 1, 3600, 13313),
		FinishOnKey:   a.keys("finishOnKey", "#", 13310),
		ActionOnEmpty: a.boolean("actionOnEmptyResult", false, 13338),
	}
	if _, ok := a.values["numDigits"]; ok {
		g.NumDigits = a.integer("numDigits", 0, 1, script.MaxGatherDigits, 13314)
	}
	if speech {
		g.Speech = d.gatherSpeech(a, !keys, g.Timeout)
	}
	d.prompt = true
	defer func() { d.prompt = false }()
	for _, k := range n.kids {
		if k.name != "" && promptVerbs[k.name] == nil {
			d.warn(k, 13320, "<%s> cannot stand in <Gather> and was skipped", clip(k.name))
			continue
		}
		g.Prompts = append(g.Prompts, d.verbs([]*node{k}, promptVerbs)...)
	}
	return g
}

// gatherSpeech reads how a Gather listens (call-api.md §5.2).
func (d *decoder) gatherSpeech(a attrs, only bool, timeout time.Duration) *script.GatherSpeech {
	s := &script.GatherSpeech{Only: only,
		Hearing: call.Hearing{Language: a.language("language", "en-US", codeGatherLanguage), Model: a.text("speechModel", ""),
			NoProfanity: a.boolean("profanityFilter", true, 13333)},
		Longest: a.seconds("maxSpeechTime", 60, 1, 600, 13328),
	}
	for hint := range strings.SplitSeq(a.text("hints", ""), ",") {
		if hint = strings.TrimSpace(hint); hint == "" {
			continue
		}
		if len(s.Hearing.Hints) == maxHints {
			d.warn(a.n, 13330, "hints of <Gather> holds more than %d phrases; the rest is not listened for", maxHints)
			break
		}
		s.Hearing.Hints = append(s.Hearing.Hints, hint)
	}
	switch a.text("speechTimeout", "") {
	case "auto": // when the recogniser says so
	case "":
		s.Pause = timeout
	default:
		s.Pause = a.seconds("speechTimeout", 5, 1, 600, 13327)
	}
	if a.boolean("bargeIn", true, 13332) {
		s.Interrupts = 1
	}
	s.Partial = a.hook("partialResultCallback", "partialResultCallbackMethod", 13329)
	return s
}

// maxHints bounds the hints of a Gather.
const maxHints = 500

const (
	codeGatherLanguage  Code = 13331
	codeRecordingHook   Code = 13256
	codeRecordingEvents Code = 13621
)

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

// maxMessage is the longest text of a message in characters.
const maxMessage = 1600

// message decodes a Sms or Message. Its text stands in it, or in a Body.
func (d *decoder) message(n *node) script.Verb {
	a := d.attributes(n, messageAttrs)
	text := n.content()
	for _, k := range n.kids {
		switch {
		case k.name == "Body":
			text = k.content()
		case k.name == "Media":
			d.warn(k, codeUnsupported, "<Media> was skipped: messages are text only")
		case k.name != "":
			d.warn(k, codeUnknown, "<%s> cannot stand in <%s> and was skipped", clip(k.name), n.name)
		}
	}
	if text == "" || utf8.RuneCountInString(text) > maxMessage {
		d.warn(n, 14103, "<%s> was skipped: its text is empty or longer than %d characters", n.name, maxMessage)
		return nil
	}
	m := script.Message{Body: text, Status: a.hook("statusCallback", "", 14105)}
	for _, party := range []struct {
		name string
		code Code
		to   *string
	}{{"to", 14101, &m.To}, {"from", 14102, &m.From}} {
		s := a.text(party.name, "")
		if s == "" {
			continue
		}
		p, problem := ParseAddress(s)
		if problem != nil || p.Kind != NumberAddress {
			d.warn(n, party.code, "<%s> was skipped: %q of %s is not a phone number", n.name, clip(s), party.name)
			return nil
		}
		*party.to = p.Value
	}
	if _, ok := a.values["action"]; ok {
		m.Action = a.action(14104)
	}
	return m
}

// attrs are the attributes of one element. A value that cannot be gets a
// warning, and the default is used (for a number that is too large: the limit),
// as in the cloud.
type attrs struct {
	d      *decoder
	n      *node
	values map[string]string
}

// attributes reads the attributes of n, and warns of those that are not known.
// The value of known says whether an attribute does something on this box.
func (d *decoder) attributes(n *node, known map[string]bool) attrs {
	a := attrs{d, n, make(map[string]string, len(n.attrs))}
	for _, x := range n.attrs {
		name := rawName(x.Name)
		if name == "xmlns" || strings.HasPrefix(name, "xmlns:") || strings.HasPrefix(name, "xml:") || strings.HasPrefix(name, "xsi:") {
			continue
		}
		works, ok := known[name]
		if !ok {
			d.warn(n, codeUnknown, "<%s> has no attribute %q; it was ignored", clip(n.name), clip(name))
			continue
		}
		if !works {
			d.warn(n, codeUnsupported, "the attribute %s of <%s> has no effect on this box", name, n.name)
			continue
		}
		a.values[name] = strings.TrimSpace(x.Value)
	}
	return a
}

// text gives a value, def when the attribute is missing.
func (a attrs) text(name, def string) string {
	if s, ok := a.values[name]; ok {
		return s
	}
	return def
}

// integer gives a whole number from lo to hi.
func (a attrs) integer(name string, def, lo, hi int, c Code) int {
	s, ok := a.values[name]
	if !ok {
		return def
	}
	n, err := strconv.Atoi(s)
	used := n
	switch {
	case err != nil || n < lo:
		used = def
	case n > hi:
		used = hi
	default:
		return n
	}
	instead := "it was ignored"
	if used != 0 {
		instead = fmt.Sprintf("%d is used", used)
	}
	a.d.warn(a.n, c, "%s=%q of <%s> is not a whole number from %d to %d; %s", name, clip(s), a.n.name, lo, hi, instead)
	return used
}

// seconds is integer as a duration.
func (a attrs) seconds(name string, def, lo, hi int, c Code) time.Duration {
	return seconds(a.integer(name, def, lo, hi, c))
}

// boolean gives true or false.
func (a attrs) boolean(name string, def bool, c Code) bool {
	s, ok := a.values[name]
	switch {
	case !ok:
	case strings.EqualFold(s, "true"):
		return true
	case strings.EqualFold(s, "false"):
		return false
	default:
		a.d.warn(a.n, c, "%s=%q of <%s> is neither true nor false; %t is used", name, clip(s), a.n.name, def)
	}
	return def
}

// languageTag is how a language is written: "en", "en-US", "cmn-Hans-CN" (RFC 5646).
var languageTag = regexp.MustCompile(`^[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*$`)

// language gives a language; whether it can be spoken is the vendor's to say.
func (a attrs) language(name, def string, c Code) string {
	s := a.text(name, def)
	if s != "" && !languageTag.MatchString(s) {
		a.d.warn(a.n, c, "%s=%q of <%s> is no language, as en-US is one; it was ignored", name, clip(s), a.n.name)
		return def
	}
	return s
}

// voice gives the name of a voice, which the vendor of speech knows.
func (a attrs) voice(name string, c Code) string {
	s := a.text(name, "")
	if len(s) > maxVoice || !CleanText(s) {
		a.d.warn(a.n, c, "%s=%q of <%s> is no name of at most %d bytes; the usual voice is used", name, clip(s), a.n.name, maxVoice)
		return ""
	}
	return s
}

// maxVoice is the longest name of a voice, in bytes.
const maxVoice = 128

// choice gives one of enum; def is the first of it.
func (a attrs) choice(name string, c Code, enum ...string) string {
	s, ok := a.values[name]
	if !ok {
		return enum[0]
	}
	if v, ok := Choose(enum, s); ok {
		return v
	}
	a.d.warn(a.n, c, "%s=%q of <%s> is none of %s; %s is used", name, clip(s), a.n.name, strings.Join(enum, ", "), enum[0])
	return enum[0]
}

// keys gives a set of telephone keys, which may be empty.
func (a attrs) keys(name, def string, c Code) string {
	s, ok := a.values[name]
	if !ok {
		return def
	}
	if len(s) > 16 || strings.Trim(s, "0123456789*#") != "" {
		a.d.warn(a.n, c, "%s=%q of <%s> is not made of 0-9 * #; %q is used", name, clip(s), a.n.name, def)
		return def
	}
	return s
}

// hook gives the hook of an attribute with a URL and one with a method. A URL
// that cannot be makes the document useless, because a result would be lost.
func (a attrs) hook(name, method string, c Code) call.Hook {
	s, ok := a.values[name]
	if !ok {
		return call.Hook{}
	}
	return call.Hook{URL: a.d.resolve(a.n, name, s), Method: a.method(method, c)}
}

// action is hook for an attribute that stands for the document itself when it
// is missing or empty.
func (a attrs) action(c Code) call.Hook {
	if s := a.values["action"]; s != "" {
		return a.hook("action", "method", c)
	}
	if a.d.base == nil {
		a.d.warn(a.n, codeBadURL, "<%s> has no action, and an inline document has no address to return to; its result is dropped", a.n.name)
		return call.Hook{}
	}
	return call.Hook{URL: a.d.doc.URL, Method: a.method("method", c)}
}

// method gives GET or POST.
func (a attrs) method(name string, c Code) string { return a.choice(name, c, "POST", "GET") }

// status gives the hook of prefix, prefixMethod and prefixEvent.
func (a attrs) status(prefix string, events map[string]call.EventType, c Code) call.StatusHook {
	h := call.StatusHook{}
	if a.values[prefix] == "" {
		return h
	}
	unknown := codeUnknown
	if prefix == "recordingStatusCallback" {
		unknown = codeRecordingEvents
		if _, why := a.d.link(a.values[prefix]); why != "" {
			a.d.warn(a.n, codeRecordingHook, "%s of <%s> %s; nobody is told of the recording", prefix, a.n.name, why)
			return h
		}
	}
	h.Hook = a.hook(prefix, prefix+"Method", c)
	for word := range strings.FieldsSeq(a.values[prefix+"Event"]) {
		e, ok := events[strings.ToLower(word)]
		if !ok {
			a.d.warn(a.n, unknown, "%sEvent of <%s> holds %q, which is no event; it was ignored", prefix, a.n.name, clip(word))
			continue
		}
		h.Events = append(h.Events, e)
	}
	return h
}

// resolve makes an address absolute, against that of the document.
func (d *decoder) resolve(n *node, what, s string) string {
	abs, why := d.link(s)
	if why != "" {
		d.fail(n, codeBadURL, "%s of <%s> %s", what, n.name, why)
	}
	return abs
}

// link makes an address absolute; why says what is wrong with it, if anything.
func (d *decoder) link(s string) (abs, why string) {
	u, err := url.Parse(s)
	if err != nil {
		return "", "is not a URL"
	}
	abs = s
	if !u.IsAbs() {
		if d.base == nil {
			return "", fmt.Sprintf("(%q) is relative, which it cannot be in an inline document", clip(s))
		}
		abs = d.base.ResolveReference(u).String()
		if u.Host == "" {
			abs = script.SameUser(abs, d.doc.URL)
		}
	}
	if why := BadURL(abs); why != "" {
		return "", why
	}
	return abs, ""
}
