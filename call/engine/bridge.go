package engine

import (
	"context"
	"fmt"
	"sync"

	"callbox/call"
	"callbox/media/session"
)

// link is a call's side of a connection; it belongs to the call's goroutine.
type link struct {
	b    *bridge
	mine bool // this is the caller's side
}

// press passes a key on to the other side. The channel is bounded; keys beyond
// it, more than any thumb can press in the time one takes to send, are dropped.
func (l *link) press(d byte) {
	if l.mine && d == '*' && l.b.onStar {
		select {
		case l.b.star <- struct{}{}:
		default:
		}
		return
	}
	if l.b.relaying() {
		return // the events travel with the forwarded packets
	}
	select {
	case l.b.keys <- crossing{toChild: l.mine, digit: d}:
	default:
	}
}

// crossing is a key on its way through the bridge.
type crossing struct {
	toChild bool
	digit   byte
}

// bridge is two connected calls.
type bridge struct {
	a, b   *live // the caller and the callee
	sa, sb *session.Session
	onStar bool
	star   chan struct{}
	keys   chan crossing

	cancel context.CancelFunc
	wg     sync.WaitGroup
}

func (b *bridge) relaying() bool { return b.sa.Relaying() }

// join connects the sound and the keys of the call and the child.
func (w *dialing) join(ctx context.Context, child *live) (*bridge, error) {
	b := &bridge{a: w.c, b: child, onStar: w.d.HangupOnStar, star: make(chan struct{}, 1), keys: make(chan crossing, 32)}
	var toA, toB call.Leg
	err := w.ask(ctx, func() error {
		toA, b.sa = w.c.leg, w.c.sess
		return nil
	})
	if err == nil && !child.do(ctx, func() { toB, b.sb = child.leg, child.sess }) {
		err = call.ErrEnded
	}
	if err != nil {
		return nil, err
	}
	if toA == nil || toB == nil {
		return nil, call.ErrEnded
	}
	if err := session.Bridge(b.sa, b.sb); err != nil {
		return nil, fmt.Errorf("connect the sound: %w", err)
	}
	kctx, cancel := context.WithCancel(context.Background())
	b.cancel = cancel
	b.wg.Go(func() { b.carry(kctx, toA, toB) })
	w.c.do(ctx, func() { w.c.link = &link{b: b, mine: true} })
	child.do(ctx, func() { child.link = &link{b: b} })
	return b, nil
}

// carry sends the keys to the other side, in order.
func (b *bridge) carry(ctx context.Context, toA, toB call.Leg) {
	for {
		select {
		case <-ctx.Done():
			return
		case x := <-b.keys:
			leg, on := toA, b.a
			if x.toChild {
				leg, on = toB, b.b
			}
			if s, ok := leg.(call.DigitSender); ok {
				s.SendDigit(ctx, x.digit, digitLength) // a leg that has ended refuses; nobody is left to tell
				continue
			}
			// In-band: the tone is mixed into what that side hears.
			sound{control{on}}.SendDigits(ctx, string(x.digit))
		}
	}
}

// close separates the two. It may be called after either has ended.
func (b *bridge) close() {
	b.a.do(context.Background(), func() { b.a.link = nil })
	b.b.do(context.Background(), func() { b.b.link = nil })
	b.cancel()
	b.wg.Wait()
	b.sa.Unbridge()
}
