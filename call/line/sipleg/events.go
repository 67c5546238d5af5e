package sipleg

import (
	"sync/atomic"
	"time"

	"callbox/call"
)

const (
	// digitRoom is how many undelivered events there may be before a digit is
	// dropped (call.Leg promises at least 64).
	digitRoom = 64
	// messageRoom is the same for requests of the far end, which are large.
	messageRoom = 16
	// holdRoom is the same for held and resumed, which repeat without limit too.
	holdRoom = digitRoom + 4
	// eventRoom leaves place for ringing, early, answered and ended, which come
	// once each: they can always be delivered.
	eventRoom = holdRoom + 4
)

// outbox delivers a leg's events without ever blocking. All methods but the
// counter belong to the leg's goroutine.
type outbox struct {
	ch      chan *call.LegEvent
	told    [call.LegEnded + 1]bool
	held    bool          // as last told
	dropped atomic.Uint64 // digits and messages
}

func newOutbox() *outbox { return &outbox{ch: make(chan *call.LegEvent, eventRoom)} }

// once tells ringing, early, answered; each at most once, none after the end,
// and ringing and early not after the answer.
func (o *outbox) once(t call.LegEventType) {
	if o.told[t] || o.told[call.LegEnded] || t != call.LegAnswered && o.told[call.LegAnswered] {
		return
	}
	o.told[t] = true
	o.send(call.LegEvent{Type: t})
}

// digit tells a key press, or counts it as dropped. apart: it came outside the
// sound's own stream.
func (o *outbox) digit(d byte, apart bool) {
	if o.told[call.LegEnded] {
		return
	}
	if len(o.ch) >= digitRoom {
		o.dropped.Add(1)
		return
	}
	o.send(call.LegEvent{Type: call.LegDigit, Digit: d, Apart: apart})
}

// message tells a request of the far end, or counts it as dropped.
func (o *outbox) message(m *call.SIPMessage) {
	if o.told[call.LegEnded] {
		return
	}
	if len(o.ch) >= messageRoom {
		o.dropped.Add(1)
		return
	}
	o.send(call.LegEvent{Type: call.LegMessage, Message: m})
}

// party tells who the far end is now.
func (o *outbox) party(p call.Party) {
	if o.told[call.LegEnded] || len(o.ch) >= messageRoom {
		return
	}
	o.send(call.LegEvent{Type: call.LegParty, Party: &p})
}

// transfer tells what the far end wants; false: nobody could be told.
func (o *outbox) transfer(t *call.Transfer) bool {
	if o.told[call.LegEnded] || len(o.ch) >= messageRoom {
		return false
	}
	o.send(call.LegEvent{Type: call.LegTransfer, Transfer: t})
	return true
}

// hold tells whether we are on hold now, if that is news. While nobody reads,
// a hold and its end may cancel out: then there is nothing to tell.
func (o *outbox) hold(held bool) {
	if held == o.held || o.told[call.LegEnded] || len(o.ch) >= holdRoom {
		return
	}
	o.held = held
	t := call.LegResumed
	if held {
		t = call.LegHeld
	}
	o.send(call.LegEvent{Type: t})
}

// end tells the end and closes the channel; the first cause counts.
func (o *outbox) end(c call.Cause, onward []string) {
	if o.told[call.LegEnded] {
		return
	}
	o.told[call.LegEnded] = true
	o.send(call.LegEvent{Type: call.LegEnded, Cause: c, Onward: onward})
	close(o.ch)
}

func (o *outbox) send(e call.LegEvent) {
	e.At = time.Now()
	o.ch <- &e
}
