package jambonz_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"callbox/api/apitest"
	"callbox/call"
)

// FuzzFilter asks for lists with any query: the answer is a list, or a sentence that
// says what is wrong with the query.
func FuzzFilter(f *testing.F) {
	for _, query := range []string{
		"", "direction=outbound&callStatus=no-answer&from=%2B1+(617)+555-1212&to=sip:bob@192.0.2.1", "direction=sideways", "callStatus=canceled", "search=desk&other=1",
		"page=1&count=25&days=7&answered=true&direction=inbound&filter=5551212", "page=1&count=501", "page=0&count=25", "page=1048576&count=500",
		"page=1&count=25&start=2026-01-02T10:00:00Z&end=2026-01-03", "page=1&count=25&start=2026-01-02T10:00:00%2B02:00&days=1", "page=1&count=25&days=3660",
		"page=1&count=25&alert_type=webhook-failure", "page=1&count=25&alert_type=none", "page=%zz", "a;b", "page=1&count=9999999999999999999999", "from=%ff%00",
	} {
		f.Add(query)
	}
	g := newGateway(f, func(b *apitest.Box) {
		b.AddAlert(call.Alert{Type: call.AlertSpeech, Account: account, Text: "speech vendor not available", Time: noon})
	})
	id := g.create(f)
	g.create(f)
	g.Box.Edit(id, func(r *call.Record) { r.State, r.Ended = call.Completed, &noon })
	f.Fuzz(func(t *testing.T, query string) {
		for _, path := range []string{"Calls", "RecentCalls", "Alerts", "Queues"} {
			r := httptest.NewRequest("GET", "/v1/Accounts/"+project+"/"+path, nil)
			r.URL = &url.URL{Path: r.URL.Path, RawQuery: query}
			r.Header.Set("Authorization", "Bearer "+key)
			w := httptest.NewRecorder()
			g.Config.Handler.ServeHTTP(w, r)
			var refused struct{ Msg string }
			switch body := w.Body.Bytes(); {
			case w.Code == http.StatusOK && json.Valid(body):
			case w.Code == http.StatusBadRequest && json.Unmarshal(body, &refused) == nil && refused.Msg != "":
			default:
				t.Errorf("%s?%s: %d %s", path, query, w.Code, body)
			}
		}
	})
}
