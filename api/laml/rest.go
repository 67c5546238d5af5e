package laml

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"callbox/api"
	"callbox/call"
)

// rest is a dialect's REST face: a path table, and the shapes that the shared
// handlers read and write through.
type rest struct {
	*Dialect
	h *api.Handlers
}

var (
	_ api.CallShape      = rest{}
	_ api.RecordingShape = rest{}
)

// Mount gives the dialect's part of the address space, served by h.
func (d *Dialect) Mount(h *api.Handlers) api.Mount {
	s := rest{d, h}
	return api.Mount{
		Name:    d.p.Name,
		Prefix:  d.p.Base + "/",
		Claims:  func(r *http.Request) bool { return d.p.Claims(d.pathAccount(r.URL.Path)) },
		Handler: http.HandlerFunc(s.serve),
		Fail:    s.WriteError,
	}
}

// act is what a route does.
type act func(s rest, w http.ResponseWriter, q *api.Request)

// route is one row of the path table: what follows "Accounts/{account}", with
// {call} and {recording} standing for ids, and the suffixes it is known by.
type route struct {
	path     string
	suffixes []string
	acts     map[string]act // by method
}

var (
	plainOrJSON = []string{"", ".json"}
	onlyJSON    = []string{".json"}
	sound       = []string{"", ".wav"}
)

// routes is the path table of the family. A path without a suffix means JSON,
// except that of a recording, which means its sound.
var routes = []route{
	{"", plainOrJSON, map[string]act{"GET": rest.account}},
	{"Calls", plainOrJSON, map[string]act{
		"POST": func(s rest, w http.ResponseWriter, q *api.Request) { s.h.CreateCall(w, q, s) },
		"GET":  func(s rest, w http.ResponseWriter, q *api.Request) { s.h.ListCalls(w, q, s) },
	}},
	{"Calls/{call}", plainOrJSON, map[string]act{
		"GET":    func(s rest, w http.ResponseWriter, q *api.Request) { s.h.FetchCall(w, q, s) },
		"POST":   func(s rest, w http.ResponseWriter, q *api.Request) { s.h.UpdateCall(w, q, s) },
		"DELETE": func(s rest, w http.ResponseWriter, q *api.Request) { s.h.DeleteCall(w, q, s) },
	}},
	{"Calls/{call}/Recordings", plainOrJSON, listRecordings},
	{"Calls/{call}/Recordings/{recording}", onlyJSON, oneRecording},
	{"Calls/{call}/Recordings/{recording}", sound, recordingSound},
	{"Recordings", plainOrJSON, listRecordings},
	{"Recordings/{recording}", onlyJSON, oneRecording},
	{"Recordings/{recording}", sound, recordingSound},
}

var (
	listRecordings = map[string]act{
		"GET": func(s rest, w http.ResponseWriter, q *api.Request) { s.h.ListRecordings(w, q, s) },
	}
	oneRecording = map[string]act{
		"GET":    func(s rest, w http.ResponseWriter, q *api.Request) { s.h.FetchRecording(w, q, s) },
		"DELETE": func(s rest, w http.ResponseWriter, q *api.Request) { s.h.DeleteRecording(w, q, s) },
	}
	recordingSound = map[string]act{
		"GET":    func(s rest, w http.ResponseWriter, q *api.Request) { s.h.RecordingAudio(w, q, s) },
		"HEAD":   func(s rest, w http.ResponseWriter, q *api.Request) { s.h.RecordingAudio(w, q, s) },
		"DELETE": func(s rest, w http.ResponseWriter, q *api.Request) { s.h.DeleteRecording(w, q, s) },
	}
)

// pathAccount is the account id in a path, empty when there is none.
func (d *Dialect) pathAccount(path string) string {
	rest, ok := strings.CutPrefix(path, d.p.Base+"/Accounts/")
	if !ok {
		return ""
	}
	id, _, _ := strings.Cut(rest, "/")
	return strings.TrimSuffix(id, ".json")
}

