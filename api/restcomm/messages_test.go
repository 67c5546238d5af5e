package restcomm_test

import (
	"strings"
	"testing"

	"callbox/api"
	"callbox/api/apitest"
	"callbox/api/restcomm"
	"callbox/call"
	"callbox/call/script"
)

// record is an answered call.
func record() call.Record {
	return call.Record{
		ID: "CA00112233445566778899aabbccddeeff", API: restcomm.Name, Account: account, Direction: call.OutboundAPI,
		From: "+15550100100", To: "+15550100199", State: call.InProgress, Created: noon, Started: at(1), Rang: at(2), Answered: at(4),
		Status: call.StatusHook{Hook: call.Hook{URL: "http://app.lan/status?tenant=7", Method: "GET"},
			Events: []call.EventType{call.EventInitiated, call.EventRinging, call.EventAnswered, call.EventEnded}},
	}
}

func TestStatusMessages(t *testing.T) {
	d, rec := dialect(), record()
	var list []api.Outgoing
	for i, typ := range rec.Status.Events {
		rec.State = []call.State{call.Dialing, call.Ringing, call.InProgress, call.Completed}[i]
		if typ == call.EventEnded {
			rec.State, rec.AMD, rec.AnsweredBy = call.InProgress, &call.AMD{Async: true}, "machine_start"
			list = append(list, d.Callback(call.Event{Type: call.EventMachine, At: *at(9), Record: &rec})...)
			rec.State, rec.Ended, rec.Cause, rec.Recordings = call.Completed, at(95), &call.Cause{Q850: 16, Who: call.Remote}, []string{"RE1"}
		}
		list = append(list, d.Callback(call.Event{Type: typ, Seq: i, At: *at(i), Record: &rec})...)
	}
	apitest.Golden(t, "status.txt", apitest.Lines(list...))
	if u := list[0].WireURL(); !strings.HasPrefix(u, "http://app.lan/status?tenant=7&CallSid=") {
		t.Errorf("the receiver's own query: %s", u)
	}
	if name, _ := d.Sign(token, list[0]); name != "" {
		t.Errorf("signed with %s", name)
	}
}

// TestSequence numbers a message by its event, also when others came before it.
func TestSequence(t *testing.T) {
	rec := record()
	rec.State, rec.Answered, rec.Ended = call.Busy, nil, at(9)
	got := apitest.Lines(dialect().Callback(call.Event{Type: call.EventEnded, Seq: 1, At: *at(9), Record: &rec})...)
	for _, want := range []string{"SequenceNumber=3", "CallStatus=busy", "CallDuration=0"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
}

func TestVoicemail(t *testing.T) {
	for verdict, want := range map[string]string{
		"human": "person_found", "machine_start": "voicemail", "machine_end_beep": "voicemail", "unknown": "", "fax": "",
	} {
		rec := record()
		rec.AnsweredBy = verdict
		list := dialect().Callback(call.Event{Type: call.EventMachine, At: *at(9), Record: &rec})
		if got := apitest.Lines(list...); (want == "") != (got == "") || want != "" && !strings.Contains(got, "VoicemailDetector="+want+"\n") {
			t.Errorf("%s: %q", verdict, got)
		}
	}
}

func TestDocumentRequests(t *testing.T) {
	rec := record()
	rec.Direction, rec.CallerName, rec.Forwarded, rec.Parent = call.Inbound, "Alice", "+15550100111", "CA1"
	rec.Headers = []call.Header{{Name: "X-Order", Value: "42"}}
	r := call.Recording{ID: "RE1", Account: account}
	h := call.Hook{URL: "http://app.lan/rcml"}
	apitest.Golden(t, "requests.txt", apitest.Lines(
		dialect().DocumentRequest(h, rec, nil),
		dialect().DocumentRequest(h, rec, &script.Result{Verb: "dial", Dial: &script.DialResult{State: call.Completed, Child: "CA2", Bridged: true, Recording: &r}}),
	))
}
