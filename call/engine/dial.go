package engine

import (
	"cmp"
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

// dialing is one Dial verb at work, on the script's goroutine.
type dialing struct {
	control
	d       script.Dial
	news    *news
	waiting []script.Target // not tried yet (Sequential)
	trying  map[*live]standing
	last    *live       // the last child that was tried, or ended
	refused *call.Cause // why the last child was not admitted
	rec     script.Recording
	stream  *streaming // of the connection

	tone  *session.Playback // the ringback, while it plays
	rang  bool              // the unanswered caller was told that it rings
	heard hearing

	connection
	step   func(standing) // told how far children have got; nil: nobody is
	origin string         // the line by which the guards know its children; empty: the call's own
	why    string         // begins the reason of their routes

	music   *music   // in place of the ringback; nil: none
	holding *holding // the document of a party on hold, while it runs
}

// Dial rings the targets, connects the first to answer, and returns when the
// connection has ended.
func (k control) Dial(ctx context.Context, given *script.Dial) (script.DialResult, error) {
	if len(given.Targets) == 0 {
		return script.DialResult{}, errors.New("dial names nobody to call")
	}
	if len(given.Targets) > maxTargets {
		return script.DialResult{}, errors.New("dial names more than 10 parties")
	}
	if s, ok := k.c.e.cfg.Router.(Splitter); ok {
		given = split(given, s)
	}
	if err := k.ask(ctx, func() error { k.c.dialled = nil; return nil }); err != nil {
		return script.DialResult{}, err
	}
	w := k.dialing(given)
	d, limits := &w.d, k.c.e.limits.Load()
	d.Timeout = limits.ring(d.Timeout, 30*time.Second)
	d.TimeLimit = limits.answered(d.TimeLimit)
	if d.Record != nil && d.Record.FromRinging {
		w.startRecording()
	}
	res, err := w.run(ctx)
	w.hearNoMore()
	w.quiet()
	res.Recording = w.stopRecording()
	return res, err
}

// split puts those for whom its parties stand into a Dial, as far as there is room.
func split(d *script.Dial, s Splitter) *script.Dial {
	out := *d
	out.Targets = nil
	for i, t := range d.Targets {
		parts := s.Split(t)
		room := maxTargets - len(out.Targets) - (len(d.Targets) - i - 1)
		out.Targets = append(out.Targets, parts[:min(len(parts), room)]...)
	}
	return &out
}

// dialing makes the work of a Dial.
func (k control) dialing(d *script.Dial) *dialing {
	return &dialing{control: k, d: *d, waiting: d.Targets, trying: map[*live]standing{}, news: newNews(), connection: newConnection()}
}

// run is Dial without its recording.
func (w *dialing) run(ctx context.Context) (script.DialResult, error) {
	first := len(w.waiting)
	if w.d.Sequential {
		first = 1
	}
	w.startMusic(ctx)
	w.try(first)
	winner, err := w.ring(ctx)
	if winner == nil {
		w.dropTrying(call.Cause{Q850: call.Q850Normal, SIP: 487, Who: call.Peer, Text: "the caller gave up"})
		res := w.failed()
		if err == nil {
			w.c.do(context.Background(), func() { w.c.dialled = &res.Cause })
		}
		return res, err
	}
	w.dropTrying(call.Cause{Q850: 26, SIP: 487, Who: call.Peer, Text: "another phone answered"})
	w.stopTone()
	w.agreeable(ctx, winner)
	if err := w.Answer(ctx); err != nil {
		w.release(winner, call.NormalClearing(call.Peer))
		return w.result(winner, false, 0), err
	}
	return w.connect(ctx, winner)
}

// try starts the next n targets that are admitted.
func (w *dialing) try(n int) {
	for n > 0 && len(w.waiting) > 0 {
		t := &w.waiting[0]
		w.waiting = w.waiting[1:]
		if w.foreign(t) {
			w.refused = &call.Cause{Q850: call.Q850Rejected, SIP: 403, Who: call.Box, Text: "cannot call " + t.To + ": " + w.d.Foreign}
			w.Tell(call.EventWarning, w.refused.Text)
			continue
		}
		child := w.c.e.child(w.c, t, &w.d, w.news)
		if w.origin != "" {
			child.origin = w.origin
		}
		child.because = w.why
		if err := w.c.e.admit(child); err != nil {
			w.refused = &call.Cause{Q850: call.Q850Congestion, SIP: 503, Who: call.Box, Text: "cannot call " + t.To + ": " + err.Error()}
			w.Tell(call.EventWarning, w.refused.Text)
			continue
		}
		n--
		w.last = child
		w.trying[child] = standing{}
		child.start(nil)
	}
}

// foreign reports whether t would be shown a number that is not the account's. The
// two numbers of the call itself may always be shown.
func (w *dialing) foreign(t *script.Target) bool {
	rec := w.c.rec.Load()
	if w.d.Foreign == "" || w.c.e.cfg.MayShow == nil || t.Kind != script.ToNumber || t.From != "" || w.d.CallerID == "" {
		return false
	}
	return w.d.CallerID != rec.From && w.d.CallerID != rec.To && !w.c.e.cfg.MayShow(rec.Account, w.d.CallerID, t.To, t.Line)
}

// ring waits for the first child to be ready. Nil: nobody was, or ctx or the
// call ended (then with the error).
func (w *dialing) ring(ctx context.Context) (*live, error) {
	for len(w.trying) > 0 {
		select {
		case <-w.news.more:
			if winner := w.hearNews(); winner != nil {
				return winner, nil
			}
			if len(w.trying) == 0 {
				w.try(1) // Sequential has more; otherwise none is waiting
			}
			w.present(ctx)
		case <-w.c.over:
			return nil, call.ErrEnded
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return nil, nil
}

// hearNews notes where the children stand, and gives one that is ready.
func (w *dialing) hearNews() *live {
	for {
		child, s, ok := w.news.take()
		if !ok {
			return nil
		}
		if s.stage == childTakes { // it takes the place of one that rings, or comes too late
			if _, ok := w.trying[s.instead]; !ok {
				w.release(child, tooLate())
				continue
			}
			return child
		}
		if _, ok := w.trying[child]; !ok {
			continue
		}
		if w.step != nil {
			w.step(s)
		}
		switch s.stage {
		case childReady:
			delete(w.trying, child)
			return child
		case childLeft, childEnded:
			delete(w.trying, child)
			w.last = child
			w.tellRefusal(child, s.refused)
		default:
			w.trying[child] = s
		}
	}
}

// tooLate ends a call that wanted to take the place of one that rings.
func tooLate() call.Cause {
	return call.Cause{Q850: call.Q850Normal, Who: call.Peer, Text: "the call was answered or given up before it could be picked up"}
}

// hearNoMore ends those who want to take the place of a child: the Dial has ended.
func (w *dialing) hearNoMore() {
	for _, c := range w.news.close() {
		w.release(c, tooLate())
	}
}

// tellRefusal warns of a child that the box itself does not place.
func (w *dialing) tellRefusal(child *live, why script.Refusal) {
	rec := child.rec.Load()
	if why == script.NotRefused || rec.Cause == nil {
		return
	}
	text := rec.To + " was not called: " + rec.Cause.Error()
	if code := w.d.Refusals.Of(why); code != "" {
		text += " " + code
	}
	w.Tell(call.EventWarning, text)
}

// dropTrying ends the children that did not win.
func (w *dialing) dropTrying(cause call.Cause) {
	for child := range w.trying {
		w.release(child, cause)
	}
	clear(w.trying)
}

// release ends a child, unless it was redirected or went on to another party: then
// it lives on without the Dial.
func (w *dialing) release(c *live, cause call.Cause) {
	c.do(context.Background(), func() {
		switch {
		case c.watch != w.news:
		case c.away:
			c.leave()
		case c.gave != nil:
			c.end(*c.gave)
		default:
			c.end(cause)
		}
	})
}

// failed is the result when nobody was connected: that of the last child.
func (w *dialing) failed() script.DialResult {
	if w.last != nil {
		return w.result(w.last, false, 0)
	}
	res := script.DialResult{State: call.Failed}
	if w.refused != nil {
		res.Cause, res.SIPStatus = *w.refused, w.refused.SIP
	}
	return res
}

func (w *dialing) result(child *live, bridged bool, d time.Duration) script.DialResult {
	r := child.rec.Load()
	res := script.DialResult{State: r.State, Child: r.ID, Duration: d, Bridged: bridged, SIPCallID: r.SIPCallID}
	if r.Cause != nil {
		res.Cause, res.SIPStatus = *r.Cause, r.Cause.SIP
	} else {
		res.Cause = call.Cause{Q850: call.Q850Normal, Who: call.API, Text: "the called party went on to a document of its own"}
	}
	if r.Answered != nil {
		res.SIPStatus = 200
	}
	switch {
	case bridged:
		res.State = call.Completed
	case r.Answered != nil || !r.State.Final():
		res.State = call.NoAnswer // "completed" says that the two were connected (call-api.md §5.4)
	}
	return res
}

// connect bridges the call with the winner until one of them ends, the time
// limit or the star, or the document is replaced.
func (w *dialing) connect(ctx context.Context, child *live) (script.DialResult, error) {
	if err := w.link(ctx, child); err != nil {
		close(w.parted)
		w.release(child, call.NormalClearing(call.Peer))
		if !over(ctx, err) { // the caller lives on, and with it the document
			w.Tell(call.EventWarning, "nobody was connected: "+err.Error())
			err = nil
		}
		return w.result(child, false, 0), err
	}
	w.heard = hearing{} // the early sound, if any, is now the connection's
	began := w.c.e.cfg.Now()
	if w.d.Record != nil && w.rec == nil {
		w.startRecording()
	}
	w.startStream(ctx)
	if w.d.Loudness != nil || len(w.d.Tracks) > 0 {
		err := control{c: child}.Change(ctx, call.Change{Loudness: w.d.Loudness, Tracks: w.d.Tracks})
		if err != nil && !over(ctx, err) {
			w.Tell(call.EventWarning, "the callee hears what it would without this dial's settings: "+err.Error())
		}
	}
	if w.d.Transcribe != nil {
		s := w.c.startScribe(*w.d.Transcribe)
		defer s.cancel()
	}
	err := w.talk(ctx)
	if w.stream != nil {
		w.stream.halt()
	}
	if w.holding != nil {
		<-w.holding.done
	}
	length := w.c.e.cfg.Now().Sub(began)
	w.part(err)
	return w.result(w.shown, true, length), err
}

// startRecording records the connection, on the caller's side.
func (w *dialing) startRecording() {
	rec, err := sound{w.control}.Record(*w.d.Record)
	if err == nil {
		w.rec = rec
		return
	}
	if !errors.Is(err, call.ErrEnded) {
		w.Tell(call.EventWarning, "the connection is not recorded: "+err.Error())
	}
}

// startStream carries the connection's sound to an application, if it is to be.
func (w *dialing) startStream(ctx context.Context) {
	if w.d.Stream == nil {
		return
	}
	err := w.ask(ctx, func() (err error) {
		w.stream, err = w.c.stream(*w.d.Stream)
		return err
	})
	if err != nil && !over(ctx, err) {
		w.Tell(call.EventWarning, "the connection is not streamed: "+err.Error())
	}
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

// talk waits for the end of the connection.
func (w *dialing) talk(ctx context.Context) error {
	limit := time.NewTimer(w.d.TimeLimit)
	defer limit.Stop()
	hctx, unhold := context.WithCancel(ctx)
	defer unhold()
	for {
		if w.moving == nil && w.alone {
			return nil
		}
		select {
		case <-w.news.more:
			for {
				c, s, ok := w.news.take()
				if !ok {
					break
				}
				if s.stage == childTakes {
					w.release(c, tooLate())
				}
				if c == w.child && s.stage >= childLeft {
					w.alone = true
				}
			}
		case <-limit.C:
			return nil
		case <-w.b.star:
			return nil
		case h := <-w.b.holds:
			w.hold = h
			if w.moving == nil && w.lent == nil {
				w.held(hctx, w.b, h)
			}
		case f := <-w.asks:
			f(hctx)
		case <-w.lent:
			return nil
		case <-w.c.over:
			return call.ErrEnded
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// forwarder is the number that sends a call of parent's on: the one that was
// called from outside.
func (e *Engine) forwarder(parent *call.Record) string {
	line, ok := e.cfg.Lines.Line(parent.Line)
	if !ok || parent.Direction != call.Inbound || line.Kind() == call.User || line.Kind() == call.FXS {
		return parent.Forwarded
	}
	return parent.To
}

// child makes the call of one target.
func (e *Engine) child(parent *live, t *script.Target, d *script.Dial, watch *news) *live {
	p := parent.rec.Load()
	from := cmp.Or(t.From, d.CallerID, p.From)
	c := e.newLive(&call.Record{
		ID: e.cfg.NewID(p.API, "call"), API: p.API, Account: p.Account, Parent: p.ID,
		Direction: call.OutboundDial, From: from, To: party(*t), Status: t.Status, AMD: t.AMD, Forwarded: p.Forwarded,
		Application: p.Application, Session: p.Session, Reason: d.Reason,
	})
	if d.Tag != "" {
		c.r.Session.Tag = d.Tag
	}
	if d.SameStatus && t.Status.IsZero() {
		c.r.Status = p.Status
	}
	c.publish()
	c.watch = watch
	if p.Direction == call.Inbound {
		c.origin = p.Line
	}
	c.target = *t
	c.forwarded = e.forwarder(p)
	if d.Assert && p.Direction == call.Inbound {
		c.asserted, c.private = parent.asserted, parent.private
	}
	c.callerName = d.CallerName
	if c.callerName == "" {
		c.callerName = p.CallerName
	}
	c.ringTimeout = e.limits.Load().ring(t.Timeout, d.Timeout)
	c.timeLimit = d.TimeLimit + time.Minute // the Dial's own limit comes first
	var leg call.Leg
	parent.do(context.Background(), func() { leg = parent.leg })
	switch t := leg.(type) {
	case call.CodecChooser:
		c.codecs, c.pass = t.Offered(), undecoded(d, &c.target)
	case call.CodecTeller:
		if t.Codec() != "" {
			c.codecs = []string{t.Codec()}
		}
	}
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
