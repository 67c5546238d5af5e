package verbs

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"callbox/api/jambonz/js"
	"callbox/api/jambonz/shape"
	"callbox/call"
	"callbox/call/script"
)

// Limits of what is heard.
const (
	maxText  = 4096 // characters of one text
	maxList  = 100  // texts or sounds of one verb
	maxPause = 4 * time.Hour
	maxWait  = time.Hour // of the timers of gather
)

// say decodes a say.
func (d *decoder) say(o shape.Object) ([]script.Verb, error) {
	texts, err := o.Texts("text")
	if err != nil {
		return nil, err
	}
	loop, err := loops(o)
	if err != nil {
		return nil, err
	}
	speech := d.synthesizer(o)
	var all []script.Speech
	for _, t := range texts {
		if utf8.RuneCountInString(t) > maxText {
			return nil, o.Refuse("text", "is longer than %d characters", maxText)
		}
		if strings.TrimSpace(t) == "" {
			continue
		}
		all = append(all, script.Speech{Text: t, Voice: speech.Voice, Language: speech.Language, Vendor: speech.Vendor})
	}
	switch {
	case len(all) > maxList:
		return nil, o.Refuse("text", "holds more than %d texts", maxList)
	case len(all) == 0:
		return nil, nil // nothing to say
	}
	return []script.Verb{script.Say{Speech: all[0], More: all[1:], Loop: loop, Early: o.Is("earlyMedia")}}, nil
}

// synthesizer gives the voice of a verb; what it leaves open is the call's.
func (d *decoder) synthesizer(o shape.Object) call.Speech {
	s := o.Object("synthesizer")
	voice := s.Get("voice")
	if voice.Kind == js.Map {
		d.warn(s.Path + ".voice has no effect: the box knows voices by their names")
	}
	out := call.Speech{Vendor: s.Text("vendor"), Language: s.Text("language"), Voice: voice.Text}
	return out
}

// loops gives how often: a number, the same as a text, or "forever", which is 0
// in call/script.
func loops(o shape.Object) (int, error) {
	v := o.Get("loop")
	n := v.Number
	switch {
	case v.Kind == js.Null:
		return 1, nil
	case v.Kind == js.Text && v.Text == "forever":
		return 0, nil
	case v.Kind == js.Text:
		var err error
		if n, err = strconv.ParseFloat(v.Text, 64); err != nil {
			return 0, o.Refuse("loop", `is %q, it must be a number or "forever"`, v.Text)
		}
	}
	if n != float64(int32(n)) {
		return 0, o.Refuse("loop", `is not a whole number or "forever"`)
	}
	return min(max(int(n), 1), script.MaxLoops), nil // 0 is once, as upstream has it
}

// play decodes a play.
func (d *decoder) play(o shape.Object) ([]script.Verb, error) {
	raw, err := o.Texts("url")
	if err != nil {
		return nil, err
	}
	if len(raw) == 0 || len(raw) > maxList {
		return nil, o.Refuse("url", "names %d sounds, it must be 1 to %d", len(raw), maxList)
	}
	var urls []string
	for _, u := range raw {
		if u, err = d.sound(o, "url", u); err != nil {
			return nil, err
		}
		urls = append(urls, u)
	}
	p := script.Play{URL: urls[0], More: urls[1:], Early: o.Is("earlyMedia")}
	if p.Loop, err = loops(o); err != nil {
		return nil, err
	}
	if p.Limit, err = secondsOf(o, "timeoutSecs"); err != nil {
		return nil, err
	}
	if p.Skip, err = samplesOf(o, "seekOffset"); err != nil {
		return nil, err
	}
	if p.Action, err = o.Hook("actionHook", d.base); err != nil {
		return nil, err
	}
	return []script.Verb{p}, nil
}

// sound gives the address of a sound: one of the network, or of the box's own.
func (d *decoder) sound(o shape.Object, name, raw string) (string, error) {
	if strings.HasPrefix(raw, script.FileScheme) {
		return raw, nil
	}
	return o.Address(name, raw, d.base)
}

// secondsOf gives a number of seconds that may be written as a text; 0 when it
// is absent.
func secondsOf(o shape.Object, name string) (time.Duration, error) {
	v := o.Get(name)
	n := v.Number
	if v.Kind == js.Text && v.Text != "" {
		var err error
		if n, err = strconv.ParseFloat(v.Text, 64); err != nil {
			return 0, o.Refuse(name, "is %q, it must be a number of seconds", v.Text)
		}
	}
	if !(n >= 0 && n <= maxPause.Seconds()) {
		return 0, o.Refuse(name, "is not between 0 and %g seconds", maxPause.Seconds())
	}
	return time.Duration(n * float64(time.Second)), nil
}

