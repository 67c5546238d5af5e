package room

import (
	"context"
	"time"

	"callbox/call"
	"callbox/call/script"
)

// Enqueue lets party wait in a queue, see script.Rooms.
func (h *House) Enqueue(ctx context.Context, party Party, e script.Enqueue) (res script.QueueResult, err error) {
	rec := party.Env().Control.Record()
	q, err := h.queueNamed(rec.Account, rec.API, e.Name)
	if err != nil {
		return res, err
	}
	w := &waiter{id: rec.ID, party: party, priority: e.Priority, since: h.cfg.Now(), deals: make(chan *deal, 1)}
	h.mu.Lock()
	limit := q.q.Max
	if e.Max > 0 {
		limit = min(limit, e.Max)
	}
	if len(q.waiting) >= limit {
		h.mu.Unlock()
		res.Outcome = call.QueueFull
		return res, nil
	}
	res.Queue, res.Name = q.q.ID, q.q.Name
	q.arrived++
	w.arrival = q.arrived
	q.insert(w)
	h.mu.Unlock()
	h.tellQueue(call.EventQueueJoin, q, w, nil)
	for {
		var d *deal
		d, res.Outcome, err = h.await(ctx, party, q, w, e.Wait)
		h.tellQueue(call.EventQueueLeave, q, w, d)
		if d == nil {
			res.Waited = h.cfg.Now().Sub(w.since)
			return res, err
		}
		res.Waited = h.cfg.Now().Sub(w.since)
		res.Peer = d.peer
		var met bool
		if met, err = h.serve(ctx, party, q, w, d); met || err != nil {
			res.Outcome = h.outcome(party, met, err)
			return res, err
		}
		// Whoever wanted the call has gone: it goes back to its place.
		res.Peer = ""
		h.mu.Lock()
		q.insert(w)
		h.mu.Unlock()
		h.tellQueue(call.EventQueueJoin, q, w, nil)
	}
}

// tellQueue tells that a call has come into a queue or left it, for d if that is
// not nil.
func (h *House) tellQueue(t call.EventType, q *queue, w *waiter, d *deal) {
	h.mu.Lock()
	news := call.QueueNews{Queue: q.see(), Joined: w.since}
	h.mu.Unlock()
	if d != nil {
		news.Taken, news.By = true, d.peer
	}
	h.cfg.Tell(call.Event{Type: t, At: h.cfg.Now(), Record: w.party.Env().Control.Record(), Queue: &news})
}

// outcome is how a call left that had been taken from the queue.
func (h *House) outcome(party Party, met bool, err error) call.QueueOutcome {
	final := party.Env().Control.Record().State.Final()
	switch {
	case err == nil || met && final:
		return call.QueueBridged
	case final:
		return call.QueueHangup
	case met:
		return call.QueueTakenAway
	}
	return call.QueueRedirected
}

// await entertains a waiting call until it is wanted, or leaves.
func (h *House) await(ctx context.Context, party Party, q *queue, w *waiter, sound call.WaitSound) (*deal, call.QueueOutcome, error) {
	env := party.Env()
	wctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	h.cfg.Go(func() { // ended by cancel, waited for through done
		done <- h.entertain(wctx, env, sound, func() *script.Result {
			n, v := h.position(q, w)
			return &script.Result{Verb: "wait", Waiting: &script.Waiting{Queue: v, Position: n, Waited: h.cfg.Now().Sub(w.since)}}
		})
	})
	var err error
	select {
	case d := <-w.deals:
		cancel()
		<-done
		return d, "", nil
	case err = <-done:
		cancel()
	case <-ctx.Done():
		cancel()
		<-done
		err = ctx.Err()
	}
	if !h.withdraw(q, w) {
		d := <-w.deals
		if script.Left(err) { // too late: somebody has it already
			return d, "", nil
		}
		close(d.gone)
	}
	switch {
	case script.Left(err):
		return nil, call.QueueLeave, nil
	case env.Control.Record().State.Final(), ended(err):
		return nil, call.QueueHangup, err
	}
	return nil, call.QueueRedirected, err
}

