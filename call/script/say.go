package script

import (
	"context"
	"errors"

	"callbox/call"
	"callbox/media"
)

// ErrNoSpeech says that the box has no voice: neither a speech program nor a
// speech vendor. [Say] turns it into a warning on the call.
var ErrNoSpeech = errors.New("speech vendor not available")

// Say speaks a text to the call. Without a voice it warns and goes on.
type Say struct {
	Speech Speech
	Loop   int // times; 0: until the call ends, at most 1,000
}

// Name is "say".
func (Say) Name() string { return "say" }

// Run speaks the text Loop times.
func (s Say) Run(ctx context.Context, env *Env) (*Jump, error) {
	return nil, playLoop(ctx, env, s.Loop, func() (media.Clip, error) {
		clip, err := env.Speak(ctx, s.Speech)
		if err == nil || over(ctx, err) {
			return clip, err
		}
		if errors.Is(err, ErrNoSpeech) {
			env.Tell(call.EventWarning, ErrNoSpeech.Error())
		} else {
			env.Tell(call.EventWarning, "cannot speak: "+err.Error())
		}
		return nil, errSkip
	})
}
