package laml

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"callbox/api"
	"callbox/api/laml/twiml"
	"callbox/call"
)

// ReadCreate reads a Create Call.
func (s rest) ReadCreate(q *api.Request) (call.Request, error) {
	form, err := readForm(q.Request)
	if err != nil {
		return call.Request{}, err
	}
	req, err := s.readCreate(form, q.Warn)
	if err != nil {
		return req, err
	}
	return req, s.mayShow(q, &req)
}

// mayShow refuses a call to a phone number that would show another number than
// the account may.
func (s rest) mayShow(q *api.Request, req *call.Request) error {
	name, shown := "CallerId", req.CallerID
	if shown == "" {
		name, shown = "From", req.From
	}
	if req.Token != "" {
		from, ok := tokenCaller(q.Account.Token, req.Token, time.Now())
		switch {
		case !ok:
			q.Warn("CallToken was ignored: it is none that this box gave this account during the last 24 hours")
		case from == shown:
			return nil
		}
	}
	if s.h.Callers == nil || !isNumber(shown) || !isNumber(req.To) {
		return nil
	}
	line := req.Line
	if s.h.Lines != nil {
		if id, ok := s.h.Lines.Line(q.Account.ID, line); ok {
			line = id
		}
	}
	if s.h.Callers.MayShow(q.Account.ID, shown, req.To, line) {
		return nil
	}
	return refuse(CodeNotOwned, "%s %s is no number of this account: add it as an IncomingPhoneNumber or to the box's caller_ids, or give the CallToken of the call that is forwarded", name, shown)
}

// isNumber reports whether a party of a request is a phone number.
func isNumber(party string) bool {
	a, problem := twiml.ParseAddress(party)
	return problem == nil && a.Kind == twiml.NumberAddress
}

// ReadFilter reads what a list of calls asks for.
func (s rest) ReadFilter(q *api.Request) (call.Filter, error) {
	form, err := readForm(q.Request)
	if err != nil {
		return call.Filter{}, err
	}
	return s.readFilter(form, q.Warn)
}

// ReadChange reads a change of a call.
func (s rest) ReadChange(q *api.Request, rec call.Record) (call.Change, error) {
	form, err := readForm(q.Request)
	if err != nil {
		return call.Change{}, err
	}
	return s.readChange(form, rec, q.Warn)
}

// ReadRecordings reads what a list of recordings asks for.
func (s rest) ReadRecordings(q *api.Request) (call.RecordingFilter, error) {
	form, err := readForm(q.Request)
	if err != nil {
		return call.RecordingFilter{}, err
	}
	return s.readRecordingFilter(form, q.Warn)
}

// WriteCall answers with one call.
func (s rest) WriteCall(w http.ResponseWriter, q *api.Request, rec call.Record, created bool) {
	status := http.StatusOK
	if created {
		status = s.p.CreatedStatus
	}
	s.write(w, q.Request, Answer{status, "Call", s.callItem(rec, created, s.numberIDs(q.Account.ID))})
}

// WriteCalls answers with a page of calls.
func (s rest) WriteCalls(w http.ResponseWriter, q *api.Request, _ call.Filter, p call.Page) {
	s.writePage(w, q, "Call", "calls", s.callItems(q, p.Records), s.envelopeOf(q.Request, s.p.Tables.List, len(p.Records), p.Next, p.Previous))
}

// viewOf is what the fields of x, which is at the path below its account, are made of.
func viewOf[T any](d *Dialect, x T, account, below string) View[T] {
	return View[T]{X: x, Account: d.sid(account), Path: d.accountPath(account) + below, p: &d.p}
}

// numberIDs are the ids of the account's numbers.
func (s rest) numberIDs(account string) map[string]string {
	if s.h.Numbers == nil {
		return nil
	}
	ids := map[string]string{}
	for _, n := range s.h.Numbers.List(account) {
		ids[n.Number] = n.ID
	}
	return ids
}

// callItem is a call in JSON; numbers are the ids of its account's.
func (s rest) callItem(rec call.Record, created bool, numbers map[string]string) any {
	v := viewOf(s.Dialect, rec, rec.Account, "/Calls/"+rec.ID)
	v.Created, v.Number = created, numbers[rec.From]
	if rec.Direction == call.Inbound {
		v.Number = numbers[rec.To]
	}
	return s.p.Shapes.Call.render(callFields, v)
}

func (s rest) callItems(q *api.Request, list []call.Record) []any {
	items, numbers := make([]any, len(list)), s.numberIDs(q.Account.ID)
	for i, rec := range list {
		items[i] = s.callItem(rec, false, numbers)
	}
	return items
}

// WriteRecording answers with one recording.
func (s rest) WriteRecording(w http.ResponseWriter, q *api.Request, r call.Recording) {
	s.write(w, q.Request, Answer{http.StatusOK, "Recording", s.recordingItem(q, r)})
}

func (s rest) recordingItem(q *api.Request, r call.Recording) any {
	v := viewOf(s.Dialect, r, r.Account, "/Recordings/"+r.ID)
	v.Media = s.recordingURL(s.baseOf(q.Request), r)
	return s.p.Shapes.Recording.render(recordingFields, v)
}

func (s rest) recordingItems(q *api.Request, list []call.Recording) []any {
	items := make([]any, len(list))
	for i, r := range list {
		items[i] = s.recordingItem(q, r)
	}
	return items
}

// WriteRecordings answers with a page of recordings.
func (s rest) WriteRecordings(w http.ResponseWriter, q *api.Request, _ call.RecordingFilter, p call.RecordingPage) {
	s.writePage(w, q, "Recording", "recordings", s.recordingItems(q, p.Recordings),
		s.envelopeOf(q.Request, s.p.Tables.ListRecordings, len(p.Recordings), p.Next, p.Previous))
}

// writePage answers with one page of a list.
func (s rest) writePage(w http.ResponseWriter, q *api.Request, element, key string, items []any, envelope any) {
	s.write(w, q.Request, Answer{http.StatusOK, element, Page{Envelope: envelope, Key: key, Items: items}})
}

// baseOf is the address at which the client of r reaches the box.
func (s rest) baseOf(r *http.Request) string {
	if r.TLS != nil { // it must not be sent to another address without TLS
		return "https://" + r.Host
	}
	if base := s.cfg.BaseURL(); base != "" {
		return base
	}
	return "http://" + r.Host
}

// WriteError answers with what err means.
func (s rest) WriteError(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err, r.URL.Path)
	if p.Code == CodeInternal {
		s.h.Logger().Error("api request failed", "dialect", s.p.Name, "path", r.URL.Path, "err", err)
	}
	var throttle *api.ThrottledError
	switch {
	case errors.As(err, &throttle):
		w.Header().Set("Retry-After", strconv.Itoa(throttle.Seconds()))
	case p.Code == CodeUnauthorized:
		w.Header().Set("WWW-Authenticate", `Basic realm="`+s.p.Realm+`"`)
	}
	s.write(w, r, s.p.Shapes.Error(p, r))
}
