package hook

import (
	"context"
	"math"
	"strconv"
	"time"
)

// dispatcher decides what is sent next. It is owned by the goroutine of Run.
//
// The outbox is read forwards by a cursor. A notice that cannot be sent now is
// passed over, and with it everything later of the same lane (a call's notices
// to one receiver) or receiver; low remembers the first one passed over. When a
// reason to pass over has gone, the cursor goes back to low and everything is
// looked at again in order. So order within a lane needs no memory of what
// waits, only of what was passed over for which reason.
type dispatcher struct {
	d       *Deliverer
	tasks   chan<- *task
	results <-chan result

	lanes     map[lane][]*task     // loaded, in order of ID; the first may be in flight
	held      map[uint64]bool      // IDs in lanes
	ready     []lane               // lanes whose first task is not in flight, oldest first
	flying    int                  // tasks in flight
	receivers map[string]*receiver // those with loaded tasks or a back-off
	waits     map[lane]*wait       // lanes in back-off
	undone    map[uint64]bool      // delivered, but the outbox could not forget them

	cursor       uint64 // everything up to here is held, done or passed over
	low          uint64 // the first ID passed over, MaxUint64 when none
	passedOver   map[lane]bool
	passedOrigin map[string]bool

	more     bool      // the outbox may have notices after cursor
	retryAt  time.Time // when the outbox may be read again after an error
	rewindAt time.Time // not before, so that going back costs a bounded share of time
	passCost time.Duration
}

// lane is what must stay in order.
type lane struct{ key, origin string }

func (t *task) lane() lane { return lane{t.key, t.origin} }

func newDispatcher(d *Deliverer, tasks chan<- *task, results <-chan result) *dispatcher {
	return &dispatcher{
		d: d, tasks: tasks, results: results,
		lanes: make(map[lane][]*task), held: make(map[uint64]bool),
		receivers: make(map[string]*receiver), waits: make(map[lane]*wait), undone: make(map[uint64]bool),
		low: math.MaxUint64, passedOver: make(map[lane]bool), passedOrigin: make(map[string]bool),
		more: true,
	}
}

// run dispatches until ctx ends and all tasks in flight have come back.
func (s *dispatcher) run(ctx context.Context) {
	timer := time.NewTimer(poll)
	defer timer.Stop()
	for ctx.Err() == nil {
		now := time.Now()
		s.rewind(now)
		s.send(now)
		if s.more && len(s.held) < Window && !now.Before(s.retryAt) {
			s.read(now)
			s.collect()
			continue
		}
		timer.Reset(s.patience(now))
		select {
		case <-ctx.Done():
		case <-s.d.wake:
			s.more = true
		case r := <-s.results:
			s.finish(r)
		case <-timer.C:
			s.more = true
		}
	}
	for s.flying > 0 {
		<-s.results
		s.flying--
	}
	s.d.counters.setLoad(0, 0)
}

// collect takes the results that are there without waiting.
func (s *dispatcher) collect() {
	for {
		select {
		case r := <-s.results:
			s.finish(r)
		default:
			return
		}
	}
}

// read looks at the next page of the outbox.
func (s *dispatcher) read(now time.Time) {
	page, err := s.d.outbox.PendingNotices(s.cursor, pageSize)
	if err != nil {
		s.d.counters.outbox.Add(1)
		s.d.client.log.Error("outbox cannot be read", "err", err)
		s.retryAt = now.Add(FirstRetry)
		return
	}
	if len(page) == 0 {
		s.more = false
		s.sweep()
		return
	}
	for _, n := range page {
		if len(s.held) >= Window {
			return
		}
		s.cursor = n.ID
		if s.held[n.ID] {
			continue
		}
		t := &task{id: n.ID, call: n.Key, key: n.Key, created: n.Created}
		var err error
		if t.out, err = unpack(n.Payload); err != nil {
			s.d.client.log.Error("notice dropped", "call", n.Key, "err", err)
			t.discard(unreadable)
		} else {
			t.origin = originOf(t.out.URL)
		}
		s.admit(t, now)
	}
	s.passCost += time.Since(now)
	s.d.counters.setLoad(len(s.held), s.flying)
}

