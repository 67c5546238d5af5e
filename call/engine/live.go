package engine

import (
	"context"
	"sync/atomic"
	"time"

	"callbox/call"
	"callbox/call/script"
	"callbox/media/session"
)

// live is a call under control. Everything below "owned" belongs to the
// goroutine of run; others reach it with do, or read the snapshot.
type live struct {
	e       *Engine
	id      string
	account string

	inbox chan func()                 // functions to run on the call's goroutine
	gone  chan struct{}               // closed when that goroutine has ended
	up    chan struct{}               // closed when the call is answered
	over  chan struct{}               // closed when the call is final
	rec   atomic.Pointer[call.Record] // latest snapshot
	keys  *keys                       // pressed digits, for the script

	// Set before start, then read-only.
	parent *live
	watch  chan childEvent // told to a parent's Dial; nil without one

	// Owned by run.
	r           call.Record
	source      call.ScriptSource
	document    *script.Document
	target      script.Target
	refuse      *call.Cause
	callerID    string
	callerName  string
	codecs      []string
	ringTimeout time.Duration
	timeLimit   time.Duration
	sendDigits  string
	record      *call.RecordOptions

	way       Route
	attempt   int      // index into way.Attempts
	placing   *placing // an attempt that is being started
	leg       call.Leg
	legEvents <-chan call.LegEvent // nil when the leg has ended
	sess      *session.Session
	cause     *call.Cause // why we are ending the leg ourselves
	ringTimer *time.Timer
	limit     *time.Timer
	script    *running
	next      *call.ScriptSource // to run when the present script has gone
	recs      map[*recording]bool
	link      *link // set while a Dial has connected this call with another
	told      [numNews]bool
	dialled   *call.Cause // why the last Dial connected nobody
}

// placing is an attempt on its way through Line.Dial.
type placing struct {
	cancel context.CancelFunc
	done   chan placed
}

type placed struct {
	leg call.Leg
	err error
}

// running is a script on its goroutine.
type running struct {
	cancel context.CancelFunc
	done   chan struct{}
}

func (e *Engine) newLive(r call.Record) *live {
	now := e.cfg.Now()
	r.State, r.Created, r.Updated = call.Queued, now, now
	c := &live{
		e: e, id: r.ID, account: r.Account, r: r,
		inbox: make(chan func()), gone: make(chan struct{}), up: make(chan struct{}), over: make(chan struct{}),
		keys: newKeys(), recs: map[*recording]bool{},
	}
	c.publish()
	return c
}

// publish makes the present record the snapshot that others read.
func (c *live) publish() {
	r := c.r
	r.Recordings = append([]string(nil), c.r.Recordings...)
	r.Warnings = append([]string(nil), c.r.Warnings...)
	c.rec.Store(&r)
}

func (c *live) snapshot() call.Record { return *c.rec.Load() }

// do runs f on the call's goroutine and waits for it. It reports false, and f
// did not run, when the call's goroutine has ended or ctx ended first.
func (c *live) do(ctx context.Context, f func()) bool {
	done := make(chan struct{})
	select {
	case c.inbox <- func() { f(); close(done) }:
		<-done
		return true
	case <-c.gone:
	case <-ctx.Done():
	}
	return false
}

// start begins the call's life; leg is the arriving one, nil for a call to be placed.
func (c *live) start(leg call.Leg) {
	c.e.wg.Go(func() { c.run(leg) })
}

// run is the call's goroutine: it ends when the call is final, its leg is down,
// its script has gone and its recordings are whole.
func (c *live) run(leg call.Leg) {
	defer close(c.gone)
	defer c.e.remove(c)
	c.begin(leg)
	for !c.finished() {
		select {
		case f := <-c.inbox:
			f()
		case ev, ok := <-c.legEvents:
			c.onLeg(ev, ok)
		case p := <-c.placingDone():
			c.onPlaced(p)
		case <-fired(c.ringTimer):
			c.ringTimer = nil
			c.endWith(call.InRingTimeout, call.Cause{Q850: call.Q850NoAnswer, SIP: 487, Who: call.Box,
				Text: "nobody answered within " + c.ringTimeout.String()})
		case <-fired(c.limit):
			c.limit = nil
			c.endWith(call.InTimeLimit, call.Cause{Q850: call.Q850Normal, Who: call.Box,
				Text: "the call reached its time limit of " + c.timeLimit.String()})
		case <-c.scriptDone():
			c.onScriptDone()
		}
		c.publish()
	}
	c.close()
}

