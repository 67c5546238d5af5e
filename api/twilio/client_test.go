package twilio_test

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	twiliogo "github.com/twilio/twilio-go"
	"github.com/twilio/twilio-go/client"
	openapi "github.com/twilio/twilio-go/rest/api/v2010"

	"callbox/call"
)

// toBox sends what is meant for the cloud to the gateway.
type toBox struct {
	base *url.URL
	next http.RoundTripper
}

func (b toBox) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host, r.Host = b.base.Scheme, b.base.Host, b.base.Host
	return b.next.RoundTrip(r)
}

// sdk is the real client library, pointed at the gateway.
func sdk(t *testing.T, g gateway, user, password string) *twiliogo.RestClient {
	t.Helper()
	base, err := url.Parse(g.URL)
	if err != nil {
		t.Fatal(err)
	}
	c := &client.Client{
		Credentials: client.NewCredentials(user, password),
		HTTPClient:  &http.Client{Transport: toBox{base, g.Client().Transport}, Timeout: 10 * time.Second},
	}
	c.SetAccountSid(account)
	return twiliogo.NewRestClientWithParams(twiliogo.ClientParams{Client: c, AccountSid: account})
}

func TestSDKCreatesMinimal(t *testing.T) {
	g := newGateway(t)
	c := sdk(t, g, account, token)
	p := &openapi.CreateCallParams{}
	p.SetTo("+15550100199").SetFrom("+15550100100").SetUrl("http://192.168.1.5:8000/voice")
	got, err := c.Api.CreateCall(p)
	if err != nil {
		t.Fatal(err)
	}
	if got.Sid == nil || len(*got.Sid) != 34 || (*got.Sid)[:2] != "CA" {
		t.Errorf("sid: %v", got.Sid)
	}
	if *got.Status != "queued" || *got.Direction != "outbound-api" || got.DateCreated != nil || got.Duration != nil || *got.QueueTime != "0" {
		t.Errorf("call: %+v", got)
	}
	if *got.ToFormatted != "(555) 010-0199" {
		t.Errorf("to_formatted: %s", *got.ToFormatted)
	}
	want := call.ScriptSource{Main: call.Hook{URL: "http://192.168.1.5:8000/voice", Method: "POST"}}
	if r := g.box.Requests()[0]; r.Script != want || r.API != "twilio" || r.Account != account || r.ID != *got.Sid {
		t.Errorf("request: %+v", r)
	}
}

func TestSDKCreatesWithEverything(t *testing.T) {
	g := newGateway(t)
	c := sdk(t, g, keyID, secret)
	p := &openapi.CreateCallParams{}
	p.SetTo("sip:alice@biloxi.example;transport=tcp?X-Order=42&User-to-User=abc").SetFrom("client:bob").
		SetUrl("http://pbx.lan/voice").SetMethod("GET").SetFallbackUrl("http://pbx.lan/fallback").SetFallbackMethod("GET").
		SetStatusCallback("http://pbx.lan/status").SetStatusCallbackEvent([]string{"initiated", "ringing", "answered", "completed"}).
		SetStatusCallbackMethod("GET").SetTimeout(25).SetTimeLimit(3600).SetCallerId("+15550100123").
		SetCallReason("your parcel").SetCallToken("a-token").SetByoc(trunkID).
		SetRecord(true).SetRecordingChannels("dual").SetRecordingTrack("inbound").
		SetRecordingStatusCallback("http://pbx.lan/recording").SetRecordingStatusCallbackMethod("GET").
		SetRecordingStatusCallbackEvent([]string{"in-progress completed", "absent"}).SetTrim("do-not-trim").
		SetSipAuthUsername("alice").SetSipAuthPassword("p w").
		SetMachineDetection("DetectMessageEnd").SetMachineDetectionTimeout(20).SetMachineDetectionSpeechThreshold(2000).
		SetMachineDetectionSpeechEndThreshold(1000).SetMachineDetectionSilenceTimeout(4000).
		SetAsyncAmd("true").SetAsyncAmdStatusCallback("http://pbx.lan/amd").SetAsyncAmdStatusCallbackMethod("GET")
	if _, err := c.Api.CreateCall(p); err != nil {
		t.Fatal(err)
	}
	golden(t, "create-all.request.json", requestJSON(t, g.box.Requests()[0]))
}

