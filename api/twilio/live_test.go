package twilio_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	openapi "github.com/twilio/twilio-go/rest/api/v2010"

	"callbox/api/apitest"
	"callbox/call"
)

// upCall makes a call that is answered.
func upCall(t *testing.T, g gateway) string {
	t.Helper()
	id := createCall(t, g, "To", "+15550100199", "From", "+15550100100", "Url", "http://pbx.lan/voice")
	g.box.Edit(id, func(r *call.Record) { r.State = call.InProgress })
	return id
}

// TestSDKSteersRecordings starts, pauses, resumes and stops recordings of a live
// call with the real client library.
func TestSDKSteersRecordings(t *testing.T) {
	g := newGateway(t)
	c := sdk(t, g, account, token).Api
	id := upCall(t, g)
	p := &openapi.CreateCallRecordingParams{}
	p.SetRecordingChannels("dual").SetRecordingTrack("inbound").SetTrim("trim-silence").SetRecordingStatusCallback("http://pbx.lan/recording").
		SetRecordingStatusCallbackMethod("GET").SetRecordingStatusCallbackEvent([]string{"in-progress", "completed", "absent"})
	got, err := c.CreateCallRecording(id, p)
	if err != nil || *got.Status != "in-progress" || *got.Source != "StartCallRecordingAPI" || *got.CallSid != id || got.Channels != 2 || *got.Track != "inbound" {
		t.Fatalf("start: %+v, %v", got, err)
	}
	resp, body := g.do(t, "POST", calls+"/"+id+"/Recordings.json", "")
	if resp.StatusCode != http.StatusCreated {
		t.Fatal(resp.Status, body)
	}
	apitest.Golden(t, "recording-started.json", pretty(t, body))
	change := func(sid, status, behaviour string) (*openapi.ApiV2010CallRecording, error) {
		u := &openapi.UpdateCallRecordingParams{}
		u.SetStatus(status)
		if behaviour != "" {
			u.SetPauseBehavior(behaviour)
		}
		return c.UpdateCallRecording(id, sid, u)
	}
	for _, tc := range []struct{ sid, status, behaviour string }{
		{*got.Sid, "paused", "skip"}, {"Twilio.CURRENT", "paused", ""}, {"Twilio.CURRENT", "in-progress", ""}, {*got.Sid, "stopped", ""},
	} {
		if r, err := change(tc.sid, tc.status, tc.behaviour); err != nil || *r.Status != tc.status {
			t.Errorf("%v: %+v, %v", tc, r, err)
		}
	}
	apitest.Golden(t, "recording-changes.model.json", pretty(t, apitest.Fields(t, g.box.RecordingChanges())))
	wantError(t, second(change(*got.Sid, "paused", "")), 400, 21220)
	wantError(t, second(change("RE404", "paused", "")), 404, 20404)
	wantError(t, second(change(*got.Sid, "louder", "")), 400, 20001)
	wantError(t, second(change(*got.Sid, "paused", "hum")), 400, 20001)
	g.box.FailNext(call.ErrTooMany)
	wantError(t, second(c.CreateCallRecording(id, &openapi.CreateCallRecordingParams{})), 400, 21220)
	idle := createCall(t, g, "To", "+15550100199", "From", "+15550100100", "Url", "http://pbx.lan/voice")
	wantError(t, second(c.CreateCallRecording(idle, &openapi.CreateCallRecordingParams{})), 400, 21220)
	wantError(t, second(c.CreateCallRecording("CA404", &openapi.CreateCallRecordingParams{})), 404, 20404)
	// One that is being made can neither be deleted nor fetched as sound.
	live, err := c.CreateCallRecording(id, &openapi.CreateCallRecordingParams{})
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, c.DeleteRecording(*live.Sid, nil), 409, 20009)
	if resp, _ := g.do(t, "GET", "/2010-04-01/Accounts/"+account+"/Recordings/"+*live.Sid+".wav", ""); resp.StatusCode != http.StatusNotFound {
		t.Errorf("the sound of one that is being made: %s", resp.Status)
	}
}

