package twilio_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	openapi "github.com/twilio/twilio-go/rest/api/v2010"

	"callbox/api/apitest"
	"callbox/call"
)

const (
	confID = "CF00112233445566778899aabbccddeeff"
	party1 = "CA0000000000000000000000000000000a"
	party2 = "CA0000000000000000000000000000000b"
)

// meetings lays out a conference with two parties, and one that has ended.
func meetings(g gateway) *apitest.Meetings {
	m, started, later := g.box.Meetings, noon.Add(time.Second), noon.Add(time.Minute)
	m.Live = []call.Conference{
		{ID: confID, API: "twilio", Account: account, Name: "sales", State: call.ConferenceRunning, Created: noon, Updated: later, Started: &started, Members: 2},
		{ID: "CF00000000000000000000000000000001", API: "twilio", Account: account, Name: "old", State: call.ConferenceEnded, Created: noon.Add(-time.Hour),
			Updated: noon, Ended: &started, Reason: call.EndedWithMember, EndedBy: party1},
	}
	m.Parties = []call.Participant{
		{Conference: confID, Call: party1, API: "twilio", Account: account, Label: "boss", Created: noon, Updated: later, Joined: &started, StartOnEnter: true, EndOnExit: true},
		{Conference: confID, Call: party2, API: "twilio", Account: account, Created: noon, Updated: later, Joined: &started, Muted: true, Coach: party1},
	}
	return m
}

// TestConferences: fetched, listed over pages and by filters, spoken to, ended.
func TestConferences(t *testing.T) {
	g := newGateway(t)
	m := meetings(g)
	for name, path := range map[string]string{
		"conference.json": "/Conferences/" + confID + ".json", "conference-ended.json": "/Conferences/CF00000000000000000000000000000001.json",
		"conferences.json":   "/Conferences.json?PageSize=1&Status=in-progress&DateCreated%3E=2026-01-01",
		"participant.json":   "/Conferences/" + confID + "/Participants/boss.json",
		"participants.json":  "/Conferences/" + confID + "/Participants.json?Muted=true",
		"no-conference.json": "/Conferences/CF99999999999999999999999999999999.json",
	} {
		_, body := g.do(t, "GET", base+path, "")
		golden(t, "rooms/"+name, apitest.Indent(body))
	}
	_, body := g.do(t, "GET", base+"/Conferences/"+confID, "")
	golden(t, "rooms/conference.xml", body)
	c := sdk(t, g, account, token)
	if list, err := c.Api.ListConference((&openapi.ListConferenceParams{}).SetPageSize(1)); err != nil || len(list) != 2 || *list[1].CallSidEndingConference != party1 {
		t.Errorf("list: %+v, %v", list, err)
	}
	if list, err := c.Api.ListParticipant("CF00000000000000000000000000000001", &openapi.ListParticipantParams{}); err != nil || len(list) != 0 {
		t.Errorf("the parties of a conference that has ended: %+v, %v", list, err)
	}
	p := &openapi.UpdateConferenceParams{}
	if _, err := c.Api.UpdateConference(confID, p.SetAnnounceUrl("http://pbx.lan/news").SetAnnounceMethod("GET")); err != nil {
		t.Error(err)
	}
	if len(m.Announced) != 1 || m.Announced[0] != (call.Hook{URL: "http://pbx.lan/news", Method: "GET"}) {
		t.Errorf("announced %+v", m.Announced)
	}
	p = &openapi.UpdateConferenceParams{}
	if got, err := c.Api.UpdateConference(confID, p.SetStatus("completed")); err != nil || *got.Status != "completed" {
		t.Errorf("end: %+v, %v", got, err)
	}
	if _, err := c.Api.UpdateConference(confID, p); err != nil {
		t.Errorf("end it again: %v", err)
	}
	p.SetAnnounceUrl("http://pbx.lan/news")
	wantError(t, second(c.Api.UpdateConference(confID, p)), 400, 21220)
	wantError(t, second(c.Api.UpdateConference("CF99999999999999999999999999999999", p)), 404, 20404)
	g.box.FailNext(call.ErrAnnouncing)
	m.Live[0].State = call.ConferenceRunning
	wantError(t, second(c.Api.UpdateConference(confID, p)), 429, 20429)
	resp, body := g.do(t, "POST", base+"/Conferences/"+confID+".json", "Status=init")
	wantProblem(t, "a status that is no change", resp, body, 400, 20001)
}

