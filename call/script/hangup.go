package script

import (
	"context"

	"callbox/call"
)

// Hangup ends the call. An arriving call is answered first; use [Reject] to
// refuse it.
type Hangup struct{}

// Name is "hangup".
func (Hangup) Name() string { return "hangup" }

// Run ends the call and, with call.ErrEnded, the script.
func (Hangup) Run(_ context.Context, env *Env) (*Jump, error) {
	env.Hangup(call.NormalClearing(call.Script))
	return nil, errHungUp
}