func TestSDKFetchesAndChanges(t *testing.T) {
	g := newGateway(t)
	c := sdk(t, g, account, token)
	id := createCall(t, g, "To", "+15550100199", "From", "+15550100100", "Url", "http://pbx.lan/voice",
		"StatusCallback", "http://pbx.lan/old", "StatusCallbackEvent", "ringing")
	got, err := c.Api.FetchCall(id, nil)
	if err != nil {
		t.Fatal(err)
	}
	if *got.Sid != id || *got.DateCreated != "Fri, 02 Jan 2026 12:00:01 +0000" {
		t.Errorf("fetched: %+v", got)
	}
	u := &openapi.UpdateCallParams{}
	u.SetTwiml("<Response><Hangup/></Response>").SetStatusCallback("http://pbx.lan/new").SetTimeLimit(60)
	if _, err = c.Api.UpdateCall(id, u); err != nil {
		t.Fatal(err)
	}
	change := g.box.Changes()[0]
	if change.Script.Inline != "<Response><Hangup/></Response>" || *change.TimeLimit != time.Minute ||
		change.Status.URL != "http://pbx.lan/new" || !slices.Equal(change.Status.Events, []call.EventType{call.EventRinging}) {
		t.Errorf("change: %+v", change)
	}
	u = &openapi.UpdateCallParams{}
	u.SetStatus("canceled")
	if got, err = c.Api.UpdateCall(id, u); err != nil || *got.Status != "canceled" {
		t.Fatalf("cancel: %v, %+v", err, got)
	}
	wantError(t, second(c.Api.UpdateCall(id, u)), 400, 21220)
	if err = c.Api.DeleteCall(id, nil); err != nil {
		t.Fatal(err)
	}
	wantError(t, second(c.Api.FetchCall(id, nil)), 404, 20404)
}

func TestSDKLists(t *testing.T) {
	g := newGateway(t)
	c := sdk(t, g, account, token)
	var want []string
	for range 5 {
		want = append(want, createCall(t, g, "To", "+15550100199", "From", "+15550100100", "Url", "http://pbx.lan/voice"))
	}
	createCall(t, g, "To", "+15550100188", "From", "+15550100100", "Url", "http://pbx.lan/voice")
	slices.Reverse(want)
	p := &openapi.ListCallParams{}
	p.SetTo("+15550100199").SetPageSize(2)
	list, err := c.Api.ListCall(p)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, x := range list {
		got = append(got, *x.Sid)
	}
	if !slices.Equal(got, want) {
		t.Errorf("listed %v, want %v", got, want)
	}
	g.box.Edit(want[0], func(r *call.Record) { r.Started = &noon })
	p = &openapi.ListCallParams{}
	p.SetStartTimeAfter(noon).SetStartTimeBefore(noon.In(time.FixedZone("", 7200)))
	if list, err = c.Api.ListCall(p); err != nil || len(list) != 1 || *list[0].Sid != want[0] {
		t.Errorf("by time: %v, %v", list, err)
	}
}

