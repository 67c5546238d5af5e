package socket

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"callbox/api/jambonz/js"
	"callbox/call"
	"callbox/call/script"
)

// session is the connection of one call's application. Its goroutine (run)
// connects, writes and waits for acknowledgements; another one reads while there
// is a connection, and a third does what commands ask of calls.
type session struct {
	h       *Hub
	call    string
	account string
	hook    call.Hook

	out     chan *message     // to be written; a question waits for room, a notification does not
	orders  chan script.Order // for the script
	changes chan command      // for the goroutine that changes calls
	acks    chan command      // from the reader to run
	bye     chan struct{}     // closed by leave: end now
	ending  chan struct{}     // closed by end: the call has ended
	gone    chan struct{}     // closed when run has ended; why is set before
	why     error             // script.ErrNoMore: the application, or the call, has left

	byeOnce, endOnce sync.Once
	speech           speech // text that is spoken as it comes

	mu     sync.Mutex // guards what follows
	began  bool       // the application was told of the call
	first  []byte     // what it was told, for session:reconnect
	trace  string     // with that
	asking int        // questions under way
}

func newSession(h *Hub, hook call.Hook, rec call.Record) *session {
	hook.Name = ""
	s := &session{h: h, call: rec.ID, account: rec.Account, hook: hook,
		out: make(chan *message, outboxSize), orders: make(chan script.Order, inboxSize), changes: make(chan command, inboxSize),
		acks: make(chan command), bye: make(chan struct{}), ending: make(chan struct{}), gone: make(chan struct{})}
	s.speech.s = s
	return s
}

// leave ends the session at once.
func (s *session) leave() { s.byeOnce.Do(func() { close(s.bye) }) }

// dead reports whether the session has ended; then why says why.
func (s *session) dead() bool {
	select {
	case <-s.gone:
		return true
	default:
		return false
	}
}

// end ends the session a little later, when all was told.
func (s *session) end() { s.endOnce.Do(func() { close(s.ending) }) }

// question makes the message that asks hook.
func (s *session) question(hook call.Hook, rec call.Record, res *script.Result) *message {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := &message{typ: typeHook, id: newID(), call: s.call, hook: hookName(hook.URL, hook.Name), reply: make(chan reply, 1)}
	hook.Method = http.MethodPost
	switch {
	case res != nil && res.Verb == script.ScreenResult && rec.ID != s.call:
		m.typ = typeConfirm
	case !s.began && res == nil:
		m.typ, m.hook = typeNew, ""
		if rec.Parent != "" {
			m.typ = typeAdulting
		}
	case !s.began, res == nil:
		m.typ = typeRedirect
		if res == nil {
			res = &script.Result{}
		}
	}
	o := s.h.cfg.Dialect.DocumentRequest(hook, rec, res)
	m.data, m.trace = o.JSON, o.Trace
	if !s.began {
		s.began, s.first, s.trace = true, m.data, m.trace
	}
	return m
}

// ask sends m and waits for the acknowledgement.
func (s *session) ask(ctx context.Context, m *message) (js.Value, error) {
	s.mu.Lock()
	s.asking++
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.asking--
		s.mu.Unlock()
	}()
	ctx, cancel := context.WithTimeoutCause(ctx, s.h.times.ask, errSlow)
	defer cancel()
	select {
	case s.out <- m:
	case <-s.gone:
		return js.Value{}, s.why
	case <-ctx.Done():
		return js.Value{}, context.Cause(ctx)
	}
	select {
	case r := <-m.reply:
		return r.data, r.err
	case <-s.gone:
		select {
		case r := <-m.reply:
			return r.data, r.err
		default:
			return js.Value{}, s.why
		}
	case <-ctx.Done():
		return js.Value{}, context.Cause(ctx)
	}
}

var (
	errSlow = errors.New("the application did not acknowledge the message in time")
	errLost = errors.New("the connection to the application was lost and could not be made again")
)

// notify sends m unless the queue is full.
func (s *session) notify(m *message) {
	select {
	case s.out <- m:
	default:
		s.h.count.dropped.Add(1)
	}
}

// complain tells the application what it did wrong.
func (s *session) complain(text string) {
	s.h.count.refused.Add(1)
	s.h.cfg.Log.Warn("a message of an application cannot be heeded", "call", s.call, "err", text)
	var o js.Object
	o.Text("msg", text)
	o.Text("call_sid", s.call)
	s.notify(&message{typ: typeError, id: newID(), call: s.call, data: js.Append(nil, o.Value())})
}

// Next gives the next order of the application.
func (s *session) Next(ctx context.Context) (script.Order, error) {
	select {
	case o := <-s.orders:
		return o, nil
	default:
	}
	select {
	case o := <-s.orders:
		return o, nil
	case <-s.gone:
		return script.Order{}, s.why
	case <-ctx.Done():
		return script.Order{}, ctx.Err()
	}
}

// run is the session's goroutine.
func (s *session) run() {
	ctx, cancel := context.WithCancel(context.Background())
	var workers sync.WaitGroup
	workers.Go(func() { s.work(ctx) })
	workers.Go(func() { // a connection that is being made is given up at once
		select {
		case <-s.bye:
			cancel()
		case <-ctx.Done():
		}
	})
	s.why = s.connections(ctx)
	close(s.gone)
	cancel()
	workers.Wait()
}

// connections holds one connection after the other until the session ends.
func (s *session) connections(ctx context.Context) (err error) {
	t := &talk{s: s, waiting: map[string]*message{}, takes: map[string]string{}}
	defer func() { t.fail(err) }()
	for n := range maxConnections {
		c, err := s.connect(ctx)
		switch {
		case err != nil && s.over():
			return script.ErrNoMore
		case err != nil && n > 0:
			return fmt.Errorf("%w: %w", errLost, err)
		case err != nil:
			return err
		}
		s.h.count.opened.Add(1)
		if n > 0 {
			s.h.count.reconnected.Add(1)
		}
		if err := t.over(ctx, c, n > 0); !errors.Is(err, errAgain) {
			return err
		}
		s.h.cfg.Log.Warn("the connection to an application was lost", "call", s.call, "url", public(s.hook.URL))
		if !s.pause(ctx, s.h.times.backoff) {
			return script.ErrNoMore
		}
	}
	return errLost
}

// over reports whether the session is to end.
func (s *session) over() bool {
	select {
	case <-s.bye:
	case <-s.ending:
	default:
		return false
	}
	return true
}

// pause lets d pass, and reports false when the session is to end before.
func (s *session) pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
	case <-s.ending:
	}
	return false
}

// busy reports whether something is still to be said.
func (s *session) busy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asking > 0 || len(s.out) > 0
}
