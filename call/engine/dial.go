package engine

import (
	"context"
	"errors"
	"strings"
	"time"

	"callbox/call"
	"callbox/call/script"
	"callbox/media/session"
)

// maxTargets bounds the parties of one Dial (call-api.md §5.3).
const maxTargets = 10

// childNews is what a child tells the Dial that made it.
type childNews int

const (
	childRings childNews = iota
	childEarly           // it sends sound before the answer
	childReady           // answered and screened: connect it
	childLeft            // it was redirected to a document of its own
	childEnded
	numNews
)

type childEvent struct {
	child *live
	what  childNews
}

// dialing is one Dial verb at work, on the script's goroutine.
type dialing struct {
	control
	d       script.Dial
	news    chan childEvent
	waiting []script.Target // not tried yet (Sequential)
	trying  map[*live]bool
	last    *live // the last child that ended
	tone    *session.Playback
	early   bool // early sound is connected
	rec     *recording
}

// Dial rings the targets, connects the first to answer, and returns when the
// connection has ended.
func (k control) Dial(ctx context.Context, d script.Dial) (script.DialResult, error) {
	if len(d.Targets) == 0 {
		return script.DialResult{}, errors.New("dial names nobody to call")
	}
	if len(d.Targets) > maxTargets {
		return script.DialResult{}, errors.New("dial names more than 10 parties")
	}
	if k.c.snapshot().State.Final() {
		return script.DialResult{}, call.ErrEnded
	}
	limits := k.c.e.limits.Load()
	d.Timeout = limits.ring(d.Timeout, 30*time.Second)
	d.TimeLimit = limits.answered(d.TimeLimit)
	w := &dialing{control: k, d: d, waiting: d.Targets, trying: map[*live]bool{},
		news: make(chan childEvent, len(d.Targets)*int(numNews))}
	defer w.stopTone()
	if d.Record != nil && d.Record.FromRinging {
		w.startRecording(ctx)
	}
	first := len(w.waiting)
	if d.Sequential {
		first = 1
	}
	w.try(first)
	winner, err := w.ring(ctx)
	if winner == nil {
		w.dropTrying(call.Cause{Q850: call.Q850Normal, SIP: 487, Who: call.Peer, Text: "the caller gave up"})
		res := w.failed()
		k.c.do(context.Background(), func() { k.c.dialled = &res.Cause })
		res.Recording = w.stopRecording()
		return res, err
	}
	w.dropTrying(call.Cause{Q850: 26, SIP: 487, Who: call.Peer, Text: "another phone answered"})
	if err := k.Answer(ctx); err != nil {
		winner.hangupFrom(call.NormalClearing(call.Peer))
		return w.result(winner, false, 0, nil), err
	}
	return w.connect(ctx, winner)
}

// try starts the next n targets.
func (w *dialing) try(n int) {
	for range min(n, len(w.waiting)) {
		t := w.waiting[0]
		w.waiting = w.waiting[1:]
		child := w.c.e.child(w.c, t, w.d, w.news)
		w.last = child
		if err := w.c.e.admit(child); err != nil {
			w.Tell(call.EventWarning, "cannot call "+t.To+": "+err.Error())
			continue
		}
		w.trying[child] = true
		child.start(nil)
	}
}