func TestSDKRecordings(t *testing.T) {
	g := newGateway(t)
	c := sdk(t, g, account, token)
	id := createCall(t, g, "To", "+15550100199", "From", "+15550100100", "Url", "http://pbx.lan/voice")
	for _, r := range []string{"RE00000000000000000000000000000001", "RE00000000000000000000000000000002", "RE00000000000000000000000000000003"} {
		g.box.AddRecording(recording(r, id), []byte("RIFF....WAVE"))
	}
	list, err := c.Api.ListRecording((&openapi.ListRecordingParams{}).SetPageSize(2))
	if err != nil || len(list) != 3 || *list[0].Duration != "7" || *list[0].Channels != 2 {
		t.Fatalf("list: %v, %v", list, err)
	}
	below, err := c.Api.ListCallRecording(id, &openapi.ListCallRecordingParams{})
	if err != nil || len(below) != 3 {
		t.Fatalf("list below the call: %v, %v", below, err)
	}
	one, err := c.Api.FetchRecording("RE00000000000000000000000000000002", nil)
	if err != nil || *one.CallSid != id {
		t.Fatalf("fetch: %v, %v", one, err)
	}
	if err := c.Api.DeleteRecording("RE00000000000000000000000000000002", nil); err != nil {
		t.Fatal(err)
	}
	wantError(t, second(c.Api.FetchRecording("RE00000000000000000000000000000002", nil)), 404, 20404)
}

// TestSDKNotifications reads the warnings of a call.
func TestSDKNotifications(t *testing.T) {
	g := newGateway(t)
	c := sdk(t, g, account, token)
	id := createCall(t, g, "To", "+15550100199", "From", "+15550100100", "Url", "http://pbx.lan/voice")
	list, err := c.Api.ListCallNotification(id, nil)
	if err != nil || len(list) != 0 {
		t.Fatalf("a call without warnings: %v, %v", list, err)
	}
	g.box.Edit(id, func(r *call.Record) {
		r.Warnings = []string{"line 3: <Sing> is not known and was skipped (12200)", "the far end put the call on hold"}
	})
	list, err = c.Api.ListCallNotification(id, nil)
	if err != nil || len(list) != 2 || *list[0].ErrorCode != "12200" || *list[0].MessageText != "line 3: <Sing> is not known and was skipped" ||
		*list[0].Log != "1" || *list[0].CallSid != id || *list[1].ErrorCode != "0" || list[1].MessageDate == nil {
		t.Fatalf("%+v, %v", list, err)
	}
	one, err := c.Api.FetchCallNotification(id, *list[1].Sid, nil)
	if err != nil || *one.MessageText != "the far end put the call on hold" || *one.Sid != *list[1].Sid || *list[0].Sid == *list[1].Sid {
		t.Fatalf("fetch: %+v, %v", one, err)
	}
	if errors, err := c.Api.ListCallNotification(id, (&openapi.ListCallNotificationParams{}).SetLog(0)); err != nil || len(errors) != 0 {
		t.Errorf("of the kind error: %v, %v", errors, err)
	}
	wantError(t, second(c.Api.FetchCallNotification(id, "NO00000000000000000000000000000000", nil)), 404, 20404)
	wantError(t, second(c.Api.ListCallNotification("CA00000000000000000000000000000000", nil)), 404, 20404)
}

func TestSDKErrors(t *testing.T) {
	g := newGateway(t)
	p := &openapi.CreateCallParams{}
	p.SetTo("+15550100199").SetFrom("+15550100100").SetUrl("nowhere")
	wantError(t, second(sdk(t, g, account, token).Api.CreateCall(p)), 400, 21205)
	wantError(t, second(sdk(t, g, account, "00000000000000000000000000000000").Api.CreateCall(p)), 401, 20003)
	wantError(t, second(sdk(t, g, account, token).Api.FetchCall("CA00000000000000000000000000000000", nil)), 404, 20404)
	got, err := sdk(t, g, account, token).Api.FetchAccount(account)
	if err != nil || *got.Sid != account || *got.Status != "active" || got.AuthToken != nil {
		t.Errorf("account: %+v, %v", got, err)
	}
}

func second[T any](_ T, err error) error { return err }

// wantError checks the error that the library made of the answer.
func wantError(t *testing.T, err error, status, code int) {
	t.Helper()
	var e *client.TwilioRestError
	if !errors.As(err, &e) {
		t.Errorf("got %v, want an error of the API", err)
		return
	}
	if e.Status != status || e.Code != code || e.Message == "" || e.MoreInfo == "" {
		t.Errorf("got %+v, want %d %d", e, status, code)
	}
}
