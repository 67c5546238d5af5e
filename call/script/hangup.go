package script

import (
	"context"

	"callbox/call"
)

// Hangup ends the call. An arriving call is answered first, unless Decline is
// set; use [Reject] to refuse it with a reason.
type Hangup struct {
	Decline bool          // refuse a call that is not answered, with 603
	Headers []call.Header // of the message that ends the call
}

// Name is "hangup".
func (Hangup) Name() string { return "hangup" }

// BeforeAnswer is true for one that declines.
func (h Hangup) BeforeAnswer() bool { return h.Decline }

// Run ends the call and, with call.ErrEnded, the script.
func (h Hangup) Run(ctx context.Context, env *Env) (*Jump, error) {
	if err := endWith(ctx, env, h.Headers); err != nil {
		return nil, err
	}
	c := call.NormalClearing(call.Script)
	if h.Decline && env.Control.Record().Answered == nil {
		c = call.Cause{Q850: call.Q850Rejected, SIP: 603, Who: call.Script, Text: "the document hung up before the answer"}
	}
	env.Hangup(c)
	return nil, errHungUp
}

// endWith gives headers to the message that will end the call.
func endWith(ctx context.Context, env *Env, h []call.Header) error {
	if len(h) == 0 {
		return nil
	}
	return env.Change(ctx, call.Change{Ending: h})
}