// admit loads t, or passes over it.
func (s *dispatcher) admit(t *task, now time.Time) {
	switch {
	case t.drop != keep:
	case s.undone[t.id]:
		t.discard(sent)
	case s.waiting(t.origin).dead(now, t.created), s.waits[t.lane()].dead(now, t.created):
		t.discard(old)
	}
	l := t.lane()
	r := s.receiver(t.origin)
	switch {
	case s.passedOrigin[t.origin], r.blocked(now), r.loaded >= r.share():
		s.passedOrigin[t.origin] = true
	case s.passedOver[l], s.waits[l].blocked(now):
		s.passedOver[l] = true
	default:
		s.load(t, r)
		return
	}
	s.low = min(s.low, t.id)
}

// load keeps t in memory.
func (s *dispatcher) load(t *task, r *receiver) {
	l := t.lane()
	s.held[t.id] = true
	r.loaded++
	s.lanes[l] = append(s.lanes[l], t)
	if len(s.lanes[l]) == 1 {
		s.ready = append(s.ready, l)
	}
}

// send gives ready tasks to the workers, as many as may fly.
func (s *dispatcher) send(now time.Time) {
	kept := s.ready[:0]
	for _, l := range s.ready {
		r := s.receivers[l.origin]
		if s.flying >= Workers || r.flying >= r.width() || r.blocked(now) {
			kept = append(kept, l)
			continue
		}
		s.flying++
		r.flying++
		s.tasks <- s.lanes[l][0] // a worker is free: flying < Workers
	}
	clear(s.ready[len(kept):])
	s.ready = kept
	s.d.counters.setLoad(len(s.held), s.flying)
}

// finish takes the outcome of a task.
func (s *dispatcher) finish(r result) {
	now := time.Now()
	s.flying--
	l, origin := r.t.lane(), r.t.origin
	rcv := s.receivers[origin]
	rcv.flying--
	s.count(r)
	switch r.verdict {
	case vDelivered, vRefused:
		s.back(rcv, origin)
		delete(s.waits, l)
		delete(s.undone, r.t.id)
		s.next(l, rcv)
	case vRepeat, vUndone:
		s.back(rcv, origin)
		if r.verdict == vUndone && len(s.undone) < maxWaits {
			s.undone[r.t.id] = true
		}
		w := s.waits[l]
		if w == nil {
			s.evict()
			w = &wait{}
			s.waits[l] = w
			if r.verdict == vRepeat {
				s.d.tellFailed(r.t.out, r.err)
			}
		}
		s.d.backOff(w, now, r.after)
		s.failed(r, l, rcv, w, now)
	case vUnreachable:
		first := rcv.fails == 0
		if first || !now.Before(rcv.next) { // not again for those that flew together
			s.d.backOff(&rcv.wait, now, 0)
		}
		if first {
			s.d.client.log.Warn("receiver of status callbacks does not answer", "receiver", origin, "err", r.err)
			s.d.tellFailed(r.t.out, r.err)
		}
		s.failed(r, l, rcv, &rcv.wait, now)
		s.unloadReceiver(origin, rcv)
		s.d.counters.setDown(origin, rcv.wait, r.err)
	}
	s.tidy(origin, rcv)
}

// count counts an outcome.
func (s *dispatcher) count(r result) {
	c := &s.d.counters
	switch {
	case r.verdict == vRepeat, r.verdict == vUnreachable:
		c.repeated.Add(1)
	case r.t.drop != keep && r.verdict == vUndone, r.t.drop == sent:
	case r.t.drop == old:
		c.givenUp.Add(1)
		s.d.tellFailed(r.t.out, errGivenUp)
		s.d.client.log.Error("status callback given up", "call", r.t.call, "url", publicURL(r.t.out.URL), "age", time.Since(r.t.created))
	case r.t.drop == unreadable:
		c.unreadable.Add(1)
	case r.verdict == vDelivered, r.verdict == vUndone:
		c.delivered.Add(1)
	case r.verdict == vRefused:
		c.refused.Add(1)
		s.d.tellFailed(r.t.out, r.err)
		s.d.client.log.Warn("status callback refused, not repeated", "call", r.t.call, "url", publicURL(r.t.out.URL), "err", r.err)
	}
}