// TestParticipantChanges: pairs of parameters and what they mean; one at least for
// every parameter.
func TestParticipantChanges(t *testing.T) {
	seen := apitest.Pairs(t, "rooms/participant-changes.txt", func(t *testing.T, in []string) []string {
		g := newGateway(t)
		m := meetings(g)
		resp, body := g.do(t, "POST", base+"/Conferences/"+confID+"/Participants/"+party1+".json", form(in...))
		if resp.StatusCode != 200 {
			return []string{"answer " + resp.Status + " " + strings.TrimSpace(body)}
		}
		return lines("model ", apitest.Different(t, call.ParticipantChange{}, m.Changes[0]))
	})
	for _, name := range []string{"Muted", "Hold", "HoldUrl", "HoldMethod", "AnnounceUrl", "AnnounceMethod", "WaitUrl", "WaitMethod", "BeepOnExit",
		"EndConferenceOnExit", "Coaching", "CallSidToCoach"} {
		if !seen[name] {
			t.Errorf("no pair has %s", name)
		}
	}
	g := newGateway(t)
	meetings(g)
	c := sdk(t, g, account, token)
	if err := c.Api.DeleteParticipant(confID, "boss", nil); err != nil {
		t.Error(err)
	}
	wantError(t, c.Api.DeleteParticipant(confID, "boss", nil), 404, 20404)
	g.box.FailNext(call.ErrNoCoached)
	wantError(t, second(c.Api.UpdateParticipant(confID, party2, (&openapi.UpdateParticipantParams{}).SetCoaching(true).SetCallSidToCoach(party1))), 400, 20001)
}

func lines(prefix string, list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = prefix + s
	}
	return out
}

var anyConference = regexp.MustCompile(`CF[0-9a-f]{32}`)

// TestInvitations: pairs of parameters and what they make of the call and of the
// conference.
func TestInvitations(t *testing.T) {
	given := []string{"To", "+15550100199", "From", "+15550100100"}
	plainRequest, plainParty := invite(t, newGateway(t), given)
	seen := apitest.Pairs(t, "rooms/invitations.txt", func(t *testing.T, in []string) []string {
		g := newGateway(t)
		resp, body := g.do(t, "POST", base+"/Conferences/sales/Participants.json", apitest.FormWith(given, in...))
		if resp.StatusCode != 201 {
			return []string{"answer " + resp.Status + " " + strings.TrimSpace(body)}
		}
		m := g.box.Meetings
		out := lines("call ", apitest.Different(t, plainRequest, g.box.Requests()[0]))
		out = append(out, lines("party ", apitest.Different(t, plainParty, m.Invitations[0]))...)
		out = append(out, lines("status ", apitest.Different(t, call.StatusHook{}, m.Statuses[0]))...)
		for i := range out {
			out[i] = randomCall.ReplaceAllString(out[i], "CA…")
		}
		return out
	})
	for _, name := range []string{"Label", "Muted", "Beep", "StartConferenceOnEnter", "EndConferenceOnExit", "WaitUrl", "WaitMethod", "MaxParticipants",
		"ConferenceRecord", "ConferenceTrim", "ConferenceStatusCallback", "ConferenceStatusCallbackMethod", "ConferenceStatusCallbackEvent",
		"ConferenceRecordingStatusCallback", "ConferenceRecordingStatusCallbackMethod", "ConferenceRecordingStatusCallbackEvent", "Coaching",
		"CallSidToCoach", "Timeout", "TimeLimit", "CallerId", "Byoc", "Record", "StatusCallback", "SipAuthUsername", "JitterBufferSize", "Region"} {
		if !seen[name] {
			t.Errorf("no pair has %s", name)
		}
	}
}

// invite calls somebody into "sales".
func invite(t *testing.T, g gateway, pairs []string) (call.Request, call.Participant) {
	t.Helper()
	resp, body := g.do(t, "POST", base+"/Conferences/sales/Participants.json", form(pairs...))
	if resp.StatusCode != http.StatusCreated {
		t.Fatalf("%s %s", resp.Status, body)
	}
	return g.box.Requests()[0], g.box.Meetings.Invitations[0]
}

