package script

import (
	"context"
	"time"

	"callbox/call"
)

// Keys sends keys to the call.
type Keys struct {
	Keys   string        // 0-9 * # A-D, w 0.5 s, W 1 s
	Length time.Duration // of each key; 0: 100 ms
}

// Name is "dtmf".
func (Keys) Name() string { return "dtmf" }

// Run sends the keys. Keys that cannot be sent give a warning.
func (k Keys) Run(ctx context.Context, env *Env) (*Jump, error) {
	err := env.SendDigits(ctx, k.Keys, k.Length)
	if err == nil || over(ctx, err) {
		return nil, err
	}
	env.Tell(call.EventWarning, "cannot send digits: "+err.Error())
	return nil, nil
}