// serve answers one request: first who asks, then what for.
func (s rest) serve(w http.ResponseWriter, r *http.Request) {
	id := s.pathAccount(r.URL.Path)
	if id == "" {
		s.WriteError(w, r, api.ErrNoPath)
		return
	}
	account, err := s.h.Auth.Basic(r, id)
	if err != nil {
		s.WriteError(w, r, err)
		return
	}
	q := &api.Request{Request: r, Account: account}
	path := strings.TrimPrefix(r.URL.Path, s.accountPath(id))
	rt := findRoute(path, q)
	if rt == nil {
		s.WriteError(w, r, api.ErrNoPath)
		return
	}
	do, ok := rt.acts[r.Method]
	if !ok {
		var allow []string
		for m := range rt.acts {
			allow = append(allow, m)
		}
		slices.Sort(allow)
		w.Header().Set("Allow", strings.Join(allow, ", "))
		s.WriteError(w, r, api.ErrMethod)
		return
	}
	do(s, w, q)
}

// findRoute finds the row for what follows the account in a path, and puts the
// ids into q. Nil: there is none.
func findRoute(path string, q *api.Request) *route {
	path, suffix := strings.TrimPrefix(path, "/"), ""
	if i := strings.LastIndexByte(path, '.'); i >= 0 && i > strings.LastIndexByte(path, '/') {
		path, suffix = path[:i], path[i:]
	}
	for i := range routes {
		if !slices.Contains(routes[i].suffixes, suffix) {
			continue
		}
		if matchPath(routes[i].path, path, q) {
			return &routes[i]
		}
	}
	return nil
}

// matchPath matches a path with a row of the table.
func matchPath(pattern, path string, q *api.Request) bool {
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return false
	}
	var callID, recordingID string
	for i := range want {
		switch want[i] {
		case "{call}":
			callID = got[i]
		case "{recording}":
			recordingID = got[i]
		default:
			if want[i] != got[i] {
				return false
			}
			continue
		}
		if got[i] == "" || len(got[i]) > 64 {
			return false
		}
	}
	q.Call, q.Recording = callID, recordingID
	return true
}

// account answers with the account; clients fetch it to test their credentials.
func (s rest) account(w http.ResponseWriter, q *api.Request) {
	s.writeJSON(w, http.StatusOK, s.p.Account(q.Account))
}

// ReadCreate reads a Create Call.
func (s rest) ReadCreate(q *api.Request) (call.Request, error) {
	form, err := readForm(q.Request)
	if err != nil {
		return call.Request{}, err
	}
	return s.readCreate(form, q.Warn)
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
func (s rest) WriteCall(w http.ResponseWriter, _ *api.Request, rec call.Record, created bool) {
	status := http.StatusOK
	if created {
		status = s.p.CreatedStatus
	}
	s.writeJSON(w, status, s.p.Call(rec, created))
}

// WriteCalls answers with a page of calls.
func (s rest) WriteCalls(w http.ResponseWriter, q *api.Request, _ call.Filter, p call.Page) {
	page := callPage{envelope: s.envelopeOf(q.Request, s.p.List, len(p.Records), p.Next, p.Previous), Calls: []any{}}
	for _, rec := range p.Records {
		page.Calls = append(page.Calls, s.p.Call(rec, false))
	}
	s.writeJSON(w, http.StatusOK, page)
}

// WriteRecording answers with one recording.
func (s rest) WriteRecording(w http.ResponseWriter, q *api.Request, r call.Recording) {
	s.writeJSON(w, http.StatusOK, s.p.Recording(r, s.recordingURL(s.baseOf(q.Request), r)))
}

// WriteRecordings answers with a page of recordings.
func (s rest) WriteRecordings(w http.ResponseWriter, q *api.Request, _ call.RecordingFilter, p call.RecordingPage) {
	page := recordingPage{envelope: s.envelopeOf(q.Request, s.p.ListRecordings, len(p.Recordings), p.Next, p.Previous), Recordings: []any{}}
	for _, r := range p.Recordings {
		page.Recordings = append(page.Recordings, s.p.Recording(r, s.recordingURL(s.baseOf(q.Request), r)))
	}
	s.writeJSON(w, http.StatusOK, page)
}

// baseOf is the address at which the client of r reaches the box.
func (s rest) baseOf(r *http.Request) string {
	if base := s.base(); base != "" {
		return base
	}
	if r.TLS != nil {
		return "https://" + r.Host
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
	s.writeJSON(w, p.Status(), errorBody{p.Code, p.Message, s.p.MoreInfo + strconv.Itoa(int(p.Code)), p.Status()})
}

// writeJSON answers with v.
func (s rest) writeJSON(w http.ResponseWriter, status int, v any) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		s.h.Logger().Error("api answer could not be encoded", "dialect", s.p.Name, "err", err)
		http.Error(w, api.ErrInternal.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // a client that has left needs no answer
}
