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
	URL    string        // absolute; ignored when Digits is set
	More   []string      // further sounds that follow in every round
	Digits string        // 0-9 * # A-D, w 0.5 s, W 1 s; sent once, without regard to Loop
	Loop   int           // rounds; 0: until the call ends, at most 1,000
	Limit  time.Duration // of all the playing; 0: none
	Early  bool          // play before the answer, which the verb then leaves to others
	Skip   time.Duration // of the first sound of every round, from its beginning
	Action call.Hook     // told how it went; none: the document goes on
}

// Name is "play".
func (Play) Name() string { return "play" }

// BeforeAnswer is Early.
func (p Play) BeforeAnswer() bool { return p.Early }

// Run plays the sounds Loop times, or sends the digits. With Action it jumps
// there, and comes back when the answer holds no verbs.
func (p Play) Run(ctx context.Context, env *Env) (*Jump, error) {
	if p.Early && !early(ctx, env) {
		return nil, ctx.Err()
	}
	if p.Digits != "" {
		return Keys{Keys: p.Digits}.Run(ctx, env)
	}
	began, bounded := time.Now(), ctx
	if p.Limit > 0 {
		var cancel context.CancelFunc
		bounded, cancel = context.WithTimeout(ctx, p.Limit)
		defer cancel()
	}
	urls := append([]string{p.URL}, p.More...)
	fault, err := playLoop(bounded, env, p.Loop, len(urls), func(i int) (media.Clip, error) {
		clip, err := env.Open(bounded, urls[i])
		if s, ok := clip.(media.Skipper); err == nil && ok && i == 0 && p.Skip > 0 {
			s.Skip(bounded, int(p.Skip/media.FrameDuration))
		}
		if err == nil || over(bounded, err) {
			return clip, err
		}
		return nil, skip(env, "cannot play "+BareURL(urls[i])+": "+err.Error())
	})
	if err != nil && (ctx.Err() != nil || bounded.Err() == nil) {
		return nil, err
	}
	if p.Action.IsZero() {
		return nil, nil
	}
	return &Jump{Hook: p.Action, Result: &Result{Verb: p.Name(), Played: time.Since(began), Fault: fault}, Resume: true}, nil
}

// early makes the way for sound to a caller who has not been answered, and reports
// whether there is one.
func early(ctx context.Context, env *Env) bool {
	err := env.Early(ctx)
	if err != nil && !over(ctx, err) {
		env.Tell(call.EventWarning, "the caller hears nothing before the answer: "+err.Error())
	}
	return err == nil
}

// skip tells why a sound is skipped, and gives that as an error.
func skip(env *Env, text string) error {
	env.Tell(call.EventWarning, text)
	return &skipped{text}
}

// skipped is errSkip with its sentence.
type skipped struct{ text string }

func (s *skipped) Error() string   { return s.text }
func (*skipped) Is(err error) bool { return err == errSkip } //nolint:errorlint // the sentinel itself

// playLoop plays what open gives for 0 to n-1, times times. A sound that cannot
// be had, fault, is left out, and ends the rounds. A round that takes no time is
// not repeated, so that an empty file looped for ever costs one opening.
func playLoop(ctx context.Context, env *Env, times, n int, open func(i int) (media.Clip, error)) (fault string, err error) {
	if times <= 0 || times > MaxLoops {
		times = MaxLoops
	}
	for range times {
		began := time.Now()
		for i := range n {
			clip, err := open(i)
			if err == nil {
				err = env.Play(ctx, clip)
				if err != nil && !over(ctx, err) {
					err = skip(env, "cannot play the sound: "+err.Error())
				}
			}
			if errors.Is(err, errSkip) {
				fault = err.Error()
			} else if err != nil {
				return fault, err
			}
		}
		if fault != "" || time.Since(began) < media.FrameDuration {
			break
		}
	}
	return fault, nil
}

// over reports whether err, got under ctx, only says that the script is over:
// its context or its call has ended.
func over(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, call.ErrEnded)
}
