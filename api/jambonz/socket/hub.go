package socket

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"callbox/api"
	"callbox/api/jambonz/js"
	"callbox/call"
	"callbox/call/script"
)

// Dialect decides what messages say.
type Dialect interface {
	Name() string
	DocumentRequest(h call.Hook, rec call.Record, res *script.Result) api.Outgoing
	Decode(body []byte, contentType, url string) (script.Document, error)
	Callback(ev call.Event) []api.Outgoing
	Sign(secret string, o api.Outgoing) (name, value string)
	// Change reads a change of a call from what a request to change it would say.
	// Relative addresses are taken from base.
	Change(body js.Value, base string, warn func(string)) (call.Change, error)
}

// Calls changes live calls.
type Calls interface {
	Call(ctx context.Context, account, id string) (call.Record, error)
	Modify(ctx context.Context, account, id string, ch call.Change) (call.Record, error)
}

// Config is what a [Hub] needs. All but Log are required.
type Config struct {
	Dialect Dialect
	// Transport makes the connections, under the box's policy of addresses.
	Transport http.RoundTripper
	// Secret gives the key that signs for an account, empty for none.
	Secret func(account string) string
	// Explain makes the error of a connection that could not be made.
	Explain   func(doing, url string, err error) *script.FetchError
	UserAgent string
	Log       *slog.Logger // nil: no log
}

// Limits and times of a session (call-api.md §6.3).
const (
	// MaxSessions bounds the sessions; a call beyond them gets no application.
	MaxSessions = 1024
	// MaxFrame is the largest message of an application in bytes.
	MaxFrame = 24 << 10
	// MaxAttempts is how often a connection is tried before it is given up.
	MaxAttempts  = 5
	maxRedirects = 2
	// maxConnections bounds the connections of one session, one after the other.
	maxConnections = 20
	// outbox and inbox are the lengths of the queues of a session.
	outboxSize, inboxSize = 64, 64
	// maxFaults is how many unreadable messages an application may send.
	maxFaults = 10
)

// timing are the times of a session; tests make them shorter.
type timing struct {
	handshake time.Duration // of one attempt to connect
	backoff   time.Duration // after the first failure; doubles
	ack       time.Duration // from sending a message to its acknowledgement
	ask       time.Duration // from asking to the acknowledgement, with attempts to connect
	linger    time.Duration // from the end of the call to that of the connection
	ping      time.Duration
}

// Hub holds the sessions. Its methods may be called from any goroutine.
type Hub struct {
	cfg   Config
	calls Calls
	times timing

	mu       sync.Mutex // guards what follows
	sessions map[string]*session
	closed   bool

	tasks sync.WaitGroup // every session's goroutine
	count struct{ opened, reconnected, dropped, refused atomic.Uint64 }
}

// Stats are a hub's counters since it was made.
type Stats struct {
	Sessions    int    // now
	Opened      uint64 // connections made
	Reconnected uint64 // of them in place of a lost one
	Dropped     uint64 // notifications that found their queue full
	Refused     uint64 // messages of applications that could not be heeded
}

// New makes a hub. Close ends it.
func New(c Config) *Hub {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Hub{cfg: c, sessions: map[string]*session{}, times: timing{handshake: 1500 * time.Millisecond,
		backoff: 500 * time.Millisecond, ack: 5 * time.Second, ask: 30 * time.Second, linger: time.Second, ping: 25 * time.Second}}
}

// Attach tells the hub whose calls applications change. It is called once,
// before the first call.
func (h *Hub) Attach(c Calls) { h.calls = c }

// Stats gives the counters.
func (h *Hub) Stats() Stats {
	h.mu.Lock()
	defer h.mu.Unlock()
	return Stats{Sessions: len(h.sessions), Opened: h.count.opened.Load(), Reconnected: h.count.reconnected.Load(),
		Dropped: h.count.dropped.Load(), Refused: h.count.refused.Load()}
}

// Close ends all sessions and waits for their ends.
func (h *Hub) Close() {
	h.mu.Lock()
	h.closed = true
	for _, s := range h.sessions {
		s.leave()
	}
	h.mu.Unlock()
	h.tasks.Wait()
}