// fired is a timer's channel, nil (never ready) without a timer.
func fired(t *time.Timer) <-chan time.Time {
	if t == nil {
		return nil
	}
	return t.C
}

func (c *live) placingDone() <-chan placed {
	if c.placing == nil {
		return nil
	}
	return c.placing.done
}

func (c *live) scriptDone() <-chan struct{} {
	if c.script == nil {
		return nil
	}
	return c.script.done
}

func (c *live) finished() bool {
	return c.r.State.Final() && c.leg == nil && c.placing == nil && c.script == nil && len(c.recs) == 0
}

// close frees what is left. The goroutine is about to end.
func (c *live) close() {
	stop(&c.ringTimer)
	stop(&c.limit)
	c.publish()
}

func stop(t **time.Timer) {
	if *t != nil {
		(*t).Stop()
		*t = nil
	}
}

// begin takes the first step: place the call, or look at the arriving leg.
func (c *live) begin(leg call.Leg) {
	if leg == nil {
		c.route()
		return
	}
	c.adopt(leg)
	c.apply(call.InDial)
	c.apply(call.InRing)
	if c.refuse != nil {
		c.endWith(call.EndedInput(*c.refuse), *c.refuse)
		c.hangup()
		return
	}
	if c.document == nil {
		// An application looks at the call: its caller hears that something happens.
		// A built-in document connects straight through and passes the callee's own
		// progress on instead.
		if err := leg.Progress(context.Background(), call.ProgressRinging); err != nil {
			c.note(call.EventWarning, "cannot tell the caller that it rings: "+err.Error())
		}
	}
	c.startScript(c.source, c.document)
}

// apply moves the state machine and does what it asks for.
func (c *live) apply(in call.Input) {
	before := c.r.State
	state, actions := call.Next(before, in)
	c.r.State = state
	now := c.e.cfg.Now()
	if state != before {
		c.r.Updated = now
		c.e.cfg.Logger.Info("call state", "call", c.id, "line", c.r.Line, "from", before.String(), "to", state.String(), "input", in.String())
	}
	if state.Final() && !before.Final() {
		c.r.Ended = &now
		if c.r.Cause == nil {
			c.r.Cause = c.cause
		}
	}
	c.publish() // a script that is about to be stopped looks at the state
	for _, a := range actions {
		c.act(a, now)
	}
}

func (c *live) act(a call.Action, now time.Time) {
	switch a {
	case call.DoTellInitiated:
		// A call that nobody waited for (arriving, or dialled by a parent) gets its
		// first record here.
		c.tell(call.EventInitiated, c.r.Direction != call.OutboundAPI)
	case call.DoTellRinging:
		c.r.Rang = &now
		c.tell(call.EventRinging, false)
		c.tellParent(childRings)
	case call.DoTellAnswered:
		c.r.Answered = &now
		c.tell(call.EventAnswered, true)
		close(c.up)
	case call.DoTellEnded:
		c.mediaStats()
		c.tell(call.EventEnded, true)
		c.publish()
		close(c.over)
		c.tellParent(childEnded)
	case call.DoStartRingTimer:
		c.ringTimer = time.NewTimer(c.ringTimeout)
	case call.DoStopTimers:
		stop(&c.ringTimer)
		stop(&c.limit)
	case call.DoStartTimeLimit:
		c.limit = time.NewTimer(c.timeLimit)
	case call.DoStartScript:
		c.onAnswered()
	case call.DoStopScript:
		c.next = nil
		if c.script != nil {
			c.script.cancel() // its last request has a bound of its own, script.PartingTime
		}
	case call.DoHangup:
		c.hangup()
	}
}

// onAnswered starts what waits for the answer.
func (c *live) onAnswered() {
	if c.record != nil {
		c.startRecording(*c.record)
	}
	switch {
	case c.script != nil: // an arriving call: its script did the answering
	case c.watch != nil:
		c.startScreen()
	default:
		c.startScript(c.source, c.document)
	}
}

