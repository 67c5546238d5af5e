package script

import (
	"fmt"

	"callbox/call"
)

// Fault is something that goes wrong with a verb and has a number in some dialects.
type Fault int

const (
	FaultDial      Fault = iota // a Dial in a screening document
	FaultWaiting                // a verb that may not stand in a waiting document
	FaultQueueFull              // there is no room in the queue
	FaultNotSIP                 // the far end, which is to be handed on, does not speak SIP
)

// Codes are a dialect's numbers of faults; nil: it has none.
type Codes map[Fault]int

// misplaced tells that a verb may not stand in a document of this kind: err is
// [ErrNoDial] or [ErrNoRoom].
func (e *Env) misplaced(text string) {
	if _, ok := e.Dialer.(waitingDialer); ok {
		e.fault(FaultWaiting, text)
		return
	}
	e.fault(FaultDial, text)
}

// fault tells what went wrong, with the number of the document's dialect.
func (e *Env) fault(f Fault, text string) {
	if code, ok := e.Codes[f]; ok {
		text = fmt.Sprintf("%s (%d)", text, code)
	}
	e.Tell(call.EventWarning, text)
}