// samplesOf gives a number of samples at 8 kHz, which may be written as a text, as
// the time that they take.
func samplesOf(o shape.Object, name string) (time.Duration, error) {
	v := o.Get(name)
	n := v.Number
	if v.Kind == js.Text && v.Text != "" {
		var err error
		if n, err = strconv.ParseFloat(v.Text, 64); err != nil {
			return 0, o.Refuse(name, "is %q, it must be a number of samples", v.Text)
		}
	}
	if !(n >= 0 && n <= maxPause.Seconds()*8000) {
		return 0, o.Refuse(name, "is not between 0 and %g samples", maxPause.Seconds()*8000)
	}
	return time.Duration(n / 8000 * float64(time.Second)), nil
}

// pause decodes a pause.
func (d *decoder) pause(o shape.Object) ([]script.Verb, error) {
	length, _, err := o.Duration("length", time.Second, 0, maxPause)
	if err != nil {
		return nil, err
	}
	return []script.Verb{script.Pause{Length: length}}, nil
}

// gather decodes a gather. It always tells its action how it ended.
func (d *decoder) gather(o shape.Object) ([]script.Verb, error) {
	g := script.Gather{Timeout: 15 * time.Second, FinishOnKey: o.Text("finishOnKey"), ActionOnEmpty: true, Resume: true,
		PromptsFirst: !o.Flag("dtmfBargein", true), Deaf: !o.Flag("listenDuringPrompt", true)}
	var err error
	if g.Action, err = o.Hook("actionHook", d.base); err != nil {
		return nil, err
	}
	if err = d.input(o, &g); err != nil {
		return nil, err
	}
	if g.Wait, err = d.waiting(o); err != nil {
		return nil, err
	}
	if strings.Trim(g.FinishOnKey, keys) != "" {
		return nil, o.Refuse("finishOnKey", "is %q, it must be made of 0-9 * # A-D", g.FinishOnKey)
	}
	for name, to := range map[string]*int{"minDigits": &g.MinDigits, "maxDigits": &g.NumDigits} {
		if *to, _, err = o.Whole(name, 0, script.MaxGatherDigits); err != nil {
			return nil, err
		}
	}
	if n, ok, err := o.Whole("numDigits", 0, script.MaxGatherDigits); err != nil {
		return nil, err
	} else if ok && n > 0 {
		g.NumDigits = n
	}
	if t, ok, err := o.Duration("timeout", time.Second, 0, maxWait); err != nil {
		return nil, err
	} else if ok {
		if g.Timeout = t; t == 0 {
			g.Timeout = -1 // no limit
		}
	}
	if g.BetweenKeys, _, err = o.Duration("interDigitTimeout", time.Second, 0, maxWait); err != nil {
		return nil, err
	}
	for name, decode := range map[string]func(shape.Object) ([]script.Verb, error){"say": d.say, "play": d.play} {
		if !o.Has(name) {
			continue
		}
		list, err := decode(o.Object(name))
		if err != nil {
			return nil, err
		}
		for _, v := range list {
			if p, ok := v.(script.Play); ok && !p.Action.IsZero() {
				return nil, o.Refuse(name, "has an actionHook of its own, which only the gather may have")
			}
			if name == "say" { // what is said comes first
				g.Prompts = append([]script.Verb{v}, g.Prompts...)
			} else {
				g.Prompts = append(g.Prompts, v)
			}
		}
	}
	return []script.Verb{g}, nil
}

// keys are those of a telephone.
const keys = "0123456789*#ABCD"

// input reads what a gather takes.
func (d *decoder) input(o shape.Object, g *script.Gather) error {
	list, err := o.Texts("input")
	if err != nil {
		return err
	}
	digits, speech := len(list) == 0, false
	for _, in := range list {
		switch in {
		case "digits", "dtmf":
			digits = true
		case "speech":
			speech = true
		default:
			return o.Refuse("input", "holds %q, it may hold digits and speech", in)
		}
	}
	if !speech {
		return nil
	}
	g.Speech = &script.GatherSpeech{Only: !digits}
	return d.gatherSpeech(o, g.Speech)
}

// gatherSpeech reads how a gather listens.
func (d *decoder) gatherSpeech(o shape.Object, s *script.GatherSpeech) (err error) {
	r := o.Object("recognizer")
	if s.Hearing, err = hearing(r); err != nil {
		return err
	}
	if s.Partial, err = o.Hook("partialResultHook", d.base); err != nil {
		return err
	}
	for _, pause := range []struct {
		o    shape.Object
		name string
	}{{o, "speechTimeout"}, {r, "asrTimeout"}} {
		t, ok, err := pause.o.Duration(pause.name, time.Second, 0, maxWait)
		if err != nil {
			return err
		}
		if ok {
			s.Pause = t
		}
	}
	sure := r.Get("minConfidence").Number
	if !(sure >= 0 && sure <= 1) {
		return r.Refuse("minConfidence", "is %g, it must be from 0 to 1", sure)
	}
	s.Sure = sure
	words, ok, err := o.Whole("minBargeinWordCount", 0, 100)
	if err != nil {
		return err
	}
	if o.Is("bargein") {
		if s.Interrupts = 1; ok && words > 0 {
			s.Interrupts = words
		}
	}
	return nil
}