// TestInvite: the answer; into a conference that lives, that has ended, that never
// was; a call that cannot be made is no longer expected; a repeat dials once.
func TestInvite(t *testing.T) {
	g := newGateway(t)
	m := meetings(g)
	into := func(conference string, header ...string) (*http.Response, string) {
		t.Helper()
		return g.do(t, "POST", base+"/Conferences/"+conference+"/Participants.json", form("To", "+15550100199", "From", "+15550100100", "Label", "x"), header...)
	}
	resp, body := into(confID)
	if resp.StatusCode != 201 {
		t.Fatalf("%s %s", resp.Status, body)
	}
	golden(t, "rooms/invited.json", pretty(t, body))
	resp, body = into("CF00000000000000000000000000000001")
	wantProblem(t, "a conference that has ended", resp, body, 400, 21220)
	resp, body = into("CF99999999999999999999999999999999")
	wantProblem(t, "no conference", resp, body, 404, 20404)
	g.box.FailNext(call.ErrLimit)
	resp, body = into("fresh")
	wantProblem(t, "no call", resp, body, 429, 20429)
	if len(m.Gone) != 1 || m.Gone[0] != m.Invitations[len(m.Invitations)-1].Call {
		t.Errorf("not told that it will not come: %v", m.Gone)
	}
	n := len(g.box.Requests())
	_, first := into("fresh", "Idempotency-Key", "k1")
	_, again := into("fresh", "Idempotency-Key", "k1")
	if randomCall.FindString(first) != randomCall.FindString(again) || len(g.box.Requests()) != n+1 || len(m.Gone) != 2 {
		t.Errorf("a repeat: %s, %s, %d calls", first, again, len(g.box.Requests())-n)
	}
	if anyConference.FindString(first) == confID {
		t.Error("another name is the same conference")
	}
	resp, body = g.do(t, "POST", base+"/Conferences/sales/Participants.json", form("To", "+15550100199", "From", "+15550100100", "Coaching", "true"))
	wantProblem(t, "coaching nobody", resp, body, 400, 20001)
}

// TestConferenceRecordings: found, heard and deleted below their conference only.
func TestConferenceRecordings(t *testing.T) {
	g := newGateway(t)
	meetings(g)
	r := recording("RE00112233445566778899aabbccddeeff", confID)
	r.Conference, r.Source = confID, "Conference"
	g.box.AddRecording(r, []byte("sound"))
	c := sdk(t, g, account, token)
	list, err := c.Api.ListConferenceRecording(confID, &openapi.ListConferenceRecordingParams{})
	if err != nil || len(list) != 1 || *list[0].ConferenceSid != confID || list[0].CallSid != nil {
		t.Errorf("%+v, %v", list, err)
	}
	path := base + "/Conferences/" + confID + "/Recordings/" + r.ID
	_, text := g.do(t, "GET", path+".json", "")
	golden(t, "rooms/recording.json", pretty(t, text))
	if resp, body := g.do(t, "GET", path+".wav", ""); resp.StatusCode != 200 || body != "sound" {
		t.Errorf("%s %q", resp.Status, body)
	}
	resp, body := g.do(t, "POST", base+"/Conferences/"+confID+"/Recordings.json", form("RecordingChannels", "dual", "RecordingTrack", "both", "Trim", "do-not-trim",
		"RecordingStatusCallback", "http://pbx.lan/rec", "RecordingStatusCallbackEvent", "in-progress completed"))
	if told := strings.Join(resp.Header.Values("Callbox-Warning"), "; "); resp.StatusCode != 201 || !strings.Contains(told, "RecordingChannels") {
		t.Errorf("start: %s %s, warned of %q", resp.Status, body, told)
	}
	golden(t, "rooms/recording-started.json", pretty(t, body))
	golden(t, "rooms/recording-started.model.json", pretty(t, apitest.Fields(t, g.box.RecordingChanges())))
	resp, body = g.do(t, "POST", base+"/Conferences/"+confID+"/Recordings.json", form("Trim", "hair"))
	wantProblem(t, "a bad trim", resp, body, 400, 20001)
	resp, body = g.do(t, "POST", base+"/Conferences/CF99999999999999999999999999999999/Recordings.json", "")
	wantProblem(t, "no conference", resp, body, 404, 20404)
	wantError(t, second(c.Api.ListConferenceRecording("CF99999999999999999999999999999999", &openapi.ListConferenceRecordingParams{})), 404, 20404)
	wantError(t, c.Api.DeleteConferenceRecording("CF00000000000000000000000000000001", r.ID, nil), 404, 20404)
	if err := c.Api.DeleteConferenceRecording(confID, r.ID, nil); err != nil {
		t.Error(err)
	}
}

