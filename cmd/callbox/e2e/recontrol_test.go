//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	twilioclient "github.com/twilio/twilio-go/client"
	openapi "github.com/twilio/twilio-go/rest/api/v2010"
)

// TestRecordingSteered: the vendor's client starts two recordings of two connected
// phones, pauses both for a sentence, one leaving it out and one keeping silence,
// and stops one; what was said meanwhile is in neither.
func TestRecordingSteered(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	a := newApp(t)
	said := map[string]map[int][]int16{
		"alice": {1: speak(t, "This is Alice. The garden gate was left open.")},
		"bob": {1: speak(t, "Bob speaking. Seven boxes of paper arrived.", "-v", "en-us"),
			2: speak(t, "My card number is one two three four five.", "-v", "en-us"),
			3: speak(t, "Still the same voice, a little later on.", "-v", "en-us")},
	}
	phones := map[string]*baresip{}
	for name, password := range map[string]string{"alice": "a1l2i3c4e5", "bob": "b1o2b3b4o5"} {
		phones[name] = startBaresip(t, phone{name: name, password: password, registrar: g.sip, answer: "auto", says: timeline(t, said[name])})
	}
	a.doc("/voice", `<Response><Dial><Client>alice</Client></Dial></Response>`)
	sid := g.create(url.Values{"To": {"client:bob"}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"}})
	phones["bob"].wait("CALL_ESTABLISHED", 30*time.Second)
	phones["alice"].wait("CALL_ESTABLISHED", 30*time.Second)
	began := time.Now()
	api := g.twilio().Api
	start := func(channels string) string {
		t.Helper()
		p := &openapi.CreateCallRecordingParams{}
		p.SetRecordingChannels(channels).SetRecordingStatusCallback(a.URL + "/" + channels).SetRecordingStatusCallbackEvent([]string{"in-progress", "completed", "absent"})
		r, err := api.CreateCallRecording(sid, p)
		if err != nil || *r.Status != "in-progress" || *r.Source != "StartCallRecordingAPI" {
			t.Fatalf("start: %+v, %v", r, err)
		}
		return *r.Sid
	}
	dual, mono := start("dual"), start("mono")
	change := func(id, status, behaviour string) {
		t.Helper()
		p := &openapi.UpdateCallRecordingParams{}
		p.SetStatus(status)
		if behaviour != "" {
			p.SetPauseBehavior(behaviour)
		}
		if r, err := api.UpdateCallRecording(sid, id, p); err != nil || *r.Status != status {
			t.Errorf("%s %s: %+v, %v", id, status, r, err)
		}
	}
	slots(began, 2)
	change(dual, "paused", "skip")
	change("Twilio.CURRENT", "paused", "silence") // the mono one, which was started last
	poll(t, 10*time.Second, "both are paused", func() bool {
		for _, id := range []string{dual, mono} {
			if r, err := api.FetchCallRecording(sid, id, nil); err != nil || *r.Status != "paused" {
				return false
			}
		}
		return true
	})
	slots(began, 3)
	change(dual, "in-progress", "")
	change(mono, "in-progress", "")
	slots(began, 4.3)
	change(dual, "stopped", "")
	var refused *twilioclient.TwilioRestError
	if _, err := api.UpdateCallRecording(sid, dual, (&openapi.UpdateCallRecordingParams{}).SetStatus("paused")); !errors.As(err, &refused) || refused.Code != 21220 {
		t.Errorf("pause one that was stopped: %v", err)
	}
	if err := api.DeleteRecording(mono, nil); !errors.As(err, &refused) || refused.Status != http.StatusConflict {
		t.Errorf("delete one that is being made: %v", err)
	}
	g.post("/Calls/"+sid+".json", url.Values{"Status": {"completed"}})
	g.until(sid, "completed", 30*time.Second)
	lengths := map[string]float64{}
	for id, channels := range map[string]int{dual: 2, mono: 1} {
		var r *openapi.ApiV2010Recording
		poll(t, 10*time.Second, "the recording is complete", func() bool {
			var err error
			r, err = api.FetchRecording(id, nil)
			return err == nil && *r.Status == "completed"
		})
		status, _, body := g.download("/2010-04-01/Accounts/"+g.account+"/Recordings/"+id+".wav", true)
		sound, n, ok := parseWAV(body)
		if status != http.StatusOK || !ok || n != channels {
			t.Fatalf("download of %s: %d, %d channels", id, status, n)
		}
		lengths[id] = float64(len(sound)/n) / rate
		if fmt.Sprintf("%.0f", lengths[id]) != *r.Duration {
			t.Errorf("%s lasts %.1f s and says %s", id, lengths[id], *r.Duration)
		}
		bob, alice := sound, sound
		if n == 2 {
			bob, alice = channel(sound, 0, 2), channel(sound, 1, 2)
		}
		if n == 2 { // else both speak at once in one channel
			hearsOnce(t, id+", of bob before the pause,", bob, said["bob"][1])
			hearsOnce(t, id+", of alice before the pause,", alice, said["alice"][1])
		}
		hearsOnce(t, id+", of bob after the pause,", bob, said["bob"][3])
		deaf(t, id, bob, said["bob"][2])
	}
	if d := lengths[mono] - lengths[dual]; d < slotLength-2 || d > slotLength+4 {
		t.Errorf("with silence %.1f s, without the pause %.1f s", lengths[mono], lengths[dual])
	}
	// The two channels as one, in parts too.
	status, _, body := g.download("/2010-04-01/Accounts/"+g.account+"/Recordings/"+dual+".wav?RequestedChannels=1", true)
	if sound, n, ok := parseWAV(body); status != http.StatusOK || !ok || n != 1 || float64(len(sound))/rate != lengths[dual] {
		t.Errorf("the mixture: %d, %d channels, %.1f s", status, n, float64(len(sound))/rate)
	}
	if status, _, body := g.download("/2010-04-01/Accounts/"+g.account+"/Recordings/"+dual+".mp3", true); status != http.StatusNotFound || !strings.Contains(string(body), ".wav") {
		t.Errorf("as MP3: %d %s", status, body)
	}
	for _, path := range []string{"/dual", "/mono"} {
		a.until(path, 2, 10*time.Second)
		var got []string
		for _, r := range a.requests(path) {
			got = append(got, r.form.Get("RecordingStatus"))
		}
		if s := strings.Join(got, " "); s != "in-progress completed" {
			t.Errorf("callbacks of %s: %s", path, s)
		}
	}
	// The phones heard each other throughout.
	hearsOnce(t, "alice, during the pause,", phones["alice"].heard(), said["bob"][2])
}

// TestStartRecording: a document starts a recording beside itself and stops it;
// transcribing is refused with a warning, and the recording is made all the same.
func TestStartRecording(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	a := newApp(t)
	first := speak(t, "This part of the message is kept on the disk of the box.")
	second := speak(t, "This part is not, because the recording was stopped.", "-v", "en-us")
	answer := speak(t, "Hello, this is Bob. I am leaving a message for the shop.", "-v", "en-us")
	bob := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto",
		says: timeline(t, map[int][]int16{2: answer})})
	a.wav("/first.wav", first)
	a.wav("/second.wav", second)
	a.doc("/voice", `<Response><Start><Recording name="tape" channels="mono" trim="do-not-trim" recordingStatusCallback="/tape"/></Start>
		<Play loop="2">/first.wav</Play><Stop><Recording name="tape"/></Stop><Play loop="2">/second.wav</Play>
		<Record action="/recorded" timeout="0" maxLength="30" finishOnKey="9" playBeep="false" trim="do-not-trim" transcribe="true" recordingStatusCallback="/message" recordingStatusCallbackEvent="in-progress completed"/></Response>`)
	a.doc("/recorded", `<Response><Hangup/></Response>`)
	sid := g.create(url.Values{"To": {"client:bob"}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"}})
	bob.wait("CALL_ESTABLISHED", 30*time.Second)
	began := time.Now()
	tape := a.until("/tape", 1, 60*time.Second)
	slots(began, 3.2)
	bob.press("9")
	done := a.until("/recorded", 1, 30*time.Second)
	g.until(sid, "completed", 30*time.Second)
	if done.form.Get("Digits") != "9" {
		t.Errorf("the action: %v", done.form)
	}
	kept := g.sound("/Recordings/" + tape.form.Get("RecordingSid") + ".wav")
	hearsOnce(t, "the recording beside the document", kept, first)
	deaf(t, "the recording beside the document", kept, second)
	message := g.sound("/Recordings/" + done.form.Get("RecordingSid") + ".wav")
	hearsOnce(t, "the message", message, answer)
	a.until("/message", 2, 10*time.Second)
	_, body := g.get("/Calls/" + sid + "/Notifications.json")
	if out := fmt.Sprint(body); !strings.Contains(out, "transcription of <Record>") {
		t.Errorf("nothing says that there is no transcription: %s", out)
	}
}
