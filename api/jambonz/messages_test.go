package jambonz_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"callbox/api"
	"callbox/api/apitest"
	"callbox/api/jambonz"
	"callbox/api/jambonz/js"
	"callbox/call"
	"callbox/call/script"
)

// record is an answered call.
func record() call.Record {
	return call.Record{
		ID: "8d0f0e5c-6c2e-4b0e-9a53-0c9b7a1f2d11", API: "jambonz", Account: account, Direction: call.OutboundAPI,
		From: "16175551212", To: "+16172375080", State: call.InProgress, Created: noon, Started: after(1), Rang: after(2), Answered: after(4),
		SIPCallID: "abc@box", Remote: "192.0.2.7:5060", Line: "provider", Application: appID,
		Session: call.Session{Tag: `{"1":"one","who":"<Böb & co>"}`, Env: `{"NAME":"value"}`, Speech: call.Speech{Vendor: "acme", Language: "fr-FR", Voice: "Marie"}},
		Status:  call.StatusHook{Hook: call.Hook{URL: "http://app.lan/status#rc=2", Username: "u", Password: "p"}},
	}
}

func told(t *testing.T) *jambonz.Dialect {
	t.Helper()
	return dialect(apitest.New(noon, api.Account{ID: account, Project: project, Token: token}))
}

// text writes requests for golden files. Every body must be what JavaScript
// would write, or its signature is worth nothing.
func text(t *testing.T, list ...api.Outgoing) string {
	t.Helper()
	var b strings.Builder
	for _, o := range list {
		b.WriteString(apitest.Lines(o))
		if o.JSON == nil {
			continue
		}
		v, err := js.Parse(o.JSON)
		if err != nil || v.String() != string(o.JSON) {
			t.Errorf("%s reads back as %s, %v", o.JSON, v, err)
		}
		b.WriteString(apitest.Indent(string(o.JSON)) + "\n")
	}
	return b.String()
}

func TestStatusHooks(t *testing.T) {
	d, rec := told(t), record()
	var list []api.Outgoing
	for i, typ := range []call.EventType{call.EventInitiated, call.EventRinging, call.EventEarly, call.EventAnswered, call.EventEnded, call.EventDigit, call.EventRecordingDone} {
		rec.State = []call.State{call.Dialing, call.Ringing, call.Ringing, call.InProgress, call.Completed, call.Completed, call.Completed}[i]
		rec.Early = i >= 2
		rec.Answered = map[bool]*time.Time{true: after(4)}[i >= 3]
		if typ == call.EventEnded {
			rec.Ended, rec.Cause = after(95), &call.Cause{Q850: 16, Who: call.Remote}
		}
		list = append(list, d.Callback(call.Event{Type: typ, Seq: i, At: *after(95), Record: &rec})...)
	}
	apitest.Golden(t, "status.txt", text(t, list...))
	seen := map[string]bool{}
	for _, o := range list {
		var body struct {
			Trace string `json:"trace_id"`
		}
		if err := json.Unmarshal(o.JSON, &body); err != nil || !regexp.MustCompile(`^`+body.Trace+`-[0-9a-f]{16}-1$`).MatchString(o.Trace) || len(body.Trace) != 32 {
			t.Errorf("trace %s of %s, %v", o.Trace, body.Trace, err)
		}
		if o.Account != account || o.API != "jambonz" || o.Username != "u" || o.Password != "p" || len(o.Token) != 36 || seen[o.Token] {
			t.Errorf("request %+v", o)
		}
		seen[o.Token] = true
	}
	again := d.Callback(call.Event{Type: call.EventEnded, Seq: 4, At: *after(95), Record: &rec})
	if again[0].Token != list[4].Token {
		t.Error("the same event has another token")
	}
	rec.Status.Method = "GET"
	apitest.Golden(t, "status-get.txt", text(t, d.Callback(call.Event{Type: call.EventEnded, At: *after(95), Record: &rec})...))
	rec.Status.Events = []call.EventType{call.EventRinging}
	if got := d.Callback(call.Event{Type: call.EventEnded, Record: &rec}); got != nil {
		t.Errorf("not asked for: %+v", got)
	}
	if got := d.Callback(call.Event{Type: call.EventEarly, Record: &rec}); len(got) != 1 {
		t.Errorf("early media is told to whoever asked for ringing: %+v", got)
	}
	rec.Status = call.StatusHook{}
	if got := d.Callback(call.Event{Type: call.EventEnded, Record: &rec}); got != nil {
		t.Errorf("no hook: %+v", got)
	}
}