// endWith ends the call with the box's own cause.
func (c *live) endWith(in call.Input, cause call.Cause) {
	if c.r.State.Final() {
		return
	}
	c.cause = &cause
	c.apply(in)
}

// end ends the call in any state; the cause decides the outcome when it was not
// answered.
func (c *live) end(cause call.Cause) {
	if c.r.State == call.InProgress {
		c.endWith(call.InComplete, cause)
		return
	}
	if c.dialled != nil && cause == call.NormalClearing(call.Script) {
		// The document is over without an answer: the caller learns why the Dial
		// that it waited for reached nobody.
		cause = *c.dialled
		cause.Who = call.Peer
	}
	c.endWith(call.EndedInput(cause), cause)
	c.hangup()
}

// hangup ends the leg, or stops the attempt that would make one.
func (c *live) hangup() {
	if c.placing != nil {
		c.placing.cancel()
	}
	if c.leg == nil {
		return
	}
	cause := call.NormalClearing(call.Box)
	if c.cause != nil {
		cause = *c.cause
	}
	c.leg.Hangup(cause)
}

// tell publishes a status event and journals it; keep also writes the record.
func (c *live) tell(t call.EventType, keep bool) {
	seq := c.r.Seq
	c.r.Seq++
	c.r.Updated = c.e.cfg.Now()
	c.publish()
	ev := call.Event{Type: t, Seq: seq, At: c.r.Updated, Record: c.snapshot()}
	c.e.cfg.Publisher.Publish(ev)
	c.e.cfg.Journal.Append(ev, keep)
}

// note publishes an event that no status hook is told of.
func (c *live) note(t call.EventType, text string) {
	if t == call.EventWarning && len(c.r.Warnings) < maxWarnings {
		c.r.Warnings = append(c.r.Warnings, text)
	}
	c.publish()
	c.e.cfg.Publisher.Publish(call.Event{Type: t, At: c.e.cfg.Now(), Record: c.snapshot(), Note: text})
}

// maxWarnings bounds Record.Warnings.
const maxWarnings = 20

// tellParent tells the Dial that made this call. Each kind of news is told once
// and the channel has room for all of them, so this never blocks, even when the
// Dial no longer listens.
func (c *live) tellParent(what childNews) {
	if c.watch != nil && !c.told[what] {
		c.told[what] = true
		c.watch <- childEvent{child: c, what: what}
	}
}

// mediaStats copies the leg's counters into the record.
func (c *live) mediaStats() {
	if m, ok := c.leg.(call.MediaReporter); ok {
		c.r.Media = m.MediaStats()
	}
}

// modify does a Change on the call's goroutine.
func (c *live) modify(ch call.Change) error {
	if c.r.State.Final() {
		return call.ErrEnded
	}
	if ch.Cancel && c.r.State == call.InProgress {
		return call.ErrWrongState
	}
	if ch.Script != nil && c.r.State != call.InProgress && c.r.Direction != call.Inbound {
		// Before the answer the new document simply takes the old one's place.
		c.source, c.document = *ch.Script, nil
	}
	if ch.Status != nil {
		c.r.Status = *ch.Status
	}
	if ch.TimeLimit != nil {
		c.timeLimit = c.e.limits.Load().answered(*ch.TimeLimit)
		if c.limit != nil && c.r.Answered != nil {
			c.limit.Reset(max(0, c.timeLimit-c.e.cfg.Now().Sub(*c.r.Answered)))
		}
	}
	if ch.Script != nil && (c.r.State == call.InProgress || c.r.Direction == call.Inbound) {
		c.redirect(*ch.Script)
	}
	switch {
	case ch.Cancel:
		c.endWith(call.InCancel, call.Cause{Q850: call.Q850Normal, SIP: 487, Who: call.API, Text: "canceled by request"})
	case ch.Complete:
		c.endWith(call.InComplete, call.Cause{Q850: call.Q850Normal, SIP: completeStatus(c.r.State), Who: call.API, Text: "ended by request"})
	}
	return nil
}

// completeStatus is the SIP status of an end by request: 487 cancels an
// unanswered leg, an answered one has no status.
func completeStatus(s call.State) int {
	if s == call.InProgress {
		return 0
	}
	return 487
}
