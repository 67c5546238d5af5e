package engine

import (
	"context"

	"callbox/call"
	"callbox/call/script"
)

// holding is a connection of which one party holds the other.
type holding struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// held follows a party that puts the connection on hold or takes it back: the
// other one is entertained meanwhile. It runs on the Dial's goroutine.
func (w *dialing) held(ctx context.Context, b *bridge, h heldBy) {
	w.unhold()
	holder, other := b.a, b.b
	if !h.caller {
		holder, other = b.b, b.a
	}
	music := w.c.e.holdMusic(w.c.snapshot(), holder.snapshot())
	if !h.on || w.d.OnHold.IsZero() && music == NoHoldMusic {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	x := &holding{cancel: cancel, done: make(chan struct{})}
	w.holding = x
	w.c.e.tasks.Go(func() {
		defer close(x.done)
		mute := func(on bool) { // a telephone system has music of its own
			holder.do(context.Background(), func() {
				if holder.sess != nil {
					holder.sess.SetHolding(on)
				}
			})
		}
		mute(true)
		defer mute(false)
		env := other.env(nil)
		if w.d.OnHold.IsZero() {
			w.c.e.entertain(ctx, env, music)
			return
		}
		r := holder.snapshot()
		tell := func() *script.Result {
			return &script.Result{Verb: "hold", Hold: &script.HoldResult{From: r.From, To: r.To}}
		}
		if err := (script.Runner{}).Wait(ctx, *env, w.d.OnHold, tell); err != nil && !over(ctx, err) && !script.Left(err) {
			w.Tell(call.EventWarning, "the party on hold hears nothing: "+err.Error())
		}
	})
}

// holdMusic is what the other party of a connection hears while holder holds it.
func (e *Engine) holdMusic(caller, holder call.Record) string {
	music := caller.Session.HoldMusic
	if music == "" && e.cfg.HoldMusic != nil {
		music = e.cfg.HoldMusic(holder.Account, holder.Line)
	}
	if music == HoldTune && e.cfg.Rooms.Music == nil {
		return NoHoldMusic
	}
	return music
}

// entertain plays music until ctx ends, or the party is gone. A sound that cannot
// be had, which the call is told, is replaced by the box's own.
func (e *Engine) entertain(ctx context.Context, env *script.Env, music string) {
	if music != HoldTune {
		_, err := script.Play{URL: music, Loop: 0}.Run(ctx, env)
		if err != nil || ctx.Err() != nil {
			return
		}
	}
	if e.cfg.Rooms.Music != nil {
		_ = env.Play(ctx, e.cfg.Rooms.Music()) // it has no end
	}
}

// unhold ends what the party on hold hears.
func (w *dialing) unhold() {
	if w.holding != nil {
		w.holding.cancel()
		<-w.holding.done
		w.holding = nil
	}
}

// heldBy says who put a connection on hold, or took it back.
type heldBy struct{ caller, on bool }

// hold tells the Dial that has made the connection.
func (l *link) hold(on bool) {
	if p := l.b.path.Load(); p != nil {
		p.hold(l.mine, on)
	}
	select {
	case l.b.holds <- heldBy{l.mine, on}:
	default: // a party that holds and takes back faster than that is not followed
	}
}
