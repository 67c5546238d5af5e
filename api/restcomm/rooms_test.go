package restcomm_test

import (
	"strings"
	"testing"
	"time"

	"callbox/api/apitest"
	"callbox/call"
)

// TestConferences: seen, and their participants muted, as far as this API can.
func TestConferences(t *testing.T) {
	s := serve(t)
	const id, party = "CF00112233445566778899aabbccddeeff", "CA0000000000000000000000000000000a"
	started := noon.Add(time.Second)
	s.Box.Meetings.Live = []call.Conference{{ID: id, API: "restcomm", Account: account, Name: "sales", State: call.ConferenceRunning, Created: noon, Updated: started, Started: &started}}
	s.Box.Meetings.Parties = []call.Participant{{Conference: id, Call: party, API: "restcomm", Account: account, Created: noon, Updated: started, Joined: &started, StartOnEnter: true}}
	for name, path := range map[string]string{
		"conference.json": "/Conferences/" + id + ".json", "conferences.json": "/Conferences.json", "conference.xml": "/Conferences/" + id,
		"participants.json": "/Conferences/" + id + "/Participants.json",
	} {
		resp, body := s.Do(t, "GET", base+path, "")
		if resp.StatusCode != 200 {
			t.Errorf("%s: %s", path, resp.Status)
		}
		apitest.Golden(t, "rooms/"+name, apitest.Indent(body))
	}
	resp, body := s.Do(t, "POST", base+"/Conferences/"+id+"/Participants/"+party+".json", "Mute=true")
	if resp.StatusCode != 200 || !strings.Contains(body, `"muted":true`) {
		t.Errorf("mute: %s %s", resp.Status, body)
	}
	if ch := s.Box.Meetings.Changes; len(ch) != 1 || ch[0].Muted == nil || !*ch[0].Muted {
		t.Errorf("changes %+v", ch)
	}
	if resp, body = s.Do(t, "POST", base+"/Conferences/"+id+"/Participants/"+party+".json", "Mute=maybe"); resp.StatusCode != 400 || !strings.Contains(body, "Mute") {
		t.Errorf("a bad value: %s %s", resp.Status, body)
	}
	if resp, _ = s.Do(t, "POST", base+"/Conferences/"+id+"/Participants.json", "To=x"); resp.StatusCode != 405 {
		t.Errorf("calling somebody in: %s", resp.Status)
	}
}
