package script

import (
	"context"

	"callbox/call"
)

// Redirect leaves the document for the one at Hook. The rest is dead.
type Redirect struct {
	Hook call.Hook
}

// Name is "redirect".
func (Redirect) Name() string { return "redirect" }

// BeforeAnswer is true: the next document decides.
func (Redirect) BeforeAnswer() bool { return true }

// Run jumps.
func (r Redirect) Run(context.Context, *Env) (*Jump, error) {
	return &Jump{Hook: r.Hook}, nil
}
