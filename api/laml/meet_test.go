package laml_test

import (
	"testing"
	"time"

	"callbox/api"
	"callbox/api/apitest"
	"callbox/call"
	"callbox/call/script"
)

// conference is one with everything that messages tell of.
func conference() call.Conference {
	return call.Conference{
		ID: "CF00112233445566778899aabbccddeeff", API: "twilio", Account: "AC0123456789abcdef0123456789abcdef", Name: "sales",
		State: call.ConferenceRunning, Created: began, Seq: 1, Hook: call.StatusHook{
			Hook: call.Hook{URL: "http://app.lan/conf", Username: "u", Password: "p"}, Events: []call.EventType{
				call.EventConferenceStart, call.EventConferenceEnd, call.EventJoin, call.EventLeave, call.EventMute, call.EventUnmute, call.EventHold,
				call.EventUnhold, call.EventModify, call.EventSpeechStart, call.EventSpeechStop, call.EventAnnouncementEnd, call.EventAnnouncementFail,
			},
		},
	}
}

// TestConferenceCallbacks holds every message to the hook of a conference.
func TestConferenceCallbacks(t *testing.T) {
	party := call.Participant{Conference: conference().ID, Call: record().ID, Label: "agent 7", StartOnEnter: true}
	whispering := party
	whispering.Coach, whispering.Muted, whispering.Held, whispering.EndOnExit = "CA99999999999999999999999999999999", true, true, true
	var list []api.Outgoing
	tell := func(typ call.EventType, p *call.Participant, change func(*call.ConferenceNews, *call.Record)) {
		rec := &call.Record{API: "twilio", Account: conference().Account}
		if p != nil {
			rec = new(record())
		}
		n := &call.ConferenceNews{Conference: conference(), Participant: p}
		if change != nil {
			change(n, rec)
		}
		seq := len(list) + 1
		list = append(list, dialect().Callback(call.Event{Type: typ, Seq: seq, At: *at(seq), Record: rec, Conference: n})...)
	}
	tell(call.EventConferenceStart, nil, nil)
	for _, typ := range []call.EventType{call.EventJoin, call.EventMute, call.EventUnmute, call.EventHold, call.EventUnhold, call.EventSpeechStart, call.EventSpeechStop} {
		tell(typ, &party, nil)
	}
	tell(call.EventModify, &whispering, nil)
	tell(call.EventAnnouncementEnd, nil, func(n *call.ConferenceNews, _ *call.Record) { n.URL = "http://app.lan/news" })
	tell(call.EventAnnouncementFail, &party, func(n *call.ConferenceNews, _ *call.Record) {
		n.URL, n.Fault = "http://app.lan/news", "no such sound"
	})
	for _, why := range []call.Departure{call.LeftByHangup, call.LeftByStar, call.LeftByLimit, call.LeftByRedirect, call.LeftByKick, call.LeftAtEnd} {
		tell(call.EventLeave, &party, func(n *call.ConferenceNews, rec *call.Record) {
			n.Left = why
			if why == call.LeftByHangup {
				rec.State = call.NoAnswer
			}
		})
	}
	for _, why := range []call.ConferenceEnd{call.EndedByRequest, call.EndedEmpty, call.EndedByKick, call.EndedWithMember, call.EndedWithKicked} {
		tell(call.EventConferenceEnd, nil, func(n *call.ConferenceNews, _ *call.Record) {
			n.Conference.State, n.Conference.Reason = call.ConferenceEnded, why
			if why != call.EndedByRequest {
				n.Conference.EndedBy = party.Call
			}
		})
	}
	apitest.Golden(t, "conference.txt", apitest.Lines(list...))
	for _, o := range list {
		if o.Username != "u" || o.Account != conference().Account || len(o.Token) != 36 {
			t.Errorf("request: %+v", o)
		}
	}
	unwanted := conference()
	unwanted.Hook.Events = []call.EventType{call.EventConferenceEnd}
	if got := dialect().Callback(call.Event{Type: call.EventJoin, Record: &call.Record{}, Conference: &call.ConferenceNews{Conference: unwanted}}); len(got) != 0 {
		t.Errorf("told although nobody asked: %+v", got)
	}
}

// TestMeetingRequests holds what actions, waiting documents and announcements are
// told.
func TestMeetingRequests(t *testing.T) {
	queue := call.Queue{ID: "QU00112233445566778899aabbccddeeff", Name: "support", Max: 100, Size: 4, Wait: 90 * time.Second}
	conf := conference()
	done := call.Recording{ID: "RE00112233445566778899aabbccddeeff", Account: conf.Account, Duration: 61 * time.Second}
	rec := record()
	var list []api.Outgoing
	for _, res := range []*script.Result{
		{Verb: "conference", Conference: &script.ConferenceResult{Conference: conf.ID, Duration: 62500 * time.Millisecond, Recording: &done}},
		{Verb: "conference", Conference: &script.ConferenceResult{Full: true}},
		{Verb: "enqueue", Queue: &script.QueueResult{Outcome: call.QueueBridged, Queue: queue.ID, Waited: 75 * time.Second}},
		{Verb: "enqueue", Queue: &script.QueueResult{Outcome: call.QueueFull}},
		{Verb: "dequeue", Dequeue: &script.DequeueResult{Queue: queue.ID, DialResult: script.DialResult{State: call.Completed, Child: rec.ID, Bridged: true, Duration: 30 * time.Second}}},
		{Verb: "dequeue", Dequeue: &script.DequeueResult{Queue: queue.ID, Timeout: true, DialResult: script.DialResult{State: call.NoAnswer}}},
		{Verb: "wait", Waiting: &script.Waiting{Queue: queue, Position: 2, Waited: 61 * time.Second}},
		{Verb: "notice", Waiting: &script.Waiting{Queue: queue, Waited: 61 * time.Second, Peer: "CA99999999999999999999999999999999"}},
		{Verb: "wait", Announce: &conf},
		{Verb: "enter"},
	} {
		list = append(list, dialect().DocumentRequest(call.Hook{URL: "http://app.lan/" + res.Verb}, rec, res))
	}
	rec = call.Record{ID: conf.ID, API: "twilio", Account: conf.Account}
	list = append(list, dialect().DocumentRequest(call.Hook{URL: "http://app.lan/announce", Method: "GET"}, rec, &script.Result{Verb: "announce", Announce: &conf}))
	apitest.Golden(t, "meetings.txt", apitest.Lines(list...))
	// A recording of a conference tells its conference in place of a call.
	done.Conference, done.Call, done.Hook = conf.ID, conf.ID, call.StatusHook{Hook: call.Hook{URL: "http://app.lan/rec"}}
	done.Started, done.Source, done.Track, done.Channels = began, "Conference", call.TrackBoth, 1
	out := dialect().Callback(call.Event{Type: call.EventRecordingDone, At: began, Record: &rec, Recording: &done})
	apitest.Golden(t, "conference-recording.txt", apitest.Lines(out...))
}
