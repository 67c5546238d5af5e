package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"callbox/call"
	"callbox/call/script"
)

// Engine owns the live calls. Its methods may be called from any goroutine.
type Engine struct {
	cfg    Config
	limits atomic.Pointer[Limits]

	mu       sync.Mutex // guards what follows
	calls    map[string]*live
	idem     map[string]chan struct{} // account NUL value → closed when its Create is done
	stopping bool
	idle     chan struct{} // closed when stopping and no call is left; nil before

	refused refusals

	wg sync.WaitGroup // every goroutine of the engine: calls, scripts, drains
}

// refusals counts calls that were not admitted.
type refusals struct{ limit, backlog, stopping int }

// Stats are the engine's counters.
type Stats struct {
	Live            int // legs under control now
	RefusedLimit    int // refused because Limits.Calls was reached
	RefusedBacklog  int // refused because the disk was behind
	RefusedStopping int // refused during shutdown
}

// New makes an engine. It starts no goroutine until there is a call.
func New(cfg Config) (*Engine, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	e := &Engine{cfg: cfg, calls: map[string]*live{}, idem: map[string]chan struct{}{}}
	e.SetLimits(cfg.Limits)
	return e, nil
}

// Stats gives the counters.
func (e *Engine) Stats() Stats {
	e.mu.Lock()
	defer e.mu.Unlock()
	return Stats{Live: len(e.calls), RefusedLimit: e.refused.limit, RefusedBacklog: e.refused.backlog, RefusedStopping: e.refused.stopping}
}

// Create accepts a call, returns its record once that is on disk, and starts it.
// It refuses with call.ErrStopping, call.ErrLimit (wrapped) or the journal's
// error; then nothing was created. With an Idempotency value that the account
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
	if err := e.admit(c); err != nil {
		return call.Record{}, false, err
	}
	rec = c.snapshot()
	if err := e.cfg.Journal.Create(ctx, rec); err != nil {
		e.remove(c)
		return call.Record{}, false, fmt.Errorf("write the new call: %w", err)
	}
	c.start(nil)
	return rec, false, nil
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
	plan := e.cfg.Inbound.Plan(info)
	if plan.Refuse != nil && plan.Account == "" {
		e.turnAway(leg, *plan.Refuse)
		return
	}
	c := e.arriving(info, plan)
	if err := e.admit(c); err != nil {
		e.turnAway(leg, call.Cause{Q850: call.Q850Congestion, SIP: 503, Who: call.Box, Text: err.Error()})
		return
	}
	c.start(leg)
}

// turnAway ends a leg that never becomes a call.
func (e *Engine) turnAway(leg call.Leg, cause call.Cause) {
	info := leg.Info()
	e.cfg.Logger.Info("arriving call refused", "line", info.Line, "err", cause.Error())
	leg.Hangup(cause)
	// The leg ends within its own bound and closes its events; nobody else reads them.
	e.wg.Go(func() {
		for range leg.Events() { //nolint:revive // drained on purpose
		}
	})
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
	return nil
}

// remove takes an ended call out of the table.
func (e *Engine) remove(c *live) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.calls, c.id)
	if e.stopping && len(e.calls) == 0 && e.idle != nil {
		close(e.idle)
		e.idle = nil
	}
}

// find gives a live call of the account, nil when there is none.
func (e *Engine) find(account, id string) *live {
	e.mu.Lock()
	defer e.mu.Unlock()
	if c := e.calls[id]; c != nil && c.account == account {
		return c
	}
	return nil
}

// live lists the live calls.
func (e *Engine) all() []*live {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := make([]*live, 0, len(e.calls))
	for _, c := range e.calls {
		out = append(out, c)
	}
	return out
}

// Call gives one call's record, live or remembered; call.ErrNotFound.
func (e *Engine) Call(ctx context.Context, account, id string) (call.Record, error) {
	if c := e.find(account, id); c != nil {
		return c.snapshot(), nil
	}
	return e.cfg.Journal.Call(ctx, account, id)
}

// Calls lists records, newest first. What is in memory is fresher than what is
// on disk, so live records replace stored ones, and a filter for a state that
// is not final looks at the live calls only.
func (e *Engine) Calls(ctx context.Context, f call.Filter) (call.Page, error) {
	if f.State != nil && !f.State.Final() {
		return e.liveCalls(f), nil
	}
	p, err := e.cfg.Journal.Calls(ctx, f)
	if err != nil {
		return p, err
	}
	for i := range p.Records {
		if c := e.find(p.Records[i].Account, p.Records[i].ID); c != nil {
			p.Records[i] = c.snapshot()
		}
	}
	return p, nil
}

