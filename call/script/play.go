package script

import (
	"context"
	"errors"
	"time"

	"callbox/call"
	"callbox/media"
)

// MaxLoops is how often a sound is played when its loop is 0, "until the call
// ends" (call-api.md §5.2), and the most that any loop is worth.
const MaxLoops = 1000

// errSkip says that a sound cannot be had and that the call was told so.
var errSkip = errors.New("sound skipped")

// Play sends the sound at URL, or Digits, to the call. A sound that cannot be
// had gives a warning, and the call goes on.
type Play struct {
	URL    string // absolute; ignored when Digits is set
	Digits string // 0-9 * # A-D, w 0.5 s, W 1 s; sent once, without regard to Loop
	Loop   int    // times; 0: until the call ends, at most 1,000
}

// Name is "play".
func (Play) Name() string { return "play" }

// Run plays the sound Loop times, or sends the digits.
func (p Play) Run(ctx context.Context, env *Env) (*Jump, error) {
	if p.Digits != "" {
		err := env.SendDigits(ctx, p.Digits)
		if err == nil || over(ctx, err) {
			return nil, err
		}
		env.Tell(call.EventWarning, "cannot send digits: "+err.Error())
		return nil, nil
	}
	return nil, playLoop(ctx, env, p.Loop, func() (media.Clip, error) {
		clip, err := env.Open(ctx, p.URL)
		if err == nil || over(ctx, err) {
			return clip, err
		}
		env.Tell(call.EventWarning, "cannot play "+bareURL(p.URL)+": "+err.Error())
		return nil, errSkip
	})
}

// playLoop plays what open gives, times times. A sound that takes no time is
// not repeated, so that an empty file looped for ever costs one opening.
func playLoop(ctx context.Context, env *Env, times int, open func() (media.Clip, error)) error {
	if times <= 0 || times > MaxLoops {
		times = MaxLoops
	}
	for range times {
		clip, err := open()
		if errors.Is(err, errSkip) {
			return nil
		}
		if err != nil {
			return err
		}
		began := time.Now()
		err = env.Play(ctx, clip)
		if err != nil && over(ctx, err) {
			return err
		}
		if err != nil {
			env.Tell(call.EventWarning, "cannot play the sound: "+err.Error())
			return nil
		}
		if time.Since(began) < media.FrameDuration {
			return nil
		}
	}
	return nil
}

// over reports whether err, got under ctx, only says that the script is over:
// its context or its call has ended.
func over(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, call.ErrEnded)
}
