//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"syscall"
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
	phones["bob"].wait("CALL_ESTABLISHED")
	phones["alice"].wait("CALL_ESTABLISHED")
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
	poll(t, "both are paused", func() bool {
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
	g.until(sid, "completed")
	lengths := map[string]float64{}
	for id, channels := range map[string]int{dual: 2, mono: 1} {
		var r *openapi.ApiV2010Recording
		poll(t, "the recording is complete", func() bool {
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
		a.until(path, 2)
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
// transcribing is refused with a warning, who waits for the text is told that there
// is none, and the recording is made all the same.
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
		<Record action="/recorded" timeout="0" maxLength="30" finishOnKey="9" playBeep="false" trim="do-not-trim" transcribe="true" transcribeCallback="/words" recordingStatusCallback="/message" recordingStatusCallbackEvent="in-progress completed"/></Response>`)
	a.doc("/recorded", `<Response><Hangup/></Response>`)
	sid := g.create(url.Values{"To": {"client:bob"}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"}})
	bob.wait("CALL_ESTABLISHED")
	began := time.Now()
	tape := a.until("/tape", 1)
	slots(began, 3.2)
	bob.press("9")
	done := a.until("/recorded", 1)
	g.until(sid, "completed")
	if done.form.Get("Digits") != "9" {
		t.Errorf("the action: %v", done.form)
	}
	kept := g.sound("/Recordings/" + tape.form.Get("RecordingSid") + ".wav")
	hearsOnce(t, "the recording beside the document", kept, first)
	deaf(t, "the recording beside the document", kept, second)
	message := g.sound("/Recordings/" + done.form.Get("RecordingSid") + ".wav")
	hearsOnce(t, "the message", message, answer)
	a.until("/message", 2)
	words := a.until("/words", 1).form
	if words.Get("TranscriptionStatus") != "failed" || !words.Has("TranscriptionText") || words.Get("TranscriptionText") != "" ||
		words.Get("RecordingSid") != done.form.Get("RecordingSid") || words.Get("CallSid") != sid {
		t.Errorf("who waits for the text is told %v", words)
	}
	_, body := g.get("/Calls/" + sid + "/Notifications.json")
	if out := fmt.Sprint(body); !strings.Contains(out, "transcription of <Record>") {
		t.Errorf("nothing says that there is no transcription: %s", out)
	}
}

// TestConferenceRecordingSteered: the vendor's client pauses the recording of a
// conference for a sentence.
func TestConferenceRecordingSteered(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	a := newApp(t)
	said := map[int][]int16{
		1: speak(t, "Bob speaking. Seven boxes of paper arrived.", "-v", "en-us"),
		2: speak(t, "My card number is one two three four five.", "-v", "en-us"),
		3: speak(t, "Still the same voice, a little later on.", "-v", "en-us"),
		5: speak(t, "This was recorded because somebody asked.", "-v", "en-us"),
	}
	alice := startBaresip(t, phone{name: "alice", password: "a1l2i3c4e5", registrar: g.sip, answer: "auto"})
	bob := startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto", says: timeline(t, said)})
	a.doc("/room", `<Response><Dial><Conference record="record-from-start" trim="do-not-trim">garden</Conference></Dial></Response>`)
	var sids []string
	for _, p := range []*baresip{alice, bob} {
		sids = append(sids, g.create(url.Values{"To": {"client:" + p.name}, "From": {"+14155550100"}, "Url": {a.URL + "/room"}}))
		p.wait("CALL_ESTABLISHED")
	}
	began := time.Now()
	api := g.twilio().Api
	var conf string
	poll(t, "the conference", func() bool {
		list, err := api.ListConference(&openapi.ListConferenceParams{})
		if err != nil || len(list) != 1 {
			return false
		}
		conf = *list[0].Sid
		return true
	})
	change := func(id, status string) *openapi.ApiV2010ConferenceRecording {
		t.Helper()
		p := &openapi.UpdateConferenceRecordingParams{}
		p.SetStatus(status).SetPauseBehavior("skip")
		r, err := api.UpdateConferenceRecording(conf, id, p)
		if err != nil || *r.Status != status {
			t.Fatalf("%s: %+v, %v", status, r, err)
		}
		return r
	}
	slots(began, 2)
	r := change("Twilio.CURRENT", "paused")
	slots(began, 3)
	change(*r.Sid, "in-progress")
	slots(began, 4.3)
	change(*r.Sid, "stopped")
	status, asked := g.post("/Conferences/"+conf+"/Recordings.json", url.Values{"Trim": {"do-not-trim"}})
	if status != 201 || asked["source"] != "StartConferenceRecordingAPI" {
		t.Fatalf("a recording by request: %d %v", status, asked)
	}
	slots(began, 6.3)
	for _, sid := range sids {
		g.post("/Calls/"+sid+".json", url.Values{"Status": {"completed"}})
		g.until(sid, "completed")
	}
	poll(t, "the recording is complete", func() bool {
		r, err := api.FetchRecording(*r.Sid, nil)
		return err == nil && *r.Status == "completed"
	})
	sound := g.sound("/Conferences/" + conf + "/Recordings/" + *r.Sid + ".wav")
	hearsOnce(t, "the recording, before the pause,", sound, said[1])
	hearsOnce(t, "the recording, after the pause,", sound, said[3])
	deaf(t, "the recording", sound, said[2])
	hearsOnce(t, "alice, during the pause,", alice.heard(), said[2])
	sid := fmt.Sprint(asked["sid"])
	poll(t, "the recording by request is complete", func() bool {
		r, err := api.FetchRecording(sid, nil)
		return err == nil && *r.Status == "completed"
	})
	sound = g.sound("/Conferences/" + conf + "/Recordings/" + sid + ".wav")
	hearsOnce(t, "the recording by request", sound, said[5])
	deaf(t, "the recording by request", sound, said[3])

	account, token := g.account, g.token
	if err := g.stop(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	g.start()
	g.account, g.token = account, token
	again, err := g.twilio().Api.FetchConference(conf, nil)
	if err != nil || *again.Status != "completed" || *again.FriendlyName != "garden" {
		t.Errorf("the conference after a restart: %+v, %v", again, err)
	}
	if list := g.plainForm("GET", "/Calls.json?ConferenceSid="+conf, nil).json(t); list["total"] != 2.0 {
		t.Errorf("the calls of the conference after a restart: %v", list)
	}
}

// TestDialRecords: a Dial records from the answer or from the ringing, on one
// channel or on one for each party, and tells its action.
func TestDialRecords(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoUsers)
	a := newApp(t)
	fromAlice := speak(t, "This is Alice. The garden gate was left open.")
	fromBob := speak(t, "Bob speaking. Seven boxes of paper arrived.", "-v", "en-us")
	startBaresip(t, phone{name: "bob", password: "b1o2b3b4o5", registrar: g.sip, answer: "auto", says: fromBob})
	alice := startBaresip(t, phone{name: "alice", password: "a1l2i3c4e5", registrar: g.sip, answer: "manual", says: twice(fromAlice)})
	const rings = 4 * time.Second
	talk := time.Duration(len(twice(fromAlice)))*time.Second/rate + time.Second
	for _, mode := range []string{"do-not-record", "record-from-answer", "record-from-ringing", "record-from-answer-dual", "record-from-ringing-dual"} {
		a.doc("/voice", `<Response><Dial record="`+mode+`" action="/`+mode+`" recordingStatusCallback="/tape"><Client>alice</Client></Dial></Response>`)
		a.doc("/"+mode, `<Response><Hangup/></Response>`)
		sid := g.create(url.Values{"To": {"client:bob"}, "From": {"+14155550100"}, "Url": {a.URL + "/voice"}})
		alice.wait("CALL_INCOMING")
		pauseFor(rings)
		alice.do("accept", "")
		alice.wait("CALL_ESTABLISHED")
		pauseFor(talk)
		alice.do("hangup", "")
		done := a.until("/"+mode, 1)
		g.until(sid, "completed")
		if mode == "do-not-record" {
			if done.form.Get("RecordingSid") != "" {
				t.Errorf("recorded: %v", done.form)
			}
			continue
		}
		sound, channels := g.recording(sid)
		if want := 1 + strings.Count(mode, "-dual"); channels != want || done.form.Get("RecordingSid") == "" || done.form.Get("RecordingDuration") == "" {
			t.Errorf("%s: %d channels, the action was told %v", mode, channels, done.form)
		}
		length := time.Duration(len(sound)/channels) * time.Second / rate
		if ringing := length - talk; (ringing > rings/2) != strings.Contains(mode, "ringing") {
			t.Errorf("%s: %v long", mode, length)
		}
		if channels == 2 {
			hearsOnce(t, mode+", on the channel of alice,", channel(sound, 1, 2), fromAlice)
			deaf(t, mode+", on the channel of bob,", channel(sound, 0, 2), fromAlice)
		}
	}
}
