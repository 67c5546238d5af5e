package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"callbox/call"
	"callbox/call/room"
	"callbox/call/script"
)

// Engine owns the live calls. Its methods may be called from any goroutine.
type Engine struct {
	cfg    Config
	limits atomic.Pointer[Limits]
	rooms  *room.House

	mu       sync.Mutex // guards what follows
	calls    map[string]*live
	legs     map[call.Leg]*live        // whose call a leg is
	taped    map[string]*roomRecording // recordings of conferences that run, by id
	idem     map[string]chan struct{}  // account NUL value → closed when its Create is done
	stopping bool
	refused  refusals

	lostKeys, lostNotices atomic.Int64
	streams               streamCounters
	ended                 soundTotals // of legs that have ended; guarded by mu
	tasks                 tasks       // every call, and every goroutine that works for one
}

// refusals counts calls that were not admitted.
type refusals struct{ limit, backlog, stopping int }

// Stats are the engine's counters.
type Stats struct {
	Live            int // legs under control now
	RefusedLimit    int // refused because Limits.Calls was reached
	RefusedBacklog  int // refused because the disk was behind
	RefusedStopping int // refused during shutdown
	LostKeys        int // key presses that nobody took in time
	LostNotices     int // sequences of keys whose hook was too slow
}

// New makes an engine. It starts no goroutine until there is a call.
func New(cfg Config) (*Engine, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	e := &Engine{cfg: cfg, calls: map[string]*live{}, legs: map[call.Leg]*live{}, taped: map[string]*roomRecording{}, idem: map[string]chan struct{}{}}
	e.SetLimits(cfg.Limits)
	var err error
	if e.rooms, err = e.house(); err != nil {
		return nil, err
	}
	return e, nil
}

// Stats gives the counters.
func (e *Engine) Stats() Stats {
	e.mu.Lock()
	defer e.mu.Unlock()
	return Stats{Live: len(e.calls), RefusedLimit: e.refused.limit, RefusedBacklog: e.refused.backlog, RefusedStopping: e.refused.stopping, LostKeys: int(e.lostKeys.Load()), LostNotices: int(e.lostNotices.Load())}
}

// Create accepts a call, returns its record once that is on disk, and starts it.
// It refuses with call.ErrStopping, call.ErrLimit (wrapped), a *call.TollError or
// the journal's error; then nothing was created. With an Idempotency value that the account
// used before it returns that call and replayed is true.
func (e *Engine) Create(ctx context.Context, r call.Request) (rec call.Record, replayed bool, err error) {
	if r.Idempotency != "" {
		release, err := e.reserve(ctx, r.Account+"\x00"+r.Idempotency)
		if err != nil {
			return call.Record{}, false, err
		}
		defer release()
		if rec, ok := e.cfg.Journal.ByIdempotency(ctx, r.Account, r.Idempotency); ok {
			if c := e.find(rec.Account, rec.ID); c != nil {
				rec = c.snapshot()
			}
			return rec, true, nil
		}
	}
	c := e.outgoing(r)
	if err := e.tollFree(c); err != nil {
		return call.Record{}, false, err
	}
	if err := e.admit(c); err != nil {
		c.alertLimit(err)
		return call.Record{}, false, err
	}
	rec = c.snapshot()
	if err := e.write(ctx, rec); err != nil {
		e.remove(c)
		return call.Record{}, false, fmt.Errorf("write the new call: %w", err)
	}
	c.start(nil)
	return rec, false, nil
}

// createTime bounds the writing of a new call.
const createTime = 10 * time.Second

// write puts a new call's record on disk. It does not stop when the one who
// asked goes away: the record might reach the disk all the same, and nobody
// would ever end that call.
func (e *Engine) write(ctx context.Context, rec call.Record) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), createTime)
	defer cancel()
	err := e.cfg.Journal.Create(ctx, rec)
	if err == nil || ctx.Err() == nil {
		return err
	}
	// It may still be written: let its end follow. Nobody was told of the call, so
	// nobody is told of its end.
	now := e.cfg.Now()
	end := rec
	end.State, end.Ended, end.Updated, end.Status = call.Failed, &now, now, call.StatusHook{}
	end.Cause = &call.Cause{Q850: call.Q850Temporary, SIP: 503, Who: call.Box,
		Text: "the disk did not take the call within " + createTime.String() + "; it was refused"}
	e.cfg.Journal.Append(call.Event{Type: call.EventEnded, At: now, Record: &end}, true)
	return err
}

