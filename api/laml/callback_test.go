package laml_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"callbox/api"
	"callbox/api/apitest"
	"callbox/api/laml"
	"callbox/api/twilio"
	"callbox/call"
	"callbox/call/script"
)

var began = time.Date(2026, 1, 2, 12, 0, 0, 0, time.FixedZone("", 3600))

func at(s int) *time.Time {
	t := began.Add(time.Duration(s) * time.Second)
	return &t
}

// record is an answered call of an hour ago.
func record() call.Record {
	return call.Record{
		ID: "CA00112233445566778899aabbccddeeff", API: "twilio", Account: "AC0123456789abcdef0123456789abcdef",
		Direction: call.OutboundAPI, From: "+15550100100", To: "sip:alice@biloxi.example", State: call.InProgress,
		Created: began, Started: at(1), Rang: at(2), Answered: at(4), SIPCallID: "abc@box", Remote: "192.0.2.7:5060",
		Status: call.StatusHook{
			Hook:   call.Hook{URL: "http://app.lan/status#rc=2", Username: "u", Password: "p"},
			Events: []call.EventType{call.EventInitiated, call.EventRinging, call.EventAnswered, call.EventEnded},
		},
	}
}

func TestStatusCallbacks(t *testing.T) {
	d, rec := dialect(), record()
	var list []api.Outgoing
	for i, typ := range []call.EventType{call.EventInitiated, call.EventRinging, call.EventAnswered, call.EventEnded} {
		rec.State = []call.State{call.Dialing, call.Ringing, call.InProgress, call.Completed}[i]
		if typ == call.EventEnded {
			rec.Ended, rec.Cause = at(95), &call.Cause{Q850: 16, Who: call.Remote}
			rec.Recordings, rec.AnsweredBy = []string{"RE1", "RE2"}, "human"
		}
		list = append(list, d.Callback(call.Event{Type: typ, Seq: i, At: *at(i), Record: &rec})...)
	}
	apitest.Golden(t, "status.txt", apitest.Lines(list...))
	seen := map[string]bool{}
	for _, o := range list {
		if o.Account != rec.Account || o.API != "twilio" || o.Username != "u" || o.Password != "p" || len(o.Token) != 36 || seen[o.Token] {
			t.Errorf("request: %+v", o)
		}
		seen[o.Token] = true
	}
	again := d.Callback(call.Event{Type: call.EventEnded, Seq: 3, At: *at(3), Record: &rec})
	if again[0].Token != list[3].Token {
		t.Error("the same event has another token")
	}
	if _, err := json.Marshal(list); err != nil {
		t.Error(err)
	}
}

func TestFinalCallbacks(t *testing.T) {
	for _, tc := range []struct {
		state call.State
		cause call.Cause
		sip   string
		want  []string
	}{
		{call.Busy, call.Cause{Q850: 17, SIP: 486}, "x", []string{"CallStatus=busy", "CallDuration=0", "Duration=0", "SipResponseCode=486"}},
		{call.NoAnswer, call.Cause{Q850: 19, SIP: 487}, "x", []string{"CallStatus=no-answer", "SipResponseCode=487"}},
		{call.Canceled, call.Cause{Q850: 16}, "", []string{"CallStatus=canceled"}},
		{call.Failed, call.Cause{Q850: 34}, "", []string{"CallStatus=failed"}},
	} {
		rec := record()
		rec.State, rec.Answered, rec.Ended, rec.Cause, rec.SIPCallID = tc.state, nil, at(9), &tc.cause, tc.sip
		list := dialect().Callback(call.Event{Type: call.EventEnded, Seq: 2, At: *at(9), Record: &rec})
		got := apitest.Lines(list...)
		for _, w := range tc.want {
			if !strings.Contains(got, "  "+w+"\n") {
				t.Errorf("%s: no %s in\n%s", tc.state, w, got)
			}
		}
		if tc.cause.SIP == 0 && strings.Contains(got, "SipResponseCode") {
			t.Errorf("%s: a SIP status without SIP:\n%s", tc.state, got)
		}
	}
}

