package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"callbox/api"
	"callbox/call"
	"callbox/call/event"
	"callbox/call/trace"
)

// maxBody bounds a request's body in bytes: a whole configuration.
const maxBody = 4 << 20

// Line is a line and how it is.
type Line struct {
	ID     string          `json:"id"`
	Kind   call.Kind       `json:"kind"`
	Status call.LineStatus `json:"status"`
}

// Box is what the handlers ask of the running gateway.
type Box interface {
	// Lines lists the lines, sorted by id.
	Lines() []Line
	// Explain says in sentences how a call to this number or URI would be routed.
	Explain(to, from string) []string
	// Export gives the configuration as YAML; secrets only when asked for.
	Export(secrets bool) ([]byte, error)
	// Import checks a whole configuration and, unless dryRun, stores and applies
	// it. The lines of diff say what changes. The error is or wraps a
	// *ConflictError when the configuration is not the one that yaml was made from.
	Import(ctx context.Context, yaml []byte, dryRun bool) (diff []string, err error)
	// Account is the account that calls made by hand belong to.
	Account() string
	// NewRequest completes a call made by hand with an id and the dialect's name.
	NewRequest(r NewCall) (call.Request, error)
}

// Bans knows who gets no answer on SIP for having guessed passwords.
type Bans interface {
	// Bans lists those that hold, the newest first.
	Bans() []Ban
	// Unban lifts those of an address and tells how many there were.
	Unban(addr netip.Addr) int
}

// Ban is an address, or one user at an address, that gets no answer on SIP.
type Ban struct {
	Addr     netip.Addr `json:"addr"`           // of IPv6 the first of its /64
	User     string     `json:"user,omitempty"` // empty: everybody there but the users that have answered right
	Since    time.Time  `json:"since"`
	Until    time.Time  `json:"until"`
	Failures int        `json:"failures"` // wrong answers that earned it
	Dropped  uint64     `json:"dropped"`  // requests that it kept away
}

// Mailboxes knows how many voice messages wait for the users of the box.
type Mailboxes interface {
	// AllWaiting tells it of every user, by name.
	AllWaiting() map[string]api.Waiting
	// SetAnyWaiting keeps it for a user. The error is or wraps call.ErrNotFound or an
	// *api.InvalidError.
	SetAnyWaiting(ctx context.Context, user string, w api.Waiting) error
}

// Tolls knows what calls have cost.
type Tolls interface {
	// Tolls lists what was used today: for each guard, then for each other account
	// and line of today's calls.
	Tolls() []Toll
}

// Toll is what the calls of an account, of a line, or of the whole box (neither)
// have used today, and may use. A bound that is left out is none.
type Toll struct {
	Account    string  `json:"account,omitempty"`
	Line       string  `json:"line,omitempty"`
	Calls      int     `json:"calls"` // up now
	Seconds    float64 `json:"seconds"`
	Spend      string  `json:"spend"` // "0.60"
	Guard      bool    `json:"guard"` // the configuration has one for these
	MaxCalls   int     `json:"max_calls,omitempty"`
	MaxMinutes int     `json:"max_minutes,omitempty"`
	MaxSpend   string  `json:"max_spend,omitempty"`
	// What was used this calendar month, and text messages as the network counts them.
	MonthSeconds    float64 `json:"month_seconds"`
	MaxMonthMinutes int     `json:"max_month_minutes,omitempty"`
	Texts           int     `json:"texts"`
	MaxTexts        int     `json:"max_texts,omitempty"`
	MonthTexts      int     `json:"month_texts"`
	MaxMonthTexts   int     `json:"max_month_texts,omitempty"`
}

// NewCall asks for a call by hand.
type NewCall struct {
	From    string `json:"from"`
	To      string `json:"to"`
	Line    string `json:"line,omitempty"` // over which it is called; empty: as the routes say
	URL     string `json:"url,omitempty"`
	Twiml   string `json:"twiml,omitempty"`
	Timeout int    `json:"timeout,omitempty"` // seconds of ringing
	Record  bool   `json:"record,omitempty"`
}

// Event is one line of the event stream.
type Event struct {
	Type      call.EventType  `json:"type"`
	At        time.Time       `json:"at"`
	Seq       int             `json:"seq"`
	Note      string          `json:"note,omitempty"`
	Record    call.Record     `json:"record"`
	Recording *call.Recording `json:"recording,omitempty"`
}

// Failure is the body of every answer that is not a success.
type Failure struct {
	Error string `json:"error"`
}

// ConflictError refuses a change because somebody else made one meanwhile.
type ConflictError struct{ Err error }

func (e *ConflictError) Error() string { return e.Err.Error() }

// Unwrap is what was in the way.
func (e *ConflictError) Unwrap() error { return e.Err }

