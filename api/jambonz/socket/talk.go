package socket

import (
	"context"
	"errors"
	"slices"
	"time"

	"callbox/call/script"

	"github.com/coder/websocket"
)

// talk is what is said over the connections of a session. It belongs to the
// session's goroutine.
type talk struct {
	s       *session
	waiting map[string]*message // for an acknowledgement
	order   []string            // of their ids, as they were first sent
	unsent  *message            // a message that could not be written
	takes   map[string]string   // by the ids of messages, see message.takes; at most maxTakes
}

// errAgain says that a connection was lost and is to be made again.
var errAgain = errors.New("the connection was lost")

// maxTakes bounds the notifications whose acknowledgements may hold verbs; those
// of more are not looked at.
const maxTakes = 32

// writeTime bounds the writing of one message.
const writeTime = 5 * time.Second

// over talks over c until it ends, and gives errAgain when another connection is
// to be made.
func (t *talk) over(ctx context.Context, c *websocket.Conn, again bool) error {
	ctx, cancel := context.WithCancel(ctx)
	read, done := make(chan error, 1), make(chan struct{})
	go func() { // ended by the end of the connection or of ctx, waited for through done
		defer close(done)
		read <- t.s.read(ctx, c)
	}()
	defer func() { c.CloseNow(); cancel(); <-done }() //nolint:errcheck // it may be closed already
	if again && !t.resume(ctx, c) {
		return errAgain
	}
	return t.loop(ctx, c, read)
}

// loop sends and takes acknowledgements.
func (t *talk) loop(ctx context.Context, c *websocket.Conn, read <-chan error) error {
	s := t.s
	ping, check := time.NewTicker(s.h.times.ping), time.NewTicker(max(s.h.times.ack/10, time.Millisecond))
	defer ping.Stop()
	defer check.Stop()
	var last *time.Timer
	defer func() {
		if last != nil {
			last.Stop()
		}
	}()
	var closing <-chan time.Time
	for ending := s.ending; ; {
		select {
		case m := <-s.out:
			if !t.send(ctx, c, m) {
				return errAgain
			}
		case a := <-s.acks:
			t.acknowledge(a)
		case now := <-check.C:
			t.expire(now)
		case <-ping.C:
			if !alive(ctx, c) {
				return errAgain
			}
		case err := <-read:
			return ended(c, err)
		case <-ending:
			ending, last = nil, time.NewTimer(s.h.times.linger)
			closing = last.C
		case <-closing:
			if s.busy() {
				last.Reset(s.h.times.linger)
				continue
			}
			_ = c.Close(websocket.StatusNormalClosure, "the call has ended") // the other side may be gone
			return script.ErrNoMore
		case <-s.bye:
			_ = c.Close(websocket.StatusNormalClosure, "") // likewise
			return script.ErrNoMore
		}
	}
}

// ended says what the end of reading means: a normal closure is the application's
// leave, a fault of its own ends the session, everything else is a lost
// connection.
func ended(c *websocket.Conn, err error) error {
	var f *faultError
	switch {
	case errors.As(err, &f):
		_ = c.Close(f.code, f.text) // the session ends anyway
		return err
	case websocket.CloseStatus(err) == websocket.StatusNormalClosure:
		return script.ErrNoMore
	}
	return errAgain
}

// alive asks the other side for a sign of life.
func alive(ctx context.Context, c *websocket.Conn) bool {
	ctx, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	return c.Ping(ctx) == nil
}

// send writes m, and keeps it when it waits for an acknowledgement or could not
// be written.
func (t *talk) send(ctx context.Context, c *websocket.Conn, m *message) bool {
	if m.reply != nil {
		m.until = time.Now().Add(t.s.h.times.ack)
		if t.waiting[m.id] == nil {
			t.waiting[m.id] = m
			t.order = append(t.order, m.id)
		}
	}
	if m.takes != "" && len(t.takes) < maxTakes {
		t.takes[m.id] = m.takes
	}
	ctx, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	err := c.Write(ctx, websocket.MessageText, m.encode())
	if err != nil && m.reply == nil {
		t.unsent = m
	}
	t.s.h.cfg.Log.Debug("message to an application", "call", t.s.call, "type", m.typ, "err", err)
	return err == nil
}

// resume tells the application of a new connection that this call goes on, and
// says again what was not acknowledged.
func (t *talk) resume(ctx context.Context, c *websocket.Conn) bool {
	first := slices.ContainsFunc(t.order, func(id string) bool { return t.waiting[id].typ == typeNew || t.waiting[id].typ == typeReconnect })
	t.s.mu.Lock()
	m := &message{typ: typeReconnect, id: newID(), call: t.s.call, data: t.s.first, trace: t.s.trace}
	began := t.s.began
	t.s.mu.Unlock()
	if began && !first && !t.send(ctx, c, m) {
		return false
	}
	for _, id := range t.order {
		again := t.waiting[id]
		if again.typ == typeNew { // its acknowledgement is still that of the call's first document
			again.typ = typeReconnect
		}
		if !t.send(ctx, c, again) {
			return false
		}
	}
	if m := t.unsent; m != nil {
		t.unsent = nil
		return t.send(ctx, c, m)
	}
	return true
}

// acknowledge hands an acknowledgement to whom it is for. One for a mere
// notification needs nobody.
func (t *talk) acknowledge(a command) {
	if m := t.forget(a.msgid); m != nil {
		m.reply <- reply{data: a.data}
	}
	if id, ok := t.takes[a.msgid]; ok {
		delete(t.takes, a.msgid)
		if len(a.data.List) > 0 {
			t.s.takeOver(id, a.data)
		}
	}
}

// forget takes a message out of those that wait.
func (t *talk) forget(id string) *message {
	m := t.waiting[id]
	delete(t.waiting, id)
	t.order = slices.DeleteFunc(t.order, func(x string) bool { return x == id })
	return m
}

// expire gives up the messages whose acknowledgements are too late.
func (t *talk) expire(now time.Time) {
	for _, id := range slices.Clone(t.order) {
		if m := t.waiting[id]; now.After(m.until) {
			t.forget(id)
			m.reply <- reply{err: errSlow}
		}
	}
}

// fail tells everybody who waits that there is no more to come.
func (t *talk) fail(err error) {
	for _, id := range slices.Clone(t.order) {
		t.forget(id).reply <- reply{err: err}
	}
}
