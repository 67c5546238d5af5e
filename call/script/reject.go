package script

import (
	"context"

	"callbox/call"
)

// Reject refuses an arriving call without answering it. On an answered call it
// hangs up.
type Reject struct {
	Busy   bool   // give the busy signal instead of "declined"
	Status int    // SIP status 300…699 to refuse with instead; 0: by Busy
	Reason string // why, for the record and the caller's display; may be empty
	// Headers of the response.
	Headers []call.Header
}

// Name is "reject".
func (Reject) Name() string { return "reject" }

// BeforeAnswer is true.
func (Reject) BeforeAnswer() bool { return true }

// Run refuses the call with Status, or with 486 or 603 (RFC 3261 §21.4.24,
// §21.6.2), and ends the script with call.ErrEnded.
func (r Reject) Run(ctx context.Context, env *Env) (*Jump, error) {
	if err := endWith(ctx, env, r.Headers); err != nil {
		return nil, err
	}
	c := call.Cause{Q850: call.Q850Rejected, SIP: 603, Who: call.Script, Text: "the document rejected the call"}
	if r.Busy {
		c = call.Cause{Q850: call.Q850Busy, SIP: 486, Who: call.Script, Text: "the document rejected the call as busy"}
	}
	if r.Status != 0 {
		c = call.FromSIP(r.Status, call.Script, "the document rejected the call")
	}
	if r.Reason != "" {
		c.Text += ": " + r.Reason
	}
	if env.Control.Record().Answered != nil {
		c = call.NormalClearing(call.Script)
	}
	env.Hangup(c)
	return nil, errHungUp
}
