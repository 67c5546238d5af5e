package signalwire_test

import (
	"strings"
	"testing"
	"time"

	"callbox/api/apitest"
	"callbox/call"
)

// TestRooms: conferences, their participants, queues and their calls, by ids that
// are UUIDs.
func TestRooms(t *testing.T) {
	s := serve(t)
	const id, party = "00000000-0000-4000-8000-00000000000c", "00000000-0000-4000-8000-00000000000a"
	started := noon.Add(time.Second)
	m := s.Box.Meetings
	m.Live = []call.Conference{{ID: id, API: "signalwire", Account: account, Name: "sales", State: call.ConferenceRunning, Created: noon, Updated: started, Started: &started}}
	m.Parties = []call.Participant{{Conference: id, Call: party, API: "signalwire", Account: account, Created: noon, Updated: started, Joined: &started, StartOnEnter: true}}
	resp, body := s.Do(t, "POST", docs+"/Queues", apitest.Form("FriendlyName", "support", "MaxSize", "7"))
	if resp.StatusCode != 200 {
		t.Fatalf("queue: %s %s", resp.Status, body)
	}
	apitest.Golden(t, "rooms/queue.json", apitest.Indent(body))
	queue := m.Queues().List(account)[0].ID
	m.Waiting = []call.QueueMember{{Queue: queue, Call: party, Position: 1, Enqueued: noon, Wait: 75 * time.Second}}
	for name, path := range map[string]string{
		"conference.json": "/Conferences/" + id, "conferences.json": "/Conferences?FriendlyName=sales", "participants.json": "/Conferences/" + id + "/Participants",
		"members.json": "/Queues/" + queue + "/Members",
	} {
		resp, body := s.Do(t, "GET", docs+path, "")
		if resp.StatusCode != 200 {
			t.Errorf("%s: %s", path, resp.Status)
		}
		apitest.Golden(t, "rooms/"+name, apitest.Indent(body))
	}
	resp, body = s.Do(t, "POST", client+"/Conferences/"+id+"/Participants/"+party+".json", "Hold=true&HoldUrl=http%3A%2F%2Fpbx.lan%2Fhold")
	if resp.StatusCode != 200 || !strings.Contains(body, `"hold":true`) || m.Changes[0].Hold.URL != "http://pbx.lan/hold" {
		t.Errorf("hold: %s %s", resp.Status, body)
	}
	resp, body = s.Do(t, "POST", docs+"/Conferences/"+unknown+"/Participants", apitest.Form("To", "+15550100198", "From", "+15550100100"))
	wantProblem(t, "no conference", resp, body, 404, 20404)
	resp, body = s.Do(t, "POST", docs+"/Conferences/standup/Participants", apitest.Form("To", "+15550100198", "From", "+15550100100", "WaitUrl", "x"))
	wantProblem(t, "a bad address", resp, body, 400, 21402)
	if resp, body = s.Do(t, "POST", docs+"/Conferences/standup/Participants", apitest.Form("To", "+15550100198", "From", "+15550100100")); resp.StatusCode != 200 ||
		!strings.Contains(s.Box.Requests()[0].Script.Inline, ">standup</Conference>") {
		t.Errorf("into a new conference: %s %s", resp.Status, body)
	}
	if resp, _ = s.Do(t, "DELETE", docs+"/Conferences/"+id+"/Participants/"+party, ""); resp.StatusCode != 204 {
		t.Errorf("remove: %s", resp.Status)
	}
}
