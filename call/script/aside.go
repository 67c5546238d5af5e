package script

import (
	"context"
	"errors"
	"time"

	"callbox/call"
)

// A waiting document is asked for once per waitPace at most. One that takes no
// time at all, because its sounds cannot be had, is asked for ever less often.
const (
	waitPace = time.Second
	noTime   = 100 * time.Millisecond
	slowest  = 32 * waitPace
)

// waitingRoom stands for conferences and queues while a document is run beside
// the call's own: none can be entered.
type waitingRoom struct{}

func (waitingRoom) Confer(context.Context, Conference) (ConferenceResult, error) {
	return ConferenceResult{}, ErrNoRoom
}

func (waitingRoom) Enqueue(context.Context, Enqueue) (QueueResult, error) {
	return QueueResult{}, ErrNoRoom
}

func (waitingRoom) Dequeue(context.Context, Dequeue) (DequeueResult, error) {
	return DequeueResult{}, ErrNoRoom
}

// waitingDialer refuses.
type waitingDialer struct{}

// errWaiting is why a waiting document cannot dial.
var errWaiting = errors.New("dial is not allowed in a document for those who wait")

func (waitingDialer) Dial(context.Context, *Dial) (DialResult, error) {
	return DialResult{}, errWaiting
}

// Aside runs the document of h, once, on a call whose own document stands still:
// it waits in a room. tell is told to h. Nil means that the document has come to
// its end; [Left] reports whether it asked to wait no longer. Dial and rooms are
// refused with a warning; a Hangup ends the call.
func (Runner) Aside(ctx context.Context, env Env, h call.Hook, tell *Result) error {
	env.Dialer, env.Rooms = waitingDialer{}, waitingRoom{}
	r := run{env: &env, answered: true}
	return r.aside(ctx, h, tell)
}

// Left reports whether err, of Aside or Wait, says that a Leave ended it.
func Left(err error) bool { return errors.Is(err, errLeave) }

// Wait runs the document of h again and again until ctx ends, as Aside would. It
// ends with the error of a round; nil says that a document without verbs asks for
// silence.
func (x Runner) Wait(ctx context.Context, env Env, h call.Hook, tell func() *Result) error {
	env.Dialer, env.Rooms = waitingDialer{}, waitingRoom{}
	pace := waitPace
	for {
		began := time.Now()
		r := run{env: &env, answered: true}
		doc, err := r.get(ctx, h, tell())
		if err == nil && len(doc.Verbs) == 0 {
			return nil
		}
		asked := time.Now()
		if err == nil {
			err = r.onward(ctx, repeated(doc))
		}
		if err != nil {
			return err
		}
		if time.Since(asked) > noTime {
			pace = waitPace
		}
		if err := rest(ctx, pace-time.Since(began)); err != nil {
			return err
		}
		pace = min(2*pace, slowest)
	}
}

// rest lets d pass.
func rest(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// repeated are the verbs of a waiting document. A hook that is itself a sound is
// not asked again for every round of it.
func repeated(doc Document) []Verb {
	if len(doc.Verbs) == 1 {
		if p, ok := doc.Verbs[0].(Play); ok && p.URL == doc.URL && p.URL != "" {
			p.Loop = 0
			return []Verb{p}
		}
	}
	return doc.Verbs
}

// aside runs the document of h.
func (r *run) aside(ctx context.Context, h call.Hook, tell *Result) error {
	doc, err := r.get(ctx, h, tell)
	if err != nil {
		return err
	}
	return r.onward(ctx, doc.Verbs)
}

// onward runs verbs and the documents to which they lead.
func (r *run) onward(ctx context.Context, verbs []Verb) error {
	for {
		jump, rest, err := r.walk(ctx, verbs)
		if err != nil || jump == nil {
			return err
		}
		doc, err := r.get(ctx, jump.Hook, jump.Result)
		if err != nil {
			return err
		}
		if verbs = rest; len(doc.Verbs) > 0 || !jump.Resume {
			verbs = doc.Verbs
		}
	}
}
