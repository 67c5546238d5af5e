package script

import "context"

// Answer takes an arriving call off-hook and goes on.
type Answer struct{}

// Name is "answer".
func (Answer) Name() string { return "answer" }

// Run answers; on an answered call it does nothing.
func (Answer) Run(ctx context.Context, env *Env) (*Jump, error) { return nil, env.Answer(ctx) }
