package script

import (
	"context"
	"strings"
	"time"

	"callbox/call"
)

// Gather's bounds and default (call-api.md §5.2).
const (
	// DefaultGatherTimeout is used when Gather.Timeout is 0.
	DefaultGatherTimeout = 5 * time.Second
	// MaxGatherDigits ends a Gather that has no NumDigits.
	MaxGatherDigits = 256
)

// Gather collects the keys that the caller presses. Keys pressed before it
// starts do not count; a key pressed during the prompts stops them.
type Gather struct {
	Action        call.Hook     // told the digits; none: the document goes on
	Timeout       time.Duration // from the end of the prompts, and anew after every key; 0: 5 s; negative: no limit
	BetweenKeys   time.Duration // in place of Timeout, once there are MinDigits; 0: Timeout
	MinDigits     int           // fewer digits are none; 0: one
	NumDigits     int           // ends the Gather at once; 0: MaxGatherDigits
	FinishOnKey   string        // any of these ends the Gather and is not part of the digits; empty: none
	ActionOnEmpty bool          // ask Action also when nothing was pressed
	PromptsFirst  bool          // keys do not stop the prompts
	Deaf          bool          // keys pressed during the prompts do not count either
	Resume        bool          // come back when Action's answer holds no verbs
	Fault         string        // why the input that is wanted cannot be had: Action is told so after the prompts
	Speech        *GatherSpeech // nil: keys only
	Prompts       []Verb        // Say, Play and Pause
	Wait          Wait          // what is heard while Action is asked
}

// Name is "gather".
func (Gather) Name() string { return "gather" }

// Run collects the keys and jumps to Action with them. When nothing was pressed
// it goes on with the next verb, unless ActionOnEmpty.
func (g Gather) Run(ctx context.Context, env *Env) (*Jump, error) {
	env.DropDigits()
	if g.Speech != nil {
		res, err := g.speech(ctx, env)
		if err != nil {
			return nil, err
		}
		return g.then(res), nil
	}
	if g.PromptsFirst || g.Deaf || g.Fault != "" {
		if err := g.playAll(ctx, env); err != nil {
			return nil, err
		}
		g.Prompts = nil
	}
	if g.Deaf {
		env.DropDigits()
	}
	res := &Result{Verb: g.Name(), Fault: g.Fault}
	if g.Fault == "" {
		digits, timedOut, err := g.collect(ctx, env)
		if err != nil {
			return nil, err
		}
		res.Digits = digits
		if len(digits) < g.MinDigits {
			res.Digits = ""
		}
		res.Timeout = timedOut && res.Digits == ""
	}
	return g.then(res), nil
}

// then leads to the action, where there is one for the result.
func (g Gather) then(res *Result) *Jump {
	if res.Digits == "" && res.Speech == nil && !g.ActionOnEmpty || g.Action.IsZero() {
		return nil
	}
	return &Jump{Hook: g.Action, Result: res, Resume: g.Resume, Wait: g.Wait}
}

// collect plays the prompts and gives the digits, and whether the timeout ended
// the Gather.
func (g Gather) collect(ctx context.Context, env *Env) (digits string, timedOut bool, err error) {
	limit := g.NumDigits
	if limit <= 0 || limit > MaxGatherDigits {
		limit = MaxGatherDigits
	}
	d, pressed, err := g.prompt(ctx, env)
	if err != nil {
		return "", false, err
	}
	var got strings.Builder
	for {
		if !pressed {
			d, pressed, err = g.wait(ctx, env, got.Len())
			if err != nil {
				return "", false, err
			}
			if !pressed {
				return got.String(), true, nil
			}
		}
		if strings.IndexByte(g.FinishOnKey, d) >= 0 {
			return got.String(), false, nil
		}
		got.WriteByte(d)
		if got.Len() >= limit {
			return got.String(), false, nil
		}
		pressed = false
	}
}

// prompt plays the prompts until they end or a key is pressed.
func (g Gather) prompt(ctx context.Context, env *Env) (d byte, pressed bool, err error) {
	if len(g.Prompts) == 0 {
		return 0, false, nil
	}
	sounding, hush := context.WithCancel(ctx)
	listening, deafen := context.WithCancel(ctx)
	played := make(chan error, 1)
	go func() { // ended by hush, waited for through played
		played <- g.playAll(sounding, env)
		deafen()
	}()
	d, err = env.Digit(listening)
	pressed = err == nil
	if !pressed && listening.Err() == nil {
		hush() // the call has ended
		<-played
		deafen()
		return 0, false, err
	}
	hush()
	perr := <-played
	deafen()
	if pressed {
		return d, true, nil
	}
	if ctx.Err() != nil {
		return 0, false, ctx.Err()
	}
	return 0, false, perr
}

// playAll runs the prompts one after the other.
func (g Gather) playAll(ctx context.Context, env *Env) error {
	for _, v := range g.Prompts {
		if _, err := v.Run(ctx, env); err != nil {
			return err
		}
	}
	return nil
}

// wait gives the next key, or pressed false after the timeout; so many keys were
// pressed already.
func (g Gather) wait(ctx context.Context, env *Env, already int) (d byte, pressed bool, err error) {
	timeout := g.Timeout
	if timeout == 0 {
		timeout = DefaultGatherTimeout
	}
	if g.BetweenKeys > 0 && already >= max(g.MinDigits, 1) {
		timeout = g.BetweenKeys
	}
	patience := ctx
	if timeout > 0 {
		var cancel context.CancelFunc
		patience, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	d, err = env.Digit(patience)
	if err == nil {
		return d, true, nil
	}
	if ctx.Err() == nil && patience.Err() != nil {
		return 0, false, nil
	}
	return 0, false, err
}