// serve prepares a call that is wanted, and waits until its connection is over.
// Not met and no error: it will not be connected.
func (h *House) serve(ctx context.Context, party Party, q *queue, w *waiter, d *deal) (met bool, err error) {
	if !d.ask.IsZero() {
		_, v := h.position(q, w)
		env := party.Env()
		err = script.Runner{}.Aside(ctx, env, d.ask, &script.Result{Verb: "notice",
			Waiting: &script.Waiting{Queue: v, Waited: h.cfg.Now().Sub(w.since), Peer: d.peer}})
		if err != nil && over(ctx, err) {
			close(d.gone)
			return false, err
		}
		if err != nil {
			env.Tell(call.EventWarning, "the document before the connection failed: "+err.Error())
		}
	}
	close(d.ready)
	select {
	case <-d.done:
	case <-ctx.Done():
		close(d.gone)
		<-d.done // the sound is then separated
		err = ctx.Err()
	}
	select {
	case <-d.met:
		met = true
	default:
	}
	return met, err
}

// Dequeue connects party with a call of a queue, see script.Rooms.
func (h *House) Dequeue(ctx context.Context, party Party, dq script.Dequeue) (res script.DequeueResult, err error) {
	env := party.Env()
	rec := env.Control.Record()
	q, err := h.queueNamed(rec.Account, rec.API, dq.Name)
	if err != nil {
		return res, err
	}
	res.Queue = q.q.ID
	var late <-chan time.Time
	if dq.Timeout > 0 {
		t := time.NewTimer(dq.Timeout)
		defer t.Stop()
		late = t.C
	}
	for {
		d := &deal{only: dq.Call, peer: rec.ID, ask: dq.Notice, got: make(chan *waiter, 1), ready: make(chan struct{}),
			gone: make(chan struct{}), met: make(chan struct{}), done: make(chan struct{})}
		h.mu.Lock()
		q.wanting = append(q.wanting, d)
		q.match()
		h.mu.Unlock()
		var w *waiter
		select {
		case w = <-d.got:
		case <-late:
			res.Timeout, res.State = true, call.NoAnswer
			res.Cause = call.Cause{Q850: call.Q850NoAnswer, SIP: 480, Who: call.Box, Text: "nobody was waiting in the queue " + dq.Name}
			h.giveUp(q, d)
			return res, nil
		case <-ctx.Done():
			h.giveUp(q, d)
			return res, ctx.Err()
		}
		if !closed(ctx, d.ready, d.gone) {
			close(d.done)
			if ctx.Err() != nil {
				return res, ctx.Err()
			}
			continue // it hung up: the next one
		}
		res.Child = w.id
		err = h.connect(ctx, party, w.party, d, dq, &res)
		return res, err
	}
}

// giveUp no longer wants a call. One that was found meanwhile goes back.
func (h *House) giveUp(q *queue, d *deal) {
	h.mu.Lock()
	for i, o := range q.wanting {
		if o == d {
			q.wanting = append(q.wanting[:i:i], q.wanting[i+1:]...)
			break
		}
	}
	h.mu.Unlock()
	close(d.done)
}

// connect connects party with the call that it got, until one of them goes.
func (h *House) connect(ctx context.Context, party, other Party, d *deal, dq script.Dequeue, res *script.DequeueResult) error {
	defer close(d.done)
	env := party.Env()
	if dq.Beep && h.cfg.Bell != nil {
		if err := env.Play(ctx, h.cfg.Bell(true)); err != nil && over(ctx, err) {
			return err
		}
	}
	b, err := party.Bridge(ctx, other, dq.HangupOnStar)
	if err != nil {
		if over(ctx, err) {
			return err
		}
		env.Tell(call.EventWarning, "nobody was connected: "+err.Error())
		res.State, res.Cause = call.Failed, call.CauseOf(err)
		return nil
	}
	close(d.met)
	began := h.cfg.Now()
	var rec script.Recording
	if dq.Record != nil {
		if rec, err = env.Audio.Record(*dq.Record); err != nil {
			rec = nil
			env.Tell(call.EventWarning, "the connection is not recorded: "+err.Error())
		}
	}
	var limit <-chan time.Time
	if dq.TimeLimit > 0 {
		t := time.NewTimer(dq.TimeLimit)
		defer t.Stop()
		limit = t.C
	}
	err = nil
	select {
	case <-d.gone:
	case <-b.Star():
	case <-limit:
	case <-ctx.Done():
		err = ctx.Err()
	}
	b.Close()
	res.State, res.Bridged, res.Duration, res.Cause = call.Completed, true, h.cfg.Now().Sub(began), call.NormalClearing(call.Peer)
	if rec != nil {
		if r, rerr := rec.Stop(); rerr == nil {
			res.Recording = &r
		}
	}
	return err
}
