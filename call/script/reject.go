package script

import (
	"context"

	"callbox/call"
)

// Reject refuses an arriving call without answering it. On an answered call it
// hangs up.
type Reject struct {
	Busy bool // give the busy signal instead of "declined"
}

// Name is "reject".
func (Reject) Name() string { return "reject" }

// BeforeAnswer is true.
func (Reject) BeforeAnswer() bool { return true }

// Run refuses the call with 486 or 603 (RFC 3261 §21.4.24, §21.6.2) and ends
// the script with call.ErrEnded.
func (r Reject) Run(_ context.Context, env *Env) (*Jump, error) {
	c := call.Cause{Q850: call.Q850Rejected, SIP: 603, Who: call.Script, Text: "the document rejected the call"}
	if r.Busy {
		c = call.Cause{Q850: call.Q850Busy, SIP: 486, Who: call.Script, Text: "the document rejected the call as busy"}
	}
	if env.Control.Record().Answered != nil {
		c = call.NormalClearing(call.Script)
	}
	env.Hangup(c)
	return nil, errHungUp
}