// liveCalls lists calls that are not final. There are at most Limits.Calls, all
// given in one page.
func (e *Engine) liveCalls(f call.Filter) call.Page {
	var p call.Page
	for _, c := range e.all() {
		r := c.snapshot()
		// "dialing" is "queued" for the APIs, see call.State.String.
		same := r.State == *f.State || (*f.State == call.Queued && r.State == call.Dialing)
		if same && matches(r, f) {
			p.Records = append(p.Records, r)
		}
	}
	slices.SortFunc(p.Records, func(a, b call.Record) int {
		if d := b.Created.Compare(a.Created); d != 0 {
			return d
		}
		return strings.Compare(b.ID, a.ID)
	})
	return p
}

func matches(r call.Record, f call.Filter) bool {
	if f.Account != "" && r.Account != f.Account || f.From != "" && r.From != f.From ||
		f.To != "" && r.To != f.To || f.Parent != "" && r.Parent != f.Parent {
		return false
	}
	return within(r.Started, f.StartedAfter, f.StartedUntil) && within(r.Ended, f.EndedAfter, f.EndedUntil)
}

func within(t *time.Time, from, until time.Time) bool {
	if from.IsZero() && until.IsZero() {
		return true
	}
	return t != nil && (from.IsZero() || !t.Before(from)) && (until.IsZero() || !t.After(until))
}

// Modify changes a live call. call.ErrNotFound, call.ErrEnded, or
// call.ErrWrongState when a cancel meets an answered call.
func (e *Engine) Modify(ctx context.Context, account, id string, ch call.Change) (call.Record, error) {
	c := e.find(account, id)
	if c == nil {
		rec, err := e.cfg.Journal.Call(ctx, account, id)
		if err != nil {
			return call.Record{}, err
		}
		return rec, call.ErrEnded
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

// Delete forgets an ended call; call.ErrNotEnded while it is live.
func (e *Engine) Delete(ctx context.Context, account, id string) error {
	if c := e.find(account, id); c != nil && !c.snapshot().State.Final() {
		return call.ErrNotEnded
	}
	return e.cfg.Journal.Delete(ctx, account, id)
}

// Shutdown refuses new calls from now on, lets the live ones go on until ctx
// ends, then ends them and waits until all are gone (each within its own bound,
// script.PartingTime at worst).
func (e *Engine) Shutdown(ctx context.Context) {
	e.mu.Lock()
	e.stopping = true
	var idle chan struct{}
	if len(e.calls) > 0 {
		if e.idle == nil {
			e.idle = make(chan struct{})
		}
		idle = e.idle
	}
	e.mu.Unlock()
	if idle == nil {
		e.wg.Wait()
		return
	}
	select {
	case <-idle:
		e.wg.Wait()
		return
	case <-ctx.Done():
	}
	cause := call.Cause{Q850: call.Q850Temporary, SIP: 503, Who: call.Box, Text: "the gateway is shutting down"}
	for _, c := range e.all() {
		c.do(context.Background(), func() { c.end(cause) })
	}
	<-idle
	e.wg.Wait()
}

// outgoing makes the call of a request.
func (e *Engine) outgoing(r call.Request) *live {
	if r.ID == "" {
		r.ID = e.cfg.NewID(r.API, "call")
	}
	c := e.newLive(call.Record{
		ID: r.ID, API: r.API, Account: r.Account, Direction: call.OutboundAPI,
		From: r.From, To: r.To, Application: r.Application, Status: r.Status,
		Reason: r.Reason, AMD: r.AMD, Idempotency: r.Idempotency,
	})
	c.source = r.Script
	c.target = script.Target{Kind: kindOf(r.To), To: strings.TrimPrefix(r.To, "client:"), Line: r.Line, Auth: r.Auth, Headers: r.Headers}
	c.callerID = r.CallerID
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
	c := e.newLive(call.Record{
		ID: e.cfg.NewID(p.API, "call"), API: p.API, Account: p.Account, Direction: call.Inbound,
		From: info.From, To: info.To, CallerName: info.FromName, Forwarded: info.Forwarded,
		Application: p.Application, Status: p.Status, Line: info.Line, Route: p.Why,
		SIPCallID: info.CallID, Remote: info.Remote, Headers: info.Headers,
	})
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