// Handler serves the control interface.
type Handler struct {
	calls api.Calls
	bus   *event.Bus
	box   Box
	trace Tracer
	mux   *http.ServeMux
}

// Tracer remembers what was said on the lines; *trace.Ring is one.
type Tracer interface {
	// Call gives what is remembered of a call, oldest first; dialogs are those that
	// its record names.
	Call(id string, dialogs ...string) []trace.Entry
}

// NewHandler makes the server side; metrics is served at /metrics.
func NewHandler(calls api.Calls, bus *event.Bus, box Box, tracer Tracer, metrics http.Handler) *Handler {
	h := &Handler{calls: calls, bus: bus, box: box, trace: tracer, mux: http.NewServeMux()}
	h.mux.HandleFunc("POST /v1/calls", h.create)
	h.mux.HandleFunc("GET /v1/calls", h.list)
	h.mux.HandleFunc("GET /v1/calls/{id}", h.get)
	h.mux.HandleFunc("GET /v1/calls/{id}/trace", h.traceOf)
	h.mux.HandleFunc("DELETE /v1/calls/{id}", h.hangup)
	h.mux.HandleFunc("GET /v1/events", h.events)
	h.mux.HandleFunc("GET /v1/lines", h.lines)
	if b, ok := box.(Bans); ok {
		h.mux.HandleFunc("GET /v1/bans", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, b.Bans()) })
		h.mux.HandleFunc("DELETE /v1/bans/{addr}", func(w http.ResponseWriter, r *http.Request) { unban(w, r, b) })
	}
	if m, ok := box.(Mailboxes); ok {
		h.mux.HandleFunc("GET /v1/messages", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, m.AllWaiting()) })
		h.mux.HandleFunc("PUT /v1/messages/{user}", func(w http.ResponseWriter, r *http.Request) { setMessages(w, r, m) })
	}
	if t, ok := box.(Tolls); ok {
		h.mux.HandleFunc("GET /v1/tolls", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, t.Tolls()) })
	}
	if c, ok := box.(Capturer); ok {
		h.mux.HandleFunc("GET /v1/calls/{id}/capture", func(w http.ResponseWriter, r *http.Request) { h.capture(w, r, c) })
	}
	if t, ok := box.(Texts); ok {
		h.handleTexts(t)
	}
	if f, ok := box.(Flash); ok {
		h.handleFlash(f)
	}
	if b, ok := box.(Hardware); ok {
		h.handleHardware(b)
	}
	if m, ok := box.(Modems); ok {
		h.handleModems(m)
	}
	if s, ok := box.(Sims); ok {
		h.handleSims(s)
	}
	h.mux.HandleFunc("GET /v1/route", h.route)
	h.mux.HandleFunc("GET /v1/config", h.export)
	h.mux.HandleFunc("PUT /v1/config", h.importConfig)
	h.mux.Handle("GET /metrics", metrics)
	return h
}

// ServeHTTP serves one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	h.mux.ServeHTTP(w, r)
}

func (h *Handler) create(w http.ResponseWriter, r *http.Request) {
	var n NewCall
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&n); err != nil {
		fail(w, http.StatusBadRequest, fmt.Errorf("read the request: %w", err))
		return
	}
	if n.From == "" || n.To == "" || (n.URL == "") == (n.Twiml == "") {
		fail(w, http.StatusBadRequest, errors.New("a call needs from, to, and either url or twiml"))
		return
	}
	req, err := h.box.NewRequest(n)
	if err != nil {
		fail(w, http.StatusBadRequest, err)
		return
	}
	rec, _, err := h.calls.Create(r.Context(), req)
	if err != nil {
		fail(w, status(err), err)
		return
	}
	answer(w, http.StatusCreated, rec)
}

func (h *Handler) list(w http.ResponseWriter, r *http.Request) {
	f := call.Filter{Account: h.box.Account(), Cursor: r.FormValue("cursor")}
	if l := r.FormValue("limit"); l != "" {
		n, err := strconv.Atoi(l)
		if err != nil || n < 1 || n > 1000 {
			fail(w, http.StatusBadRequest, errors.New("limit must be 1 to 1000"))
			return
		}
		f.Limit = n
	}
	p, err := h.calls.Calls(r.Context(), f)
	if err != nil {
		fail(w, status(err), err)
		return
	}
	answer(w, http.StatusOK, p)
}

func (h *Handler) get(w http.ResponseWriter, r *http.Request) {
	rec, err := h.calls.Call(r.Context(), h.box.Account(), r.PathValue("id"))
	if err != nil {
		fail(w, status(err), err)
		return
	}
	answer(w, http.StatusOK, rec)
}

