package jambonz

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"callbox/api"
	"callbox/api/jambonz/js"
	"callbox/api/jambonz/shape"
	"callbox/call"
)

// recentParams are the parameters of a list of recent calls.
var recentParams = []string{"page", "count", "days", "start", "end", "answered", "direction", "filter"}

const (
	// maxCount is the most that a page of recent calls holds.
	maxCount = 500
	// recentPages bounds what one list reads: pages of listLimit records.
	recentPages = 100
	maxDays     = 3660
)

// recentQuery is what a list of recent calls asks for.
type recentQuery struct {
	page, count         int
	from, until         time.Time // of the end; zero: open
	answered, direction string
	filter              string
}

// readRecent reads the parameters of a list of recent calls.
func (s rest) readRecent(q *api.Request) (r recentQuery, err error) {
	values := q.URL.Query()
	for _, name := range unknownParams(values, recentParams) {
		q.Warn(name + " is not a parameter of this list and was ignored")
	}
	if err := s.readSpan(values, &r); err != nil {
		return r, err
	}
	r.answered, r.direction, r.filter = values.Get("answered"), values.Get("direction"), values.Get("filter")
	if r.answered != "" && r.answered != "true" && r.answered != "false" {
		return r, shape.Refuse("answered is %q, it must be true or false", clipped(r.answered))
	}
	if r.direction != "" && r.direction != "inbound" && r.direction != "outbound" {
		return r, shape.Refuse("direction is %q, it must be inbound or outbound", clipped(r.direction))
	}
	return r, nil
}

// readSpan reads which page of a list is asked for, and of what time.
func (s rest) readSpan(values url.Values, r *recentQuery) (err error) {
	if r.page, err = whole(values, "page", 1, 1<<20); err != nil {
		return err
	}
	if r.count, err = whole(values, "count", 1, maxCount); err != nil {
		return err
	}
	if r.page == 0 || r.count == 0 {
		return shape.Refuse("page and count are needed")
	}
	days, err := whole(values, "days", 1, maxDays)
	if err != nil {
		return err
	}
	if days > 0 {
		r.from = s.cfg.Now().AddDate(0, 0, -days)
	}
	for name, to := range map[string]*time.Time{"start": &r.from, "end": &r.until} {
		text := values.Get(name)
		if text == "" {
			continue
		}
		if days > 0 {
			return shape.Refuse("days and %s exclude each other", name)
		}
		if *to, err = readTime(text); err != nil {
			return shape.Refuse("%s is %q, which is not a time such as 2026-01-02T15:04:05Z", name, clipped(text))
		}
	}
	return nil
}

// whole reads a whole number of a query; 0 when it is absent.
func whole(values url.Values, name string, lo, hi int) (int, error) {
	text := values.Get(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < lo || n > hi {
		return 0, shape.Refuse("%s is %q, it must be a whole number from %d to %d", name, clipped(text), lo, hi)
	}
	return n, nil
}

func clipped(s string) string { return s[:min(len(s), 60)] }

// readTime reads a time or a date.
func readTime(s string) (time.Time, error) {
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return t, nil
	}
	return time.Parse(time.RFC3339, s)
}

// selects reports whether a call belongs to the list.
func (r recentQuery) selects(rec call.Record) bool {
	if !rec.State.Final() || rec.Ended == nil || rec.Ended.Before(r.from) || !r.until.IsZero() && rec.Ended.After(r.until) {
		return false
	}
	if r.answered != "" && (rec.Answered != nil) != (r.answered == "true") || r.direction != "" && direction(rec) != r.direction {
		return false
	}
	return r.filter == "" || slices.ContainsFunc([]string{rec.ID, shown(rec.From), shown(rec.To), rec.SIPCallID, traceID(rec)},
		func(s string) bool { return strings.Contains(s, r.filter) })
}

// recentCalls answers with a page of the calls that have ended.
func (s rest) recentCalls(w http.ResponseWriter, q request) {
	r, err := s.readRecent(q.Request)
	s.h.TellWarnings(w, q.Request)
	if err != nil {
		s.WriteError(w, q.Request.Request, err)
		return
	}
	rows, total, err := s.collect(q.Context(), q.Account.ID, r)
	if err != nil {
		s.WriteError(w, q.Request.Request, err)
		return
	}
	r.write(w, rows, total)
}