// Serves reports whether an address is one of a websocket.
func Serves(addr string) bool {
	scheme, _, _ := strings.Cut(addr, "://")
	return strings.EqualFold(scheme, "ws") || strings.EqualFold(scheme, "wss")
}

var (
	errMany    = fmt.Errorf("there are %d connections to applications already", MaxSessions)
	errClosed  = errors.New("the gateway is shutting down")
	errDialect = errors.New("applications of this call API are asked over http and https only")
)

// codes of call-api.md §1.5.
const (
	codeURL     = 11100
	codeStatus  = 11200
	codeConnect = 11205
)

// Fetch asks the application of rec's call for verbs, as hook.Client.Fetch does
// over HTTP. The error is a *script.FetchError, or wraps one.
func (h *Hub) Fetch(ctx context.Context, hook call.Hook, rec call.Record, res *script.Result) (script.Document, error) {
	fail := func(code int, err error) (script.Document, error) {
		return script.Document{}, &script.FetchError{Code: code, URL: public(hook.URL), Err: fmt.Errorf("asking %s: %w", public(hook.URL), err)}
	}
	if rec.API != h.cfg.Dialect.Name() {
		return fail(codeURL, errDialect)
	}
	s, err := h.session(hook, rec, res)
	if err != nil {
		return fail(codeConnect, err)
	}
	m := s.question(hook, rec, res)
	got, err := s.ask(ctx, m)
	switch {
	case errors.Is(err, script.ErrNoMore) && res != nil && rec.ID == s.call:
		return script.Document{URL: public(s.hook.URL)}, nil // it has nothing to say to what verbs tell
	case err != nil:
		var fe *script.FetchError
		if errors.As(err, &fe) {
			return script.Document{}, err
		}
		return fail(codeConnect, err)
	}
	doc, err := h.document(s, got)
	if err != nil {
		s.complain(err.Error())
		return doc, err
	}
	if rec.ID == s.call {
		doc.Orders = s
	}
	return doc, nil
}

// document decodes verbs of an application.
func (h *Hub) document(s *session, v js.Value) (script.Document, error) {
	var body []byte
	if v.Kind != js.Null {
		body = js.Append(nil, v)
	}
	return h.cfg.Dialect.Decode(body, "application/json", public(s.hook.URL))
}

// session finds the session that hook is asked over, or opens one.
func (h *Hub) session(hook call.Hook, rec call.Record, res *script.Result) (*session, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.sessions[rec.ID]
	if s == nil && res != nil && res.Verb == script.ScreenResult {
		s = h.sessions[rec.Parent]
	}
	if s != nil && s.dead() && (res == nil || !errors.Is(s.why, script.ErrNoMore)) {
		s = nil // lost, or asked anew: it is called again
	}
	if s != nil && (res != nil || relative(hook) || hook.URL == s.hook.URL) {
		return s, nil
	}
	if s != nil {
		s.leave()
		delete(h.sessions, rec.ID)
	}
	return h.open(hook, rec)
}

// relative reports whether a document named a hook without a host: it means the
// application that the document came from.
func relative(hook call.Hook) bool {
	return hook.Name != "" && !strings.Contains(hook.Name, "://")
}

// open starts a session. h.mu is held.
func (h *Hub) open(hook call.Hook, rec call.Record) (*session, error) {
	switch {
	case h.closed:
		return nil, errClosed
	case len(h.sessions) >= MaxSessions:
		return nil, errMany
	}
	s := newSession(h, hook, rec)
	h.sessions[rec.ID] = s
	h.tasks.Go(func() {
		s.run()
		h.mu.Lock()
		defer h.mu.Unlock()
		// One whose application has left stays until the call ends, so that it is
		// not called again; a lost one makes room for the next try.
		if h.sessions[rec.ID] == s && (!errors.Is(s.why, script.ErrNoMore) || s.over()) {
			delete(h.sessions, rec.ID)
		}
	})
	return s, nil
}

