package script

import (
	"context"
	"errors"
	"io"
)

// Utterance is a text that is spoken while it still grows. Its methods may be
// called from any goroutine.
type Utterance interface {
	// Next waits for what can be spoken next, a sentence. io.EOF: that was all; else
	// the error of ctx.
	Next(ctx context.Context) (string, error)
	// Dropped is closed when no more of it is to be heard.
	Dropped() <-chan struct{}
	// End says that nobody speaks it any more; early tells that it was not heard to
	// its end.
	End(early bool)
}

// Recite speaks an utterance, sentence by sentence, in the call's voice.
type Recite struct{ Utterance Utterance }

// Name is "say".
func (Recite) Name() string { return "say" }

// Run speaks until the utterance has ended or was dropped.
func (v Recite) Run(ctx context.Context, env *Env) (*Jump, error) {
	speaking, hush := context.WithCancel(ctx)
	defer hush()
	watched := make(chan struct{})
	go func() { // ended by hush, waited for through watched
		defer close(watched)
		select {
		case <-v.Utterance.Dropped():
			hush()
		case <-speaking.Done():
		}
	}()
	err := v.recite(speaking, env)
	dropped := ctx.Err() == nil && speaking.Err() != nil
	hush()
	<-watched
	if errors.Is(err, io.EOF) || dropped {
		v.Utterance.End(false)
		return nil, nil
	}
	v.Utterance.End(true)
	return nil, err
}

func (v Recite) recite(ctx context.Context, env *Env) error {
	for {
		text, err := v.Utterance.Next(ctx)
		if err != nil {
			return err
		}
		if _, err := (Say{Speech: Speech{Text: text}, Loop: 1}).Run(ctx, env); err != nil {
			return err
		}
	}
}
