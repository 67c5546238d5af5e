package script

import (
	"context"

	"callbox/call"
)

// Change does to the call what a request from outside could, and goes on.
type Change struct {
	Verb   string // the name in the document: "tag", "config"
	Change call.Change
}

// Name is Verb.
func (c Change) Name() string { return c.Verb }

// BeforeAnswer is true: the far end hears nothing of it.
func (Change) BeforeAnswer() bool { return true }

// Run changes the call.
func (c Change) Run(ctx context.Context, env *Env) (*Jump, error) {
	return nil, env.Change(ctx, c.Change)
}
