package jambonz_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"callbox/api"
	"callbox/api/apitest"
	"callbox/api/jambonz/js"
	"callbox/call"
	"callbox/call/script"
)

// TestMeetingActions: what conferences and queues tell actions and waiting
// documents, in pairs of result and payload.
func TestMeetingActions(t *testing.T) {
	d, h := told(t), call.Hook{URL: "http://app.lan/action"}
	queue := call.Queue{ID: "q1", Name: "support", Max: 100, Size: 4, Wait: 90 * time.Second}
	left := func(outcome call.QueueOutcome) script.Result {
		return script.Result{Verb: "enqueue", Queue: &script.QueueResult{Outcome: outcome, Queue: "q1", Name: "support", Waited: 75400 * time.Millisecond}}
	}
	base, err := js.Parse(d.DocumentRequest(h, record(), &script.Result{Verb: "redirect"}).JSON)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, tc := range []struct {
		name string
		res  script.Result
	}{
		{"conference", script.Result{Verb: "conference", Conference: &script.ConferenceResult{Conference: "c1", Duration: time.Minute}}},
		{"bridged", left(call.QueueBridged)}, {"redirected from the bridge", left(call.QueueTakenAway)}, {"hangup", left(call.QueueHangup)},
		{"leave", left(call.QueueLeave)}, {"redirected", left(call.QueueRedirected)}, {"error", left(call.QueueError)},
		{"full", script.Result{Verb: "enqueue", Queue: &script.QueueResult{Outcome: call.QueueFull}}},
		{"dequeued", script.Result{Verb: "dequeue", Dequeue: &script.DequeueResult{Queue: "q1", DialResult: script.DialResult{State: call.Completed, Bridged: true}}}},
		{"nobody came", script.Result{Verb: "dequeue", Dequeue: &script.DequeueResult{Queue: "q1", Timeout: true}}},
		{"not connected", script.Result{Verb: "dequeue", Dequeue: &script.DequeueResult{Queue: "q1", DialResult: script.DialResult{State: call.Failed}}}},
		{"waiting in a queue", script.Result{Verb: "wait", Waiting: &script.Waiting{Queue: queue, Position: 2, Waited: 61 * time.Second}}},
		{"waiting for a conference", script.Result{Verb: "wait", Announce: &call.Conference{ID: "c1", Name: "sales"}}},
	} {
		v, err := js.Parse(d.DocumentRequest(h, record(), &tc.res).JSON)
		if err != nil {
			t.Fatal(err)
		}
		var own js.Object
		for _, m := range v.Members[len(base.Members):] {
			own.Add(m.Name, m.Value)
		}
		fmt.Fprintf(&out, "%s: %s\n", tc.name, own.Value())
	}
	apitest.Golden(t, "meetings.txt", out.String())
}

// TestConferenceStatus holds the messages to a conference's status hook: the
// events that were asked for and that this API knows.
func TestConferenceStatus(t *testing.T) {
	d, rec := told(t), record()
	conf := call.Conference{ID: "c1", API: "jambonz", Account: account, Name: "sales", State: call.ConferenceRunning, Created: noon, Started: after(2), Members: 2,
		Hook: call.StatusHook{Hook: call.Hook{URL: "http://app.lan/conf", Username: "u", Password: "p"}, Events: []call.EventType{
			call.EventConferenceStart, call.EventConferenceEnd, call.EventJoin, call.EventLeave, call.EventSpeechStart, call.EventSpeechStop, call.EventMute,
		}}}
	party := &call.Participant{Call: rec.ID, Tag: "agents"}
	var list []api.Outgoing
	for i, typ := range []call.EventType{call.EventConferenceStart, call.EventJoin, call.EventSpeechStart, call.EventSpeechStop, call.EventMute, call.EventHold, call.EventLeave, call.EventConferenceEnd} {
		ev := call.Event{Type: typ, Seq: i + 1, At: after(2 + i).Add(250 * time.Millisecond), Record: &rec, Conference: &call.ConferenceNews{Conference: conf, Participant: party}}
		if typ == call.EventConferenceEnd { // by request: no call did it
			ev.Record, ev.Conference.Participant = &call.Record{API: "jambonz", Account: account}, nil
		}
		list = append(list, d.Callback(ev)...)
	}
	apitest.Golden(t, "conference-status.txt", text(t, list...))
	if len(list) != 6 {
		t.Errorf("%d messages", len(list))
	}
	for _, o := range list {
		if o.Account != account || o.Username != "u" || len(o.Token) != 36 {
			t.Errorf("request %+v", o)
		}
	}
}

// TestQueueEvents holds the messages to the queue hook of an account.
func TestQueueEvents(t *testing.T) {
	rec := record()
	queue := call.Queue{ID: "q1", Account: account, Name: "support", Size: 2}
	events := []call.Event{
		{Type: call.EventQueueJoin, At: *after(2), Record: &rec, Queue: &call.QueueNews{Queue: queue, Joined: *after(2)}},
		{Type: call.EventQueueLeave, At: *after(5), Record: &rec, Queue: &call.QueueNews{Queue: queue, Joined: *after(2)}},
		{Type: call.EventQueueLeave, At: *after(7), Record: &rec, Queue: &call.QueueNews{Queue: queue, Joined: *after(2), Taken: true, By: "agent"}},
	}
	box := apitest.New(noon, api.Account{ID: account, Project: project, Token: token,
		QueueHook: call.Hook{URL: "http://app.lan/queues", Username: "u", Password: "p"}})
	var list []api.Outgoing
	tokens := map[string]bool{}
	for _, ev := range events {
		for _, o := range dialect(box).Callback(ev) {
			list = append(list, o)
			tokens[o.Token] = true
		}
	}
	apitest.Golden(t, "queue-events.txt", text(t, list...))
	if len(tokens) != 3 || list[0].Username != "u" {
		t.Errorf("%d messages %+v", len(tokens), list)
	}
	if told := dialect(apitest.New(noon, api.Account{ID: account, Project: project, Token: token})).Callback(events[0]); told != nil {
		t.Errorf("without a hook: %+v", told)
	}
}

// TestRoomLists: the names of conferences, and the queues in which calls wait.
func TestRoomLists(t *testing.T) {
	g := newGateway(t)
	m := g.Box.Meetings
	m.Live = []call.Conference{
		{ID: "c1", Account: account, Name: "sales", State: call.ConferenceRunning}, {ID: "c2", Account: account, Name: "standup", State: call.ConferenceInit},
		{ID: "c3", Account: account, Name: "over", State: call.ConferenceEnded}, {ID: "c4", Account: "other", Name: "theirs", State: call.ConferenceRunning},
	}
	for name, size := range map[string]int{"support": 3, "sales": 1, "empty": 0} {
		if _, err := m.Queues().Create(t.Context(), account, call.Queue{Name: name, Size: size}); err != nil {
			t.Fatal(err)
		}
	}
	base := "/v1/Accounts/" + project
	if _, body := g.do(t, "GET", base+"/Conferences", ""); body != `["sales","standup"]` {
		t.Errorf("conferences %s", body)
	}
	if _, body := g.do(t, "GET", base+"/Queues?search=sup*", ""); body != `[{"name":"support","length":3}]` {
		t.Errorf("queues %s", body)
	}
	if _, body := g.do(t, "GET", base+"/Queues", ""); strings.Contains(body, "empty") || !strings.Contains(body, `{"name":"sales","length":1}`) {
		t.Errorf("queues %s", body)
	}
}
