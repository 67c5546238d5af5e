package engine

import (
	"context"

	"callbox/call"
	"callbox/call/script"
	"callbox/media/session"
)

// hearing is whose early sound the caller is connected with; the zero value is
// nobody's.
type hearing struct {
	child   *live
	attempt int
	mine    *session.Session // the caller's
}

// present lets the caller hear how the Dial stands: what the only callee left
// sends before its answer, else that it rings, else what it heard last. It may
// be called after any change.
func (w *dialing) present(ctx context.Context) {
	if w.music != nil {
		return
	}
	rings := false
	for child, s := range w.trying {
		if s.stage == childEarly && len(w.trying) == 1 && w.early(ctx, child, s) {
			return
		}
		rings = rings || s.stage != childTrying
	}
	w.endEarly()
	if rings {
		w.ringing(ctx)
	}
}

// early connects the caller with the sound that child sends before its answer,
// and reports whether it is connected.
func (w *dialing) early(ctx context.Context, child *live, s standing) bool {
	if w.heard.child == child && w.heard.attempt == s.attempt {
		return true
	}
	w.agreeable(ctx, child)
	if !w.open(ctx) {
		return false
	}
	w.endEarly()
	var mine, theirs *session.Session
	child.do(ctx, func() { theirs = child.sess })
	w.ask(ctx, func() error { mine = w.c.sess; return nil }) //nolint:errcheck // then mine is nil
	if mine == nil || theirs == nil {
		return false
	}
	w.stopTone()
	if err := session.Bridge(mine, theirs); err != nil {
		return false // one of them has ended, and says so in a moment
	}
	w.heard = hearing{child, s.attempt, mine}
	return true
}

// music is a sound that the caller hears instead of ringing.
type music struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// startMusic starts it, where the Dial has one and the caller can hear it.
func (w *dialing) startMusic(ctx context.Context) {
	if w.d.Music == "" || !w.open(ctx) {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	m := &music{cancel, make(chan struct{})}
	w.music = m
	env := w.c.env(w.s)
	w.c.e.tasks.Go(func() {
		defer close(m.done)
		// It ends with ctx; a sound that cannot be had gives a warning.
		if _, err := (script.Play{URL: w.d.Music, Loop: 0}).Run(ctx, env); err == nil && ctx.Err() == nil {
			_ = env.Play(ctx, w.c.e.cfg.Ringback(w.d.RingTone)) // ends with ctx too
		}
	})
}

// endEarly separates the caller from the early sound.
func (w *dialing) endEarly() {
	if w.heard.child != nil {
		w.heard.mine.Unbridge()
		w.heard = hearing{}
	}
}

// open makes the way for sound to the caller, and reports whether there is one.
func (w *dialing) open(ctx context.Context) bool {
	err := w.Early(ctx)
	if err != nil && !over(ctx, err) {
		w.Tell(call.EventWarning, "the caller cannot hear the callee before the answer: "+err.Error())
	}
	return err == nil
}

// ringing lets the caller hear that it rings: as signalling while nothing but
// that has passed, else as a tone.
func (w *dialing) ringing(ctx context.Context) {
	if w.tone != nil {
		return
	}
	audible := false
	err := w.ask(ctx, func() error {
		audible = w.c.opened || w.c.r.State == call.InProgress
		if audible && w.c.sess != nil {
			w.tone = w.c.sess.Play(w.c.e.cfg.Ringback(w.d.RingTone))
		}
		return nil
	})
	if err != nil || audible || w.rang {
		return
	}
	w.rang = true
	if err := w.progress(ctx, call.ProgressRinging); err != nil && !over(ctx, err) {
		w.Tell(call.EventWarning, "cannot tell the caller that it rings: "+err.Error())
	}
}

func (w *dialing) stopTone() {
	if w.music != nil {
		w.music.cancel()
		<-w.music.done
		w.music = nil
	}
	if w.tone != nil {
		w.silence(w.tone)
		w.tone = nil
	}
}

// quiet ends whatever the caller heard of the Dial.
func (w *dialing) quiet() {
	w.stopTone()
	w.endEarly()
}