// TestOutcomes: the final status by the cause, for both kinds of calls (§3.1).
func TestOutcomes(t *testing.T) {
	d := told(t)
	for _, tc := range []struct {
		state     call.State
		cause     call.Cause
		direction call.Direction
		status    string
		sip       int
		by        string
	}{
		{call.Busy, call.Cause{Q850: 17, SIP: 486, Who: call.Remote}, call.OutboundAPI, "busy", 486, "caller"},
		{call.Busy, call.Cause{Q850: 17, SIP: 486, Who: call.Remote}, call.OutboundDial, "busy", 486, "caller"},
		{call.Busy, call.Cause{Q850: 17, SIP: 600, Who: call.Remote}, call.OutboundAPI, "failed", 600, "caller"},
		{call.Busy, call.Cause{Q850: 17, SIP: 600, Who: call.Remote}, call.OutboundDial, "busy", 600, "caller"},
		{call.Busy, call.Cause{Q850: 21, SIP: 603, Who: call.Remote}, call.OutboundAPI, "busy", 603, "caller"},
		{call.Busy, call.Cause{Q850: 21, SIP: 603, Who: call.Remote}, call.OutboundDial, "failed", 603, "caller"},
		{call.NoAnswer, call.Cause{Q850: 19, SIP: 487, Who: call.Box}, call.OutboundAPI, "no-answer", 487, "jambonz"},
		{call.NoAnswer, call.Cause{Q850: 18, SIP: 408, Who: call.Remote}, call.OutboundAPI, "failed", 408, "caller"},
		{call.NoAnswer, call.Cause{Q850: 18, SIP: 480, Who: call.Network}, call.OutboundDial, "failed", 480, "caller"},
		{call.Canceled, call.Cause{Q850: 16, SIP: 487, Who: call.API}, call.OutboundAPI, "no-answer", 487, "jambonz"},
		{call.Canceled, call.Cause{Q850: 16, Who: call.API}, call.OutboundAPI, "no-answer", 480, "jambonz"},
		{call.Failed, call.Cause{Q850: 1, SIP: 404, Who: call.Remote}, call.OutboundAPI, "failed", 404, "caller"},
		{call.Failed, call.Cause{Q850: 3, Who: call.Box}, call.OutboundAPI, "failed", 404, "jambonz"},
		{call.NoAnswer, call.Cause{Q850: 19, Who: call.Box}, call.OutboundAPI, "no-answer", 480, "jambonz"},
		{call.Busy, call.Cause{Q850: 17, Who: call.Remote}, call.OutboundDial, "busy", 486, "caller"},
		{call.NoAnswer, call.Cause{Q850: 16, SIP: 487, Who: call.Remote}, call.Inbound, "no-answer", 487, "caller"},
		{call.Busy, call.Cause{Q850: 21, SIP: 603, Who: call.Script}, call.Inbound, "failed", 603, "jambonz"},
	} {
		rec := record()
		rec.State, rec.Cause, rec.Direction, rec.Answered = tc.state, &tc.cause, tc.direction, nil
		var got struct {
			Status string `json:"call_status"`
			SIP    int    `json:"sip_status"`
			Reason string `json:"sip_reason"`
			By     string `json:"call_termination_by"`
		}
		list := d.Callback(call.Event{Type: call.EventEnded, Record: &rec})
		if err := json.Unmarshal(list[0].JSON, &got); err != nil {
			t.Fatal(err)
		}
		if got.Status != tc.status || got.SIP != tc.sip || got.Reason == "" || got.By != tc.by {
			t.Errorf("%s %+v %s: %+v", tc.state, tc.cause, tc.direction, got)
		}
	}
}

// TestOpenStream holds what an application is told first that takes the sound of a call.
func TestOpenStream(t *testing.T) {
	s := call.Stream{StreamOptions: call.StreamOptions{Mix: call.StreamStereo, Rate: 16000, Metadata: `{"order":17,"callSid":"mine","who":{"name":"alice"}}`}}
	rec := record()
	rec.Session.Tag = `{"step_one":1}`
	o := told(t).OpenStream(s, rec)
	apitest.Golden(t, "stream.txt", apitest.Indent(string(o.Hello))+"\n")
	if o.Signed || len(o.Subprotocols) != 2 || o.Subprotocols[0] != "audio.jambonz.org" {
		t.Errorf("%+v", o)
	}
}

