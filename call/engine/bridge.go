package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"callbox/call"
	"callbox/media/session"
)

// link is a call's side of a connection; it belongs to the call's goroutine.
type link struct {
	b    *bridge
	mine bool // this is the caller's side
}

// press passes a key on to the other side. The queue is bounded; keys beyond
// it, more than any thumb can press in the time one takes to send, are dropped
// and counted.
func (l *link) press(d byte) {
	if l.mine && d == '*' && l.b.onStar {
		select {
		case l.b.star <- struct{}{}:
		default:
		}
		return
	}
	if l.b.sa.Relaying() {
		return // the events travel with the forwarded packets
	}
	keys := l.b.toCaller
	if l.mine {
		keys = l.b.toCallee
	}
	select {
	case keys <- d:
	default:
		l.b.a.e.lostKeys.Add(1)
	}
}

const (
	// maxCrossing bounds the keys that wait to be sent to the other side.
	maxCrossing = 32
	// digitPatience bounds the sending of one of them.
	digitPatience = 3 * time.Second
)

// bridge is two connected calls.
type bridge struct {
	a, b               *live // the caller and the callee
	sa, sb             *session.Session
	onStar             bool
	star               chan struct{}
	toCaller, toCallee chan byte
	cancel             context.CancelFunc // ends carry, twice
}

// errCalleeGone says that the callee ended while it was being connected.
var errCalleeGone = errors.New("the callee hung up")

// join connects the sound and the keys of the call and the child.
func (w *dialing) join(ctx context.Context, child *live) (*bridge, error) {
	b := &bridge{a: w.c, b: child, onStar: w.d.HangupOnStar, star: make(chan struct{}, 1),
		toCaller: make(chan byte, maxCrossing), toCallee: make(chan byte, maxCrossing)}
	err := w.ask(ctx, func() error {
		if b.sa = w.c.sess; b.sa == nil {
			return call.ErrEnded
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = control{c: child}.ask(ctx, func() error {
		if b.sb = child.sess; b.sb == nil || child.watch == nil { // nil: redirected
			return errCalleeGone
		}
		child.link = &link{b: b}
		return nil
	})
	if err != nil {
		if errors.Is(err, call.ErrEnded) {
			err = errCalleeGone
		}
		return nil, err
	}
	kctx, cancel := context.WithCancel(context.Background())
	b.cancel = cancel
	b.a.e.tasks.Go(func() { carry(kctx, b.toCaller, b.a) })
	b.a.e.tasks.Go(func() { carry(kctx, b.toCallee, b.b) })
	err = w.ask(ctx, func() error {
		w.c.link = &link{b: b, mine: true}
		return nil
	})
	if err == nil {
		if err = session.Bridge(b.sa, b.sb); err != nil {
			err = fmt.Errorf("connect the sound: %w", err)
		}
	}
	if err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

// carry sends the keys to one side, in order. The bridge does not wait for it:
// a leg that does not heed its context must not hold up the call.
func carry(ctx context.Context, keys <-chan byte, to *live) {
	for {
		select {
		case <-ctx.Done():
			return
		case d := <-keys:
			one, cancel := context.WithTimeout(ctx, digitPatience)
			// A leg that has ended refuses; nobody is left to tell.
			_ = sound{control{c: to}}.SendDigits(one, string(d), 0)
			cancel()
		}
	}
}

// close separates the two. It may be called after either has ended, or has gone
// on to another connection.
func (b *bridge) close() {
	b.cancel()
	for _, c := range []*live{b.a, b.b} {
		c.do(context.Background(), func() {
			if c.link != nil && c.link.b == b {
				c.link = nil
			}
		})
	}
	b.sa.Unbridge()
}
