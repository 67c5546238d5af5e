package shape

import (
	"net/url"
	"time"

	"callbox/call"
)

// AMDProps are the properties of answering machine detection (call-api.md §4).
var AMDProps = Props{
	"actionHook":         HookProp(),
	"hook":               HookProp(), // the older name
	"thresholdWordCount": {Type: Number},
	"digitCount":         {Type: Number, Idle: "spoken digits are not told from other words"},
	"recognizer":         {Type: Map, Idle: "the box tells people from machines by the sound itself"},
	"timers": {Type: Map, Props: Props{
		"noSpeechTimeoutMs": {Type: Number}, "decisionTimeoutMs": {Type: Number},
		"toneTimeoutMs": {Type: Number}, "greetingCompletionTimeoutMs": {Type: Number},
	}},
}

// AMD reads a request for answering machine detection: it never holds the script
// up, and tells of every stage. Relative hooks are taken from base.
func (o Object) AMD(base *url.URL) (*call.AMD, error) {
	a := &call.AMD{MessageEnd: true, Async: true, Partial: true,
		Timeout: 15 * time.Second, SilenceTimeout: 5 * time.Second, ToneTimeout: 20 * time.Second,
		GreetingEnd: 2 * time.Second}
	var err error
	if a.Status, err = o.Hook("actionHook", base); err == nil && a.Status.IsZero() {
		a.Status, err = o.Hook("hook", base)
	}
	if err != nil {
		return nil, err
	}
	if a.Status.IsZero() {
		return nil, Refuse("%s is missing: nobody would learn what was detected", o.name("actionHook"))
	}
	if a.Words, _, err = o.Whole("thresholdWordCount", 1, 100); err != nil {
		return nil, err
	}
	if _, _, err = o.Whole("digitCount", 0, 100); err != nil {
		return nil, err
	}
	timers := o.Object("timers")
	for name, to := range map[string]*time.Duration{
		"noSpeechTimeoutMs": &a.SilenceTimeout, "decisionTimeoutMs": &a.Timeout,
		"toneTimeoutMs": &a.ToneTimeout, "greetingCompletionTimeoutMs": &a.GreetingEnd,
	} {
		d, ok, err := timers.Duration(name, time.Millisecond, 100*time.Millisecond, 2*time.Minute)
		if err != nil {
			return nil, err
		}
		if ok {
			*to = d
		}
	}
	return a, nil
}