// write answers with a page, rows, of a list that holds total.
func (r recentQuery) write(w http.ResponseWriter, rows js.Value, total int) {
	var o js.Object
	o.Number("total", float64(total))
	o.Number("batch", float64(r.count))
	o.Number("page", float64(r.page))
	o.Add("data", rows)
	writeJSON(w, http.StatusOK, o.Value())
}

// collect reads the account's calls, gives one page of those that r selects, and
// counts all of them.
func (s rest) collect(ctx context.Context, account string, r recentQuery) (rows js.Value, total int, err error) {
	rows.Kind = js.List
	f := call.Filter{Account: account, EndedAfter: r.from, EndedUntil: r.until, Limit: listLimit}
	first := (r.page - 1) * r.count
	for range recentPages {
		page, err := s.h.Calls.Calls(ctx, f)
		if err != nil {
			return rows, 0, err
		}
		for _, rec := range page.Records {
			if !r.selects(rec) {
				continue
			}
			if total >= first && total < first+r.count {
				rows.List = append(rows.List, s.row(rec).Value())
			}
			total++
		}
		if f.Cursor = page.Next; f.Cursor == "" {
			break
		}
	}
	return rows, total, nil
}

// row is a recent call (call-api.md §2.6).
func (s rest) row(rec call.Record) js.Object {
	var o js.Object
	o.Text("account_sid", s.sid(rec.Account))
	o.Text("call_sid", rec.ID)
	o.Some("parent_call_sid", rec.Parent)
	o.Some("application_sid", rec.Application)
	o.Text("from", shown(rec.From))
	o.Text("to", shown(rec.To))
	o.Bool("answered", rec.Answered != nil)
	o.Text("sip_callid", rec.SIPCallID)
	o.Number("sip_status", float64(sipStatus(rec)))
	o.Number("duration", wholeSeconds(rec.Duration(rec.Updated)))
	o.Text("attempted_at", isoTime(rec.Created))
	o.Add("answered_at", timeOrNull(rec.Answered))
	o.Add("terminated_at", timeOrNull(rec.Ended))
	if rec.Cause != nil {
		o.Text("termination_reason", rec.Cause.Error())
	}
	if base := s.cfg.BaseURL(); base != "" {
		o.Text("host", strings.TrimPrefix(strings.TrimPrefix(base, "http://"), "https://"))
	}
	o.Some("remote_host", hostOf(rec.Remote))
	o.Text("direction", direction(rec))
	o.Some("trunk", rec.Line)
	o.Text("trace_id", traceID(rec))
	if len(rec.Recordings) > 0 {
		o.Text("recording_url", "/Accounts/"+s.sid(rec.Account)+"/RecentCalls/"+rec.ID+"/record/"+rec.Created.UTC().Format("2006/01/02")+"/wav")
	}
	return o
}

// timeOrNull writes a time that may be missing.
func timeOrNull(t *time.Time) js.Value {
	if t == nil {
		return js.Value{}
	}
	return js.Value{Kind: js.Text, Text: isoTime(*t)}
}

// recentCall answers with one call that has ended.
func (s rest) recentCall(w http.ResponseWriter, q request) {
	rec, err := s.h.Calls.Call(q.Context(), q.Account.ID, q.Call)
	if err == nil && !rec.State.Final() {
		err = call.ErrNotFound // it is among the calls that are up
	}
	if err != nil {
		s.WriteError(w, q.Request.Request, err)
		return
	}
	writeJSON(w, http.StatusOK, s.row(rec).Value())
}

// recording answers with the sound of a call: its last recording, on the day in
// the path.
func (s rest) recording(w http.ResponseWriter, q request) {
	rec, err := s.h.Calls.Call(q.Context(), q.Account.ID, q.Call)
	day := strings.Join([]string{q.ids["year"], q.ids["month"], q.ids["day"]}, "/")
	switch {
	case err != nil:
	case rec.Created.UTC().Format("2006/01/02") != day || len(rec.Recordings) == 0:
		err = call.ErrNotFound
	case q.ids["format"] == "mp3":
		err = shape.Unable("the box keeps recordings as WAV: end the address with wav")
	case q.ids["format"] != "wav":
		err = api.ErrNoPath
	}
	if err != nil {
		s.WriteError(w, q.Request.Request, err)
		return
	}
	q.Recording = rec.Recordings[len(rec.Recordings)-1]
	s.h.RecordingAudio(w, q.Request, s, 0)
}
