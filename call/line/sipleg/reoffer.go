package sipleg

import (
	"context"
	"errors"
	"fmt"
	"time"

	"callbox/call"
	"callbox/sip"
	"callbox/sip/sdp"
)

// maxGlares bounds how often a change is offered again because the far end
// offered one at the same moment.
const maxGlares = 4

// Reoffer is a change of an answered leg's session. Both functions run on the
// leg's goroutine and must not block.
type Reoffer struct {
	// Change says what is different in what we offer from now on. When the far end
	// refuses, everything stays as it was.
	Change func(*sdp.Local)
	// Take takes the answer into use; nil: the leg's own sound does.
	Take func(sdp.Media) error
	// Odd runs in place of Take when the far end agreed to what cannot be used; nil:
	// nothing does.
	Odd func()
	// Needless, when the change is about to be offered, says that nothing is to be done
	// any more; nil: there is.
	Needless func() bool
	// Spare says that nobody needs the change: a far end that does not answer keeps
	// its call.
	Spare bool
}

// reoffering is a Reoffer at work.
type reoffering struct {
	Reoffer
	local sdp.Local  // as offered
	done  chan error // holds 1
}

// Reoffer changes the session by a re-INVITE and waits until the far end has
// agreed. Changes come one after the other; one that meets a change of the far
// end's is offered again after a while (RFC 3261 §14.1). The error wraps
// call.ErrLegEnded, call.ErrWrongState before the answer, a *sip.StatusError, or
// is that of ctx: then the change may still come about.
func (l *Leg) Reoffer(ctx context.Context, r Reoffer) error {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-l.over:
		return call.ErrLegEnded
	case <-ctx.Done():
		return ctx.Err()
	}
	for tries := 0; ; tries++ {
		err := l.reofferOnce(ctx, r)
		if !errors.Is(err, sip.ErrGlare) || tries == maxGlares {
			return err
		}
		if err := l.backOff(ctx); err != nil {
			return err
		}
	}
}

func (l *Leg) backOff(ctx context.Context) error {
	t := time.NewTimer(l.line.Load().Backoff())
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-l.over:
		return call.ErrLegEnded
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *Leg) reofferOnce(ctx context.Context, r Reoffer) error {
	x := &reoffering{Reoffer: r, done: make(chan error, 1)}
	if err := l.ask(ctx, ask{reoffer: x}); err != nil {
		return err
	}
	select {
	case err := <-x.done:
		return err
	case <-l.over:
		return call.ErrLegEnded
	case <-ctx.Done():
		return ctx.Err()
	}
}

// reoffer sends the re-INVITE, on the leg's goroutine.
func (l *Leg) reoffer(x *reoffering) error {
	t := &l.talk
	if !t.answered {
		return fmt.Errorf("change the session before the answer: %w", call.ErrWrongState)
	}
	if t.asked != nil { // of a caller who did not wait for it
		return sip.ErrGlare
	}
	if x.Needless != nil && x.Needless() {
		x.done <- nil
		return nil
	}
	b := t.chosen
	x.local = b.local
	x.Change(&x.local)
	offer, err := b.session.Offer(x.local)
	if err == nil {
		send := b.d.Reoffer
		if x.Spare {
			send = b.d.Propose
		}
		err = send(offer)
	}
	if errors.Is(err, sip.ErrState) { // the ACK is still to come, or a refresh is under way
		err = sip.ErrGlare
	}
	if err != nil {
		return ended(err)
	}
	t.asked = x
	return nil
}

// reanswered is how the far end took our change.
func (l *Leg) reanswered(b *branch, body []byte, err error) {
	x := l.talk.asked
	l.talk.asked = nil
	if x == nil { // a refresh, which the far end answered with something else
		if m, aerr := b.session.Accept(b.local, body); aerr == nil && m != l.talk.media {
			if aerr = l.agree(b, m); aerr != nil {
				l.log.Info("the changed sound of the far end cannot be used", "err", aerr)
			}
		}
		return
	}
	var m sdp.Media
	if err == nil {
		if m, err = b.session.Accept(x.local, body); err != nil && x.Odd != nil {
			x.Odd()
		}
	}
	if err == nil {
		b.local = x.local
		if x.Take != nil {
			err = x.Take(m)
		} else {
			err = l.agree(b, m)
		}
	}
	if err != nil {
		err = fmt.Errorf("change the session: %w", ended(err))
	}
	x.done <- err
}