// reserve makes concurrent requests with the same idempotency value wait for
// the first of them, so that a retry never dials twice.
func (e *Engine) reserve(ctx context.Context, key string) (release func(), err error) {
	for {
		e.mu.Lock()
		busy, ok := e.idem[key]
		if !ok {
			done := make(chan struct{})
			e.idem[key] = done
			e.mu.Unlock()
			return func() {
				e.mu.Lock()
				delete(e.idem, key)
				e.mu.Unlock()
				close(done)
			}, nil
		}
		e.mu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Incoming takes a leg that arrived on a line (call.Receiver).
func (e *Engine) Incoming(leg call.Leg) {
	info := leg.Info()
	if info.Replaces != nil {
		e.replacing(leg, info)
		return
	}
	plan := e.cfg.Inbound.Plan(info)
	if plan.Refuse != nil && plan.Account == "" {
		e.turnAway(leg, *plan.Refuse)
		return
	}
	e.receive(leg, e.arriving(info, plan))
}

// receive starts the call of a leg that arrived.
func (e *Engine) receive(leg call.Leg, c *live) {
	if err := e.admit(c); err != nil {
		c.alertLimit(err)
		e.turnAway(leg, call.Cause{Q850: call.Q850Congestion, SIP: 503, Who: call.Box, Text: err.Error()})
		return
	}
	c.start(leg)
}

// alertLimit tells that a call was refused because there are too many.
func (c *live) alertLimit(err error) {
	if errors.Is(err, call.ErrLimit) {
		c.alert(call.AlertLimit, err.Error())
	}
}

// turnAway ends a leg that never becomes a call.
func (e *Engine) turnAway(leg call.Leg, cause call.Cause) {
	e.cfg.Logger.Info("arriving call refused", "line", leg.Info().Line, "err", cause.Error())
	e.dispose(leg, cause)
}

// admit enters the call into the table, or says why not.
func (e *Engine) admit(c *live) error {
	backlog, most := e.cfg.Journal.Backlog(), e.limits.Load().Calls
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.stopping:
		e.refused.stopping++
		return call.ErrStopping
	case len(e.calls) >= most:
		e.refused.limit++
		return fmt.Errorf("%w: %d of %d are in use; try again when one has ended", call.ErrLimit, len(e.calls), most)
	case backlog >= e.cfg.MaxBacklog:
		e.refused.backlog++
		return fmt.Errorf("%w: the disk is %d records behind; check the storage alarm", call.ErrLimit, backlog)
	}
	if _, ok := e.calls[c.id]; ok {
		return fmt.Errorf("a call with the id %s exists already", c.id)
	}
	e.calls[c.id] = c
	e.tasks.add()
	return nil
}

// remove takes an ended call, or one that never started, out of the table.
func (e *Engine) remove(c *live) {
	e.mu.Lock()
	delete(e.calls, c.id)
	e.mu.Unlock()
	close(c.gone)
	e.tasks.done()
}

// find gives a live call of the account, nil when there is none.
func (e *Engine) find(account, id string) *live {
	e.mu.Lock()
	defer e.mu.Unlock()
	if c := e.calls[id]; c != nil && c.account == account && !c.deleted.Load() {
		return c
	}
	return nil
}

// Call gives one call's record, live or remembered; call.ErrNotFound.
func (e *Engine) Call(ctx context.Context, account, id string) (call.Record, error) {
	if c := e.find(account, id); c != nil {
		return c.snapshot(), nil
	}
	return e.cfg.Journal.Call(ctx, account, id)
}

// Modify changes a live call. call.ErrNotFound, call.ErrEnded, or
// call.ErrWrongState when a cancel meets an answered call, and when there is no
// Child, no conference for a Participant, no stream, no recording, or no answer yet
// where there must be sound; then nothing is done.
func (e *Engine) Modify(ctx context.Context, account, id string, ch call.Change) (call.Record, error) {
	c := e.find(account, id)
	if c == nil {
		rec, err := e.cfg.Journal.Call(ctx, account, id)
		if err != nil {
			return call.Record{}, err
		}
		return rec, call.ErrEnded
	}
	if err := c.changeElsewhere(ctx, ch); err != nil {
		return c.snapshot(), err
	}
	var rec call.Record
	var err error
	if !c.do(ctx, func() { err = c.modify(ch); rec = c.snapshot() }) {
		if ctx.Err() != nil {
			return call.Record{}, ctx.Err()
		}
		return c.snapshot(), call.ErrEnded
	}
	return rec, err
}

// changeElsewhere does the parts of a Change that cannot be done on the call's
// goroutine alone, because others are asked.
func (c *live) changeElsewhere(ctx context.Context, ch call.Change) error {
	if ch.Child != nil {
		if err := c.e.redirectChild(ctx, c, *ch.Child); err != nil && !(ch.AnyChild && errors.Is(err, call.ErrWrongState)) {
			return err
		}
	}
	if ch.Participant != nil {
		if err := c.e.changeParticipant(ctx, c, *ch.Participant); err != nil {
			return err
		}
	}
	if ch.Recording != nil {
		_, err := c.changeRecording(ctx, *ch.Recording)
		if errors.Is(err, call.ErrNotFound) {
			err = fmt.Errorf("%w: it is not being recorded", call.ErrWrongState)
		}
		if err != nil {
			return err
		}
	}
	if ch.Streams != nil {
		return control{c: c}.ask(ctx, func() error { return c.changeStreams(*ch.Streams) })
	}
	return nil
}

// redirectChild gives the party that a Dial has connected with c a document of
// its own; call.ErrWrongState when there is none.
func (e *Engine) redirectChild(ctx context.Context, c *live, src call.ScriptSource) error {
	var child *live
	c.do(ctx, func() {
		if c.link != nil && c.link.mine {
			child = c.link.b.b
		}
	})
	done := child != nil && child.do(ctx, func() {
		if child.link != nil && !child.r.State.Final() {
			child.redirect(src)
		} else {
			child = nil
		}
	})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case !done || child == nil:
		return fmt.Errorf("%w: no other party is connected to it", call.ErrWrongState)
	}
	return nil
}

