package verbs

import (
	"time"

	"callbox/api/jambonz/js"
	"callbox/api/jambonz/shape"
	"callbox/call/script"
)

// maxRetries bounds the retries of an actionHookDelayAction.
const maxRetries = 100

// waiting reads what the caller hears while a hook takes its time.
func (d *decoder) waiting(o shape.Object) (w script.Wait, err error) {
	if o.Has("fillerNoise") {
		if w.Noise, err = d.noise(o.Object("fillerNoise")); err != nil {
			return w, err
		}
	}
	if o.Has("actionHookDelayAction") {
		w.Delay, err = d.delay(o.Object("actionHookDelayAction"))
	}
	return w, err
}

// noise reads a fillerNoise.
func (d *decoder) noise(o shape.Object) (*script.Noise, error) {
	n := &script.Noise{}
	if !o.Flag("enable", true) {
		return n, nil
	}
	if o.Text("url") == "" {
		return nil, o.Refuse("url", "is missing: there is no noise to play")
	}
	var err error
	if n.URL, err = d.sound(o, "url", o.Text("url")); err != nil {
		return nil, err
	}
	n.After, _, err = o.Duration("startDelaySecs", time.Second, 0, maxWait)
	return n, err
}

// delay reads an actionHookDelayAction.
func (d *decoder) delay(o shape.Object) (*script.Delay, error) {
	x := &script.Delay{}
	if !o.Flag("enabled", true) {
		return x, nil
	}
	var err error
	if x.After, _, err = o.Duration("noResponseTimeout", time.Second, 0, maxWait); err != nil {
		return nil, err
	}
	if x.GiveUp, _, err = o.Duration("noResponseGiveUpTimeout", time.Second, 0, maxWait); err != nil {
		return nil, err
	}
	if x.Retries, _, err = o.Whole("retries", 0, maxRetries); err != nil {
		return nil, err
	}
	if x.Actions, err = d.speeches(o, "actions"); err != nil {
		return nil, err
	}
	x.Final, err = d.speeches(o, "giveUpActions")
	return x, err
}

// speeches reads a list of say and play.
func (d *decoder) speeches(o shape.Object, name string) (out []script.Verb, err error) {
	list := o.List(name)
	if len(list) > maxList {
		return nil, o.Refuse(name, "holds more than %d verbs", maxList)
	}
	for i, v := range list {
		verb, _, err := named(i+1, v)
		if err != nil {
			return nil, err
		}
		if verb != "say" && verb != "play" {
			return nil, o.Refuse(name, "holds %.40q, it may hold say and play", verb)
		}
		made, err := d.verb(i+1, v)
		if err != nil {
			return nil, err
		}
		for _, m := range made {
			if p, ok := m.(script.Play); ok && !p.Action.IsZero() {
				return nil, o.Refuse(name, "holds a play with an actionHook, which it may not have here")
			}
		}
		out = append(out, made...)
	}
	return out, nil
}

// barge reads a bargeIn.
func (d *decoder) barge(o shape.Object) ([]script.Verb, error) {
	switch {
	case !o.Has("bargeIn"):
		return nil, nil
	case !o.Object("bargeIn").Is("enable"):
		return []script.Verb{script.Barge{Off: true}}, nil
	}
	o = o.Object("bargeIn")
	if o.Text("actionHook") == "" && o.Get("actionHook").Kind != js.Map {
		return nil, o.Refuse("actionHook", "is missing: nobody would learn of the interruption")
	}
	made, err := d.gather(o)
	if err != nil {
		return nil, err
	}
	g := made[0].(script.Gather)
	g.Timeout, g.ActionOnEmpty = 0, false
	if g.Speech != nil {
		words, _, err := o.Whole("minBargeinWordCount", 0, 100)
		if err != nil {
			return nil, err
		}
		g.Speech.Interrupts = max(words, 1)
	}
	return []script.Verb{script.Barge{Gather: g, Sticky: o.Is("sticky")}}, nil
}

// The properties of waiting, and of interrupting.
var (
	bargeProps = shape.Props{
		"enable": {Type: shape.Bool, Need: true}, "sticky": {Type: shape.Bool}, "actionHook": shape.HookProp(), "partialResultHook": shape.HookProp(),
		"input": {Type: shape.List}, "finishOnKey": {Type: shape.Text}, "numDigits": {Type: shape.Number}, "minDigits": {Type: shape.Number},
		"maxDigits": {Type: shape.Number}, "interDigitTimeout": {Type: shape.Number}, "dtmfBargein": {Type: shape.Bool},
		"minBargeinWordCount": {Type: shape.Number}, "recognizer": recognizer(), "speechTimeout": {Type: shape.Number},
	}
	noiseProps = shape.Props{"enable": {Type: shape.Bool}, "url": {Type: shape.Text}, "startDelaySecs": {Type: shape.Number}}
	delayProps = shape.Props{"enabled": {Type: shape.Bool}, "noResponseTimeout": {Type: shape.Number}, "noResponseGiveUpTimeout": {Type: shape.Number},
		"retries": {Type: shape.Number}, "actions": {Type: shape.List}, "giveUpActions": {Type: shape.List}}
)