func TestCallbackSelection(t *testing.T) {
	d, rec := dialect(), record()
	rec.Status.Events = nil
	for typ, want := range map[call.EventType]int{
		call.EventInitiated: 0, call.EventRinging: 0, call.EventAnswered: 0, call.EventEnded: 1,
		call.EventDigit: 0, call.EventVerb: 0, call.EventFetch: 0, call.EventWarning: 0, call.EventRecordingDone: 0,
	} {
		if got := d.Callback(call.Event{Type: typ, Record: &rec}); len(got) != want {
			t.Errorf("%s: %d messages, want %d", typ, len(got), want)
		}
	}
	rec.Status = call.StatusHook{}
	if got := d.Callback(call.Event{Type: call.EventEnded, Record: &rec}); got != nil {
		t.Errorf("without a hook: %+v", got)
	}
}

func TestRecordingCallbacks(t *testing.T) {
	r := call.Recording{
		ID: "RE00112233445566778899aabbccddeeff", Call: record().ID, Account: record().Account, Source: "OutboundAPI",
		Track: call.TrackBoth, Channels: 2, Started: began, Duration: 6600 * time.Millisecond,
		Hook: call.StatusHook{Hook: call.Hook{URL: "http://app.lan/rec", Method: "GET"}},
	}
	d := dialect()
	if got := d.Callback(call.Event{Type: call.EventRecordingStarted, Record: new(record()), Recording: &r}); got != nil {
		t.Errorf("an event that nobody asked for: %+v", got)
	}
	r.Hook.Events = []call.EventType{call.EventRecordingStarted, call.EventRecordingDone, call.EventRecordingAbsent}
	var list []api.Outgoing
	for _, typ := range r.Hook.Events {
		if typ == call.EventRecordingAbsent {
			r.Error, r.Duration = "nothing was recorded", 0
		}
		list = append(list, d.Callback(call.Event{Type: typ, Record: new(record()), Recording: &r})...)
	}
	r.Error, r.Duration = "it ends early, after 2.0 s, which are kept: the disk is full", 2*time.Second
	list = append(list, d.Callback(call.Event{Type: call.EventRecordingDone, Record: new(record()), Recording: &r})...)
	r.Transcript = call.Hook{URL: "http://app.lan/words", Method: "POST"} // not before the recording is whole
	for _, typ := range r.Hook.Events {
		r.Hook.Events = nil
		list = append(list, d.Callback(call.Event{Type: typ, Record: new(record()), Recording: &r})...)
	}
	apitest.Golden(t, "recording.txt", apitest.Lines(list...))
}

// TestStreamCallbacks: what a stream's hook is told, and that others are not.
func TestStreamCallbacks(t *testing.T) {
	d := dialect()
	s := call.Stream{ID: "MZ00112233445566778899aabbccddeeff", Call: record().ID, Account: record().Account, Error: "nobody listens", ErrorCode: 31902,
		StreamOptions: call.StreamOptions{Name: "ears", Status: call.StatusHook{Hook: call.Hook{URL: "http://pbx.lan/stream"}}}}
	at := time.Date(2026, 1, 2, 12, 0, 0, 250e6, time.UTC)
	var list []api.Outgoing
	for _, typ := range []call.EventType{call.EventStreamStarted, call.EventStreamStopped, call.EventStreamError} {
		list = append(list, d.Callback(call.Event{Type: typ, At: at, Record: new(record()), Stream: &s})...)
	}
	apitest.Golden(t, "stream.txt", apitest.Lines(list...))
	s.Status = call.StatusHook{}
	if got := d.Callback(call.Event{Type: call.EventStreamStarted, At: at, Record: new(record()), Stream: &s}); got != nil {
		t.Errorf("a hook that there is not: %+v", got)
	}
}