// TestDocumentRequests holds what hooks are told: at the start of a call, and
// by each verb.
func TestDocumentRequests(t *testing.T) {
	d, h := told(t), call.Hook{URL: "http://app.lan/hook", Username: "u", Password: "p"}
	in := record()
	in.Direction, in.From, in.To, in.CallerName = call.Inbound, "+15550100", "client:bob", "Alice"
	in.Headers = []call.Header{{Name: "X-Order", Value: "17"}, {Name: "x-order", Value: "18"}, {Name: "X-B", Value: "<&>"}}
	apitest.Golden(t, "session-new.txt", text(t, d.DocumentRequest(h, record(), nil), d.DocumentRequest(h, in, nil)))
	get := h
	get.Method = "GET"
	apitest.Golden(t, "session-new-get.txt", text(t, d.DocumentRequest(get, in, nil)))

	said := call.Transcript{Final: true, Language: "de-DE", Channel: 2, Vendor: "vosk", Raw: `{"type":"transcription"}`,
		Alternatives: []call.Alternative{{Text: "guten Tag", Confidence: 0.5}, {Text: "guter Tag"}}}
	var out strings.Builder
	dial := func(r script.DialResult) *script.Result { return &script.Result{Verb: "dial", Dial: &r} }
	for _, tc := range []struct {
		name string
		res  script.Result
	}{
		{"gather digits", script.Result{Verb: "gather", Digits: "1234"}},
		{"gather timeout", script.Result{Verb: "gather", Timeout: true}},
		{"gather finish key alone", script.Result{Verb: "gather"}},
		{"gather speech", script.Result{Verb: "gather", Fault: "the box has no recogniser of speech"}},
		{"play", script.Result{Verb: "play", Played: 2600 * time.Millisecond}},
		{"play failed", script.Result{Verb: "play", Fault: "cannot play http://app.lan/a.wav: HTTP status 404"}},
		{"dial completed", *dial(script.DialResult{State: call.Completed, Child: "c1", Bridged: true, SIPStatus: 200, SIPCallID: "def@box"})},
		{"dial busy", *dial(script.DialResult{State: call.Busy, Child: "c1", SIPStatus: 486})},
		{"dial declined", *dial(script.DialResult{State: call.Busy, Child: "c1", SIPStatus: 603})},
		{"dial no answer", *dial(script.DialResult{State: call.NoAnswer, Child: "c1", SIPStatus: 487})},
		{"dial nobody", *dial(script.DialResult{State: call.Failed, Cause: call.Cause{Q850: call.Q850NoRoute}})},
		{"gather said", script.Result{Verb: "gather", Speech: &said}},
		{"gather unsure", script.Result{Verb: "gather", Speech: &said, Unsure: true}},
		{"partial", script.Result{Verb: script.PartialResult, Speech: &call.Transcript{Channel: 1, Vendor: "vosk", Alternatives: []call.Alternative{{Text: "go"}}}}},
		{"transcript", script.Result{Verb: script.TranscriptResult, Speech: &said}},
		{"dtmf", script.Result{Verb: "dtmf", Digits: "*1"}},
		{"hold", script.Result{Verb: "hold", Hold: &script.HoldResult{From: "+15550100", To: "client:bob"}}},
		{"sip:request", script.Result{Verb: "sip:request", Answer: &call.SIPResponse{Status: 202, Reason: "Accepted"}}},
		{"sip:request failed", script.Result{Verb: "sip:request", Fault: "no answer within 32 s"}},
		{"refer", script.Result{Verb: "refer", Refer: &script.ReferResult{Status: 202, Final: 486}}},
		{"refer refused", script.Result{Verb: "refer", Refer: &script.ReferResult{Status: 603}}},
		{"refer step", script.Result{Verb: script.ReferEvent, Refer: &script.ReferResult{Status: 180}}},
		{"transfer", script.Result{Verb: script.TransferEvent, Transfer: &script.TransferWish{
			To: "bob", URI: "sip:bob@biloxi.example", By: "sip:alice@atlanta.example", ByUser: "alice", Referrer: "c1", Referred: "c0", UserAgent: "Phone/1",
			Headers: []call.Header{{Name: "Refer-To", Value: "<sip:bob@biloxi.example?X-Why=lunch>"}, {Name: "Referred-By", Value: "<sip:alice@atlanta.example>"}, {Name: "X-Ticket", Value: "7"}}}}},
		{"transfer of nobody", script.Result{Verb: script.TransferEvent, Transfer: &script.TransferWish{URI: "sip:biloxi.example", Referrer: "c1"}}},
		{"message", script.Result{Verb: "message", Message: &call.Message{ID: "SM1", Status: call.MessageQueued}}},
		{"message failed", script.Result{Verb: "message", Message: &call.Message{ID: "SM1", Status: call.MessageFailed, Error: "the network refused it"}}},
		{"message without a line", script.Result{Verb: "message", Message: &call.Message{Status: call.MessageFailed, Error: call.ErrNoMessenger.Error()}}},
		{"listen", script.Result{Verb: "stream", Stream: &script.StreamResult{Stream: call.Stream{Length: 12400 * time.Millisecond}, Digits: "#"}}},
		{"listen that ended by itself", script.Result{Verb: "stream", Stream: &script.StreamResult{}}},
		{"error", script.Result{Verb: "error", Error: &script.FetchError{Code: 11200, URL: "http://app.lan/x", Err: errors.New("the answer is HTTP status 500")}}},
	} {
		var own js.Object
		base, err := js.Parse(d.DocumentRequest(h, record(), &script.Result{Verb: "redirect"}).JSON)
		if err != nil {
			t.Fatal(err)
		}
		v, err := js.Parse(d.DocumentRequest(h, record(), &tc.res).JSON)
		if err != nil {
			t.Fatal(err)
		}
		for i, m := range v.Members { // what the verb adds or changes
			if i >= len(base.Members) || m.Value.String() != base.Members[i].Value.String() {
				own.Add(m.Name, m.Value)
			}
		}
		fmt.Fprintf(&out, "%s: %s\n", tc.name, own.Value())
	}
	apitest.Golden(t, "actions.txt", out.String())
}

