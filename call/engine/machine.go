package engine

import (
	"callbox/call"
	"callbox/media"
	"callbox/media/amd"
	"callbox/media/session"
)

// maxFindings bounds what a detector has found out and the call has not taken:
// a detector finds at most three things, and ends with the last.
const maxFindings = 4

// ear is the answering machine detection of an answered call: a tap on what the
// far end says. WriteFrame belongs to the clock, the rest to the call's
// goroutine.
type ear struct {
	detector *amd.Detector
	found    chan amd.Event
	remove   func()
	holds    bool // the script waits for the verdict
}

// WriteFrame gives the detector a frame of the far end. Nothing is lost: the
// queue holds more than a detector ever finds.
func (e *ear) WriteFrame(f *media.Frame) {
	if ev, ok := e.detector.Write(f); ok {
		select {
		case e.found <- ev:
		default:
		}
	}
}

// detect starts the detection that was asked for; hold keeps the script from
// starting until the verdict. At the answer, fresh, it begins with the words that the
// far end was known by to have answered.
func (c *live) detect(hold, fresh bool) {
	a := c.r.AMD
	c.ear = &ear{holds: hold, found: make(chan amd.Event, maxFindings), detector: amd.New(amd.Config{
		MessageEnd: a.MessageEnd, Timeout: a.Timeout, Speech: a.SpeechThreshold, SpeechEnd: a.SpeechEndThreshold,
		Silence: a.SilenceTimeout, GreetingEnd: a.GreetingEnd, ToneTimeout: a.ToneTimeout, Words: a.Words,
	})}
	if o, ok := c.leg.(call.Overhearer); ok && fresh {
		words := o.Overheard()
		for ; len(words) >= media.FrameSamples; words = words[media.FrameSamples:] {
			c.ear.WriteFrame((*media.Frame)(words))
		}
	}
	c.ear.remove = c.sess.Tap(session.In, c.ear)
}

// deafen ends the detection, if one runs, without a verdict.
func (c *live) deafen() {
	if c.ear != nil {
		c.ear.remove()
		c.ear = nil
	}
}

// findings is where the detection's events come from; nil without one.
func (c *live) findings() <-chan amd.Event {
	if c.ear == nil {
		return nil
	}
	return c.ear.found
}

// onFinding takes an event of the detection into the record, tells it, and at
// the last one starts the script that waited.
func (c *live) onFinding(ev amd.Event) {
	c.r.AnsweredBy, c.r.MachineTime, c.r.MachineWhy, c.r.MachineSure = string(ev.Result), ev.At, ev.Why, ev.Confidence
	c.e.cfg.Logger.Info("machine detection", "call", c.id, "result", c.r.AnsweredBy, "after", ev.At.String(), "why", ev.Why, "final", ev.Final)
	t := call.EventMachinePartial
	waits := false
	if ev.Final {
		t = call.EventMachine
		waits = c.ear.holds
		c.deafen()
	}
	c.tellMachine(t, ev)
	if waits && c.script == nil {
		c.startScript(c.source, c.document)
	}
}

// tellMachine publishes and journals a result. It has no sequence number: those
// are of the call's own progress.
func (c *live) tellMachine(t call.EventType, ev amd.Event) {
	now := c.e.cfg.Now()
	c.r.Updated = now
	c.publish()
	out := call.Event{Type: t, At: now, Record: c.rec.Load(), Note: string(ev.Result), Tone: ev.Tone}
	c.e.cfg.Publisher.Publish(out)
	c.e.cfg.Journal.Append(out, false)
}
