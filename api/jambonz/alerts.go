package jambonz

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"callbox/api"
	"callbox/api/jambonz/js"
	"callbox/api/jambonz/shape"
	"callbox/call"
)

// alertTypes are the kinds of alerts in this API's words.
var alertTypes = map[call.AlertType]string{
	call.AlertHookStatus: "webhook-failure", call.AlertHookSilent: "webhook-connection-failure", call.AlertHookAddress: "webhook-url-notfound",
	call.AlertDocument: "invalid-app-payload", call.AlertSpeech: "tts-failure", call.AlertSound: "play-url-notfound",
	call.AlertRoute: "no-carrier", call.AlertLimit: "account-call-limit", call.AlertText: "message-failed",
}

// alertParams are the parameters of a list of alerts.
var alertParams = []string{"page", "count", "days", "start", "end", "alert_type"}

// listAlerts answers with a page of what went wrong for the account, newest first.
func (s rest) listAlerts(w http.ResponseWriter, q request) {
	values := q.URL.Query()
	for _, name := range unknownParams(values, alertParams) {
		q.Warn(name + " is not a parameter of this list and was ignored")
	}
	var r recentQuery
	err := s.readSpan(values, &r)
	kind := values.Get("alert_type")
	if known := slices.Sorted(maps.Values(alertTypes)); err == nil && kind != "" && !slices.Contains(known, kind) {
		err = shape.Refuse("alert_type is %q, it must be one of %s", clipped(kind), strings.Join(known, ", "))
	}
	if err == nil && s.h.Alerts == nil {
		err = api.ErrNoPath
	}
	s.h.TellWarnings(w, q.Request)
	if err != nil {
		s.WriteError(w, q.Request.Request, err)
		return
	}
	rows := js.Value{Kind: js.List}
	for _, a := range s.h.Alerts.Alerts(q.Account.ID) {
		if a.Time.Before(r.from) || !r.until.IsZero() && a.Time.After(r.until) || kind != "" && alertTypes[a.Type] != kind {
			continue
		}
		o := s.alert(a)
		rows.List = append(rows.List, o.Value())
	}
	total := len(rows.List)
	first := min((r.page-1)*r.count, total)
	rows.List = rows.List[first:min(first+r.count, total)]
	r.write(w, rows, total)
}

// alert is an alert as the API shows it.
func (s rest) alert(a call.Alert) js.Object {
	var o js.Object
	o.Text("time", isoTime(a.Time))
	o.Text("account_sid", s.sid(a.Account))
	o.Text("alert_type", alertTypes[a.Type])
	o.Text("message", a.Text)
	o.Some("call_sid", a.Call)
	o.Some("url", a.URL)
	if a.Status != 0 {
		o.Number("status", float64(a.Status))
	}
	o.Number("count", float64(a.Count))
	return o
}
