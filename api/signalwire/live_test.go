package signalwire_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"callbox/api/apitest"
	"callbox/call"
)

// TestLive: recordings and streams of a live call are steered at both addresses,
// and answered in this dialect's shapes.
func TestLive(t *testing.T) {
	for _, base := range []string{docs, client} {
		s := serve(t)
		id, _ := create(t, s)
		s.Box.Edit(id, func(r *call.Record) { r.State = call.InProgress })
		post := func(path string, want int, pairs ...string) string {
			t.Helper()
			resp, body := s.Do(t, "POST", base+"/Calls/"+id+path, apitest.Form(pairs...))
			if resp.StatusCode != want {
				t.Errorf("%s: %s %s", path, resp.Status, body)
			}
			return body
		}
		post("/Recordings.json", http.StatusOK, "RecordingTrack", "outbound", "RecordingStatusCallback", "http://pbx.lan/r")
		post("/Recordings/Twilio.CURRENT.json", http.StatusOK, "Status", "paused")
		if ch := s.Box.RecordingChanges(); len(ch) != 2 || ch[0].Start.Track != call.TrackOutbound || !ch[1].Silence {
			t.Errorf("changes %+v", ch)
		}
		body := post("/Streams", http.StatusOK, "Url", "wss://app.lan/audio", "Name", "ears", "Track", "outbound_track")
		if !regexp.MustCompile(`"account_sid":"`+project).MatchString(body) || !strings.Contains(body, `"uri":"/api/laml/2010-04-01/Accounts/`+project+"/Calls/"+id+"/Streams/") {
			t.Errorf("a stream: %s", body)
		}
		post("/Streams/ears", http.StatusOK, "Status", "stopped")
		post("/Streams/ears", http.StatusNotFound, "Status", "stopped")
		post("/Streams", http.StatusBadRequest, "Url", "wss://app.lan/audio", "StatusCallback", "x")
	}
}
