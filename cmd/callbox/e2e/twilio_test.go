//go:build e2e

package e2e

import (
	"errors"
	"slices"
	"strings"
	"testing"

	twilioclient "github.com/twilio/twilio-go/client"
	openapi "github.com/twilio/twilio-go/rest/api/v2010"
	"github.com/twilio/twilio-go/twiml"
)

// TestTwilioGo makes calls with every parameter that twilio-go knows of, cancels
// one that rings, and reads errors as that client does.
func TestTwilioGo(t *testing.T) {
	t.Parallel()
	g := startGateway(t, "")
	a := newApp(t)
	alice, _ := twoManual(t, g)
	hold, err := twiml.Voice([]twiml.Element{&twiml.VoicePause{Length: "600"}})
	if err != nil {
		t.Fatal(err)
	}
	a.doc("/voice", hold)
	rest := g.twilio().Api
	p := &openapi.CreateCallParams{}
	p.SetPathAccountSid(g.account)
	p.SetTo("client:alice")
	p.SetFrom("+14155550100")
	p.SetUrl(a.URL + "/voice?tenant=7")
	p.SetMethod("GET")
	p.SetFallbackUrl(a.URL + "/fallback")
	p.SetFallbackMethod("POST")
	p.SetStatusCallback(a.URL + "/status?tenant=7")
	p.SetStatusCallbackMethod("GET")
	p.SetStatusCallbackEvent([]string{"initiated", "ringing", "answered", "completed"})
	p.SetSendDigits("1w2W3")
	p.SetTimeout(30)
	p.SetTimeLimit(600)
	p.SetRecord(true)
	p.SetRecordingChannels("dual")
	p.SetRecordingTrack("both")
	p.SetRecordingStatusCallback(a.URL + "/recording")
	p.SetRecordingStatusCallbackMethod("POST")
	p.SetRecordingStatusCallbackEvent([]string{"in-progress", "completed", "absent"})
	p.SetTrim("do-not-trim")
	p.SetSipAuthUsername("box")
	p.SetSipAuthPassword("s3cret9")
	p.SetCallerId("+14155550177")
	p.SetCallReason("a test")
	p.SetMachineDetectionTimeout(20)
	p.SetMachineDetectionSpeechThreshold(2000)
	p.SetMachineDetectionSpeechEndThreshold(1000)
	p.SetMachineDetectionSilenceTimeout(4000)
	up, err := rest.CreateCall(p)
	if err != nil {
		t.Fatal(err)
	}
	alice.wait("CALL_INCOMING")
	alice.do("accept", "")
	g.until(*up.Sid, "in-progress")
	for _, want := range "123" {
		if ev := alice.wait("CALL_DTMF_START"); ev.Param != string(want) {
			t.Errorf("digit to the phone: %q, want %q", ev.Param, want)
		}
	}
	if doc := a.until("/voice", 1); doc.form.Get("tenant") != "7" || doc.form.Get("From") != "+14155550100" {
		t.Errorf("the document was asked for with %v", doc.form)
	}
	if _, err := rest.UpdateCall(*up.Sid, &openapi.UpdateCallParams{Twiml: ptr(`<Response><Pause length="1"/></Response>`)}); err != nil {
		t.Errorf("new TwiML: %v", err)
	}
	if c := g.until(*up.Sid, "completed"); c["duration"] == "0" {
		t.Errorf("ended: %v", c)
	}
	poll(t, "all messages", func() bool {
		return slices.Contains(a.statuses("/status"), "completed") && len(a.requests("/recording")) >= 2
	})
	verifyTwilio(t, g, a)

	ringing := &openapi.CreateCallParams{Url: ptr(a.URL + "/voice"), To: ptr("client:bob"), From: ptr("+14155550100")}
	made, err := rest.CreateCall(ringing)
	if err != nil {
		t.Fatal(err)
	}
	g.until(*made.Sid, "ringing")
	if _, err := rest.UpdateCall(*made.Sid, &openapi.UpdateCallParams{Status: ptr("canceled")}); err != nil {
		t.Errorf("cancel: %v", err)
	}
	g.until(*made.Sid, "canceled")

	var refused *twilioclient.TwilioRestError
	for name, tc := range map[string]struct {
		do           func() error
		status, code int
	}{
		"a wrong token": {func() error {
			_, err := g.twilioAs(g.account, strings.Repeat("0", 32)).Api.FetchCall(*made.Sid, nil)
			return err
		}, 401, 20003},
		"a call that is not there": {func() error { _, err := rest.FetchCall("CA"+strings.Repeat("0", 32), nil); return err }, 404, 20404},
		"no To": {func() error {
			_, err := rest.CreateCall(&openapi.CreateCallParams{From: ringing.From, Url: ringing.Url})
			return err
		}, 400, 21201},
		"no script": {func() error {
			_, err := rest.CreateCall(&openapi.CreateCallParams{From: ringing.From, To: ringing.To})
			return err
		}, 400, 21205},
	} {
		if err := tc.do(); !errors.As(err, &refused) || refused.Status != tc.status || refused.Code != tc.code || refused.MoreInfo == "" {
			t.Errorf("%s: %v, want status %d and code %d", name, err, tc.status, tc.code)
		}
	}
}

// verifyTwilio lets the vendor's validator judge every request so far.
func verifyTwilio(t *testing.T, g *gateway, a *app) {
	t.Helper()
	v := twilioclient.NewRequestValidator(g.token)
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range a.heard {
		if !v.Validate(a.URL+r.uri, flat(r.post), r.header.Get("X-Twilio-Signature")) {
			t.Errorf("%s %s: the vendor's validator refuses the signature", r.method, r.uri)
		}
	}
}
