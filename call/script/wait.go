package script

import (
	"context"
	"sync"
	"time"

	"callbox/call"
)

// Wait says what the caller hears while the hook of an action takes its time. As
// a verb it holds for the rest of the call; a nil part changes nothing.
type Wait struct {
	Noise *Noise
	Delay *Delay
}

// Noise is a sound that is played again and again.
type Noise struct {
	URL   string        // empty: silence
	After time.Duration // silence before it begins
}

// Delay is what is done about a hook that does not answer; the zero value is
// nothing.
type Delay struct {
	After   time.Duration // one of Actions is run after so long, and so long after each; 0: none
	Retries int           // how often after the first
	Actions []Verb        // Say and Play, in turn
	GiveUp  time.Duration // the hook's answer no longer counts after so long; 0: it always does
	Final   []Verb        // run before the hang-up that follows GiveUp
}

// Name is "config".
func (Wait) Name() string { return "config" }

// BeforeAnswer is true.
func (Wait) BeforeAnswer() bool { return true }

// Run keeps the setting.
func (w Wait) Run(_ context.Context, env *Env) (*Jump, error) {
	if env.Manners == nil {
		env.Tell(call.EventWarning, "what is heard while a hook is asked cannot be set in this document")
		return nil, nil
	}
	env.Manners.mu.Lock()
	defer env.Manners.mu.Unlock()
	env.Manners.wait = env.Manners.wait.with(w)
	return nil, nil
}

// with is w with the parts that x has.
func (w Wait) with(x Wait) Wait {
	if x.Noise != nil {
		w.Noise = x.Noise
	}
	if x.Delay != nil {
		w.Delay = x.Delay
	}
	return w
}

// Manners are what the documents of a call have set for those that follow, also
// for those of a script that takes the place of another. The zero value is ready;
// scripts of one call share it.
type Manners struct {
	mu    sync.Mutex // orders may change them while verbs run
	wait  Wait
	barge *Barge // nil: verbs are not interrupted
}

// waits is what is heard while the hook of jump is asked.
func (e *Env) waits(jump *Jump) (w Wait) {
	if e.Manners != nil {
		e.Manners.mu.Lock()
		defer e.Manners.mu.Unlock()
		w = e.Manners.wait
	}
	return w.with(jump.Wait)
}

// patiently asks the hook of jump while the caller hears that it takes time.
func (r *run) patiently(ctx context.Context, jump *Jump) (Document, error) {
	w := r.env.waits(jump)
	if w == (Wait{}) || jump.Result == nil || !r.answered {
		return r.get(ctx, jump.Hook, jump.Result)
	}
	asking, stop := context.WithCancel(ctx)
	sounding, hush := context.WithCancel(ctx)
	defer stop()
	gaveUp := false
	var work sync.WaitGroup
	work.Go(func() {
		if gaveUp = w.entertain(sounding, r.env); gaveUp {
			stop()
		}
	})
	doc, err := r.get(asking, jump.Hook, jump.Result)
	hush()
	work.Wait()
	if gaveUp && err != nil && ctx.Err() == nil {
		r.env.Tell(call.EventWarning, BareURL(jump.Hook.URL)+" did not answer within "+w.Delay.GiveUp.String()+"; the call ends")
		return Document{Verbs: append(w.Delay.Final[:len(w.Delay.Final):len(w.Delay.Final)], Hangup{})}, nil
	}
	return doc, err
}

// entertain plays until ctx ends, or reports that it is time to give up.
func (w Wait) entertain(ctx context.Context, env *Env) bool {
	if w.Delay == nil {
		w.Delay = &Delay{}
	}
	if w.Noise == nil {
		w.Noise = &Noise{}
	}
	var patience <-chan time.Time
	if w.Delay.GiveUp > 0 {
		t := time.NewTimer(w.Delay.GiveUp)
		defer t.Stop()
		patience = t.C
	}
	sounding, hush := context.WithCancel(ctx)
	var work sync.WaitGroup
	work.Go(func() { w.sound(sounding, env) })
	defer work.Wait()
	defer hush()
	select {
	case <-patience:
		return true
	case <-ctx.Done():
		return false
	}
}

// sound plays the noise and, in between, the actions. What cannot be had is a
// warning of the verbs themselves.
func (w Wait) sound(ctx context.Context, env *Env) {
	d := w.Delay
	for n := 0; ctx.Err() == nil; n++ {
		noisy, stop := context.WithCancel(ctx)
		acts := d.After > 0 && len(d.Actions) > 0 && n <= d.Retries
		if acts {
			stop()
			noisy, stop = context.WithTimeout(ctx, d.After)
		}
		if w.Noise.URL != "" && (n > 0 || rest(noisy, w.Noise.After) == nil) {
			_, _ = Play{URL: w.Noise.URL}.Run(noisy, env) // it ends with noisy, or has told why
		}
		<-noisy.Done()
		stop()
		if acts && ctx.Err() == nil {
			_, _ = d.Actions[n%len(d.Actions)].Run(ctx, env)
		}
	}
}
