package room

import (
	"cmp"
	"context"
	"slices"
	"time"
	"unicode/utf8"

	"callbox/call"
)

// queue is one queue; the house's lock guards it.
type queue struct {
	h       *House
	q       call.Queue
	waiting []*waiter // in the order in which they are served
	wanting []*deal   // by those who wait for a call, oldest first
	arrived uint64    // calls so far
}

// waiter is a call in a queue.
type waiter struct {
	id       string // of its call
	party    Party
	priority int
	arrival  uint64 // which one of the queue it was
	since    time.Time
	deals    chan *deal // holds the one that it was given, when it is no longer in the queue
}

// deal is between a call that wants one of a queue and the one it gets.
type deal struct {
	only  string // the id of the call that is wanted; empty: the front
	peer  string // id of the call that wants
	ask   call.Hook
	got   chan *waiter  // holds the call that was found
	ready chan struct{} // closed by the waiting call when it can be connected
	gone  chan struct{} // closed by the waiting call when it is no longer there
	met   chan struct{} // closed by the other side when the two are connected
	done  chan struct{} // closed by the other side when that is over, or will not be
}

// see is what others see of the queue. The caller holds h.mu.
func (q *queue) see() call.Queue {
	v := q.q
	v.Size = len(q.waiting)
	now := q.h.cfg.Now()
	for _, w := range q.waiting {
		v.Wait += now.Sub(w.since)
	}
	if v.Size > 0 {
		v.Wait /= time.Duration(v.Size)
	}
	return v
}

// insert puts a call where its priority and its arrival place it. The caller holds
// h.mu.
func (q *queue) insert(w *waiter) {
	i, _ := slices.BinarySearchFunc(q.waiting, w, func(a, b *waiter) int {
		return cmp.Or(cmp.Compare(a.priority, b.priority), cmp.Compare(a.arrival, b.arrival))
	})
	q.waiting = slices.Insert(q.waiting, i, w)
	q.match()
}

// match brings together who waits and who wants. The caller holds h.mu.
func (q *queue) match() {
	for i := 0; i < len(q.wanting); {
		d := q.wanting[i]
		j := slices.IndexFunc(q.waiting, func(w *waiter) bool { return d.only == "" || w.id == d.only })
		if j < 0 {
			i++
			continue
		}
		w := q.waiting[j]
		q.waiting = slices.Delete(q.waiting, j, j+1)
		q.wanting = slices.Delete(q.wanting, i, i+1)
		w.deals <- d
		d.got <- w
	}
}

// withdraw takes a call out of the queue; false: it was given away already.
func (h *House) withdraw(q *queue, w *waiter) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := slices.Index(q.waiting, w)
	if i >= 0 {
		q.waiting = slices.Delete(q.waiting, i, i+1)
	}
	return i >= 0
}

// position is where a call stands, and how the queue is; 0: it has left.
func (h *House) position(q *queue, w *waiter) (int, call.Queue) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Index(q.waiting, w) + 1, q.see()
}