// Leave ends the session of a call, which has gone on to another application.
func (h *Hub) Leave(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s := h.sessions[id]; s != nil {
		s.leave()
		delete(h.sessions, id)
	}
}

// Publish tells applications of an event of a call. It does not block.
func (h *Hub) Publish(ev call.Event) {
	if ev.Record == nil || ev.Record.API != h.cfg.Dialect.Name() {
		return
	}
	own, parent := h.listeners(*ev.Record)
	switch ev.Type {
	case call.EventVerb, call.EventVerbDone:
		if own != nil && ev.Record.Session.Notify {
			own.notify(verbStatus(own, ev))
		}
	case call.EventInitiated, call.EventRinging, call.EventEarly, call.EventAnswered, call.EventEnded:
		h.status(ev, own, parent)
	default:
		for _, o := range h.cfg.Dialect.Callback(ev) {
			if s := own; Serves(o.URL) {
				if s == nil {
					s = parent
				}
				typ := typeHook
				if ev.Type == call.EventQueueJoin || ev.Type == call.EventQueueLeave {
					if typ = typeQueue; s == nil {
						s = h.bystander(o.URL, *ev.Record)
					}
				}
				if s != nil {
					s.notify(&message{typ: typ, id: newID(), call: s.call, hook: hookName(o.URL, o.Name), data: o.JSON, trace: o.Trace, takes: o.Call})
				}
			}
		}
	}
	if ev.Type == call.EventEnded && own != nil {
		h.ended(own)
	}
}

// ended lets go of the session of a call that has ended.
func (h *Hub) ended(s *session) {
	s.end()
	if !s.dead() {
		return // it forgets itself
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.sessions[s.call] == s {
		delete(h.sessions, s.call)
	}
}

// listeners are the sessions of a call and of its parent; nil: none.
func (h *Hub) listeners(rec call.Record) (own, parent *session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	own = h.sessions[rec.ID]
	if rec.Parent != "" {
		parent = h.sessions[rec.Parent]
	}
	if own == nil && parent == nil && Serves(rec.Status.URL) && !rec.State.Final() {
		own, _ = h.open(rec.Status.Hook, rec) // too many: then nobody is told
	}
	return own, parent
}

// bystander is a session with an application that only hears of a call, which is
// asked over HTTP itself; nil: the call is over, or there are too many.
func (h *Hub) bystander(addr string, rec call.Record) *session {
	if rec.State.Final() {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	s, _ := h.open(call.Hook{URL: addr}, rec)
	return s
}

// status tells of a call's progress: every application that has a connection,
// whether it asked or not.
func (h *Hub) status(ev call.Event, listeners ...*session) {
	var told api.Outgoing
	for _, s := range listeners {
		if s == nil {
			continue
		}
		if told.JSON == nil {
			rec := *ev.Record // the event's own is shared
			rec.Status = call.StatusHook{Hook: call.Hook{URL: s.hook.URL}, Events: []call.EventType{ev.Type}}
			ev.Record = &rec
			out := h.cfg.Dialect.Callback(ev)
			if len(out) == 0 {
				return
			}
			told = out[0]
		}
		s.notify(&message{typ: typeCall, id: newID(), call: s.call, data: told.JSON, trace: told.Trace})
	}
}

// verbStatus is the message about the start or the end of a verb.
func verbStatus(s *session, ev call.Event) *message {
	var o js.Object
	what := "starting"
	if ev.Type == call.EventVerbDone {
		what = "finished"
	}
	o.Text("event", what)
	name, id, _ := strings.Cut(ev.Note, " ")
	o.Text("name", name)
	o.Some("id", id)
	o.Text("call_sid", ev.Record.ID)
	return &message{typ: typeVerb, id: newID(), call: s.call, data: js.Append(nil, o.Value())}
}

// hookName is a hook as its application knows it.
func hookName(addr, name string) string {
	if name != "" {
		return name
	}
	return public(addr)
}

// public is an address without what is secret or not sent.
func public(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "(unreadable URL)"
	}
	u.User, u.Fragment, u.RawFragment = nil, "", ""
	return u.String()
}