// TestQueues with the vendor's client: made, changed, listed; their calls seen and
// taken out.
func TestQueues(t *testing.T) {
	g := newGateway(t)
	c := sdk(t, g, account, token)
	q, err := c.Api.CreateQueue((&openapi.CreateQueueParams{}).SetFriendlyName("support").SetMaxSize(7))
	if err != nil || q.MaxSize != 7 || *q.FriendlyName != "support" {
		t.Fatalf("%+v, %v", q, err)
	}
	wantError(t, second(c.Api.CreateQueue((&openapi.CreateQueueParams{}).SetFriendlyName("support"))), 400, 22003)
	wantError(t, second(c.Api.CreateQueue(&openapi.CreateQueueParams{})), 400, 20001)
	wantError(t, second(c.Api.CreateQueue((&openapi.CreateQueueParams{}).SetFriendlyName("x").SetMaxSize(5001))), 400, 20001)
	_, body := g.do(t, "GET", base+"/Queues/"+*q.Sid+".json", "")
	golden(t, "rooms/queue.json", apitest.Indent(body))
	if got, err := c.Api.UpdateQueue(*q.Sid, (&openapi.UpdateQueueParams{}).SetMaxSize(9)); err != nil || got.MaxSize != 9 || *got.FriendlyName != "support" {
		t.Errorf("%+v, %v", got, err)
	}
	if list, err := c.Api.ListQueue(&openapi.ListQueueParams{}); err != nil || len(list) != 1 {
		t.Errorf("%+v, %v", list, err)
	}
	first := createCall(t, g, "To", "+15550100199", "From", "+15550100100", "Url", "http://pbx.lan/enqueue")
	g.box.Meetings.Waiting = []call.QueueMember{
		{Queue: *q.Sid, Call: first, Position: 1, Enqueued: noon, Wait: 75 * time.Second},
		{Queue: *q.Sid, Call: party2, Position: 2, Enqueued: noon.Add(time.Minute), Wait: 15 * time.Second},
	}
	_, body = g.do(t, "GET", base+"/Queues/"+*q.Sid+"/Members/"+party2+".json", "")
	golden(t, "rooms/member.json", apitest.Indent(body))
	if list, err := c.Api.ListMember(*q.Sid, (&openapi.ListMemberParams{}).SetPageSize(1)); err != nil || len(list) != 2 || list[0].WaitTime != 75 {
		t.Errorf("%+v, %v", list, err)
	}
	p := (&openapi.UpdateMemberParams{}).SetUrl("http://pbx.lan/agent").SetMethod("GET")
	if got, err := c.Api.UpdateMember(*q.Sid, "Front", p); err != nil || *got.CallSid != first {
		t.Errorf("%+v, %v", got, err)
	}
	if ch := g.box.Changes(); len(ch) != 1 || ch[0].Script.Main != (call.Hook{URL: "http://pbx.lan/agent", Method: "GET"}) {
		t.Errorf("changes %+v", ch)
	}
	wantError(t, second(c.Api.UpdateMember(*q.Sid, "Front", &openapi.UpdateMemberParams{})), 400, 21205)
	wantError(t, second(c.Api.FetchMember(*q.Sid, "CA99999999999999999999999999999999", nil)), 404, 20404)
	wantError(t, second(c.Api.ListMember("QU99999999999999999999999999999999", &openapi.ListMemberParams{})), 404, 20404)
	if err := c.Api.DeleteQueue(*q.Sid, nil); err != nil {
		t.Error(err)
	}
	wantError(t, second(c.Api.FetchQueue(*q.Sid, nil)), 404, 20404)
}
