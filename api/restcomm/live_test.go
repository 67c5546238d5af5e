package restcomm_test

import (
	"net/http"
	"strings"
	"testing"

	"callbox/api/apitest"
	"callbox/call"
)

// TestLiveRecordings: a recording of a live call is started, paused and stopped;
// there are no streams.
func TestLiveRecordings(t *testing.T) {
	s := serve(t)
	id, _ := create(t, s)
	path := base + "/Calls/" + id + "/Recordings"
	if resp, body := s.Do(t, "POST", path+".json", ""); resp.StatusCode != http.StatusConflict {
		t.Errorf("before the answer: %s %s", resp.Status, body)
	}
	s.Box.Edit(id, func(r *call.Record) { r.State = call.InProgress })
	resp, body := s.Do(t, "POST", path+".json", apitest.Form("RecordingChannels", "dual"))
	if resp.StatusCode != http.StatusOK || !strings.Contains(body, `"call_sid":"`+id) {
		t.Fatalf("start: %s %s", resp.Status, body)
	}
	if resp, body := s.Do(t, "POST", path+"/Twilio.CURRENT.xml", apitest.Form("Status", "paused", "PauseBehavior", "skip")); resp.StatusCode != http.StatusOK || !strings.Contains(body, "<Recording>") {
		t.Errorf("pause: %s %s", resp.Status, body)
	}
	if resp, body := s.Do(t, "POST", path+"/"+s.Box.RecordingChanges()[0].ID+"x.json", apitest.Form("Status", "stopped")); resp.StatusCode != http.StatusNotAcceptable {
		t.Errorf("one that there is not: %s %s", resp.Status, body)
	}
	if got := s.Box.RecordingChanges(); len(got) != 2 || got[0].Start.Channels != 2 || got[1].Status != "paused" || got[1].Silence || got[1].ID != "" {
		t.Errorf("changes %+v", got)
	}
	if resp, _ := s.Do(t, "POST", base+"/Calls/"+id+"/Streams.json", ""); resp.StatusCode != http.StatusNotFound {
		t.Errorf("a stream: %s", resp.Status)
	}
}