// failed deals with a task that is to be repeated: it and what follows it in its
// lane leave memory until w is over, or it is given up.
func (s *dispatcher) failed(r result, l lane, rcv *receiver, w *wait, now time.Time) {
	if r.t.drop == keep && w.dead(now, r.t.created) {
		s.next(l, rcv)
		r.t.discard(old)
		s.admit(r.t, now)
	}
	s.unload(l, rcv)
	s.passedOver[l] = true
}

// back notes that a receiver answers.
func (s *dispatcher) back(rcv *receiver, origin string) {
	if rcv.fails > 0 {
		s.d.client.log.Info("receiver of status callbacks answers again", "receiver", origin, "after", time.Since(rcv.since))
		rcv.wait = wait{}
		s.d.counters.setUp(origin)
	}
}

// next removes the first task of a lane and makes the lane ready again.
func (s *dispatcher) next(l lane, rcv *receiver) {
	q := s.lanes[l]
	delete(s.held, q[0].id)
	rcv.loaded--
	if len(q) == 1 {
		delete(s.lanes, l)
		return
	}
	s.lanes[l] = q[1:]
	s.ready = append(s.ready, l)
}

// unload takes a lane that has nothing in flight out of memory.
func (s *dispatcher) unload(l lane, rcv *receiver) {
	for _, t := range s.lanes[l] {
		delete(s.held, t.id)
		rcv.loaded--
		s.low = min(s.low, t.id)
	}
	delete(s.lanes, l)
	s.unready(func(x lane) bool { return x == l })
}

// unloadReceiver takes everything of a receiver out of memory that is not in
// flight, and passes over its notices from now on.
func (s *dispatcher) unloadReceiver(origin string, rcv *receiver) {
	s.passedOrigin[origin] = true
	for _, l := range s.unready(func(x lane) bool { return x.origin == origin }) {
		s.unload(l, rcv)
	}
}

// unready takes the lanes that match out of the ready list and gives them.
func (s *dispatcher) unready(match func(lane) bool) (out []lane) {
	kept := s.ready[:0]
	for _, l := range s.ready {
		if match(l) {
			out = append(out, l)
		} else {
			kept = append(kept, l)
		}
	}
	clear(s.ready[len(kept):])
	s.ready = kept
	return out
}

// rewind goes back to the first notice passed over when a reason has gone.
func (s *dispatcher) rewind(now time.Time) {
	if s.low == math.MaxUint64 || now.Before(s.rewindAt) || !s.relieved(now) {
		return
	}
	s.rewindAt = now.Add(max(250*time.Millisecond, 4*s.passCost))
	s.passCost = 0
	s.cursor = s.low - 1
	s.low = math.MaxUint64
	clear(s.passedOver)
	clear(s.passedOrigin)
	s.more = true
}

// relieved reports whether something that was passed over could be loaded.
func (s *dispatcher) relieved(now time.Time) bool {
	for o := range s.passedOrigin {
		r := s.receivers[o]
		if r == nil || !r.blocked(now) && r.loaded <= r.share()/2 {
			return true
		}
	}
	for l := range s.passedOver {
		r := s.receivers[l.origin]
		if !s.waits[l].blocked(now) && (r == nil || !r.blocked(now)) {
			return true
		}
	}
	return false
}

// patience is how long there is nothing to do without being told.
func (s *dispatcher) patience(now time.Time) time.Duration {
	d := poll
	sooner := func(t time.Time) {
		if t.After(now) {
			d = min(d, t.Sub(now))
		}
	}
	if s.more {
		sooner(s.retryAt)
	}
	for _, r := range s.receivers {
		sooner(r.next)
	}
	for _, w := range s.waits {
		sooner(w.next)
	}
	if s.low != math.MaxUint64 {
		sooner(s.rewindAt)
	}
	return d
}

// discard makes t one that is only taken out of the outbox: in a lane of its
// own and with no receiver, since it needs neither order nor an answer.
func (t *task) discard(why reason) {
	t.drop, t.key, t.origin = why, "#"+strconv.FormatUint(t.id, 10), ""
}