// TestMachineHooks: every stage of machine detection, in both spellings (§4).
func TestMachineHooks(t *testing.T) {
	d, rec := told(t), record()
	rec.AMD = &call.AMD{Timeout: 15 * time.Second, Status: call.Hook{URL: "http://app.lan/amd"}}
	var out strings.Builder
	for _, v := range []string{"human", "machine_start", "fax", "machine_end_beep", "machine_end_silence", "machine_end_other", "unknown"} {
		for _, typ := range []call.EventType{call.EventMachine, call.EventMachinePartial} {
			rec.AnsweredBy, rec.MachineTime = v, 4*time.Second
			if typ == call.EventMachinePartial {
				rec.AnsweredBy, rec.MachineTime = "", 15*time.Second
			}
			ev := call.Event{Type: typ, Record: &rec, Note: v}
			if v == "machine_end_beep" {
				ev.Tone = 999.7
			}
			list := d.Callback(ev)
			if typ == call.EventMachine {
				if len(list) != 2 || !strings.HasPrefix(string(list[1].JSON), `{"type":"amd_stopped","call_sid"`) || list[1].Token == list[0].Token {
					t.Fatalf("%s: %+v", v, list)
				}
				list = list[:1]
			}
			if len(list) != 1 || list[0].Call != rec.ID || list[0].URL != "http://app.lan/amd" {
				t.Fatalf("%s: %+v", v, list)
			}
			head, _, _ := strings.Cut(string(list[0].JSON), `,"call_sid"`)
			fmt.Fprintf(&out, "%s %s: %s}\n", typ, v, head)
		}
	}
	apitest.Golden(t, "amd.txt", out.String())
	rec.AMD = nil
	if list := d.Callback(call.Event{Type: call.EventMachine, Record: &rec}); list != nil {
		t.Errorf("nobody asked: %+v", list)
	}
}

