package engine

import (
	"context"
	"fmt"
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

	inbox   chan func()                 // functions to run on the call's goroutine
	gone    chan struct{}               // closed when that goroutine has ended, or will never start
	up      chan struct{}               // closed when the call is answered
	over    chan struct{}               // closed when the call is final
	rec     atomic.Pointer[call.Record] // latest snapshot
	deleted atomic.Bool                 // forgotten by request; set after the call was final
	// sounding is the leg and its session, for those who ask how it sounds; nil
	// without a leg. Only run writes it.
	sounding atomic.Pointer[sounding]
	keys     *keys // pressed digits, for the script

	// Owned by run, or by the maker until start.
	r           call.Record
	source      call.ScriptSource
	document    *script.Document
	target      script.Target
	refuse      *call.Cause
	callerID    string
	callerName  string
	forwarded   string // the number that sent this call on
	asserted    string // see call.Dial
	private     bool
	codecs      []string
	pass        bool // those that the box does not understand are welcome too
	ringTimeout time.Duration
	timeLimit   time.Duration
	sendDigits  string
	announce    bool // tell the caller that it rings, before the script
	record      *call.RecordOptions
	speech      call.Speech // Session.Speech when the call began
	watch       *news       // of the Dial that made this call; nil without one, or when the call has left it

	way       Route
	attempt   int        // index into way.Attempts
	onward    onward     // where it was sent on to
	met       call.Party // whom its far end was told that it speaks to
	placing   *placing   // an attempt that is being started
	leg       call.Leg
	legEvents <-chan *call.LegEvent // nil when the leg has ended
	early     bool                  // this leg sent sound before the answer
	opened    bool                  // the arriving leg's sound was opened before the answer
	tones     bool                  // the leg could not send digits outside the sound
	sess      *session.Session
	cause     *call.Cause // why we are ending the leg ourselves
	passed    *call.Cause // why this leg ends for the next attempt; nil: it does not
	timers    timers
	because   string // begins the reason of its route
	origin    string // the line that its parent came from, for the toll guards
	script    *running
	manners   script.Manners         // what its documents have set for those that follow
	next      *successor             // to run when the present script has gone
	ready     bool                   // a child that its Dial may connect
	link      *link                  // set while a Dial has connected this call with another
	dialled   *call.Cause            // why the last Dial connected nobody
	gave      *call.Cause            // why it ends: its partner was transferred
	promised  call.TransferReply     // of a transfer that the application carries out by itself; nil: none
	away      bool                   // a child that is on its way to another party, see moving
	refused   script.Refusal         // why the box itself does not place it
	instead   *live                  // whose place this arriving call takes; nil: nobody's
	scribe    *scribe                // the call's transcription; nil: none
	notified  func(*call.SIPMessage) // takes requests of the far end first; nil: nobody does
	recording recordings
	beside    beside
	streams   streams
	ear       *ear // answering machine detection, while it runs
	ending    ending
}

// timers are what may happen to a call by itself; nil when they do not run.
type timers struct {
	toll *time.Timer // look again whether the guards let it go on
	ring *time.Timer // nobody answers
	// attempt: the present line was rung long enough, the next one is tried
	attempt *time.Timer
	limit   *time.Timer // answered for as long as it may
	leg     *time.Timer // a leg that was hung up does not end
	end     *time.Timer // a recording is not whole
}

// ending is how far the end of a call has been told.
type ending struct {
	told    bool // the final event is out: nothing follows but recordings'
	amended bool // the record has changed since
	locked  bool // it was told that the far end's sound could not be opened
}

// newLive makes a call that begins with r, which it completes.
func (e *Engine) newLive(r *call.Record) *live {
	now := e.cfg.Now()
	r.State, r.Created, r.Updated = call.Queued, now, now
	c := &live{
		e: e, id: r.ID, account: r.Account, r: *r, speech: r.Session.Speech,
		inbox: make(chan func()), gone: make(chan struct{}), up: make(chan struct{}), over: make(chan struct{}),
		keys: newKeys(&e.lostKeys),
	}
	c.publish()
	return c
}

