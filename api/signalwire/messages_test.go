package signalwire_test

import (
	"strings"
	"testing"
	"time"

	"callbox/api"
	"callbox/api/apitest"
	"callbox/api/signalwire"
	"callbox/call"
	"callbox/call/script"
)

func at(s int) *time.Time { x := noon.Add(time.Duration(s) * time.Second); return &x }

// record is an answered call.
func record() call.Record {
	return call.Record{
		ID: "3fa85f64-5717-4562-b3fc-2c963f66afa6", API: signalwire.Name, Account: account, Direction: call.OutboundAPI,
		From: "+15550100100", To: "+15550100198", State: call.InProgress, Created: noon, Started: at(1), Rang: at(2), Answered: at(4),
		SIPCallID: "a@b", Status: call.StatusHook{Hook: call.Hook{URL: "http://app.lan/status"},
			Events: []call.EventType{call.EventInitiated, call.EventRinging, call.EventAnswered, call.EventEnded}},
	}
}

// TestStatusMessages holds every message of an answered call: the answer is told
// twice, and the numbers go on without a gap.
func TestStatusMessages(t *testing.T) {
	d, rec := dialect(box()), record()
	var list []api.Outgoing
	for i, typ := range rec.Status.Events {
		rec.State = []call.State{call.Dialing, call.Ringing, call.InProgress, call.Completed}[i]
		if typ == call.EventEnded {
			rec.Ended, rec.Cause = at(95), &call.Cause{Q850: 16, Who: call.Remote}
			rec.Recordings, rec.AnsweredBy = []string{"00000000-0000-4000-8000-00000000000a"}, "machine_end_beep"
			rec.Media = call.MediaStats{PacketsIn: 4500, PacketsOut: 4550, Lost: 45, Late: 5, Jitter: 7 * time.Millisecond, MaxBufferLength: 80 * time.Millisecond}
			rec.Quality = &call.Quality{MOS: 4.32}
		}
		list = append(list, d.Callback(call.Event{Type: typ, Seq: i, At: *at(i), Record: &rec})...)
	}
	apitest.Golden(t, "status.txt", apitest.Lines(list...))
	seen := map[string]bool{}
	for _, o := range list {
		if seen[o.Token] || o.Account != account || o.API != signalwire.Name {
			t.Errorf("message: %+v", o)
		}
		seen[o.Token] = true
	}
}

func TestHangup(t *testing.T) {
	for _, tc := range []struct {
		state     call.State
		cause     call.Cause
		direction call.Direction
		want      []string
	}{
		{call.Busy, call.Cause{Q850: 17, SIP: 486, Who: call.Remote}, call.OutboundAPI, []string{"CallStatus=busy", "SequenceNumber=2",
			"HangupBy=+15550100198", "HangupDirection=inbound", "SipResultCode=486", "SipInviteResultPhrase=Busy Here", "CallDuration=0"}},
		{call.Canceled, call.Cause{Q850: 16, SIP: 487, Who: call.API}, call.OutboundAPI, []string{"CallStatus=canceled",
			"HangupBy=+15550100100", "HangupDirection=outbound", "SipInviteResultPhrase=Request Terminated"}},
		{call.Failed, call.Cause{Q850: 1, SIP: 499, Who: call.Network, Text: "no such number"}, call.OutboundAPI,
			[]string{"SipResultCode=499", "SipInviteResultPhrase=no such number"}},
		{call.NoAnswer, call.Cause{Q850: 16, Who: call.Remote}, call.Inbound, []string{"HangupBy=+15550100100", "HangupDirection=inbound"}},
		{call.NoAnswer, call.Cause{Q850: 19, Who: call.Box}, call.Inbound, []string{"HangupBy=+15550100198", "HangupDirection=outbound"}},
	} {
		rec := record()
		rec.State, rec.Answered, rec.Ended, rec.Cause, rec.Direction = tc.state, nil, at(9), &tc.cause, tc.direction
		got := apitest.Lines(dialect(box()).Callback(call.Event{Type: call.EventEnded, Seq: 2, At: *at(9), Record: &rec})...)
		for _, w := range tc.want {
			if !strings.Contains(got, "  "+w+"\n") {
				t.Errorf("%s: no %s in\n%s", tc.state, w, got)
			}
		}
		if strings.Contains(got, "Audio") {
			t.Errorf("%s: counters without sound:\n%s", tc.state, got)
		}
	}
}

func TestMachineMessages(t *testing.T) {
	d, rec := dialect(box()), record()
	rec.AMD = &call.AMD{Async: true, Status: call.Hook{URL: "http://app.lan/amd", Method: "GET"}}
	if got := d.Callback(call.Event{Type: call.EventMachinePartial, Note: "machine_start", Record: &rec}); got != nil {
		t.Errorf("an interim result that nobody asked for: %+v", got)
	}
	rec.AMD.Partial = true
	list := d.Callback(call.Event{Type: call.EventMachinePartial, Note: "machine_start", Record: &rec})
	rec.AnsweredBy, rec.MachineTime = "machine_end_beep", 4200*time.Millisecond
	list = append(list, d.Callback(call.Event{Type: call.EventMachine, Record: &rec})...)
	list = append(list, d.DocumentRequest(call.Hook{URL: "http://app.lan/voice"}, rec, &script.Result{Verb: "gather", Digits: "1"}))
	apitest.Golden(t, "machine.txt", apitest.Lines(list...))
	rec.AMD.Async = false
	if got := d.Callback(call.Event{Type: call.EventMachine, Record: &rec}); got != nil {
		t.Errorf("a verdict that gates the script was told apart: %+v", got)
	}
}

// The vector of call-api.md §3.6, under this vendor's header.
func TestSign(t *testing.T) {
	name, value := dialect(box()).Sign(token, api.Outgoing{Method: "GET",
		URL: "http://192.168.10.20:8080/voice?tenant=7&CallSid=CA00112233445566778899aabbccddeeff"})
	if name != "X-SignalWire-Signature" || value != "FVjdNXHmh6u6kZWEGhdQJjJ9b3g=" {
		t.Errorf("%s: %s", name, value)
	}
}
