package linetest

import (
	"errors"
	"strings"
	"sync"
	"time"

	"callbox/call"
)

// caseAnswer: it rings, it is answered, it is ended; answered legs stay answered.
func caseAnswer(r *rig) {
	d := r.talk()
	if err := d.leg.Answer(r.ctx()); err != nil {
		r.t.Errorf("Answer on an answered leg: %v", err)
	}
	if err := d.leg.Progress(r.ctx(), call.ProgressRinging); err != nil {
		r.t.Errorf("Progress on an answered leg: %v", err)
	}
	d.hangup(call.NormalClearing(call.API))
	d.leg.Hangup(call.NormalClearing(call.Box))
	if err := d.leg.Answer(r.ctx()); !errors.Is(err, call.ErrLegEnded) {
		r.t.Errorf("Answer on an ended leg: %v, want ErrLegEnded", err)
	}
	r.farEnded(call.Q850Normal)
}

// caseBusy: a busy far end gives a busy outcome, at Dial or by the leg.
func caseBusy(r *rig) {
	r.must("make busy", r.Far.Busy(r.ctx()))
	leg, err := r.Line.Dial(r.ctx(), r.Dial)
	var c call.Cause
	if err != nil {
		if !errors.As(err, &c) {
			r.t.Fatalf("Dial's error has no cause: %v", err)
		}
	} else {
		c = drive(r.t, leg).ended()
	}
	if c.Outcome() != call.Busy || c.Text == "" {
		r.t.Errorf("cause %+v, want a busy one with a sentence", c)
	}
	r.must("end busy", r.Far.Hangup(r.ctx()))
}

// caseNoAnswer: nobody answers and the box gives up.
func caseNoAnswer(r *rig) {
	d := r.dial()
	r.must("wait for the ring", r.Far.WaitRing(r.ctx()))
	d.waitFor(call.LegRinging)
	want := call.Cause{Q850: call.Q850NoAnswer, SIP: 487, Who: call.Box, Text: "nobody answered"}
	if got := d.hangup(want); got != want {
		r.t.Errorf("cause %+v, want our own %+v", got, want)
	}
	if _, err := r.Far.WaitEnd(r.ctx()); err != nil {
		r.t.Errorf("the far end still rings: %v", err)
	}
}

// caseHangupAtOnce: a leg is ended before anything has come back.
func caseHangupAtOnce(r *rig) {
	d := r.dial()
	want := call.Cause{Q850: call.Q850Normal, SIP: 487, Who: call.API, Text: "canceled by request"}
	if got := d.hangup(want); got != want {
		r.t.Errorf("cause %+v, want our own %+v", got, want)
	}
	if _, err := r.Far.WaitEnd(r.ctx()); err != nil {
		r.t.Errorf("the far end still has a call: %v", err)
	}
}

// caseCancelRace: the answer crosses our hang-up; nothing may be left on
// either side, whoever wins.
func caseCancelRace(r *rig) {
	for range 10 {
		d := r.dial()
		r.must("wait for the ring", r.Far.WaitRing(r.ctx()))
		var wg sync.WaitGroup
		wg.Add(1)
		go func() {
			defer wg.Done()
			// Losing the race is no failure: then nothing rings any more.
			_ = r.Far.Answer(r.ctx())
		}()
		got := d.hangup(call.Cause{Q850: call.Q850Normal, SIP: 487, Who: call.API})
		wg.Wait()
		if got.Who != call.API {
			r.t.Errorf("cause %+v, want our own", got)
		}
		if _, err := r.Far.WaitEnd(r.ctx()); err != nil {
			r.t.Fatalf("the far end kept the call: %v", err)
		}
	}
}

// caseFarHangsUp: the far end ends an answered call.
func caseFarHangsUp(r *rig) {
	d := r.talk()
	r.must("hang up", r.Far.Hangup(r.ctx()))
	if c := d.ended(); c.Q850 != call.Q850Normal || c.Who != call.Remote {
		r.t.Errorf("cause %+v, want normal clearing by the remote", c)
	}
}

// caseBoxHangsUp: the box ends an answered call and its cause stays its own.
func caseBoxHangsUp(r *rig) {
	d := r.talk()
	want := call.Cause{Q850: call.Q850Normal, Who: call.Script, Text: "the document ended"}
	if got := d.hangup(want); got != want {
		r.t.Errorf("cause %+v, want our own %+v", got, want)
	}
	r.farEnded(call.Q850Normal)
}

// caseServeEnds: the line stops while a call is up; the leg is told to end.
func caseServeEnds(r *rig) {
	d := r.talk()
	r.stopServe()
	if c := d.ended(); c.Who != call.Box {
		r.t.Errorf("cause %+v, want one by the box", c)
	}
	if _, err := r.Far.WaitEnd(r.ctx()); err != nil {
		r.t.Errorf("the far end kept the call: %v", err)
	}
}