// Delete forgets an ended call; call.ErrNotEnded while it is live. What is left
// of it, a leg or a recording on its way down, no longer brings it back.
func (e *Engine) Delete(ctx context.Context, account, id string) error {
	c := e.find(account, id)
	if c == nil {
		return e.cfg.Journal.Delete(ctx, account, id)
	}
	final := true
	c.do(ctx, func() {
		if final = c.r.State.Final(); final {
			c.tellEnd() // the record must be written before it can be deleted
			c.deleted.Store(true)
		}
	})
	if err := ctx.Err(); err != nil {
		return err
	}
	if !final {
		return call.ErrNotEnded
	}
	return e.cfg.Journal.Delete(ctx, account, id)
}

// lastPatience is how long Shutdown waits for what it has ended: a leg's 10 s,
// the last request of a script, and a little.
const lastPatience = script.PartingTime + legPatience + 5*time.Second

// Shutdown refuses new calls from now on, lets the live ones go on until ctx
// ends, then ends them and waits until all are gone. Each has its bounds; if
// something passes them all the same, Shutdown says so in the log and returns.
func (e *Engine) Shutdown(ctx context.Context) {
	e.mu.Lock()
	e.stopping = true
	e.mu.Unlock()
	idle := e.tasks.idle()
	select {
	case <-idle:
		return
	case <-ctx.Done():
	}
	cause := call.Cause{Q850: call.Q850Temporary, SIP: 503, Who: call.Box, Text: "the gateway is shutting down"}
	for _, c := range e.all() {
		e.tasks.Go(func() { c.do(context.Background(), func() { c.end(cause) }) })
	}
	t := time.NewTimer(lastPatience)
	defer t.Stop()
	select {
	case <-idle:
	case <-t.C:
		var ids []string
		for _, c := range e.all() {
			ids = append(ids, c.id)
		}
		e.cfg.Logger.Error("something does not end; the gateway stops without it", "calls", ids)
	}
}

// outgoing makes the call of a request.
func (e *Engine) outgoing(r call.Request) *live {
	if r.ID == "" {
		r.ID = e.cfg.NewID(r.API, "call")
	}
	c := e.newLive(&call.Record{
		ID: r.ID, API: r.API, Account: r.Account, Direction: call.OutboundAPI,
		From: r.From, To: r.To, Application: r.Application, Status: r.Status,
		Session: r.Session, Reason: r.Reason, AMD: r.AMD, Idempotency: r.Idempotency,
		Warnings: slices.Clone(r.Warnings),
	})
	c.source = r.Script
	c.target = script.Target{Kind: kindOf(r.To), To: strings.TrimPrefix(r.To, "client:"), Line: r.Line,
		Auth: r.Auth, Headers: r.Headers, SIP: r.SIP}
	c.callerID, c.callerName = r.CallerID, r.CallerName
	limits := e.limits.Load()
	c.ringTimeout = limits.ring(r.RingTimeout, 60*time.Second)
	c.timeLimit = limits.answered(r.TimeLimit)
	c.sendDigits = r.SendDigits
	c.record = r.Record
	return c
}

// arriving makes the call of an arriving leg.
func (e *Engine) arriving(info call.LegInfo, p Plan) *live {
	if p.From != "" {
		info.From = p.From
	}
	if p.FromName != "" {
		info.FromName = p.FromName
	}
	c := e.newLive(&call.Record{
		ID: e.cfg.NewID(p.API, "call"), API: p.API, Account: p.Account, Direction: call.Inbound,
		From: info.From, To: info.To, CallerName: info.FromName, Forwarded: info.Forwarded,
		Application: p.Application, Session: p.Session, Status: p.Status, Line: info.Line, Route: p.Why,
		SIPCallID: info.CallID, Remote: info.Remote, Headers: info.Headers,
	})
	c.asserted, c.private = info.Asserted, info.Private
	c.source = p.Script
	c.document = p.Document
	c.refuse = p.Refuse
	c.ringTimeout = 5 * time.Minute // an unanswered arriving call does not stay for ever
	c.timeLimit = e.limits.Load().answered(0)
	return c
}

func orDefault(d, def time.Duration) time.Duration {
	if d <= 0 {
		return def
	}
	return d
}

// kindOf tells what a Create Call's To names.
func kindOf(to string) script.TargetKind {
	switch {
	case strings.HasPrefix(to, "sip:"), strings.HasPrefix(to, "sips:"):
		return script.ToSIP
	case strings.HasPrefix(to, "client:"):
		return script.ToUser
	}
	return script.ToNumber
}