// TestSignatureVector is call-api.md §3.7, which the vendor's verifier accepts.
func TestSignatureVector(t *testing.T) {
	d := jambonz.New(jambonz.Config{Now: func() time.Time { return time.Unix(1767225600, 0) }})
	o := api.Outgoing{Method: "POST", JSON: []byte(`{"call_sid":"8d0f0e5c-6c2e-4b0e-9a53-0c9b7a1f2d11","call_status":"in-progress","sip_status":200,"note":"a<b&c"}`)}
	name, value := d.Sign("wh_secret_test1234567890", o)
	if name != "Jambonz-Signature" || value != "t=1767225600,v1=0a777b040f2f21d620a46702bded1337170e2a657c725944f1e71697ec3d5cac" {
		t.Errorf("%s: %s", name, value)
	}
	o.Method, o.JSON = "GET", nil
	if name, value := d.Sign("x", o); name != "" || value != "" {
		t.Errorf("GET: %s: %s", name, value)
	}
}

func TestSigningKey(t *testing.T) {
	d := told(t)
	k := d.SigningKey(api.Account{Token: token})
	if len(k) != len("wh_secret_")+32 || !strings.HasPrefix(k, "wh_secret_") || k == d.SigningKey(api.Account{Token: token + "0"}) {
		t.Errorf("derived %s", k)
	}
	if k := d.SigningKey(api.Account{Token: token, WebhookSecret: "wh_secret_own"}); k != "wh_secret_own" {
		t.Errorf("own %s", k)
	}
}

func TestIDs(t *testing.T) {
	d := jambonz.New(jambonz.Config{})
	a, b := d.NewID(api.CallID), d.NewID(api.RecordingID)
	if !randomID.MatchString(a) || len(a) != 36 || a == b || d.Name() != "jambonz" {
		t.Errorf("%s %s", a, b)
	}
}

// TestDecode: what is looked at, by the content type.
func TestDecode(t *testing.T) {
	d := told(t)
	const url = "http://u:p@app.lan/hook#rc=1"
	for _, tc := range []struct {
		kind, body, url string
		verbs           int
		warning, err    string
	}{
		{"application/json", `[{"verb":"answer"}]`, url, 1, "", ""},
		{"application/json; charset=utf-8", `[{"verb":"answer"},{"verb":"hangup"}]`, url, 2, "", ""},
		{"", "", url, 0, "", ""},
		{"text/html", "", url, 0, "", ""},
		{"text/plain; charset=utf-8", "OK", url, 0, "the answer is text/plain, not application/json, and was not looked at", ""},
		{"", "[]", url, 0, "", ""},
		{"application/json", `{"status":"ok"}`, url, 0, "the answer is not an array of verbs and was not looked at", ""},
		{"application/json", `[`, url, 0, "", "the document is not JSON: unexpected EOF"},
		{"", `[{"verb":"answer"}]`, "", 1, "", ""},
	} {
		doc, err := d.Decode([]byte(tc.body), tc.kind, tc.url)
		var fe *script.FetchError
		switch {
		case tc.err != "" && (!errors.As(err, &fe) || fe.Error() != tc.err || fe.URL != "http://app.lan/hook"):
			t.Errorf("%q %q: %v", tc.kind, tc.body, err)
		case tc.err == "" && (err != nil || len(doc.Verbs) != tc.verbs || strings.Join(doc.Warnings, ";") != tc.warning):
			t.Errorf("%q %q: %+v, %v", tc.kind, tc.body, doc, err)
		}
	}
}

// TestMessageHook: a request of the far end becomes a message to the hook that
// asked for it, whose answer may take over the call.
func TestMessageHook(t *testing.T) {
	d, rec := told(t), record()
	ev := call.Event{Type: call.EventMessage, At: *after(7), Record: &rec, Message: &call.SIPMessage{Method: "INFO", ContentType: "application/json",
		Body: `{"a":1}`, Headers: []call.Header{{Name: "X-One", Value: "1"}, {Name: "x-one", Value: "again"}, {Name: "7", Value: "seven"}}}}
	if list := d.Callback(ev); len(list) != 0 {
		t.Errorf("told without being asked: %v", list)
	}
	rec.Session.Messages = call.Hook{URL: "http://app.lan/sip", Username: "u", Password: "p"}
	list := d.Callback(ev)
	if len(list) != 1 || list[0].Call != rec.ID || list[0].Username != "u" || list[0].Token == "" {
		t.Fatalf("%+v", list)
	}
	apitest.Golden(t, "message.txt", text(t, list...))
	rec.Session.Messages.Method = "GET"
	if list := d.Callback(ev); len(list) != 1 || !strings.Contains(list[0].WireURL(), "sip_method=INFO") {
		t.Errorf("%+v", list)
	}
}