const digitsIn = "18005550123*#"

// caseDigitsIn: every key is reported once, in order.
func caseDigitsIn(r *rig) {
	d := r.talk()
	for _, k := range []byte(digitsIn) {
		r.must("press", r.Voice.Press(r.ctx(), k))
	}
	poll(r.t, "digits "+digitsIn, func() bool { return len(d.digits()) >= len(digitsIn) })
	d.hangup(call.NormalClearing(call.Box))
	if got := d.digits(); got != digitsIn {
		r.t.Errorf("the box saw %q, want %q", got, digitsIn)
	}
}

// caseDigitsOut: what the box sends arrives, as a signal or as sound.
func caseDigitsOut(r *rig) {
	d := r.talk()
	sender, ok := d.leg.(call.DigitSender)
	if !ok {
		d.Say(digit5())
		poll(r.t, "the tones of digit 5", func() bool { return heardDigit5(r.Voice.Heard()) })
		return
	}
	const want = "1205#*"
	for _, k := range []byte(want) {
		r.must("send digit", sender.SendDigit(r.ctx(), k, 100*time.Millisecond))
	}
	poll(r.t, "digits "+want, func() bool { return len(r.Voice.Digits()) >= len(want) })
	if got := r.Voice.Digits(); got != want {
		r.t.Errorf("the far end saw %q, want %q", got, want)
	}
	if err := sender.SendDigit(r.ctx(), 'x', 100*time.Millisecond); err == nil || strings.Contains(r.Voice.Digits(), "x") {
		r.t.Error("the digit x was sent")
	}
}

// caseAudio: both hear the other, and not themselves.
func caseAudio(r *rig) { r.checkAudio(r.talk()) }

// caseInboundAnswered: a call arrives, rings, is answered and ended by the box.
func caseInboundAnswered(r *rig) {
	if !r.canCallIn() {
		return
	}
	d := r.arrive()
	r.must("progress", d.leg.Progress(r.ctx(), call.ProgressRinging))
	r.must("answer", d.leg.Answer(r.ctx()))
	d.waitFor(call.LegAnswered)
	r.must("answer again", d.leg.Answer(r.ctx()))
	d.hangup(call.NormalClearing(call.Script))
	r.farEnded(call.Q850Normal)
}

// caseInboundAudio: sound and digits of an arriving call.
func caseInboundAudio(r *rig) {
	if !r.canCallIn() {
		return
	}
	d := r.arrive()
	r.must("answer", d.leg.Answer(r.ctx()))
	d.waitFor(call.LegAnswered)
	r.checkAudio(d)
	r.must("press", r.Voice.Press(r.ctx(), '7'))
	if e := d.waitFor(call.LegDigit); e.Digit != '7' {
		r.t.Errorf("digit %q, want 7", e.Digit)
	}
	r.must("hang up", r.Far.Hangup(r.ctx()))
	if c := d.ended(); c.Who != call.Remote || c.Q850 != call.Q850Normal {
		r.t.Errorf("cause %+v, want normal clearing by the remote", c)
	}
}

// caseInboundRejected: an arriving call is refused as busy.
func caseInboundRejected(r *rig) {
	if !r.canCallIn() {
		return
	}
	d := r.arrive()
	want := call.Cause{Q850: call.Q850Busy, SIP: 486, Who: call.Script, Text: "rejected as busy"}
	if got := d.hangup(want); got != want {
		r.t.Errorf("cause %+v, want our own %+v", got, want)
	}
	for _, f := range r.RejectTones {
		poll(r.t, "the busy tone", func() bool { return hearsTone(r.Voice.Heard(), f) })
	}
	r.farEnded(call.Q850Busy)
}

// caseInboundAbandoned: the caller gives up before the answer.
func caseInboundAbandoned(r *rig) {
	if !r.canCallIn() {
		return
	}
	d := r.arrive()
	r.must("progress", d.leg.Progress(r.ctx(), call.ProgressRinging))
	r.must("give up", r.Far.Hangup(r.ctx()))
	if c := d.ended(); c.Who != call.Remote || c.Outcome() != call.NoAnswer {
		r.t.Errorf("cause %+v, want the caller giving up", c)
	}
	if err := d.leg.Answer(r.ctx()); !errors.Is(err, call.ErrLegEnded) {
		r.t.Errorf("Answer on an abandoned leg: %v, want ErrLegEnded", err)
	}
}

// caseTwoCalls: the line works again after a call, and after a far end that
// refused one.
func caseTwoCalls(r *rig) {
	d := r.talk()
	d.hangup(call.NormalClearing(call.Script))
	r.farEnded(call.Q850Normal)
	d = r.talk()
	r.must("hang up", r.Far.Hangup(r.ctx()))
	d.ended()
	if rep, ok := r.Line.(call.Reporter); ok {
		poll(r.t, "no channel in use", func() bool { return rep.Status().Busy == 0 })
	}
}
