package api

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"callbox/call"
)

// Handlers are what every call API does with calls and recordings, whatever its
// shape. The dialect reads requests and writes answers through [CallShape] and
// [RecordingShape]. All methods may be called concurrently.
type Handlers struct {
	Calls      Calls
	Recordings Recordings
	Live       Live
	Accounts   Accounts
	Lines      Lines    // nil: no request can name a line
	Prices     Prices   // nil: calls cost nothing
	Budgets    Budgets  // nil: nothing bounds what calls cost
	Messages   Messages // nil: no line sends text messages
	Callers    Callers  // nil: calls may show any number
	// Conferences and queues; nil, all of them: there are none.
	Conferences  Conferences
	Participants Participants
	Queues       Settings[call.Queue]
	QueueMembers QueueMembers
	// What customers set up; nil: not at all through the call APIs.
	Applications Settings[Application]
	Numbers      Settings[Number]
	Keys         Settings[Key]
	Users        Settings[User]
	Carriers     Settings[Carrier]
	LineStates   LineStates      // nil: nobody knows how lines are
	Setups       Settings[Setup] // of the account itself: one, which is neither made nor deleted
	CallerIDs    Settings[CallerID]
	Lists        Settings[CredentialList]
	Domains      Settings[SIPDomain]
	Auth         *Auth
	Alerts       Alerts       // nil: none are kept
	Teller       Teller       // nil: the box sends no requests within calls
	Log          *slog.Logger // nil: no log
}

// Logger is Log, or one that drops everything.
func (h *Handlers) Logger() *slog.Logger {
	if h.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return h.Log
}

// Request is one request of a call API whose account is known.
type Request struct {
	*http.Request
	Account   Account
	Call      string // id of the call in the path, may be empty
	Recording string // id of the recording in the path, may be empty
	Item      string // id of what else the path names, may be empty
	Parent    string // id of what that belongs to, may be empty
	// Warnings are sentences about what was ignored in the request. They are
	// logged, and named to the client in the header "Callbox-Warning".
	Warnings []string
}

// Warn adds a sentence about something that is ignored.
func (q *Request) Warn(sentence string) {
	if len(q.Warnings) < maxRequestWarnings {
		q.Warnings = append(q.Warnings, sentence)
	}
}

const (
	maxRequestWarnings = 10
	// actTime bounds an act once it was accepted; it goes on when the client
	// leaves, so that nothing is half done.
	actTime = 15 * time.Second
)

// CallShape is how a dialect reads requests about calls and writes the answers.
// Read errors go to WriteError as they are.
type CallShape interface {
	// ReadCreate reads a Create Call, with its id already made. A set Application
	// or Line is looked up afterwards.
	ReadCreate(q *Request) (call.Request, error)
	// ReadFilter reads what a list asks for; the account is filled in afterwards.
	ReadFilter(q *Request) (call.Filter, error)
	// ReadChange reads a change of the call that rec describes.
	ReadChange(q *Request, rec call.Record) (call.Change, error)
	// WriteCall answers with one call; created tells the answer to a create.
	WriteCall(w http.ResponseWriter, q *Request, rec call.Record, created bool)
	// WriteCalls answers with a page of calls.
	WriteCalls(w http.ResponseWriter, q *Request, f call.Filter, p call.Page)
	ErrorShape
}

// CreateCall makes a call. An Idempotency-Key or I-Twilio-Idempotency-Token
// header makes a repeated request answer with the first call, marked by the
// header "Idempotent-Replayed: true".
func (h *Handlers) CreateCall(w http.ResponseWriter, q *Request, s CallShape) {
	key, err := idempotencyKey(q.Header)
	if err != nil {
		s.WriteError(w, q.Request, err)
		return
	}
	req, err := s.ReadCreate(q)
	if err == nil {
		req.Account, req.Idempotency, req.Warnings = q.Account.ID, key, q.Warnings
		err = h.resolve(q.Account.ID, &req)
	}
	h.TellWarnings(w, q)
	if err != nil {
		s.WriteError(w, q.Request, err)
		return
	}
	ctx, cancel := ActContext(q)
	defer cancel()
	rec, replayed, err := h.Calls.Create(ctx, req)
	if err != nil {
		s.WriteError(w, q.Request, err)
		return
	}
	if replayed {
		w.Header().Set("Idempotent-Replayed", "true")
	}
	s.WriteCall(w, q, rec, true)
}

