package script

import (
	"context"
	"errors"

	"callbox/media"
)

// ErrNoSpeech says that the box has no voice: neither a speech program nor a
// speech vendor. [Say] turns it into a warning on the call.
var ErrNoSpeech = errors.New("speech vendor not available")

// Say speaks a text to the call. Without a voice it warns and goes on.
type Say struct {
	Speech Speech
	More   []Speech // further texts that follow in every round
	Loop   int      // rounds; 0: until the call ends, at most 1,000
	Early  bool     // speak before the answer, which the verb then leaves to others
}

// Name is "say".
func (Say) Name() string { return "say" }

// BeforeAnswer is Early.
func (s Say) BeforeAnswer() bool { return s.Early }

// Run speaks the texts Loop times.
func (s Say) Run(ctx context.Context, env *Env) (*Jump, error) {
	if s.Early && !early(ctx, env) {
		return nil, ctx.Err()
	}
	texts := append([]Speech{s.Speech}, s.More...)
	_, err := playLoop(ctx, env, s.Loop, len(texts), func(i int) (media.Clip, error) {
		clip, err := env.Speak(ctx, texts[i])
		switch {
		case err == nil || over(ctx, err):
			return clip, err
		case errors.Is(err, ErrNoSpeech):
			return nil, skip(env, ErrNoSpeech.Error())
		}
		return nil, skip(env, "cannot speak: "+err.Error())
	})
	return nil, err
}
