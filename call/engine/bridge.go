package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"callbox/call"
	"callbox/call/script"
	"callbox/media/session"
)

// link is a call's side of a connection; it belongs to the call's goroutine.
type link struct {
	b    *bridge
	mine bool // this is the caller's side
	keys watch
}

// press passes a key on to the other side. The queue is bounded; keys beyond
// it, more than any thumb can press in the time one takes to send, are dropped
// and counted.
//
// apart: it came outside the sound, which does not carry it on.
func (l *link) press(d byte, apart bool) {
	if s := l.keys.press(d, l.b.a.e.cfg.Now()); s != "" {
		l.b.told.tell(&script.Result{Verb: "dtmf", Digits: s})
	}
	if l.mine && d == '*' && l.b.onStar {
		select {
		case l.b.star <- struct{}{}:
		default:
		}
		return
	}
	if l.b.sa.Relaying() && !apart {
		return // the events travel with the forwarded packets
	}
	keys := &l.b.toCaller
	if l.mine {
		keys = &l.b.toCallee
	}
	keys.press(d, 0)
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
	owner              *dialing // the Dial that has made the connection, nil: it was not one
	onStar             bool
	star               chan struct{}
	holds              chan heldBy // for the Dial, see link.hold
	told               notices     // of sequences of keys
	toCaller, toCallee crossing
	cancel             context.CancelFunc   // stops the keys
	path               atomic.Pointer[path] // nil: the two are not connected yet
}

// errCalleeGone says that the callee ended while it was being connected.
var errCalleeGone = errors.New("the callee hung up")

// join connects the sound and the keys of the call and another, which still says,
// on its own goroutine, whether it is to be connected. d says what keys do, owner
// is the Dial that asks, nil for another verb.
func (k control) join(ctx context.Context, other *live, d *script.Dial, still func() bool, owner *dialing) (*bridge, error) {
	b := &bridge{a: k.c, b: other, owner: owner, onStar: d.HangupOnStar, star: make(chan struct{}, 1), holds: make(chan heldBy, 4)}
	var kctx context.Context
	kctx, b.cancel = context.WithCancel(context.Background())
	b.toCaller, b.toCallee = crossing{ctx: kctx, to: b.a}, crossing{ctx: kctx, to: b.b}
	b.told = notices{ctx: kctx, c: k.c, hook: d.Keys.Hook}
	err := k.ask(ctx, func() error {
		if b.sa = k.c.sess; b.sa == nil {
			return call.ErrEnded
		}
		return nil
	})
	if err != nil {
		b.cancel()
		return nil, err
	}
	err = control{c: other}.ask(ctx, func() error {
		if b.sb = other.sess; b.sb == nil || !still() {
			return errCalleeGone
		}
		other.link = &link{b: b, keys: watch{sequences: d.Keys.Callee}}
		other.meets(k.c.party())
		return nil
	})
	if err != nil {
		b.cancel()
		if errors.Is(err, call.ErrEnded) {
			err = errCalleeGone
		}
		return nil, err
	}
	err = k.ask(ctx, func() error {
		k.c.link = &link{b: b, mine: true, keys: watch{sequences: d.Keys.Caller}}
		k.c.meets(other.party())
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
	b.path.Store(k.newPath(ctx, b, d))
	return b, nil
}

// home has the sound of the two back in the box, for whoever goes on, after close.
func (b *bridge) home() {
	if p := b.path.Load(); p != nil {
		p.close()
	}
}

// crossing are the keys on their way to one side of a bridge. A goroutine sends
// them, but only while there are any: most calls never see a key, and one that
// waits for keys costs a stack. The bridge does not wait for it either: a leg
// that does not heed its context must not hold up the call.
type crossing struct {
	ctx context.Context // ends with the bridge
	to  *live

	mu      sync.Mutex // guards what follows
	keys    []key      // at most maxCrossing, besides the one that is being sent
	sending bool
}

// key is a key to be sent, for length; 0: the usual.
type key struct {
	digit  byte
	length time.Duration
}

// press puts a key behind the others, or counts it as lost when there are too
// many.
func (x *crossing) press(d byte, length time.Duration) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.keys) == maxCrossing {
		x.to.e.lostKeys.Add(1)
		return
	}
	x.keys = append(x.keys, key{d, length})
	if !x.sending {
		x.sending = true
		x.to.e.tasks.Go(x.send)
	}
}

// send sends what there is, in order.
func (x *crossing) send() {
	for k, ok := x.next(); ok; k, ok = x.next() {
		one, cancel := context.WithTimeout(x.ctx, digitPatience+k.length)
		// A leg that has ended refuses; nobody is left to tell.
		_ = sound{control{c: x.to}}.SendDigits(one, string(k.digit), k.length)
		cancel()
	}
}

// next takes the oldest key; ok is false when there is none, and send ends.
func (x *crossing) next() (k key, ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.keys) == 0 || x.ctx.Err() != nil {
		x.keys, x.sending = nil, false
		return key{}, false
	}
	k = x.keys[0]
	x.keys = x.keys[1:]
	return k, true
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