// resolve replaces the names in req by what they stand for on this box. An
// application's hooks replace those of the request.
func (h *Handlers) resolve(account string, req *call.Request) error {
	if req.Application != "" {
		app, ok := h.Accounts.Application(account, req.Application)
		if !ok || app.Script.IsZero() {
			return ErrNoApplication
		}
		req.Script, req.Status = app.Script, app.Status
		req.Session.Speech = req.Session.Speech.With(app.Speech)
		req.Session.Env = cmp.Or(app.Env, req.Session.Env)
	}
	if req.Line != "" {
		if h.Lines == nil {
			return ErrNoLine
		}
		line, ok := h.Lines.Line(account, req.Line)
		if !ok {
			return ErrNoLine
		}
		req.Line = line
	}
	if req.MaxPrice != nil && h.Prices != nil {
		if price := h.Prices.PerMinute(req.To, req.Line); price > *req.MaxPrice {
			return &PriceError{price}
		}
	}
	return nil
}

// FetchCall answers with the call that the path names.
func (h *Handlers) FetchCall(w http.ResponseWriter, q *Request, s CallShape) {
	rec, err := h.Calls.Call(q.Context(), q.Account.ID, q.Call)
	if err != nil {
		s.WriteError(w, q.Request, err)
		return
	}
	s.WriteCall(w, q, rec, false)
}

// ListCalls answers with a page of the account's calls, newest first.
func (h *Handlers) ListCalls(w http.ResponseWriter, q *Request, s CallShape) {
	f, err := s.ReadFilter(q)
	h.TellWarnings(w, q)
	if err != nil {
		s.WriteError(w, q.Request, err)
		return
	}
	f.Account = q.Account.ID
	page, err := h.Calls.Calls(q.Context(), f)
	if err != nil {
		s.WriteError(w, q.Request, err)
		return
	}
	s.WriteCalls(w, q, f, page)
}

// UpdateCall changes the call that the path names. An unknown call is told
// before anything in the request is looked at.
func (h *Handlers) UpdateCall(w http.ResponseWriter, q *Request, s CallShape) {
	rec, err := h.Calls.Call(q.Context(), q.Account.ID, q.Call)
	if err != nil {
		s.WriteError(w, q.Request, err)
		return
	}
	change, err := s.ReadChange(q, rec)
	h.TellWarnings(w, q)
	if err == nil && rec.State.Final() {
		err = call.ErrEnded
	}
	if err != nil {
		s.WriteError(w, q.Request, err)
		return
	}
	ctx, cancel := ActContext(q)
	defer cancel()
	rec, err = h.Calls.Modify(ctx, q.Account.ID, q.Call, change)
	if err != nil {
		s.WriteError(w, q.Request, err)
		return
	}
	s.WriteCall(w, q, rec, false)
}

// DeleteCall deletes the record of a call that has ended, and answers 204.
func (h *Handlers) DeleteCall(w http.ResponseWriter, q *Request, s CallShape) {
	ctx, cancel := ActContext(q)
	defer cancel()
	if err := h.Calls.Delete(ctx, q.Account.ID, q.Call); err != nil {
		s.WriteError(w, q.Request, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// EndCall hangs up the call that the path names, forgets it when it has ended
// already, and answers 204.
func (h *Handlers) EndCall(w http.ResponseWriter, q *Request, s ErrorShape) {
	ctx, cancel := ActContext(q)
	defer cancel()
	_, err := h.Calls.Modify(ctx, q.Account.ID, q.Call, call.Change{Complete: true})
	if errors.Is(err, call.ErrEnded) {
		err = h.Calls.Delete(ctx, q.Account.ID, q.Call)
	}
	if err != nil {
		s.WriteError(w, q.Request, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// ActContext is the context of an act that must not be left half done because
// the client hung up.
func ActContext(q *Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(q.Context()), actTime)
}

// TellWarnings logs what was ignored in the request and names it to the client.
func (h *Handlers) TellWarnings(w http.ResponseWriter, q *Request) {
	for _, sentence := range q.Warnings {
		h.Logger().Info("api request has a part that is ignored", "account", q.Account.ID, "warning", sentence)
		w.Header().Add("Callbox-Warning", headerText(sentence))
	}
}

// headerText is s as it may stand in a header: visible ASCII and spaces.
func headerText(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '?'
		}
	}
	return string(b)
}

// idempotencyKey gives the key that marks repeats of a request, empty when the
// client sent none.
func idempotencyKey(h http.Header) (string, error) {
	for _, name := range []string{"Idempotency-Key", "I-Twilio-Idempotency-Token"} {
		if _, ok := h[http.CanonicalHeaderKey(name)]; !ok {
			continue
		}
		key := h.Get(name)
		if key == "" || len(key) > 255 {
			return "", ErrIdempotencyKey
		}
		for i := range len(key) {
			if key[i] < '!' || key[i] > '~' {
				return "", ErrIdempotencyKey
			}
		}
		return key, nil
	}
	return "", nil
}
