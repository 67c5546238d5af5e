package script

import (
	"context"

	"callbox/call"
)

// Transcribe tells a hook of what is said on the call from now on, beside what
// follows. As the last verb of a document it holds the call until its end.
type Transcribe struct {
	Transcription call.Transcription
	Early         bool // begin before the answer, which the verb then leaves to others
}

// Name is "transcribe".
func (Transcribe) Name() string { return "transcribe" }

// BeforeAnswer is Early.
func (t Transcribe) BeforeAnswer() bool { return t.Early }

// Run starts the transcription.
func (t Transcribe) Run(ctx context.Context, env *Env) (*Jump, error) {
	if t.Early && !early(ctx, env) {
		return nil, ctx.Err()
	}
	return nil, env.Change(ctx, call.Change{Transcribe: &t.Transcription})
}

// Hold waits for the end of the call, or for another document.
type Hold struct{}

// Name is "hold".
func (Hold) Name() string { return "hold" }

// BeforeAnswer is true: what it holds decides.
func (Hold) BeforeAnswer() bool { return true }

// Run waits.
func (Hold) Run(ctx context.Context, _ *Env) (*Jump, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}