// publish makes the present record the snapshot that others read. Its slices
// are only ever appended to, so they are shared, but without room to append.
func (c *live) publish() {
	r := c.r
	r.Recordings = r.Recordings[:len(r.Recordings):len(r.Recordings)]
	r.Warnings = r.Warnings[:len(r.Warnings):len(r.Warnings)]
	c.rec.Store(&r)
}

// snapshot is the present record, with the counters of this moment.
func (c *live) snapshot() call.Record {
	r := *c.rec.Load()
	if s := c.sounding.Load(); s != nil && !r.State.Final() {
		r.Media, r.Quality = s.media(), s.quality()
	}
	return r
}

// do runs f on the call's goroutine and waits for it. It reports false, and f
// did not run, when the call's goroutine has ended or ctx ended first. It must
// not be used by anything that the call's goroutine waits for.
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

// start begins the life of an admitted call; leg is the arriving one, nil for a
// call to be placed.
func (c *live) start(leg call.Leg) {
	go c.run(leg) // counted from admit to remove
}

// run is the call's goroutine: it ends when the call is final and has been told
// so, its leg is down, its script has gone and its recordings are whole.
func (c *live) run(leg call.Leg) {
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
		case <-c.scriptDone():
			c.onScriptDone()
		case ev := <-c.findings():
			c.onFinding(ev)
		case <-fired(c.timers.ring):
			c.timers.ring = nil
			c.endWith(call.InRingTimeout, call.Cause{Q850: call.Q850NoAnswer, SIP: c.unansweredStatus(), Who: call.Box,
				Text: "nobody answered within " + c.ringTimeout.String()})
		case <-fired(c.timers.attempt):
			c.timers.attempt = nil
			c.nextAttempt()
		case <-fired(c.timers.limit):
			c.timers.limit = nil
			c.endWith(call.InTimeLimit, call.Cause{Q850: call.Q850Normal, Who: call.Box,
				Text: "the call reached its time limit of " + c.timeLimit.String()})
		case <-fired(c.timers.toll):
			c.timers.toll = nil
			c.tollAgain()
		case <-fired(c.timers.leg):
			c.timers.leg = nil
			c.abandonLeg()
		case <-fired(c.timers.end):
			c.timers.end = nil
			c.tellEnd()
		}
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

func stop(t **time.Timer) {
	if *t != nil {
		(*t).Stop()
		*t = nil
	}
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
	return c.ending.told && c.leg == nil && c.script == nil && len(c.recording.running) == 0 && len(c.streams.running) == 0
}

// close frees what is left. The goroutine is about to end.
func (c *live) close() {
	stop(&c.timers.ring)
	stop(&c.timers.attempt)
	stop(&c.timers.limit)
	stop(&c.timers.leg)
	stop(&c.timers.end)
	if c.placing != nil {
		c.placing.drop(c.why())
	}
	c.amend()
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
	if c.instead != nil {
		c.runScript(c.takePlace)
		return
	}
	// An application looks at the call: its caller hears that something happens.
	// A built-in document connects straight through and passes the callee's own
	// progress on instead.
	c.announce = c.document == nil
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
		if c.r.State != state {
			return // an action has ended the call: what would follow no longer counts
		}
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
	case call.DoTellAnswered:
		c.r.Answered = &now
		c.tell(call.EventAnswered, true)
		close(c.up)
		c.tollAnswered()
	case call.DoTellEnded:
		c.tollEnd()
		c.onFinal()
	case call.DoStartRingTimer:
		c.timers.ring = time.NewTimer(c.ringTimeout)
	case call.DoStopTimers:
		stop(&c.timers.ring)
		stop(&c.timers.attempt)
		stop(&c.timers.limit)
	case call.DoStartTimeLimit:
		c.timers.limit = time.NewTimer(c.timeLimit)
	case call.DoStartScript:
		c.onAnswered()
	case call.DoStopScript:
		c.dropNext()
		if c.script != nil {
			c.script.cancel() // its last request has a bound of its own, script.PartingTime
		}
	case call.DoHangup:
		c.hangup()
	}
}