func TestDocumentRequests(t *testing.T) {
	d := dialect()
	hook := call.Hook{URL: "http://app.lan/next", Method: "GET"}
	r := call.Recording{ID: "RE1", Account: record().Account, Duration: 3400 * time.Millisecond}
	inbound := record()
	inbound.Direction, inbound.State, inbound.To, inbound.Parent = call.Inbound, call.Dialing, "sip:201@pbx.lan:5060;user=phone", "CA1"
	inbound.CallerName, inbound.Forwarded, inbound.AnsweredBy = "Alice", "+15550100111", "machine_start"
	inbound.Headers = []call.Header{{Name: "X-Order", Value: "42"}, {Name: "Via", Value: "secret"}}
	apitest.Golden(t, "requests.txt", apitest.Lines(
		d.DocumentRequest(call.Hook{URL: "http://app.lan/voice"}, record(), nil),
		d.DocumentRequest(hook, inbound, nil),
		d.DocumentRequest(hook, record(), &script.Result{Verb: "gather", Digits: "12"}),
		d.DocumentRequest(hook, record(), &script.Result{Verb: "gather", Timeout: true}),
		d.DocumentRequest(hook, record(), &script.Result{Verb: "record", Recording: &r, Digit: '#'}),
		d.DocumentRequest(hook, record(), &script.Result{Verb: "record", Recording: &r, HungUp: true}),
		d.DocumentRequest(hook, record(), &script.Result{Verb: "record", Recording: &r}),
		d.DocumentRequest(hook, record(), &script.Result{Verb: "gather", Speech: &call.Transcript{Final: true, Alternatives: []call.Alternative{{Text: "good morning", Confidence: 0.875}}}}),
		d.DocumentRequest(hook, record(), &script.Result{Verb: script.PartialResult, Number: 3, Speech: &call.Transcript{Alternatives: []call.Alternative{{Text: "good", Confidence: 0.5}}}}),
		d.DocumentRequest(hook, record(), &script.Result{Verb: "refer", Refer: &script.ReferResult{Status: 202, Final: 200}}),
		d.DocumentRequest(hook, record(), &script.Result{Verb: "refer", Refer: &script.ReferResult{Status: 202, Final: 486}}),
		d.DocumentRequest(hook, record(), &script.Result{Verb: "refer", Refer: &script.ReferResult{Status: 603}}),
		d.DocumentRequest(hook, record(), &script.Result{Verb: script.TransferEvent, Transfer: &script.TransferWish{
			To: "bob", URI: "sip:bob@biloxi.example", By: "sip:alice@atlanta.example", ByUser: "alice", Referrer: "CA1", Referred: "CA0", UserAgent: "Phone/1",
			Headers: []call.Header{{Name: "Refer-To", Value: "<sip:bob@biloxi.example?X-Why=lunch>"}, {Name: "Referred-By", Value: "<sip:alice@atlanta.example>"}, {Name: "X-Ticket", Value: "7"}}}}),
		d.DocumentRequest(hook, record(), &script.Result{Verb: script.TransferEvent, Transfer: &script.TransferWish{URI: "sip:biloxi.example"}}),
		d.DocumentRequest(hook, record(), &script.Result{Verb: "dial", Dial: &script.DialResult{
			State: call.Completed, Child: "CA2", Duration: 61 * time.Second, Bridged: true, SIPCallID: "x@y", SIPStatus: 200, Recording: &r,
		}}),
		d.DocumentRequest(hook, record(), &script.Result{Verb: "message", Message: &call.Message{ID: "SM1", Status: call.MessageQueued}}),
		d.DocumentRequest(hook, record(), &script.Result{Verb: "message", Message: &call.Message{Status: call.MessageFailed}}),
		d.DocumentRequest(hook, record(), &script.Result{Verb: "dial", Dial: &script.DialResult{State: call.Busy, Child: "CA2", SIPStatus: 486}}),
		d.DocumentRequest(hook, record(), &script.Result{Verb: "error", Error: &script.FetchError{Code: 11200, URL: "http://app.lan/voice", Err: errors.New("404")}}),
	))
}

func TestNewID(t *testing.T) {
	d := dialect()
	seen := map[string]bool{}
	for range 100 {
		for k, prefix := range map[api.IDKind]string{api.CallID: "CA", api.RecordingID: "RE"} {
			id := d.NewID(k)
			if len(id) != 34 || !strings.HasPrefix(id, prefix) || seen[id] {
				t.Fatalf("id %q", id)
			}
			seen[id] = true
		}
	}
	if d.Name() != twilio.Name {
		t.Errorf("name %q", d.Name())
	}
}

func TestRelativeAddressesWithoutBase(t *testing.T) {
	d := twilio.New(laml.Config{})
	r := call.Recording{ID: "RE1", Account: "AC1"}
	o := d.DocumentRequest(call.Hook{URL: "http://app.lan/"}, record(), &script.Result{Verb: "record", Recording: &r})
	if !strings.Contains(apitest.Lines(o), "RecordingUrl=/2010-04-01/Accounts/AC1/Recordings/RE1\n") {
		t.Errorf("%s", apitest.Lines(o))
	}
}
