package hook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"callbox/api"
	"callbox/call"
)

// Outbox is the durable store of notices. storage.Store is one.
type Outbox interface {
	// PendingNotices gives at most limit notices with ID > after that are not
	// done, in order of ID. An empty answer means that there are no more.
	PendingNotices(after uint64, limit int) ([]call.Notice, error)
	// DoneNotice forgets notices. Unknown ids are no error.
	DoneNotice(ids ...uint64) error
}

// Limits and schedule of the delivery.
const (
	Workers     = 16          // requests at once
	PerReceiver = 4           // of them to one receiver (scheme, host and port)
	Window      = 256         // notices in memory
	share       = 64          // of them for one receiver
	pageSize    = 64          // notices read from the outbox at once
	FirstRetry  = time.Second // doubles up to
	LongestWait = 15 * time.Minute
	// GiveUpAge and GiveUpTries must both be passed before a notice is given up:
	// its age, since that survives a restart, and the failures in a row seen by
	// this process, since the clock may have jumped from 1970 to now.
	GiveUpAge   = 24 * time.Hour
	GiveUpTries = 8
	// poll is how often the outbox is looked at without being told.
	poll = 30 * time.Second
	// maxWaits bounds the remembered back-offs of each kind; beyond it the one
	// that is due first is forgotten, which only means that it is tried sooner.
	maxWaits = 4096
)

// Deliverer sends the notices of an outbox.
//
// A notice is delivered when its receiver has answered 2xx. It is dropped with
// a warning, as delivered, on any other answer that repeating cannot change: 4xx
// but 408, 425 and 429, too many redirects, a forbidden or unreadable address
// (the cloud does not repeat those either; #rp=4xx in the URL repeats them). It
// is repeated on 5xx, 408, 425, 429 and whenever the receiver cannot be reached
// or does not answer in time, after 1 s, 2 s, 4 s … 15 min with ±20 % of jitter
// (or after Retry-After), until it is given up after 24 h.
//
// Notices of one call (Notice.Key) reach one receiver in order of their IDs,
// one at a time. A receiver that cannot be reached is left alone as a whole
// until its back-off is over, and is then tried with a single notice; an
// answer that asks for repeating holds up only the call it belongs to. Nothing
// that waits is kept in memory: the outbox is read again when it is due.
type Deliverer struct {
	client *Client
	outbox Outbox
	texts  Texts                                           // see AnswerTexts; nil: nobody
	modify Modify                                          // nil: answers hold no documents
	post   func(ctx context.Context, o api.Outgoing) error // d.send, or a test's
	watch  func(o api.Outgoing, err error)                 // see Watch; nil: nobody
	wake   chan struct{}
	jitter func(time.Duration) time.Duration

	counters counters
}

// Modify changes a live call; see [callbox/api.Calls].
type Modify func(ctx context.Context, account, id string, ch call.Change) (call.Record, error)

// NewDeliverer makes a deliverer that sends through c, and gives documents in the
// answers to those that modify calls. Run starts it.
func NewDeliverer(c *Client, o Outbox, modify Modify) *Deliverer {
	d := &Deliverer{client: c, outbox: o, modify: modify, wake: make(chan struct{}, 1), jitter: jitter}
	d.post = d.send
	return d
}

// Watch has f told of messages that fail: at the first attempt, when they are not
// repeated, and when they are given up. err is a *script.FetchError. f must not block.
// It must be called before Run.
func (d *Deliverer) Watch(f func(o api.Outgoing, err error)) { d.watch = f }

// tellFailed tells the watcher.
func (d *Deliverer) tellFailed(o api.Outgoing, err error) {
	if d.watch != nil {
		d.watch(o, fetchError("telling", o.URL, err))
	}
}

// send sends o once, and hands a document in the answer to the call it is for.
func (d *Deliverer) send(ctx context.Context, o api.Outgoing) error {
	if o.Text != "" {
		return d.sendText(ctx, o)
	}
	a, err := d.client.tell(ctx, o)
	if err != nil || o.Call == "" || d.modify == nil || len(bytes.TrimSpace(a.body)) == 0 {
		return err
	}
	dialect, ok := d.client.dialects[o.API]
	if !ok {
		return nil
	}
	doc, err := dialect.Decode(a.body, a.kind, a.url)
	if err == nil && len(doc.Verbs) > 0 {
		_, err = d.modify(ctx, o.Account, o.Call, call.Change{Script: &call.ScriptSource{Inline: string(a.body), Base: a.url}})
	}
	if err != nil && !errors.Is(err, call.ErrEnded) && !errors.Is(err, call.ErrNotFound) {
		d.client.log.Warn("the answer to a callback does not take over the call", "call", o.Call, "url", publicURL(o.URL), "err", err)
	}
	return nil
}

