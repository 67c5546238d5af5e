//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	twilioclient "github.com/twilio/twilio-go/client"
	openapi "github.com/twilio/twilio-go/rest/api/v2010"

	"callbox/api"
	"callbox/api/admin"
)

// TestCreateParameters lets SIPp see what parameters of Create Call do to the
// call, and looks at what is left of it.
func TestCreateParameters(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	first, second := freePorts(t, 1), freePorts(t, 1)
	g := startGateway(t, fmt.Sprintf(`
trunks:
- name: provider
  host: 127.0.0.1
  port: %d
- name: other
  host: 127.0.0.1
  port: %d
routes:
- name: long distance
  prefix: "+1"
  lines: [provider]
  price: 0.0100
`, first, second))
	prompt := speak(t, "The warehouse in Biloxi has twelve boxes of blue paper left on its shelves.")
	length := time.Duration(len(prompt)) * time.Second / rate
	a.wav("/prompt.wav", prompt)
	a.doc("/voice", `<Response><Play>/prompt.wav</Play></Response>`)
	a.doc("/long", `<Response><Pause length="60"/></Response>`)
	app, err := g.twilio().Api.CreateApplication((&openapi.CreateApplicationParams{}).SetFriendlyName("menu").SetVoiceUrl(a.URL + "/voice").
		SetStatusCallback(a.URL + "/app-status"))
	if err != nil {
		t.Fatal(err)
	}
	call := func(port int, scenario string, form url.Values) map[string]any {
		t.Helper()
		s := startSIPp(t, port, 1, scenario, "-rtp_echo")
		all := url.Values{"To": {"+14155550123"}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"}}
		for k, v := range form {
			all[k] = v
		}
		sid := g.create(all)
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		s.succeeds(ctx)
		return g.until(sid, "completed")
	}
	// The shown number and the reason are in the INVITE; the application runs.
	call(first, carried("From", "14155550177@", "Subject", "Your parcel")+established+hungUp,
		url.Values{"CallerId": {"+14155550177"}, "CallReason": {"Your parcel has arrived"}, "Url": {""}, "ApplicationSid": {*app.Sid}})
	if r := a.until("/app-status", 1); r.form.Get("CallStatus") != "completed" {
		t.Errorf("the application's status callback was told %v", r.form)
	}
	// A trunk that the routes do not choose.
	if rec := call(second, recv("INVITE")+established+hungUp, url.Values{"Byoc": {api.TrunkID("BY", "other")}}); rec["to"] != "+14155550123" {
		t.Errorf("record %v", rec)
	}
	// The call is ended by its time limit.
	began := time.Now()
	rec := call(first, recv("INVITE")+established+hungUp, url.Values{"Url": {a.URL + "/long"}, "TimeLimit": {"2"}})
	if rec["duration"] != "2" || time.Since(began) > 20*time.Second {
		t.Errorf("a call with a limit of 2 s lasted %v s", rec["duration"])
	}
	// One side of the call alone is recorded.
	for _, track := range []string{"inbound", "outbound"} {
		rec = call(first, recv("INVITE")+established+hungUp, url.Values{"Record": {"true"}, "RecordingTrack": {track}, "Trim": {"do-not-trim"}})
		sid := rec["sid"].(string)
		poll(t, "the recording", func() bool {
			_, list := g.get("/Calls/" + sid + "/Recordings.json")
			all, _ := list["recordings"].([]any)
			return len(all) == 1 && all[0].(map[string]any)["status"] == "completed"
		})
		if sound, ch := g.recording(sid); ch != 1 || time.Duration(len(sound))*time.Second/rate < length-time.Second {
			t.Errorf("%s: %d channels, %d samples", track, ch, len(sound))
		} else {
			hears(t, "the "+track+" track", sound, prompt) // SIPp sends back what it hears
		}
	}
	// What costs more than is allowed is not called.
	status, body := g.asProject(http.MethodPost, "/Calls.json", url.Values{"To": {"+14155550123"}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"}, "MaxPricePerMinute": {"0.0099"}})
	if status != 400 || body["code"] != float64(30010) {
		t.Errorf("above the highest price: %d %v", status, body)
	}
}

// asProject asks the API that knows accounts by their projects.
func (g *gateway) asProject(method, path string, form url.Values) (int, map[string]any) {
	account := g.account
	defer func() { g.account = account }()
	g.account = g.project
	return g.do(method, path, form)
}

// TestForwardedCall: a box whose account has numbers shows no other, except that
// of a caller whose call is forwarded with the token that came with it.
func TestForwardedCall(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	port := freePorts(t, 1)
	g := startGateway(t, fmt.Sprintf(oneTrunk, port)+"routes:\n- name: all\n  lines: [provider]\n")
	c := g.twilio().Api
	a.doc("/in", `<Response><Play digits="1"/><Pause length="1"/></Response>`)
	a.doc("/voice", `<Response><Hangup/></Response>`)
	if _, err := c.CreateIncomingPhoneNumber((&openapi.CreateIncomingPhoneNumberParams{}).SetPhoneNumber("+14155550100").SetVoiceUrl(a.URL + "/in")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	startSIPp(t, port, 1, arriving+callerRequest("ACK", 1, "[branch]")+recv("BYE")+replyInDialog("200 OK", ""), g.sip).succeeds(ctx)
	in := a.until("/in", 1)
	token := in.form.Get("CallToken")
	if token == "" || in.form.Get("From") != "+14155550177" {
		t.Fatalf("the application was told %v", in.form)
	}
	v := twilioclient.NewRequestValidator(g.token)
	if !v.Validate(a.URL+"/in", flat(in.form), in.header.Get("X-Twilio-Signature")) {
		t.Error("the vendor's validator refuses a request with a CallToken")
	}
	p := (&openapi.CreateCallParams{}).SetTo("+14155550123").SetFrom("+14155550177").SetUrl(a.URL + "/voice")
	var refused *twilioclient.TwilioRestError
	if _, err := c.CreateCall(p); !errors.As(err, &refused) || refused.Code != 21210 || !strings.Contains(refused.Message, "+14155550177") {
		t.Errorf("a call from a number of others: %v", err)
	}
	s := startSIPp(t, port, 1, carried("From", "14155550177@")+established+hungUp)
	if _, err := c.CreateCall(p.SetCallToken(token)); err != nil {
		t.Errorf("the forwarded call: %v", err)
	}
	s.succeeds(ctx)
	s = startSIPp(t, port, 1, carried("From", "14155550100@")+established+hungUp)
	if _, err := c.CreateCall((&openapi.CreateCallParams{}).SetTo("+14155550123").SetFrom("+14155550100").SetUrl(a.URL + "/voice")); err != nil {
		t.Errorf("a call from the account's number: %v", err)
	}
	s.succeeds(ctx)
}

// TestNoTextMessages: without a line for text messages, requests and documents
// that want to send one say so, and nothing is sent.
func TestNoTextMessages(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	g, port := trunked(t, a, "")
	var refused *twilioclient.TwilioRestError
	_, err := g.twilio().Api.CreateMessage((&openapi.CreateMessageParams{}).SetTo("+14155550123").SetFrom("+14155550100").SetBody("hi"))
	if !errors.As(err, &refused) || refused.Code != 21606 || !strings.Contains(refused.Message, "no line of this box") {
		t.Errorf("a message: %v", err)
	}
	if all, err := g.twilio().Api.ListMessage(nil); err != nil || len(all) != 0 {
		t.Errorf("messages: %v, %v", all, err)
	}
	a.doc("/voice", `<Response><Sms action="/sent">Hello</Sms></Response>`)
	a.doc("/sent", `<Response><Hangup/></Response>`)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s := startSIPp(t, port, 1, recv("INVITE")+established+hungUp)
	sid := g.create(url.Values{"To": {"+14155550123"}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"}})
	s.succeeds(ctx)
	if r := a.until("/sent", 1); r.form.Get("SmsStatus") != "failed" {
		t.Errorf("the action was told %v", r.form)
	}
	g.until(sid, "completed")
	control := admin.NewClient(filepath.Join(g.dir, "callbox.sock"))
	defer control.Close()
	got, err := control.Call(ctx, sid)
	if err != nil || !strings.Contains(strings.Join(got.Warnings, "\n"), "text message was not sent") {
		t.Errorf("the call does not tell it: %q, %v", got.Warnings, err)
	}
}