// TestSDKStreams starts and stops streams with the real client library.
func TestSDKStreams(t *testing.T) {
	g := newGateway(t)
	c := sdk(t, g, account, token).Api
	id := upCall(t, g)
	p := &openapi.CreateStreamParams{}
	p.SetUrl("wss://app.lan/audio").SetName("ears").SetTrack("both_tracks").SetStatusCallback("http://pbx.lan/stream").SetStatusCallbackMethod("GET").
		SetParameter1Name("order").SetParameter1Value("17").SetParameter99Name("who").SetParameter99Value("alice & bob")
	got, err := c.CreateStream(id, p)
	if err != nil || *got.Status != "in-progress" || *got.CallSid != id || *got.Name != "ears" || (*got.Sid)[:2] != "MZ" || *got.AccountSid != account {
		t.Fatalf("start: %+v, %v", got, err)
	}
	if _, err := c.CreateStream(id, (&openapi.CreateStreamParams{}).SetUrl("ws://192.0.2.7:9000/audio")); err != nil {
		t.Fatal(err)
	}
	_, body := g.do(t, "POST", calls+"/"+id+"/Streams.json", apitest.Form("Url", "wss://app.lan/audio", "Name", "third"))
	apitest.Golden(t, "stream.json", pretty(t, body))
	apitest.Golden(t, "streams.model.json", pretty(t, apitest.Fields(t, g.box.Streamed())))
	for _, sid := range []string{"ears", g.box.Streamed()[1].ID} {
		if s, err := c.UpdateStream(id, sid, (&openapi.UpdateStreamParams{}).SetStatus("stopped")); err != nil || *s.Status != "stopped" {
			t.Errorf("stop %s: %+v, %v", sid, s, err)
		}
	}
	wantError(t, second(c.UpdateStream(id, "ears", (&openapi.UpdateStreamParams{}).SetStatus("stopped"))), 404, 20404)
	wantError(t, second(c.UpdateStream(id, "ears", (&openapi.UpdateStreamParams{}).SetStatus("started"))), 400, 20001)
	for _, url := range []string{"", "http://app.lan/audio", "wss://", "wss://app.lan/audio?order=17"} {
		wantError(t, second(c.CreateStream(id, (&openapi.CreateStreamParams{}).SetUrl(url))), 400, 21205)
	}
	g.box.Edit(id, func(r *call.Record) { r.State = call.Completed })
	wantError(t, second(c.CreateStream(id, (&openapi.CreateStreamParams{}).SetUrl("wss://app.lan/audio"))), 400, 21220)
}

// TestChannelsAndForms: as many channels as are asked for, and no other form than WAV.
func TestChannelsAndForms(t *testing.T) {
	g := newGateway(t)
	id := createCall(t, g, "To", "+15550100199", "From", "+15550100100", "Url", "http://pbx.lan/voice")
	one := recording("RE00000000000000000000000000000001", id)
	one.Channels = 1
	g.box.AddRecording(one, []byte("RIFF....WAVE"))
	path := "/2010-04-01/Accounts/" + account + "/Recordings/" + one.ID
	for query, want := range map[string]int{"": 200, "?RequestedChannels=1": 200, "?RequestedChannels=2": 400, "?RequestedChannels=3": 400} {
		if resp, body := g.do(t, "GET", path+".wav"+query, ""); resp.StatusCode != want {
			t.Errorf("%q: %s %s", query, resp.Status, body)
		}
	}
	for _, p := range []string{path + ".mp3", calls + "/" + id + "/Recordings/" + one.ID + ".mp3"} {
		if resp, body := g.do(t, "GET", p, ""); resp.StatusCode != http.StatusNotFound || !strings.Contains(body, "end the address with .wav") {
			t.Errorf("%s: %s %s", p, resp.Status, body)
		}
	}
	if resp, _ := g.do(t, "DELETE", path+".wav", ""); resp.StatusCode != http.StatusNoContent {
		t.Errorf("delete the sound: %s", resp.Status)
	}
	if _, err := g.box.Recording(t.Context(), account, one.ID); !errors.Is(err, call.ErrNotFound) {
		t.Errorf("after that: %v", err)
	}
}
