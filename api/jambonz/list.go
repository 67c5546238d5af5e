package jambonz

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"callbox/api"
	"callbox/api/jambonz/js"
	"callbox/api/jambonz/shape"
	"callbox/call"
)

const (
	// remembered is how long a call that has ended stays in the list of calls;
	// after that it is among the recent ones only (call-api.md §2.6).
	remembered = time.Hour
	// listLimit is how many of the newest calls are looked at for a list.
	listLimit = 1000
)

// callStatuses are the values of call_status and the states that they may stand
// for.
var callStatuses = map[string][]call.State{
	"trying": {call.Queued, call.Dialing}, "ringing": {call.Ringing}, "early-media": {call.Ringing}, "in-progress": {call.InProgress},
	"completed": {call.Completed}, "failed": {call.Failed, call.Busy, call.NoAnswer}, "busy": {call.Busy, call.Failed},
	"no-answer": {call.NoAnswer, call.Canceled}, "queued": {call.Queued, call.Dialing},
}

// callFilters are the parameters of a list of calls.
var callFilters = []string{"direction", "from", "to", "callStatus"}

// ReadFilter reads what a list of calls asks for. Only a status that is one
// state of the box narrows the search itself; the rest is left to WriteCalls,
// which compares what the client sees.
func (s rest) ReadFilter(q *api.Request) (call.Filter, error) {
	f := call.Filter{Limit: listLimit}
	values := q.URL.Query()
	for _, name := range unknownParams(values, callFilters) {
		q.Warn(name + " is not a filter of this list and was ignored")
	}
	if d := values.Get("direction"); d != "" && d != "inbound" && d != "outbound" {
		return f, shape.Refuse("direction is %q, it must be inbound or outbound", d)
	}
	status := values.Get("callStatus")
	states, ok := callStatuses[status]
	if status != "" && !ok {
		return f, shape.Refuse("callStatus is %q, which is not the status of a call", status)
	}
	if len(states) == 1 {
		f.State = &states[0]
	}
	return f, nil
}

// unknownParams lists the parameters of a query that are not among known.
func unknownParams(values url.Values, known []string) []string {
	var out []string
	for name := range values {
		if !slices.Contains(known, name) {
			out = append(out, name[:min(len(name), 60)])
		}
	}
	slices.Sort(out)
	return out
}

// WriteCalls answers with the calls that are up, and those that ended a short
// while ago, newest first: a bare array.
func (s rest) WriteCalls(w http.ResponseWriter, q *api.Request, _ call.Filter, p call.Page) {
	list, values := js.Value{Kind: js.List}, q.URL.Query()
	oldest := s.cfg.Now().Add(-remembered)
	for _, rec := range p.Records {
		if rec.Ended != nil && rec.Ended.Before(oldest) || !selected(rec, values) {
			continue
		}
		o := s.resource(rec)
		list.List = append(list.List, o.Value())
	}
	writeJSON(w, http.StatusOK, list)
}

// selected reports whether the filters of a list select a call.
func selected(rec call.Record, values url.Values) bool {
	is := func(name, got string) bool { v := values.Get(name); return v == "" || v == got }
	return is("direction", direction(rec)) && is("callStatus", statusOf(rec)) && party(values.Get("from"), rec.From) && party(values.Get("to"), rec.To)
}

// party reports whether a filter means a party of a call: as it is shown, or the
// same number written otherwise.
func party(filter, got string) bool {
	if filter == "" || filter == shown(got) {
		return true
	}
	n, ok := shape.Digits(filter)
	return ok && strings.TrimPrefix(n, "+") == strings.TrimPrefix(got, "+")
}

// resource is a call as the API shows it (call-api.md §2.6).
func (s rest) resource(rec call.Record) js.Object {
	o := s.common(rec)
	if rec.Direction == call.OutboundAPI || rec.Direction == call.OutboundDial {
		o.Some("trunk", rec.Line)
	}
	o.Number("duration", wholeSeconds(rec.Duration(s.cfg.Now())))
	if rec.State.Final() {
		o.Text("call_termination_by", terminatedBy(rec))
	}
	if rec.Cause != nil {
		o.Some("termination_reason", rec.Cause.Error())
	}
	if len(rec.Warnings) > 0 {
		o.Add("warnings", texts(rec.Warnings))
	}
	return o
}

// texts is a list of texts.
func texts(list []string) js.Value {
	v := js.Value{Kind: js.List}
	for _, s := range list {
		v.List = append(v.List, js.Value{Kind: js.Text, Text: s})
	}
	return v
}

// liveStates are those of calls that are up.
var liveStates = []call.State{call.Queued, call.Ringing, call.InProgress} // queued stands for dialing too

// countCalls answers with the number of calls that are up.
func (s rest) countCalls(w http.ResponseWriter, q request) {
	count := map[string]int{}
	for _, state := range liveStates {
		page, err := s.h.Calls.Calls(q.Context(), call.Filter{Account: q.Account.ID, State: &state, Limit: listLimit})
		if err != nil {
			s.WriteError(w, q.Request.Request, err)
			return
		}
		for _, rec := range page.Records {
			count[direction(rec)]++
		}
	}
	var o js.Object
	o.Number("inbound", float64(count["inbound"]))
	o.Number("outbound", float64(count["outbound"]))
	writeJSON(w, http.StatusOK, o.Value())
}