// traceOf gives what is remembered of a call; the record may be gone already.
func (h *Handler) traceOf(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	var dialogs []string
	rec, err := h.calls.Call(r.Context(), h.box.Account(), id)
	if err == nil && rec.SIPCallID != "" {
		dialogs = append(dialogs, rec.SIPCallID)
	}
	entries := h.trace.Call(id, dialogs...)
	if err != nil && len(entries) == 0 {
		fail(w, status(err), err)
		return
	}
	answer(w, http.StatusOK, entries)
}

func (h *Handler) hangup(w http.ResponseWriter, r *http.Request) {
	rec, err := h.calls.Modify(r.Context(), h.box.Account(), r.PathValue("id"), call.Change{Complete: true})
	if err != nil {
		fail(w, status(err), err)
		return
	}
	answer(w, http.StatusOK, rec)
}

// events streams events as lines of JSON until the client goes away or, with
// call=ID, that call has ended.
func (h *Handler) events(w http.ResponseWriter, r *http.Request) {
	id := r.FormValue("call")
	sub := h.bus.Subscribe(event.Filter{}, 0)
	defer sub.Close()
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.WriteHeader(http.StatusOK)
	flush := http.NewResponseController(w)
	if flush.Flush() != nil {
		return
	}
	enc := json.NewEncoder(w)
	for {
		select {
		case <-r.Context().Done():
			return
		case ev, ok := <-sub.C():
			if !ok {
				return
			}
			if id != "" && ev.Record.ID != id && ev.Record.Parent != id {
				continue
			}
			out := Event{Type: ev.Type, At: ev.At, Seq: ev.Seq, Note: ev.Note, Record: *ev.Record, Recording: ev.Recording}
			if enc.Encode(out) != nil || flush.Flush() != nil {
				return
			}
		}
	}
}

func (h *Handler) lines(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, h.box.Lines())
}

func unban(w http.ResponseWriter, r *http.Request, b Bans) {
	addr, err := netip.ParseAddr(r.PathValue("addr"))
	if err != nil {
		fail(w, http.StatusBadRequest, fmt.Errorf("%q is not an IP address", r.PathValue("addr")))
		return
	}
	answer(w, http.StatusOK, b.Unban(addr))
}

func setMessages(w http.ResponseWriter, r *http.Request, m Mailboxes) {
	var n api.Waiting
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&n); err != nil {
		fail(w, http.StatusBadRequest, fmt.Errorf("read the request: %w", err))
		return
	}
	if err := m.SetAnyWaiting(r.Context(), r.PathValue("user"), n); err != nil {
		code := status(err)
		if invalid := (*api.InvalidError)(nil); errors.As(err, &invalid) {
			code = http.StatusBadRequest
		}
		fail(w, code, err)
		return
	}
	answer(w, http.StatusOK, n)
}

func (h *Handler) route(w http.ResponseWriter, r *http.Request) {
	if r.FormValue("to") == "" {
		fail(w, http.StatusBadRequest, errors.New("say which number: ?to="))
		return
	}
	answer(w, http.StatusOK, h.box.Explain(r.FormValue("to"), r.FormValue("from")))
}

func (h *Handler) export(w http.ResponseWriter, r *http.Request) {
	b, err := h.box.Export(r.FormValue("secrets") == "true")
	if err != nil {
		fail(w, http.StatusInternalServerError, err)
		return
	}
	w.Header().Set("Content-Type", "application/yaml")
	w.Write(b) //nolint:errcheck // the client went away
}

func (h *Handler) importConfig(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		fail(w, http.StatusRequestEntityTooLarge, fmt.Errorf("read the configuration: %w", err))
		return
	}
	diff, err := h.box.Import(r.Context(), b, r.FormValue("dry-run") == "true")
	if err != nil {
		code := http.StatusUnprocessableEntity
		if conflict := (*ConflictError)(nil); errors.As(err, &conflict) {
			code = http.StatusConflict
		}
		fail(w, code, err)
		return
	}
	answer(w, http.StatusOK, diff)
}

// status is the HTTP status of what the engine or the store refused.
func status(err error) int {
	var toll *call.TollError
	switch {
	case errors.Is(err, call.ErrNotFound):
		return http.StatusNotFound
	case errors.Is(err, call.ErrEnded), errors.Is(err, call.ErrWrongState), errors.Is(err, call.ErrNotEnded):
		return http.StatusConflict
	case errors.As(err, &toll):
		return http.StatusForbidden
	case errors.Is(err, call.ErrLimit), errors.Is(err, call.ErrStopping):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

func answer(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(v) //nolint:errcheck // the client went away
}

func fail(w http.ResponseWriter, code int, err error) {
	answer(w, code, Failure{Error: err.Error()})
}