// ring waits for the first child to be ready. Nil: nobody was, or ctx or the
// call ended (then with the error).
func (w *dialing) ring(ctx context.Context) (*live, error) {
	for len(w.trying) > 0 {
		select {
		case n := <-w.news:
			switch n.what {
			case childRings:
				w.ringing(ctx)
			case childEarly:
				w.earlySound(ctx, n.child)
			case childReady:
				delete(w.trying, n.child)
				return n.child, nil
			case childLeft, childEnded:
				delete(w.trying, n.child)
				w.last = n.child
				w.early = false
				if len(w.trying) == 0 {
					w.try(1) // Sequential has more; otherwise none is waiting
				}
			}
		case <-w.c.over:
			return nil, call.ErrEnded
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return nil, nil
}

// ringing lets the caller hear that it rings: as signalling while unanswered,
// else as a tone.
func (w *dialing) ringing(ctx context.Context) {
	if w.tone != nil || w.early {
		return
	}
	w.ask(ctx, func() error {
		if w.c.r.State != call.InProgress {
			return w.c.leg.Progress(ctx, call.ProgressRinging)
		}
		if w.c.sess != nil {
			w.tone = w.c.sess.Play(w.c.e.cfg.Ringback(w.d.RingTone))
		}
		return nil
	})
}

func (w *dialing) stopTone() {
	if w.tone != nil {
		w.tone.Stop()
		w.tone = nil
	}
}

// earlySound connects what a single callee sends before it answers.
func (w *dialing) earlySound(ctx context.Context, child *live) {
	if len(w.d.Targets) > 1 {
		w.ringing(ctx)
		return
	}
	var theirs *session.Session
	child.do(ctx, func() { theirs = child.sess })
	w.ask(ctx, func() error {
		if theirs == nil || w.c.sess == nil {
			return nil
		}
		if w.c.r.State != call.InProgress {
			if err := w.c.leg.Progress(ctx, call.ProgressEarly); err != nil {
				return err
			}
		}
		w.stopTone()
		w.early = true
		return session.Bridge(w.c.sess, theirs)
	})
}

// dropTrying ends the children that did not win.
func (w *dialing) dropTrying(cause call.Cause) {
	for child := range w.trying {
		child.hangupFrom(cause)
	}
	clear(w.trying)
}

// hangupFrom ends the call from another goroutine.
func (c *live) hangupFrom(cause call.Cause) {
	c.do(context.Background(), func() { c.end(cause) })
}

// failed is the result when nobody was connected: that of the last child.
func (w *dialing) failed() script.DialResult {
	if w.last == nil {
		return script.DialResult{State: call.Failed}
	}
	return w.result(w.last, false, 0, nil)
}

func (w *dialing) result(child *live, bridged bool, d time.Duration, rec *call.Recording) script.DialResult {
	r := child.snapshot()
	res := script.DialResult{State: r.State, Child: r.ID, Duration: d, Bridged: bridged, SIPCallID: r.SIPCallID, Recording: rec}
	if bridged {
		res.State = call.Completed
	}
	if r.Cause != nil {
		res.Cause, res.SIPStatus = *r.Cause, r.Cause.SIP
	}
	if bridged || r.Answered != nil {
		res.SIPStatus = 200
	}
	return res
}

// connect bridges the call with the winner until one of them ends, the time
// limit or the star, or the document is replaced.
func (w *dialing) connect(ctx context.Context, child *live) (script.DialResult, error) {
	w.stopTone()
	b, err := w.join(ctx, child)
	if err != nil {
		child.hangupFrom(call.NormalClearing(call.Peer))
		return w.result(child, false, 0, nil), err
	}
	began := w.c.e.cfg.Now()
	if w.d.Record != nil && w.rec == nil {
		w.startRecording(ctx)
	}
	left, err := w.talk(ctx, b, child)
	length := w.c.e.cfg.Now().Sub(began)
	b.close()
	if !left {
		child.hangupFrom(call.NormalClearing(call.Peer))
	}
	return w.result(child, true, length, w.stopRecording()), err
}

// startRecording records the connection, on the caller's side.
func (w *dialing) startRecording(ctx context.Context) {
	w.ask(ctx, func() (err error) {
		if w.rec, err = w.c.startRecording(*w.d.Record); err != nil {
			w.c.note(call.EventWarning, "the connection is not recorded: "+err.Error())
		}
		return nil
	})
}

// stopRecording ends it and gives its record, nil when there is none.
func (w *dialing) stopRecording() *call.Recording {
	if w.rec == nil {
		return nil
	}
	r, err := w.rec.Stop()
	if err != nil {
		return nil // the recording has told its own failure
	}
	return &r
}

// talk waits for the end of the connection. left: the child lives on without it.
func (w *dialing) talk(ctx context.Context, b *bridge, child *live) (left bool, err error) {
	limit := time.NewTimer(w.d.TimeLimit)
	defer limit.Stop()
	for {
		select {
		case n := <-w.news:
			if n.child == child && (n.what == childLeft || n.what == childEnded) {
				return n.what == childLeft, nil
			}
		case <-limit.C:
			return false, nil
		case <-b.star:
			return false, nil
		case <-w.c.over:
			return false, call.ErrEnded
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

// child makes the call of one target.
func (e *Engine) child(parent *live, t script.Target, d script.Dial, news chan childEvent) *live {
	p := parent.snapshot()
	from := d.CallerID
	if from == "" {
		from = p.From
	}
	c := e.newLive(call.Record{
		ID: e.cfg.NewID(p.API, "call"), API: p.API, Account: p.Account, Parent: p.ID,
		Direction: call.OutboundDial, From: from, To: party(t), Status: t.Status, Forwarded: p.Forwarded,
	})
	c.parent, c.watch = parent, news
	c.target = t
	c.callerName = d.CallerName
	if c.callerName == "" {
		c.callerName = p.CallerName
	}
	c.ringTimeout = e.limits.Load().ring(t.Timeout, d.Timeout)
	c.timeLimit = d.TimeLimit + time.Minute // the Dial's own limit comes first
	parent.do(context.Background(), func() {
		if t, ok := parent.leg.(call.CodecTeller); ok && t.Codec() != "" {
			c.codecs = []string{t.Codec()}
		}
	})
	return c
}

// party names a target as a Create Call's To would: the record of a dialled
// user reads like that of a called one.
func party(t script.Target) string {
	if t.Kind == script.ToUser && !strings.HasPrefix(t.To, "client:") {
		return "client:" + t.To
	}
	return t.To
}
