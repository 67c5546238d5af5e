package script

import (
	"context"
	"time"
)

// Pause waits. As the first verbs of an arriving call's document it delays the
// answer.
type Pause struct {
	Length time.Duration
}

// Name is "pause".
func (Pause) Name() string { return "pause" }

// BeforeAnswer is true: the caller keeps hearing ringing.
func (Pause) BeforeAnswer() bool { return true }

// Run waits for Length.
func (p Pause) Run(ctx context.Context, _ *Env) (*Jump, error) {
	t := time.NewTimer(p.Length)
	defer t.Stop()
	select {
	case <-t.C:
		return nil, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
