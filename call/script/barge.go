package script

import (
	"context"
	"errors"

	"callbox/call"
)

// Barge lets the caller interrupt the verbs that follow with keys or speech.
type Barge struct {
	Gather Gather // what counts; Prompts are not used, Timeout counts from the first key on
	Sticky bool   // listen again after every interruption
	Off    bool   // listen no longer
}

// Name is "config".
func (Barge) Name() string { return "config" }

// BeforeAnswer is true.
func (Barge) BeforeAnswer() bool { return true }

// Run keeps the setting; it counts from the next verb on.
func (b Barge) Run(_ context.Context, env *Env) (*Jump, error) {
	if env.Manners == nil {
		env.Tell(call.EventWarning, "the verbs of this document cannot be interrupted")
		return nil, nil
	}
	env.Manners.mu.Lock()
	defer env.Manners.mu.Unlock()
	if env.Manners.barge = &b; b.Off {
		env.Manners.barge = nil
	}
	return nil, nil
}

// barge is how the next verbs may be interrupted, nil for not at all.
func (e *Env) barge() *Barge {
	if e.Manners == nil {
		return nil
	}
	e.Manners.mu.Lock()
	defer e.Manners.mu.Unlock()
	return e.Manners.barge
}

// sated ends the listening of b, unless it is sticky or has been replaced.
func (e *Env) sated(b *Barge) {
	e.Manners.mu.Lock()
	defer e.Manners.mu.Unlock()
	if !b.Sticky && e.Manners.barge == b {
		e.Manners.barge = nil
	}
}

// interruption is a gather that goes on beside verbs. Its goroutine is ended and
// waited for by end.
type interruption struct {
	b      *Barge
	env    Env
	cancel context.CancelFunc
	begun  chan struct{} // closed when a key, or enough speech, has come
	done   chan struct{} // closed when jump and err are set
	jump   *Jump
	err    error
}

// interrupt begins to listen.
func (r *run) interrupt(ctx context.Context, b *Barge) *interruption {
	ctx, cancel := context.WithCancel(ctx)
	i := &interruption{b: b, env: *r.env, cancel: cancel, begun: make(chan struct{}), done: make(chan struct{})}
	g := b.Gather
	if g.PromptsFirst && g.Speech == nil {
		// Keys interrupt only when they are complete: there is nothing to stop.
		g.PromptsFirst, g.Prompts, g.Timeout = false, nil, -1
		if g.BetweenKeys == 0 {
			g.BetweenKeys = DefaultGatherTimeout
		}
	} else {
		g.Prompts = []Verb{verbs{i}}
	}
	go func() { // ended by cancel, waited for through done
		defer close(i.done)
		i.jump, i.err = g.Run(ctx, &i.env)
	}()
	return i
}

// end stops listening and waits for that.
func (i *interruption) end() {
	i.cancel()
	<-i.done
}

// verbs stands for the verbs that an interruption stops, as the prompt of its
// gather.
type verbs struct{ i *interruption }

func (verbs) Name() string { return "verbs" }

// Run waits until it is stopped, as a prompt would be.
func (v verbs) Run(ctx context.Context, _ *Env) (*Jump, error) {
	<-ctx.Done()
	close(v.i.begun)
	return nil, ctx.Err()
}

// takesKeys reports whether v wants the caller's keys, or its speech, for itself.
func takesKeys(v Verb) bool {
	switch v.(type) {
	case Gather, Record, *DialVerb, ConferenceVerb, EnqueueVerb, DequeueVerb:
		return true
	}
	return false
}

// interrupted runs v, which the caller may interrupt, and gives what that leads
// to in place of v's own.
func (r *run) interrupted(ctx context.Context, v Verb) (*Jump, error) {
	b := r.env.barge()
	if i := r.beside; i != nil && (i.b != b || takesKeys(v)) {
		i.end()
		r.beside = nil
	}
	if b == nil || !r.answered || takesKeys(v) {
		return v.Run(ctx, r.env)
	}
	if r.beside == nil {
		r.beside = r.interrupt(context.WithoutCancel(ctx), b)
	}
	i := r.beside
	running, stop := context.WithCancel(ctx)
	defer stop()
	ran := make(chan struct{})
	var jump *Jump
	var err error
	go func() { // ended by stop, waited for through ran
		defer close(ran)
		jump, err = v.Run(running, r.env)
	}()
	select {
	case <-ran:
	case <-i.begun:
	case <-i.done:
	}
	stop()
	<-ran
	if ctx.Err() != nil || jump != nil || err != nil && !errors.Is(err, context.Canceled) {
		return jump, err
	}
	select {
	case <-i.begun:
	case <-i.done:
	default:
		return nil, err
	}
	return r.obey(ctx, i)
}

// obey waits for the end of an interruption that has begun.
func (r *run) obey(ctx context.Context, i *interruption) (*Jump, error) {
	select {
	case <-i.done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	i.end()
	r.beside = nil
	if i.err != nil {
		return nil, i.err
	}
	if i.jump != nil {
		r.env.sated(i.b)
	}
	return i.jump, nil
}

// attend listens while the script waits for orders, and gives what is closed when
// the caller interrupts that; nil when it cannot.
func (r *run) attend(ctx context.Context) <-chan struct{} {
	b := r.env.barge()
	if b == nil || !r.answered {
		return nil
	}
	if r.beside == nil {
		r.beside = r.interrupt(context.WithoutCancel(ctx), b)
	}
	return r.beside.begun
}

// unattend listens no longer.
func (r *run) unattend() {
	if r.beside != nil {
		r.beside.end()
		r.beside = nil
	}
}