// onAnswered starts what waits for the answer.
func (c *live) onAnswered() {
	c.recordCall()
	held := false
	if c.r.AMD != nil && c.sess != nil {
		held = !c.r.AMD.Async && c.watch == nil && c.script == nil
		c.detect(held, true)
	}
	switch {
	case c.script != nil: // an arriving call: its script did the answering
	case c.watch != nil:
		c.startScreen()
	case held: // onFinding starts it
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
		if cause.SIP == 487 { // our own cancel of the callee is not the caller's affair
			cause.SIP = 0
		}
	}
	c.endWith(call.EndedInput(cause), cause)
	c.hangup()
}

// unansweredStatus is the SIP status that ends an unanswered leg without a
// reason of the far end: 487 for the cancel that the box sends, 480 for the
// caller that it turns away.
func (c *live) unansweredStatus() int {
	if c.r.Direction == call.Inbound {
		return 480
	}
	return 487
}

// resetSpeech brings back parts of what the call began with.
func (c *live) resetSpeech(voice, ears bool) {
	v, e := c.r.Session.Speech.Split()
	first, second := c.speech.Split()
	if voice {
		v = first
	}
	if ears {
		e = second
	}
	c.r.Session.Speech = v.With(e)
}

// modify does a Change on the call's goroutine.
func (c *live) modify(ch call.Change) error {
	if c.r.State.Final() {
		return call.ErrEnded
	}
	if ch.Cancel && c.r.State == call.InProgress {
		return call.ErrWrongState
	}
	if err := c.mayChangeSound(ch); err != nil {
		return err
	}
	if ch.Path != "" {
		if err := c.setPath(ch.Path); err != nil {
			return err
		}
	}
	if ch.Tag != nil {
		c.r.Session.Tag = *ch.Tag
	}
	c.resetSpeech(ch.ResetVoice, ch.ResetRecognizer)
	if ch.Speech != nil {
		c.r.Session.Speech = c.r.Session.Speech.With(*ch.Speech)
	}
	if ch.Transcribe != nil {
		c.transcribe(*ch.Transcribe)
	}
	if ch.TranscribePaused != nil {
		if c.scribe == nil {
			return fmt.Errorf("%w: it is not being transcribed", call.ErrWrongState)
		}
		c.scribe.paused.Store(*ch.TranscribePaused)
	}
	if ch.AMD != nil {
		c.r.AMD = ch.AMD
		if c.r.State == call.InProgress && c.sess != nil {
			c.deafen()
			c.detect(false, false)
		}
	}
	if ch.HoldMusic != nil {
		c.r.Session.HoldMusic = *ch.HoldMusic
	}
	if ch.Notify != nil {
		c.r.Session.Notify = *ch.Notify
	}
	if ch.Transfers != nil {
		c.r.Session.Transfers = *ch.Transfers
	}
	if ch.Messages != nil {
		c.r.Session.Messages = *ch.Messages
	}
	if ch.Status != nil {
		c.r.Status = *ch.Status
	}
	if ch.TimeLimit != nil {
		c.timeLimit = c.e.limits.Load().answered(*ch.TimeLimit)
		if c.timers.limit != nil && c.r.Answered != nil {
			c.timers.limit.Reset(max(0, c.timeLimit-c.e.cfg.Now().Sub(*c.r.Answered)))
		}
	}
	c.r.Updated = c.e.cfg.Now()
	c.publish()
	c.changeSound(ch)
	c.adorn(ch.Ringing, ch.Ending)
	if ch.Script != nil {
		c.redirect(*ch.Script)
	}
	cause := call.Cause{Q850: call.Q850Normal, Who: call.API, Text: "ended by request"}
	if c.r.State != call.InProgress {
		cause.SIP = c.unansweredStatus()
	}
	switch {
	case ch.Cancel:
		cause.Text = "canceled by request"
		c.endWith(call.InCancel, cause)
	case ch.Complete:
		c.endWith(call.InComplete, cause)
	}
	return nil
}