// Offer tells that notices were committed to the outbox. It does not block and
// keeps nothing: they are read from the outbox.
func (d *Deliverer) Offer(ns []call.Notice) {
	if len(ns) == 0 {
		return
	}
	select {
	case d.wake <- struct{}{}:
	default: // it is awake
	}
}

// task is a notice on its way.
type task struct {
	id      uint64
	call    string // Notice.Key
	key     string // of its lane: call, or its own when it is dropped
	origin  string // of the receiver
	created time.Time
	out     api.Outgoing
	drop    reason // set: only to be taken out of the outbox
}

// reason is why a notice leaves the outbox without being sent.
type reason int

const (
	keep       reason = iota // it is to be sent
	sent                     // it was, but could not be forgotten then
	old                      // given up
	unreadable               // not a notice of this package
)

// result is what became of a task.
type result struct {
	t       *task
	verdict verdict
	err     error
	after   time.Duration // wish of the receiver, 0 when none
}

// Run delivers until ctx ends. It returns when all its goroutines have ended;
// requests under way are broken off and will be repeated by the next Run.
func (d *Deliverer) Run(ctx context.Context) {
	tasks := make(chan *task)
	results := make(chan result, Workers) // a worker never waits for the dispatcher
	var workers sync.WaitGroup
	for range Workers {
		workers.Go(func() {
			for t := range tasks {
				results <- d.attempt(ctx, t)
			}
		})
	}
	newDispatcher(d, tasks, results).run(ctx)
	close(tasks)
	workers.Wait()
}

// attempt sends t once and, if nothing more is to be done for it, forgets it.
func (d *Deliverer) attempt(ctx context.Context, t *task) result {
	var err error
	if t.drop == keep {
		err = d.post(ctx, t.out)
	}
	r := result{t: t, err: err}
	r.verdict, r.after = judge(t.out, err)
	if ctx.Err() != nil && err != nil {
		r.verdict = vBroken
		return r
	}
	if r.verdict == vDelivered || r.verdict == vRefused {
		if derr := d.outbox.DoneNotice(t.id); derr != nil {
			d.counters.outbox.Add(1)
			d.client.log.Error("notice cannot be taken out of the outbox", "call", t.call, "err", derr)
			r.verdict, r.err = vUndone, derr
		}
	}
	return r
}

// verdict is what an attempt means for its notice.
type verdict int

const (
	vDelivered   verdict = iota
	vRefused             // answered, and repeating would not help: done
	vRepeat              // answered, to be repeated
	vUnreachable         // not answered
	vUndone              // delivered, but still in the outbox
	vBroken              // broken off by the end of Run
)

// judge applies the rules of [Deliverer] to the error of an attempt.
func judge(o api.Outgoing, err error) (verdict, time.Duration) {
	if err == nil {
		return vDelivered, 0
	}
	if unreachable(err) {
		return vUnreachable, 0
	}
	status, after := statusOf(err)
	switch {
	case status >= 500, status == 408, status == 425, status == 429:
		return vRepeat, after
	case status >= 400:
		_, fragment := splitFragment(o.URL)
		if tuned(fragment).retry("4xx") {
			return vRepeat, after
		}
	}
	return vRefused, 0
}

// MaxPayload is the largest stored notice, in bytes. A larger one is dropped,
// counted and logged; what makes callbacks large is bounded where it comes in.
const MaxPayload = 32 << 10

// Render gives the notices that ev owes to its receivers, in order, ready for
// the outbox. It does no I/O.
func (d *Deliverer) Render(ev call.Event) []call.Notice {
	name, account, key := ev.Record.API, ev.Record.Account, ev.Record.ID
	if ev.Recording != nil && name == "" {
		name, account, key = ev.Recording.API, ev.Recording.Account, ev.Recording.Call
	}
	if ev.Conference != nil { // in the language, and in the order, of the conference
		name, account, key = ev.Conference.Conference.API, ev.Conference.Conference.Account, ev.Conference.Conference.ID
	}
	dialect, ok := d.client.dialects[name]
	if !ok {
		return nil
	}
	var out []call.Notice
	for _, o := range dialect.Callback(ev) {
		if strings.HasPrefix(o.URL, "ws") {
			continue // told over the application's own connection, as long as it has one
		}
		payload, err := json.Marshal(fill(o, account, name))
		if err == nil && len(payload) > MaxPayload {
			err = fmt.Errorf("it takes %d bytes, the limit is %d", len(payload), MaxPayload)
		}
		if err != nil {
			d.counters.oversize.Add(1)
			d.client.log.Error("status callback cannot be stored", "call", key, "url", publicURL(o.URL), "err", err)
			continue
		}
		out = append(out, call.Notice{Key: key, Created: ev.At, Payload: payload})
	}
	return out
}

// unpack reads a payload that Render made.
func unpack(payload []byte) (api.Outgoing, error) {
	var o api.Outgoing
	if err := json.Unmarshal(payload, &o); err != nil {
		return o, fmt.Errorf("stored notice: %w", err)
	}
	return o, nil
}
