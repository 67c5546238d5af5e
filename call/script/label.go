package script

import "context"

// Label gives the verb behind it a name of the customer's, which is told with its
// start and end.
type Label struct{ ID string }

// Name is "label".
func (Label) Name() string { return "label" }

// BeforeAnswer is true: it is for the document only.
func (Label) BeforeAnswer() bool { return true }

// Run does nothing.
func (Label) Run(context.Context, *Env) (*Jump, error) { return nil, nil }