// queueNamed gives the queue of this name, made if there is none.
func (h *House) queueNamed(account, api, name string) (*queue, error) {
	if name == "" || utf8.RuneCountInString(name) > call.MaxQueueName {
		return nil, call.ErrRoomName
	}
	h.mu.Lock()
	q := h.queues[key(account, name)]
	h.mu.Unlock()
	if q != nil {
		return q, nil
	}
	if _, err := h.CreateQueue(call.Queue{API: api, Account: account, Name: name}); err != nil && err != call.ErrQueueTaken { //nolint:errorlint // our own
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if q = h.queues[key(account, name)]; q == nil {
		return nil, call.ErrNotFound
	}
	return q, nil
}

// CreateQueue makes a queue of q's Account, API, Name and Max (0: 1,000). The
// error is call.ErrRoomName, call.ErrQueueTaken, call.ErrRoomLimit, or that it could not be kept; then there
// is no queue.
func (h *House) CreateQueue(q call.Queue) (call.Queue, error) {
	if q.Name == "" || utf8.RuneCountInString(q.Name) > call.MaxQueueName {
		return q, call.ErrRoomName
	}
	now := h.cfg.Now()
	q.ID, q.Created, q.Updated = h.cfg.NewID(q.API, "queue"), now, now
	if q.Max <= 0 || q.Max > call.MaxQueueSize {
		q.Max = call.DefaultQueueSize
	}
	err := h.changeQueues(func() error {
		switch k := key(q.Account, q.Name); {
		case h.queues[k] != nil:
			return call.ErrQueueTaken
		case len(h.queues) >= MaxQueues:
			return call.ErrRoomLimit
		default:
			h.queues[k] = &queue{h: h, q: q}
		}
		return nil
	}, func() { delete(h.queues, key(q.Account, q.Name)) })
	return q, err
}

// UpdateQueue gives a queue another name or size; empty and 0 leave them. The
// error is call.ErrNotFound, call.ErrRoomName, call.ErrQueueTaken, or that it could not be kept;
// then nothing has changed.
func (h *House) UpdateQueue(account, id, name string, size int) (out call.Queue, err error) {
	if utf8.RuneCountInString(name) > call.MaxQueueName {
		return out, call.ErrRoomName
	}
	var q *queue
	var old call.Queue
	rename := func(v call.Queue) {
		delete(h.queues, key(q.q.Account, q.q.Name))
		q.q = v
		h.queues[key(v.Account, v.Name)] = q
	}
	err = h.changeQueues(func() error {
		if q = h.queueByID(account, id); q == nil {
			return call.ErrNotFound
		}
		if name != "" && name != q.q.Name && h.queues[key(account, name)] != nil {
			return call.ErrQueueTaken
		}
		old = q.q
		v := old
		v.Name, v.Updated = cmp.Or(name, v.Name), h.cfg.Now()
		if size > 0 {
			v.Max = min(size, call.MaxQueueSize)
		}
		rename(v)
		out = q.see()
		return nil
	}, func() { rename(old) })
	return out, err
}

// DeleteQueue forgets a queue in which nobody waits. The error is
// call.ErrNotFound, call.ErrQueueInUse, or that this could not be kept.
func (h *House) DeleteQueue(account, id string) error {
	var q *queue
	return h.changeQueues(func() error {
		if q = h.queueByID(account, id); q == nil {
			return call.ErrNotFound
		}
		if len(q.waiting) > 0 || len(q.wanting) > 0 {
			return call.ErrQueueInUse
		}
		delete(h.queues, key(account, q.q.Name))
		return nil
	}, func() { h.queues[key(account, q.q.Name)] = q })
}

// changeQueues does a change under the lock and keeps the queues; when they
// cannot be kept it is undone.
func (h *House) changeQueues(do func() error, undo func()) error {
	h.save.Lock()
	defer h.save.Unlock()
	h.mu.Lock()
	err := do()
	var all []call.Queue
	for _, q := range h.queues {
		all = append(all, q.q)
	}
	h.mu.Unlock()
	if err != nil || h.cfg.SaveQueues == nil {
		return err
	}
	slices.SortFunc(all, func(a, b call.Queue) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID)) })
	if err = h.cfg.SaveQueues(all); err != nil {
		h.mu.Lock()
		defer h.mu.Unlock()
		undo()
	}
	return err
}

// queueByID finds a queue. The caller holds h.mu.
func (h *House) queueByID(account, id string) *queue {
	for _, q := range h.queues {
		if q.q.ID == id && q.q.Account == account {
			return q
		}
	}
	return nil
}

// Queue gives one queue.
func (h *House) Queue(account, id string) (call.Queue, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if q := h.queueByID(account, id); q != nil {
		return q.see(), nil
	}
	return call.Queue{}, call.ErrNotFound
}

// Queues lists an account's queues, oldest first.
func (h *House) Queues(account string) []call.Queue {
	h.mu.Lock()
	defer h.mu.Unlock()
	var list []call.Queue
	for _, q := range h.queues {
		if q.q.Account == account {
			list = append(list, q.see())
		}
	}
	slices.SortFunc(list, func(a, b call.Queue) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID)) })
	return list
}

// QueueMembers lists the calls that wait in a queue, the front first.
func (h *House) QueueMembers(account, id string) ([]call.QueueMember, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	q := h.queueByID(account, id)
	if q == nil {
		return nil, call.ErrNotFound
	}
	list, now := []call.QueueMember{}, h.cfg.Now()
	for i, w := range q.waiting {
		list = append(list, call.QueueMember{Queue: id, Call: w.id, Position: i + 1, Enqueued: w.since, Wait: now.Sub(w.since)})
	}
	return list, nil
}

// closed waits for ctx or one of the channels; it reports whether ok was closed.
func closed(ctx context.Context, ok, not <-chan struct{}) bool {
	select {
	case <-ok:
		return true
	case <-not:
	case <-ctx.Done():
	}
	return false
}
